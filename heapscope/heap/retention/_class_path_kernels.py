"""Compiled loop over the dominator tree; called through `heapscope.heap.retention.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph._lookup_kernels import _place_of, _row_of
from heapscope.heap.graph.kernels import DONE, MORE, NOTHING

_VIRTUAL = 0xFFFFFFFE


@njit(nogil=True)
def class_paths(
    immediate, retained, units, class_index, mirrors, mirror_labels, class_class, node_of, keys, values,
    parents, labels, depths, counts, shallow, sums, examples, stack, state, max_depth,
):  # fmt: skip
    """Give each retained object the node of its class path; sum objects, sizes and retained sizes by node.

    Node 0 is the virtual root.  A label is a class, or a class object's own (``mirrors`` are sorted).  An
    object of its parent node's label belongs to that node: a list of a million entries is one node.
    ``keys`` and ``values`` are a hash table with open addressing; ``stack`` has room for the longest way
    up.  Returns `MORE` where nodes or table are too small: begin anew with larger ones.
    """
    nodes = int64(1)
    n = immediate.shape[0]
    for v in range(n):
        if immediate[v] == NOTHING or node_of[v] != NOTHING:
            continue
        top = int64(0)
        at = uint32(v)
        while at < _VIRTUAL and node_of[uintp(at)] == NOTHING:
            stack[top] = at
            top += 1
            at = immediate[uintp(at)]
        while top > 0:
            top -= 1
            w = stack[top]
            above = immediate[uintp(w)]
            node = uint32(0) if above == _VIRTUAL else node_of[uintp(above)]
            c = int64(class_index[uintp(w)])
            if c == class_class:
                row = _row_of(mirrors, w)
                if row >= 0:
                    c = int64(mirror_labels[row])
            own = node
            if node == 0 or (labels[node] != c and depths[node] < max_depth):
                if nodes >= parents.shape[0] or 2 * nodes >= keys.shape[0]:
                    return MORE
                key = (uint64(node) << uint64(32)) | uint64(c + 1)
                place = _place_of(keys, key)
                if keys[place] == 0:
                    keys[place] = key
                    values[place] = uint32(nodes)
                    parents[nodes] = node
                    labels[nodes] = c
                    depths[nodes] = depths[node] + 1
                    nodes += 1
                own = values[place]
            node_of[uintp(w)] = own
            counts[own] += 1
            shallow[own] += uint64(units[uintp(w)])
            if own != node or above == _VIRTUAL:
                sums[own] += uint64(retained[uintp(w)])
                if examples[own] == NOTHING or retained[uintp(w)] > retained[uintp(examples[own])]:
                    examples[own] = w
    state[0] = nodes
    return DONE
