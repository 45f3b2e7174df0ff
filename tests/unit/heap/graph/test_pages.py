"""Pages that are let go."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from heapscope.heap.graph.pages import release_tail

HUGE = 2 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pages stay")
@pytest.mark.parametrize("first", [0, 1, 1_000_000, 1_500_001])
def test_only_rows_behind_the_first_that_nobody_needs_go(first: int) -> None:
    array = np.ones((2_000_000, 2), np.uint32)
    release_tail(array, first)
    assert (array[:first] == 1).all()
    bytes_left = int((array == 1).sum()) * 4
    assert bytes_left - first * 8 <= HUGE + 4096


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_what_has_no_whole_page_stays(rows: int) -> None:
    array = np.ones(rows, np.uint64)
    release_tail(array, 0)
    assert (array == 1).all()
