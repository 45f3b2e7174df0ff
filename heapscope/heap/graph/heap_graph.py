"""`HeapGraph`: what every function over a heap takes.

Columns, classes, GC roots, references, reachability and dominators of one dump under one set of
`Options`, each computed when something first asks for it, or taken from the index.  Functions of
`heapscope.heap.objects`, `heapscope.heap.retention` and `heapscope.analysis` take a `HeapGraph`;
`heapscope.heap.heap.Heap` is the convenient object for people on top of it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

import numpy as np

from heapscope.heap.graph.arrays import HeapArrays
from heapscope.heap.graph.dominators import Dominators
from heapscope.heap.graph.index import BrokenIndexError
from heapscope.heap.graph.reachability import (
    Reachability,
    held_by,
    reachability_table,
    retained_by,
    shortest_parents,
    words_of,
)
from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.graph.subclasses import instances_of
from heapscope.parser.records import StackTraces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from heapscope.heap.graph.classes import Classes
    from heapscope.heap.graph.options import Options
    from heapscope.heap.graph.path_sums import PathSums
    from heapscope.heap.graph.references import References
    from heapscope.heap.graph.roots import RootTable
    from heapscope.parser.broken.coverage import Coverage
    from heapscope.parser.layout.layout import Layout
    from heapscope.parser.records import RecordList
    from heapscope.parser.scan import HeapScan
    from heapscope.parser.segments import Columns
    from heapscope.parser.source import Source
    from heapscope.progress import Progress
    from heapscope.table import Table

Computed = TypeVar("Computed")


class HeapGraph:
    """One heap under one set of `Options`.

    Parameters
    ----------
    source, scan, classes
        The dump, what the first pass over it counted, and its classes.
    options : Options
        What is followed, what is a root.
    progress : Progress
        Told how far long work is.
    index_file : Path, optional
        Where the index is, or will be once everything was computed; None: no index.
    index_key : dict, optional
        What beside the dump decides what the index has; the options by default.

    Attributes
    ----------
    classes : Classes
        In the order of ``columns.class_index``.
    options : Options
    """

    def __init__(
        self,
        source: Source,
        scan: HeapScan,
        classes: Classes,
        options: Options,
        progress: Progress,
        *,
        index_file: Path | None = None,
        index_key: dict[str, str] | None = None,
    ) -> None:
        self.classes = classes
        self.options = options
        self._source = source
        self._scan = scan
        self._progress = progress
        self._index_file = index_file
        self._index_key = index_key
        self._arrays = self._new_arrays()
        self._kept: dict[str, Any] = {}
        self._lost_count: int | None = None

    def _new_arrays(self) -> HeapArrays:
        return HeapArrays(
            self._source,
            self._scan,
            self.classes,
            self.options,
            self._progress,
            index_file=self._index_file,
            index_key=self._index_key,
        )

    def _computed(self, name: str) -> Any:
        """An attribute of the arrays; with a broken index all of them are computed again."""
        try:
            return getattr(self._arrays, name)
        except BrokenIndexError:
            # Who holds arrays of the old index may keep them: they were checked, and are mapped.
            assert self._index_file is not None
            with suppress(OSError):
                self._index_file.unlink()
            self._arrays = self._new_arrays()
            return getattr(self._arrays, name)

    @property
    def is_in_index(self) -> bool:
        """Whether what takes long to compute lies in the index: another graph of this heap finds it there."""
        return self._arrays.is_in_index

    def kept(self, what: str, compute: Callable[[], Computed]) -> Computed:
        """A fact of this heap, computed once: ``graph.kept("threads", lambda: ...)``.

        Parameters
        ----------
        what : str
            A name that no other fact has.
        compute : callable
            Called where the fact is not known yet.
        """
        if what not in self._kept:
            # Of several threads that ask at once all get the same: what is kept may grow, as labels do.
            self._kept.setdefault(what, compute())
        found: Computed = self._kept[what]
        return found

    # --- the dump ---

    @property
    def path(self) -> Path:
        """The file."""
        return self._source.path

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """The bytes of the inflated dump, mapped."""
        return self._source.mapping(self._progress)

    @property
    def identifier_bytes(self) -> int:
        """Bytes of an identifier in the dump, 4 or 8."""
        return self._scan.header.identifier_bytes

    @property
    def coverage(self) -> Coverage | None:
        """How much of a broken dump was read; None for a whole one."""
        return self._scan.coverage

    @property
    def layout(self) -> Layout:
        """What shallow sizes follow from."""
        return self._arrays.layout

    @property
    def records(self) -> RecordList:
        """The dump's top-level records but the heap's."""
        return self._scan.records

    @cached_property
    def stack_traces(self) -> StackTraces:
        """Stack traces by serial."""
        return StackTraces(self._scan.records, self._scan.names, self.identifier_bytes)

    @cached_property
    def superclasses(self) -> dict[str, str]:
        """Class name to the name of its superclass."""
        classes = self._scan.classes
        return {c.name: classes[c.super_id].name for c in classes.values() if c.super_id in classes}

    # --- objects and references ---

    @property
    def columns(self) -> Columns:
        """Columns of all objects in address order, and of all root records."""
        found: Columns = self._computed("columns")
        return found

    @property
    def roots(self) -> RootTable:
        """Root records with the objects they name and the threads those hang on."""
        found: RootTable = self._computed("roots")
        return found

    @property
    def root_members(self) -> NDArray[np.uint32]:
        """Objects that are GC roots, uint32, ascending."""
        found: NDArray[np.uint32] = self._computed("root_members")
        return found

    @property
    def references(self) -> References:
        """Who refers to whom."""
        found: References = self._computed("references")
        self._lost_count = found.lost_count
        return found

    @property
    def lost_count(self) -> int | None:
        """References that lead nowhere; None as long as nobody has asked for the references."""
        return self._lost_count

    @property
    def class_objects(self) -> NDArray[np.int64]:
        """Object index of the class object of each class, int64, shape (c,); -1 where it has none."""
        return self.references.class_objects

    def instances_of(self, is_wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Object indices of the instances of some classes, int64, ascending.

        Parameters
        ----------
        is_wanted : bool array, shape (c,)
            Which classes, in the order of `classes`.
        """
        return instances_of(self.columns.class_index, is_wanted, self.class_totals[0])

    @property
    def class_totals(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Objects of each class, int64, and their size in units, uint64; both of shape (c,)."""
        found: tuple[NDArray[np.int64], NDArray[np.uint64]] = self._computed("class_totals")
        return found

    def indices_of(self, object_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Object indices of identifiers, int64, shape of ``object_ids``; -1 where the dump has none."""
        return self.columns.addresses.indices_of(object_ids)

    def index_of(self, object_id: int) -> int:
        """Object index of one identifier, -1 where the dump has none."""
        if not 0 <= object_id < 2**64:
            return -1
        return int(self.indices_of(np.array([object_id], np.uint64))[0])

    # --- what the roots hold ---

    @property
    def reachability(self) -> Reachability:
        """How the GC roots reach each object, and shortest paths from them."""
        return self.kept("reachability", self._find_reachability)

    def _find_reachability(self) -> Reachability:
        strong, soft, weak = self._computed("strengths")
        count = self.columns.class_index.size
        arrays, known = self._arrays, ref(self)

        def find_parents() -> NDArray[np.uint32]:
            # A graph that held itself this way would stay in memory after its last user has gone.
            graph = known()
            found: NDArray[np.uint32] = (
                arrays.shortest_parents if graph is None else graph._computed("shortest_parents")
            )
            return found

        return Reachability(strong, soft, weak, count, find_parents)

    def find_shortest_parents(
        self, parents: NDArray[np.uint32], queue: NDArray[np.uint32]
    ) -> NDArray[np.uint32]:
        """`Reachability.parents` for a caller who changes them: written into an array of his own, not kept.

        Parameters
        ----------
        parents : uint32 array, shape (n,)
            Is written over, and returned.
        queue : uint32 array, shape (n + 1,)
            Is written over.
        """
        known = vars(self.reachability).get("parents")
        if known is None:
            return shortest_parents(self.references, self.root_members, self._progress, parents, queue)
        parents[:] = known
        return parents

    @property
    def owner_parents(self) -> NDArray[np.uint32]:
        """The object before on the preferred path to each; see `heapscope.heap.graph.preferred_paths`."""
        found: NDArray[np.uint32] = self._computed("owner_parents")
        return found

    @property
    def path_sums(self) -> PathSums | None:
        """What the objects of each class path retain; None where there are too many class paths."""
        found: PathSums | None = self._computed("path_sums")
        return found

    @property
    def categories(self) -> NDArray[np.uint8]:
        """How each object is reached, uint8, shape (n,): 0 strong, 1 soft, 2 weak, 3 unreachable."""
        return self.reachability.categories

    @property
    def reachability_table(self) -> Table:
        """Objects and bytes by strength; see `heapscope.heap.heap.Heap.reachability`."""
        return self.kept("reachability table", lambda: reachability_table(self.reachability, self.columns))

    @property
    def immediate_dominators(self) -> NDArray[np.uint32]:
        """See `heapscope.heap.graph.dominators.Dominators`."""
        found: NDArray[np.uint32] = self._computed("immediate_dominators")
        return found

    @property
    def retained_units(self) -> NDArray[np.uint32] | NDArray[np.uint64]:
        """See `heapscope.heap.graph.dominators.Dominators`."""
        found: NDArray[np.uint32] | NDArray[np.uint64] = self._computed("retained_units")
        return found

    @property
    def dominators(self) -> Dominators:
        """The dominator tree, with the retained size of every object."""
        return self.kept(
            "dominators",
            lambda: Dominators(self.columns, self.classes, self.immediate_dominators, self.retained_units),
        )

    def followed(self) -> NDArray[np.uint64]:
        """Bits of all objects that the graph's roots reach, uint64, shape (n // 64 + 1,)."""
        return words_of(self.immediate_dominators != NO_OBJECT)

    def retained_set(
        self, members: NDArray[np.int64], without_roots: Sequence[str] = ()
    ) -> NDArray[np.uint64]:
        """Bits of the retained set of some objects, uint64, shape (n // 64 + 1,).

        Parameters
        ----------
        members : int64 array
            Object indices.
        without_roots : sequence of str
            Kinds of GC roots that do not count; see `heapscope.heap.object_set.ObjectSet.retained`.

        Raises
        ------
        ValueError
            There is no such kind of GC root.
        """
        references = self.references
        if not without_roots:
            return retained_by(references, self.root_members, members, self.followed(), self._progress)
        # The members count as held: that nobody but the left out roots holds them is the point.
        held = members[self.immediate_dominators[members] != NO_OBJECT]
        return held_by(references, self.roots.members(without_roots), held, self._progress)
