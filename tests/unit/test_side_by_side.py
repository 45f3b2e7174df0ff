"""Work on several items at a time: order, errors, what is told, how it ends."""

from __future__ import annotations

import threading

import pytest

from heapscope.progress import Progress, no_progress, of_file
from heapscope.side_by_side import side_by_side

PATIENCE = 60  # seconds until a test that waits in vain fails


class Told:
    """Who was told what, as a bar would be."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        self.lines.append(f"{phase} {done}/{total}")

    def of_file(self, name: str, place: str = "") -> Progress:
        return lambda phase, done, total, /: self.lines.append(f"{phase} {name}{place} {done}/{total}")


def test_results_are_in_the_order_of_the_items_and_work_overlaps() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)  # broken unless two are at work at once

    def do(item: int, _: Progress) -> int:
        both.wait()
        return 10 * item

    assert side_by_side([1, 2, 3, 4], do, jobs=2, name=str, progress=no_progress) == [10, 20, 30, 40]


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_no_more_than_so_many_at_a_time(jobs: int) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def do(item: int, _: Progress) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1
        return item

    assert side_by_side(list(range(20)), do, jobs=jobs, name=str, progress=no_progress) == list(range(20))
    assert 1 <= most <= jobs


def test_one_at_a_time_is_done_in_this_thread() -> None:
    found = side_by_side(
        "ab", lambda _item, _: threading.current_thread(), jobs=1, name=str, progress=no_progress
    )
    assert found == [threading.current_thread()] * 2


def test_the_first_that_fails_in_the_order_of_the_items_is_told() -> None:
    failed = threading.Event()

    def do(item: int, _: Progress) -> int:
        if item == 2:
            failed.set()
            raise ValueError("the second")
        if item == 1:
            assert failed.wait(PATIENCE)
            raise ValueError("the first")
        return item

    with pytest.raises(ValueError, match="the first"):
        side_by_side([1, 2, 3], do, jobs=3, name=str, progress=no_progress)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_others_end_early_once_one_failed(error: type[BaseException]) -> None:
    begun, done = threading.Event(), []

    def do(item: int, progress: Progress) -> int:
        if item == 0:
            assert begun.wait(PATIENCE)
            raise error
        begun.set()
        while True:
            progress("working", 1, 2)  # for ever, unless it is told to end
            if item > 1:
                done.append(item)

    threads = threading.active_count()
    with pytest.raises(error):
        side_by_side([0, 1, 2, 3, 4], do, jobs=2, name=str, progress=no_progress)
    assert threading.active_count() == threads, "nobody is left at work"
    assert not done, "what had not begun did not begin"


def test_one_file_is_told_of_and_by_its_name() -> None:
    second_told, told = threading.Event(), Told()

    def do(item: str, progress: Progress) -> None:
        if item == "b.hprof":
            progress("counting", 1, 2)  # in silence: the first is still at work
            second_told.set()
        else:
            assert second_told.wait(PATIENCE)
            progress("counting", 2, 2)

    side_by_side(["a.hprof", "b.hprof"], do, jobs=2, name=str, progress=told)
    assert told.lines == ["counting a.hprof (1 of 2) 2/2"]
    side_by_side(["a.hprof"], lambda _, progress: progress("counting", 1, 1), jobs=2, name=str, progress=told)
    assert told.lines[1:] == ["counting a.hprof 1/1"]


def test_a_progress_that_knows_no_files_is_told_all_the_same() -> None:
    lines = []
    of_file(lambda *what: lines.append(what), "a.hprof", " (1 of 2)")("counting", 1, 2)
    assert lines == [("counting", 1, 2)]
