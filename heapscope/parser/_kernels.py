"""Compiled loops over the bytes of a dump; called through `heapscope.parser.kernels` only.

Every kernel takes its bounds and checks each index against them before it reads, so that a
hostile file ends in a status code and never in a read outside the buffer.  Positions are
int64 indices into ``buf``; a status says why a kernel stopped, and its caller turns that
into an error with the absolute offset.
"""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser.kernels import (
    ADDRESS_MAX,
    ADDRESS_MIN,
    ADDRESS_OR,
    ALIGN,
    AMOUNT,
    BAD_CLASS,
    BAD_ROOT,
    BAD_TAG,
    BAD_TYPE,
    CLASSES,
    COUNT,
    ELEMENT_BASE,
    ELEMENT_BYTES,
    FIXED_BYTES,
    HEAP_RECORD,
    IDENTIFIER_BYTES,
    KEY,
    KIND,
    KIND_ARRAY,
    KIND_CHANGED,
    KIND_INSTANCE,
    LENGTH_CHANGED,
    NEED_BYTES,
    NEED_CLASS_SLOTS,
    NEED_TABLE,
    OBJECTS,
    OK,
    OVERRUN,
    POSITION,
    PRIMITIVE_BYTES,
    PRIMITIVE_COUNTS,
    ROOT_COUNTS,
    ROOTS,
    TABLE_USED,
    USED,
    VALUE_BYTES,
)

# Positions are made unsigned before they index: numba then leaves out the branch for negative
# indices, LLVM merges the byte loads into one (movbe), and the scan runs 2.8 times as fast.


@njit(inline="always")
def _u1(buf, position):  # type: ignore[no-untyped-def]
    return int64(buf[uintp(position)])


@njit(inline="always")
def _u2(buf, position):  # type: ignore[no-untyped-def]
    p = uintp(position)
    return (int64(buf[p]) << 8) | int64(buf[p + uintp(1)])


@njit(inline="always")
def _u4(buf, position):  # type: ignore[no-untyped-def]
    p = uintp(position)
    return (
        (int64(buf[p]) << 24)
        | (int64(buf[p + uintp(1)]) << 16)
        | (int64(buf[p + uintp(2)]) << 8)
        | int64(buf[p + uintp(3)])
    )


@njit(inline="always")
def _u8(buf, position):  # type: ignore[no-untyped-def]
    p = uintp(position)
    return (
        (uint64(buf[p]) << uint64(56))
        | (uint64(buf[p + uintp(1)]) << uint64(48))
        | (uint64(buf[p + uintp(2)]) << uint64(40))
        | (uint64(buf[p + uintp(3)]) << uint64(32))
        | (uint64(buf[p + uintp(4)]) << uint64(24))
        | (uint64(buf[p + uintp(5)]) << uint64(16))
        | (uint64(buf[p + uintp(6)]) << uint64(8))
        | uint64(buf[p + uintp(7)])
    )


@njit(inline="always")
def _id(buf, p, idb):  # type: ignore[no-untyped-def]
    if idb == 8:
        return _u8(buf, p)
    return uint64(_u4(buf, p))


@njit(inline="always")
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Row of ``key`` in an open-addressing table of 2**k rows; a free row if it is absent.

    Multiplicative hashing (Knuth, TAOCP 6.4): identifiers are addresses, equal in their low
    bits, so the middle bits of the product are taken.
    """
    mask = uint64(table.shape[0] - 1)
    slot = ((key * uint64(0x9E3779B97F4A7C15)) >> uint64(32)) & mask
    while table[slot, KEY] != key and table[slot, KEY] != uint64(0):
        slot = (slot + uint64(1)) & mask
    return slot


@njit(inline="always")
def _class_dump_end(buf, pos, limit, idb, constants):  # type: ignore[no-untyped-def]
    """(position behind the class dump at ``pos``, status); pos itself when not whole or wrong."""
    p = pos + 1 + 7 * idb + 8
    if p + 2 > limit:
        return pos, NEED_BYTES
    count = _u2(buf, p)
    p += 2
    for _ in range(count):  # constant pool: u2 index, u1 type, value
        if p + 3 > limit:
            return pos, NEED_BYTES
        size = constants[VALUE_BYTES + _u1(buf, p + 2)]
        if size == 0:
            return pos, BAD_TYPE
        p += 3 + size
    if p + 2 > limit:
        return pos, NEED_BYTES
    count = _u2(buf, p)
    p += 2
    for _ in range(count):  # statics: id name, u1 type, value
        if p + idb + 1 > limit:
            return pos, NEED_BYTES
        size = constants[VALUE_BYTES + _u1(buf, p + idb)]
        if size == 0:
            return pos, BAD_TYPE
        p += idb + 1 + size
    if p + 2 > limit:
        return pos, NEED_BYTES
    count = _u2(buf, p)
    p += 2
    if p + count * (idb + 1) > limit:
        return pos, NEED_BYTES
    for _ in range(count):  # instance fields: id name, u1 type
        if constants[VALUE_BYTES + _u1(buf, p + idb)] == 0:
            return pos, BAD_TYPE
        p += idb + 1
    return p, OK


@njit(inline="always")
def _is_filled(buf, pos, size):  # type: ignore[no-untyped-def]
    """Whether all bytes are 0xFF."""
    for p in range(pos, pos + size):  # noqa: SIM110 - numba has no generators
        if _u1(buf, p) != 0xFF:
            return False
    return True


@njit(nogil=True)
def walk_records(buf, stop_at_heap, tags, starts, lengths, state):  # type: ignore[no-untyped-def]
    """List the top-level records from ``state[POSITION]``: tag, body start and body length.

    Stops at the end of ``buf`` (OK), at a record that is not whole in it (NEED_BYTES), at a
    heap dump record if ``stop_at_heap`` or if its length is for Python to judge (HEAP_RECORD),
    when the lists are full (NEED_TABLE), or at an unknown tag (BAD_TAG).  ``state`` is left
    with the position reached and the number of records listed (USED).
    """
    limit = buf.shape[0]
    pos = state[POSITION]
    used = state[USED]
    status = OK
    while pos < limit:
        if used == tags.shape[0]:
            status = NEED_TABLE
            break
        if pos + 9 > limit:
            status = NEED_BYTES
            break
        tag = _u1(buf, pos)
        length = _u4(buf, pos + 5)
        known = (1 <= tag <= 7) or (0x0A <= tag <= 0x0E) or tag == 0x1C or tag == 0x2C
        if not known:
            status = BAD_TAG
            break
        if tag == 0x0C or (tag == 0x1C and (stop_at_heap or length == 0)):
            status = HEAP_RECORD
            break
        if pos + 9 + length > limit:
            status = NEED_BYTES
            break
        tags[used] = tag
        starts[used] = pos + 9
        lengths[used] = length
        used += 1
        pos += 9 + length
    state[POSITION] = pos
    state[USED] = used
    return status


@njit(nogil=True)
def read_ids(buf, positions, identifier_bytes, out):  # type: ignore[no-untyped-def]
    """Identifiers at ``positions``, which the caller has checked, into uint64 ``out``."""
    for i in range(positions.shape[0]):
        out[i] = _id(buf, positions[i], identifier_bytes)
    return OK


@njit(nogil=True)
def scan_heap(buf, pos, stop, base, constants, table, spans, totals, addresses):  # type: ignore[no-untyped-def]
    """Count the objects and roots of heap sub-records from ``pos`` up to ``stop``.

    Only heads of records are read, never bodies: ``stop`` and the returned position may
    lie behind the buffer, whose owner then skips that many bytes.

    ``table`` (uint64, shape (2**k, 4)) is a hash table by class identifier with a count and
    an amount: the data length of instances, or the bytes in memory of arrays.  ``spans``
    (int64, shape (c, 2)) receives start and end of each class dump.  ``totals`` and
    ``addresses`` go on from what they hold; ``totals[POSITION]`` is left with the position.
    """
    idb = constants[IDENTIFIER_BYTES]
    align = constants[ALIGN]
    limit = buf.shape[0]
    objects = totals[OBJECTS]
    roots = totals[ROOTS]
    classes = totals[CLASSES]
    used = totals[TABLE_USED]
    room = table.shape[0] // 2
    address_or = addresses[ADDRESS_OR]
    address_min = addresses[ADDRESS_MIN]
    address_max = addresses[ADDRESS_MAX]
    instance_head = 1 + 2 * idb + 8
    array_head = 1 + idb + 9
    reference_base = constants[ELEMENT_BASE + 2]
    reference_bytes = constants[ELEMENT_BYTES + 2]
    up = align - 1
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        tag = _u1(buf, pos)
        if tag == 0x21 or tag == 0x22:
            if pos + instance_head > limit:
                status = OVERRUN if pos + instance_head > stop else NEED_BYTES
                break
            address = _id(buf, pos + 1, idb)
            if tag == 0x21:
                key = _id(buf, pos + 5 + idb, idb)
                n = _u4(buf, pos + 5 + 2 * idb)
                size = instance_head + n
            else:
                n = _u4(buf, pos + 5 + idb)
                key = _id(buf, pos + 9 + idb, idb)
                size = instance_head + n * idb
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
                if tag == 0x21:
                    table[slot, KIND] = KIND_INSTANCE
                    table[slot, AMOUNT] = n
                else:
                    table[slot, KIND] = KIND_ARRAY
            if tag == 0x21:
                if table[slot, KIND] != KIND_INSTANCE:
                    status = KIND_CHANGED
                    break
                if table[slot, AMOUNT] != uint64(n):
                    status = LENGTH_CHANGED
                    break
            else:
                if table[slot, KIND] != KIND_ARRAY:
                    status = KIND_CHANGED
                    break
                table[slot, AMOUNT] += uint64((reference_base + n * reference_bytes + up) & ~up)
            table[slot, COUNT] += uint64(1)
        elif tag == 0x23 or tag == 0xC3:
            if pos + array_head > limit:
                status = OVERRUN if pos + array_head > stop else NEED_BYTES
                break
            address = _id(buf, pos + 1, idb)
            n = _u4(buf, pos + 5 + idb)
            kind = _u1(buf, pos + 9 + idb)
            if kind < 4 or kind > 11:
                status = BAD_TYPE
                break
            size = array_head
            if tag == 0x23:
                size += n * constants[VALUE_BYTES + kind]
            if pos + size > stop:
                status = OVERRUN
                break
            totals[PRIMITIVE_COUNTS + kind] += 1
            in_memory = constants[ELEMENT_BASE + kind] + n * constants[ELEMENT_BYTES + kind]
            totals[PRIMITIVE_BYTES + kind] += (in_memory + up) & ~up
        elif tag == 0x20:
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
            address = _id(buf, pos + 1, idb)
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
            if tag == 0xFF and _id(buf, pos + 1, idb) >= uint64(0xFFFFFFFF) and _is_filled(buf, pos, size):
                status = BAD_ROOT  # bytes that were never written, or were erased
                break
            totals[ROOT_COUNTS + tag] += 1
            if tag != 0xFE:  # Android's heap name is no root
                roots += 1
            pos += size
            continue
        objects += 1
        address_or |= address
        address_min = min(address_min, address)
        address_max = max(address_max, address)
        pos += size
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
def merge_tables(table, into):  # type: ignore[no-untyped-def]
    """Add a class table to one that has room for it; a status where the two contradict."""
    for row in range(table.shape[0]):
        key = table[row, KEY]
        if key == uint64(0):
            continue
        slot = _slot(into, key)
        if into[slot, KEY] == uint64(0):
            into[slot, KEY] = key
            into[slot, AMOUNT] = table[row, AMOUNT]
            into[slot, KIND] = table[row, KIND]
        elif into[slot, KIND] != table[row, KIND]:
            return KIND_CHANGED
        elif into[slot, KIND] == KIND_ARRAY:
            into[slot, AMOUNT] += table[row, AMOUNT]
        elif into[slot, AMOUNT] != table[row, AMOUNT]:
            return LENGTH_CHANGED
        into[slot, COUNT] += table[row, COUNT]
    return OK


@njit(nogil=True)
def fill_table(keys, counts, amounts, table):  # type: ignore[no-untyped-def]
    """Put distinct ``keys`` and their two values into an empty class table with room for them."""
    for i in range(keys.shape[0]):
        slot = _slot(table, keys[i])
        table[slot, KEY] = keys[i]
        table[slot, COUNT] = counts[i]
        table[slot, AMOUNT] = amounts[i]
    return OK
