"""Second pass over a dump: heap segments into columns, a row for each object and each root.

Format: see `heapscope.parser.tags`.  The rows come out in address order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import CorruptRecord, UnsupportedFormat
from heapscope.parser import kernels
from heapscope.parser.addresses import AddressMap, map_places
from heapscope.parser.layout.layout import Layout, instance_bytes
from heapscope.parser.record_offsets import find_offset, find_offsets
from heapscope.parser.records import JavaClass, loaded_class, unnamed_class
from heapscope.parser.scan import HeapScan
from heapscope.parser.segment_pass import Step, sweep
from heapscope.parser.source import Source
from heapscope.parser.tags import VALUE_BYTES, BasicType, SubRecordTag
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

MAX_OBJECTS = 2**32 - 2
_FEW = 24  # objects to look up one by one before all are located, which takes as long
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
    ) -> None:
        self.addresses = addresses
        self.class_index = class_index
        self.size_units = size_units
        self.unit_bytes = unit_bytes
        self.roots = roots
        self._find_offsets = find_offsets
        self._find_offset = find_offset
        self._found: dict[int, int] = {}

    @property
    def object_ids(self) -> NDArray[np.uint64]:
        """Identifiers, uint64, strictly increasing; made when first asked for."""
        return self.addresses.object_ids

    @cached_property
    def offsets(self) -> NDArray[np.uint32] | NDArray[np.int64]:
        """Where each object's sub-record begins in the inflated dump, uint32 or int64.

        A pass over the dump, when first asked for: the graph does not need it.
        """
        return self._find_offsets(self.addresses)

    def offset_of(self, index: int) -> int:
        """`offsets` of one object; of the first few, their segments alone are searched."""
        if "offsets" in self.__dict__ or len(self._found) >= _FEW:
            return int(self.offsets[index])
        if index not in self._found:
            found = self._find_offset(self.addresses, index)
            self._found[index] = int(self.offsets[index]) if found is None else found
        return self._found[index]


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


@dataclass(frozen=True)
class Shapes:
    """What the passes over segments must know of the classes.

    Attributes
    ----------
    table : uint64 array, shape (2**k, 4)
        Class identifier -> (class index, units of an instance), open addressing.
    slot_starts : int64 array, shape (c + 1,)
    primitive_class : int64 array, shape (12,)
        Type code -> class index of its arrays.
    class_class : int
        Class index of java.lang.Class.
    referent_slots : int64 array, shape (c,)
        Where the referent of a reference object lies, negated if it is not followed; 0: none.
    slots : int64 array
        Where the references of an instance lie, in bytes from its record's beginning; of class i
        ``slots[slot_starts[i]:slot_starts[i + 1]]``, ascending.
    """

    table: NDArray[np.uint64]
    slot_starts: NDArray[np.int64]
    slots: NDArray[np.int64]
    referent_slots: NDArray[np.int64]
    primitive_class: NDArray[np.int64]
    class_class: int
    constants: NDArray[np.int64]


def shapes_of(
    scan: HeapScan,
    classes: list[JavaClass],
    layout: Layout,
    unit_bytes: int,
    referents: Mapping[int, tuple[int, bool]],
) -> Shapes:
    """What `fill` and `fill_references` need to know.

    Parameters
    ----------
    layout : Layout
        What sizes follow from.
    referents : mapping
        Class index of reference objects -> (identifier of the class that declares ``referent``,
        whether it is followed).
    """
    width = scan.header.identifier_bytes
    head = 1 + 2 * width + 8
    widths = {code: width if code == BasicType.OBJECT else VALUE_BYTES[code] for code in BasicType}
    slots: list[int] = []
    counts: list[int] = []
    own: dict[int, tuple[list[tuple[int, str]], int]] = {}  # (offset, name) of references, whole bytes
    for java_class in scan.classes.values():
        at, found = 0, []
        for field in java_class.fields:
            if field.type == BasicType.OBJECT:
                found.append((at, field.name))
            at += widths[field.type]
        own[java_class.class_id] = found, at
    referent_slots = np.zeros(len(classes), np.int64)
    for i, java_class in enumerate(classes):
        before = len(slots)
        declaring, is_followed = referents.get(i, (-1, False))
        at = head
        # The super chain as `scan` followed it: instances are exactly this long.
        current = scan.classes.get(java_class.class_id)
        seen: set[int] = set()
        while current is not None and current.class_id not in seen:
            seen.add(current.class_id)
            references, whole = own[current.class_id]
            for offset, name in references:
                if current.class_id == declaring and name == "referent":
                    referent_slots[i] = at + offset if is_followed else -(at + offset)
                else:
                    slots.append(at + offset)
            at += whole
            current = scan.classes.get(current.super_id) if current.super_id else None
        counts.append(len(slots) - before)
    rows = [(c.class_id, i) for i, c in enumerate(classes) if c.class_id]
    keys = np.array([class_id for class_id, _ in rows], np.uint64)
    indices = np.array([i for _, i in rows], np.uint64)
    sizes = instance_bytes(layout, scan.classes)
    amounts = np.array([sizes.get(class_id, 0) // unit_bytes for class_id, _ in rows], np.uint64)
    table = np.zeros((1 << max(4, (2 * len(rows)).bit_length()), 4), np.uint64)
    kernels.fill_table(keys, indices, amounts, table)
    bootstrap = {c.name: i for i, c in reversed(list(enumerate(classes))) if c.loader_id == 0}
    primitive_class = np.zeros(12, np.int64)
    for code in np.nonzero(scan.primitive_counts)[0].tolist():
        primitive_class[code] = bootstrap[f"{BasicType(code).java_name}[]"]
    return Shapes(
        table,
        np.array([0, *accumulate(counts)], np.int64),
        np.array(slots, np.int64),
        referent_slots,
        primitive_class,
        bootstrap["java.lang.Class"],
        kernels.constants(width, layout, unit_bytes),
    )


def in_memory(name: str, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """`Allocate` that nothing keeps."""
    return np.zeros(shape, dtype)


def map_addresses(
    source: Source, scan: HeapScan, progress: Progress = no_progress, allocate: Allocate = in_memory
) -> AddressMap:
    """Identifiers of all objects.

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
        raise UnsupportedFormat(path, None, f"{n:,} objects; heapscope can index {MAX_OBJECTS:,}")
    constants = kernels.constants(scan.header.identifier_bytes, scan.layout)
    places = map_places(scan.address_min, scan.address_max, scan.address_bits, n)
    nothing = np.empty(0, np.uint64)
    if places is None:
        ids = np.empty(n, np.uint64)

        def collect() -> Step:
            return lambda window, base, position, stop, state: kernels.collect_ids(
                window, position, stop, constants, ids, state
            )

        sweep(source, scan, collect, progress, "mapping addresses", counts_objects=True)
        ids.sort()
        twice = np.nonzero(ids[1:] == ids[:-1])[0]
        if twice.size:
            _raise_twice(source, scan, int(ids[twice[0]]))
        unknown = np.empty((2, 0), np.uint64)
        return AddressMap(np.zeros(3, np.uint64), np.empty((0, 2), np.uint64), ids, n, unknown)
    rows = (int(places[kernels.MAP_BITS]) + 63) // 64
    parts: list[NDArray[np.uint64]] = []
    lock = Lock()
    ranges = np.zeros((2, scan.segment_starts.size), np.uint64)
    ranges[0] = np.iinfo(np.uint64).max

    def mark() -> Step:
        # One each: two threads must not set bits of one word.
        words = np.zeros(rows, np.uint64)
        with lock:
            parts.append(words)
        return lambda window, base, position, stop, state: kernels.mark_addresses(
            window, position, stop, constants, places, words, ranges[0], ranges[1], state
        )

    sweep(source, scan, mark, progress, "mapping addresses")
    # A bitmap over a range with large holes stays memory that nothing touched, and is no file.
    table = (allocate if rows <= n else in_memory)("address_table", (rows, 2), np.uint64)
    while parts:
        kernels.merge_words(parts.pop(), table)
    if kernels.rank_words(table) != n:
        _raise_twice(source, scan, None)
    return AddressMap(places, table, nothing, n, ranges)


def _raise_twice(source: Source, scan: HeapScan, object_id: int | None) -> None:
    """Find the second record at one address, slowly, and say where it is."""
    constants = kernels.constants(scan.header.identifier_bytes, scan.layout)
    ids = np.empty(scan.object_count, np.uint64)
    sweep(
        source,
        scan,
        lambda: (
            lambda window, base, position, stop, state: kernels.collect_ids(
                window, position, stop, constants, ids, state
            )
        ),
        no_progress,
        "mapping addresses",
        counts_objects=True,
    )
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
    shapes: Shapes,
    unit_bytes: int,
    progress: Progress = no_progress,
    allocate: Allocate = in_memory,
) -> tuple[Columns, NDArray[np.uint32] | NDArray[np.int64]]:
    """Columns of all objects and root records, and how many references each object has.

    The latter, uint32 or int64, has shape (n + 1,), for `fill_references` to turn into row starts.
    Class objects and stack chunks have no size and no references yet: what they have, no kernel
    can tell.

    Raises
    ------
    CorruptRecord
        The file changed since it was scanned.
    """
    n = scan.object_count
    classes = "u2" if shapes.referent_slots.size < 1 << 16 else "i4"
    # Each reference takes an identifier in the dump, but the one to the class object.
    most = scan.dump_bytes // scan.header.identifier_bytes + n
    starts = "u4" if most < 1 << 32 else "i8"
    class_index = allocate("class_index", n, classes)
    size_units = allocate("size_units", n, np.uint32)
    degrees = allocate("indptr", n + 1, starts)
    roots = int(scan.segment_roots.sum())
    root_kinds, root_ids = np.empty(roots, np.uint8), np.empty(roots, np.uint64)
    root_first, root_second = np.empty(roots, np.uint32), np.empty(roots, np.uint32)
    kernel = kernels.fill_columns[classes, starts]

    def step(window: NDArray[np.uint8], base: int, position: int, stop: int, state: NDArray[np.int64]) -> int:
        return kernel(
            window, position, stop, shapes.constants, shapes.table, shapes.primitive_class,
            shapes.class_class, shapes.slot_starts, shapes.slots, shapes.referent_slots,
            addresses.places, addresses.table, addresses.sorted_ids,
            class_index, size_units, degrees,
            root_kinds, root_ids, root_first, root_second, state,
        )  # fmt: skip

    sweep(source, scan, lambda: step, progress, "indexing", counts_objects=True, counts_roots=True)
    has_frame = np.isin(
        root_kinds,
        [SubRecordTag.ROOT_JNI_LOCAL, SubRecordTag.ROOT_JAVA_FRAME, SubRecordTag.ROOT_JNI_MONITOR],
    )
    is_thread = root_kinds == SubRecordTag.ROOT_THREAD_OBJECT
    found = Roots(
        root_kinds,
        root_ids,
        root_first,
        np.where(has_frame, root_second.astype(np.int32), np.int32(-1)),
        np.where(is_thread, root_second, np.uint32(0)),
    )
    return Columns(
        addresses,
        class_index,
        size_units,
        unit_bytes,
        found,
        partial(find_offsets, source, scan, progress=progress),
        partial(find_offset, source, scan),
    ), degrees


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
    shapes: Shapes,
    class_targets: NDArray[np.uint32],
    degrees: NDArray[np.uint32] | NDArray[np.int64],
    reference_objects: int,
    progress: Progress = no_progress,
    allocate: Allocate = in_memory,
) -> Edges:
    """Object indices that instances and arrays refer to.

    Parameters
    ----------
    class_targets : uint32 array, shape (c,)
        The class object that instances refer to first; `NO_OBJECT` leaves it out.
    degrees : uint32 or int64 array, shape (n + 1,)
        References of each object, as `fill` has them; becomes `Edges.indptr`.  Where it says more
        than the records have, room is left at the end of the object's row.
    reference_objects : int
        No more than so many objects have a referent.

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
                window, position, stop, shapes.constants, shapes.table, shapes.primitive_class,
                class_targets, shapes.slot_starts, shapes.slots, shapes.referent_slots,
                addresses.places, addresses.table, addresses.sorted_ids,
                degrees, targets, referents, state,
            )  # fmt: skip

        return step

    states = sweep(source, scan, make_step, progress, "following references")
    listed = [part[: int(state[kernels.LISTED])] for part, state in parts]
    referents = np.sort(np.concatenate(listed)) if listed else np.empty(0, np.uint64)
    return Edges(degrees, targets, referents, sum(int(state[kernels.LOST]) for state in states))
