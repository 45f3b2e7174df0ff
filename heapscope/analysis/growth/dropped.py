"""How many objects of a class a program dropped, one by one: garbage that nothing holds but itself.

Not all that no GC root leads to is garbage: a dump does not show every field of the JVM.  What piles up under
such a field hangs together on a few objects; what a program dropped does not.
"""

from __future__ import annotations

import numpy as np

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.errors import ObjectNotFound
from heapscope.heap.graph.heap_graph import HeapGraph
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

    def most(_: Snapshot, graph: HeapGraph) -> int:
        names = {each.name for each in graph.classes if series.name_of(each.name) == class_name}
        return sum(_dropped_alone(graph, name) for name in names)

    found = series.of_each_dump(most, progress, if_readable=True)  # it may be gone by now
    return max((each or 0 for each in found), default=0)


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
        heads += np.setdiff1d(frontier, targets).size
        frontier = np.setdiff1d(sources, seen)
        if not frontier.size:
            break
        seen = np.union1d(seen, frontier)
    return min(heads, int(rows.size))
