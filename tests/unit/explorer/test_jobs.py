"""Jobs: what is kept of what they computed."""

from __future__ import annotations

from types import SimpleNamespace

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
