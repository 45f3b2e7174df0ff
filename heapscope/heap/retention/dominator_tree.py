"""The dominator tree from the top down, its objects summed by class, package or class loader at each level.

Eclipse MAT's "dominator tree, group by class": under a group of objects stand the groups of what these
immediately dominate.  A group's retained size is the sum over its members, of which none retains another:
they have disjoint subtrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from heapscope.heap.graph.recent import Recent
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention import kernels
from heapscope.heap.retention.by_group import loader_names, package_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

GroupBy = Literal["class", "package", "loader"]
_FIRST_ROOM = 1 << 16  # children; where there are more, a second pass finds them
_STEP_DOWN = 1000  # from an object to the least that is looked at below it
_KEPT_MEMBERS = 1 << 22  # object indices of groups that were opened; 32 MB


def reachable_units(graph: HeapGraph) -> int:
    """What the GC roots hold, in units of the shallow sizes."""

    def add_up() -> int:
        is_top = graph.immediate_dominators == VIRTUAL_ROOT
        return int(graph.retained_units.sum(where=is_top, dtype=np.uint64))

    return graph.kept("reachable units", add_up)


def marks_of(graph: HeapGraph, members: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A bit for each object that is one of the members, uint64, shape (n // 64 + 1,)."""
    words = np.zeros(graph.immediate_dominators.size // 64 + 1, np.uint64)
    np.bitwise_or.at(words, members >> 6, np.uint64(1) << (members & 63).astype(np.uint64))
    return words


def children_of(graph: HeapGraph, members: NDArray[np.int64]) -> NDArray[np.int64]:
    """What some objects immediately dominate, int64, ascending."""
    if not members.size:
        return np.empty(0, np.int64)
    immediate, marks = graph.immediate_dominators, marks_of(graph, members)
    found = np.empty(_FIRST_ROOM, np.int64)
    count = kernels.list_children(immediate, marks, found)
    if count > found.size:
        found = np.empty(count, np.int64)
        kernels.list_children(immediate, marks, found)
    return found[:count].copy()


class HeavyChildren:
    """Children in the dominator tree that retain nearly all of what their parent does.

    Parameters
    ----------
    graph : HeapGraph
    part : float
        How much of it; more than a half, so that there is one at most.
    """

    def __init__(self, graph: HeapGraph, part: float) -> None:
        self._retained, self._immediate = graph.retained_units, graph.immediate_dominators
        self._part = part
        self._least = 0  # what is below was not looked at
        self._parents, self._children = np.empty(0, np.uint32), np.empty(0, np.int64)

    def of(self, index: int) -> int | None:
        """The child of an object; None where none retains so much."""
        units = int(self._retained[index])
        if not self._least or units * self._part < self._least:
            self._look_at(max(1, units // _STEP_DOWN))
        place = int(np.searchsorted(self._parents, np.uint32(index)))
        is_there = place < self._parents.size and int(self._parents[place]) == index
        return int(self._children[place]) if is_there else None

    def _look_at(self, least: int) -> None:
        children = np.nonzero(self._retained >= least)[0]
        parents = self._immediate[children]
        children, parents = children[parents < VIRTUAL_ROOT], parents[parents < VIRTUAL_ROOT]
        is_heavy = self._retained[children] >= self._part * self._retained[parents].astype(np.float64)
        children, parents = children[is_heavy], parents[is_heavy]
        order = np.argsort(parents, kind="stable")
        self._least, self._parents, self._children = least, parents[order], children[order]


@dataclass(frozen=True, slots=True)
class TreeGroup:
    """Objects of one class, package or loader at one place of the tree.

    Attributes
    ----------
    name : str
    object_count : int
    shallow_bytes, retained_bytes : int
    example_id : int
        Identifier of the member that retains most.
    """

    name: str
    object_count: int
    shallow_bytes: int
    retained_bytes: int
    example_id: int


def tree_groups(graph: HeapGraph, by: GroupBy, way: Sequence[str] = ()) -> list[TreeGroup]:
    """The groups below a group of the dominator tree, what retains most first.

    Parameters
    ----------
    by : {"class", "package", "loader"}
    way : sequence of str
        Names of the groups from the top of the tree down to the one that is opened; empty: the top level.
    """
    names, codes = _groups_of_classes(graph, by)
    rows = _below(graph, by, tuple(way))
    if not rows.size:
        return []
    columns, of_row = graph.columns, codes[graph.columns.class_index[rows]]
    retained = graph.retained_units[rows]
    counts = np.bincount(of_row, minlength=len(names))
    # Sums of whole numbers in float64 are exact up to 2**53.
    shallow = np.bincount(of_row, columns.size_units[rows], len(names))
    sums = np.bincount(of_row, retained, len(names))
    order = np.lexsort((rows, retained))  # the last of each group is its largest, ties go to the last address
    largest = np.zeros(len(names), np.int64)
    largest[of_row[order]] = rows[order]
    present = np.nonzero(counts)[0]
    present = present[np.lexsort((present, -sums[present]))]
    ids = columns.addresses.ids_of(largest[present])
    return [
        TreeGroup(
            names[code],
            int(counts[code]),
            int(shallow[code]) * columns.unit_bytes,
            int(sums[code]) * columns.unit_bytes,
            int(object_id),
        )
        for code, object_id in zip(present.tolist(), ids.tolist(), strict=True)
    ]


def members_at(graph: HeapGraph, by: GroupBy, way: Sequence[str]) -> NDArray[np.int64]:
    """Objects of the group at the end of a way through the tree, int64, ascending."""
    names, codes = _groups_of_classes(graph, by)
    *above, name = way
    if name not in names:
        return np.empty(0, np.int64)
    rows = _below(graph, by, tuple(above))
    found: NDArray[np.int64] = rows[codes[graph.columns.class_index[rows]] == names.index(name)]
    return found


def _below(graph: HeapGraph, by: GroupBy, way: tuple[str, ...]) -> NDArray[np.int64]:
    """Everything that the group at the end of a way immediately dominates."""
    if not way:
        return graph.dominators.top_level
    opened: Recent[NDArray[np.int64]] = graph.kept(
        "opened groups of the dominator tree", lambda: Recent(_KEPT_MEMBERS)
    )
    return opened.get((by, *way), lambda: children_of(graph, members_at(graph, by, way)))


def _groups_of_classes(graph: HeapGraph, by: GroupBy) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the groups, and the group of each class."""
    return graph.kept(f"groups of classes by {by}", lambda: _find_groups(graph, by))


def _find_groups(graph: HeapGraph, by: GroupBy) -> tuple[list[str], NDArray[np.int64]]:
    if by == "class":
        keys = [each.name for each in graph.classes]
    elif by == "package":
        keys = [package_of(each.name) for each in graph.classes]
    else:
        loaders = {each.loader_id for each in graph.classes}
        shown = loader_names(graph, loaders)
        keys = [shown[each.loader_id] for each in graph.classes]
    names = sorted(set(keys))
    codes = {name: code for code, name in enumerate(names)}
    return names, np.array([codes[key] for key in keys], np.int64)
