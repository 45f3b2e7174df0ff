"""Which field grows: what each field owns, followed over the heap dumps of a series.

A class tells what piles up, a field where: of two lists of one class of objects the one that grows is known
by its field alone.  Only what the GC roots hold is counted, so garbage and dead space grow nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.growth.trends import Axis, Trend, find_trends
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.thresholds import HEAP_GROWTH, LEAST_PART, MIN_SNAPSHOTS, OWNER_SHARE, SERIES_DUMPS
from heapscope.analysis.verdicts import GROWS, PERHAPS
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.graph.reachability import STRONG
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention.owners import Owned, find_owned, owned_members
from heapscope.progress import Progress, no_progress


@dataclass(frozen=True, slots=True)
class OwnerGrowth:
    """A field that grows.

    Attributes
    ----------
    owned : Owned
        What it owns in the last dump.
    trend : Trend
        Of the bytes it owns, over the dumps that were opened.
    counts : tuple of int or None
        How many objects of ``owned.content_class`` it owns in each snapshot of the series; None for a class
        histogram, and for a dump that was not opened.
    gained_bytes : int
        Last less first.
    reachable_bytes : (int, int)
        All that the GC roots hold, in the first and in the last of the dumps.
    others : tuple of (str, int)
        Other fields that grow by as much that each would be a finding alone, with the bytes that each gained;
        what gained most first.
    """

    owned: Owned
    trend: Trend
    counts: tuple[int | None, ...]
    gained_bytes: int
    reachable_bytes: tuple[int, int]
    others: tuple[tuple[str, int], ...] = ()


def opened_dumps(series: Series) -> list[int]:
    """Positions of the dumps that are opened for what no class histogram tells; at most `SERIES_DUMPS`."""
    dumps = [place for place, each in enumerate(series) if each.kind == DUMP and each.coverage is None]
    if len(dumps) > SERIES_DUMPS:
        dumps = [dumps[i] for i in np.linspace(0, len(dumps) - 1, SERIES_DUMPS).astype(int).tolist()]
    return dumps


def growing_owner(
    series: Series, evidence: SnapshotEvidence, progress: Progress = no_progress
) -> OwnerGrowth | None:
    """The field that takes most of the heap's growth.

    Parameters
    ----------
    series : Series
        Of one process.
    evidence : SnapshotEvidence
        Of its last dump, which is open; of another snapshot nothing is said.
    progress : Progress
        Told how far reading the other dumps is.

    Returns
    -------
    OwnerGrowth or None
        None for fewer than three dumps, and where no field of a program or a library grows enough: by a part
        of what a growing heap gained, or by a part of the heap, whatever else comes and goes there.
    """
    places = opened_dumps(series)
    if evidence.graph is None or len(places) < MIN_SNAPSHOTS or series[places[-1]] is not evidence.snapshot:
        return None
    names: dict[str, list[int]] = {}
    reachable: list[int] = []
    last: dict[str, Owned] = {}
    counted: list[dict[str, int]] = []
    for position, place in enumerate(places):
        owned, whole, counts = _figures(series[place], evidence, progress)
        reachable.append(whole)
        counted.append(counts)
        for each in owned:
            names.setdefault(each.owner.field, [0] * len(places))[position] = each.dominated_units
        last = {each.owner.field: each for each in owned}
    graph = evidence.graph
    unit = graph.columns.unit_bytes
    axis = Axis(None, None, len(places))
    (whole,) = find_trends(np.array([reachable], np.int64), axis)
    a_tenth = HEAP_GROWTH * float(np.median(reachable))
    is_heap_growing = whole.verdict in (GROWS, PERHAPS) and whole.delta >= HEAP_GROWTH * reachable[0]
    candidates = [name for name in names if name in last and _is_told(graph, last[name])]
    if not candidates:
        return None
    trends = find_trends(np.array([names[name] for name in candidates], np.int64), axis)
    found = sorted(
        (
            (trend.delta, name, trend)
            for name, trend in zip(candidates, trends, strict=True)
            if (trend.verdict == GROWS and trend.delta >= a_tenth)
            or (
                is_heap_growing
                and trend.verdict in (GROWS, PERHAPS)
                and trend.delta >= LEAST_PART * whole.delta
            )
        ),
        key=lambda each: (-each[0], each[1]),
    )
    if not found:
        return None
    (_, name, trend), *rest = found
    of_each: list[int | None] = [None] * len(series)
    for position, place in enumerate(places):
        of_each[place] = counted[position].get(name, 0)
    return OwnerGrowth(
        owned=last[name],
        trend=trend,
        counts=tuple(of_each),
        gained_bytes=trend.delta * unit,
        reachable_bytes=(reachable[0] * unit, reachable[-1] * unit),
        others=tuple((other, delta * unit) for delta, other, _ in rest),
    )


def _figures(
    snapshot: Snapshot, evidence: SnapshotEvidence, progress: Progress
) -> tuple[Sequence[Owned], int, dict[str, int]]:
    """What fields own in a dump; units that the roots hold; how much content each field has."""
    if snapshot is evidence.snapshot and evidence.graph is not None:
        return _figures_of(evidence.graph)
    heap = snapshot.open(progress)
    assert heap is not None  # it is a dump
    with heap:
        return _figures_of(heap.graph)


def _figures_of(graph: HeapGraph) -> tuple[Sequence[Owned], int, dict[str, int]]:
    retained, immediate = graph.retained_units, graph.immediate_dominators
    owned = find_owned(graph, OWNER_SHARE)
    counts = {each.owner.field: int(owned_members(graph, each).size) for each in owned}
    return owned, int(retained[immediate == VIRTUAL_ROOT].sum(dtype=np.uint64)), counts


def _is_told(graph: HeapGraph, owned: Owned) -> bool:
    """Whether growth of it is a leak of somebody's code.

    The JDK's own tables grow as it warms up, and what only soft references hold goes before memory runs out.
    """
    origin = max(owned.owner.origin, class_origin(owned.content_class or "java.lang.Object"))
    if origin == ClassOrigin.JDK and not owned.owner.is_native:
        return False
    rows = owned_members(graph, owned)
    return 2 * int(np.count_nonzero(graph.categories[rows] == STRONG)) >= rows.size
