"""Strings that are the same text but for their digits: ``session-1``, ``session-2``, by the million."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects import kernels
from heapscope.heap.objects.values import ascii_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_ROWS_AT_ONCE = 1 << 16
_LONGEST = 256  # bytes of a text that is compared; longer ones are few
# Each digit becomes 0; the other bytes stay what they are.
_WITHOUT_DIGITS = np.array([ord("0") if chr(byte).isdecimal() else byte for byte in range(256)], np.uint8)


def alike_but_for_digits(graph: HeapGraph, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each string the place of one that reads the same but for its digits, perhaps its own.

    Nothing is decoded.  Texts that are not ASCII, or long, are alike to themselves alone.

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices of strings.

    Returns
    -------
    int64 array, shape (k,)
    """
    found = np.arange(rows.size, dtype=np.int64)
    for start in range(0, rows.size, _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        found[start : start + some.size] = start + _alike(graph, some)
    return found


def _alike(graph: HeapGraph, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    starts, lengths = ascii_places(graph, rows)
    lengths[lengths > _LONGEST] = -1
    ends = np.cumsum(np.maximum(lengths, 0))
    data = np.empty(int(ends[-1]), np.uint8)
    kernels.copy_bytes(graph.buffer, starts, lengths, ends, data)
    data = _WITHOUT_DIGITS[data]
    found = np.arange(rows.size, dtype=np.int64)
    for length in np.unique(lengths[lengths > 0]).tolist():
        at = np.nonzero(lengths == length)[0]
        texts = np.ascontiguousarray(data[(ends[at] - length)[:, None] + np.arange(length)])
        _, first, which = np.unique(
            texts.view(f"V{length}").reshape(-1), return_index=True, return_inverse=True
        )
        found[at] = at[first[which.reshape(-1)]]
    return found
