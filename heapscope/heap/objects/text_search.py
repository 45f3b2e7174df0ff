"""Strings of a heap that contain a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.index_sets import are_among, distinct
from heapscope.heap.objects import kernels
from heapscope.heap.objects.java_object import JavaObject
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_RECORD_BYTES = 64  # of an array's record beside its elements, at most
_BLOCK_BYTES = 1 << 24  # between two reports of progress, at which the search can be stopped


def strings_with(
    graph: HeapGraph, text: str, most: int = 100_000, progress: Progress = no_progress
) -> tuple[NDArray[np.int64], bool]:
    """Strings that contain a text, upper and lower case told apart.

    The dump's bytes are searched for the text as Latin-1 and as UTF-16; only what is found is decoded.
    Python's lock is free meanwhile: the explorer answers others.

    Parameters
    ----------
    text : str
        Not empty.
    most : int
        No more places in the dump than so many are looked at.
    progress : Progress
        Told how far the search is.

    Returns
    -------
    indices : int64 array
        Object indices of the strings, ascending.
    is_all : bool
        Whether there are no more; else the search ended at ``most`` places.
    """
    columns = graph.columns
    is_text = np.array([each.name in ("byte[]", "char[]") for each in graph.classes], bool)
    rows = graph.instances_of(is_text)
    if not rows.size:
        return np.empty(0, np.int64), True
    begins = columns.offsets[rows].astype(np.int64)
    last = int(begins.argmax())
    end = int(begins[last]) + int(columns.size_units[rows[last]]) * columns.unit_bytes + _RECORD_BYTES
    places, is_all = _places(graph, text, (int(begins.min()), end), most, progress)
    if not places.size:
        return np.empty(0, np.int64), is_all
    # An array begins before this place, and not before the one that comes next above it.
    nearest = np.full(places.size + 1, -1, np.int64)
    np.maximum.at(nearest, np.searchsorted(places, begins), begins)
    nearest = np.maximum.accumulate(nearest[:-1])
    arrays = rows[are_among(begins, distinct(nearest))]
    holders = distinct(graph.references.incoming(arrays)[0]).astype(np.int64)
    found = [row for row in holders.tolist() if text in (JavaObject(graph, row).text() or "")]
    return np.array(found, np.int64), is_all


def _places(
    graph: HeapGraph, text: str, span: tuple[int, int], most: int, progress: Progress
) -> tuple[NDArray[np.int64], bool]:
    """Where a part of the dump has the bytes of a text, int64, ascending; whether these are all places."""
    patterns = {text.encode("utf-16-le"), text.encode("utf-16-be")}
    if all(ord(char) < 256 for char in text):
        patterns.add(text.encode("latin-1"))
    buffer, (begin, end) = graph.buffer, span
    found: list[NDArray[np.int64]] = []
    room = most
    for first in range(begin, end, _BLOCK_BYTES):
        progress("searching texts", first - begin, end - begin)
        for pattern in sorted(patterns):
            places = np.empty(room, np.int64)
            last = min(first + _BLOCK_BYTES + len(pattern) - 1, end)
            values, shifts = _prepared(pattern)
            count = kernels.find_bytes(buffer, first, last, values, shifts, places)
            found.append(places[:count].copy())
            room -= count
            if not room:
                return distinct(np.concatenate(found)), False
    return distinct(np.concatenate(found)) if found else np.empty(0, np.int64), True


def _prepared(pattern: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A pattern as `kernels.find_bytes` takes it, with how far each byte moves it."""
    shifts = np.full(256, len(pattern), np.int64)
    for place, byte in enumerate(pattern[:-1]):
        shifts[byte] = len(pattern) - 1 - place
    return np.frombuffer(pattern, np.uint8), shifts
