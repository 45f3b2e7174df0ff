"""Compiled loops of the passes that follow the count; called through `heapscope.parser.kernels` only.

They read the sub-records of one heap segment through a window: ``buf`` holds a part of the
dump that begins at its offset ``base``; ``pos`` and ``stop`` are relative to ``buf``, and
``stop`` may lie behind it.  A kernel returns NEED_BYTES with ``state[POSITION]`` at the first
record that is not whole in the window, OK once it reached ``stop``.  The bytes are checked
again, for the file may have changed since it was counted.
"""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.parser._address_kernels import _index_of
from heapscope.parser._record_kernels import (
    _array_length,
    _class_id,
    _element_type,
    _id,
    _is_object_tag,
    _memory_bytes,
    _object_array_head_bytes,
    _object_id,
    _record_size,
    _slot,
    _u1,
    _u4,
)
from heapscope.parser.kernels import (
    CLASS_INDEX,
    COUNT_CHANGED,
    GRID_BASE,
    GRID_BITS,
    GRID_SHIFT,
    IDENTIFIER_BYTES,
    INSTANCE_UNITS,
    KEY,
    LISTED,
    LOST,
    NEED_BYTES,
    NOTHING,
    OBJECTS,
    OK,
    POSITION,
    ROOTS,
    SEGMENT,
    UNIT,
)
from heapscope.parser.tags import BasicType, SubRecordTag


@njit(forceinline=True)
def _class_slot(buf, pos, tag, table, idb):
    """Row of a record's class in a class table, -1 where the table does not have it."""
    key = _class_id(buf, pos, tag, idb)
    slot = _slot(table, key)
    if table[slot, KEY] != key:
        return int64(-1)
    return int64(slot)


@njit(forceinline=True)
def _reaches_past(size, slots, first, last, referent, idb):
    """Whether one of the places of references in an instance lies behind its record's end."""
    return (first != last and slots[last - 1] + idb > size) or abs(referent) + idb > size


@njit(nogil=True)
def mark_addresses(buf, pos, stop, constants, grid, words, lows, highs, state):
    """Set the bit of each object's address in ``words`` (uint64); note each segment's lowest and highest."""
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    base = grid[GRID_BASE]
    shift = grid[GRID_SHIFT]
    bits = grid[GRID_BITS]
    segment = uintp(state[SEGMENT])
    low = lows[segment]
    high = highs[segment]
    status = OK
    while pos < stop:
        size, status = _record_size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object_tag(_u1(buf, pos)):
            address = _object_id(buf, pos, idb)
            low = min(low, address)
            high = max(high, address)
            bit = (address - base) >> shift
            if bit >= bits:
                status = COUNT_CHANGED
                break
            words[uintp(bit >> uint64(6))] |= uint64(1) << (bit & uint64(63))
        pos += size
    lows[segment] = low
    highs[segment] = high
    state[POSITION] = pos
    return status


@njit(nogil=True)
def find_object(buf, pos, stop, constants, wanted, state):
    """Look for the object ``wanted[0]`` in a segment; OK with ``state[POSITION]`` at its record."""
    idb = constants[IDENTIFIER_BYTES]
    limit = min(stop, buf.shape[0])
    status = NEED_BYTES
    while pos < limit:
        size, status = _record_size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object_tag(_u1(buf, pos)) and _object_id(buf, pos, idb) == wanted[0]:
            break
        status = NEED_BYTES
        pos += size
    state[POSITION] = pos
    return status


@njit(nogil=True)
def locate_objects(buf, pos, stop, constants, ids, offsets, state):
    """Identifier and place of each record of an object in a segment; OK once the whole segment was read."""
    idb = constants[IDENTIFIER_BYTES]
    limit = min(stop, buf.shape[0])
    row = 0
    status = OK
    while pos < stop:
        size, status = _record_size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object_tag(_u1(buf, pos)):
            if row >= ids.shape[0]:
                status = COUNT_CHANGED
                break
            ids[row] = _object_id(buf, pos, idb)
            offsets[row] = pos
            row += 1
        pos += size
    if status == OK and row != ids.shape[0]:
        status = COUNT_CHANGED
    state[POSITION] = pos
    return status


@njit(nogil=True)
def collect_ids(buf, pos, stop, constants, ids, state):
    """Write the identifier of each object to ``ids`` from row ``state[OBJECTS]`` on."""
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    row = state[OBJECTS]
    status = OK
    while pos < stop:
        size, status = _record_size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object_tag(_u1(buf, pos)):
            if row >= ids.shape[0]:
                status = COUNT_CHANGED
                break
            ids[row] = _object_id(buf, pos, idb)
            row += 1
        pos += size
    state[POSITION] = pos
    state[OBJECTS] = row
    return status


@njit(nogil=True)
def fill_columns(
    buf, base, pos, stop, constants, table, primitive_class, class_class, slot_starts, slots, referent_slots,
    grid, addresses, ids, class_index, sizes, degrees, offsets,
    root_kinds, root_ids, root_first, root_second, state,
):  # fmt: skip
    """Write class, shallow size and number of references of each object; and root records.

    ``table`` is a class table with CLASS_INDEX and INSTANCE_UNITS; ``class_class`` is the index of
    java.lang.Class.  The references of an instance
    of class c lie ``slots[slot_starts[c]:slot_starts[c + 1]]`` bytes behind its record's beginning,
    a referent that is followed at ``referent_slots[c]`` if that is above 0; nulls are not counted.
    ``offsets``, where it has rows, gets the place of each record in the dump.
    ``state[OBJECTS]`` counts objects, ``state[ROOTS]`` is the next root row.
    """
    idb = constants[IDENTIFIER_BYTES]
    unit = constants[UNIT]
    limit = buf.shape[0]
    head = _object_array_head_bytes(idb)
    objects = state[OBJECTS]
    root = state[ROOTS]
    has_offsets = offsets.shape[0] > 0
    status = OK
    while pos < stop:
        size, status = _record_size(buf, pos, limit, idb, constants, True)
        if status != OK:
            break
        tag = _u1(buf, pos)
        if not _is_object_tag(tag):
            if tag != SubRecordTag.HEAP_DUMP_INFO:  # Android's heap name is no root
                if root >= root_kinds.shape[0]:
                    status = COUNT_CHANGED
                    break
                root_kinds[root] = tag
                root_ids[root] = _object_id(buf, pos, idb)
                # Two numbers behind the object, as far as the kind has them; a JNI global has an identifier.
                end = pos if tag == SubRecordTag.ROOT_JNI_GLOBAL else pos + size
                root_first[root] = _u4(buf, pos + 1 + idb) if pos + 5 + idb <= end else 0
                root_second[root] = _u4(buf, pos + 5 + idb) if pos + 9 + idb <= end else 0
                root += 1
            pos += size
            continue
        found = _index_of(_object_id(buf, pos, idb), grid, addresses, ids)
        if found < 0:
            status = COUNT_CHANGED
            break
        row = uintp(found)
        degree = 0
        if tag == SubRecordTag.INSTANCE_DUMP or tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            slot = _class_slot(buf, pos, tag, table, idb)
            if slot < 0:
                status = COUNT_CHANGED
                break
            c = uintp(table[uintp(slot), CLASS_INDEX])
            class_index[row] = int64(c)
            if tag == SubRecordTag.INSTANCE_DUMP:
                sizes[row] = table[uintp(slot), INSTANCE_UNITS]
                first = slot_starts[c]
                last = slot_starts[c + uintp(1)]
                referent = referent_slots[c]
                if _reaches_past(size, slots, first, last, referent, idb):
                    status = COUNT_CHANGED
                    break
                for s in range(first, last):
                    if _id(buf, pos + slots[uintp(s)], idb) != uint64(0):
                        degree += 1
                if referent > 0 and _id(buf, pos + referent, idb) != uint64(0):
                    degree += 1
            else:
                n = _array_length(buf, pos, idb)
                sizes[row] = _memory_bytes(BasicType.OBJECT, n, constants) // unit
                p = pos + head
                for _ in range(n):
                    if _id(buf, p, idb) != uint64(0):
                        degree += 1
                    p += idb
        elif tag == SubRecordTag.CLASS_DUMP:
            sizes[row] = 0
            class_index[row] = class_class
        else:
            code = _element_type(buf, pos, idb)
            sizes[row] = _memory_bytes(code, _array_length(buf, pos, idb), constants) // unit
            class_index[row] = primitive_class[code]
        degrees[row] = degree
        if has_offsets:
            offsets[row] = base + pos
        objects += 1
        pos += size
    state[POSITION] = pos
    state[OBJECTS] = objects
    state[ROOTS] = root
    return status


@njit(nogil=True)
def fill_offsets(buf, base, pos, stop, constants, grid, addresses, ids, offsets, state):
    """Write where the record of each object begins in the dump."""
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    status = OK
    while pos < stop:
        size, status = _record_size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object_tag(_u1(buf, pos)):
            found = _index_of(_object_id(buf, pos, idb), grid, addresses, ids)
            if found < 0:
                status = COUNT_CHANGED
                break
            offsets[uintp(found)] = base + pos
        pos += size
    state[POSITION] = pos
    return status


@njit(nogil=True)
def row_starts(starts, class_index, class_targets):
    """From the number of each object's references to where they begin, in place; their number.

    There is one more for a class object that is listed.
    """
    at = int64(0)
    n = class_index.shape[0]
    for row in range(n):
        degree = int64(starts[row]) + int64(class_targets[class_index[row]] != NOTHING)
        starts[row] = at
        at += degree
    starts[n] = at
    return at


@njit(nogil=True)
def fill_references(
    buf, pos, stop, constants, table, primitive_class, class_targets, slot_starts, slots, referent_slots,
    grid, addresses, ids, starts, targets, referents, state,
):  # fmt: skip
    """Write the object indices that each object refers to, from ``targets[starts[row]]`` on.

    The first is the object's class object where ``class_targets`` has one, the last a referent
    that is followed.  References that lead nowhere become 0xFFFFFFFF, and ``state[LOST]`` counts
    them.  All referents, followed or not, are listed in ``referents`` as source << 32 | target, from
    row ``state[LISTED]`` on.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    head = _object_array_head_bytes(idb)
    lost = state[LOST]
    listed = state[LISTED]
    status = OK
    while pos < stop:
        size, status = _record_size(buf, pos, limit, idb, constants, True)
        if status != OK:
            break
        tag = _u1(buf, pos)
        if tag == SubRecordTag.CLASS_DUMP or not _is_object_tag(tag):
            pos += size
            continue
        first = int64(0)
        last = int64(0)
        referent = int64(0)
        if tag == SubRecordTag.INSTANCE_DUMP or tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            slot = _class_slot(buf, pos, tag, table, idb)
            if slot < 0:
                status = COUNT_CHANGED
                break
            c = uintp(table[uintp(slot), CLASS_INDEX])
            if tag == SubRecordTag.INSTANCE_DUMP:
                first = slot_starts[c]
                last = slot_starts[c + uintp(1)]
                referent = referent_slots[c]
                if _reaches_past(size, slots, first, last, referent, idb):
                    status = COUNT_CHANGED
                    break
            else:
                last = _array_length(buf, pos, idb)
        else:
            c = uintp(primitive_class[_element_type(buf, pos, idb)])
        class_target = class_targets[c]
        if first == last and class_target == NOTHING and referent == 0:
            pos += size
            continue
        found = _index_of(_object_id(buf, pos, idb), grid, addresses, ids)
        if found < 0:
            status = COUNT_CHANGED
            break
        at = int64(starts[uintp(found)])
        end = int64(starts[uintp(found) + uintp(1)])
        if class_target != NOTHING:
            if at >= end:
                status = COUNT_CHANGED
                break
            targets[uintp(at)] = class_target
            at += 1
        if tag == SubRecordTag.INSTANCE_DUMP:
            for s in range(first, last):
                target = _id(buf, pos + slots[uintp(s)], idb)
                if target != uint64(0):
                    if at >= end:
                        status = COUNT_CHANGED
                        break
                    t = _index_of(target, grid, addresses, ids)
                    targets[uintp(at)] = uint32(t & 0xFFFFFFFF)
                    lost += t < 0
                    at += 1
            if referent != 0 and status == OK:
                target = _id(buf, pos + abs(referent), idb)
                if target != uint64(0):
                    t = _index_of(target, grid, addresses, ids)
                    if referent > 0:
                        if at >= end:
                            status = COUNT_CHANGED
                            break
                        targets[uintp(at)] = uint32(t & 0xFFFFFFFF)
                        at += 1
                        lost += t < 0
                    if t >= 0:
                        if listed >= referents.shape[0]:
                            status = COUNT_CHANGED
                            break
                        referents[uintp(listed)] = (uint64(found) << uint64(32)) | uint64(t)
                        listed += 1
        else:
            p = pos + head
            for _ in range(last):
                target = _id(buf, p, idb)
                if target != uint64(0):
                    if at >= end:
                        status = COUNT_CHANGED
                        break
                    t = _index_of(target, grid, addresses, ids)
                    targets[uintp(at)] = uint32(t & 0xFFFFFFFF)
                    lost += t < 0
                    at += 1
                p += idb
        if status != OK:
            break
        pos += size
    state[POSITION] = pos
    state[LOST] = lost
    state[LISTED] = listed
    return status
