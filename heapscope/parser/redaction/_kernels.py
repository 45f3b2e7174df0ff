"""The compiled loop that takes values out of heap sub-records.

Called through `heapscope.parser.redaction.kernels` only.
"""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._record_kernels import (
    _array_length,
    _class_id,
    _data_length,
    _element_type,
    _instance_head_bytes,
    _is_object_tag,
    _is_primitive,
    _primitive_array_head_bytes,
    _slot,
    _u1,
)
from heapscope.parser.kernels import (
    BAD_TAG,
    BAD_TYPE,
    FIXED_BYTES,
    IDENTIFIER_BYTES,
    KEY,
    LENGTH_CHANGED,
    LISTED,
    NEED_BYTES,
    NEED_TABLE,
    OK,
    OVERRUN,
    POSITION,
    TYPE_BYTES,
)
from heapscope.parser.redaction.kernels import (
    END_SPAN,
    FIRST_OBJECT,
    FIRST_SPAN,
    HEAP_NAME,
    IS_WAITING,
    LENGTH,
    MET_CLASS,
    NEED_CLASS,
    WIPES,
)
from heapscope.parser.tags import BasicType, SubRecordTag


@njit(nogil=True)
def redact(buf, pos, stop, constants, table, spans, text_bytes, texts, state):
    """Zero the values of heap sub-records from ``pos`` up to ``stop``, in place.

    ``table`` maps a class to rows FIRST_SPAN to END_SPAN of ``spans`` (int64, shape (n, 2): offset and
    length of what is zeroed in an instance's data) and to the LENGTH of that data.  Arrays of bytes or
    chars of no more than ``text_bytes`` bytes are left and listed in ``texts`` (int64, shape (n, 2): where
    it begins and ends, the latter negated for chars; ``state[LISTED]`` of them), for the caller to judge.

    ``state[POSITION]`` is left at the first record that is not done; behind the buffer where a body goes
    on there, whose bytes are to be zeroed if ``state[WIPES]``.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    head = _instance_head_bytes(idb)  # as long as that of an array of references
    array_head = _primitive_array_head_bytes(idb)
    listed = int64(0)
    status = OK
    state[WIPES] = 0
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        tag = _u1(buf, pos)
        if state[IS_WAITING] != 0 and tag != SubRecordTag.CLASS_DUMP and _is_object_tag(tag):
            status = FIRST_OBJECT
            break
        if tag == SubRecordTag.INSTANCE_DUMP:
            if pos + head > limit:
                status = OVERRUN if pos + head > stop else NEED_BYTES
                break
            n = _data_length(buf, pos, idb)
            if pos + head + n > stop:
                status = OVERRUN
                break
            key = _class_id(buf, pos, tag, idb)
            slot = _slot(table, key)
            if key == uint64(0) or table[slot, KEY] != key:
                status = NEED_CLASS
                break
            if table[slot, LENGTH] != uint64(n):
                status = LENGTH_CHANGED
                break
            if pos + head + n > limit:
                status = NEED_BYTES
                break
            for s in range(int64(table[slot, FIRST_SPAN]), int64(table[slot, END_SPAN])):
                begin = pos + head + spans[uintp(s), 0]
                for p in range(begin, begin + spans[uintp(s), 1]):
                    buf[uintp(p)] = 0
            pos += head + n
        elif tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            if pos + head > limit:
                status = OVERRUN if pos + head > stop else NEED_BYTES
                break
            size = head + _array_length(buf, pos, idb) * idb
            if pos + size > stop:
                status = OVERRUN
                break
            pos += size
        elif tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP or tag == SubRecordTag.PRIMITIVE_ARRAY_NODATA:
            if pos + array_head > limit:
                status = OVERRUN if pos + array_head > stop else NEED_BYTES
                break
            code = _element_type(buf, pos, idb)
            if not _is_primitive(code):
                status = BAD_TYPE
                break
            size = int64(0)
            if tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP:
                size = _array_length(buf, pos, idb) * constants[TYPE_BYTES + code]
            begin = pos + array_head
            if begin + size > stop:
                status = OVERRUN
                break
            if size <= text_bytes and (code == BasicType.CHAR or code == BasicType.BYTE) and size > 0:
                if begin + size > limit:
                    status = NEED_BYTES
                    break
                if listed == texts.shape[0]:
                    status = NEED_TABLE
                    break
                texts[uintp(listed), 0] = begin
                texts[uintp(listed), 1] = begin + size if code == BasicType.BYTE else -(begin + size)
                listed += 1
            else:
                for p in range(begin, min(begin + size, limit)):
                    buf[uintp(p)] = 0
                if begin + size > limit:
                    state[WIPES] = 1
            pos = begin + size
        elif tag == SubRecordTag.CLASS_DUMP:
            status = MET_CLASS
            break
        elif tag == SubRecordTag.HEAP_DUMP_INFO:
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
