"""Dominator tree and retained sizes of all objects, exact.

Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph", ACM TOPLAS 1(1),
1979, on a depth-first numbering of the reference graph whose root is a virtual object that
refers to all GC roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph import kernels
from heapscope.heap.graph.pages import release_tail
from heapscope.heap.graph.path_sums import ClassLabels, PathSums, sum_paths
from heapscope.heap.graph.reachability import BUDGET, new_flags
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.parser.segments import Allocate, in_memory
from heapscope.progress import Progress, no_progress
from heapscope.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.heap.graph.classes import Classes
    from heapscope.heap.graph.references import References
    from heapscope.parser.segments import Columns

_DIGIT_BITS = 8


@dataclass
class Numbering:
    """A depth-first spanning tree of what the roots reach; numbers begin at 1, 0 is the virtual root.

    Attributes
    ----------
    order : uint32 array, shape (r + 1,)
        Object of each number.
    parents : uint32 array, shape (r + 1,)
        Number of the parent of each number.
    numbers : uint32 array, shape (n + 1,)
        Number of each object that is reached.
    pairs : uint64 array
        References beside the tree, as target << 32 | source in numbers.
    flags : uint64 array, shape (n // 64 + 1, PLANES)
        Plane TOP_LEVEL has what is known to be dominated by nothing but the virtual root.
    """

    order: NDArray[np.uint32]
    parents: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    pairs: NDArray[np.uint64]
    flags: NDArray[np.uint64]


def number(
    references: References,
    roots: NDArray[np.uint32],
    progress: Progress = no_progress,
    begin: Callable[[Numbering, NDArray[np.int64]], None] | None = None,
    filled: Event | None = None,
) -> Numbering:
    """Number what the roots reach, depth first.

    Parameters
    ----------
    references : References
    roots : uint32 array
        Objects that are GC roots, distinct.
    progress : Progress
    begin : callable, optional
        Called with arrays that are about to be filled, and the loop's state (``state[NEXT]`` is the next
        number), for whoever makes their pages meanwhile.
    filled : Event, optional
        Set once they are filled.
    """
    n, e = references.object_count, int(references.indptr[-1])
    flags = new_flags(references)
    kernels.mark(roots, flags, kernels.TOP_LEVEL)
    # Address space for the worst case; only what is used becomes memory.
    stack, pairs = np.empty(e + 1, np.uint64), np.empty(e + 1, np.uint64)
    order, numbers = np.empty(n + 1, np.uint32), np.empty(n + 1, np.uint32)
    parents = np.empty(n + 1, np.uint32)
    order[0] = parents[0] = 0
    state = np.zeros(kernels.STATE, np.int64)
    state[kernels.NEXT] = 1
    if begin is not None:
        begin(Numbering(order, parents, numbers, pairs, flags), state)
    while kernels.depth_first[references.width](
        references.indptr, references.indices, roots, flags, stack, order, parents, numbers, pairs,
        state, BUDGET,
    ):  # fmt: skip
        progress("numbering objects", int(state[kernels.NEXT]), n)
    if filled is not None:
        filled.set()
    progress("numbering objects", n, n)
    count = int(state[kernels.NEXT])
    order, found = order[:count], pairs[: int(state[kernels.PAIRS])]
    kept = kernels.keep_pairs(found, order, flags)
    release_tail(pairs, kept)
    return Numbering(order, parents[:count], numbers, pairs[:kept], flags)


def dominate(
    numbering: Numbering,
    size_units: NDArray[np.uint32],
    labels: ClassLabels | None = None,
    progress: Progress = no_progress,
    buffers: Buffers | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32] | NDArray[np.uint64], PathSums | None]:
    """Immediate dominators, and retained sizes in the units of the shallow ones.

    Parameters
    ----------
    numbering : Numbering
        Its arrays are written over, its flags let go.
    size_units : uint32 array, shape (n,)
    labels : ClassLabels, optional
        Classes of the objects; without them no path sums are made.
    progress : Progress
    buffers : Buffers, optional
        Where the two arrays go; their wait ends before they are written.

    Returns
    -------
    immediate : uint32 array, shape (n,)
        `VIRTUAL_ROOT` for top-level objects, `NO_OBJECT` for what the roots do not reach.
    retained_units : uint32 or uint64 array, shape (n,)
        0 for what the roots do not reach.
    path_sums : PathSums or None
        See `heapscope.heap.graph.path_sums`.
    """
    # What is first touched costs as much as what is computed with it: buffers serve twice.
    buffers = new_buffers(size_units) if buffers is None else buffers
    order, parents, n = numbering.order, numbering.parents, size_units.size
    count = order.size
    width = "u4" if buffers.retained_units.dtype == np.uint32 else "u8"
    pairs = numbering.pairs
    _sort_by_target(pairs, count)
    semis = buffers.immediate[:count]
    kernels.plant(order, numbering.flags, parents, semis)
    numbering.flags = np.empty((0, kernels.PLANES), np.uint64)  # room for others
    dominators = numbering.numbers[:count]
    dominators[:] = 0
    # Filled from its end, while pairs and parents are used up from theirs: together they take no more memory.
    forest = np.empty((count, 2), np.uint32)
    trail = np.empty(count, np.uint32)  # for a path through everything; a real one has some pages
    state = np.zeros(kernels.STATE, np.int64)
    state[kernels.NEXT], state[kernels.PAIRS] = count - 1, pairs.size
    while kernels.semidominators(pairs, parents, forest, semis, dominators, trail, state, BUDGET):
        release_tail(parents, int(state[kernels.NEXT]) + 1)
        release_tail(pairs, int(state[kernels.PAIRS]))
        progress("finding dominators", count - int(state[kernels.NEXT]), count)
    kernels.settle(semis, dominators)
    retained = forest.reshape(-1).view(width)[:count]
    kernels.add_up[width](order, dominators, size_units, retained)
    path_sums = None if labels is None else sum_paths(order, dominators, retained, labels, semis)
    buffers.wait()
    immediate, sizes = buffers.immediate[:n], buffers.retained_units[:n]
    buffers.immediate[:] = NO_OBJECT
    buffers.retained_units[:] = 0
    kernels.by_object[width](order, dominators, retained, immediate, sizes)
    progress("finding dominators", count, count)
    return immediate, sizes, path_sums


@dataclass(frozen=True)
class Buffers:
    """Where `dominate` puts what it finds: with a row more than there are objects, for other uses before.

    Attributes
    ----------
    immediate : uint32 array, shape (n + 1,)
    retained_units : uint32 or uint64 array, shape (n + 1,)
        Somebody else may use it until ``wait`` returns.
    wait : callable
        Returns once nobody does.
    """

    immediate: NDArray[np.uint32]
    retained_units: NDArray[np.uint32] | NDArray[np.uint64]
    wait: Callable[[], object] = lambda: None


def new_buffers(size_units: NDArray[np.uint32], allocate: Allocate = in_memory) -> Buffers:
    """Arrays for `dominate`: retained sizes are of four bytes where all sizes together fit into them."""
    n = size_units.size
    width = "u4" if int(size_units.sum(dtype=np.uint64)) < 1 << 32 else "u8"
    return Buffers(allocate("immediate", n + 1, np.uint32), allocate("retained_units", n + 1, width))


def _sort_by_target(pairs: NDArray[np.uint64], count: int) -> None:
    """Sort pairs by the number of their target, which is below ``count``, in place.

    First into buckets by the upper bits of the number, then each bucket, in the processor's cache.
    """
    bits = count.bit_length()
    low = min(max(0, bits - _DIGIT_BITS), 2 * _DIGIT_BITS)
    starts = np.zeros((1 << (bits - low)) + 1, np.int64)
    kernels.partition_pairs(pairs, 32 + low, starts, np.empty(starts.size, np.int64))
    largest = int(np.diff(starts).max())
    counts = np.empty(1 << _DIGIT_BITS, np.int64)
    kernels.sort_buckets(pairs, starts, np.empty(largest, np.uint64), low, counts)


def child_lists(
    immediate: NDArray[np.uint32], rooms: tuple[NDArray[np.uint32], NDArray[np.uint32]] | None = None
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The dominator tree from the top down: the first child of each object, and its next sibling.

    Parameters
    ----------
    immediate : uint32 array, shape (n,)
        Immediate dominators.
    rooms : uint32 arrays, shape (n + 1,), optional
        Are written over and returned.

    Returns
    -------
    children, siblings : uint32 arrays, shape (n + 1,)
        `NO_OBJECT` where there is none; the last row is the virtual root's.
    """
    length = immediate.size + 1
    children, siblings = rooms or (np.empty(length, np.uint32), np.empty(length, np.uint32))
    kernels.link_children(immediate, children, siblings)
    return children, siblings


class Dominators:
    """The dominator tree of a heap.

    Attributes
    ----------
    immediate : uint32 array, shape (n,)
        Immediate dominator of each object: `VIRTUAL_ROOT` for top-level objects, `NO_OBJECT` for
        objects that nothing retains, which are reachable over weak references only or not at all.
    retained_units : uint32 or uint64 array, shape (n,)
        Retained sizes in units of ``graph.columns.unit_bytes``; 0 where nothing retains the object.
    """

    def __init__(
        self,
        columns: Columns,
        classes: Classes,
        immediate: NDArray[np.uint32],
        retained_units: NDArray[np.uint32] | NDArray[np.uint64],
    ) -> None:
        self._columns = columns
        self._classes = classes
        self.immediate = immediate
        self.retained_units = retained_units

    @property
    def retained_bytes(self) -> NDArray[np.int64]:
        """Retained size of each object, int64, shape (n,); 0 where nothing retains the object."""
        found: NDArray[np.int64] = self.retained_units.astype(np.int64) * self._columns.unit_bytes
        return found

    def retained_bytes_of(self, index: int) -> int:
        """Retained size of one object."""
        return int(self.retained_units[index]) * self._columns.unit_bytes

    @property
    def top_level(self) -> NDArray[np.int64]:
        """Objects that no single other object retains, int64, ascending."""
        return np.nonzero(self.immediate == VIRTUAL_ROOT)[0]

    def top(self, count: int = 20) -> Table:
        """The objects that retain most, of those that no other retains.

        Returns
        -------
        Table
            ``object_id, class_name, shallow_bytes, retained_bytes, object_index``, biggest first.
        """
        return self._largest(self.top_level, count)

    def children_of(self, index: int) -> NDArray[np.int64]:
        """What an object immediately dominates, int64, ascending."""
        return np.nonzero(self.immediate == np.uint32(index))[0]

    def children(self, index: int, count: int | None = None) -> Table:
        """What an object immediately dominates, as `top` has it."""
        return self._largest(self.children_of(index), count)

    def chain(self, index: int) -> list[int]:
        """The dominators of an object: its immediate one, that one's, up to a top-level object."""
        found: list[int] = []
        at = int(self.immediate[index])
        while at < VIRTUAL_ROOT:
            found.append(at)
            at = int(self.immediate[at])
        return found

    def to_frame(self, count: int = 20) -> pd.DataFrame:
        """`top` as a DataFrame."""
        return self.top(count).to_frame()

    def __repr__(self) -> str:
        return f"<dominator tree of {self.immediate.size:,} objects>"

    def _largest(self, rows: NDArray[np.int64], count: int | None) -> Table:
        rows = largest(rows, self.retained_units[rows], rows.size if count is None else count)
        columns, classes = self._columns, self._classes
        return Table(
            {
                "object_id": columns.addresses.ids_of(rows),
                "class_name": [classes[i].name for i in columns.class_index[rows].tolist()],
                "shallow_bytes": columns.size_units[rows].astype(np.int64) * columns.unit_bytes,
                "retained_bytes": self.retained_units[rows].astype(np.int64) * columns.unit_bytes,
                "object_index": rows,
            }
        )


def largest(rows: NDArray[np.int64], sizes: NDArray[Any], count: int, first: int = 0) -> NDArray[np.int64]:
    """A page of some rows, the largest first, ties by row; no more are sorted than up to its end.

    Parameters
    ----------
    rows : int64 array, shape (k,), ascending
    sizes : array of unsigned numbers, shape (k,)
    count : int
        Rows of the page.
    first : int
        How many stand before it.
    """
    last = first + count
    if 0 < last < rows.size:
        least = np.partition(sizes, rows.size - last)[rows.size - last]
        places = np.nonzero(sizes >= least)[0]
        if places.size > last:  # of what is as large as the last, the first rows
            ties = np.nonzero(sizes[places] == least)[0][last - places.size :]
            places = np.delete(places, ties)
        rows, sizes = rows[places], sizes[places]
    order = np.lexsort((rows, -sizes.astype(np.int64)))
    return rows[order][first:last]
