"""Jobs: what is kept of what they computed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from heapscope.explorer.jobs import Jobs


def test_large_answers_make_room_for_later_ones() -> None:
    jobs = Jobs()
    large = SimpleNamespace(raw=SimpleNamespace(nbytes=50 << 20))
    first = jobs.ask("first", "a query", lambda: large)
    assert first.wait(60)
    second = jobs.ask("second", "a query", lambda: large)
    assert second.wait(60)
    third = jobs.ask("third", "a query", lambda: 1)
    assert third.wait(60)
    assert jobs.ask("second", "a query", lambda: None) is second
    assert jobs.ask("first", "a query", lambda: None) is not first


def test_objects_that_a_search_found_count_as_well() -> None:
    jobs = Jobs()
    large = (np.empty(6 << 20, np.int64), True)
    first = jobs.ask("first", "strings", lambda: large)
    assert first.wait(60)
    for name in ("second", "third"):
        assert jobs.ask(name, "strings", lambda: large).wait(60)
    assert jobs.ask("first", "strings", lambda: None) is not first
