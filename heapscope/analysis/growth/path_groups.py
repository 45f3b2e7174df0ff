"""Path groups: objects grouped by their shortest path of steps ``Class.field`` from the GC roots.

A group is (the group before it, how it is held, class).  Groups of several snapshots are put together
by their names, and those whose number of objects, or bytes, grew in every step are kept, as
LeakCanary's Shark does for heap growth; but only where growth begins: what hangs on a group that
grows itself grows with it, and its retained bytes count there.

From an object to the next of its class is no step: the buckets of a map and the nodes of a
list are one group, however long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.growth import kernels as path_kernels
from heapscope.analysis.growth.grouping import KeySeries, check_dumps
from heapscope.analysis.growth.series import Series
from heapscope.heap.graph import kernels
from heapscope.heap.graph.dominators import child_lists
from heapscope.heap.graph.reachability import words_of
from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.graph.subclasses import class_width
from heapscope.heap.retention.edge_labels import StepRows, compose_paths, edge_labels, label_tree
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

DEEPEST = 100
_NO_LABEL = 0


@dataclass(frozen=True)
class PathGroups:
    """The path groups of one heap; arrays of shape (s,), row 0 being the empty group.

    Attributes
    ----------
    parents : uint32
        The group before; lower than the row.
    labels : list of str
        How objects of the group are held: ``HashMap$Node.value``, or a kind of GC root.
    classes : list of str
        Class name of the objects; of class objects ``class a.B``.
    counts, shallow_bytes, retained_bytes : int64
        Retained bytes summed over objects that have no ancestor of their group in the dominator
        tree.
    of_object : uint32 array, shape (n,)
        The group of each object, `NO_OBJECT` for what the roots do not reach.
    """

    parents: NDArray[np.uint32]
    labels: list[str]
    classes: list[str]
    counts: NDArray[np.int64]
    shallow_bytes: NDArray[np.int64]
    retained_bytes: NDArray[np.int64]
    of_object: NDArray[np.uint32]

    def text(self, group: int) -> str:
        """``FileSystem.CACHE (static) -> FileSystem$Cache.map -> java.util.HashMap``."""
        steps = [self.classes[group]]
        at = group
        while at:
            # A class object that is a root says itself where its static fields are.
            if self.parents[at] or not self.classes[at].startswith("class ") or at == group:
                steps.append(self.labels[at])
            at = int(self.parents[at])
        return " -> ".join(reversed(steps))


def find_path_groups(graph: HeapGraph, progress: Progress = no_progress) -> PathGroups:
    """Group all objects that the GC roots reach by the group of their shortest path."""
    columns = graph.columns
    n = columns.class_index.size
    # What is filled first costs as much as what is computed with it, so three arrays serve for all.
    rooms = np.empty(n + 1, np.uint32), np.empty(n + 1, np.uint32)
    parents = _settled_parents(graph, *rooms)
    of_edges = rooms[1][:n]
    is_reached = words_of(parents != NO_OBJECT)
    _label_roots(graph, of_edges)
    label_tree(graph, parents, is_reached, of_edges, lambda done: progress("naming paths", done, n))
    of_object, steps = np.zeros(n, np.uint32), StepRows()
    compose_paths(
        graph, parents, is_reached, of_edges, of_object, steps, most_steps=DEEPEST, tells_classes=True
    )
    of_object -= np.uint32(1)  # 0 becomes NO_OBJECT
    rows = steps.rows[: len(steps)]
    counts, units = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.uint64)
    path_kernels.group_totals(of_object, columns.size_units, counts, units)
    texts, kind_names = edge_labels(graph).texts, _kind_names(graph)
    return PathGroups(
        np.ascontiguousarray(rows[:, 0]),
        [texts[label] for label in rows[:, 1].tolist()],
        [kind_names[kind] for kind in rows[:, 2].tolist()],
        counts,
        units.astype(np.int64) * columns.unit_bytes,
        _retained(graph, of_object, len(rows), rooms),
        of_object,
    )


def _kind_names(graph: HeapGraph) -> list[str]:
    """Names of the classes, then what the class objects are called, in the order of their addresses."""
    names = [c.name for c in graph.classes]
    return names + [f"class {names[row]}" for row in edge_labels(graph).mirror_classes.tolist()]


def _settled_parents(
    graph: HeapGraph, room: NDArray[np.uint32], other_room: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Shortest paths that are the same in every dump where they can be: of two holders the first by name.

    They lie in the first of two arrays of shape (n + 1,); the other one is written over.
    """
    references, of = graph.references, edge_labels(graph)
    n = references.object_count
    parents = graph.find_shortest_parents(room[:n], other_room)
    depths = other_room[:n]
    path_kernels.find_depths(parents, depths, np.empty(n, np.uint32))
    flags = np.zeros((n // 64 + 1, kernels.PLANES), np.uint64)
    referents = references.referents
    kernels.mark(referents.sources[referents.is_followed], flags, kernels.SPECIAL)
    names, class_count = _kind_names(graph), len(graph.classes)
    places = [*range(class_count), *(of.mirror_classes + class_count).tolist()]
    order = sorted(range(len(names)), key=lambda kind: (names[kind], places[kind]))
    ranks = np.empty(len(names), np.uint32)
    ranks[order] = np.arange(len(names), dtype=np.uint32)
    path_kernels.settle_parents[references.width, class_width(references.class_index)](
        references.indptr, references.indices, flags, np.ascontiguousarray(graph.reachability.strong), depths,
        ranks, references.class_index, of.special, of.mirrors, class_count, parents,
    )  # fmt: skip
    return parents


def _label_roots(graph: HeapGraph, of_edges: NDArray[np.uint32]) -> None:
    """Which kind of GC root each is: of several the first in the order of the tags, in every dump."""
    roots, of = graph.roots, edge_labels(graph)
    of_edges[graph.root_members] = _NO_LABEL
    is_root = (roots.object_index >= 0) & (roots.hangs_on < 0) & (roots.kinds != SubRecordTag.UNREACHABLE)
    for tag in sorted(ROOT_KIND_NAMES, reverse=True):
        mine = roots.object_index[is_root & (roots.kinds == tag)]
        if mine.size:
            of_edges[mine] = of.row(ROOT_KIND_NAMES[tag])
    for members, text in ((roots.implied, "system class"), (roots.class_values, CLASS_VALUE)):
        others = members[of_edges[members] == _NO_LABEL]
        if others.size:
            of_edges[others] = of.row(text)


def _retained(
    graph: HeapGraph,
    of_object: NDArray[np.uint32],
    count: int,
    rooms: tuple[NDArray[np.uint32], NDArray[np.uint32]],
) -> NDArray[np.int64]:
    immediate, retained = graph.immediate_dominators, graph.retained_units
    children, siblings = child_lists(immediate, rooms)
    totals = np.zeros(count, np.uint64)
    width = "u4" if retained.dtype == np.uint32 else "u8"
    path_kernels.retained_by_path_group[width](
        immediate, retained, of_object, children, siblings, np.zeros(count, np.int64), totals
    )
    found: NDArray[np.int64] = totals.astype(np.int64) * graph.columns.unit_bytes
    return found


def path_series(series: Series, progress: Progress = no_progress) -> KeySeries:
    """Groups of paths that grew from each snapshot to the next, where growth begins.

    Raises
    ------
    HeapscopeError
        A snapshot is a class histogram.
    """
    check_dumps(series, "path")
    known: dict[tuple[int, str, str], int] = {(-1, "", ""): 0}
    columns: list[tuple[NDArray[np.int64], tuple[NDArray[np.int64], ...]]] = []
    last: PathGroups | None = None
    for one in series:
        heap = one.open(progress)
        assert heap is not None  # a dump, as was checked
        with heap:
            groups = _named(find_path_groups(heap.graph, progress), series)
        # Nothing of the heap stays: whatever the number of snapshots, memory is that of one.
        del heap
        # Parents come first, so theirs are known.
        ids = [0]
        for parent, label, name in zip(
            groups.parents[1:].tolist(), groups.labels[1:], groups.classes[1:], strict=True
        ):
            ids.append(known.setdefault((ids[parent], label, name), len(known)))
        columns.append(
            (np.array(ids, np.int64), (groups.counts, groups.shallow_bytes, groups.retained_bytes))
        )
        last = replace(groups, of_object=np.empty(0, np.uint32))
        del groups
    assert last is not None
    figures = np.zeros((3, len(known), len(columns)), np.int64)
    for place, (rows, planes) in enumerate(columns):
        for plane, values in enumerate(planes):
            # Groups that differ in generated names alone have one row.
            np.add.at(figures[plane, :, place], rows, values)
    heads = _heads(figures, np.array([parent for parent, _, _ in known], np.int64))
    rows, _ = columns[-1]
    own = np.full(len(known), -1, np.int64)
    own[rows] = np.arange(rows.size)
    names: dict[str, list[int]] = {}
    for head in heads.tolist():
        names.setdefault(last.text(int(own[head])), []).append(head)
    # Two classes of one simple name on the way read alike.
    merged = np.array([figures[:, rows].sum(axis=1) for rows in names.values()], np.int64)
    merged = merged.reshape(len(names), 3, len(columns)).transpose(1, 0, 2)
    return KeySeries(list(names), merged[0], merged[1], merged[2])


def _named(groups: PathGroups, series: Series) -> PathGroups:
    """With class names as the series has them."""

    def of_class(name: str) -> str:
        return f"class {series.name_of(name[6:])}" if name.startswith("class ") else series.name_of(name)

    def of_label(label: str) -> str:
        holder, dot, field = label.rpartition(".")
        return series.name_of(holder) + dot + field

    return replace(groups, labels=[*map(of_label, groups.labels)], classes=[*map(of_class, groups.classes)])


def _heads(figures: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups whose objects or bytes grew in every step, below none whose objects did."""
    counts_grew = (np.diff(figures[0], axis=1) > 0).all(axis=1)
    sizes_grew = (np.diff(figures[1], axis=1) > 0).all(axis=1)
    is_below = counts_grew.copy()  # itself or something above grew; parents have lower rows
    for row in range(1, len(parents)):
        is_below[row] |= is_below[parents[row]]
    return np.nonzero((counts_grew | sizes_grew)[1:] & ~is_below[parents[1:]])[0] + 1
