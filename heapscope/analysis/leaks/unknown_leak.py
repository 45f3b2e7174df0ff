"""Growth that no known leak explains: the class that leads it, and what holds its instances."""

from __future__ import annotations

from itertools import pairwise

from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN, Finding, began
from heapscope.analysis.thresholds import HEAP_GROWTH, LEAST_PART
from heapscope.analysis.verdicts import GROWS, LIKELY, PERHAPS, POSSIBLE
from heapscope.heap.object_set import instances_of
from heapscope.heap.retention.by_group import find_consumers
from heapscope.units import format_bytes, format_count

# What other things are made of: named only where nothing else grows with it.
_MATERIAL = ("java.lang.String", "java.lang.Object[]", "java.util.", "java.lang.Integer", "java.lang.Long")


def unknown_leak(growth: Growth, evidence: SnapshotEvidence, *, own_only: bool = False) -> Finding | None:
    """The finding for growth without a known reason; None where nothing leads it, or nothing grows.

    Parameters
    ----------
    growth : Growth
        By class.
    evidence : SnapshotEvidence
        Of one of its snapshots.
    own_only : bool
        Whether a class that other things are made of (`String`, arrays, collections) is no finding.
    """
    sizes = growth.whole.shallow_bytes
    grown_bytes = sizes[-1] - sizes[0]
    if growth.whole.shallow.verdict not in (GROWS, PERHAPS) or grown_bytes < HEAP_GROWTH * sizes[0]:
        return None
    candidates = _candidates(growth, evidence, grown_bytes)
    if not candidates:
        return None
    # A class of the application names the leak; what it is made of grows with it.
    own = [each for each in candidates if not _is_material(each[0].name)]
    if own_only and not own:
        return None
    key, _ = max(own or candidates, key=lambda each: each[1])
    return _finding(key, grown_bytes, growth, evidence)


def _candidates(
    growth: Growth, evidence: SnapshotEvidence, grown_bytes: int
) -> list[tuple[KeyGrowth, float]]:
    """Classes that grow, and how much of the growth their instances retain."""
    retained = _retained_by_class(evidence)
    found = []
    for key in (*growth.growing, *growth.perhaps):
        counts = key.instance_counts
        if _is_kept(key.name) or counts[-1] <= counts[0]:
            continue
        if retained is None:
            part = float(key.shallow.delta)
        else:
            part = retained.get(key.name, 0) * (counts[-1] - counts[0]) / counts[-1]
        if part >= LEAST_PART * grown_bytes:
            found.append((key, part))
    return found


def _retained_by_class(evidence: SnapshotEvidence) -> dict[str, int] | None:
    if evidence.graph is None:
        return None
    table = find_consumers(evidence.graph).by_class
    return dict(zip(table.column("name"), table.column("retained_bytes"), strict=True))


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
    always = all(before < after for before, after in pairwise(counts))
    how = "grows in every snapshot" if always else "keeps growing"
    retained = share = holders = None
    if evidence.graph is not None:
        members = instances_of(evidence.graph, name, subclasses=False)
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
        cure=(
            "Look at what holds them: where it is a cache, give it a limit or take entries out when they are "
            "no longer needed.",
            "If the growth ends by itself (a cache that fills), take another snapshot later and diagnose "
            "again.",
        ),
        healthy="The number of instances stays the same, or goes up and down with the load.",
        affected=(),
        sources=(),
        evidence=(
            f"{format_count(counts[0])} -> {format_count(counts[-1])} instances over {len(counts)} "
            f"snapshots; a rise as clear as that comes by chance in {key.leading.p_value:.1%} of series",
            f"the whole heap grew by {format_bytes(grown_bytes)}",
        ),
    )
