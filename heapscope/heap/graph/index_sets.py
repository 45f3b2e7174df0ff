"""Sets of object indices: ascending arrays, each index once.

numpy's own ``unique``, ``isin`` and ``intersect1d`` hash integers (2.3), which takes 18 seconds for 5.8
million ascending ones; sorted arrays are sorted and searched in a fraction of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Integers without repetition, ascending."""
    ordered = np.sort(values)
    is_new = np.ones(ordered.size, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return ordered if is_new.all() else ordered[is_new]


def are_among(some: NDArray[Any], ascending: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some indices are among others, which ascend; -1 is among none.

    Parameters
    ----------
    some : integer array, shape (k,)
    ascending : integer array

    Returns
    -------
    bool array, shape (k,)
    """
    if not ascending.size:
        return np.zeros(some.size, bool)
    at = np.searchsorted(ascending, some.astype(ascending.dtype, copy=False))
    found: NDArray[np.bool_] = ascending[np.minimum(at, ascending.size - 1)] == some
    return found


def small_numbers(values: NDArray[Any]) -> list[int]:
    """The distinct ones of many small numbers, of classes or types, ascending."""
    found: list[int] = np.flatnonzero(np.bincount(values)).tolist()
    return found
