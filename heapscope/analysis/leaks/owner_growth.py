"""Which field grows: what each field owns, followed over the heap dumps of a series.

A class tells what piles up, a field where: of two lists of one class of objects the one that grows is known
by its field alone.  Only what the GC roots hold is counted, so garbage and dead space grow nothing.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

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
from heapscope.heap.retention.owner_content import content_members
from heapscope.heap.retention.owner_inside import inside_of
from heapscope.heap.retention.owners import Owned, find_owned, owned_members
from heapscope.parser.generated_names import stable_name
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
    heap_gained_bytes : int
        Growth of all that the GC roots hold.
    """

    owned: Owned
    trend: Trend
    counts: tuple[int | None, ...]
    gained_bytes: int
    heap_gained_bytes: int


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
        None for fewer than three dumps, where what is reachable does not grow, and where no field of a
        program or a library does.
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
    unit = evidence.graph.columns.unit_bytes
    gained = (reachable[-1] - reachable[0]) * unit
    axis = Axis(None, None, len(places))
    (whole_trend,) = find_trends(np.array([reachable], np.int64), axis)
    if whole_trend.verdict not in (GROWS, PERHAPS) or gained < HEAP_GROWTH * reachable[0] * unit:
        return None
    graph = evidence.graph
    candidates = [name for name in names if name in last and _is_told(graph, last[name])]
    if not candidates:
        return None
    trends = find_trends(np.array([names[name] for name in candidates], np.int64), axis)
    found = [
        (name, trend)
        for name, trend in zip(candidates, trends, strict=True)
        if trend.verdict in (GROWS, PERHAPS) and trend.delta * unit >= LEAST_PART * gained
    ]
    if not found:
        return None
    name, trend = max(found, key=lambda each: each[1].delta)
    of_each: list[int | None] = [None] * len(series)
    for position, place in enumerate(places):
        of_each[place] = counted[position].get(name, 0)
    found_growth = OwnerGrowth(
        owned=last[name],
        trend=trend,
        counts=tuple(of_each),
        gained_bytes=trend.delta * unit,
        heap_gained_bytes=gained,
    )
    return _deeper(found_growth, series, evidence, places, progress)


def _deeper(
    grown: OwnerGrowth,
    series: Series,
    evidence: SnapshotEvidence,
    places: Sequence[int],
    progress: Progress,
) -> OwnerGrowth:
    """The growth inside of the objects that the field owns, where there are hardly more of those.

    A pool of five connections does not grow; what each of them keeps does.
    """
    assert evidence.graph is not None
    graph, owned = evidence.graph, grown.owned
    first, last = (grown.counts[places[at]] or 0 for at in (0, -1))
    # What came since the first dump, at the size that each has now.
    explained = (last - first) / max(last, 1) * owned.dominated_units
    if explained >= LEAST_PART * grown.trend.delta:
        return grown
    objects = owned_members(graph, owned)
    inside = inside_of(graph, objects)
    if inside is None:
        return grown
    holder = graph.classes[int(graph.columns.class_index[objects[0]])].name
    counts: list[int | None] = [None] * len(series)
    for place in places:
        if series[place] is evidence.snapshot:
            counts[place] = inside.indices.size
            continue
        heap = series[place].open(progress)
        assert heap is not None  # it is a dump
        with heap:
            counts[place] = _count_inside(heap.graph, holder, inside.class_name)
    if (counts[places[-1]] or 0) <= (counts[places[0]] or 0):
        return grown
    deeper = replace(
        owned, owner=inside.owner, held_indices=objects, is_group=False, content_class=inside.class_name
    )
    return replace(grown, owned=deeper, counts=tuple(counts))


def _count_inside(graph: HeapGraph, holder: str, class_name: str) -> int:
    """How many instances of a class those of another hold."""
    is_holder = np.array([each.name == holder for each in graph.classes], bool)
    return int(content_members(graph, graph.instances_of(is_holder), class_name).size)


def held_counts(series: Series, evidence: SnapshotEvidence, names: Set[str]) -> dict[str, list[int]]:
    """How many instances of some classes the GC roots hold in each dump that is opened.

    Parameters
    ----------
    series, evidence
        As `growing_owner` takes them.
    names : set of str
        Class names, of generated classes their stable part.
    """
    found: dict[str, list[int]] = {name: [] for name in names}

    def count(graph: HeapGraph) -> None:
        held = np.bincount(
            graph.columns.class_index[graph.categories == STRONG], minlength=len(graph.classes)
        )
        sums = dict.fromkeys(names, 0)
        for each, number in zip(graph.classes, held.tolist(), strict=True):
            name = stable_name(each.name)
            if name in sums:
                sums[name] += number
        for name, number in sums.items():
            found[name].append(number)

    for place in opened_dumps(series):
        if series[place] is evidence.snapshot and evidence.graph is not None:
            count(evidence.graph)
        elif (heap := series[place].open(no_progress)) is not None:
            with heap:
                count(heap.graph)
    return found


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
