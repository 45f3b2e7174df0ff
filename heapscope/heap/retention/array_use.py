"""How much of an array is in use, by the number that the object with the array keeps beside it.

A buffer that grows doubles its array, so the array's size stands still for longer and longer although the
buffer takes in as much as ever.  ``ByteArrayOutputStream``, ``StringBuilder`` and most buffers of programs
count what they have in a field of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.objects.java_object import JavaObject
from heapscope.parser.tags import VALUE_BYTES, BasicType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

# Fields that say how much of an array beside them is used: of the JDK's own buffers (``count``; ``position``
# of a HeapByteBuffer; ``wordsInUse`` of a BitSet), of Netty's, Kryo's and Protobuf's, of programs.
_COUNTERS = (
    "count", "size", "elementCount", "used", "length", "len", "writerIndex", "position", "pos", "wordsInUse",
    "limit", "n",
)  # fmt: skip
_CODER = "coder"  # of AbstractStringBuilder: 1 where a character takes two bytes
_WHOLE = (BasicType.BYTE, BasicType.SHORT, BasicType.INT, BasicType.LONG)
_LOOKED_AT = 1000  # of many objects one array says nothing
_ELEMENT_BYTES = {f"{kind.java_name}[]": VALUE_BYTES[kind] for kind in BasicType if kind in VALUE_BYTES}


def unused_bytes(graph: HeapGraph, indices: NDArray[np.int64]) -> int:
    """Bytes of primitive arrays that lie behind what is in use; 0 where nothing tells.

    Parameters
    ----------
    indices : int64 array, shape (k,)
        Object indices; what is no array of a primitive type counts nothing, and of many only the first do.
    """
    return sum(_unused(graph, index) for index in indices[:_LOOKED_AT].tolist())


def _unused(graph: HeapGraph, index: int) -> int:
    array, holder = JavaObject(graph, index), int(graph.owner_parents[index])
    each = _ELEMENT_BYTES.get(array.class_name, 0)
    if not each or holder >= VIRTUAL_ROOT:
        return 0
    numbers = _numbers(JavaObject(graph, holder))
    used = next((numbers[name] for name in _COUNTERS if name in numbers), None)
    if used is None:
        return 0
    if numbers.get(_CODER) == 1:
        used *= 2
    length = array.element_count
    return (length - used) * each if 0 <= used <= length else 0


def _numbers(holder: JavaObject) -> dict[str, int]:
    """Whole numbers in the fields of an object, or in the static fields of a class."""
    represented = holder.represented_class
    if represented is not None:
        return {each.name: int(each.value) for each in represented.statics if each.type in _WHOLE}
    return {place.name: int(value) for place, value in holder.field_values().items() if place.type in _WHOLE}
