"""The dominator tree by class: paths of class names from its top, each with what it retains.

The nodes of a flame graph.  Objects with one class below one path are one node; an object below another
one of its class counts with that one, so that lists do not become as deep as they are long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.references import VIRTUAL_ROOT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

SHARE = 0.0001  # of what is reachable: nodes below it are not opened
_MAX_LEVELS = 400


@dataclass(frozen=True)
class ClassPaths:
    """Paths of classes down the dominator tree.

    Attributes
    ----------
    paths : tuple of tuple of str
        Class names from the top; a class object reads ``class a.B``.
    self_bytes : tuple of int
        What the objects at the end of each path retain beside what the paths below it have; all together
        are the reachable heap.
    """

    paths: tuple[tuple[str, ...], ...]
    self_bytes: tuple[int, ...]

    def weights(self) -> dict[tuple[str, ...], int]:
        """``self_bytes`` by path."""
        return dict(zip(self.paths, self.self_bytes, strict=True))


def class_paths(graph: HeapGraph, share: float = SHARE) -> ClassPaths:
    """Paths of classes down the dominator tree, weighted by retained bytes.

    Parameters
    ----------
    share : float
        What retains less of the reachable heap than this is not followed further down.
    """
    immediate = graph.immediate_dominators
    units, unit_bytes = graph.retained_units, graph.columns.unit_bytes
    names = [*(c.name for c in graph.classes), *(f"class {c.name}" for c in graph.classes)]
    members = np.nonzero(immediate == VIRTUAL_ROOT)[0]
    whole = int(units[members].sum(dtype=np.uint64))
    order, starts = _children(immediate)
    # The class objects are told apart: each is a place of its own for statics.
    own_class = np.full(immediate.size, -1, np.int32)
    has_object = np.nonzero(graph.class_objects >= 0)[0]
    own_class[graph.class_objects[has_object]] = len(graph.classes) + has_object
    parents, labels, totals = [-1], [-1], [whole]
    known: dict[tuple[int, int], int] = {}
    nodes = np.zeros(members.size, np.int64)
    least = max(int(share * whole), 1)
    for _ in range(_MAX_LEVELS):
        if not members.size:
            break
        codes = own_class[members]
        codes = np.where(codes >= 0, codes, graph.columns.class_index[members].astype(np.int64))
        is_same = codes == np.array(labels)[nodes]
        keys, of_member = np.unique(nodes * len(names) + codes, return_inverse=True)
        sizes = np.bincount(of_member, np.where(is_same, 0, units[members]), keys.size)
        ids = np.zeros(keys.size, np.int64)
        for place, (key, size) in enumerate(zip(keys.tolist(), sizes.tolist(), strict=True)):
            node, code = divmod(key, len(names))
            if code == labels[node]:
                ids[place] = node
                continue
            # Below an object of the node's own class, a level further down, the same path goes on.
            ids[place] = at = known.setdefault((node, code), len(parents))
            if at == len(parents):
                parents.append(node)
                labels.append(code)
                totals.append(0)
            totals[at] += int(size)
        nodes = ids[of_member]
        is_open = np.array(totals)[nodes] >= least
        members, nodes = members[is_open], nodes[is_open]
        counts = starts[members + 1] - starts[members]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        nodes = np.repeat(nodes, counts)
        members = order[np.repeat(starts[members], counts) + within]
    own = np.array(totals, np.int64)
    np.subtract.at(own, np.array(parents[1:], np.int64), np.array(totals[1:], np.int64))
    paths: list[tuple[str, ...]] = [()]
    for parent, label in zip(parents[1:], labels[1:], strict=True):
        paths.append((*paths[parent], names[label]))
    kept = [place for place in range(1, len(paths)) if own[place] > 0]
    return ClassPaths(
        tuple(paths[place] for place in kept), tuple(int(own[place]) * unit_bytes for place in kept)
    )


def _children(immediate: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What each object immediately dominates: ``order[starts[i]:starts[i + 1]]``."""
    held = np.nonzero(immediate < VIRTUAL_ROOT)[0]
    above = immediate[held]
    order = held[np.argsort(above, kind="stable")]
    starts = np.zeros(immediate.size + 1, np.int64)
    np.cumsum(np.bincount(above, minlength=immediate.size), out=starts[1:])
    return order, starts
