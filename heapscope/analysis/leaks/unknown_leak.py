"""Growth that no known leak explains: the class that leads it, and what holds its instances."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN, Finding, began, growth_rate
from heapscope.analysis.leaks.owner_growth import OwnerGrowth, held_counts, opened_dumps
from heapscope.analysis.thresholds import HEAP_GROWTH, LEAST_PART, ONE_FOR_ONE
from heapscope.analysis.verdicts import GROWS, LIKELY, PERHAPS, POSSIBLE
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.object_set import ObjectSet, instances_of
from heapscope.heap.retention.by_group import find_consumers
from heapscope.heap.retention.owner_content import most_common_class
from heapscope.heap.retention.owner_paths import extends, other_holders
from heapscope.heap.retention.owners import held_loaders, owned_members
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
        return _finding_of_owner(grown, growth, evidence)
    sizes = growth.whole.shallow_bytes
    grown_bytes = sizes[-1] - sizes[0]
    if growth.whole.shallow.verdict not in (GROWS, PERHAPS) or grown_bytes < HEAP_GROWTH * sizes[0]:
        return None
    candidates = _candidates(growth, evidence, grown_bytes)
    if evidence.graph is not None and len(opened_dumps(growth.snapshots)) == len(growth.snapshots) > 2:
        # No field owns it.  It is garbage, dead space, or the JDK's own; or threads of the program.
        own = [each for each in candidates if class_origin(each[0].name) > ClassOrigin.JDK]
        counts = held_counts(growth.snapshots, evidence, {key.name for key, _ in own}) if own else {}
        candidates = [each for each in own if _is_rising(counts[each[0].name])]
    if not candidates:
        return None
    # A class of the application names the leak; what it is made of grows with it.
    own = [each for each in candidates if not _is_material(each[0].name)]
    if own_only and not own:
        return None
    key, _ = max(own or candidates, key=lambda each: each[1])
    if key.name.endswith("[]"):
        # An array is the content of something: of a String, where there is one more of those for each.
        strings = growth.get(_STRING)
        if strings is not None and strings.verdict == key.verdict and _grows_with(strings, key):
            key = strings
    return _finding(key, grown_bytes, growth, evidence)


def _candidates(
    growth: Growth, evidence: SnapshotEvidence, grown_bytes: int
) -> list[tuple[KeyGrowth, float]]:
    """Classes that grow, and how much of the growth their instances account for.

    Of class histograms, which have no references, a class of the program or of a library accounts for what
    grows one for one with it as well: the arrays, strings and nodes that its instances are made of.
    """
    retained = _retained_by_class(evidence)
    rising = [
        key for key in (*growth.growing, *growth.perhaps) if _gained(key) > 0 and not _is_kept(key.name)
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


def _is_rising(counts: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(counts))


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
    if key.since and growth.axis.skip != key.since:
        since, is_estimate = times[key.since], False
    always = _is_rising(counts)
    how = "grows in every snapshot" if always else "keeps growing"
    retained = share = holders = example = None
    owner = ""
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
            cure = (
                "Look at what starts these threads: each has to end when its work is done, and what started "
                "it has to interrupt it, or to shut down its pool.",
                "Until then a thread keeps what it refers to, with its class loader.",
            )
        example = _example(members)
        retained = members.retained_bytes()
        share = retained / evidence.reachable_bytes
        holders = evidence.merged(members)
    return Finding(
        id=UNKNOWN,
        title=f"{name} {how}, for a reason that is not in the catalogue",
        class_name=name,
        unit=("instance", "instances"),
        confidence=LIKELY if evidence.graph is not None and key.verdict == GROWS else POSSIBLE,
        counts=counts,
        instance_count=counts[-1],
        retained_bytes=retained,
        share=share,
        per_hour=per_hour,
        since=since,
        since_is_estimate=is_estimate,
        held_by=tuple(holders.lines(4)) if holders is not None else (),
        holders=holders,
        why="Something adds these objects and nothing takes them out again. What holds them, below, names "
        "the field or the cache where they pile up.",
        cure=cure,
        healthy="The number of instances stays the same, or goes up and down with the load.",
        affected=(),
        sources=(),
        evidence=(
            f"{format_count(counts[0])} -> {format_count(counts[-1])} instances over {len(counts)} "
            f"snapshots; a rise as clear as that comes by chance in {key.leading.p_value:.1%} of series",
            f"the whole heap grew by {format_bytes(grown_bytes)}",
        ),
        owner=owner,
        dump=None if evidence.graph is None else evidence.snapshot.path,
        example_id=example,
    )


def _finding_of_owner(grown: OwnerGrowth, growth: Growth, evidence: SnapshotEvidence) -> Finding:
    """The finding for a field that grows."""
    assert evidence.graph is not None
    graph, owned = evidence.graph, grown.owned
    series = growth.snapshots
    counts = grown.counts
    members = ObjectSet(graph, owned_members(graph, owned))
    content = owned.content_class or most_common_class(graph, members.indices)
    where, is_native = owned.owner.field, owned.owner.is_native
    times = [each.captured_at for each in series]
    per_hour = None if has_file_times(series) else growth_rate(growth, times, counts)
    since, is_estimate = began(times, counts, per_hour)
    retained = members.retained_bytes()
    holders = evidence.merged(members)
    others = other_holders(graph, owned.owner.held_index) if owned.owner.place >= 0 else ()
    known = [count for count in counts if count is not None]
    loader_class, loader_count = held_loaders(graph, owned)
    return Finding(
        id=UNKNOWN,
        title=f"{content} is held by {where} alone, and there are ever more"
        if is_native
        else f"{content} piles up in {where}, for a reason that is not in the catalogue",
        class_name=content,
        unit=("instance", "instances"),
        confidence=LIKELY if grown.trend.verdict == GROWS else POSSIBLE,
        counts=counts,
        instance_count=len(members),
        retained_bytes=retained,
        share=retained / evidence.reachable_bytes,
        per_hour=per_hour,
        since=since,
        since_is_estimate=is_estimate,
        held_by=tuple(holders.lines(4)),
        holders=holders,
        why="Native code made references to these objects and does not give them back. No field of a Java "
        "program holds them."
        if is_native
        else "Something adds these objects to that field and nothing takes them out again.",
        cure=(
            "Look at the native library that is given these objects: each NewGlobalRef needs a "
            "DeleteGlobalRef. Often a method such as close() does that, and is not called."
            if is_native
            else f"Look at what adds to {where}: where it is a cache, give it a limit; else take "
            "entries out when they are no longer needed.",
            "If the growth ends by itself (a cache that fills), take another snapshot later and diagnose "
            "again.",
        ),
        healthy="The number of instances stays the same, or goes up and down with the load.",
        affected=(),
        sources=(),
        evidence=(
            f"{where} {'holds' if is_native else 'owns'} {' -> '.join(map(format_count, known))} instances "
            f"of {content}",
            f"it takes {format_bytes(min(grown.gained_bytes, grown.heap_gained_bytes))} of the "
            f"{format_bytes(grown.heap_gained_bytes)} by which what is reachable grew",
            *(
                [f"{format_count(loader_count)} class loaders ({loader_class}) hang on it"]
                if loader_count
                else []
            ),
            *(f"also held by {each}" for each in others),
        ),
        owner=where,
        owner_way=owned.owner.way,
        other_holders=others,
        dump=evidence.snapshot.path,
        example_id=_example(members),
    )


def _example(members: ObjectSet) -> int | None:
    """Identifier of the newest of some objects, as far as addresses tell."""
    return int(members.object_ids[-1]) if len(members) else None
