"""Texts of many strings as Arrow arrays, masked where they may be secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from heapscope.extras import arrow
from heapscope.heap.objects import kernels
from heapscope.heap.objects.fields import numbers_at, read_field
from heapscope.heap.objects.secret_texts import SecretTexts, secret_texts
from heapscope.heap.objects.values import ascii_places, read_strings, string_arrays
from heapscope.parser.tags import SubRecordTag
from heapscope.query.columns import with_nulls
from heapscope.secrets import SUSPICIOUS, names_secret

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
    secrets = None if show_secrets else secret_texts(graph)
    chunks = []
    for start in range(0, rows.size, _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        texts = _decoded(graph, some)
        chunks.append(texts if secrets is None else _masked(secrets, some, texts, name))
    return pa.chunked_array(chunks, pa.string())


def _decoded(graph: HeapGraph, rows: NDArray[np.int64]) -> Any:
    """Texts of strings: those that are ASCII, nearly all, as bytes of the dump; the others one by one."""
    pa = arrow()
    starts_in_dump, lengths = ascii_places(graph, rows)
    others = np.nonzero(lengths < 0)[0]
    texts = [storable(text) for text in read_strings(graph, rows[others])]
    if others.size == rows.size:
        return pa.array(texts, pa.string())
    encoded = [b"" if text is None else text.encode("utf-8") for text in texts]
    sizes = lengths.copy()
    sizes[others] = [len(each) for each in encoded]
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    if total >= 1 << 31:  # too much for one array: no real heap has such strings
        return pa.array([storable(text) for text in read_strings(graph, rows)], pa.string())
    data = np.empty(total, np.uint8)
    kernels.copy_bytes(graph.buffer, starts_in_dump, lengths, ends, data)
    for place, piece in zip(others.tolist(), encoded, strict=True):
        data[ends[place] - len(piece) : ends[place]] = np.frombuffer(piece, np.uint8)
    starts = np.zeros(rows.size + 1, np.int32)
    starts[1:] = ends
    is_null = np.zeros(rows.size, bool)
    is_null[others] = [text is None for text in texts]
    valid = np.packbits(~is_null, bitorder="little") if is_null.any() else None
    buffers = (None if valid is None else pa.py_buffer(valid), pa.py_buffer(starts), pa.py_buffer(data))
    return pa.StringArray.from_buffers(rows.size, buffers[1], buffers[2], buffers[0])


def _masked(secrets: SecretTexts, rows: NDArray[np.int64], texts: Any, name: str) -> Any:
    """Texts as they may be shown; only those that look suspicious are looked at one by one."""
    pa = arrow()
    is_open = secrets.are_secret(rows)
    if name and names_secret(name):
        is_open[:] = True
    for found in (
        pa.compute.match_substring_regex(texts, SUSPICIOUS, ignore_case=True),
        pa.compute.is_in(texts, value_set=pa.array(sorted(secrets.values), pa.string())),
    ):
        is_open |= found.fill_null(False).to_numpy(zero_copy_only=False)
    places = np.nonzero(is_open)[0]
    if not places.size:
        return texts
    some = secrets.mask(rows[places], texts.take(pa.array(places)).to_pylist(), name)
    return pa.compute.replace_with_mask(texts, pa.array(is_open), pa.array(some, pa.string()))


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    """A text without halves of surrogate pairs, which UTF-8 cannot write."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def string_lengths(graph: HeapGraph, rows: NDArray[np.int64]) -> Any:
    """UTF-16 units of each string, as ``String.length()`` has it; null where the dump has no array of it."""
    arrays = string_arrays(graph, rows)
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
