"""The arrays of one heap: each is computed when something first asks for it, or taken from the index.

An array of the index is checked when it is first used.  `BrokenIndexError` then leaves these properties:
an index has to be whole, so `heapscope.heap.graph.heap_graph.HeapGraph` starts again without it.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph import kernels, references
from heapscope.heap.graph.at_once import AtOnce
from heapscope.heap.graph.dominators import Numbering, dominate, new_buffers, number
from heapscope.heap.graph.index import BrokenIndexError, Store, array_beside, identity_of, open_index
from heapscope.heap.graph.index_file import CLASS_NAMES
from heapscope.heap.graph.pages import Filling, make_pages
from heapscope.heap.graph.path_sums import ClassLabels, PathSums, class_row
from heapscope.heap.graph.preferred_paths import preferred_parents
from heapscope.heap.graph.reachability import shortest_parents, strengths
from heapscope.heap.graph.roots import resolve_roots
from heapscope.heap.graph.subclasses import class_totals
from heapscope.parser.addresses import AddressMap
from heapscope.parser.class_tables import ClassTables, class_tables_of
from heapscope.parser.inflating import worker_count
from heapscope.parser.layout.layout import (
    Layout,
    instance_bytes,
    mat_layout,
    mirror_bytes,
    stack_chunk_classes,
)
from heapscope.parser.record_offsets import RecordFinder, find_offsets
from heapscope.parser.segments import Columns, Roots, fill, map_addresses
from heapscope.parser.tags import VALUE_BYTES, BasicType, SubRecordTag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from heapscope.heap.graph.options import Options
    from heapscope.heap.graph.references import References
    from heapscope.heap.graph.roots import RootTable
    from heapscope.parser.records import JavaClass
    from heapscope.parser.scan import HeapScan
    from heapscope.parser.source import Source
    from heapscope.progress import Progress

    Immediate = NDArray[np.uint32]
    RetainedUnits = NDArray[np.uint32] | NDArray[np.uint64]
    Strengths = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]

_PAIRS_AHEAD = 1 << 20  # rows; few, for nobody knows how many pairs there will be


@dataclass(frozen=True)
class _Analysed:
    """What is computed in one go; see the properties of `HeapArrays` that have these names."""

    immediate: Immediate
    retained_units: RetainedUnits
    strengths: Strengths
    owner_parents: NDArray[np.uint32]
    path_sums: PathSums | None


class HeapArrays:
    """Columns, references, reachability and dominators of one heap under one set of `Options`.

    Parameters
    ----------
    source, scan, classes
        The dump, what the first pass over it counted, and its classes in the order of ``class_index``.
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
    is_in_index : bool
        Whether the index has all of them.
    """

    def __init__(
        self,
        source: Source,
        scan: HeapScan,
        classes: Sequence[JavaClass],
        options: Options,
        progress: Progress,
        *,
        index_file: Path | None = None,
        index_key: dict[str, str] | None = None,
    ) -> None:
        self._source = source
        self._scan = scan
        self._classes = classes
        self._options = options
        self._progress = progress
        self._key = index_key or asdict(options)
        # Taken before anything is read: a dump that is written to meanwhile fits no index.
        self._identity = identity_of(source.path) if index_file else {}
        self._index_file = index_file
        self._index = open_index(index_file, self._identity, self._key) if index_file else None
        self._store = Store(None if self._index else index_file, spills=index_file is None)
        self.is_in_index = self._index is not None
        if self.is_in_index and scan.marks is not None:
            scan.marks.let_go()
        # References of each object, which `fill` counts and `references.build` turns into row starts.
        self._degrees: NDArray[np.uint32] | NDArray[np.int64] | None = None

    def _from_index(self, *names: str) -> list[NDArray[Any]] | None:
        """Arrays of the index; None where there is none.

        Raises
        ------
        BrokenIndexError
            An array is missing or has another checksum.
        """
        if self._index is None:
            return None
        try:
            return [self._index.array(name) for name in names]
        except KeyError as error:
            raise BrokenIndexError(str(error)) from None

    @property
    def unit_bytes(self) -> int:
        """What sizes are counted in."""
        return 1 if self.layout.rule == "android" else 8

    @cached_property
    def layout(self) -> Layout:
        """What shallow sizes follow from."""
        layout = self._scan.layout
        return mat_layout(layout) if self._options.semantics == "mat" else layout

    @cached_property
    def _tables(self) -> ClassTables:
        return class_tables_of(
            self._scan,
            list(self._classes),
            self.layout,
            self.unit_bytes,
            {
                i: (declaring, self._options.follows(kind))
                for i, (kind, declaring) in references.reference_classes(self._classes).items()
            },
        )

    def _fill(self) -> Columns:
        """Columns from the dump, and the counts of references that `references` takes over."""
        addresses = map_addresses(self._source, self._scan, self._progress, self._store.array)
        columns, self._degrees = fill(
            self._source, self._scan, addresses, self._tables, self.unit_bytes, self._progress,
            self._store.array, partial(array_beside, self._index_file),
        )  # fmt: skip
        if self._scan.coverage is not None and not columns.roots.kinds.size:
            columns.roots = self._assumed_roots()
        self._size_class_objects(columns)
        self._size_stack_chunks(columns)
        return columns

    def _assumed_roots(self) -> Roots:
        """All classes, where a dump was cut before its GC roots: else nothing would be reachable."""
        ids = np.array([c.class_id for c in self._classes if c.is_dumped], np.uint64)
        zeros = np.zeros(ids.size, np.uint32)
        kinds = np.full(ids.size, SubRecordTag.ROOT_STICKY_CLASS, np.uint8)
        return Roots(kinds, ids, zeros, np.full(ids.size, -1, np.int32), zeros)

    @cached_property
    def columns(self) -> Columns:
        """Columns of all objects in address order, and of all root records."""
        kept = self._from_index(
            "class_index", "size_units", "places", "address_table", "sorted_ids", "segment_ranges",
            "root_kinds", "root_ids", "root_threads", "root_frames", "root_traces",
        )  # fmt: skip
        if kept is None:
            return self._fill()
        class_index, size_units, *maps = kept[:6]
        return Columns(
            AddressMap(maps[0], maps[1], maps[2], class_index.size, maps[3]),
            class_index,
            size_units,
            self.unit_bytes,
            Roots(*kept[6:]),
            partial(
                find_offsets,
                self._source,
                self._scan,
                progress=self._progress,
                allocate=partial(array_beside, self._index_file),
            ),
            RecordFinder(self._source, self._scan).find,
        )

    @cached_property
    def class_totals(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """See `heapscope.heap.graph.subclasses.class_totals`."""
        return class_totals(self.columns.class_index, self.columns.size_units, len(self._classes))

    def _size_class_objects(self, columns: Columns) -> None:
        """Shallow sizes of class objects, which carry the statics of their class."""
        sizes = mirror_bytes(self.layout, self._scan.classes)
        dumped = [i for i, c in self._scan.classes.items() if c.is_dumped]
        rows = columns.addresses.indices_of(np.array(dumped, np.uint64))
        columns.size_units[rows] = [sizes[i] // columns.unit_bytes for i in dumped]

    def _size_stack_chunks(self, columns: Columns) -> None:
        """A stack chunk carries a piece of a stack; how much, its field ``size`` tells."""
        if self.layout.rule == "mat":
            return
        chunks = set(stack_chunk_classes(self._scan.classes)) & self._scan.instance_counts.keys()
        for class_index, java_class in enumerate(self._classes):
            if java_class.class_id not in chunks:
                continue
            at = self._field_offset(java_class, "size")
            rows = np.nonzero(columns.class_index == class_index)[0]
            if at is None or not rows.size:
                continue
            data = self._source.mapping()
            places = columns.offsets[rows].astype(np.int64)[:, None] + at + np.arange(4)
            words = np.ascontiguousarray(data[places]).view(">i4").reshape(-1).tolist()
            layout = self.layout
            fixed = instance_bytes(layout, self._scan.classes)[java_class.class_id]
            columns.size_units[rows] = [
                layout.stack_chunk_bytes(fixed, count) // columns.unit_bytes for count in words
            ]

    def _field_offset(self, java_class: JavaClass, name: str) -> int | None:
        """Where an int field lies in the record of an instance."""
        width = self._scan.header.identifier_bytes
        at = 1 + 2 * width + 8
        current: JavaClass | None = java_class
        seen: set[int] = set()
        while current is not None and current.class_id not in seen:
            seen.add(current.class_id)
            for field in current.fields:
                if field.name == name and field.type == BasicType.INT:
                    return at
                at += width if field.type == BasicType.OBJECT else VALUE_BYTES[field.type]
            current = self._scan.classes.get(current.super_id) if current.super_id else None
        return None

    @cached_property
    def roots(self) -> RootTable:
        """GC roots."""
        return resolve_roots(self.columns, self._classes, self._options)

    @cached_property
    def root_members(self) -> NDArray[np.uint32]:
        """Objects that are GC roots, uint32, ascending."""
        return self.roots.members()

    @cached_property
    def references(self) -> References:
        """Who refers to whom."""
        kept = self._from_index("indptr", "indices", "referents")
        if kept is not None:
            assert self._index is not None
            lost = int(self._index.values["lost_count"])
            return references.restore(
                kept[0], kept[1], kept[2], self._classes, self.columns, self.roots, self._options, lost
            )
        columns = self.columns
        degrees, self._degrees = self._degrees, None
        assert degrees is not None  # without an index the columns were filled just now
        return references.build(
            self._source, self._scan, self._classes, columns, degrees, self._tables, self.roots,
            self._options, self._progress, self._store.array,
        )  # fmt: skip

    @cached_property
    def _analysed(self) -> _Analysed:
        kept = self._from_index("immediate", "retained_units", "strong", "soft", "weak", "owner_parents")
        if kept is not None:
            return _Analysed(
                kept[0][:-1], kept[1][:-1], (kept[2], kept[3], kept[4]), kept[5], self._kept_path_sums()
            )
        graph, roots, store = self.references, self.root_members, self._store
        stopped = Event()

        def unless_stopped(phase: str, done: int, total: int) -> None:
            if stopped.is_set():
                raise KeyboardInterrupt

        buffers = new_buffers(self.columns.size_units, store.array)
        owner_parents = store.array("owner_parents", graph.object_count, np.uint32)
        # For the flood, then for the walk, both in the one helper thread; `dominate` waits for them before it
        # writes sizes there.
        room = buffers.retained_units.view(np.uint32)
        numbered, is_alone = Event(), worker_count() == 1
        flooding: list[Future[Strengths]] = []

        def make_pages_of(numbering: Numbering, state: NDArray[np.int64]) -> None:
            rows = [numbering.parents, numbering.order, numbering.numbers]
            fillings = [
                Filling(rows, lambda: int(state[kernels.NEXT])),
                Filling([numbering.pairs], lambda: int(state[kernels.PAIRS]), _PAIRS_AHEAD),
                # While there is time, of what the walk for owners will fill.
                Filling([owner_parents], lambda: 0, graph.object_count),
                Filling([buffers.retained_units], lambda: 0, graph.object_count),
            ]
            if not is_alone:
                pool.submit(make_pages, fillings, numbered)
            flooding.append(pool.submit(strengths, graph, roots, unless_stopped, room))

        with AtOnce() if is_alone else ThreadPoolExecutor(1) as pool:
            # One thread each: both are bound by the latency of memory, not by its bandwidth.
            try:
                numbering = number(graph, roots, self._progress, make_pages_of, numbered)
                held = numbering.flags[:, kernels.VISITED].copy()
                owned = pool.submit(
                    preferred_parents, graph, self._classes, self.class_totals[0], roots, held,
                    unless_stopped, owner_parents, room,
                )  # fmt: skip
                immediate, retained, path_sums = dominate(
                    numbering, self.columns.size_units, self._labels, self._progress,
                    replace(buffers, wait=owned.result),
                )  # fmt: skip
                found = _Analysed(immediate, retained, flooding[0].result(), owned.result(), path_sums)
            except BaseException:
                stopped.set()
                numbered.set()
                raise
        self._save(found)
        return found

    @cached_property
    def _labels(self) -> ClassLabels:
        graph, mirrors = self.references, np.empty(0, np.uint32)
        if self._options.semantics == "mat":  # whose sets of a class have its class object too
            mirrors = np.sort(graph.class_objects[graph.class_objects >= 0]).astype(np.uint32)
        return ClassLabels(graph.class_index, len(self._classes), class_row(self._classes), mirrors)

    def _kept_path_sums(self) -> PathSums | None:
        kept = self._from_index(*PathSums.names())
        assert kept is not None
        return PathSums(*kept) if kept[0].size else None

    def _save(self, found: _Analysed) -> None:
        columns, store = self.columns, self._store
        addresses, roots = columns.addresses, columns.roots
        if self._index_file is None:
            store.abandon()
            return
        store.shorten("indices", self.references.indices.size)
        names = sorted({each.name for each in self._classes if "\n" not in each.name})
        if not store.has("address_table"):
            store.add("address_table", addresses.table)
        strong, soft, weak = found.strengths
        arrays: dict[str, NDArray[Any]] = {
            "places": addresses.address_grid,
            "sorted_ids": addresses.sorted_ids,
            "segment_ranges": addresses.segment_ranges,
            "root_kinds": roots.kinds,
            "root_ids": roots.object_ids,
            "root_threads": roots.thread_serials,
            "root_frames": roots.frame_numbers,
            "root_traces": roots.trace_serials,
            "referents": self.references.referents.pairs,
            "strong": strong,
            "soft": soft,
            "weak": weak,
            CLASS_NAMES: np.frombuffer("\n".join(names).encode(errors="replace"), np.uint8),
        }
        for name in PathSums.names():
            sums = found.path_sums
            arrays[name] = np.empty(0, np.uint32) if sums is None else getattr(sums, name)
        for name, values in arrays.items():
            store.add(name, values)
        if identity_of(self._source.path) == self._identity:
            lost = {"lost_count": self.references.lost_count}
            self.is_in_index = store.commit(self._identity, self._key, lost)
        else:
            store.abandon()

    @property
    def strengths(self) -> Strengths:
        """How the GC roots reach each object; see `heapscope.heap.graph.reachability.strengths`."""
        return self._analysed.strengths

    @cached_property
    def shortest_parents(self) -> NDArray[np.uint32]:
        """See `heapscope.heap.graph.reachability.Reachability.parents`."""
        parents = array_beside(self._index_file, self.references.object_count, np.uint32)
        return shortest_parents(self.references, self.root_members, self._progress, parents)

    @property
    def owner_parents(self) -> NDArray[np.uint32]:
        """See `heapscope.heap.graph.preferred_paths`."""
        return self._analysed.owner_parents

    @property
    def path_sums(self) -> PathSums | None:
        """See `heapscope.heap.graph.path_sums`."""
        return self._analysed.path_sums

    @property
    def immediate_dominators(self) -> Immediate:
        """See `heapscope.heap.graph.dominators.Dominators`."""
        return self._analysed.immediate

    @property
    def retained_units(self) -> RetainedUnits:
        """See `heapscope.heap.graph.dominators.Dominators`."""
        return self._analysed.retained_units
