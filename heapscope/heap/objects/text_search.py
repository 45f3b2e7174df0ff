"""Strings of a heap that contain a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.fields import read_field
from heapscope.heap.objects.java_object import JavaObject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_STRING = "java.lang.String"
_BLOCK_BYTES = 1 << 28


def strings_with(graph: HeapGraph, text: str, most: int = 1000) -> tuple[NDArray[np.int64], bool]:
    """Strings that contain a text, upper and lower case told apart.

    The dump's bytes are searched for the text as Latin-1 and as UTF-16; only what is found is decoded.

    Parameters
    ----------
    text : str
        Not empty.
    most : int
        No more places in the dump than so many are looked at.

    Returns
    -------
    indices : int64 array
        Object indices of the strings, ascending.
    is_all : bool
        Whether there are no more; else the search ended at ``most`` places.
    """
    rows = np.array([c.name == _STRING for c in graph.classes], bool)
    strings = np.nonzero(rows[graph.columns.class_index])[0]
    places, is_all = _places(graph, text, most)
    if not strings.size or not places.size:
        return np.empty(0, np.int64), is_all
    arrays = graph.indices_of(read_field(graph, strings, "value", is_optional=True).references())
    strings, arrays = strings[arrays >= 0], arrays[arrays >= 0]
    # The array around a place is the one that begins nearest before it.
    begins = graph.columns.offsets[arrays].astype(np.int64)
    order = np.argsort(begins, kind="stable")
    at = np.searchsorted(begins, places, side="right", sorter=order) - 1
    around = np.unique(begins[order[at[at >= 0]]])
    # Several strings can share one array.
    is_candidate = np.isin(begins, around)
    found = [
        row
        for row in strings[is_candidate].tolist()
        if text in (JavaObject(graph, row).text() or "")
    ]
    return np.array(found, np.int64), is_all


def _places(graph: HeapGraph, text: str, most: int) -> tuple[NDArray[np.int64], bool]:
    """Where the dump has the bytes of a text, int64, ascending; and whether these are all places."""
    patterns = [text.encode("utf-16-le"), text.encode("utf-16-be")]
    if all(ord(char) < 256 for char in text):
        patterns.append(text.encode("latin-1"))
    buffer = memoryview(graph.buffer)
    found: set[int] = set()
    for pattern in patterns:
        for first in range(0, len(buffer), _BLOCK_BYTES):
            block = bytes(buffer[first : first + _BLOCK_BYTES + len(pattern) - 1])
            at = block.find(pattern)
            while at >= 0:
                found.add(first + at)
                if len(found) >= most:
                    return np.array(sorted(found), np.int64), False
                at = block.find(pattern, at + 1)
    return np.array(sorted(found), np.int64), True
