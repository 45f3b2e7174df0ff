"""Compiled loops over the finished dominator tree; called through `heapscope.heap.retention.kernels` only."""

from __future__ import annotations

from numba import njit, uint32, uint64

from heapscope.heap.graph._kernels import _has, _set
from heapscope.heap.graph.kernels import DONE, LEAF, NOTHING, SPECIAL, VISITED


@njit(nogil=True)
def class_totals(class_index, units, counts, sums):
    """Objects and units of each class."""
    for v in range(class_index.shape[0]):
        c = class_index[v]
        counts[c] += 1
        sums[c] += uint64(units[v])
    return DONE


@njit(nogil=True)
def largest_of_classes(class_index, is_picked, retained, rows, sizes):
    """The instances of some classes that retain most: as many as there is room for, largest first.

    A heap of the best so far has the one that goes next at its top: the smallest, of equal ones the last.
    """
    room = rows.shape[0]
    held = 0
    for v in range(class_index.shape[0]):
        if is_picked[class_index[v]] == 0:
            continue
        size = uint64(retained[v])
        if held < room:
            at = held
            held += 1
            while at > 0 and (
                size < sizes[(at - 1) >> 1] or (size == sizes[(at - 1) >> 1] and v > rows[(at - 1) >> 1])
            ):
                sizes[at], rows[at] = sizes[(at - 1) >> 1], rows[(at - 1) >> 1]
                at = (at - 1) >> 1
            sizes[at], rows[at] = size, v
        elif room > 0 and size > sizes[0]:
            _sink(sizes, rows, held, size, v)
    found = held
    while held > 1:  # the worst of what is left goes behind the others
        size, v = sizes[held - 1], rows[held - 1]
        sizes[held - 1], rows[held - 1] = sizes[0], rows[0]
        held -= 1
        _sink(sizes, rows, held, size, v)
    return found


@njit(inline="always")
def _sink(sizes, rows, held, size, v):
    """Put something in the place of the top of a heap of so many."""
    at = 0
    while True:
        below = 2 * at + 1
        if below >= held:
            break
        other = below + 1
        if other < held and (
            sizes[other] < sizes[below] or (sizes[other] == sizes[below] and rows[other] > rows[below])
        ):
            below = other
        if size < sizes[below] or (size == sizes[below] and v > rows[below]):
            break
        sizes[at], rows[at] = sizes[below], rows[below]
        at = below
    sizes[at], rows[at] = size, v


@njit(inline="always")
def _own_group(v, owners, owner_groups):
    """Group of the class that a class object stands for; ``owners`` are sorted."""
    low = 0
    high = owners.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if owners[middle] < v:
            low = middle + 1
        else:
            high = middle
    if low < owners.shape[0] and owners[low] == v:
        return owner_groups[low]
    return uint32(NOTHING)


@njit(nogil=True)
def retained_by_group(
    immediate, retained, class_index, groups, owners, owner_groups, class_class, children, siblings, depths,
    totals,
):  # fmt: skip
    """Retained sizes summed over the members of each group that have no ancestor in it.

    ``groups`` has the groups of each class, the class objects in ``owners`` one more each; the
    dominator tree is walked along its links, with a counter for each group of how many of its
    members lie on the way down.
    """
    v = children[immediate.shape[0]]
    while v != NOTHING:
        c = class_index[v]
        own = _own_group(v, owners, owner_groups) if c == class_class else uint32(NOTHING)
        for column in range(4):
            group = groups[c, column] if column < 3 else own
            if group != NOTHING:
                if depths[group] == 0:
                    totals[group] += uint64(retained[v])
                depths[group] += 1
        if children[v] != NOTHING:
            v = children[v]
            continue
        while True:
            c = class_index[v]
            own = _own_group(v, owners, owner_groups) if c == class_class else uint32(NOTHING)
            for column in range(4):
                group = groups[c, column] if column < 3 else own
                if group != NOTHING:
                    depths[group] -= 1
            if siblings[v] != NOTHING:
                v = siblings[v]
                break
            v = immediate[v]
            if v == NOTHING - 1:
                return DONE
    return DONE


@njit(nogil=True)
def heaviest_children(immediate, retained, heaviest):
    """The child of each object in the dominator tree that retains most, the first of equals."""
    for v in range(heaviest.shape[0]):
        heaviest[v] = NOTHING
    for v in range(immediate.shape[0]):
        d = immediate[v]
        if d >= NOTHING - 1:
            continue
        before = heaviest[d]
        if before == NOTHING or retained[v] > retained[before]:
            heaviest[d] = v
    return DONE


@njit(nogil=True)
def mark_nested(immediate, members, flags, nested):
    """Which members have another one above them in the dominator tree.

    Plane VISITED has the members.  Objects on the way up are marked, so that each is passed once: plane LEAF
    below a member, plane SPECIAL where no member is above.
    """
    top = uint32(NOTHING - 1)
    for i in range(members.shape[0]):
        at = immediate[members[i]]
        is_below = False
        while at < top:
            if _has(flags, at, VISITED) or _has(flags, at, LEAF):
                is_below = True
                break
            if _has(flags, at, SPECIAL):
                break
            at = immediate[at]
        nested[i] = 1 if is_below else 0
        plane = LEAF if is_below else SPECIAL
        at = immediate[members[i]]
        while at < top:
            if _has(flags, at, VISITED) or _has(flags, at, LEAF) or _has(flags, at, SPECIAL):
                break
            _set(flags, at, plane)
            at = immediate[at]
    return DONE
