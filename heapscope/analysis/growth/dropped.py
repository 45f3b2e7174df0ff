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
from heapscope.heap.retention.fingerprints import fingerprints, mixed
from heapscope.progress import Progress, no_progress

_CLIMBED = 8  # from an element over the node and the table of its collection, and what holds that


@dataclass(frozen=True, slots=True)
class _Garbage:
    """n unreachable instances of a class in one dump; arrays of shape (n,).

    ``values`` is uint64 and says what each holds (`fingerprints`), ``places`` the same with its identifier.
    ``alone`` of them, no more, hang on nothing but themselves.
    """

    values: NDArray[np.uint64]
    places: NDArray[np.uint64]
    alone: int


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
    # Garbage lies where it lies until it is collected.  What is in use, and a dump does not show by what, may
    # be moved: then there are ever more.
    is_piling_up = all(one.values.size < other.values.size for one, other in pairwise(found))
    gone = [
        min(
            _missing(one.values, other.values) if is_piling_up else _missing(one.places, other.places),
            one.alone,
        )
        for one, other in pairwise(found)
    ]
    return max(sum(gone) + found[-1].alone, *(one.alone for one in found))


def _garbage(graph: HeapGraph, class_names: list[str]) -> _Garbage:
    rows = [_unreachable(graph, name) for name in class_names]
    values = np.concatenate([np.empty(0, np.uint64), *(fingerprints(graph, each) for each in rows)])
    indices = np.concatenate([np.empty(0, np.int64), *rows])
    places = mixed(values, graph.columns.object_ids[indices].astype(np.uint64))
    return _Garbage(values, places, sum(_dropped_alone(graph, each) for each in rows))


def _missing(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    """How many of the first garbage are not in the other."""
    codes, counts = np.unique(one, return_counts=True)
    known, left = np.unique(other, return_counts=True)
    if not known.size:
        return int(one.size)
    place = np.minimum(np.searchsorted(known, codes), known.size - 1)
    still = np.where(known[place] == codes, left[place], 0)
    return int(np.maximum(counts - still, 0).sum())


def _unreachable(graph: HeapGraph, class_name: str) -> NDArray[np.int64]:
    try:
        rows: NDArray[np.int64] = instances_of(graph, class_name, subclasses=False).indices
    except ObjectNotFound:
        return np.empty(0, np.int64)
    is_garbage: NDArray[np.bool_] = graph.categories[rows] == UNREACHABLE
    return rows[is_garbage]


def _dropped_alone(graph: HeapGraph, rows: NDArray[np.int64]) -> int:
    """Objects without a referrer that lead to some unreachable instances; no more than these are."""
    if not rows.size:
        return 0
    heads = 0
    seen = frontier = rows
    for _ in range(_CLIMBED):
        sources, targets = graph.references.incoming(frontier)
        heads += int(np.count_nonzero(~are_among(frontier, distinct(targets))))
        holders = distinct(sources).astype(np.int64)
        frontier = holders[~are_among(holders, seen)]
        if not frontier.size:
            break
        seen = distinct(np.concatenate([seen, frontier]))
    return min(heads, int(rows.size))
