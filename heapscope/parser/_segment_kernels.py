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
from heapscope.parser._kernels import _class_dump_end, _id, _slot, _u1, _u4
from heapscope.parser.kernels import (
    ALIGN,
    AMOUNT,
    BAD_TAG,
    BAD_TYPE,
    COUNT,
    COUNT_CHANGED,
    ELEMENT_BASE,
    ELEMENT_BYTES,
    FIXED_BYTES,
    IDENTIFIER_BYTES,
    KEY,
    LISTED,
    LOST,
    MAP_BASE,
    MAP_BITS,
    MAP_SHIFT,
    NEED_BYTES,
    NOTHING,
    OBJECTS,
    OK,
    POSITION,
    ROOTS,
    SEGMENT,
    UNIT,
    VALUE_BYTES,
)


@njit(inline="always")
def _size(buf, pos, limit, idb, constants, bodies):  # type: ignore[no-untyped-def]
    """(bytes of the sub-record at ``pos``, status); with ``bodies`` an object array must be whole."""
    tag = _u1(buf, pos)
    if tag == 0x21:
        if pos + 1 + 2 * idb + 8 > limit:
            return int64(0), NEED_BYTES
        size = 1 + 2 * idb + 8 + _u4(buf, pos + 5 + 2 * idb)
        if bodies and pos + size > limit:
            return int64(0), NEED_BYTES
        return size, OK
    if tag == 0x22:
        if pos + 1 + 2 * idb + 8 > limit:
            return int64(0), NEED_BYTES
        size = 1 + 2 * idb + 8 + _u4(buf, pos + 5 + idb) * idb
        if bodies and pos + size > limit:
            return int64(0), NEED_BYTES
        return size, OK
    if tag == 0x23 or tag == 0xC3:
        if pos + 1 + idb + 9 > limit:
            return int64(0), NEED_BYTES
        kind = _u1(buf, pos + 9 + idb)
        if kind < 4 or kind > 11:
            return int64(0), BAD_TYPE
        size = 1 + idb + 9
        if tag == 0x23:
            size += _u4(buf, pos + 5 + idb) * constants[VALUE_BYTES + kind]
        return size, OK
    if tag == 0x20:
        end, status = _class_dump_end(buf, pos, limit, idb, constants)
        return end - pos, status
    size = constants[FIXED_BYTES + tag]
    if size == 0:
        return int64(0), BAD_TAG
    if pos + size > limit:
        return int64(0), NEED_BYTES
    return size, OK


@njit(inline="always")
def _is_object(tag):  # type: ignore[no-untyped-def]
    return (0x20 <= tag <= 0x23) or tag == 0xC3


@njit(nogil=True)
def mark_addresses(buf, pos, stop, constants, places, words, lows, highs, state):  # type: ignore[no-untyped-def]
    """Set the bit of each object's address in ``words`` (uint64); note each segment's lowest and highest."""
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    base = places[MAP_BASE]
    shift = places[MAP_SHIFT]
    bits = places[MAP_BITS]
    segment = uintp(state[SEGMENT])
    low = lows[segment]
    high = highs[segment]
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        size, status = _size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object(_u1(buf, pos)):
            address = _id(buf, pos + 1, idb)
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
def find_object(buf, pos, stop, constants, wanted, state):  # type: ignore[no-untyped-def]
    """Look for the object ``wanted[0]`` in a segment; OK with ``state[POSITION]`` at its record."""
    idb = constants[IDENTIFIER_BYTES]
    limit = min(stop, buf.shape[0])
    status = NEED_BYTES
    while pos < limit:
        size, status = _size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object(_u1(buf, pos)) and _id(buf, pos + 1, idb) == wanted[0]:
            break
        status = NEED_BYTES
        pos += size
    state[POSITION] = pos
    return status


@njit(nogil=True)
def collect_ids(buf, pos, stop, constants, ids, state):  # type: ignore[no-untyped-def]
    """Write the identifier of each object to ``ids`` from row ``state[OBJECTS]`` on."""
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    row = state[OBJECTS]
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        size, status = _size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object(_u1(buf, pos)):
            if row >= ids.shape[0]:
                status = COUNT_CHANGED
                break
            ids[row] = _id(buf, pos + 1, idb)
            row += 1
        pos += size
    state[POSITION] = pos
    state[OBJECTS] = row
    return status


@njit(nogil=True)
def fill_columns(  # type: ignore[no-untyped-def]
    buf, pos, stop, constants, table, primitive_class, class_class, slot_starts, slots, referent_slots,
    places, addresses, ids, class_index, sizes, degrees,
    root_kinds, root_ids, root_first, root_second, state,
):  # fmt: skip
    """Write class, shallow size and number of references of each object; and root records.

    ``table`` maps class identifiers to a class index (COUNT) and the size of an instance in
    units (AMOUNT); ``class_class`` is the index of java.lang.Class.  The references of an instance
    of class c lie ``slots[slot_starts[c]:slot_starts[c + 1]]`` bytes behind its record's beginning,
    a referent that is followed at ``referent_slots[c]`` if that is above 0; nulls are not counted.
    ``state[OBJECTS]`` counts objects, ``state[ROOTS]`` is the next root row.
    """
    idb = constants[IDENTIFIER_BYTES]
    unit = constants[UNIT]
    limit = buf.shape[0]
    up = constants[ALIGN] - 1
    reference_base = constants[ELEMENT_BASE + 2]
    reference_bytes = constants[ELEMENT_BYTES + 2]
    head = 1 + 2 * idb + 8
    objects = state[OBJECTS]
    root = state[ROOTS]
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        size, status = _size(buf, pos, limit, idb, constants, True)
        if status != OK:
            break
        tag = _u1(buf, pos)
        if not _is_object(tag):
            if tag != 0xFE:  # Android's heap name is no root
                if root >= root_kinds.shape[0]:
                    status = COUNT_CHANGED
                    break
                root_kinds[root] = tag
                root_ids[root] = _id(buf, pos + 1, idb)
                root_first[root] = _u4(buf, pos + 1 + idb) if size >= 5 + idb and tag != 0x01 else 0
                root_second[root] = _u4(buf, pos + 5 + idb) if size >= 9 + idb and tag != 0x01 else 0
                root += 1
            pos += size
            continue
        found = _index_of(_id(buf, pos + 1, idb), places, addresses, ids)
        if found < 0:
            status = COUNT_CHANGED
            break
        row = uintp(found)
        degree = 0
        if tag == 0x21 or tag == 0x22:
            key = _id(buf, pos + 5 + idb if tag == 0x21 else pos + 9 + idb, idb)
            slot = _slot(table, key)
            if table[slot, KEY] != key:
                status = COUNT_CHANGED
                break
            c = uintp(table[slot, COUNT])
            class_index[row] = int64(c)
            if tag == 0x21:
                sizes[row] = table[slot, AMOUNT]
                first = slot_starts[c]
                last = slot_starts[c + uintp(1)]
                referent = referent_slots[c]
                if (first != last and slots[last - 1] + idb > size) or abs(referent) + idb > size:
                    status = COUNT_CHANGED
                    break
                for s in range(first, last):
                    if _id(buf, pos + slots[uintp(s)], idb) != uint64(0):
                        degree += 1
                if referent > 0 and _id(buf, pos + referent, idb) != uint64(0):
                    degree += 1
            else:
                n = _u4(buf, pos + 5 + idb)
                sizes[row] = ((reference_base + n * reference_bytes + up) & ~up) // unit
                p = pos + head
                for _ in range(n):
                    if _id(buf, p, idb) != uint64(0):
                        degree += 1
                    p += idb
        elif tag == 0x20:
            sizes[row] = 0
            class_index[row] = class_class
        else:
            kind = _u1(buf, pos + 9 + idb)
            n = _u4(buf, pos + 5 + idb)
            in_memory = constants[ELEMENT_BASE + kind] + n * constants[ELEMENT_BYTES + kind]
            sizes[row] = ((in_memory + up) & ~up) // unit
            class_index[row] = primitive_class[kind]
        degrees[row] = degree
        objects += 1
        pos += size
    state[POSITION] = pos
    state[OBJECTS] = objects
    state[ROOTS] = root
    return status


@njit(nogil=True)
def fill_offsets(buf, base, pos, stop, constants, places, addresses, ids, offsets, state):  # type: ignore[no-untyped-def]
    """Write where the record of each object begins in the dump."""
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        size, status = _size(buf, pos, limit, idb, constants, False)
        if status != OK:
            break
        if _is_object(_u1(buf, pos)):
            found = _index_of(_id(buf, pos + 1, idb), places, addresses, ids)
            if found < 0:
                status = COUNT_CHANGED
                break
            offsets[uintp(found)] = base + pos
        pos += size
    state[POSITION] = pos
    return status


@njit(nogil=True)
def row_starts(starts, class_index, class_targets):  # type: ignore[no-untyped-def]
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
def fill_references(  # type: ignore[no-untyped-def]
    buf, pos, stop, constants, table, primitive_class, class_targets, slot_starts, slots, referent_slots,
    places, addresses, ids, starts, targets, referents, state,
):  # fmt: skip
    """Write the object indices that each object refers to, from ``targets[starts[row]]`` on.

    The first is the object's class object where ``class_targets`` has one, the last a referent
    that is followed.  References that lead nowhere become 0xFFFFFFFF, and ``state[LOST]`` counts
    them.  All referents, followed or not, are listed in ``referents`` as source << 32 | target, from
    row ``state[LISTED]`` on.
    """
    idb = constants[IDENTIFIER_BYTES]
    limit = buf.shape[0]
    head = 1 + 2 * idb + 8
    lost = state[LOST]
    listed = state[LISTED]
    status = OK
    while pos < stop:
        if pos >= limit:
            status = NEED_BYTES
            break
        size, status = _size(buf, pos, limit, idb, constants, True)
        if status != OK:
            break
        tag = _u1(buf, pos)
        if tag == 0x20 or not _is_object(tag):
            pos += size
            continue
        first = int64(0)
        last = int64(0)
        referent = int64(0)
        if tag == 0x21 or tag == 0x22:
            key = _id(buf, pos + 5 + idb if tag == 0x21 else pos + 9 + idb, idb)
            slot = _slot(table, key)
            if table[slot, KEY] != key:
                status = COUNT_CHANGED
                break
            c = uintp(table[slot, COUNT])
            if tag == 0x21:
                first = slot_starts[c]
                last = slot_starts[c + uintp(1)]
                referent = referent_slots[c]
                if (first != last and slots[last - 1] + idb > size) or abs(referent) + idb > size:
                    status = COUNT_CHANGED
                    break
            else:
                last = _u4(buf, pos + 5 + idb)
        else:
            c = uintp(primitive_class[_u1(buf, pos + 9 + idb)])
        class_target = class_targets[c]
        if first == last and class_target == NOTHING and referent == 0:
            pos += size
            continue
        found = _index_of(_id(buf, pos + 1, idb), places, addresses, ids)
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
        if tag == 0x21:
            for s in range(first, last):
                target = _id(buf, pos + slots[uintp(s)], idb)
                if target != uint64(0):
                    if at >= end:
                        status = COUNT_CHANGED
                        break
                    t = _index_of(target, places, addresses, ids)
                    targets[uintp(at)] = uint32(t & 0xFFFFFFFF)
                    lost += t < 0
                    at += 1
            if referent != 0 and status == OK:
                target = _id(buf, pos + abs(referent), idb)
                if target != uint64(0):
                    t = _index_of(target, places, addresses, ids)
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
                    t = _index_of(target, places, addresses, ids)
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
