"""Growth that no known leak explains: the class that leads it, and what holds its instances."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from heapscope.analysis.growth.growth import HEAP_GROWTH
from heapscope.analysis.growth.trends import GROWS, PERHAPS
from heapscope.analysis.leaks.findings import (
    LIKELY,
    POSSIBLE,
    UNKNOWN,
    Finding,
    began,
    has_times,
)
from heapscope.analysis.leaks.signatures import reachable_bytes
from heapscope.heap.retention.paths import merged_paths
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth, KeyGrowth
    from heapscope.analysis.leaks.evidence import Scene

# The class's instances must retain this part of the heap's growth.
LEAST_PART = 0.3
# What other things are made of: named only where nothing else grows with it.
_MATERIAL = ("java.lang.String", "java.lang.Object[]", "java.util.", "java.lang.Integer", "java.lang.Long")


def unknown_leak(grown: Growth, scene: Scene, *, own_only: bool = False) -> Finding | None:
    """The finding for growth without a known reason; None where nothing leads it, or nothing grows.

    ``own_only`` names no class that other things are made of.
    """
    sizes = grown.whole.shallow_bytes
    growth = sizes[-1] - sizes[0]
    if grown.whole.shallow.verdict not in (GROWS, PERHAPS) or growth < HEAP_GROWTH * sizes[0]:
        return None
    candidates = _candidates(grown, scene, growth)
    if not candidates:
        return None
    # A class of the application names the leak; what it is made of grows with it.
    own = [each for each in candidates if not _is_material(each[0].name)]
    if own_only and not own:
        return None
    key, _ = max(own or candidates, key=lambda each: each[1])
    return _finding(key, growth, grown, scene)


def _candidates(grown: Growth, scene: Scene, growth: int) -> list[tuple[KeyGrowth, float]]:
    """Classes that grow, and how much of the growth their instances retain."""
    retained = _retained_by_class(scene)
    found = []
    for key in (*grown.growing, *grown.perhaps):
        counts = key.instance_counts
        if _is_kept(key.name) or counts[-1] <= counts[0]:
            continue
        if retained is None:
            part = float(key.shallow.delta)
        else:
            part = retained.get(key.name, 0) * (counts[-1] - counts[0]) / counts[-1]
        if part >= LEAST_PART * growth:
            found.append((key, part))
    return found


def _retained_by_class(scene: Scene) -> dict[str, int] | None:
    if scene.heap is None:
        return None
    table = scene.heap.consumers.by_class
    return dict(zip(table.column("name"), table.column("retained_bytes"), strict=True))


def _is_material(name: str) -> bool:
    return name.endswith("[]") or name.startswith(_MATERIAL)


def _is_kept(name: str) -> bool:
    """Classes that the JVM makes more of as it warms up."""
    return name.startswith(("jdk.internal.", "sun.", "java.lang.invoke.", "java.lang.Class"))


def _finding(key: KeyGrowth, growth: int, grown: Growth, scene: Scene) -> Finding:
    name, counts, snapshots = key.name, key.instance_counts, grown.snapshots
    times = [each.captured_at for each in snapshots]
    per_hour = key.instances.per_hour if has_times(snapshots) else None
    since, is_estimate = began(times, counts, per_hour)
    if key.since and grown.axis.skip != key.since:
        since, is_estimate = times[key.since], False
    always = all(before < after for before, after in pairwise(counts))
    how = "grows in every snapshot" if always else "keeps growing"
    retained = share = holders = None
    if scene.heap is not None:
        members = scene.heap.objects(name, subclasses=False)
        retained = members.retained_bytes()
        share = retained / max(reachable_bytes(scene), 1)
        holders = merged_paths(scene.heap.graph, members.indices)
    return Finding(
        UNKNOWN,
        f"{name} {how}, for a reason that is not in the catalogue",
        name,
        ("instance", "instances"),
        LIKELY if scene.heap is not None and key.verdict == GROWS else POSSIBLE,
        counts,
        counts[-1],
        retained,
        share,
        per_hour,
        since,
        is_estimate,
        tuple(holders.lines(4)) if holders is not None else (),
        holders,
        "Something adds these objects and nothing takes them out again. What holds them, below, names the "
        "field or the cache where they pile up.",
        (
            "Look at what holds them: where it is a cache, give it a limit or take entries out when they are "
            "no longer needed.",
            f"See one of them with its fields: 'heapscope paths DUMP {name} --json' has addresses, "
            "'heapscope inspect DUMP 0xADDRESS' shows what is there.",
            "If the growth ends by itself (a cache that fills), take another snapshot later and diagnose "
            "again.",
        ),
        "The number of instances stays the same, or goes up and down with the load.",
        (),
        (),
        (
            f"{format_count(counts[0])} -> {format_count(counts[-1])} instances over {len(counts)} "
            f"snapshots; a rise as clear as that comes by chance in {key.leading.p_value:.1%} of series",
            f"the whole heap grew by {format_bytes(growth)}",
        ),
    )
