"""Compiled loops that look for whole records behind a damage.

Called through `heapscope.parser.broken.kernels` only.
"""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._record_kernels import (
    _array_length,
    _class_dump_end,
    _class_id,
    _data_length,
    _element_type,
    _instance_head_bytes,
    _is_object_tag,
    _is_primitive,
    _object_array_head_bytes,
    _object_id,
    _primitive_array_head_bytes,
    _record_size,
    _slot,
    _u1,
    _u4,
)
from heapscope.parser.broken.kernels import CHAIN, MAX_UTF8_BYTES, TOP_LEVEL_CHAIN
from heapscope.parser.kernels import (
    DATA_BYTES,
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
    TYPE_BYTES,
)
from heapscope.parser.tags import (
    FRAME_BODY,
    LOAD_CLASS_BODY,
    RECORD_HEADER_BYTES,
    RECORD_LENGTH_OFFSET,
    TRACE_HEAD_BYTES,
    RecordTag,
    SubRecordTag,
    can_begin_heap,
)

_can_begin_heap = njit(forceinline=True)(can_begin_heap)


@njit(forceinline=True)
def _is_place(address, limits):
    """Whether an identifier can be an address of this heap: ``limits`` has the highest and the low bits."""
    return address != uint64(0) and address <= limits[0] and (address & limits[1]) == uint64(0)


# Not inlined: three copies of it in one loop take 40 s to compile. A call counts its arrays as referenced
# anew, for 30 ns each, so nearly all bytes fail the test of the tag in front of it.
@njit(nogil=True)
def _plausible(buf, pos, stop, constants, table, limits):
    """Bytes of the sub-record at ``pos``, 0 where there cannot be one.

    Negated for a root, which has little that could contradict it.  ``table`` has KIND and DATA_BYTES of
    the classes that are known; KIND 0 where nobody knows what a class is.
    """
    idb = constants[IDENTIFIER_BYTES]
    tag = _u1(buf, pos)
    if tag == SubRecordTag.INSTANCE_DUMP or tag == SubRecordTag.OBJECT_ARRAY_DUMP:
        if pos + _instance_head_bytes(idb) > stop or not _is_place(_object_id(buf, pos, idb), limits):
            return int64(0)
        key = _class_id(buf, pos, tag, idb)
        slot = _slot(table, key)
        if key == uint64(0) or table[slot, KEY] != key:
            return int64(0)
        kind = table[slot, KIND]
        if tag == SubRecordTag.INSTANCE_DUMP:
            n = _data_length(buf, pos, idb)
            if kind == KIND_ARRAY or (kind == KIND_INSTANCE and table[slot, DATA_BYTES] != uint64(n)):
                return int64(0)
            size = _instance_head_bytes(idb) + n
        else:
            if kind == KIND_INSTANCE:
                return int64(0)
            size = _object_array_head_bytes(idb) + _array_length(buf, pos, idb) * idb
        return size if pos + size <= stop else int64(0)
    if tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP or tag == SubRecordTag.PRIMITIVE_ARRAY_NODATA:
        if pos + _primitive_array_head_bytes(idb) > stop or not _is_place(_object_id(buf, pos, idb), limits):
            return int64(0)
        code = _element_type(buf, pos, idb)
        if not _is_primitive(code):
            return int64(0)
        size = _primitive_array_head_bytes(idb)
        if tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP:
            size += _array_length(buf, pos, idb) * constants[TYPE_BYTES + code]
        return size if pos + size <= stop else int64(0)
    if tag == SubRecordTag.CLASS_DUMP:
        if pos + 1 + idb > stop:
            return int64(0)
        key = _object_id(buf, pos, idb)
        if key == uint64(0) or table[_slot(table, key), KEY] != key:
            return int64(0)
        end, status = _class_dump_end(buf, pos, stop, idb, constants)
        return end - pos if status == OK else int64(0)
    size = constants[FIXED_BYTES + tag]
    if size == 0 or pos + size > stop or not _is_place(_object_id(buf, pos, idb), limits):
        return int64(0)
    return -size


@njit(forceinline=True)
def _is_heap_tag(tag):
    return tag == RecordTag.HEAP_DUMP or tag == RecordTag.HEAP_DUMP_SEGMENT


@njit(nogil=True)
def _is_heap_record(buf, pos, constants, table, limits):
    """Whether a heap record, or the record that ends the heap, can begin at ``pos``."""
    limit = buf.shape[0]
    body = pos + RECORD_HEADER_BYTES
    if body > limit:
        return False
    tag = _u1(buf, pos)
    length = _u4(buf, pos + RECORD_LENGTH_OFFSET)
    if tag == RecordTag.HEAP_DUMP_END:
        return length == 0
    if not _is_heap_tag(tag):
        return False
    return (
        length <= limit - body
        and length > 0
        and _plausible(buf, body, body + length, constants, table, limits) != 0
    )


@njit(nogil=True)
def find_record(buf, pos, stop, known_stop, constants, table, limits, state):
    """Look for the next whole record from ``pos`` on, up to ``stop``.

    OK with ``state[POSITION]`` at a sub-record, HEAP_RECORD with it at a top-level record, NEED_BYTES
    where nothing was found.  A sub-record is believed where CHAIN others follow it, or where the last that
    follows ends at ``stop``, if that is known to be a record's end; roots alone need twice as many.
    """
    while pos < stop:
        tag = _u1(buf, pos)
        if _is_heap_tag(tag) or tag == RecordTag.HEAP_DUMP_END:
            if not known_stop and _is_heap_record(buf, pos, constants, table, limits):
                state[POSITION] = pos
                return HEAP_RECORD
        elif _is_object_tag(tag) or constants[FIXED_BYTES + tag] != 0:
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


@njit(forceinline=True)
def _is_possible(buf, pos, tag, length, identifier_bytes, is_first):
    """Whether a top-level record at ``pos``, whose header is in the buffer, can be so long."""
    limit = buf.shape[0]
    body = pos + RECORD_HEADER_BYTES
    if tag == RecordTag.UTF8:
        return identifier_bytes <= length <= MAX_UTF8_BYTES + identifier_bytes
    if tag == RecordTag.LOAD_CLASS:
        return length == LOAD_CLASS_BODY[0] + LOAD_CLASS_BODY[1] * identifier_bytes
    if tag == RecordTag.FRAME:
        return length == FRAME_BODY[0] + FRAME_BODY[1] * identifier_bytes
    if tag == RecordTag.TRACE:
        head = body + TRACE_HEAD_BYTES
        if length < TRACE_HEAD_BYTES or head > limit:
            return False
        return length == TRACE_HEAD_BYTES + _u4(buf, head - 4) * identifier_bytes
    if tag == RecordTag.HEAP_DUMP_END:
        return length == 0
    # Its records are looked at later; a type of sub-record is asked for.
    if not _is_heap_tag(tag) or length == 0 or body >= limit or (is_first and length > limit - body):
        return False
    return _can_begin_heap(_u1(buf, body))


@njit(nogil=True)
def find_top_level(buf, pos, identifier_bytes, state):
    """Look for a few top-level records in a row from ``pos`` on; OK with ``state[POSITION]`` there.

    A heap record alone will do.
    """
    limit = buf.shape[0]
    while pos < limit:
        p = pos
        count = 0
        while p + RECORD_HEADER_BYTES <= limit and count < TOP_LEVEL_CHAIN:
            tag = _u1(buf, p)
            length = _u4(buf, p + RECORD_LENGTH_OFFSET)
            if not _is_possible(buf, p, tag, length, identifier_bytes, count == 0):
                break
            count = TOP_LEVEL_CHAIN if _is_heap_tag(tag) else count + 1
            p += RECORD_HEADER_BYTES + length
        if count >= TOP_LEVEL_CHAIN or (count > 0 and p == limit):
            state[POSITION] = pos
            return OK
        pos += 1
    state[POSITION] = limit
    return NEED_BYTES


@njit(forceinline=True)
def _keep(ranges, used, begin, end):
    """Add a range that is not empty; how many there are, -1 where the list is full."""
    if begin == end:
        return used
    if used >= ranges.shape[0]:
        return int64(-1)
    ranges[used, 0] = begin
    ranges[used, 1] = end
    return used + 1


@njit(nogil=True)
def drop_records(buf, pos, stop, constants, drop, ranges, state):
    """Split a range of whole sub-records where an object is to be left out.

    ``drop[row]`` says so of the object that is ``row`` in the order of the dump, beginning with
    ``state[OBJECTS]``; ``ranges`` (int64, shape (r, 2)) receives what is left.  Returns the number of
    ranges, -1 where the file is not what it was.
    """
    idb = constants[IDENTIFIER_BYTES]
    row = state[OBJECTS]
    used = int64(0)
    begin = pos
    while pos < stop:
        size, status = _record_size(buf, pos, stop, idb, constants, True)
        if status != OK or pos + size > stop:
            return int64(-1)
        if _is_object_tag(_u1(buf, pos)):
            if row >= drop.shape[0]:
                return int64(-1)
            if drop[uintp(row)] != 0:
                used = _keep(ranges, used, begin, pos)
                if used < 0:
                    return used
                begin = pos + size
            row += 1
        pos += size
    state[OBJECTS] = row
    return _keep(ranges, used, begin, pos)
