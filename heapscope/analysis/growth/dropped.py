"""How many objects of a class a program dropped, one by one: garbage that nothing holds but itself.

Not all that no GC root leads to is garbage: a dump does not show every field of the JVM.  What piles up under
such a field hangs together on a few objects; what a program dropped does not.

Garbage that a dump has and the next one has not was collected in between, so what later dumps have was made
later: a program that makes as many from dump to dump, and drops them, shows the same number in each dump.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.errors import ObjectNotFound
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.graph.index_sets import are_among, distinct
from heapscope.heap.graph.reachability import UNREACHABLE
from heapscope.heap.object_set import instances_of
from heapscope.heap.retention.fingerprints import fingerprints
from heapscope.progress import Progress, no_progress

_CLIMBED = 8  # from an element over the node and the table of its collection, and what holds that


@dataclass(frozen=True, slots=True)
class _Garbage:
    """Unreachable instances of a class in one dump."""

    codes: NDArray[np.uint64]  # strictly increasing; see `fingerprints`
    counts: NDArray[np.int64]  # of each
    alone: int  # of these, no more than hang on nothing but themselves


def dropped(series: Series, class_name: str, progress: Progress = no_progress) -> int:
    """How many instances of a class, or groups of them, a program dropped, at least.

    Parameters
    ----------
    series : Series
        Of one process; each dump is opened.
    class_name : str
        As the series calls it.

    Returns
    -------
    int
        Those that lie in a dump as garbage and in the next one no more, and those in the last dump; 0 where
        nothing tells.
    """

    def garbage(_: Snapshot, graph: HeapGraph) -> _Garbage:
        names = {each.name for each in graph.classes if series.name_of(each.name) == class_name}
        return _garbage(graph, sorted(names))

    answers = series.of_each_dump(garbage, progress, if_readable=True)  # it may be gone by now
    found = [each for each in answers if each is not None]
    if not found:
        return 0
    gone = [min(_missing(one, other), one.alone) for one, other in pairwise(found)]
    return max(sum(gone) + found[-1].alone, *(one.alone for one in found))


def _garbage(graph: HeapGraph, class_names: list[str]) -> _Garbage:
    rows = [_unreachable(graph, name) for name in class_names]
    codes, counts = np.unique(
        np.concatenate([np.empty(0, np.uint64), *(fingerprints(graph, each) for each in rows)]),
        return_counts=True,
    )
    return _Garbage(codes, counts, sum(_dropped_alone(graph, each) for each in rows))


def _missing(one: _Garbage, other: _Garbage) -> int:
    """How many of the first garbage are not in the other."""
    place = np.minimum(np.searchsorted(other.codes, one.codes), max(0, other.codes.size - 1))
    left = np.zeros(one.codes.size, np.int64)
    if other.codes.size:
        left = np.where(other.codes[place] == one.codes, other.counts[place], 0)
    return int(np.maximum(one.counts - left, 0).sum())


def _unreachable(graph: HeapGraph, class_name: str) -> NDArray[np.int64]:
    try:
        rows = instances_of(graph, class_name, subclasses=False).indices
    except ObjectNotFound:
        return np.empty(0, np.int64)
    return rows[graph.categories[rows] == UNREACHABLE]


def _dropped_alone(graph: HeapGraph, rows: NDArray[np.int64]) -> int:
    """Objects without a referrer that lead to some unreachable instances; no more than these are."""
    if not rows.size:
        return 0
    heads = 0
    seen = frontier = rows
    for _ in range(_CLIMBED):
        sources, targets = graph.references.incoming(frontier)
        heads += int(np.count_nonzero(~are_among(frontier, distinct(targets))))
        sources = distinct(sources).astype(np.int64)
        frontier = sources[~are_among(sources, seen)]
        if not frontier.size:
            break
        seen = distinct(np.concatenate([seen, frontier]))
    return min(heads, int(rows.size))
