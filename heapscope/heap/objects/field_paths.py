"""Paths of fields: ``ugi.subject``, with keys of maps and places in lists and arrays: ``attrs[id].name``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.fields import FieldColumn, read_field
from heapscope.heap.objects.java_collections import CollectionKind, contents
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.parser.tags import BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_DOT = re.compile(r"\.(?![^\[]*\])")
_KEYED = re.compile(r"([^\[]*)((?:\[[^\]]*\])+)")


def split_path(path: str) -> list[str]:
    """``"ugi.attrs[a.b]"`` -> ``["ugi", "attrs", "[a.b]"]``; no name for the empty path."""
    names: list[str] = []
    for part in _DOT.split(path) if path else []:
        keyed = _KEYED.fullmatch(part)
        if keyed is None:
            names.append(part)
        else:
            names += [keyed[1]] if keyed[1] else []
            names += re.findall(r"\[[^\]]*\]", keyed[2])
    return names


def follow_path(graph: HeapGraph, rows: NDArray[np.int64], names: list[str]) -> NDArray[np.int64]:
    """Object indices reached over reference fields and keys, shape (k,); -1 where the way breaks.

    Raises
    ------
    ObjectNotFound
        No object on the way has a field of that name.
    """
    for name in names:
        rows = graph.indices_of(read_step(graph, rows, name).references())
    return rows


def read_step(graph: HeapGraph, rows: NDArray[np.int64], name: str) -> FieldColumn:
    """A field, or with brackets what a map has under a key, a list or an array at a place.

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices, -1 for no object.
    name : str

    Raises
    ------
    ObjectNotFound
        There are objects, and the class of none of them has such a field.
    """
    if not name.startswith("["):
        return read_field(graph, rows, name)
    key = name[1:-1].strip("'\"")
    bits = np.zeros(rows.size, np.uint64)
    distinct, of_row = np.unique(rows, return_inverse=True)
    found = np.array([_entry(JavaObject(graph, row), key) if row >= 0 else 0 for row in distinct], np.uint64)
    if distinct.size:
        bits = found[of_row]
    return FieldColumn(np.where(rows >= 0, BasicType.OBJECT, 0).astype(np.uint8), bits)


def read_path(graph: HeapGraph, rows: NDArray[np.int64], path: str) -> FieldColumn:
    """What is at the end of a path from many objects; errors as `read_step` has them."""
    *way, last = split_path(path)
    return read_step(graph, follow_path(graph, rows, way), last)


def _entry(container: JavaObject, key: str) -> int:
    """Identifier of what is in a container under a key; 0 where there is nothing."""
    is_place = key.isascii() and key.isdigit()
    if is_place:
        ids = container.element_ids()
        if ids.size:
            return int(ids[int(key)]) if int(key) < ids.size else 0
    inside = contents(container)
    if inside is None:
        return 0
    for place, (first, second) in enumerate(inside.items):
        if inside.kind is not CollectionKind.MAP:
            if is_place and place == int(key):
                return int(first)
            continue
        held = object_or_none(container.graph, first)
        value = None if held is None else held.value(0)
        if isinstance(value, (str, int, float)) and str(value) == key:
            return int(second)
    return 0
