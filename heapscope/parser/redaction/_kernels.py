"""The compiled loop that takes values out of heap sub-records; called through `kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._kernels import _id, _slot, _u1, _u4
from heapscope.parser.kernels import (
    AMOUNT,
    BAD_TAG,
    BAD_TYPE,
    COUNT,
    FIRST_OBJECT,
    FIXED_BYTES,
    HEAP_NAME,
    IDENTIFIER_BYTES,
    IS_WAITING,
    KEY,
    KIND,
    LENGTH_CHANGED,
    LISTED,
    MET_CLASS,
    NEED_BYTES,
    NEED_CLASS,
    NEED_TABLE,
    OK,
    OVERRUN,
    POSITION,
    VALUE_BYTES,
    WIPES,
)


@njit(nogil=True)
def redact(buf, pos, stop, constants, table, spans, text_bytes, texts, state):  # type: ignore[no-untyped-def]
    """Zero the values of heap sub-records from ``pos`` up to ``stop``, in place.

    ``table`` maps a class to rows ``COUNT`` to ``AMOUNT`` of ``spans`` (int64, shape (n, 2): offset and
    length of what is zeroed in an instance's data) and to the length of that data (``KIND``).  Arrays of
    bytes or chars of no more than ``text_bytes`` bytes are left and listed in ``texts`` (int64, shape
    (n, 2), ``state[LISTED]`` of them), for the caller to judge.

    ``state[POSITION]`` is left at the first record that is not done; behind the buffer where a body goes
    on there, whose bytes are to be zeroed if ``state[WIPES]``.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    head = 1 + 2 * idb + 8
    array_head = 1 + idb + 9
    listed = int64(0)
    status = OK
    state[WIPES] = 0
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        tag = _u1(buf, pos)
        if state[IS_WAITING] != 0 and (tag == 0x21 or tag == 0x22 or tag == 0x23 or tag == 0xC3):
            status = FIRST_OBJECT
            break
        if tag == 0x21:
            if pos + head > limit:
                status = OVERRUN if pos + head > stop else NEED_BYTES
                break
            n = _u4(buf, pos + 5 + 2 * idb)
            if pos + head + n > stop:
                status = OVERRUN
                break
            key = _id(buf, pos + 5 + idb, idb)
            slot = _slot(table, key)
            if key == uint64(0) or table[slot, KEY] != key:
                status = NEED_CLASS
                break
            if table[slot, KIND] != uint64(n):
                status = LENGTH_CHANGED
                break
            if pos + head + n > limit:
                status = NEED_BYTES
                break
            for s in range(int64(table[slot, COUNT]), int64(table[slot, AMOUNT])):
                begin = pos + head + spans[uintp(s), 0]
                for p in range(begin, begin + spans[uintp(s), 1]):
                    buf[uintp(p)] = 0
            pos += head + n
        elif tag == 0x22:
            if pos + head > limit:
                status = OVERRUN if pos + head > stop else NEED_BYTES
                break
            size = head + _u4(buf, pos + 5 + idb) * idb
            if pos + size > stop:
                status = OVERRUN
                break
            pos += size
        elif tag == 0x23 or tag == 0xC3:
            if pos + array_head > limit:
                status = OVERRUN if pos + array_head > stop else NEED_BYTES
                break
            kind = _u1(buf, pos + 9 + idb)
            if kind < 4 or kind > 11:
                status = BAD_TYPE
                break
            size = int64(0)
            if tag == 0x23:
                size = _u4(buf, pos + 5 + idb) * constants[VALUE_BYTES + kind]
            begin = pos + array_head
            if begin + size > stop:
                status = OVERRUN
                break
            if size <= text_bytes and (kind == 5 or kind == 8) and size > 0:
                if begin + size > limit:
                    status = NEED_BYTES
                    break
                if listed == texts.shape[0]:
                    status = NEED_TABLE
                    break
                texts[uintp(listed), 0] = begin
                texts[uintp(listed), 1] = begin + size if kind == 8 else -(begin + size)
                listed += 1
            else:
                for p in range(begin, min(begin + size, limit)):
                    buf[uintp(p)] = 0
                if begin + size > limit:
                    state[WIPES] = 1
            pos = begin + size
        elif tag == 0x20:
            status = MET_CLASS
            break
        elif tag == 0xFE:
            status = HEAP_NAME
            break
        else:
            size = constants[FIXED_BYTES + tag]
            if size == 0:
                status = BAD_TAG
                break
            if pos + size > stop:
                status = OVERRUN
                break
            if pos + size > limit:
                status = NEED_BYTES
                break
            pos += size
    state[POSITION] = pos
    state[LISTED] = listed
    return status
