"""Compiled loops over shortest-path trees; called through `heapscope.analysis.growth.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph.kernels import DONE, NOTHING, SPECIAL
from heapscope.heap.retention._edge_kernels import _own_kind


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
def settle_parents(
    starts, targets, flags, strong, depths, ranks, class_index, special, mirrors, class_count, parents
):
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
        rank = ranks[_own_kind(v, class_index, special, mirrors, class_count)]
        for e in range(first, last):
            t = targets[e]
            if depths[t] != below or not (strong[t >> 6] >> uint64(t & 63)) & uint64(1):
                continue
            if rank < ranks[_own_kind(parents[t], class_index, special, mirrors, class_count)]:
                parents[t] = v
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
