"""Sets of object indices against numpy's own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heapscope.heap.graph.index_sets import are_among, distinct, small_numbers


@pytest.mark.parametrize("size", [0, 1, 50, 3000])
@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
def test_sets_are_those_of_numpy(size: int, dtype: type) -> None:
    random = np.random.default_rng(size)
    some: NDArray[Any] = random.integers(0, 1000, size).astype(dtype)
    others: NDArray[Any] = np.unique(random.integers(0, 1000, size // 2).astype(dtype))
    found = distinct(some)
    assert found.dtype == dtype
    assert found.tolist() == np.unique(some).tolist()
    assert are_among(some, others).tolist() == np.isin(some, others).tolist()
    assert small_numbers(some.astype(np.uint16)) == np.unique(some).tolist()


def test_what_is_no_object_is_in_no_set() -> None:
    whole = np.array([0, 5, 0xFFFFFFFE], np.uint32)
    assert are_among(np.array([-1, 5, 4]), whole).tolist() == [False, True, False]
    assert are_among(np.array([-1, 5]), np.empty(0, np.int64)).tolist() == [False, False]
