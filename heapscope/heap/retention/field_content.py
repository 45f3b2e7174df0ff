"""What one field holds, by its name: the same question to each dump of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.modifications import referred_by
from heapscope.heap.retention.array_use import unused_bytes
from heapscope.heap.retention.dominator_tree import children_of
from heapscope.heap.retention.owner_content import content_members

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph

_DEPTH = 4  # from a writer over the buffer in it to the array
_MOST = 1000  # objects that have the field, and objects that are looked at for arrays


@dataclass(frozen=True, slots=True)
class FieldContent:
    """What a field holds.

    Attributes
    ----------
    member_count : int
        Instances of the class that was asked for.
    used_bytes : int
        Sum of the retained sizes of what the field refers to, without what its arrays do not use yet.
    """

    member_count: int
    used_bytes: int


def field_content(graph: HeapGraph, field: str, class_name: str) -> FieldContent | None:
    """What a field holds.

    Parameters
    ----------
    field : str
        Static or not: ``com.acme.SessionRegistry.sessions``.
    class_name : str
        What is counted.

    Returns
    -------
    FieldContent or None
        Zeros where the field refers to nothing, and where the dump has no such field; None where too many
        objects have the field.
    """
    rows = referred_by(graph, field)
    if rows.size > _MOST:
        return None
    if not rows.size:
        return FieldContent(0, 0)
    retained = int(graph.retained_units[rows].sum(dtype=np.uint64)) * graph.columns.unit_bytes
    near = frontier = rows
    for _ in range(_DEPTH):
        frontier = children_of(graph, frontier)
        if not frontier.size or near.size + frontier.size > _MOST:
            break  # many objects: what one of their arrays does not use yet says nothing
        near = np.union1d(near, frontier)
    unused = unused_bytes(graph, near)
    members = content_members(graph, rows, class_name)
    return FieldContent(int(members.size), max(0, retained - unused))
