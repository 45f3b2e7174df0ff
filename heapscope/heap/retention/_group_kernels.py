"""Compiled loops over the finished dominator tree; called through `heapscope.heap.retention.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph._lookup_kernels import _has, _row_of, _set
from heapscope.heap.graph.kernels import DONE, LEAF, NOTHING, SPECIAL, VISITED


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


@njit(forceinline=True)
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


@njit(nogil=True)
def retained_by_path(parents, labels, pair_paths, pair_labels, pair_units, groups, totals):
    """Retained sizes summed over the members of each group that have no ancestor in it, by class path.

    ``groups`` has the groups of each label; see `heapscope.heap.graph.path_sums`.
    """
    for pair in range(pair_paths.shape[0]):
        label = pair_labels[pair]
        for column in range(4):
            group = groups[label, column]
            is_new = group != NOTHING
            for before in range(column):
                is_new = is_new and groups[label, before] != group
            path = pair_paths[pair]
            while is_new and path != 0:
                for above in range(4):
                    is_new = is_new and groups[labels[uintp(path)], above] != group
                path = parents[uintp(path)]
            if is_new:
                totals[group] += pair_units[pair]
    return DONE


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
        row = _row_of(owners, v) if c == class_class else int64(-1)
        for column in range(4):
            group = uint32(NOTHING)
            if column < 3:
                group = groups[c, column]
            elif row >= 0:
                group = owner_groups[row]
            if group != NOTHING:
                if depths[group] == 0:
                    totals[group] += uint64(retained[v])
                depths[group] += 1
        if children[v] != NOTHING:
            v = children[v]
            continue
        while True:
            c = class_index[v]
            row = _row_of(owners, v) if c == class_class else int64(-1)
            for column in range(4):
                group = uint32(NOTHING)
                if column < 3:
                    group = groups[c, column]
                elif row >= 0:
                    group = owner_groups[row]
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
def list_children(immediate, marks, out):
    """What marked objects immediately dominate, ascending, as far as ``out`` has room; how many there are."""
    used = int64(0)
    room = out.shape[0]
    top = uint32(NOTHING - 1)
    for v in range(immediate.shape[0]):
        d = immediate[v]
        if d < top and (marks[uintp(d) >> uintp(6)] >> (uint64(d) & uint64(63))) & uint64(1):
            if used < room:
                out[used] = v
            used += 1
    return used


@njit(nogil=True)
def mark_nested(tree, members, flags, nested):
    """Which members have an object of plane VISITED above them in a tree.

    Objects on the way up are marked, so that each is passed once: plane LEAF below one of VISITED, plane
    SPECIAL where there is none.
    """
    top = uint32(NOTHING - 1)
    for i in range(members.shape[0]):
        at = tree[members[i]]
        is_below = False
        while at < top:
            if _has(flags, at, VISITED) or _has(flags, at, LEAF):
                is_below = True
                break
            if _has(flags, at, SPECIAL):
                break
            at = tree[at]
        nested[i] = 1 if is_below else 0
        plane = LEAF if is_below else SPECIAL
        at = tree[members[i]]
        while at < top:
            if _has(flags, at, VISITED) or _has(flags, at, LEAF) or _has(flags, at, SPECIAL):
                break
            _set(flags, at, plane)
            at = tree[at]
    return DONE
