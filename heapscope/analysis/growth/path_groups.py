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
from heapscope.heap.graph.reachability import new_flags
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.retention.edge_names import labels
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

DEEPEST = 100
# Objects whose holders' records are read at a time.
_BATCH = 1 << 21
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
    kinds, kind_names = _kinds(graph)
    parents = _settled_parents(graph, kinds, kind_names)
    codes, texts = _tree_labels(graph, parents, progress)
    below = np.nonzero(parents < VIRTUAL_ROOT)[0]
    # Class objects are of one class and never links of one another.
    is_link = kinds[below] == kinds[parents[below]]
    links = np.zeros((parents.size // 64 + 1) * 8, np.uint8)
    flags = np.zeros(parents.size, bool)
    flags[below[is_link]] = True
    packed = np.packbits(flags, bitorder="little")
    links[: packed.size] = packed
    of_object = np.full(parents.size, NO_OBJECT, np.uint32)
    rows = _composed(parents, links.view(np.uint64), codes, kinds, of_object)
    counts, units = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.uint64)
    path_kernels.group_totals(of_object, columns.size_units, counts, units)
    return PathGroups(
        np.ascontiguousarray(rows[:, 0]),
        [texts[code] for code in rows[:, 1].tolist()],
        [kind_names[kind] for kind in rows[:, 2].tolist()],
        counts,
        units.astype(np.int64) * columns.unit_bytes,
        _retained(graph, of_object, len(rows)),
        of_object,
    )


def _kinds(graph: HeapGraph) -> tuple[NDArray[np.uint32], list[str]]:
    """The class of each object, class objects each a kind of their own; names of the kinds."""
    kinds = graph.columns.class_index.astype(np.uint32)
    names = [c.name for c in graph.classes]
    own = np.nonzero(graph.class_objects >= 0)[0]
    kinds[graph.class_objects[own]] = len(names) + own
    return kinds, names + [f"class {name}" for name in names]


def _settled_parents(graph: HeapGraph, kinds: NDArray[np.uint32], names: list[str]) -> NDArray[np.uint32]:
    """Shortest paths that are the same in every dump where they can be: of two holders the first by name."""
    references, reach = graph.references, graph.reachability
    parents = np.array(reach.parents)
    depths, stack = np.empty(parents.size, np.uint32), np.empty(parents.size, np.uint32)
    path_kernels.find_depths(parents, depths, stack)
    flags = new_flags(references)
    referents = references.referents
    kernels.mark(referents.sources[referents.is_followed], flags, kernels.SPECIAL)
    order = sorted(range(len(names)), key=names.__getitem__)
    ranks = np.empty(len(names), np.uint32)
    ranks[order] = np.arange(len(names), dtype=np.uint32)
    path_kernels.settle_parents[references.width](
        references.indptr, references.indices, flags, np.ascontiguousarray(reach.strong), depths,
        ranks, kinds, parents,
    )  # fmt: skip
    return parents


def _tree_labels(
    graph: HeapGraph, parents: NDArray[np.uint32], progress: Progress
) -> tuple[NDArray[np.uint32], list[str]]:
    """How each object is held by its parent, or which kind of GC root it is."""
    known = {"": _NO_LABEL}
    codes = np.zeros(parents.size, np.uint32)
    for first in range(0, parents.size, _BATCH):
        progress("naming paths", first, parents.size)
        part = parents[first : first + _BATCH]
        targets = np.nonzero(part < VIRTUAL_ROOT)[0]
        mine, texts = labels(graph, part[targets].astype(np.int64), targets + first)
        rows = np.array([known.setdefault(text, len(known)) for text in texts], np.uint32)
        codes[targets + first] = rows[mine]
    roots = graph.roots
    is_root = (roots.object_index >= 0) & (roots.hangs_on < 0) & (roots.kinds != SubRecordTag.UNREACHABLE)
    # Of several kinds the first in the order of the tags, in every dump.
    for tag in sorted(ROOT_KIND_NAMES, reverse=True):
        mine = roots.object_index[is_root & (roots.kinds == tag)]
        if mine.size:
            codes[mine] = known.setdefault(ROOT_KIND_NAMES[tag], len(known))
    implied = roots.implied[codes[roots.implied] == _NO_LABEL]
    if implied.size:
        codes[implied] = known.setdefault("system class", len(known))
    of_classes = roots.class_values[codes[roots.class_values] == _NO_LABEL]
    if of_classes.size:
        codes[of_classes] = known.setdefault(CLASS_VALUE, len(known))
    return codes, list(known)


def _composed(
    parents: NDArray[np.uint32],
    links: NDArray[np.uint64],
    labels: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    of_object: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """Rows of groups: parent, label, kind, depth; writes the group of each object."""
    groups = np.zeros((1 << 12, 4), np.uint32)
    table = np.full(2 * len(groups), NO_OBJECT, np.uint32)
    stack = np.empty(parents.size, np.uint32)
    state = np.zeros(kernels.STATE, np.int64)
    state[kernels.TREE] = 1
    while path_kernels.compose(
        parents, links, labels, kinds, of_object, stack, groups, table, DEEPEST, state
    ):
        groups = np.concatenate([groups, np.zeros_like(groups)])
        table = np.empty(2 * len(groups), np.uint32)
        path_kernels.fill_table(groups, int(state[kernels.TREE]), table)
    return groups[: int(state[kernels.TREE])]


def _retained(graph: HeapGraph, of_object: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
    immediate, retained = graph.immediate_dominators, graph.retained_units
    children, siblings = child_lists(immediate)
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
    columns: list[tuple[NDArray[np.int64], PathGroups]] = []
    for one in series:
        heap = one.open(progress)
        assert heap is not None  # a dump, as was checked
        with heap:
            groups = _named(find_path_groups(heap.graph, progress), series)
        # Parents come first, so theirs are known.
        ids = [0]
        for parent, label, name in zip(
            groups.parents[1:].tolist(), groups.labels[1:], groups.classes[1:], strict=True
        ):
            ids.append(known.setdefault((ids[parent], label, name), len(known)))
        columns.append((np.array(ids, np.int64), groups))
    figures = np.zeros((3, len(known), len(columns)), np.int64)
    for place, (rows, groups) in enumerate(columns):
        for plane, values in enumerate((groups.counts, groups.shallow_bytes, groups.retained_bytes)):
            # Groups that differ in generated names alone have one row.
            np.add.at(figures[plane, :, place], rows, values)
    heads = _heads(figures, np.array([parent for parent, _, _ in known], np.int64))
    rows, last = columns[-1]
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
