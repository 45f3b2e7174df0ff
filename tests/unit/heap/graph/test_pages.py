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
    rows, pairs = np.empty(1 << 22, np.uint32), np.empty(1 << 20, np.uint64)
    rows[:3] = pairs[:2] = 7
    is_done = Event()
    filled = {"rows": 0, "pairs": 0}

    def reached(name: str, length: int) -> int:
        # The loop goes on a bit each time it is looked at; pairs end early, as they may.
        filled[name] = min(length, filled[name] + (1 << 18))
        if filled["rows"] == rows.size:
            is_done.set()
        return filled[name]

    make_pages(
        [
            Filling([rows], lambda: reached("rows", rows.size), 1 << 19),
            Filling([pairs], lambda: reached("pairs", pairs.size // 2), 1 << 19),
        ],
        is_done,
    )
    assert filled["rows"] == rows.size
    assert rows[:3].tolist() == [7, 7, 7]
    assert pairs[:2].tolist() == [7, 7]
