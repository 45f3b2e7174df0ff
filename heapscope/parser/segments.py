"""Second pass over a dump: heap segments into columns, a row for each object and each root.

Format: see `heapscope.parser.tags`.  The rows come out in address order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import CorruptRecord, UnsupportedFormat
from heapscope.parser import kernels
from heapscope.parser.counter import raise_corrupt
from heapscope.parser.layout import instance_bytes, mirror_bytes
from heapscope.parser.records import JavaClass, loaded_class, unnamed_class
from heapscope.parser.scan import HeapScan
from heapscope.parser.source import Source, worker_count
from heapscope.parser.tags import BasicType, SubRecordTag
from heapscope.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_OBJECTS = 2**32 - 2


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


@dataclass(frozen=True)
class Columns:
    """Objects in address order; all arrays of shape (n,).

    Attributes
    ----------
    object_ids : uint64
        Strictly increasing.
    class_index : int32
        Row in the class list that `fill` was given.
    offsets : int64
        Where the object's sub-record begins in the inflated dump; -1 where the dump has none.
    size_units : uint32
        Shallow size in units of ``unit_bytes``.
    """

    object_ids: NDArray[np.uint64]
    class_index: NDArray[np.int32]
    offsets: NDArray[np.int64]
    size_units: NDArray[np.uint32]
    unit_bytes: int
    roots: Roots


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


def fill(source: Source, scan: HeapScan, classes: list[JavaClass], progress: Progress = silent) -> Columns:
    """Columns of all objects and root records.

    Parameters
    ----------
    classes : list of JavaClass
        What `class_list` gives for ``scan``.

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
    data = source.mapping(progress)
    layout = scan.layout
    unit = 1 if layout.rule == "android" else 8
    bootstrap = {c.name: i for i, c in reversed(list(enumerate(classes))) if c.loader_id == 0}
    class_class = bootstrap["java.lang.Class"]
    primitive_class = np.zeros(12, np.int64)
    for code in np.nonzero(scan.primitive_counts)[0]:
        primitive_class[code] = bootstrap[f"{BasicType(int(code)).java_name}[]"]
    table = _class_table(scan, classes, unit)

    ids, offsets = np.empty(n, np.uint64), np.empty(n, np.int64)
    class_index, size_units = np.empty(n, np.int32), np.empty(n, np.uint32)
    roots = int(scan.segment_roots.sum())
    root_kinds, root_ids = np.empty(roots, np.uint8), np.empty(roots, np.uint64)
    root_first, root_second = np.empty(roots, np.uint32), np.empty(roots, np.uint32)
    first_row = np.concatenate([[0], np.cumsum(scan.segment_objects)])
    first_root = np.concatenate([[0], np.cumsum(scan.segment_roots)])
    constants = kernels.constants(scan.header.identifier_bytes, layout, unit)
    lock = Lock()
    done = 0
    total = int((scan.segment_stops - scan.segment_starts).sum())

    def fill_segment(row: int) -> None:
        nonlocal done
        start, stop = int(scan.segment_starts[row]), int(scan.segment_stops[row])
        status = kernels.fill_columns(
            data, start, stop, constants, table, primitive_class, class_class,
            first_row[row], first_row[row + 1], first_root[row], first_root[row + 1],
            ids, class_index, offsets, size_units, root_kinds, root_ids, root_first, root_second,
        )  # fmt: skip
        if status != kernels.OK:
            raise_corrupt(path, start, status, 0)
        with lock:
            done += stop - start
            progress("indexing", done, total)

    with ThreadPoolExecutor(worker_count()) as pool:
        futures = [pool.submit(fill_segment, row) for row in range(scan.segment_starts.size)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    if n and not bool(np.all(ids[1:] > ids[:-1])):
        order = np.argsort(ids, kind="stable")
        ids, class_index, offsets, size_units = (
            ids[order], class_index[order], offsets[order], size_units[order],
        )  # fmt: skip
        twice = np.nonzero(ids[1:] == ids[:-1])[0]
        if twice.size:
            raise CorruptRecord(
                path,
                int(max(offsets[twice[0]], offsets[twice[0] + 1])),
                f"two objects at 0x{int(ids[twice[0]]):x}; the dump is damaged",
            )
    mirrors = mirror_bytes(layout, scan.classes)
    # Rows of class dumps; HotSpot writes int.class and its like as instances, with a size.
    own = np.nonzero((class_index == class_class) & (size_units == 0))[0]
    size_units[own] = [mirrors.get(int(i), 0) // unit for i in ids[own]]
    has_frame = np.isin(
        root_kinds,
        [SubRecordTag.ROOT_JNI_LOCAL, SubRecordTag.ROOT_JAVA_FRAME, SubRecordTag.ROOT_JNI_MONITOR],
    )
    is_thread = root_kinds == SubRecordTag.ROOT_THREAD_OBJECT
    return Columns(
        ids,
        class_index,
        offsets,
        size_units,
        unit,
        Roots(
            root_kinds,
            root_ids,
            root_first,
            np.where(has_frame, root_second.astype(np.int32), np.int32(-1)),
            np.where(is_thread, root_second, np.uint32(0)),
        ),
    )


def _class_table(scan: HeapScan, classes: list[JavaClass], unit: int) -> NDArray[np.uint64]:
    """Class identifier -> (class index, units of an instance), as `fill_columns` wants it."""
    sizes = instance_bytes(scan.layout, scan.classes)
    rows = [(c.class_id, i) for i, c in enumerate(classes) if c.class_id]
    keys = np.array([class_id for class_id, _ in rows], np.uint64)
    indices = np.array([i for _, i in rows], np.uint64)
    amounts = np.array([sizes.get(class_id, 0) // unit for class_id, _ in rows], np.uint64)
    slots = 1 << max(4, (2 * len(rows)).bit_length())
    table = np.zeros((slots, 4), np.uint64)
    kernels.fill_table(keys, indices, amounts, table)
    return table
