"""Compiled loops of `heapscope.heap.graph.dominators`; called through `heapscope.heap.graph.kernels` only.

Graphs, planes, budgets and state are those of `heapscope.heap.graph._kernels`.
"""

from __future__ import annotations

from numba import int64, njit, uint32, uint64, uintp

from heapscope.heap.graph._lookup_kernels import _has
from heapscope.heap.graph._prefetch_kernels import LATER, SOON, prefetch
from heapscope.heap.graph.kernels import (
    ANCESTOR,
    DONE,
    LABEL,
    LEAF,
    MORE,
    NEXT,
    NOTHING,
    PAIRS,
    ROOT,
    TOP,
    TOP_LEVEL,
    TREE,
    VISITED,
)


@njit(nogil=True)
def depth_first(starts, targets, roots, flags, stack, order, parents, numbers, pairs, state, budget):
    """Number objects from 1 in depth-first order; 0 is the virtual root.

    ``order[i]`` is the object of number i, ``parents[i]`` the number of its parent in the
    spanning tree, ``numbers`` the way back.  References beside the tree become ``pairs`` (number
    of the target, number of the source).  Those between two trees need none: they give the target
    two disjoint paths from the virtual root, which so dominates it (plane TOP_LEVEL).
    """
    top = state[TOP]
    number = state[NEXT]
    tree = state[TREE]
    used = state[PAIRS]
    until = number + budget
    status = DONE
    while True:
        if top == 0:
            if state[ROOT] == roots.shape[0]:
                break
            v = roots[state[ROOT]]
            state[ROOT] += 1
            if _has(flags, v, VISITED):
                continue
            tree = number
            stack[0] = uint64(v)
            top = 1
        if number >= until:
            status = MORE
            break
        top -= 1
        entry = stack[uintp(top)]
        v = uint32(entry & uint64(0xFFFFFFFF))
        parent = entry >> uint64(32)
        row = uintp(v) >> uintp(6)
        mask = uint64(1) << (uint64(v) & uint64(63))
        if flags[row, VISITED] & mask:
            # Visited from a descendant since it was put on the stack: a forward reference.
            if not flags[row, TOP_LEVEL] & mask:
                pairs[uintp(used)] = (uint64(numbers[v]) << uint64(32)) | parent
                used += 1
            continue
        flags[row, VISITED] |= mask
        order[uintp(number)] = v
        parents[uintp(number)] = uint32(parent)
        numbers[v] = uint32(number)
        source = number
        number += 1
        for e in range(uintp(starts[v]), uintp(starts[uintp(v) + uintp(1)])):
            t = targets[e]
            row = uintp(t) >> uintp(6)
            mask = uint64(1) << (uint64(t) & uint64(63))
            if flags[row, VISITED] & mask:
                if not flags[row, TOP_LEVEL] & mask:
                    nt = numbers[t]
                    crosses = uint64(nt < tree)
                    flags[row, TOP_LEVEL] |= crosses << (uint64(t) & uint64(63))
                    pairs[uintp(used)] = (uint64(nt) << uint64(32)) | uint64(source)
                    used += 1 - int64(crosses)
            elif flags[row, LEAF] & mask:
                flags[row, VISITED] |= mask
                order[uintp(number)] = t
                parents[uintp(number)] = uint32(source)
                numbers[t] = uint32(number)
                number += 1
            else:
                stack[uintp(top)] = (uint64(source) << uint64(32)) | uint64(t)
                top += 1
    state[TOP] = top
    state[NEXT] = number
    state[TREE] = tree
    state[PAIRS] = used
    return status


@njit(nogil=True)
def keep_pairs(pairs, order, flags):
    """Drop the pairs whose target is top-level, in place; how many are left."""
    kept = int64(0)
    for i in range(pairs.shape[0]):
        pair = pairs[i]
        target = order[uintp(pair >> uint64(32))]
        pairs[uintp(kept)] = pair
        kept += 1 - int64(_has(flags, target, TOP_LEVEL))
    return kept


@njit(nogil=True)
def partition_pairs(pairs, shift, starts, heads):
    """Put pairs into buckets by their bits from ``shift`` on, in place; ``starts`` are zeros before.

    McIlroy, Bostic and McIlroy, "Engineering radix sort", Computing Systems 6(1), 1993: American flag sort.
    """
    bits = uint64(shift)
    buckets = starts.shape[0] - 1
    for i in range(pairs.shape[0]):
        starts[uintp(pairs[i] >> bits) + uintp(1)] += 1
    for b in range(buckets):
        starts[b + 1] += starts[b]
        heads[b] = starts[b]
    for b in range(buckets):
        while heads[b] < starts[b + 1]:
            pair = pairs[uintp(heads[b])]
            into = uintp(pair >> bits)
            while into != uintp(b):
                at = uintp(heads[into])
                heads[into] += 1
                other = pairs[at]
                pairs[at] = pair
                pair = other
                into = uintp(pair >> bits)
            pairs[uintp(heads[b])] = pair
            heads[b] += 1
    return DONE


@njit(nogil=True)
def sort_buckets(pairs, starts, spare, bits, counts):
    """Sort each bucket by the ``bits`` from bit 32 on; ``counts`` has room for a digit's values.

    A radix sort (Knuth, TAOCP 5.2.5); ``spare`` has room for the largest bucket.
    """
    digits = counts.shape[0]
    mask = uint64(digits - 1)
    width = 0
    while (1 << width) < digits:
        width += 1
    for bucket in range(starts.shape[0] - 1):
        first = starts[bucket]
        last = starts[bucket + 1]
        if last - first < 2:
            continue
        done = 0
        while done < bits:
            shift = uint64(32 + done)
            for d in range(digits):
                counts[d] = 0
            for i in range(first, last):
                counts[uintp((pairs[uintp(i)] >> shift) & mask)] += 1
            at = int64(0)
            for d in range(digits):
                count = counts[d]
                counts[d] = at
                at += count
            for i in range(first, last):
                pair = pairs[uintp(i)]
                d = uintp((pair >> shift) & mask)
                spare[uintp(counts[d])] = pair
                counts[d] += 1
            for i in range(first, last):
                pairs[uintp(i)] = spare[uintp(i - first)]
            done += width
    return DONE


@njit(nogil=True)
def plant(order, flags, parents, semis):
    """Semidominators as `semidominators` begins with them: the parent, or the root if that is known."""
    for w in range(order.shape[0]):
        semis[w] = uint32(0) if _has(flags, order[w], TOP_LEVEL) else parents[w]
    semis[0] = 0
    return DONE


@njit(forceinline=True)
def _evaluate(u, w, forest, semis, trail):
    """Vertex of least semidominator on the forest path to ``u``; compresses the path.

    Vertices above ``w`` are linked to their ancestors.  ``trail`` has room for the longest path.
    """
    length = 0
    x = uintp(u)
    above = uintp(forest[x, ANCESTOR])
    while above > w:
        trail[uintp(length)] = x
        length += 1
        x = above
        above = uintp(forest[x, ANCESTOR])
    # x is the uppermost linked vertex; its ancestor becomes that of all.
    label = forest[x, LABEL]
    least = semis[uintp(label)]
    while length > 0:
        length -= 1
        y = uintp(trail[uintp(length)])
        own = forest[y, LABEL]
        forest[y, ANCESTOR] = above
        if least < semis[uintp(own)]:
            forest[y, LABEL] = label
        else:
            label = own
            least = semis[uintp(own)]
    return label, least


@njit(nogil=True)
def semidominators(pairs, parents, forest, semis, dominators, trail, state, budget):
    """Semidominators and, where they follow at once, immediate dominators, from the last number down.

    Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph", TOPLAS 1(1),
    1979, the version with path compression.  ``pairs`` are sorted; ``dominators[w]`` serves as
    head and link of the buckets until it is known, and then holds the immediate dominator or,
    where that is not yet known, a vertex with the same one (then it is not the semidominator).
    Rows of ``forest`` are written from the last one down, as pairs and parents are no longer needed.
    Two short cuts: a semidominator that is the parent or the root is the dominator.
    """
    w = state[NEXT]
    at = state[PAIRS]
    until = max(0, w - budget)
    while w > until:
        v = uintp(w)
        p = parents[v]
        semi = semis[v]
        if w > LATER:
            prefetch(dominators, uintp(parents[v - uintp(LATER)]))
        while at > 0 and (pairs[uintp(at - 1)] >> uint64(32)) == uint64(w):
            at -= 1
            if at > LATER:
                prefetch(forest, uintp(pairs[uintp(at - LATER)] & uint64(0xFFFFFFFF)))
                x = uintp(pairs[uintp(at - SOON)] & uint64(0xFFFFFFFF))
                if x > v:  # linked already: its row is written
                    prefetch(semis, uintp(forest[x, LABEL]))
                    prefetch(forest, uintp(forest[x, ANCESTOR]))
            if semi == 0:
                continue
            u = uint32(pairs[uintp(at)] & uint64(0xFFFFFFFF))
            if u > w:
                _, least = _evaluate(u, v, forest, semis, trail)
                semi = min(semi, least)
            else:
                semi = min(semi, u)
        semis[v] = semi
        if semi == p or semi == 0:
            dominators[v] = semi
        else:
            dominators[v] = dominators[uintp(semi)]
            dominators[uintp(semi)] = uint32(w)
        # Now w is linked to its parent; whose bucket is emptied.
        forest[v, ANCESTOR] = p
        forest[v, LABEL] = uint32(w)
        if p != 0:
            x = dominators[uintp(p)]
            dominators[uintp(p)] = 0
            while x != 0:
                after = dominators[uintp(x)]
                label, least = _evaluate(x, uintp(w) - uintp(1), forest, semis, trail)
                dominators[uintp(x)] = label if least < semis[uintp(x)] else p
                x = after
        w -= 1
    state[NEXT] = w
    state[PAIRS] = at
    return DONE if w == 0 else MORE


@njit(nogil=True)
def settle(semis, dominators):
    """Immediate dominators where `semidominators` left another vertex."""
    for w in range(1, dominators.shape[0]):
        if dominators[w] != semis[w]:
            dominators[w] = dominators[dominators[w]]
    return DONE


@njit(nogil=True)
def add_up(order, dominators, units, retained):
    """Retained sizes by number: of each vertex the sum over its dominator tree."""
    for w in range(order.shape[0]):
        retained[w] = 0
    for w in range(order.shape[0] - 1, 0, -1):
        own = retained[w] + units[order[w]]
        retained[w] = own
        retained[dominators[w]] += own
    return DONE


@njit(nogil=True)
def by_object(order, dominators, retained, immediate, sizes):
    """Dominators and retained sizes from numbers to object indices."""
    for w in range(1, order.shape[0]):
        v = order[w]
        d = dominators[w]
        immediate[v] = order[d] if d else NOTHING - 1
        sizes[v] = retained[w]
    return DONE


@njit(nogil=True)
def link_children(immediate, children, siblings):
    """First child and next sibling of each object in the dominator tree; the virtual root is the last row."""
    n = immediate.shape[0]
    for v in range(n + 1):
        children[v] = NOTHING
        siblings[v] = NOTHING
    for v in range(n - 1, -1, -1):
        d = immediate[v]
        if d == NOTHING:
            continue
        row = n if d == NOTHING - 1 else int64(d)
        siblings[v] = children[row]
        children[row] = v
    return DONE
