"""Growth that no known leak explains: the class that leads it, and what holds its instances."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from heapscope.analysis.findings import (
    LIKELY,
    POSSIBLE,
    UNKNOWN,
    Finding,
    began,
    has_times,
    slope_per_hour,
)
from heapscope.analysis.paths import merged_paths
from heapscope.analysis.signatures import reachable_bytes
from heapscope.analysis.snapshots import is_growing
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.analysis.scene import Scene
    from heapscope.analysis.snapshots import Snapshots

# The heap must have grown by this part of itself; less is how every heap breathes.
HEAP_GROWTH = 0.1
# And the class's instances must retain this part of that growth.
LEAST_PART = 0.3
_CANDIDATES = 50
# What other things are made of: named only where nothing else grows with it.
_MATERIAL = ("java.lang.String", "java.lang.Object[]", "java.util.", "java.lang.Integer", "java.lang.Long")


def unknown_leak(snapshots: Snapshots, scene: Scene) -> Finding | None:
    """The finding for growth without a known reason; None where nothing leads it, or nothing grows."""
    sizes = [each.shallow_bytes for each in snapshots]
    growth = sizes[-1] - sizes[0]
    if not is_growing(sizes) or growth < HEAP_GROWTH * sizes[0]:
        return None
    candidates = _candidates(snapshots, scene, growth)
    if not candidates:
        return None
    # A class of the application names the leak; what it is made of grows with it.
    own = [each for each in candidates if not _is_material(each[0])]
    name, counts, _ = max(own or candidates, key=lambda each: each[2])
    return _finding(name, counts, growth, snapshots, scene)


def _candidates(snapshots: Snapshots, scene: Scene, growth: int) -> list[tuple[str, tuple[int, ...], float]]:
    """Classes that grew every time: name, counts, and how much of the growth their instances retain."""
    table = snapshots.trend_table()
    names = [
        row["class_name"] for row in table.rows() if row["is_growing"] and not _is_kept(row["class_name"])
    ]
    retained = _retained_by_class(scene)
    found = []
    for one in snapshots.growth(names[: _CANDIDATES * 4], subclasses=False):
        counts = one.instance_counts
        if not all(after > before for before, after in pairwise(counts)):
            continue
        if retained is None:
            grown = float(one.shallow_bytes_delta)
        else:
            grown = retained.get(one.class_name, 0) * (counts[-1] - counts[0]) / counts[-1]
        if grown >= LEAST_PART * growth:
            found.append((one.class_name, counts, grown))
    return found[:_CANDIDATES]


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


def _finding(name: str, counts: Sequence[int], growth: int, snapshots: Snapshots, scene: Scene) -> Finding:
    times = [each.captured_at for each in snapshots]
    rate = slope_per_hour(times, counts) if has_times(snapshots) else None
    since, is_estimate = began(times, counts, rate)
    retained = share = holders = None
    if scene.heap is not None:
        members = scene.heap.objects(name, subclasses=False)
        retained = members.retained_bytes()
        share = retained / max(reachable_bytes(scene), 1)
        holders = merged_paths(scene.heap, members.indices)
    return Finding(
        UNKNOWN,
        f"{name} grows in every snapshot, for a reason that is not in the catalogue",
        name,
        ("instance", "instances"),
        POSSIBLE if scene.heap is None else LIKELY,
        tuple(counts),
        counts[-1],
        retained,
        share,
        rate,
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
            f"{format_count(counts[0])} -> {format_count(counts[-1])} instances, more in each of "
            f"{len(counts)} snapshots",
            f"the whole heap grew by {format_bytes(growth)}",
        ),
    )
