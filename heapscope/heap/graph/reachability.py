"""What the GC roots reach, how strongly, over which shortest paths; retained sets.

Strengths are those of ``java.lang.ref`` (package documentation): an object is strongly
reachable, else softly, else through weak, phantom or final references only, else unreachable.
Strength is a property of the heap: it does not depend on what `Options` say is followed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph import kernels
from heapscope.heap.graph.index_sets import distinct, small_numbers
from heapscope.heap.graph.options import ReferentKind
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.progress import Progress, no_progress
from heapscope.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from heapscope.heap.graph.references import References
    from heapscope.parser.segments import Columns

STRONG, SOFT, WEAK, UNREACHABLE = range(4)
CATEGORIES = ("strong", "soft", "weak", "unreachable")
# Objects that a kernel serves between two looks at the progress bar and at Ctrl-C.
BUDGET = 1 << 20


@dataclass(frozen=True)
class Reachability:
    """How the GC roots reach each object.

    Attributes
    ----------
    strong, soft, weak : uint64 arrays, shape (n // 64 + 1,)
        A bit for each object: reachable over strong references; also over soft ones; also over weak, phantom
        and final ones.
    object_count : int
        Objects, n.
    find_parents : callable
        Finds `parents`.
    """

    strong: NDArray[np.uint64]
    soft: NDArray[np.uint64]
    weak: NDArray[np.uint64]
    object_count: int
    find_parents: Callable[[], NDArray[np.uint32]] = field(repr=False)

    @cached_property
    def parents(self) -> NDArray[np.uint32]:
        """The object before on a shortest path from a GC root over references of the best strength there is.

        Found when first asked for, in a pass over all references.

        Returns
        -------
        uint32 array, shape (n,)
            `VIRTUAL_ROOT` for GC roots, `NO_OBJECT` for what is unreachable.
        """
        return self.find_parents()

    @cached_property
    def categories(self) -> NDArray[np.uint8]:
        """`STRONG`, `SOFT`, `WEAK` or `UNREACHABLE`, uint8, shape (n,)."""
        n = self.object_count
        found = np.full(n, UNREACHABLE, np.uint8)
        for plane in (self.weak, self.soft, self.strong):
            found -= np.unpackbits(plane.view(np.uint8), count=n, bitorder="little")
        return found


def new_flags(references: References) -> NDArray[np.uint64]:
    """Planes of bits with the leaves marked, uint64, shape (n // 64 + 1, PLANES)."""
    flags = np.zeros((references.object_count // 64 + 1, kernels.PLANES), np.uint64)
    flags[:, kernels.LEAF] = references.leaves
    return flags


def strengths(
    references: References,
    roots: NDArray[np.uint32],
    progress: Progress = no_progress,
    stack: NDArray[np.uint32] | None = None,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """What is reachable over strong references; also over soft ones; also over all.

    In no particular order, which is less work than shortest paths are.

    Parameters
    ----------
    references : References
    roots : uint32 array
        Objects that are GC roots, distinct.
    progress : Progress
    stack : uint32 array of at least n + 1 rows, optional
        Is written over.

    Returns
    -------
    strong, soft, weak : uint64 arrays, shape (n // 64 + 1,)
        See `Reachability`.
    """
    n = references.object_count
    flags = new_flags(references)
    referents = references.referents
    kernels.mark(referents.sources[referents.is_followed], flags, kernels.SPECIAL)
    stack = np.empty(n + 1, np.uint32) if stack is None else stack
    state = np.zeros(kernels.STATE, np.int64)

    def closure(frontier: NDArray[np.uint32]) -> None:
        kernels.mark(frontier, flags, kernels.VISITED)
        stack[: frontier.size] = frontier
        state[kernels.TOP] = frontier.size
        while kernels.flood[references.width](
            references.indptr, references.indices, flags, stack, state, BUDGET
        ):
            progress("finding what is reachable", 0, n)

    def through(kinds: Sequence[ReferentKind]) -> NDArray[np.uint64]:
        mine = np.isin(referents.kinds, kinds)
        sources, targets = referents.sources[mine], referents.targets[mine]
        while sources.size:
            new = _has(flags, sources) & ~_has(flags, targets)
            if not new.any():
                break
            closure(distinct(targets[new]))
        return flags[:, kernels.VISITED].copy()

    closure(roots)
    strong = flags[:, kernels.VISITED].copy()
    return strong, through([ReferentKind.SOFT]), through(list(ReferentKind))


class BreadthFirst:
    """A breadth-first walk that goes on from ever more objects.

    Attributes
    ----------
    parents : uint32 array, shape (n,)
        The object before on the way to each; who begins somewhere writes it there.
    flags : uint64 array, shape (n // 64 + 1, PLANES)
        Bits of objects; see `new_flags`.
    """

    def __init__(
        self,
        references: References,
        parents: NDArray[np.uint32],
        queue: NDArray[np.uint32] | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.parents, self.flags = parents, new_flags(references)
        self._references, self._progress = references, progress
        self._queue = np.empty(references.object_count + 1, np.uint32) if queue is None else queue
        self._state = np.zeros(kernels.STATE, np.int64)

    def visit(self, frontier: NDArray[np.uint32]) -> None:
        """Go on from objects whose parents are known."""
        references, state = self._references, self._state
        kernels.mark(frontier, self.flags, kernels.VISITED)
        used = int(state[kernels.TOP])
        self._queue[used : used + frontier.size] = frontier
        state[kernels.TOP] = used + frontier.size
        while kernels.breadth_first[references.width](
            references.indptr, references.indices, self.flags, self._queue, self.parents, state, BUDGET
        ):
            self._progress(int(state[kernels.ROOT]))


def shortest_parents(
    references: References,
    roots: NDArray[np.uint32],
    progress: Progress = no_progress,
    parents: NDArray[np.uint32] | None = None,
    queue: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint32]:
    """Breadth-first from the GC roots: strong references first, then soft, then all.

    Parameters
    ----------
    references : References
    roots : uint32 array
        Objects that are GC roots, distinct.
    progress : Progress
    parents : uint32 array, shape (n,), optional
        Is written over and returned.
    queue : uint32 array, shape (n + 1,), optional
        Is written over.

    Returns
    -------
    uint32 array, shape (n,)
        `Reachability.parents`.
    """
    n = references.object_count
    referents = references.referents
    parents = np.empty(n, np.uint32) if parents is None else parents
    parents[:] = NO_OBJECT
    parents[roots] = VIRTUAL_ROOT
    walk = BreadthFirst(references, parents, queue, lambda done: progress("finding shortest paths", done, n))
    kernels.mark(referents.sources[referents.is_followed], walk.flags, kernels.SPECIAL)

    def through(kinds: Sequence[ReferentKind]) -> None:
        mine = np.isin(referents.kinds, kinds)
        sources, targets = referents.sources[mine], referents.targets[mine]
        while sources.size:
            new = (parents[sources] != NO_OBJECT) & (parents[targets] == NO_OBJECT)
            if not new.any():
                break
            reached, first = np.unique(targets[new], return_index=True)
            parents[reached] = sources[new][first]
            walk.visit(reached)

    walk.visit(roots)
    through([ReferentKind.SOFT])
    through(list(ReferentKind))
    return parents


def reached_without(
    references: References,
    roots: NDArray[np.uint32],
    avoided: NDArray[np.int64] | None = None,
    progress: Progress = no_progress,
) -> NDArray[np.uint64]:
    """Bits of what roots reach over the graph when some objects are taken away, roots or not."""
    flood = _Flood(references, roots, progress)
    if avoided is None:
        flood.visit(roots)
        return flood.words()
    flood.take_away(avoided)
    flood.visit(roots)
    return flood.words() & ~flood.taken


class _Flood:
    """Visits what objects reach, from more and more of them."""

    def __init__(self, references: References, roots: NDArray[np.uint32], progress: Progress) -> None:
        self._references = references
        self._progress = progress
        self._flags = new_flags(references)
        self._stack = np.empty(references.object_count + 1, np.uint32)
        self._served = 0
        self.taken = np.zeros(self._flags.shape[0], np.uint64)
        # Instances do not list class objects that are roots; here some of those may be none.
        is_unlisted = (references.class_objects >= 0) & (references.class_targets == NO_OBJECT)
        unlisted = np.nonzero(is_unlisted & ~np.isin(references.class_objects, roots))[0]
        self._instances = np.empty(0, np.int64)
        if unlisted.size:
            is_one = np.zeros(references.class_objects.size, bool)
            is_one[unlisted] = True
            self._instances = np.nonzero(is_one[references.class_index])[0]

    def take_away(self, avoided: NDArray[np.int64]) -> None:
        """As if visited already, so that nobody goes on from there."""
        kernels.mark(avoided.astype(np.uint32), self._flags, kernels.VISITED)
        self.taken = self.words()

    def words(self) -> NDArray[np.uint64]:
        """Bits of what was visited, or taken away, so far."""
        return self._flags[:, kernels.VISITED].copy()

    def visit(self, frontier: NDArray[np.uint32], *, is_taken: bool = False) -> None:
        """Visit what objects reach, themselves included; with ``is_taken`` they were taken away before."""
        frontier = distinct(frontier)  # the stack has room for each object once
        if not is_taken:
            frontier = frontier[~_has(self._flags, frontier)]
        references = self._references
        while frontier.size:
            kernels.mark(frontier, self._flags, kernels.VISITED)
            self._stack[: frontier.size] = frontier
            state = np.zeros(kernels.STATE, np.int64)
            state[kernels.TOP] = frontier.size
            while kernels.flood[references.width](
                references.indptr, references.indices, self._flags, self._stack, state, BUDGET
            ):
                self._served += BUDGET
                n = references.object_count
                self._progress("retained set", min(n, self._served), n)
            frontier = self._unlisted_classes(is_taken)

    def _unlisted_classes(self, is_taken: bool) -> NDArray[np.uint32]:
        """Class objects whose instances were visited, and that were not."""
        some = self._instances[_has(self._flags, self._instances)]
        if not is_taken:
            some = some[(self.taken[some >> 6] >> (some & 63).astype(np.uint64)) & np.uint64(1) == 0]
        held = self._references.class_objects[small_numbers(self._references.class_index[some])]
        return held[~_has(self._flags, held)].astype(np.uint32)


def _has(flags: NDArray[np.uint64], members: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some objects were visited."""
    words = flags[members >> 6, kernels.VISITED]
    found: NDArray[np.bool_] = (words >> (members & 63).astype(np.uint64)) & np.uint64(1) != 0
    return found


def avoiding(
    references: References,
    roots: NDArray[np.uint32],
    avoided: NDArray[np.int64],
    progress: Progress = no_progress,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Shortest paths from roots that do not touch some objects, over all that is followed.

    Returns
    -------
    parents : uint32 array, shape (n,)
        The object before, `VIRTUAL_ROOT` for roots, `NO_OBJECT` for what is not reached so.
    room : uint32 array, shape (n + 1,)
        Memory that was needed for it, for the caller to use again.
    """
    n = references.object_count
    parents, room = np.full(n, NO_OBJECT, np.uint32), np.empty(n + 1, np.uint32)
    walk = BreadthFirst(references, parents, room, lambda done: progress("finding paths", done, n))
    kernels.mark(avoided.astype(np.uint32), walk.flags, kernels.VISITED)
    roots = roots[~_has(walk.flags, roots)]
    parents[roots] = VIRTUAL_ROOT
    walk.visit(roots)
    return parents, room


def retained_by(
    references: References,
    roots: NDArray[np.uint32],
    members: NDArray[np.int64],
    reached: NDArray[np.uint64],
    progress: Progress = no_progress,
) -> NDArray[np.uint64]:
    """Bits of the retained set of some objects.

    What is reachable from the roots, less what is still reachable when the members are taken
    away, roots or not.

    Parameters
    ----------
    reached : uint64 array
        Bits of what the roots reach.
    """
    kept: NDArray[np.uint64] = reached & ~reached_without(references, roots, members, progress)
    return kept


def held_by(
    references: References,
    roots: NDArray[np.uint32],
    members: NDArray[np.int64],
    progress: Progress = no_progress,
) -> NDArray[np.uint64]:
    """Bits of what members reach, and roots do not when the members are taken away; with the members."""
    flood = _Flood(references, roots, progress)
    flood.take_away(members)
    flood.visit(roots)
    before = flood.words()
    flood.visit(members.astype(np.uint32), is_taken=True)
    return (flood.words() & ~before) | flood.taken


def words_of(is_set: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Truth of each object as bits, uint64, shape (n // 64 + 1,)."""
    bits = np.packbits(is_set, bitorder="little")
    words = np.zeros((is_set.size // 64 + 1) * 8, np.uint8)
    words[: bits.size] = bits
    return words.view(np.uint64)


def indices_in(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Objects whose bits are set, int64, ascending."""
    count = int(np.bitwise_count(words).sum())
    found = np.empty(count, np.int64)
    kernels.members_of(words, found)
    return found


def size_of(words: NDArray[np.uint64], size_units: NDArray[np.uint32]) -> tuple[int, int]:
    """(objects, size in units) of the objects whose bits are set."""
    state = np.zeros(kernels.STATE, np.int64)
    kernels.sum_units(words, size_units, state)
    return int(state[kernels.NEXT]), int(state[kernels.TOP])


def reachability_table(reach: Reachability, columns: Columns) -> Table:
    """See `heapscope.heap.heap.Heap.reachability`."""
    # Of each plane only the bits that the one before does not have are summed: empty words are skipped.
    rows = [
        size_of(plane, columns.size_units)
        for plane in (reach.strong, reach.soft & ~reach.strong, reach.weak & ~reach.soft)
    ]
    count, units = (sum(each) for each in zip(*rows, strict=True))
    whole = int(columns.size_units.sum(dtype=np.uint64))
    rows.append((columns.size_units.size - count, whole - units))
    return Table(
        {
            "category": list(CATEGORIES),
            "object_count": np.array([count for count, _ in rows], np.int64),
            "shallow_bytes": np.array([units for _, units in rows], np.int64) * columns.unit_bytes,
        }
    )
