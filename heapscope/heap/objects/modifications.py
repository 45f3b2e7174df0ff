"""How often collections were changed: a counter that most collections of the JDK keep themselves.

``AbstractList``, ``HashMap``, ``TreeMap``, ``PriorityQueue`` and others count structural modifications in a
field ``modCount``, so that iterators notice them (``java.util.ConcurrentModificationException``).  An element
that is put in counts one, and so does one that is taken out; ``clear()`` counts one in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.fields import class_fields, read_field
from heapscope.parser.tags import BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_COUNTER, _ORDER = "modCount", "accessOrder"
_SIZES = ("size", "count", "elementCount")  # of HashMap and lists, of Hashtable, of Vector
# The field with the collection inside: HashSet, TreeSet and Collections.newSetFromMap; wrappers of
# Collections; DelayQueue and PriorityBlockingQueue.
_INSIDE = ("map", "m", "c", "list", "al", "q", "s")
_MAX_WRAPPERS = 4
_MAX_OWNERS = 1000


@dataclass(frozen=True, slots=True)
class Modifications:
    """Of the collections that one field refers to, together.

    Attributes
    ----------
    modification_count : int
        Elements that were put in or taken out since the collections were made, at most.
    element_count : int
        Elements that they have.
    collection_count : int
    """

    modification_count: int
    element_count: int
    collection_count: int


def modifications(graph: HeapGraph, field: str) -> Modifications | None:
    """How often the collections of a field were changed.

    Parameters
    ----------
    field : str
        Static or not: ``com.acme.SessionRegistry.sessions``.

    Returns
    -------
    Modifications or None
        None where the dump has no such field, where it refers to nothing, and where not every collection has
        such a counter.
    """
    rows = referred_by(graph, field)
    if not 0 < rows.size <= _MAX_OWNERS:
        return None
    for _ in range(_MAX_WRAPPERS):
        counter = read_field(graph, rows, _COUNTER, is_optional=True)
        if np.all(counter.types == BasicType.INT):
            break
        inside = _inside(graph, rows)
        if inside is None:
            return None
        rows = inside
    else:
        return None
    by_access = read_field(graph, rows, _ORDER, is_optional=True)
    if np.any((by_access.types == BasicType.BOOLEAN) & (by_access.bits != 0)):
        return None  # LinkedHashMap counts what is only looked up then
    for name in _SIZES:
        size = read_field(graph, rows, name, is_optional=True)
        if np.all(size.types == BasicType.INT):
            changed = counter.bits.astype(np.uint32).view(np.int32)
            return Modifications(int(changed.sum(dtype=np.int64)), int(size.bits.sum()), rows.size)
    return None


def referred_by(graph: HeapGraph, field: str) -> NDArray[np.int64]:
    """What a field refers to, in its class or in each instance.

    Parameters
    ----------
    field : str
        Static or not: ``com.acme.SessionRegistry.sessions``.

    Returns
    -------
    int64 array
        Object indices, strictly increasing; empty where the dump has no such field, and where it is null.  Of
        a field in many objects only the first `_MAX_OWNERS` + 1 are looked at.
    """
    class_name, _, name = field.rpartition(".")
    ids, indices = [], []
    for index, java_class in enumerate(graph.classes):
        if java_class.name != class_name:
            continue
        ids += [s.value for s in java_class.statics if s.name == name and s.type == BasicType.OBJECT]
        indices.append(index)
    if ids:
        rows = graph.indices_of(np.array(ids, np.uint64))
    elif any(name in class_fields(graph, index).by_name for index in indices):
        owners = np.flatnonzero(np.isin(graph.columns.class_index, np.array(indices, np.int32)))
        owners = owners[: _MAX_OWNERS + 1]
        rows = graph.indices_of(read_field(graph, owners, name, is_optional=True).references())
    else:
        return np.empty(0, np.int64)
    return np.unique(rows[rows >= 0])


def _inside(graph: HeapGraph, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The collections that others wrap; None where there are none, or not of all."""
    for name in _INSIDE:
        found = graph.indices_of(read_field(graph, rows, name, is_optional=True).references())
        if np.all(found >= 0):
            return np.unique(found)
    return None
