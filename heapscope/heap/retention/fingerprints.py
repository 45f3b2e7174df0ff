"""Which objects of several dumps are certainly not the same: by the values that they hold.

An object has no name that lasts: its address changes when a collection moves it, and another one gets it
then.  What nothing reaches any more changes no more, so garbage of two dumps with other values is other
garbage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.reachability import UNREACHABLE
from heapscope.heap.objects.fields import class_fields, read_field
from heapscope.heap.objects.values import string_arrays
from heapscope.heap.retention import kernels
from heapscope.parser.tags import VALUE_BYTES, BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_BOXES = ("Integer", "Long", "Short", "Byte", "Character", "Double", "Float", "Boolean")


def fingerprints(graph: HeapGraph, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A number for each of many unreachable objects of one class, by what they hold.

    Numbers and truth values, the texts of strings, boxed values, and arrays of primitive types that are
    unreachable as well count; what other references lead to does not.

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices, of one class.

    Returns
    -------
    uint64 array, shape (k,)
        Other numbers are other objects; equal ones may be other objects too.
    """
    found = np.zeros(rows.size, np.uint64)
    if not rows.size:
        return found
    for place in class_fields(graph, int(graph.columns.class_index[rows[0]])).places:
        column = read_field(graph, rows, place.name, is_optional=True, declared_in=place.declared_in)
        if place.type == BasicType.OBJECT:
            found = mixed(found, _contents(graph, graph.indices_of(column.references())))
        else:
            found = mixed(found, column.bits)
    return found


def mixed(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Two numbers of each of many objects as one; uint64, shape (k,)."""
    code = (one ^ other) * _PRIME
    return code ^ (code >> _SHIFT)


def _contents(graph: HeapGraph, targets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """What the objects that references lead to hold, where that cannot change; else 0."""
    names = [java_class.name for java_class in graph.classes]
    class_of = graph.columns.class_index[np.maximum(targets, 0)].astype(np.int64)
    class_of[targets < 0] = len(names)
    is_string = np.array([*(name == "java.lang.String" for name in names), False])[class_of]
    is_box = np.array([*(name in {f"java.lang.{box}" for box in _BOXES} for name in names), False])[class_of]
    # An array that something still reaches may be written to; a hash of what is no array is 0.
    is_dead = (targets >= 0) & (graph.categories[np.maximum(targets, 0)] == UNREACHABLE)
    arrays = np.where(is_dead, targets, -1)
    arrays[is_string] = string_arrays(graph, targets[is_string])
    codes = _hashes(graph, arrays)
    codes[is_box] = read_field(graph, targets[is_box], "value", is_optional=True).bits
    return codes


def _hashes(graph: HeapGraph, arrays: NDArray[np.int64]) -> NDArray[np.uint64]:
    offsets = np.where(arrays >= 0, graph.columns.offsets[np.maximum(arrays, 0)].astype(np.int64), -1)
    widths = np.zeros(12, np.int64)
    widths[list(VALUE_BYTES)] = list(VALUE_BYTES.values())
    codes, lengths = np.zeros(arrays.size, np.uint64), np.zeros(arrays.size, np.int64)
    seeds = np.zeros(arrays.size, np.uint64)
    kernels.hash_arrays(graph.buffer, offsets, seeds, graph.identifier_bytes, widths, codes, lengths)
    return codes
