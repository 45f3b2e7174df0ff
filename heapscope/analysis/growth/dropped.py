"""How many objects of a class a program dropped, one by one: garbage that nothing holds but itself.

Not all that no GC root leads to is garbage: a dump does not show every field of the JVM.  What piles up under
such a field hangs together on a few objects; what a program dropped does not.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.errors import HeapscopeError, ObjectNotFound
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.graph.index_sets import are_among, distinct
from heapscope.heap.graph.reachability import UNREACHABLE
from heapscope.heap.object_set import instances_of
from heapscope.progress import Progress, no_progress

_CLIMBED = 8  # from an element over the node and the table of its collection, and what holds that


def dropped(series: Series, class_name: str, progress: Progress = no_progress) -> int:
    """The most instances of a class, or groups of them, that lie in a dump of the series as garbage.

    Parameters
    ----------
    series : Series
        Of one process; each dump is opened.
    class_name : str
        As the series calls it.

    Returns
    -------
    int
        0 where nothing tells.
    """
    most = 0
    for snapshot in series:
        if snapshot.kind != DUMP:
            continue
        with suppress(HeapscopeError, OSError):  # a dump may be gone by now
            heap = snapshot.open(progress)
            assert heap is not None  # it is a dump
            with heap:
                names = {each.name for each in heap.graph.classes if series.name_of(each.name) == class_name}
                most = max(most, sum(_dropped_alone(heap.graph, name) for name in names))
    return most


def _dropped_alone(graph: HeapGraph, class_name: str) -> int:
    """Objects without a referrer that lead to unreachable instances of a class; no more than these are."""
    try:
        rows = instances_of(graph, class_name, subclasses=False).indices
    except ObjectNotFound:
        return 0
    rows = rows[graph.categories[rows] == UNREACHABLE]
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
