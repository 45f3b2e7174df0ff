"""Pages that are made ahead, and that are let go."""

from __future__ import annotations

import sys
from threading import Event

import numpy as np
import pytest

from heapscope.heap.graph.pages import Filling, make_pages, release_tail

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


def test_pages_are_made_ahead_of_what_fills_them() -> None:
    rows, pairs, spare = (
        np.empty(1 << 22, np.uint32),
        np.empty(1 << 20, np.uint64),
        np.empty(1 << 20, np.uint32),
    )
    rows[:3] = pairs[:2] = 7
    filled = 0

    def reached() -> int:
        # The loop goes on a bit each time it is looked at.
        nonlocal filled
        filled = min(rows.size, filled + (1 << 18))
        return filled

    # It ends by itself where all rows have their pages, though pairs get no further.
    make_pages(
        [
            Filling([rows], reached, 1 << 19),
            Filling([pairs], lambda: 1000, 1 << 10),
            Filling([spare], lambda: 0, spare.size),
        ],
        Event(),
    )
    assert filled >= 1 << 20
    assert rows[:3].tolist() == [7, 7, 7]
    assert pairs[:2].tolist() == [7, 7]


def test_no_page_is_made_once_all_is_filled() -> None:
    is_done = Event()

    def reached() -> int:
        is_done.set()
        return 0

    rows = np.empty(1 << 24, np.uint32)
    make_pages([Filling([rows], reached, 1000)], is_done)  # else it would wait for the loop
