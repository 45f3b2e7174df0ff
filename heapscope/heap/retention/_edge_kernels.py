"""Compiled loops that label references and paths; called through `heapscope.heap.retention.kernels` only.

Of a tree of paths ``parents`` has the object before each one: NOTHING - 1 where a path begins, NOTHING for
what lies on none.  Rows of steps are ``rows``: the row before, a label, a class, how many steps; row 0 is the
empty path.  They are found again through ``table``, a hash table of a power of two of row numbers.
"""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph._lookup_kernels import _row_of
from heapscope.heap.graph.kernels import DONE, MORE, NEXT, NOTHING, TREE
from heapscope.heap.retention.kernels import CLASS_COLUMN, ELEMENT_COLUMN, UNKNOWN_COLUMN
from heapscope.parser._address_kernels import _index_of
from heapscope.parser._record_kernels import _id


@njit(forceinline=True)
def _is_in(words, v):
    return (words[uintp(v) >> uintp(6)] >> (uint64(v) & uint64(63))) & uint64(1)


@njit(nogil=True)
def label_pairs(
    buf, sources, targets, offsets, class_index, slot_starts, slots, slot_labels, of_class, class_objects,
    special, grid, table, ids, identifier_bytes, labels,
):  # fmt: skip
    """The label of the first reference of each pair of objects; 0 where the source is in ``special``.

    Instances of class c have references ``slots[slot_starts[c]:slot_starts[c + 1]]`` bytes behind the
    beginning of their record, which is at ``offsets`` of the source of each pair.
    """
    limit = int64(buf.shape[0])
    for i in range(sources.shape[0]):
        source = uintp(sources[i])
        labels[i] = 0
        if _is_in(special, source):
            continue
        c = uintp(class_index[source])
        if of_class[c, ELEMENT_COLUMN] != 0:
            labels[i] = of_class[c, ELEMENT_COLUMN]
            continue
        target = int64(targets[i])
        is_class = class_objects[c] == target
        first = slot_starts[c]
        last = slot_starts[c + uintp(1)]
        if last - first == 1 and not is_class:  # there is no other reference
            labels[i] = slot_labels[first]
            continue
        offset = int64(offsets[i])
        found = of_class[c, CLASS_COLUMN] if is_class else of_class[c, UNKNOWN_COLUMN]
        for s in range(first, last):
            at = offset + slots[s]
            if offset < 0 or at + identifier_bytes > limit:
                break
            held = _id(buf, uintp(at), identifier_bytes)
            if held != uint64(0) and _index_of(held, grid, table, ids) == target:
                found = slot_labels[s]
                break
        labels[i] = found
    return DONE


@njit(nogil=True)
def mark_ways(parents, members, words):
    """Put objects, and all that come before them in a tree, into a set of bits."""
    for i in range(members.shape[0]):
        at = members[i]
        while at < NOTHING - 1 and not _is_in(words, at):
            words[uintp(at) >> uintp(6)] |= uint64(1) << (uint64(at) & uint64(63))
            at = parents[uintp(at)]
    return DONE


@njit(forceinline=True)
def _first_slot(before, label, kind, slots):
    """Where in a table of a power of two slots a key begins to be looked for."""
    key = (uint64(before) << uint64(32)) ^ (uint64(label) * uint64(0x9E3779B97F4A7C15)) ^ uint64(kind)
    key = (key ^ (key >> uint64(31))) * uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> uint64(27))) * uint64(0x94D049BB133111EB)
    return (key ^ (key >> uint64(31))) & uint64(slots - 1)


@njit(nogil=True)
def fill_table(rows, count, table):
    """Put rows into a new table."""
    slots = table.shape[0]
    for slot in range(slots):
        table[slot] = NOTHING
    for row in range(1, count):
        at = _first_slot(rows[row, 0], rows[row, 1], rows[row, 2], slots)
        while table[uintp(at)] != NOTHING:
            at = (at + uint64(1)) & uint64(slots - 1)
        table[uintp(at)] = row
    return DONE


@njit(nogil=True)
def _stepped(before, label, kind, rows, table, state):
    """The row of a step behind another row; made where it is new, NOTHING where there is no room."""
    slots = table.shape[0]
    place = _first_slot(before, label, kind, slots)
    while table[uintp(place)] != NOTHING:
        row = uintp(table[uintp(place)])
        if rows[row, 0] == before and rows[row, 1] == label and rows[row, 2] == kind:
            return uint32(row)
        place = (place + uint64(1)) & uint64(slots - 1)
    used = state[TREE]
    if 2 * used >= slots or used >= rows.shape[0]:
        return uint32(NOTHING)
    rows[uintp(used), 0] = before
    rows[uintp(used), 1] = label
    rows[uintp(used), 2] = kind
    rows[uintp(used), 3] = rows[uintp(before), 3] + uint32(1)
    table[uintp(place)] = uint32(used)
    state[TREE] = used + 1
    return uint32(used)


@njit(forceinline=True)
def _own_kind(v, class_index, special, mirrors, class_count):
    """The class of an object; class objects, which are ``special``, are each of a class of their own."""
    if _is_in(special, v):
        row = _row_of(mirrors, v)
        if row >= 0:
            return uint32(class_count + row)
    return uint32(class_index[uintp(v)])


@njit(forceinline=True)
def _is_link(source, target, class_index, special, mirrors):
    """Whether an object leads to another one of its class, as nodes of a list do; no class object does."""
    if class_index[uintp(source)] != class_index[uintp(target)]:
        return False
    return not _is_in(special, source) or _row_of(mirrors, source) < 0


@njit(nogil=True)
def compose_paths(
    parents, wanted, labels, class_index, special, mirrors, class_count, most_steps, rest, of_object, stack,
    rows, table, state,
):  # fmt: skip
    """The row of the path to each object in ``wanted``, plus one, into ``of_object``, which is 0 before.

    A step is a label and, where ``class_count`` is not 0, what it leads to: a class or a class object.  From
    an object to the next of its class is none.  A path of more than ``most_steps`` steps ends there, with a
    step of label ``rest`` for all others where that is not 0.
    Stops with MORE where ``rows`` or ``table`` are full (half, for the table).
    """
    n = parents.shape[0]
    v = state[NEXT]
    while v < n:
        if wanted[v >> 6] == 0:
            v = ((v >> 6) + 1) << 6
            continue
        if not _is_in(wanted, v) or parents[v] == NOTHING:
            v += 1
            continue
        top = int64(0)
        at = uint32(v)
        before = uint32(NOTHING)
        while of_object[uintp(at)] == 0 and top < stack.shape[0]:
            stack[uintp(top)] = at
            top += 1
            before = parents[uintp(at)]
            if before >= NOTHING - 1:
                break
            at = before
        while top > 0:
            w = stack[uintp(top - 1)]
            before = parents[uintp(w)]
            row = uint32(0)
            is_step = True
            if before < NOTHING - 1:
                row = uint32(of_object[uintp(before)] - uint32(1))
                if class_count == 0:
                    is_step = not _is_link(before, w, class_index, special, mirrors)
                else:
                    is_step = _own_kind(w, class_index, special, mirrors, class_count) != _own_kind(
                        before, class_index, special, mirrors, class_count
                    )
            else:
                is_step = class_count > 0
            depth = int64(rows[uintp(row), 3])
            if is_step and (depth < most_steps or (depth == most_steps and rest != 0)):
                kind = uint32(0)
                label = uint32(rest)
                if depth < most_steps:
                    label = labels[uintp(w)]
                    if class_count > 0:
                        kind = _own_kind(w, class_index, special, mirrors, class_count)
                row = _stepped(row, label, kind, rows, table, state)
                if row == NOTHING:
                    state[NEXT] = v
                    return MORE
            of_object[uintp(w)] = row + uint32(1)
            top -= 1
        v += 1
    state[NEXT] = v
    return DONE


@njit(nogil=True)
def step_to_members(
    sources, targets, labels, class_index, special, mirrors, of_object, rows, table, keys, state
):  # fmt: skip
    """For each pair of a holder and what it holds: target << 32 | row of the path to it over that holder.

    ``of_object`` as `compose_paths` has it.  A path has a step at least: where nothing but a list leads from
    the root to a member, the last of its links is one.  Stops with MORE where ``rows`` or ``table`` are full.
    """
    i = state[NEXT]
    while i < sources.shape[0]:
        row = uint32(of_object[uintp(sources[i])] - uint32(1))
        if row == 0 or not _is_link(sources[i], targets[i], class_index, special, mirrors):
            row = _stepped(row, labels[i], uint32(0), rows, table, state)
            if row == NOTHING:
                state[NEXT] = i
                return MORE
        keys[i] = (uint64(targets[i]) << uint64(32)) | uint64(row)
        i += 1
    state[NEXT] = i
    return DONE


@njit(nogil=True)
def sum_by_step(keys, rows, retained, last, counts, sums, examples):
    """Members that are held over each row and what they retain, each once; the first member of each.

    ``keys`` are sorted; ``last`` is NOTHING before.
    """
    for i in range(keys.shape[0]):
        member = uint32(keys[i] >> uint64(32))
        row = uintp(keys[i] & uint64(0xFFFFFFFF))
        while row != 0 and last[row] != member:
            last[row] = member
            if counts[row] == 0:
                examples[row] = member
            counts[row] += 1
            sums[row] += uint64(retained[uintp(member)])
            row = uintp(rows[row, 0])
    return DONE
