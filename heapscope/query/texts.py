"""Texts of many strings as Arrow arrays, masked where they may be secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.extras import arrow
from heapscope.heap.objects.fields import numbers_at, read_field
from heapscope.heap.objects.secret_texts import secret_texts
from heapscope.heap.objects.values import read_strings
from heapscope.parser.tags import SubRecordTag
from heapscope.query.columns import with_nulls

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_ROWS_AT_ONCE = 1 << 16


def texts_of(graph: HeapGraph, rows: NDArray[np.int64], *, show_secrets: bool, name: str = "") -> Any:
    """Texts of strings, null where a row is -1 or no string; a chunked Arrow array of shape (k,).

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices.
    show_secrets : bool
        Whether texts that may be secret are shown as they are.
    name : str
        Of the field that holds them, if they are of one.
    """
    pa = arrow()
    chunks = []
    for start in range(0, rows.size, _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        texts = read_strings(graph, some)
        if not show_secrets:
            texts = secret_texts(graph).mask(some, texts, name)
        chunks.append(pa.array([storable(text) for text in texts], pa.string()))
    return pa.chunked_array(chunks, pa.string())


def storable(text: str | None) -> str | None:
    """A text without halves of surrogate pairs, which UTF-8 cannot write."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def string_lengths(graph: HeapGraph, rows: NDArray[np.int64]) -> Any:
    """UTF-16 units of each string, as ``String.length()`` has it; null where the dump has no array of it."""
    arrays = graph.indices_of(read_field(graph, rows, "value", is_optional=True).references())
    coder = read_field(graph, rows, "coder", is_optional=True).bits
    counts = read_field(graph, rows, "count", is_optional=True)
    there = np.nonzero(arrays >= 0)[0]
    offsets = graph.columns.offsets[arrays[there]].astype(np.int64)
    is_array = graph.buffer[offsets] == SubRecordTag.PRIMITIVE_ARRAY_DUMP
    there, offsets = there[is_array], offsets[is_array]
    lengths = np.zeros(rows.size, np.int32)
    known = numbers_at(graph.buffer, offsets + (1 + graph.identifier_bytes + 4), 4).astype(np.int64)
    lengths[there] = known >> (coder[there] != 0)
    shared = counts.types != 0
    lengths[shared] = counts.bits[shared].astype(np.int32)
    is_null = np.ones(rows.size, bool)
    is_null[there] = False
    return with_nulls(lengths, is_null)
