"""Hash tables by class identifier, as the kernels search them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray


def hash_table(rows: Sequence[Sequence[int]], room: int = 0) -> NDArray[np.uint64]:
    """A class table: see `heapscope.parser.kernels` for the meaning of its columns.

    Parameters
    ----------
    rows : sequence of (class identifier, value, value, value)
        Distinct identifiers above 0; fewer values stand for zeros behind them.
    room : int
        For at least so many classes the table has room.

    Returns
    -------
    uint64 array, shape (2**k, 4)
        At least half of it free.
    """
    filled = np.zeros((len(rows), kernels.COLUMNS), np.uint64)
    if rows:
        filled[:, : len(rows[0])] = np.array(rows, np.uint64)
    size = 1 << max(4, (2 * max(len(rows), room)).bit_length())
    table = np.zeros((size, kernels.COLUMNS), np.uint64)
    kernels.fill_table(filled, table)
    return table
