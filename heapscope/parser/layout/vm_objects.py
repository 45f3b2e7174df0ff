"""Objects that a class histogram of the VM counts and a dump hides.

HotSpot's dump is not the whole heap. Two kinds of objects that it hides can still be counted:

*Class objects of classes that are not loaded.*  A JDK with a CDS archive maps the
``java.lang.Class`` objects of all archived classes (JDK 17 with G1, since 20 with most
collectors); the dump has no record for those whose class was never loaded.  The archive
keeps them in ``Object[]`` arrays that are JNI global roots, so they are the elements of
such arrays at which no object lies; each ends where the next object begins.

*Arrays that fill dead space.*  Since JDK 19 they have a class of their own, which a dump shows
as ``int[]`` (`heapscope.parser.layout.layout.filler_class`).  Nothing refers to them.  In a dump of
live objects nothing else is like that but the locks (``int[0]``) of the classes above, one for
each that is no array; JDK 25 lists class objects of arrays twice and more, so the locks can be
counted.  Up to JDK 24 they cannot, and fillers without elements count as locks.  A dump that
also has garbage cannot tell at all, and then fillers stay ``int[]``: garbage is there where nothing
refers to a ``byte[]``, or to many more strings than there are classes, whose names class objects hold in a
field that no dump has.

Measured: with both, a dump equals ``GC.class_histogram`` of JDK 17, 21 and 25 to the byte,
with the archives these JDKs ship and with others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser.hash_table import hash_table
from heapscope.parser.instance_data import ReferenceFields
from heapscope.parser.kernels import OK
from heapscope.parser.layout import kernels
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import Layout, filler_class, instance_bytes
from heapscope.parser.records import JavaClass, u4_at
from heapscope.parser.segment_counts import raise_corrupt
from heapscope.parser.segment_workers import run_workers
from heapscope.parser.tags import BasicType, SubRecordTag, array_length_offset, object_array_head_bytes
from heapscope.progress import no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.parser.scan import HeapScan

# The archive's arrays have an element for each archived class or string: 2,156 on JDK 17, 2,711 on 25.
MIN_ARCHIVE_LENGTH = 256
# With more int[] than this no filler is looked for: telling them apart takes 17 bytes each.
MAX_INT_ARRAYS = 4_000_000
_BYTE_SAMPLES = 1 << 14
# So many strings, and of each class so many, may be held by what no dump shows.
_LOOSE_STRINGS = 100
_LOOSE_STRINGS_OF_CLASS = 2
# Releases as in `hotspot_fields.feature_release`.
_LOCKS_SINCE = 22  # before, the lock of a class object is not archived
_ARRAYS_TWICE_SINCE = 25
# No class object is this much larger than one without statics.
_MAX_STATICS_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class VmObjects:
    """What a class histogram of the VM had beside the dump's own rows.

    Attributes
    ----------
    unloaded_count, unloaded_bytes : int
        ``java.lang.Class`` objects the dump has no record for.
    filler_count, filler_bytes : int
        ``int[]`` of the dump that are fillers.
    filler_name : str
        The name of their class, ``""`` where the VM has none.
    unsure_count : int
        ``int[]`` that may be fillers or garbage, and count as ``int[]``.
    """

    unloaded_count: int = 0
    unloaded_bytes: int = 0
    filler_count: int = 0
    filler_bytes: int = 0
    filler_name: str = ""
    unsure_count: int = 0


@dataclass(slots=True)
class _Found:
    int_arrays: NDArray[np.uint64]
    byte_arrays: NDArray[np.uint64]
    object_arrays: NDArray[np.uint64]
    handles: NDArray[np.uint64]
    strings: NDArray[np.uint64]
    bounds: NDArray[np.uint64]  # shape (2, s): lowest and highest address in each segment


def find_vm_objects(path: str, data: NDArray[np.uint8], scan: HeapScan) -> VmObjects:
    """Look for both kinds in a dump that was scanned.

    Reads the heads of all objects once; a second time, with their references, only where there
    may be something to find.

    Parameters
    ----------
    path : str
        The file, for errors.
    data : uint8 array
        The whole (inflated) dump.
    scan : HeapScan
        What was counted in it.

    Raises
    ------
    CorruptRecord
        The file changed since it was scanned.
    """
    if scan.layout.confidence != "exact":
        return VmObjects()
    filler = filler_class(scan.classes)
    int_arrays = int(scan.primitive_counts[BasicType.INT])
    has_fillers = filler is not None and 0 < int_arrays <= MAX_INT_ARRAYS
    array_class = next(
        (i for i, c in scan.classes.items() if c.name == "java.lang.Object[]" and c.loader_id == 0), 0
    )
    if not has_fillers and (not array_class or not scan.root_counts[SubRecordTag.ROOT_JNI_GLOBAL]):
        return VmObjects()
    found = _collect(path, data, scan, array_class, has_fillers)
    absent, is_repeated = _archived_ids(data, scan, found)
    if not has_fillers and not absent.size:
        return VmObjects()

    order = np.argsort(found.int_arrays[:, 0], kind="stable")
    ints = found.int_arrays[order]
    wanted = np.unique(np.concatenate([ints[:, 0], found.byte_arrays, found.strings]))
    is_referred, is_there, next_ids = _check(path, data, scan, wanted, absent, found.bounds)
    unloaded = _unloaded_bytes(absent, is_there, next_ids, scan.layout, scan.classes)
    if filler is None or not has_fillers:
        return VmObjects(len(unloaded), sum(unloaded))
    name = scan.classes[filler].name
    lengths = ints[~is_referred[np.searchsorted(wanted, ints[:, 0])], 1].astype(np.int64)
    locks = 0
    if scan.layout.release >= _LOCKS_SINCE:
        classes = ~is_there if scan.layout.release < _ARRAYS_TWICE_SINCE else ~is_there & ~is_repeated
        locks = min(int(classes.sum()), int((lengths == 0).sum()))
    samples = is_referred[np.searchsorted(wanted, found.byte_arrays)]
    if not samples.all() or _has_loose_strings(scan, is_referred[np.searchsorted(wanted, found.strings)]):
        unsure = int(lengths.size) - locks
        return VmObjects(len(unloaded), sum(unloaded), filler_name=name, unsure_count=unsure)
    base, step = scan.layout.array_base_bytes[BasicType.INT], scan.layout.alignment_bytes
    sizes = (base + 4 * lengths + step - 1) // step * step
    lock_bytes = locks * scan.layout.array_bytes(BasicType.INT, 0)
    return VmObjects(
        len(unloaded), sum(unloaded), int(lengths.size) - locks, int(sizes.sum()) - lock_bytes, name
    )


def _has_loose_strings(scan: HeapScan, is_referred: NDArray[np.bool_]) -> bool:
    """Whether, by a sample, many more strings are referred to by nothing than there are classes."""
    if not is_referred.size:
        return False
    strings = scan.instance_counts.get(_string_class(scan), 0)
    return strings * float((~is_referred).mean()) > _LOOSE_STRINGS + _LOOSE_STRINGS_OF_CLASS * len(
        scan.classes
    )


def _string_class(scan: HeapScan) -> int:
    return next((i for i, c in scan.classes.items() if c.name == "java.lang.String" and c.loader_id == 0), 0)


def _collect(
    path: str, data: NDArray[np.uint8], scan: HeapScan, array_class: int, has_fillers: bool
) -> _Found:
    idb = scan.header.identifier_bytes
    constants = kernel_constants(idb, scan.layout)
    totals = {
        "ints": int(scan.primitive_counts[BasicType.INT]) if has_fillers else 0,
        "objects": scan.instance_counts.get(array_class, 0),
        "handles": int(scan.root_counts[SubRecordTag.ROOT_JNI_GLOBAL]),
    }
    byte_arrays = int(scan.primitive_counts[BasicType.BYTE])
    sample = 64 - max(1, (byte_arrays // _BYTE_SAMPLES).bit_length())
    string_class = _string_class(scan) if has_fillers else 0
    strings = min(scan.instance_counts.get(string_class, 0), 4 * _BYTE_SAMPLES)
    parts: list[_Found] = [_no_objects() for _ in range(scan.segment_starts.size)]

    def collect(row: int) -> None:
        most = int(scan.segment_objects[row])
        room = _Found(
            np.empty((min(most, totals["ints"]), 2), np.uint64),
            np.empty(min(most, 4 * _BYTE_SAMPLES), np.uint64),
            np.empty((min(most, totals["objects"]), 2), np.uint64),
            np.empty(min(int(scan.segment_roots[row]), totals["handles"]), np.uint64),
            np.empty(min(most, strings), np.uint64),
            np.empty((2, 0), np.uint64),
        )
        used = np.zeros(5, np.int64)
        bounds = np.array([2**64 - 1, 0], np.uint64)
        status = kernels.collect(
            data, scan.segment_starts[row], scan.segment_stops[row], constants,
            array_class, string_class, MIN_ARCHIVE_LENGTH, sample,
            room.int_arrays, room.byte_arrays, room.object_arrays, room.handles, room.strings, used,
            bounds,
        )  # fmt: skip
        if status != OK:
            raise_corrupt(path, int(scan.segment_starts[row]), status, 0)
        parts[row] = _Found(
            room.int_arrays[: used[kernels.INT_ARRAYS]].copy(),
            room.byte_arrays[: used[kernels.BYTE_ARRAYS]].copy(),
            room.object_arrays[: used[kernels.OBJECT_ARRAYS]].copy(),
            room.handles[: used[kernels.HANDLES]].copy(),
            room.strings[: used[kernels.STRINGS]].copy(),
            bounds.reshape(2, 1),
        )

    run_workers(scan.segment_bytes, lambda failed: (collect, None), no_progress, "")
    parts.append(_no_objects())
    return _Found(
        np.concatenate([part.int_arrays for part in parts]),
        np.concatenate([part.byte_arrays for part in parts]),
        np.concatenate([part.object_arrays for part in parts]),
        np.concatenate([part.handles for part in parts]),
        np.concatenate([part.strings for part in parts]),
        np.concatenate([part.bounds for part in parts], axis=1),
    )


def _no_objects() -> _Found:
    pairs, singles = np.empty((0, 2), np.uint64), np.empty(0, np.uint64)
    return _Found(pairs, singles, pairs, singles, singles, np.empty((2, 0), np.uint64))


def _archived_ids(
    data: NDArray[np.uint8], scan: HeapScan, found: _Found
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Elements, dumped classes aside, of ``Object[]`` that are JNI global roots.

    Sorted and distinct; and which of them are there more than once.
    """
    idb = scan.header.identifier_bytes
    rows = found.object_arrays[np.isin(found.object_arrays[:, 0], found.handles)]
    elements = [np.empty(0, np.uint64)]
    for position in rows[:, 1].astype(np.int64).tolist():
        begin = position + object_array_head_bytes(idb)
        length = u4_at(data, position + array_length_offset(idb))
        elements.append(data[begin : begin + length * idb].view(f">u{idb}").astype(np.uint64))
    dumped = np.array([0, *(i for i, c in scan.classes.items() if c.is_dumped)], np.uint64)
    ids, counts = np.unique(np.concatenate(elements), return_counts=True)
    is_other = ~np.isin(ids, dumped)
    return ids[is_other], counts[is_other] > 1


def _check(
    path: str,
    data: NDArray[np.uint8],
    scan: HeapScan,
    wanted: NDArray[np.uint64],
    absent: NDArray[np.uint64],
    bounds: NDArray[np.uint64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint64]]:
    """Of ``wanted``: which are referred to; of ``absent``: which are objects, and what comes next."""
    idb = scan.header.identifier_bytes
    constants = kernel_constants(idb, scan.layout)
    table, offsets = _reference_table(scan)
    bits_log2 = max(16, (32 * wanted.size).bit_length())  # 1 false answer in 32 to 64
    shift = 64 - bits_log2
    bits = np.zeros(1 << (bits_log2 - 6), np.uint64)
    kernels.fill_bloom(wanted, bits, shift)
    seen = np.zeros(wanted.size, np.uint8)
    is_there = np.zeros(absent.size, np.uint8)
    ends = np.append(absent[1:], absent[-1:] + np.uint64(_MAX_STATICS_BYTES))
    is_asked = np.full(scan.segment_starts.size, wanted.size > 0)
    if not wanted.size:  # then no reference is looked at: what lies elsewhere tells nothing
        is_asked = (bounds[0] < ends[-1]) & (bounds[1] >= absent[0])

    def make_worker(failed: Event) -> tuple[Callable[[int], None], NDArray[np.uint64]]:
        next_ids = ends.copy()

        def work(row: int) -> None:
            if not is_asked[row]:
                return
            # Threads only ever write the same 1 to seen and is_there.
            status = kernels.check(
                data, scan.segment_starts[row], scan.segment_stops[row], constants,
                table, offsets, wanted, bits, shift, seen, absent, is_there, next_ids,
            )  # fmt: skip
            if status != OK:
                raise_corrupt(path, int(scan.segment_starts[row]), status, 0)

        return work, next_ids

    next_ids = run_workers(scan.segment_bytes, make_worker, no_progress, "")
    held = [
        [c.loader_id, c.signers_id, c.protection_domain_id, *c.constant_ids]
        + [int(s.value) for s in c.statics if s.type == BasicType.OBJECT]
        for c in scan.classes.values()
    ]
    statics = np.array(sorted({i for ids in held for i in ids}), np.uint64)
    is_referred = seen.astype(bool) | np.isin(wanted, statics)
    return is_referred, is_there.astype(bool), np.min(next_ids, axis=0)


def _reference_table(scan: HeapScan) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Class table with FIRST_REFERENCE and END_REFERENCE, and the offsets that these are rows of."""
    fields = ReferenceFields(scan.classes, scan.header.identifier_bytes)
    offsets: list[int] = []
    rows: list[tuple[int, int, int]] = []
    for class_id in scan.instance_counts:
        if class_id in scan.classes and class_id not in scan.array_bytes:
            start = len(offsets)
            offsets += [offset for offset, _, _ in fields.of(class_id)]
            rows.append((class_id, start, len(offsets)))
    return hash_table(rows), np.array(offsets, np.int64)


def _unloaded_bytes(
    ids: NDArray[np.uint64],
    is_there: NDArray[np.bool_],
    next_ids: NDArray[np.uint64],
    layout: Layout,
    classes: dict[int, JavaClass],
) -> list[int]:
    """Bytes of each class object that has no record: from its address to the next object."""
    mirrors = [c.class_id for c in classes.values() if c.name == "java.lang.Class" and c.loader_id == 0]
    if not mirrors:
        return []
    smallest = instance_bytes(layout, classes)[mirrors[0]]
    sizes = (next_ids - ids).astype(np.int64)[~is_there].tolist()
    # The last one in its region may have nothing behind it.
    sizes = [size if size < _MAX_STATICS_BYTES else smallest for size in sizes]
    return [size for size in sizes if size >= smallest]
