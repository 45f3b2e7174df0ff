"""Compiled loops over the bytes of a dump; called through `heapscope.parser.kernels` only.

Every kernel takes its bounds and checks each index against them before it reads, so that a
hostile file ends in a status code and never in a read outside the buffer.  Positions are
int64 indices into ``buf``; a status says why a kernel stopped, and its caller turns that
into an error with the absolute offset.
"""

from __future__ import annotations

from numba import njit, uint64, uintp

from heapscope.parser._record_kernels import (
    _array_length,
    _class_dump_end,
    _class_id,
    _data_length,
    _element_type,
    _id,
    _instance_head_bytes,
    _is_primitive,
    _memory_bytes,
    _object_id,
    _primitive_array_head_bytes,
    _slot,
    _u1,
    _u4,
)
from heapscope.parser.kernels import (
    ADDRESS_MAX,
    ADDRESS_MIN,
    ADDRESS_OR,
    ALIGN,
    ARRAY_COUNTS,
    ARRAY_MEMORY,
    BAD_CLASS,
    BAD_ROOT,
    BAD_TAG,
    BAD_TYPE,
    CLASSES,
    COLUMNS,
    COUNT,
    DATA_BYTES,
    ELEMENT_BASE,
    ELEMENT_BYTES,
    FIXED_BYTES,
    GRID_BASE,
    GRID_SHIFT,
    HEAP_RECORD,
    IDENTIFIER_BYTES,
    KEY,
    KIND,
    KIND_ARRAY,
    KIND_CHANGED,
    KIND_INSTANCE,
    LENGTH_CHANGED,
    LISTED,
    MARKED_PAGES,
    MEMORY_BYTES,
    NEED_BYTES,
    NEED_CLASS_SLOTS,
    NEED_PAGE,
    NEED_TABLE,
    OBJECTS,
    OK,
    OVERRUN,
    PAGE_WORDS,
    POSITION,
    ROOT_COUNTS,
    ROOTS,
    TABLE_USED,
    TYPE_BYTES,
    UNMARKED,
)
from heapscope.parser.tags import (
    RECORD_HEADER_BYTES,
    RECORD_LENGTH_OFFSET,
    BasicType,
    RecordTag,
    SubRecordTag,
)


@njit(forceinline=True)
def _is_filled(buf, pos, size):
    """Whether all bytes are 0xFF."""
    for p in range(pos, pos + size):  # noqa: SIM110 - numba has no generators
        if _u1(buf, p) != 0xFF:
            return False
    return True


@njit(forceinline=True)
def _is_record_tag(tag):
    return (
        RecordTag.UTF8 <= tag <= RecordTag.HEAP_SUMMARY
        or RecordTag.START_THREAD <= tag <= RecordTag.CONTROL_SETTINGS
        or tag == RecordTag.HEAP_DUMP_SEGMENT
        or tag == RecordTag.HEAP_DUMP_END
    )


@njit(nogil=True)
def list_records(buf, stop_at_heap, tags, starts, lengths, state):
    """List the top-level records from ``state[POSITION]`` on: tag, body start and body length.

    Stops at the end of ``buf`` (OK), at a record that is not whole in it (NEED_BYTES), at a
    heap dump record if ``stop_at_heap`` or if its length is for Python to judge (HEAP_RECORD),
    when the lists are full (NEED_TABLE), or at an unknown tag (BAD_TAG).  ``state`` is left
    with the position reached and the number of records listed.
    """
    limit = buf.shape[0]
    pos = state[POSITION]
    listed = state[LISTED]
    status = OK
    while pos < limit:
        if listed == tags.shape[0]:
            status = NEED_TABLE
            break
        body = pos + RECORD_HEADER_BYTES
        if body > limit:
            status = NEED_BYTES
            break
        tag = _u1(buf, pos)
        length = _u4(buf, pos + RECORD_LENGTH_OFFSET)
        if not _is_record_tag(tag):
            status = BAD_TAG
            break
        if tag == RecordTag.HEAP_DUMP or (
            tag == RecordTag.HEAP_DUMP_SEGMENT and (stop_at_heap or length == 0)
        ):
            status = HEAP_RECORD
            break
        if body + length > limit:
            status = NEED_BYTES
            break
        tags[listed] = tag
        starts[listed] = body
        lengths[listed] = length
        listed += 1
        pos = body + length
    state[POSITION] = pos
    state[LISTED] = listed
    return status


@njit(nogil=True)
def read_ids(buf, positions, identifier_bytes, out):
    """Identifiers at ``positions``, which the caller has checked, into uint64 ``out``."""
    for i in range(positions.shape[0]):
        out[i] = _id(buf, positions[i], identifier_bytes)
    return OK


@njit(nogil=True)
def scan_heap(buf, pos, stop, base, constants, table, spans, totals, addresses, grid, pages, words):
    """Count the objects and roots of heap sub-records from ``pos`` up to ``stop``.

    Only heads of records are read, never bodies: ``stop`` and the returned position may
    lie behind the buffer, whose owner then skips that many bytes.

    ``table`` is a class table that counts (see `heapscope.parser.kernels`).  ``spans`` (int64,
    shape (c, 2)) receives start and end of each class dump.  ``totals`` and ``addresses`` go on
    from what they hold; ``totals[POSITION]`` is left with the position.  Where ``pages`` has rows, the bit
    of each address on ``grid`` is set in a page of ``words``, which ``pages`` names; there are
    ``totals[MARKED_PAGES]`` of them.  Once ``totals[UNMARKED]`` is set, by an address that is not on the grid
    or by the caller, no more are set.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    objects = totals[OBJECTS]
    roots = totals[ROOTS]
    classes = totals[CLASSES]
    used = totals[TABLE_USED]
    room = table.shape[0] // 2
    address_or = addresses[ADDRESS_OR]
    address_min = addresses[ADDRESS_MIN]
    address_max = addresses[ADDRESS_MAX]
    head = _instance_head_bytes(idb)  # as long as that of an array of references
    array_head = _primitive_array_head_bytes(idb)
    # Read once: the compiler cannot know that no write to ``table`` changes them.
    reference_base = constants[ELEMENT_BASE + BasicType.OBJECT]
    reference_bytes = constants[ELEMENT_BYTES + BasicType.OBJECT]
    up = constants[ALIGN] - 1
    unmarked = totals[UNMARKED]
    marks = pages.shape[0] > 0 and unmarked == 0
    marked_pages = totals[MARKED_PAGES]
    page_room = words.shape[0] // PAGE_WORDS
    grid_base = grid[GRID_BASE]
    grid_shift = grid[GRID_SHIFT]
    between = (uint64(1) << grid_shift) - uint64(1)
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        if marks and marked_pages == page_room:
            status = NEED_PAGE
            break
        tag = _u1(buf, pos)
        if tag == SubRecordTag.INSTANCE_DUMP or tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            if pos + head > limit:
                status = OVERRUN if pos + head > stop else NEED_BYTES
                break
            key = _class_id(buf, pos, tag, idb)
            if tag == SubRecordTag.INSTANCE_DUMP:
                n = _data_length(buf, pos, idb)
                size = head + n
            else:
                n = _array_length(buf, pos, idb)
                size = head + n * idb
            if pos + size > stop:
                status = OVERRUN
                break
            slot = _slot(table, key)
            if table[slot, KEY] == uint64(0):
                # Class 0 cannot be told from a free row; no writer emits one.
                if key == uint64(0):
                    status = BAD_CLASS
                    break
                if used >= room:
                    status = NEED_TABLE
                    break
                used += 1
                table[slot, KEY] = key
                if tag == SubRecordTag.INSTANCE_DUMP:
                    table[slot, KIND] = KIND_INSTANCE
                    table[slot, DATA_BYTES] = n
                else:
                    table[slot, KIND] = KIND_ARRAY
            if tag == SubRecordTag.INSTANCE_DUMP:
                if table[slot, KIND] != KIND_INSTANCE:
                    status = KIND_CHANGED
                    break
                if table[slot, DATA_BYTES] != uint64(n):
                    status = LENGTH_CHANGED
                    break
            else:
                if table[slot, KIND] != KIND_ARRAY:
                    status = KIND_CHANGED
                    break
                table[slot, MEMORY_BYTES] += uint64((reference_base + n * reference_bytes + up) & ~up)
            table[slot, COUNT] += uint64(1)
        elif tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP or tag == SubRecordTag.PRIMITIVE_ARRAY_NODATA:
            if pos + array_head > limit:
                status = OVERRUN if pos + array_head > stop else NEED_BYTES
                break
            n = _array_length(buf, pos, idb)
            code = _element_type(buf, pos, idb)
            if not _is_primitive(code):
                status = BAD_TYPE
                break
            size = array_head
            if tag == SubRecordTag.PRIMITIVE_ARRAY_DUMP:
                size += n * constants[TYPE_BYTES + code]
            if pos + size > stop:
                status = OVERRUN
                break
            totals[ARRAY_COUNTS + code] += 1
            totals[ARRAY_MEMORY + code] += _memory_bytes(code, n, constants)
        elif tag == SubRecordTag.CLASS_DUMP:
            if classes == spans.shape[0]:
                status = NEED_CLASS_SLOTS
                break
            end, status = _class_dump_end(buf, pos, min(limit, stop), idb, constants)
            if status != OK:
                if status == NEED_BYTES and stop <= limit:
                    status = OVERRUN
                break
            spans[classes, 0] = base + pos
            spans[classes, 1] = base + end
            classes += 1
            size = end - pos
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
            if (
                tag == SubRecordTag.ROOT_UNKNOWN
                and _object_id(buf, pos, idb) >= uint64(0xFFFFFFFF)
                and _is_filled(buf, pos, size)
            ):
                status = BAD_ROOT  # bytes that were never written, or were erased
                break
            totals[ROOT_COUNTS + tag] += 1
            if tag != SubRecordTag.HEAP_DUMP_INFO:  # Android's heap name is no root
                roots += 1
            pos += size
            continue
        address = _object_id(buf, pos, idb)
        objects += 1
        address_or |= address
        address_min = min(address_min, address)
        address_max = max(address_max, address)
        if marks:
            bit = (address - grid_base) >> grid_shift  # below the base it wraps to more than there are
            word = uintp(bit >> uint64(6))
            page = word // uintp(PAGE_WORDS)
            if page < uintp(pages.shape[0]) and (address & between) == uint64(0):
                if pages[page] < 0:
                    pages[page] = marked_pages
                    marked_pages += 1
                place = uintp(pages[page]) * uintp(PAGE_WORDS) + word % uintp(PAGE_WORDS)
                words[place] |= uint64(1) << (bit & uint64(63))
            else:
                unmarked = 1
                marks = False
        pos += size
    totals[UNMARKED] = unmarked
    totals[MARKED_PAGES] = marked_pages
    totals[OBJECTS] = objects
    totals[ROOTS] = roots
    totals[CLASSES] = classes
    totals[TABLE_USED] = used
    addresses[ADDRESS_OR] = address_or
    addresses[ADDRESS_MIN] = address_min
    addresses[ADDRESS_MAX] = address_max
    totals[POSITION] = pos
    return status


@njit(nogil=True)
def merge_tables(table, into):
    """Add a class table that counts to one that has room for it; a status where the two contradict."""
    for row in range(table.shape[0]):
        key = table[row, KEY]
        if key == uint64(0):
            continue
        slot = _slot(into, key)
        if into[slot, KEY] == uint64(0):
            for column in range(COLUMNS):
                into[slot, column] = table[row, column]
            continue
        if into[slot, KIND] != table[row, KIND]:
            return KIND_CHANGED
        if into[slot, KIND] == KIND_ARRAY:
            into[slot, MEMORY_BYTES] += table[row, MEMORY_BYTES]
        elif into[slot, DATA_BYTES] != table[row, DATA_BYTES]:
            return LENGTH_CHANGED
        into[slot, COUNT] += table[row, COUNT]
    return OK


@njit(nogil=True)
def fill_table(rows, table):
    """Put ``rows`` of distinct keys into a class table of any kind that has room for them."""
    for i in range(rows.shape[0]):
        slot = _slot(table, rows[i, KEY])
        for column in range(COLUMNS):
            table[slot, column] = rows[i, column]
    return OK
