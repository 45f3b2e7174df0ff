"""Compiled loops that look for objects of the VM; called through `heapscope.parser.layout.kernels` only.

As in `heapscope.parser._kernels`: every index is checked against the buffer, a status says why a kernel
stopped.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint64, uintp

from heapscope.parser._record_kernels import (
    _array_length,
    _class_id,
    _data_length,
    _element_type,
    _id,
    _instance_head_bytes,
    _is_object_tag,
    _object_array_head_bytes,
    _object_id,
    _record_size,
    _slot,
    _u1,
)
from heapscope.parser.kernels import IDENTIFIER_BYTES, NEED_BYTES, OK, OVERRUN
from heapscope.parser.layout.kernels import (
    BYTE_ARRAYS,
    END_REFERENCE,
    FIRST_REFERENCE,
    HANDLES,
    INT_ARRAYS,
    NEED_ROOM,
    OBJECT_ARRAYS,
    STRINGS,
)
from heapscope.parser.tags import BasicType, SubRecordTag

_GOLDEN = 0x9E3779B97F4A7C15


@njit(forceinline=True)
def _bit(key, shift):
    return (key * uint64(_GOLDEN)) >> shift


@njit(nogil=True)
def collect(
    buf, pos, stop, constants, array_class, string_class, min_length, sample,
    int_arrays, byte_arrays, object_arrays, handles, strings, used, bounds,
):  # fmt: skip
    """Gather what `vm_objects` chooses from, in the sub-records from ``pos`` to ``stop``.

    ``int_arrays`` (uint64, (n, 2)): address and length of each ``int[]``, if it has room at all.
    ``byte_arrays``: addresses of one ``byte[]`` in 2**(64 - sample).
    ``object_arrays`` (uint64, (n, 2)): address and position of arrays of ``array_class`` with
    ``min_length`` elements or more.  ``handles``: objects of JNI global roots.
    ``strings``: addresses of instances of ``string_class``, one in as many as of ``byte[]``.
    ``used`` (int64, (5,)) counts them.  ``bounds`` (uint64, (2,)) are widened to the lowest and the highest
    address of an object.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = min(stop, buf.shape[0])
    while pos < limit:
        size, status = _record_size(buf, pos, limit, idb, constants, True)
        if status != OK:
            return OVERRUN if status == NEED_BYTES else status
        if pos + size > limit:
            return OVERRUN
        tag = _u1(buf, pos)
        if _is_object_tag(tag):
            own = _object_id(buf, pos, idb)
            bounds[0] = min(bounds[0], own)
            bounds[1] = max(bounds[1], own)
        if tag == SubRecordTag.INSTANCE_DUMP:
            if used[STRINGS] < strings.shape[0] and _class_id(buf, pos, tag, idb) == uint64(string_class):
                address = _object_id(buf, pos, idb)
                if _bit(address, uint64(sample)) == uint64(0):
                    strings[used[STRINGS]] = address
                    used[STRINGS] += 1
        elif tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            if _array_length(buf, pos, idb) >= min_length and _class_id(buf, pos, tag, idb) == uint64(
                array_class
            ):
                if used[OBJECT_ARRAYS] == object_arrays.shape[0]:
                    return NEED_ROOM
                object_arrays[used[OBJECT_ARRAYS], 0] = _object_id(buf, pos, idb)
                object_arrays[used[OBJECT_ARRAYS], 1] = pos
                used[OBJECT_ARRAYS] += 1
        elif tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP or tag == SubRecordTag.PRIMITIVE_ARRAY_NODATA:
            if int_arrays.shape[0] > 0:
                address = _object_id(buf, pos, idb)
                code = _element_type(buf, pos, idb)
                if code == BasicType.INT:
                    if used[INT_ARRAYS] == int_arrays.shape[0]:
                        return NEED_ROOM
                    int_arrays[used[INT_ARRAYS], 0] = address
                    int_arrays[used[INT_ARRAYS], 1] = _array_length(buf, pos, idb)
                    used[INT_ARRAYS] += 1
                elif (
                    code == BasicType.BYTE
                    and used[BYTE_ARRAYS] < byte_arrays.shape[0]
                    and _bit(address, uint64(sample)) == uint64(0)
                ):
                    byte_arrays[used[BYTE_ARRAYS]] = address
                    used[BYTE_ARRAYS] += 1
        elif tag == SubRecordTag.ROOT_JNI_GLOBAL:
            if used[HANDLES] == handles.shape[0]:
                return NEED_ROOM
            handles[used[HANDLES]] = _object_id(buf, pos, idb)
            used[HANDLES] += 1
        pos += size
    return OK


@njit(nogil=True)
def fill_bloom(keys, bits, shift):
    """Set the bit of each key in ``bits`` (uint64 words; 2**(64 - shift) bits)."""
    for i in range(keys.shape[0]):
        bit = _bit(keys[i], uint64(shift))
        bits[bit >> uint64(6)] |= uint64(1) << (bit & uint64(63))
    return OK


# The arrays that are passed on here are counted as referenced anew at each call, for 30 ns: so
# the test that nearly all references fail stands in the loops of `check`.
@njit(nogil=True)
def _mark(key, wanted, seen):
    """Note that ``key`` was met, if it is one of the sorted ``wanted``."""
    row, behind = 0, wanted.shape[0]
    while row < behind:
        middle = (row + behind) >> 1
        if wanted[uintp(middle)] < key:
            row = middle + 1
        else:
            behind = middle
    if row < wanted.shape[0] and wanted[uintp(row)] == key:
        seen[uintp(row)] = 1


@njit(forceinline=True)
def _may_be_wanted(key, bits, shift):
    bit = _bit(key, shift)
    return (bits[bit >> uint64(6)] >> (bit & uint64(63))) & uint64(1) != uint64(0)


@njit(nogil=True)
def check(
    buf, pos, stop, constants, table, reference_offsets,
    wanted, bits, shift, seen, ids, is_there, next_ids,
):  # fmt: skip
    """Which of the sorted ``wanted`` objects are referred to, and which ``ids`` are objects.

    ``table``: class table with FIRST_REFERENCE and END_REFERENCE, the rows of the class in
    ``reference_offsets``, which says at which bytes of an instance's data references stand.
    ``seen`` (uint8) is set for wanted objects that a field, an array or a root refers to.
    ``is_there`` (uint8) is set for those of the sorted ``ids`` at which an object lies,
    ``next_ids`` (uint64) lowered to the next object behind each.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = min(stop, buf.shape[0])
    any_wanted = wanted.shape[0] > 0
    low = wanted[0] if any_wanted else uint64(1)
    high = wanted[wanted.shape[0] - 1] if any_wanted else uint64(0)
    any_ids = ids.shape[0] > 0
    first = ids[0] if any_ids else uint64(0)
    bound = next_ids[next_ids.shape[0] - 1] if any_ids else uint64(0)
    last_class = uint64(0)
    span = 0
    span_end = 0
    while pos < limit:
        size, status = _record_size(buf, pos, limit, idb, constants, True)
        if status != OK:
            return OVERRUN if status == NEED_BYTES else status
        if pos + size > limit:
            return OVERRUN
        tag = _u1(buf, pos)
        address = _object_id(buf, pos, idb) if _is_object_tag(tag) else uint64(0)
        if any_wanted and tag == SubRecordTag.INSTANCE_DUMP:
            key = _class_id(buf, pos, tag, idb)
            if key != last_class:  # instances of a class often lie together
                last_class = key
                slot = _slot(table, key)
                span = int64(table[slot, FIRST_REFERENCE])
                span_end = int64(table[slot, END_REFERENCE])
            n = _data_length(buf, pos, idb)
            values = pos + _instance_head_bytes(idb)
            for i in range(span, span_end):
                offset = reference_offsets[uintp(i)]
                if offset + idb > n:
                    break
                met = _id(buf, values + offset, idb)
                if low <= met <= high and _may_be_wanted(met, bits, uint64(shift)):
                    _mark(met, wanted, seen)
        elif any_wanted and tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            elements = pos + _object_array_head_bytes(idb)
            for i in range(_array_length(buf, pos, idb)):
                met = _id(buf, elements + i * idb, idb)
                if low <= met <= high and _may_be_wanted(met, bits, uint64(shift)):
                    _mark(met, wanted, seen)
        elif any_wanted and not _is_object_tag(tag) and tag != SubRecordTag.HEAP_DUMP_INFO:
            _mark(_object_id(buf, pos, idb), wanted, seen)
        if any_ids and first <= address < bound:
            row = np.searchsorted(ids, address, side="right") - 1
            if ids[row] == address:
                is_there[row] = 1
            elif address < next_ids[row]:
                next_ids[row] = address
        pos += size
    return OK
