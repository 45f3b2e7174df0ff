"""Compiled loops that look for whole records behind a damage; called through `kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._kernels import _class_dump_end, _id, _slot, _u1, _u4
from heapscope.parser.kernels import (
    AMOUNT,
    CHAIN,
    FIXED_BYTES,
    HEAP_RECORD,
    IDENTIFIER_BYTES,
    KEY,
    KIND,
    KIND_ARRAY,
    KIND_INSTANCE,
    NEED_BYTES,
    OBJECTS,
    OK,
    POSITION,
    VALUE_BYTES,
)


@njit(inline="always")
def _is_place(address, limits):  # type: ignore[no-untyped-def]
    """Whether an identifier can be an address of this heap: ``limits`` has the highest and the low bits."""
    return address != uint64(0) and address <= limits[0] and (address & limits[1]) == uint64(0)


@njit(inline="always")
def _plausible(buf, pos, stop, constants, table, limits):  # type: ignore[no-untyped-def]
    """Bytes of the sub-record at ``pos``, 0 where there cannot be one.

    Negated for a root, which has little that could contradict it.
    """
    idb = constants[IDENTIFIER_BYTES]
    tag = _u1(buf, pos)
    if tag == 0x21 or tag == 0x22:
        if pos + 1 + 2 * idb + 8 > stop or not _is_place(_id(buf, pos + 1, idb), limits):
            return int64(0)
        key = _id(buf, pos + 5 + idb if tag == 0x21 else pos + 9 + idb, idb)
        n = _u4(buf, pos + 5 + 2 * idb if tag == 0x21 else pos + 5 + idb)
        slot = _slot(table, key)
        if key == uint64(0) or table[slot, KEY] != key:
            return int64(0)
        kind = table[slot, KIND]
        if tag == 0x21:
            if kind == KIND_ARRAY or (kind == KIND_INSTANCE and table[slot, AMOUNT] != uint64(n)):
                return int64(0)
            size = 1 + 2 * idb + 8 + n
        else:
            if kind == KIND_INSTANCE:
                return int64(0)
            size = 1 + 2 * idb + 8 + n * idb
        return size if pos + size <= stop else int64(0)
    if tag == 0x23 or tag == 0xC3:
        if pos + 10 + idb > stop or not _is_place(_id(buf, pos + 1, idb), limits):
            return int64(0)
        kind = _u1(buf, pos + 9 + idb)
        if kind < 4 or kind > 11:
            return int64(0)
        size = 10 + idb
        if tag == 0x23:
            size += _u4(buf, pos + 5 + idb) * constants[VALUE_BYTES + kind]
        return size if pos + size <= stop else int64(0)
    if tag == 0x20:
        if pos + 1 + idb > stop:
            return int64(0)
        key = _id(buf, pos + 1, idb)
        if key == uint64(0) or table[_slot(table, key), KEY] != key:
            return int64(0)
        end, status = _class_dump_end(buf, pos, stop, idb, constants)
        return end - pos if status == OK else int64(0)
    size = constants[FIXED_BYTES + tag]
    if size == 0 or pos + size > stop or not _is_place(_id(buf, pos + 1, idb), limits):
        return int64(0)
    return -size


@njit(inline="always")
def _is_heap_record(buf, pos, constants, table, limits):  # type: ignore[no-untyped-def]
    """Whether a heap record, or the record that ends the heap, can begin at ``pos``."""
    limit = buf.shape[0]
    if pos + 9 > limit:
        return False
    tag = _u1(buf, pos)
    length = _u4(buf, pos + 5)
    if tag == 0x2C:
        return length == 0
    if tag != 0x1C and tag != 0x0C:
        return False
    return (
        length <= limit - pos - 9
        and length > 0
        and _plausible(buf, pos + 9, pos + 9 + length, constants, table, limits) != 0
    )


@njit(nogil=True)
def find_record(buf, pos, stop, known_stop, constants, table, limits, state):  # type: ignore[no-untyped-def]
    """Look for the next whole record from ``pos`` on, up to ``stop``.

    OK with ``state[POSITION]`` at a sub-record, HEAP_RECORD with it at a top-level record, NEED_BYTES
    where nothing was found.  A sub-record is believed where CHAIN others follow it, or where the last that
    follows ends at ``stop``, if that is known to be a record's end; roots alone need twice as many.
    """
    while pos < stop:
        tag = _u1(buf, pos)
        if tag == 0x1C or tag == 0x0C or tag == 0x2C:
            if not known_stop and _is_heap_record(buf, pos, constants, table, limits):
                state[POSITION] = pos
                return HEAP_RECORD
        else:
            p = pos
            weight = 0
            is_good = False
            while True:
                size = _plausible(buf, p, stop, constants, table, limits)
                if size == 0:
                    # In front of the record that follows the heap's, a short chain is believed as well.
                    is_good = (
                        not known_stop and weight > 1 and _is_heap_record(buf, p, constants, table, limits)
                    )
                    break
                weight += 2 if size > 0 else 1
                p += abs(size)
                if weight >= 2 * CHAIN or (p == stop and known_stop and weight > 1):
                    is_good = True
                    break
                if p >= stop:
                    break
            if is_good:
                state[POSITION] = pos
                return OK
        pos += 1
    state[POSITION] = stop
    return NEED_BYTES


@njit(nogil=True)
def find_top_level(buf, pos, identifier_bytes, state):  # type: ignore[no-untyped-def]
    """Look for three top-level records in a row from ``pos`` on; OK with ``state[POSITION]`` there."""
    limit = buf.shape[0]
    while pos < limit:
        p = pos
        count = 0
        while p + 9 <= limit and count < 3:
            tag = _u1(buf, p)
            length = _u4(buf, p + 5)
            if tag == 0x01:
                if length < identifier_bytes or length > 0x10000 + identifier_bytes:
                    break
            elif tag == 0x02:
                if length != 8 + 2 * identifier_bytes:
                    break
            elif tag == 0x04:
                if length != 8 + 4 * identifier_bytes:
                    break
            elif tag == 0x05:
                if length < 12 or p + 21 > limit or length != 12 + _u4(buf, p + 17) * identifier_bytes:
                    break
            elif tag == 0x2C:
                if length != 0:
                    break
            elif tag == 0x0C or tag == 0x1C:
                # Its records are looked at later; a type of sub-record is asked for.
                if length == 0 or p + 10 > limit or (count == 0 and length > limit - p - 9):
                    break
                first = _u1(buf, p + 9)
                if not (0x20 <= first <= 0x23 or 1 <= first <= 8 or first >= 0x89):
                    break
                count = 3
            else:
                break
            count += 1
            p += 9 + length
        if count >= 3 or (count > 0 and p == limit):
            state[POSITION] = pos
            return OK
        pos += 1
    state[POSITION] = limit
    return NEED_BYTES


@njit(nogil=True)
def drop_records(buf, pos, stop, constants, drop, ranges, state):  # type: ignore[no-untyped-def]
    """Split a range of whole sub-records where an object is to be left out.

    ``drop[row]`` says so of the object that is ``row`` in the order of the dump, beginning with
    ``state[OBJECTS]``; ``ranges`` (int64, shape (r, 2)) receives what is left.  Returns the number of
    ranges, -1 where the file is not what it was.
    """
    idb = constants[IDENTIFIER_BYTES]
    row = state[OBJECTS]
    used = 0
    begin = pos
    while pos < stop:
        tag = _u1(buf, pos)
        size = int64(0)
        if tag == 0x21:
            if pos + 9 + 2 * idb <= stop:
                size = 9 + 2 * idb + _u4(buf, pos + 5 + 2 * idb)
        elif tag == 0x22:
            if pos + 9 + 2 * idb <= stop:
                size = 9 + 2 * idb + _u4(buf, pos + 5 + idb) * idb
        elif tag == 0x23 or tag == 0xC3:
            if pos + 10 + idb <= stop:
                size = 10 + idb
                if tag == 0x23:
                    size += _u4(buf, pos + 5 + idb) * constants[VALUE_BYTES + _u1(buf, pos + 9 + idb)]
        elif tag == 0x20:
            end, status = _class_dump_end(buf, pos, stop, idb, constants)
            if status == OK:
                size = end - pos
        else:
            size = constants[FIXED_BYTES + tag]
        if size == 0 or pos + size > stop:
            return int64(-1)
        if (0x20 <= tag <= 0x23) or tag == 0xC3:
            if row >= drop.shape[0]:
                return int64(-1)
            if drop[uintp(row)] != 0:
                if pos > begin:
                    if used >= ranges.shape[0]:
                        return int64(-1)
                    ranges[used, 0] = begin
                    ranges[used, 1] = pos
                    used += 1
                begin = pos + size
            row += 1
        pos += size
    if pos > begin:
        if used >= ranges.shape[0]:
            return int64(-1)
        ranges[used, 0] = begin
        ranges[used, 1] = pos
        used += 1
    state[OBJECTS] = row
    return int64(used)
