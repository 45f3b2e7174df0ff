"""Compiled loops over shortest-path trees; called through `heapscope.analysis.growth.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph.kernels import DONE, MORE, NEXT, NOTHING, SPECIAL, TREE


@njit(nogil=True)
def find_depths(parents, depths, stack):
    """Steps from the GC roots, NOTHING for what they do not reach."""
    for v in range(parents.shape[0]):
        depths[v] = NOTHING
    for v in range(parents.shape[0]):
        top = int64(0)
        at = uint32(v)
        while depths[at] == NOTHING and parents[at] < NOTHING - 1 and top < stack.shape[0]:
            stack[uintp(top)] = at
            top += 1
            at = parents[at]
        if depths[at] == NOTHING and parents[at] == NOTHING - 1:
            depths[at] = 0
        if depths[at] == NOTHING:
            continue
        depth = depths[at]
        while top > 0:
            top -= 1
            depth += uint32(1)
            depths[stack[uintp(top)]] = depth
    return DONE


@njit(nogil=True)
def settle_parents(starts, targets, flags, strong, depths, ranks, kinds, parents):
    """Of all shortest paths the one over the holder of least rank, whatever the order of addresses.

    Only between strongly reachable objects; of objects in plane SPECIAL the last reference is a
    referent and no strong one.
    """
    for v in range(starts.shape[0] - 1):
        if not (strong[v >> 6] >> uint64(v & 63)) & uint64(1):
            continue
        first = uintp(starts[v])
        last = uintp(starts[v + 1])
        if (flags[v >> 6, SPECIAL] >> uint64(v & 63)) & uint64(1):
            last -= uintp(1)
        below = depths[v] + uint32(1)
        rank = ranks[kinds[v]]
        for e in range(first, last):
            t = targets[e]
            if depths[t] != below or not (strong[t >> 6] >> uint64(t & 63)) & uint64(1):
                continue
            if rank < ranks[kinds[parents[t]]]:
                parents[t] = v
    return DONE


@njit(forceinline=True)
def _slot(group, label, kind, slots):
    """Where in a table of a power of two slots a key begins to be looked for."""
    key = (uint64(group) << uint64(32)) ^ (uint64(label) * uint64(0x9E3779B97F4A7C15)) ^ uint64(kind)
    key = (key ^ (key >> uint64(31))) * uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> uint64(27))) * uint64(0x94D049BB133111EB)
    return (key ^ (key >> uint64(31))) & uint64(slots - 1)


@njit(nogil=True)
def fill_table(groups, count, table):
    """Put groups into a new table."""
    slots = table.shape[0]
    for slot in range(slots):
        table[slot] = NOTHING
    for group in range(1, count):
        at = _slot(groups[group, 0], groups[group, 1], groups[group, 2], slots)
        while table[uintp(at)] != NOTHING:
            at = (at + uint64(1)) & uint64(slots - 1)
        table[uintp(at)] = group
    return DONE


@njit(nogil=True)
def compose(parents, links, labels, kinds, of_object, stack, groups, table, deepest, state):
    """The group of each object's path: the group of its parent's, a label, a kind.

    ``groups`` has a row for each group: parent, label, kind, depth; row 0 is the empty one.
    ``links`` are bits of objects that are no step of their own.  Stops with MORE where
    ``groups`` or ``table`` are full (half, for the table); paths deeper than ``deepest`` end there.
    """
    slots = table.shape[0]
    v = state[NEXT]
    used = state[TREE]
    while v < parents.shape[0]:
        top = int64(0)
        at = uint32(v)
        # Up to what has a group; a root's parent is the empty one.
        while of_object[at] == NOTHING and parents[at] != NOTHING and top < stack.shape[0]:
            stack[uintp(top)] = at
            top += 1
            if parents[at] == NOTHING - 1:
                break
            at = parents[at]
        group = uint32(0)
        if top == 0 or parents[stack[uintp(top - 1)]] != NOTHING - 1:
            group = of_object[at]
        while top > 0:
            top -= 1
            w = stack[uintp(top)]
            is_link = (links[w >> 6] >> uint64(w & 63)) & uint64(1)
            if not is_link and groups[uintp(group), 3] < deepest:
                if 2 * used >= slots or used >= groups.shape[0]:
                    state[NEXT] = v
                    state[TREE] = used
                    return MORE
                place = _slot(group, labels[w], kinds[w], slots)
                while True:
                    found = table[uintp(place)]
                    if found == NOTHING:
                        groups[uintp(used), 0] = group
                        groups[uintp(used), 1] = labels[w]
                        groups[uintp(used), 2] = kinds[w]
                        groups[uintp(used), 3] = groups[uintp(group), 3] + uint32(1)
                        table[uintp(place)] = uint32(used)
                        group = uint32(used)
                        used += 1
                        break
                    row = uintp(found)
                    if groups[row, 0] == group and groups[row, 1] == labels[w] and groups[row, 2] == kinds[w]:
                        group = found
                        break
                    place = (place + uint64(1)) & uint64(slots - 1)
            of_object[w] = group
        v += 1
    state[NEXT] = v
    state[TREE] = used
    return DONE


@njit(nogil=True)
def group_totals(of_object, units, counts, sums):
    """Objects and size of each group."""
    for v in range(of_object.shape[0]):
        group = of_object[v]
        if group != NOTHING:
            counts[uintp(group)] += 1
            sums[uintp(group)] += uint64(units[v])
    return DONE


@njit(nogil=True)
def retained_by_path_group(immediate, retained, of_object, children, siblings, depths, totals):
    """Retained sizes summed over the members of each group that have no ancestor of that group."""
    v = children[immediate.shape[0]]
    while v != NOTHING:
        group = of_object[v]
        if group != NOTHING:
            if depths[uintp(group)] == 0:
                totals[uintp(group)] += uint64(retained[v])
            depths[uintp(group)] += 1
        if children[v] != NOTHING:
            v = children[v]
            continue
        while True:
            group = of_object[v]
            if group != NOTHING:
                depths[uintp(group)] -= 1
            if siblings[v] != NOTHING:
                v = siblings[v]
                break
            v = immediate[v]
            if v == NOTHING - 1:
                return DONE
    return DONE
