"""Compiled loops of `heapscope.parser.layout.vm_objects`, which calls them as kernels.

As in `_kernels`: every index is checked against the buffer, a status says why a kernel stopped.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint64, uintp

from heapscope.parser._kernels import _class_dump_end, _id, _slot, _u1, _u4
from heapscope.parser.kernels import (
    AMOUNT,
    BAD_TAG,
    BAD_TYPE,
    COUNT,
    FIXED_BYTES,
    IDENTIFIER_BYTES,
    OK,
    OVERRUN,
    VALUE_BYTES,
)

NEED_ROOM = 20  # more objects than the first pass counted
_GOLDEN = 0x9E3779B97F4A7C15
_BYTE, _INT = 8, 10


@njit(inline="always")
def _bit(key, shift):  # type: ignore[no-untyped-def]
    return (key * uint64(_GOLDEN)) >> shift


@njit(nogil=True)
def collect(  # type: ignore[no-untyped-def]
    buf, pos, stop, constants, array_class, min_length, sample,
    int_arrays, byte_arrays, object_arrays, handles, used,
):  # fmt: skip
    """Gather what `vm_objects` chooses from, in the sub-records from ``pos`` to ``stop``.

    ``int_arrays`` (uint64, (n, 2)): address and length of each ``int[]``, if it has room at all.
    ``byte_arrays``: addresses of one ``byte[]`` in 2**(64 - sample).
    ``object_arrays`` (uint64, (n, 2)): address and position of arrays of ``array_class`` with
    ``min_length`` elements or more.  ``handles``: objects of JNI global roots.
    ``used`` (int64, (4,)) counts them.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = min(stop, buf.shape[0])
    while pos < limit:
        tag = _u1(buf, pos)
        if tag == 0x21 or tag == 0x22:
            head = 1 + 2 * idb + 8
            if pos + head > limit:
                return OVERRUN
            if tag == 0x21:
                size = head + _u4(buf, pos + 5 + 2 * idb)
            else:
                n = _u4(buf, pos + 5 + idb)
                size = head + n * idb
                if (
                    n >= min_length
                    and _id(buf, pos + 9 + idb, idb) == uint64(array_class)
                    and pos + size <= limit
                ):
                    if used[2] == object_arrays.shape[0]:
                        return NEED_ROOM
                    object_arrays[used[2], 0] = _id(buf, pos + 1, idb)
                    object_arrays[used[2], 1] = pos
                    used[2] += 1
        elif tag == 0x23 or tag == 0xC3:
            head = 1 + idb + 9
            if pos + head > limit:
                return OVERRUN
            n = _u4(buf, pos + 5 + idb)
            kind = int64(_u1(buf, pos + 9 + idb))  # wide enough to index with, as plain Python too
            if kind < 4 or kind > 11:
                return BAD_TYPE
            size = head
            if tag == 0x23:
                size += n * constants[VALUE_BYTES + kind]
            if int_arrays.shape[0] > 0:
                address = _id(buf, pos + 1, idb)
                if kind == _INT:
                    if used[0] == int_arrays.shape[0]:
                        return NEED_ROOM
                    int_arrays[used[0], 0] = address
                    int_arrays[used[0], 1] = n
                    used[0] += 1
                elif (
                    kind == _BYTE
                    and used[1] < byte_arrays.shape[0]
                    and _bit(address, uint64(sample)) == uint64(0)
                ):
                    byte_arrays[used[1]] = address
                    used[1] += 1
        elif tag == 0x20:
            end, status = _class_dump_end(buf, pos, limit, idb, constants)
            if status != OK:
                return OVERRUN
            size = end - pos
        else:
            size = constants[FIXED_BYTES + tag]
            if size == 0:
                return BAD_TAG
            if pos + size > limit:
                return OVERRUN
            if tag == 0x01:
                if used[3] == handles.shape[0]:
                    return NEED_ROOM
                handles[used[3]] = _id(buf, pos + 1, idb)
                used[3] += 1
        if pos + size > limit:
            return OVERRUN
        pos += size
    return OK


@njit(nogil=True)
def fill_bloom(keys, bits, shift):  # type: ignore[no-untyped-def]
    """Set the bit of each key in ``bits`` (uint64 words; 2**(64 - shift) bits)."""
    for i in range(keys.shape[0]):
        bit = _bit(keys[i], uint64(shift))
        bits[bit >> uint64(6)] |= uint64(1) << (bit & uint64(63))
    return OK


# The arrays that are passed on here are counted as referenced anew at each call, for 30 ns: so
# the test that nearly all references fail stands in the loops of `check`.
@njit(nogil=True)
def _mark(key, wanted, seen):  # type: ignore[no-untyped-def]
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


@njit(inline="always")
def _may_be_wanted(key, bits, shift):  # type: ignore[no-untyped-def]
    bit = _bit(key, shift)
    return (bits[bit >> uint64(6)] >> (bit & uint64(63))) & uint64(1) != uint64(0)


@njit(nogil=True)
def check(  # type: ignore[no-untyped-def]
    buf, pos, stop, constants, table, reference_offsets,
    wanted, bits, shift, seen, ids, is_there, next_ids,
):  # fmt: skip
    """Which of the sorted ``wanted`` objects are referred to, and which ``ids`` are objects.

    ``table``: class table whose COUNT and AMOUNT are the span of the class in
    ``reference_offsets``, the bytes of an instance's data at which references stand.
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
        tag = _u1(buf, pos)
        address = uint64(0)
        if tag == 0x21:
            head = 1 + 2 * idb + 8
            if pos + head > limit:
                return OVERRUN
            n = _u4(buf, pos + 5 + 2 * idb)
            size = head + n
            if pos + size > limit:
                return OVERRUN
            address = _id(buf, pos + 1, idb)
            if any_wanted:
                key = _id(buf, pos + 5 + idb, idb)
                if key != last_class:  # instances of a class often lie together
                    last_class = key
                    slot = _slot(table, key)
                    span = int64(table[slot, COUNT])
                    span_end = int64(table[slot, AMOUNT])
                for i in range(span, span_end):
                    offset = reference_offsets[uintp(i)]
                    if offset + idb > n:
                        break
                    met = _id(buf, pos + head + offset, idb)
                    if low <= met <= high and _may_be_wanted(met, bits, uint64(shift)):
                        _mark(met, wanted, seen)
        elif tag == 0x22:
            head = 1 + 2 * idb + 8
            if pos + head > limit:
                return OVERRUN
            n = _u4(buf, pos + 5 + idb)
            size = head + n * idb
            if pos + size > limit:
                return OVERRUN
            address = _id(buf, pos + 1, idb)
            if any_wanted:
                for i in range(n):
                    met = _id(buf, pos + head + i * idb, idb)
                    if low <= met <= high and _may_be_wanted(met, bits, uint64(shift)):
                        _mark(met, wanted, seen)
        elif tag == 0x23 or tag == 0xC3:
            head = 1 + idb + 9
            if pos + head > limit:
                return OVERRUN
            kind = int64(_u1(buf, pos + 9 + idb))  # wide enough to index with, as plain Python too
            if kind < 4 or kind > 11:
                return BAD_TYPE
            size = head
            if tag == 0x23:
                size += _u4(buf, pos + 5 + idb) * constants[VALUE_BYTES + kind]
            address = _id(buf, pos + 1, idb)
        elif tag == 0x20:
            end, status = _class_dump_end(buf, pos, limit, idb, constants)
            if status != OK:
                return OVERRUN
            size = end - pos
            address = _id(buf, pos + 1, idb)
        else:
            size = constants[FIXED_BYTES + tag]
            if size == 0:
                return BAD_TAG
            if pos + size > limit:
                return OVERRUN
            if any_wanted and tag != 0xFE:
                _mark(_id(buf, pos + 1, idb), wanted, seen)
        if any_ids and first <= address < bound:
            row = np.searchsorted(ids, address, side="right") - 1
            if ids[row] == address:
                is_there[row] = 1
            elif address < next_ids[row]:
                next_ids[row] = address
        if pos + size > limit:
            return OVERRUN
        pos += size
    return OK
