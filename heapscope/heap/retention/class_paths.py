"""The dominator tree folded by class: objects whose dominators have the same classes are one node.

What flame graphs and icicles of a heap show.  A million entries of a list, each of which retains the
next, are one node: an object of the class of the node above belongs to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.retention import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

MAX_DEPTH = 120  # what lies deeper belongs to the node above it
SHARE = 0.0001  # of what is reachable: what is smaller is not followed further down in `weights`
_NODES = 1 << 16


@dataclass(frozen=True, eq=False)
class ClassPaths:
    """A tree of classes; arrays of shape (k,), node 0 is the virtual root, a node stands behind its parent.

    Attributes
    ----------
    parents : uint32
    labels : int64
        Row in ``names``; -1 of the virtual root.
    depths : int64
        1 below the virtual root.
    object_counts : int64
    shallow_bytes, retained_bytes : int64
        Of the objects of the node; of those that no other object of the node retains.
    examples : uint32
        Of each node the object that retains most; `NO_OBJECT` of the virtual root.
    names : tuple of str
        Names of the classes in their order, then what their class objects are called: ``class a.B``.
    """

    parents: NDArray[np.uint32]
    labels: NDArray[np.int64]
    depths: NDArray[np.int64]
    object_counts: NDArray[np.int64]
    shallow_bytes: NDArray[np.int64]
    retained_bytes: NDArray[np.int64]
    examples: NDArray[np.uint32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.parents.size)

    def name(self, node: int) -> str:
        """What the objects of a node are; empty of the virtual root."""
        return self.names[int(self.labels[node])] if node else ""

    def weights(self, share: float = SHARE) -> dict[tuple[str, ...], int]:
        """Bytes by path of names, each without what the paths below it have; together all that is retained.

        Parameters
        ----------
        share : float
            What retains less of the reachable heap than this is not followed further down.
        """
        is_open = self.retained_bytes >= max(share * int(self.retained_bytes[0]), 1)
        is_open[0] = True
        is_kept = is_open[self.parents]
        own = np.where(is_kept, self.retained_bytes, 0)
        kept = np.nonzero(is_kept)[0]
        np.subtract.at(own, self.parents[kept[1:]], self.retained_bytes[kept[1:]])
        paths: dict[int, tuple[str, ...]] = {0: ()}
        for node in kept[1:].tolist():
            paths[node] = (*paths[int(self.parents[node])], self.name(node))
        return {path: int(own[node]) for node, path in paths.items() if node and own[node]}

    def way(self, node: int) -> list[int]:
        """Nodes from below the virtual root down to a node."""
        found: list[int] = []
        while node > 0:
            found.append(node)
            node = int(self.parents[node])
        return found[::-1]

    def children(self, node: int) -> NDArray[np.int64]:
        """Nodes below a node, int64, what retains most first."""
        rows = np.nonzero(self.parents == node)[0]
        rows = rows[rows > 0]
        return rows[np.lexsort((rows, -self.retained_bytes[rows]))]

    def find(self, labels: Sequence[int]) -> int:
        """The node at the end of a way through the tree, -1 where there is none.

        Parameters
        ----------
        labels : sequence of int
            Of an object's dominators from the top down, and its own.
        """
        node = 0
        for each in labels:
            if node and int(self.labels[node]) == each:
                continue
            rows = np.nonzero((self.parents == node) & (self.labels == each))[0]
            if not rows.size:
                return node if int(self.depths[node]) >= MAX_DEPTH else -1
            node = int(rows[0])
        return node


def node_of(graph: HeapGraph, index: int) -> int:
    """The node that an object belongs to, -1 where nothing retains it."""
    if int(graph.immediate_dominators[index]) == NO_OBJECT:
        return -1
    way = [*graph.dominators.chain(index)[::-1], index]
    return find_class_paths(graph).find([_label(graph, each) for each in way])


def _label(graph: HeapGraph, index: int) -> int:
    mirrored = np.nonzero(graph.class_objects == index)[0]
    return len(graph.classes) + int(mirrored[0]) if mirrored.size else int(graph.columns.class_index[index])


def find_class_paths(graph: HeapGraph) -> ClassPaths:
    """The dominator tree folded by class; computed once."""
    return graph.kept("class paths", lambda: _find(graph))


def _find(graph: HeapGraph) -> ClassPaths:
    immediate, retained = graph.immediate_dominators, graph.retained_units
    columns = graph.columns
    classes = "u2" if columns.class_index.dtype == np.uint16 else "i4"
    sizes = "u4" if retained.dtype == np.uint32 else "u8"
    n, room = immediate.size, _NODES
    mirrored = np.nonzero(graph.class_objects >= 0)[0]
    mirrored = mirrored[np.argsort(graph.class_objects[mirrored])]
    mirrors = graph.class_objects[mirrored].astype(np.uint32)
    mirror_labels = (len(graph.classes) + mirrored).astype(np.uint32)
    class_class = next((row for row, each in enumerate(graph.classes) if each.name == "java.lang.Class"), -1)
    # Address space for a way through everything; a real one has some pages.
    stack = np.empty(n + 1, np.uint32)
    while True:
        nodes = np.full(n, NO_OBJECT, np.uint32)
        keys, values = np.zeros(4 * room, np.uint64), np.zeros(4 * room, np.uint32)
        parents, labels = np.zeros(room, np.uint32), np.full(room, -1, np.int64)
        depths, counts = np.zeros(room, np.int64), np.zeros(room, np.int64)
        shallow, sums = np.zeros(room, np.uint64), np.zeros(room, np.uint64)
        examples = np.full(room, NO_OBJECT, np.uint32)
        state = np.zeros(1, np.int64)
        is_short = kernels.class_paths[classes, sizes](
            immediate, retained, columns.size_units, columns.class_index, mirrors, mirror_labels,
            class_class, nodes, keys, values, parents, labels, depths, counts, shallow, sums, examples, stack,
            state, MAX_DEPTH,
        )  # fmt: skip
        if not is_short:
            break
        room *= 4
    used = int(state[0])
    unit = columns.unit_bytes
    below = parents[:used] == 0
    below[0] = False
    sums[0] = sums[:used][below].sum(dtype=np.uint64)
    return ClassPaths(
        parents[:used],
        labels[:used],
        depths[:used],
        counts[:used],
        shallow[:used].astype(np.int64) * unit,
        sums[:used].astype(np.int64) * unit,
        examples[:used],
        (*(each.name for each in graph.classes), *(f"class {each.name}" for each in graph.classes)),
    )
