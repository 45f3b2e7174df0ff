"""Segments are done once each; an error ends all workers."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from heapscope.parser import segment_workers
from heapscope.parser.segment_workers import run_workers
from heapscope.progress import no_progress


@pytest.fixture(params=[1, 3], autouse=True)
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    count = int(request.param)
    monkeypatch.setattr(segment_workers, "worker_count", lambda: count)
    return count


def test_every_segment_is_done_once(workers: int) -> None:
    said: list[tuple[str, int, int]] = []

    def make_worker(failed: Event) -> tuple[Callable[[int], None], list[int]]:
        mine: list[int] = []
        return mine.append, mine

    sizes = [10 * (row + 1) for row in range(50)]
    found = run_workers(sizes, make_worker, lambda *each: said.append(each), "working")
    assert len(found) == workers
    assert sorted(row for rows in found for row in rows) == list(range(50))
    assert sorted(done for _, done, _ in said)[-1] == sum(sizes)
    assert {(phase, total) for phase, _, total in said} == {("working", sum(sizes))}


def test_without_segments_there_is_one_worker() -> None:
    assert run_workers([], lambda failed: (print, "nothing to do"), no_progress, "") == ["nothing to do"]


def test_an_error_ends_all_workers() -> None:
    events: list[Event] = []
    done: list[int] = []

    def make_worker(failed: Event) -> tuple[Callable[[int], None], None]:
        events.append(failed)

        def work(row: int) -> None:
            if row == 3:
                raise ValueError("segment 3")
            if row > 3:
                failed.wait(60)  # another worker is at the segment that fails
            done.append(row)

        return work, None

    with pytest.raises(ValueError, match="segment 3"):
        run_workers([1] * 1000, make_worker, no_progress, "")
    assert events[0].is_set()
    assert len(done) < 10


def test_an_error_while_a_worker_is_made() -> None:
    def make_worker(failed: Event) -> tuple[Callable[[int], None], None]:
        raise MemoryError

    with pytest.raises(MemoryError):
        run_workers([1, 2], make_worker, no_progress, "")
