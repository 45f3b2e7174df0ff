"""What piles up inside of the objects that a field owns: one level below `heapscope.heap.retention.owners`.

Five connections in a pool that each keep thousands of statements are owned by the pool, and it is a field of
the connections in which something piles up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.retention.owner_content import content_class, content_members
from heapscope.heap.retention.owner_paths import Owner, owner_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_SAMPLED = 16  # of what is inside: their owners are looked up
_MANY = 4  # so many in each object are a collection of them


@dataclass(frozen=True, slots=True)
class Inside:
    """What piles up in some objects.

    Attributes
    ----------
    class_name : str
    owner : Owner
        The field of the objects that most of it is in.
    indices : int64 array
        Object indices of what is inside, strictly increasing.
    """

    class_name: str
    owner: Owner
    indices: NDArray[np.int64]


def inside_of(graph: HeapGraph, objects: NDArray[np.int64]) -> Inside | None:
    """What piles up in a field of some objects of one class; None where nothing of a program does.

    Parameters
    ----------
    objects : int64 array
        Object indices, ascending.
    """
    if not objects.size:
        return None
    own = graph.classes[int(graph.columns.class_index[objects[0]])].name
    name = content_class(graph, objects)
    if not name or name == own or class_origin(name) == ClassOrigin.JDK:
        return None
    members = content_members(graph, objects, name)
    if members.size < _MANY * objects.size:
        return None
    sample = members[:: max(1, members.size // _SAMPLED)]
    owners = [owner_of(graph, index, is_one_of_many=True) for index in sample.tolist()]
    is_object = np.zeros(graph.columns.class_index.size, bool)
    is_object[objects] = True
    deeper = [each for each in owners if any(is_object[s.object_index] for s in each.steps[: each.place + 1])]
    if 2 * len(deeper) < len(owners):
        return None
    ((field, _),) = Counter(each.field for each in deeper).most_common(1)
    return Inside(name, next(each for each in deeper if each.field == field), members)
