"""Compiled loops over the reference graph; called through `heapscope.heap.graph.kernels` only.

Graphs are CSR: object ``v`` refers to ``targets[starts[v]:starts[v + 1]]``.  Sets of objects are
planes of bits: column ``p`` of ``flags`` (uint64, shape (n // 64 + 1, PLANES)), so that all that
is asked of an object lies in one cache line.  Long loops take a budget and keep their state, for
a caller that shows progress and can be interrupted.
"""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.heap.graph._lookup_kernels import _has, _set
from heapscope.heap.graph._prefetch_kernels import LATER, SOON, prefetch
from heapscope.heap.graph.kernels import (
    DONE,
    LEAF,
    MORE,
    NEXT,
    NOTHING,
    PAIRS,
    ROOT,
    SPECIAL,
    TOP,
    VISITED,
)

_BLOCK = 256  # objects of a flood that are served together: larger blocks are no faster


@njit(nogil=True)
def mark_leaves(starts, flags):
    """Plane LEAF: objects that refer to nothing."""
    for v in range(starts.shape[0] - 1):
        if starts[v] == starts[v + 1]:
            _set(flags, v, LEAF)
    return DONE


@njit(nogil=True)
def mark(members, flags, plane):
    """Put objects into a plane."""
    for i in range(members.shape[0]):
        _set(flags, members[i], plane)
    return DONE


@njit(nogil=True)
def class_totals(class_index, units, counts, sums):
    """Objects and units of each class."""
    for v in range(class_index.shape[0]):
        c = class_index[v]
        counts[c] += 1
        sums[c] += uint64(units[v])
    return DONE


@njit(nogil=True)
def list_instances(class_index, is_wanted, out):
    """The objects of the wanted classes, ascending; ``out`` has room for one more than there are."""
    used = int64(0)
    last = out.shape[0] - 1
    for v in range(class_index.shape[0]):
        out[used] = v
        used += int64(is_wanted[class_index[v]])
        if used == last:
            break
    return used


@njit(nogil=True)
def drop_lost(starts, targets):
    """Take references that lead nowhere out of a CSR, in place; how many are left."""
    kept = int64(0)
    at = int64(starts[0])
    for row in range(starts.shape[0] - 1):
        end = int64(starts[row + 1])
        while at < end:
            target = targets[uintp(at)]
            if target != NOTHING:
                targets[uintp(kept)] = target
                kept += 1
            at += 1
        starts[row + 1] = kept
    return kept


@njit(nogil=True)
def breadth_first(starts, targets, flags, queue, parents, state, budget):
    """Visit what the objects in ``queue`` refer to, and what those refer to, nearest first.

    ``parents`` of newly visited objects is written.  Of objects in plane SPECIAL the last
    reference is not followed.  Objects ``state[ROOT]`` to ``state[TOP]`` of the queue wait.
    """
    used = state[TOP]
    at = state[ROOT]
    until = at + budget
    while at < used and at < until:
        v = queue[uintp(at)]
        at += 1
        if at + LATER < used:
            prefetch(starts, uintp(queue[uintp(at + LATER)]))
            prefetch(targets, uintp(starts[queue[uintp(at + SOON)]]))
        first = uintp(starts[v])
        last = uintp(starts[uintp(v) + uintp(1)])
        if _has(flags, v, SPECIAL):
            last -= uintp(1)
        for e in range(first, last):
            t = targets[e]
            row = uintp(t) >> uintp(6)
            mask = uint64(1) << (uint64(t) & uint64(63))
            if not flags[row, VISITED] & mask:
                flags[row, VISITED] |= mask
                parents[t] = v
                queue[uintp(used)] = t
                used += 1 - int64((flags[row, LEAF] & mask) != 0)
    state[ROOT] = at
    state[TOP] = used
    return DONE if at == used else MORE


@njit(nogil=True)
def incoming(starts, targets, flags, sources, found, state):
    """References to objects in plane VISITED; counted only where ``sources`` has no room."""
    used = int64(0)
    room = sources.shape[0]
    for v in range(starts.shape[0] - 1):
        for e in range(uintp(starts[v]), uintp(starts[v + 1])):
            t = targets[e]
            if _has(flags, t, VISITED):
                if used < room:
                    sources[used] = v
                    found[used] = t
                used += 1
    state[PAIRS] = used
    return DONE


@njit(nogil=True)
def flood(starts, targets, flags, stack, state, budget):
    """Visit all that the ``state[TOP]`` objects on the stack reach; leaves are not put on it.

    Those are distinct, and the stack has room for all objects and one more.  The uppermost objects are served
    as a block: what follows is then known early, and so are its places in memory.  What they reach is put
    above them, and moved down onto them at the end of the block.  Of objects in plane SPECIAL the last
    reference is not followed.
    """
    top = state[TOP]
    left = budget
    while top > 0 and left > 0:
        base = max(int64(0), top - _BLOCK)
        left -= top - base
        used = top
        for at in range(base, top):
            v = stack[uintp(at)]
            if at + SOON < top:
                prefetch(targets, uintp(starts[stack[uintp(at + SOON)]]))
            first = uintp(starts[v])
            last = uintp(starts[uintp(v) + uintp(1)])
            if _has(flags, v, SPECIAL):
                last -= uintp(1)
            for e in range(first, last):
                t = targets[e]
                row = uintp(t) >> uintp(6)
                mask = uint64(1) << (uint64(t) & uint64(63))
                if not flags[row, VISITED] & mask:
                    flags[row, VISITED] |= mask
                    stack[uintp(used)] = t
                    used += 1 - int64((flags[row, LEAF] & mask) != 0)
                    prefetch(starts, uintp(t))
        for at in range(top, used):
            stack[uintp(base + at - top)] = stack[uintp(at)]
        top = base + used - top
    state[TOP] = top
    return DONE if top == 0 else MORE


@njit(nogil=True)
def sum_units(words, units, state):
    """Number and units of the objects whose bits are set."""
    count = int64(0)
    total = uint64(0)
    n = units.shape[0]
    for row in range(words.shape[0]):
        word = words[row]
        if word == uint64(0):
            continue
        for bit in range(min(64, n - 64 * row)):
            if (word >> uint64(bit)) & uint64(1):
                count += 1
                total += uint64(units[64 * row + bit])
    state[NEXT] = count
    state[TOP] = int64(total)
    return DONE


@njit(nogil=True)
def members_of(words, out):
    """The objects whose bits are set, ascending, as far as ``out`` has room."""
    used = 0
    for row in range(words.shape[0]):
        word = words[row]
        if word == uint64(0):
            continue
        for bit in range(64):
            if (word >> uint64(bit)) & uint64(1) and used < out.shape[0]:
                out[used] = 64 * row + bit
                used += 1
    return used
