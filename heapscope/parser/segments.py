"""Second pass over a dump: heap segments into columns, a row for each object and each root.

Format: see `heapscope.parser.tags`.  The rows come out in address order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from heapscope.errors import CorruptRecord, UnsupportedFormat
from heapscope.parser import kernels
from heapscope.parser.addresses import AddressMap, make_address_grid
from heapscope.parser.class_tables import ClassTables
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.record_offsets import RecordFinder, find_offsets
from heapscope.parser.records import JavaClass, loaded_class, unnamed_class
from heapscope.parser.scan import HeapScan
from heapscope.parser.segment_pass import Step, pass_over_segments
from heapscope.parser.source import Source
from heapscope.parser.tags import BasicType, SubRecordTag
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

MAX_OBJECTS = 2**32 - 2
_FEW = 4096  # objects of one question that are looked up one by one
# Up to so many objects the places of their records are noted while columns are filled: to write 64 MB takes
# less time than the pass that most commands would need later.
_OFFSETS_AT_ONCE = 1 << 24
# Makes an array of zeros: its name, shape and dtype.
Allocate = Callable[[str, "int | tuple[int, ...]", "DTypeLike"], "NDArray[Any]"]
NO_OBJECT = kernels.NOTHING  # no index is so large


@dataclass(frozen=True)
class Roots:
    """GC roots, a row for each root record in the dump's order; all arrays of shape (r,).

    Attributes
    ----------
    kinds : uint8
        `SubRecordTag` of the record.
    object_ids : uint64
        0 is possible (a thread that has no object any more).
    thread_serials : uint32
        0 where the kind has no thread.
    frame_numbers : int32
        -1 where the kind has no frame.
    trace_serials : uint32
        Stack trace of a thread object; 0 for other kinds.
    """

    kinds: NDArray[np.uint8]
    object_ids: NDArray[np.uint64]
    thread_serials: NDArray[np.uint32]
    frame_numbers: NDArray[np.int32]
    trace_serials: NDArray[np.uint32]


class Columns:
    """Objects in address order; all arrays of shape (n,).

    Attributes
    ----------
    addresses : AddressMap
        Identifiers to rows.
    class_index : uint16 or int32
        Row in the list of classes.
    size_units : uint32
        Shallow size in units of ``unit_bytes``.
    roots : Roots
    """

    def __init__(
        self,
        addresses: AddressMap,
        class_index: NDArray[np.uint16] | NDArray[np.int32],
        size_units: NDArray[np.uint32],
        unit_bytes: int,
        roots: Roots,
        find_offsets: Callable[[AddressMap], NDArray[np.uint32] | NDArray[np.int64]],
        find_offset: Callable[[AddressMap, int], int | None],
        offsets: NDArray[np.uint32] | None = None,
    ) -> None:
        self.addresses = addresses
        self.class_index = class_index
        self.size_units = size_units
        self.unit_bytes = unit_bytes
        self.roots = roots
        self._find_offsets = find_offsets
        self._find_offset = find_offset
        self._offsets: NDArray[np.uint32] | NDArray[np.int64] | None = offsets
        self._found: dict[int, int] = {}

    @property
    def object_ids(self) -> NDArray[np.uint64]:
        """Identifiers, uint64, strictly increasing; made when first asked for."""
        return self.addresses.object_ids

    @property
    def offsets(self) -> NDArray[np.uint32] | NDArray[np.int64]:
        """Where each object's sub-record begins in the inflated dump, uint32 or int64.

        Of a large dump a pass over it, when first asked for: the graph does not need it.
        """
        if self._offsets is None:
            self._offsets = self._find_offsets(self.addresses)
        return self._offsets

    @property
    def has_offsets(self) -> bool:
        """Whether `offsets` is there already."""
        return self._offsets is not None

    def offset_of(self, index: int) -> int:
        """`offsets` of one object; as long as it is few, their segments alone are searched."""
        if self.has_offsets:
            return int(self.offsets[index])
        if index not in self._found:
            found = self._find_offset(self.addresses, index)
            self._found[index] = int(self.offsets[index]) if found is None else found
        return self._found[index]

    def offsets_of(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """`offsets` of some objects, int64, in the order of ``indices``."""
        if self.has_offsets or indices.size > _FEW:
            return self.offsets[indices].astype(np.int64)
        return np.array([self.offset_of(index) for index in indices.tolist()], np.int64)


def class_list(scan: HeapScan) -> list[JavaClass]:
    """All classes of a dump, those that no record describes included.

    In the order of their class dumps, then those that only LOAD_CLASS or an object names, then
    arrays of primitives that have objects and no class.
    """
    classes = sorted(scan.classes.values(), key=lambda c: (not c.is_dumped, c.offset, c.class_id))
    for class_id in sorted(set(scan.instance_counts) - set(scan.classes)):
        name = unnamed_class(class_id) + ("[]" if class_id in scan.array_bytes else "")
        classes.append(loaded_class(class_id, name))
    names = {c.name for c in classes if c.loader_id == 0}
    for code, count in enumerate(scan.primitive_counts):
        if count and f"{BasicType(code).java_name}[]" not in names:
            classes.append(loaded_class(0, f"{BasicType(code).java_name}[]"))
    if "java.lang.Class" not in names:
        classes.append(loaded_class(0, "java.lang.Class"))
    return classes


def in_memory(name: str, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros of that ``shape`` and ``dtype``: the `Allocate` that keeps them under no ``name``.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
    dtype : data-type
    """
    return np.zeros(shape, dtype)


def too_many(object_count: int) -> str:
    """Why a dump of so many objects is not analysed, and what works all the same."""
    return (
        f"{object_count:,} objects; who refers to whom is analysed for {MAX_OBJECTS:,} at most; "
        "heapscope histogram counts any number"
    )


def map_addresses(
    source: Source, scan: HeapScan, progress: Progress = no_progress, allocate: Allocate = in_memory
) -> AddressMap:
    """Which identifiers there are, and which row each object has.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    progress : Progress
    allocate : Allocate
        Makes the table of the map.

    Raises
    ------
    UnsupportedFormat
        More than 4,294,967,294 objects.
    CorruptRecord
        Two objects at one address, or a file that changed since it was scanned.
    """
    path = str(source.path)
    n = scan.object_count
    if n > MAX_OBJECTS:
        raise UnsupportedFormat(path, None, too_many(n))
    grid = make_address_grid(scan.address_min, scan.address_max, scan.address_bits, n)
    nothing = np.empty(0, np.uint64)
    if grid is None:
        ids = _collect_ids(source, scan, progress)
        ids.sort()
        if bool((ids[1:] == ids[:-1]).any()):
            _raise_twice(source, scan)
        unknown = np.empty((2, 0), np.uint64)
        return AddressMap(np.zeros(3, np.uint64), np.empty((0, 2), np.uint64), ids, n, unknown)
    rows = (int(grid[kernels.GRID_BITS]) + 63) // 64
    # A bitmap over a range with large holes stays memory that nothing touched, and is no file.
    table = (allocate if rows <= n else in_memory)("address_table", (rows, 2), np.uint64)
    marks = scan.marks
    if marks is not None and marks.version == source.version and marks.add_to(table, grid):
        if kernels.rank_words(table) == n:
            return AddressMap(grid, table, nothing, n, marks.ranges)
        table[:] = 0
    ranges = _mark_addresses(source, scan, table, grid, progress)
    if kernels.rank_words(table) != n:
        _raise_twice(source, scan)
    return AddressMap(grid, table, nothing, n, ranges)


def _mark_addresses(
    source: Source, scan: HeapScan, table: NDArray[np.uint64], grid: NDArray[np.uint64], progress: Progress
) -> NDArray[np.uint64]:
    """Set the bits of all addresses in the table of an `AddressMap`; its ``segment_ranges``."""
    constants = kernel_constants(scan.header.identifier_bytes, scan.layout)
    parts: list[NDArray[np.uint64]] = []
    lock = Lock()
    ranges = np.zeros((2, scan.segment_starts.size), np.uint64)
    ranges[0] = np.iinfo(np.uint64).max

    def mark() -> Step:
        # One each: two threads must not set bits of one word.
        words = np.zeros(table.shape[0], np.uint64)
        with lock:
            parts.append(words)
        return lambda window, base, position, stop, state: kernels.mark_addresses(
            window, position, stop, constants, grid, words, ranges[0], ranges[1], state
        )

    pass_over_segments(source, scan, mark, progress, "mapping addresses")
    while parts:
        kernels.merge_words(parts.pop(), table)
    return ranges


def _collect_ids(source: Source, scan: HeapScan, progress: Progress) -> NDArray[np.uint64]:
    """Identifiers of all objects in the order of the dump."""
    constants = kernel_constants(scan.header.identifier_bytes, scan.layout)
    ids = np.empty(scan.object_count, np.uint64)

    def step(window: NDArray[np.uint8], base: int, position: int, stop: int, state: NDArray[np.int64]) -> int:
        return kernels.collect_ids(window, position, stop, constants, ids, state)

    pass_over_segments(source, scan, lambda: step, progress, "mapping addresses", counts_objects=True)
    return ids


def _raise_twice(source: Source, scan: HeapScan) -> NoReturn:
    """Find the second record at one address, slowly, and say where it is."""
    ids = _collect_ids(source, scan, no_progress)
    order = np.argsort(ids, kind="stable")
    twice = np.nonzero(ids[order[1:]] == ids[order[:-1]])[0]
    row = int(order[twice[0] + 1]) if twice.size else 0
    segment = int(np.searchsorted(np.cumsum(scan.segment_objects), row, side="right"))
    raise CorruptRecord(
        str(source.path),
        int(scan.segment_starts[segment]),
        f"two objects at 0x{int(ids[row]):x}, the second in the heap segment that begins here; "
        "the dump is damaged, take it again",
    )


def fill(
    source: Source,
    scan: HeapScan,
    addresses: AddressMap,
    tables: ClassTables,
    unit_bytes: int,
    progress: Progress = no_progress,
    allocate: Allocate = in_memory,
    allocate_offsets: Callable[[int, str], NDArray[Any]] = np.empty,
) -> tuple[Columns, NDArray[np.uint32] | NDArray[np.int64]]:
    """Columns of all objects and root records, and how many references each object has.

    Class objects and stack chunks have no size and no references yet: what they have, no kernel
    can tell.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    addresses : AddressMap
    tables : ClassTables
    unit_bytes : int
        What the column of sizes counts in, as in ``tables``.
    progress : Progress
    allocate : Allocate
        Makes the columns.
    allocate_offsets : callable
        Makes `Columns.offsets`: now for a small dump, for a large one when it is first asked for.

    Returns
    -------
    columns : Columns
    degrees : uint32 or int64 array, shape (n + 1,)
        References of each object, for `fill_references` to turn into row starts.

    Raises
    ------
    CorruptRecord
        The file changed since it was scanned.
    """
    n = scan.object_count
    classes = "u2" if tables.referent_slots.size < 1 << 16 else "i4"
    # Each reference takes an identifier in the dump, but the one to the class object.
    most = scan.dump_bytes // scan.header.identifier_bytes + n
    starts = "u4" if most < 1 << 32 else "i8"
    class_index = allocate("class_index", n, classes)
    size_units = allocate("size_units", n, np.uint32)
    degrees = allocate("indptr", n + 1, starts)
    roots = int(scan.segment_roots.sum())
    root_kinds, root_ids = np.empty(roots, np.uint8), np.empty(roots, np.uint64)
    root_first, root_second = np.empty(roots, np.uint32), np.empty(roots, np.uint32)
    has_offsets = n <= _OFFSETS_AT_ONCE and scan.dump_bytes < 1 << 32
    offsets = allocate_offsets(n, "u4") if has_offsets else np.empty(0, np.uint32)
    kernel = kernels.fill_columns[classes, starts]

    def step(window: NDArray[np.uint8], base: int, position: int, stop: int, state: NDArray[np.int64]) -> int:
        return kernel(
            window, base, position, stop, tables.constants, tables.table, tables.primitive_class,
            tables.class_class, tables.slot_starts, tables.slots, tables.referent_slots,
            addresses.address_grid, addresses.table, addresses.sorted_ids,
            class_index, size_units, degrees, offsets,
            root_kinds, root_ids, root_first, root_second, state,
        )  # fmt: skip

    pass_over_segments(
        source, scan, lambda: step, progress, "indexing", counts_objects=True, counts_roots=True
    )
    has_frame = np.isin(
        root_kinds,
        [SubRecordTag.ROOT_JNI_LOCAL, SubRecordTag.ROOT_JAVA_FRAME, SubRecordTag.ROOT_JNI_MONITOR],
    )
    is_thread = root_kinds == SubRecordTag.ROOT_THREAD_OBJECT
    found = Roots(
        kinds=root_kinds,
        object_ids=root_ids,
        thread_serials=root_first,
        frame_numbers=np.where(has_frame, root_second.astype(np.int32), np.int32(-1)),
        trace_serials=np.where(is_thread, root_second, np.uint32(0)),
    )
    columns = Columns(
        addresses=addresses,
        class_index=class_index,
        size_units=size_units,
        unit_bytes=unit_bytes,
        roots=found,
        find_offsets=partial(find_offsets, source, scan, progress=progress, allocate=allocate_offsets),
        find_offset=RecordFinder(source, scan).find,
        offsets=offsets if has_offsets else None,
    )
    return columns, degrees


@dataclass(frozen=True)
class Edges:
    """References as CSR, as `fill_references` makes them.

    Attributes
    ----------
    indptr : uint32 or int64 array, shape (n + 1,)
    indices : uint32 array
        `NO_OBJECT` for a reference that leads nowhere.
    referents : uint64 array
        Referents of reference objects, followed or not, as source << 32 | target, ascending.
    lost_count : int
        References that lead nowhere.
    """

    indptr: NDArray[np.uint32] | NDArray[np.int64]
    indices: NDArray[np.uint32]
    referents: NDArray[np.uint64]
    lost_count: int


def fill_references(
    source: Source,
    scan: HeapScan,
    columns: Columns,
    tables: ClassTables,
    class_targets: NDArray[np.uint32],
    degrees: NDArray[np.uint32] | NDArray[np.int64],
    reference_objects: int,
    progress: Progress = no_progress,
    allocate: Allocate = in_memory,
) -> Edges:
    """Object indices that instances and arrays refer to.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    columns : Columns
        What `fill` made.
    tables : ClassTables
    class_targets : uint32 array, shape (c,)
        The class object that instances refer to first; `NO_OBJECT` leaves it out.
    degrees : uint32 or int64 array, shape (n + 1,)
        References of each object, as `fill` has them; becomes `Edges.indptr`.  Where it says more
        than the records have, room is left at the end of the object's row.
    reference_objects : int
        No more than so many objects have a referent.
    progress : Progress
    allocate : Allocate
        Makes the targets.

    Raises
    ------
    CorruptRecord
        The file changed since it was scanned.
    """
    addresses = columns.addresses
    starts = "u4" if degrees.dtype == np.uint32 else "i8"
    classes = "u2" if columns.class_index.dtype == np.uint16 else "i4"
    count = kernels.row_starts[classes, starts](degrees, columns.class_index, class_targets)
    targets = allocate("indices", count, np.uint32)
    parts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    lock = Lock()

    def make_step() -> Step:
        referents = np.empty(reference_objects, np.uint64)
        mine: list[NDArray[np.int64]] = []

        def step(
            window: NDArray[np.uint8], base: int, position: int, stop: int, state: NDArray[np.int64]
        ) -> int:
            if not mine:
                mine.append(state)
                with lock:
                    parts.append((referents, state))
            return kernels.fill_references[starts](
                window, position, stop, tables.constants, tables.table, tables.primitive_class,
                class_targets, tables.slot_starts, tables.slots, tables.referent_slots,
                addresses.address_grid, addresses.table, addresses.sorted_ids,
                degrees, targets, referents, state,
            )  # fmt: skip

        return step

    states = pass_over_segments(source, scan, make_step, progress, "following references")
    listed = [part[: int(state[kernels.LISTED])] for part, state in parts]
    referents = np.sort(np.concatenate(listed)) if listed else np.empty(0, np.uint64)
    return Edges(degrees, targets, referents, sum(int(state[kernels.LOST]) for state in states))
