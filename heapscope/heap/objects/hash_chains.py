"""Keys and values in the chains of a hash table: ``HashMap``, ``ConcurrentHashMap``, ``Hashtable``,
``WeakHashMap``, whose nodes are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.objects.fields import read_field
from heapscope.heap.objects.java_object import JavaObject, object_or_none

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

Items = Iterator[tuple[int, int]]
# Above this many chains at once numpy walks them faster than Python does one by one.
_MANY_CHAINS = 64
_MAX_STEPS_IN_BULK = 64
_NODE = ("key", "referent", "value", "val", "next")


def hash_items(graph: HeapGraph, heads: NDArray[np.uint64]) -> Items:
    """(key, value) of every node in the chains that begin at ``heads``, chain by chain."""
    heads = heads[heads != 0]
    if heads.size > _MANY_CHAINS:
        yield from _items_in_bulk(graph, heads)
        return
    seen: set[int] = set()
    for head in heads.tolist():
        for _, key, value in _nodes(object_or_none(graph, head), seen):
            yield key, value


def _nodes(node: JavaObject | None, seen: set[int]) -> Iterator[tuple[int, int, int]]:
    """(object index, key, value) along a chain, up to a node that was seen before."""
    while node is not None and node.index not in seen:
        seen.add(node.index)
        key, referent, value, val, following = node.reference_ids(*_NODE)
        # A node has a key or a referent, a value or a val.
        yield node.index, key or referent, value or val
        node = object_or_none(node.graph, following)


def _items_in_bulk(graph: HeapGraph, heads: NDArray[np.uint64]) -> Items:
    """As `hash_items`, all chains one step at a time."""
    rows = graph.indices_of(heads)
    chains = np.nonzero(rows >= 0)[0]
    rows = rows[chains]
    found: list[tuple[NDArray[Any], ...]] = []  # chains, object indices, keys, values
    left = graph.columns.class_index.size  # more nodes than objects: the chains meet, or run in a circle
    for _ in range(_MAX_STEPS_IN_BULK):
        left -= rows.size
        if rows.size <= _MANY_CHAINS or left < 0:
            break
        key, referent, value, val, following = (
            read_field(graph, rows, name, is_optional=True).references() for name in _NODE
        )
        found.append((chains, rows, key | referent, value | val))
        rows = graph.indices_of(following)
        chains, rows = chains[rows >= 0], rows[rows >= 0]
    seen: set[int] = set()
    for chain, row in zip(chains.tolist(), rows.tolist(), strict=True):
        rest = list(_nodes(JavaObject(graph, row), seen))
        of_rest = np.array(rest, np.uint64).reshape(-1, 3)
        found.append((np.full(len(rest), chain), of_rest[:, 0].astype(np.int64), *of_rest.T[1:]))
    if not found:
        return
    of_chain, nodes, keys, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(of_chain, kind="stable")
    _, first = np.unique(nodes[order], return_index=True)
    order = order[np.sort(first)]  # chains that meet share the rest
    yield from zip(keys[order].tolist(), values[order].tolist(), strict=True)
