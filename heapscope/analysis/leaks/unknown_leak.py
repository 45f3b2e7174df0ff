"""Growth that no known leak explains: the class that leads it, and what holds its instances."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN, Finding, began
from heapscope.analysis.leaks.owner_finding import finding_of_owner, newest
from heapscope.analysis.leaks.owner_growth import OwnerGrowth, Rising, opened_dumps, rising_held
from heapscope.analysis.thresholds import HEAP_GROWTH, LEAST_PART, MIN_SNAPSHOTS, ONE_FOR_ONE, OWNER_SHARE
from heapscope.analysis.verdicts import GROWS, LIKELY, PERHAPS, POSSIBLE
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.object_set import instances_of
from heapscope.heap.retention.by_group import find_consumers
from heapscope.heap.retention.owner_paths import extends
from heapscope.parser.generated_names import stable_name
from heapscope.units import format_bytes, format_count

# What other things are made of: named only where nothing else grows with it.
_STRING, _THREAD = "java.lang.String", "java.lang.Thread"
_MATERIAL = (_STRING, "java.lang.Object[]", "java.util.", "java.lang.Integer", "java.lang.Long")


def unknown_leak(
    growth: Growth,
    evidence: SnapshotEvidence,
    grown: OwnerGrowth | None = None,
    *,
    own_only: bool = False,
) -> Finding | None:
    """The finding for growth without a known reason; None where nothing leads it, or nothing grows.

    Parameters
    ----------
    growth : Growth
        By class.
    evidence : SnapshotEvidence
        Of one of its snapshots.
    grown : OwnerGrowth, optional
        The field that takes most of the growth, where dumps tell.
    own_only : bool
        Whether a class that other things are made of (`String`, arrays, collections) is no finding.
    """
    if grown is not None and not (own_only and _is_material(grown.owned.content_class)):
        return finding_of_owner(grown, growth, evidence)
    sizes = growth.whole.shallow_bytes
    grown_bytes = sizes[-1] - sizes[0]
    is_heap_growing = (
        growth.whole.shallow.verdict in (GROWS, PERHAPS) and grown_bytes >= HEAP_GROWTH * sizes[0]
    )
    candidates = _candidates(growth, evidence, grown_bytes) if is_heap_growing else _alone(growth)
    if evidence.graph is not None and _do_dumps_tell(growth.snapshots):
        # No field owns it: it is garbage, dead space, or the JDK's own; or threads of the program.
        classes = zip(evidence.graph.classes, extends(evidence.graph, _THREAD), strict=True)
        threads = {growth.snapshots.name_of(each.name) for each, is_thread in classes if is_thread}
        candidates = [each for each in candidates if each[0].name in threads]
        names = {key.name for key, _ in candidates if class_origin(key.name) > ClassOrigin.JDK}
        rising = rising_held(growth, evidence, names) if names else frozenset()
        candidates = [each for each in candidates if each[0].name in rising]
    if not candidates:
        return None
    # A class of the application names the leak; what it is made of grows with it.
    own = [each for each in candidates if not _is_material(each[0].name)]
    if own_only and not own:
        return None
    key, _ = max(own or candidates, key=lambda each: each[1])
    if key.name.endswith("[]"):
        key = _holder_of_array(key, growth)
    return _finding(key, grown_bytes, growth, evidence)


def _do_dumps_tell(series: Series) -> bool:
    """Whether what fields own was followed over the whole series, be it in some of many dumps."""
    return all(each.kind == DUMP for each in series) and len(opened_dumps(series)) >= MIN_SNAPSHOTS


def _candidates(
    growth: Growth, evidence: SnapshotEvidence, grown_bytes: int
) -> list[tuple[KeyGrowth, float]]:
    """Classes that grow, and how much of the growth their instances account for.

    Of class histograms, which have no references, a class of the program or of a library accounts for what
    grows one for one with it as well: the arrays, strings and nodes that its instances are made of.
    """
    retained = _retained_by_class(evidence)
    rising = [
        key
        for key in (*growth.growing, *growth.perhaps)
        if (_gained(key) > 0 or key.name.endswith("[]")) and not _is_kept(key.name)
    ]
    if retained is not None:
        parts = [(key, retained.get(key.name, 0) * _gained(key) / key.instance_counts[-1]) for key in rising]
        return [each for each in parts if each[1] >= LEAST_PART * grown_bytes]
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        own = [key for key in rising if class_origin(key.name) == origin]
        material = [key for key in rising if class_origin(key.name) == ClassOrigin.JDK]
        if own:
            together = sum(key.shallow.delta for key in (*own, *material))
            if together < LEAST_PART * grown_bytes:
                continue
            return [(key, _accounted(key, material)) for key in own]
    return [
        (key, float(key.shallow.delta)) for key in rising if key.shallow.delta >= LEAST_PART * grown_bytes
    ]


def _holder_of_array(array: KeyGrowth, growth: Growth) -> KeyGrowth:
    """What an array is the content of: a class with one more instance for each; the array where none has."""
    fitting = [
        key
        for key in growth.keys
        if key.verdict == array.verdict and _grows_with(key, array) and key is not array
    ]
    telling = [key for key in fitting if not _is_material(key.name) and not _is_kept(key.name)]
    if telling:
        return max(telling, key=lambda each: (each.shallow.delta, each.name))
    return next((key for key in fitting if key.name == _STRING), array)


def _alone(growth: Growth) -> list[tuple[KeyGrowth, float]]:
    """Classes that alone make a heap larger in which other things come and go."""
    a_tenth = HEAP_GROWTH * median(growth.whole.shallow_bytes)
    return [
        (key, float(size[1] - size[0])) for key, size in _own_sizes(growth) if size[1] - size[0] >= a_tenth
    ]


def rising_classes(growth: Growth) -> tuple[Rising, ...]:
    """Classes of the program that rise steadily, by a hundredth of the heap at least; the most first.

    Parameters
    ----------
    growth : Growth
        By class.
    """
    least = OWNER_SHARE * median(growth.whole.shallow_bytes)
    found = [Rising(key.name, *size) for key, size in _own_sizes(growth) if size[1] - size[0] >= least]
    found += [
        Rising(key.name, key.shallow_bytes[growth.axis.skip], key.shallow_bytes[-1], is_slowing=True)
        for key in growth.keys
        if key.shallow.is_slowing
        and key.shallow_bytes[-1] - key.shallow_bytes[-2] >= least
        and class_origin(key.name) == ClassOrigin.PROGRAM
        and not _is_kept(key.name)
    ]
    return tuple(sorted(found, key=lambda each: (each.first_bytes - each.last_bytes, each.name)))


def _own_sizes(growth: Growth) -> list[tuple[KeyGrowth, tuple[int, int]]]:
    """Classes of the program that grow, with the bytes at first, after the warm-up, and at last.

    What rises in step with them counts as well.
    """
    rising = [key for key in growth.growing if _gained(key) > 0 and not _is_kept(key.name)]
    material = [key for key in rising if class_origin(key.name) == ClassOrigin.JDK]
    found = []
    for key in rising:
        if class_origin(key.name) == ClassOrigin.PROGRAM:
            skip = growth.axis.skip
            parts = [key, *(each for each in material if _is_in_step(each, key, skip))]
            gained = sum(each.shallow_bytes[-1] - each.shallow_bytes[skip] for each in parts)
            found.append((key, (key.shallow_bytes[skip], key.shallow_bytes[skip] + gained)))
    return found


def _is_in_step(one: KeyGrowth, other: KeyGrowth, skip: int) -> bool:
    """Whether there are as many more of a class for each more of another, one at least, in every snapshot."""
    counts, others = (key.instance_counts[skip:] for key in (one, other))
    gained, gained_other = counts[-1] - counts[0], others[-1] - others[0]
    return gained >= (1 - ONE_FOR_ONE) * gained_other > 0 and all(
        abs(count - counts[0] - gained / gained_other * (own - others[0])) <= ONE_FOR_ONE * gained
        for count, own in zip(counts, others, strict=True)
    )


def _is_rising(counts: Sequence[int]) -> bool:
    return bool(counts) and all(before < after for before, after in pairwise(counts))


def _gained(key: KeyGrowth) -> int:
    return key.instance_counts[-1] - key.instance_counts[0]


def _grows_with(one: KeyGrowth, other: KeyGrowth) -> bool:
    """Whether there is one more of a class for each more of another."""
    return abs(_gained(one) - _gained(other)) <= ONE_FOR_ONE * _gained(other)


def _accounted(key: KeyGrowth, material: list[KeyGrowth]) -> float:
    """Bytes of a class's growth, with those of the raw material that grew one for one with it."""
    mine = (each for each in material if _grows_with(each, key))
    return float(key.shallow.delta + sum(each.shallow.delta for each in mine))


def _retained_by_class(evidence: SnapshotEvidence) -> dict[str, int] | None:
    if evidence.graph is None:
        return None
    table = find_consumers(evidence.graph).by_class
    found: dict[str, int] = {}
    for name, size in zip(table.column("name"), table.column("retained_bytes"), strict=True):
        stable = stable_name(name)  # as growth names them: generated classes are one
        found[stable] = found.get(stable, 0) + size
    return found


def _is_material(name: str) -> bool:
    return name.endswith("[]") or name.startswith(_MATERIAL)


def _is_kept(name: str) -> bool:
    """Classes that the JVM makes more of as it warms up."""
    return name.startswith(("jdk.internal.", "sun.", "java.lang.invoke.", "java.lang.Class"))


def _finding(key: KeyGrowth, grown_bytes: int, growth: Growth, evidence: SnapshotEvidence) -> Finding:
    name, counts, series = key.name, key.instance_counts, growth.snapshots
    times = [each.captured_at for each in series]
    per_hour = None if has_file_times(series) else key.instances.per_hour
    since, is_estimate = began(times, counts, per_hour)
    # An array that gets larger: its bytes grow, and the number of arrays does not.
    slope = None
    is_of_one = name.endswith("[]") and key.instances.verdict not in (GROWS, PERHAPS)
    if is_of_one:
        counts = key.shallow_bytes
        slope = None if has_file_times(series) else key.shallow.per_hour
        since, is_estimate = began(times, counts, slope)
    if key.since and growth.axis.skip != key.since:
        since, is_estimate = times[key.since], False
    told = format_bytes if is_of_one else format_count
    always = _is_rising(counts)
    how = "grows in every snapshot" if always else "keeps growing"
    retained = share = holders = example = None
    instance_count = key.instance_counts[-1]
    owner = ""
    why = (
        "Something adds these objects and nothing takes them out again. What holds them, below, names the "
        "field or the cache where they pile up."
    )
    cure = (
        "Look at what holds them: where it is a cache, give it a limit or take entries out when they are "
        "no longer needed.",
        "If the growth ends by itself (a cache that fills), take another snapshot later and diagnose again.",
    )
    if evidence.graph is not None:
        members = instances_of(evidence.graph, name, subclasses=False)
        if len(members) and bool(extends(evidence.graph, _THREAD)[members[0].class_index]):
            # A thread that runs is held by no field: it is a GC root itself.
            owner = f"threads of class {name}"
            why = "Something starts these threads and they do not end. A thread that runs needs no holder."
            cure = (
                "Look at what starts these threads: each has to end when its work is done, and what started "
                "it has to interrupt it, or to shut down its pool.",
                "Until then a thread keeps what it refers to, with its class loader.",
            )
        # What is retained is of this dump; the last snapshot may be the text of a class histogram.
        instance_count = len(members)
        example = newest(members)
        retained = members.retained_bytes()
        share = retained / evidence.reachable_bytes
        holders = evidence.merged(members)
    return Finding(
        id=UNKNOWN,
        title=f"{name} takes ever more in no more objects, for a reason that is not in the catalogue"
        if is_of_one
        else f"{name} {how}, for a reason that is not in the catalogue",
        class_name=name,
        unit=("instance", "instances"),
        confidence=LIKELY if evidence.graph is not None and key.verdict == GROWS else POSSIBLE,
        counts=key.instance_counts,
        instance_count=instance_count,
        retained_bytes=retained,
        share=share,
        per_hour=per_hour,
        since=since,
        since_is_estimate=is_estimate,
        held_by=tuple(holders.lines(4)) if holders is not None else (),
        holders=holders,
        why=why,
        cure=cure,
        healthy="The number of instances stays the same, or goes up and down with the load.",
        affected=(),
        sources=(),
        evidence=(
            f"{told(counts[0])} -> {told(counts[-1])}{'' if is_of_one else ' instances'} over {len(counts)} "
            f"snapshots; a rise as clear as that comes by chance in {key.leading.p_value:.1%} of series",
            f"the whole heap grew by {format_bytes(grown_bytes)}"
            if grown_bytes >= key.shallow.delta
            else f"in a heap that goes up and down: {format_bytes(growth.whole.shallow_bytes[0])} first, "
            f"{format_bytes(growth.whole.shallow_bytes[-1])} last",
        ),
        owner=owner,
        dump=None if evidence.graph is None else evidence.snapshot.path,
        example_id=example,
        sizes=counts if is_of_one else (),
        bytes_slope=slope if is_of_one else None,
    )
