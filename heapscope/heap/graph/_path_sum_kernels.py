"""Compiled loop of `heapscope.heap.graph.path_sums`; called through `heapscope.heap.graph.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph._lookup_kernels import _place_of, _row_of
from heapscope.heap.graph.kernels import DONE, MORE, NEXT, PAIRS, TREE


@njit(forceinline=True)
def _label_of(v, class_index, class_class, mirrors, class_count):
    """The class of an object; of a class object in ``mirrors``, which are sorted, a label of its own."""
    c = int64(class_index[v])
    if c == class_class:
        row = _row_of(mirrors, v)
        if row >= 0:
            return class_count + row
    return c


@njit(nogil=True)
def sum_paths(
    order, dominators, retained, class_index, mirrors, class_class, class_count, path_of, keys, values,
    parents, labels, pair_paths, pair_labels, pair_next, pair_units, state,
):  # fmt: skip
    """Sum what objects retain by the classes above them in the dominator tree, and their own.

    A path is a row of ``parents`` and ``labels``: the path above it, and a class that this does not have yet;
    path 0 is empty.  A pair is a path and the class of an object below it.  ``path_of`` is by number.  Where
    pairs or paths have no room, `MORE`: the loop goes on from ``state[NEXT]`` with larger arrays that begin
    with those, and an empty hash table of a power of two.
    """
    paths = state[TREE]
    pairs = state[PAIRS]
    for p in range(pairs):
        key = (uint64(pair_paths[p]) << uint64(32)) | uint64(pair_labels[p] + 1)
        place = _place_of(keys, key)
        keys[place] = key
        values[place] = uint32(p)
    status = DONE
    w = state[NEXT]
    while w < order.shape[0]:
        path = path_of[uintp(dominators[w])]
        label = _label_of(order[w], class_index, class_class, mirrors, class_count)
        key = (uint64(path) << uint64(32)) | uint64(label + 1)
        place = _place_of(keys, key)
        if keys[place] != key:
            if pairs >= pair_paths.shape[0] or paths >= parents.shape[0]:
                status = MORE
                break
            below = path
            while below != 0 and labels[uintp(below)] != label:
                below = parents[uintp(below)]
            if below == 0:
                parents[paths] = path
                labels[paths] = label
                pair_next[pairs] = paths
                paths += 1
            else:
                pair_next[pairs] = path
            pair_paths[pairs] = path
            pair_labels[pairs] = label
            pair_units[pairs] = 0
            keys[place] = key
            values[place] = uint32(pairs)
            pairs += 1
        pair = uintp(values[place])
        pair_units[pair] += uint64(retained[w])
        path_of[w] = pair_next[pair]
        w += 1
    state[NEXT] = w
    state[TREE] = paths
    state[PAIRS] = pairs
    return status
