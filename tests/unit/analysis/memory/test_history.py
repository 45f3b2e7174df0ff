"""What a watch remembers: enough for a verdict, and no more than that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heapscope.analysis.memory.history import MAX_ENDED, MAX_SAMPLES, WatchHistory


def row(second: int, rss: int = 0, pid: int = 7, role: str | None = None, ticks: int = 99) -> dict[str, Any]:
    moment = datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=second)
    return {
        "captured_at": moment.isoformat(),
        "pid": pid,
        "start_ticks": ticks,
        "role": role,
        "task_index": 1 if role else None,
        "rss_bytes": rss,
        "pss_bytes": None,
        "thread_count": 3,
    }


def test_a_long_watch_is_thinned_and_keeps_its_ends() -> None:
    history = WatchHistory()
    for second in range(5000):
        history.add([row(second, second * 1_000_000)])
    seen = history[7, 99]
    assert MAX_SAMPLES / 2 <= len(seen.seconds) <= MAX_SAMPLES + 1
    assert {len(values) for values in seen.columns.values()} == {len(seen.seconds)}
    assert (seen.columns["rss_bytes"][0], seen.columns["rss_bytes"][-1]) == (0, 4999 * 1_000_000)
    assert seen.verdict().seconds == 4999
    assert (seen.rss_change, seen.rss_growth) == (1_000_000, 4999 * 1_000_000)


def test_sizes_and_counts_are_remembered_measured_or_not() -> None:
    history = WatchHistory()
    history.add([row(0, 5)])
    history.add([row(1, 8)])
    assert history[7, 99].columns == {
        "rss_bytes": [5, 8],
        "pss_bytes": [None, None],
        "thread_count": [3, 3],
    }


def test_a_restarted_process_is_another_and_those_with_a_role_come_first() -> None:
    history = WatchHistory()
    history.add([row(0, pid=1), row(0, pid=2, role="worker"), row(0, pid=3, role="chief")])
    history.add([row(1, pid=1), row(1, pid=2, role="worker", ticks=100)])
    assert [process.pid for process in history.processes] == [3, 2, 2, 1]
    assert [process.name for process in history.processes][:2] == ["chief:1 (pid 3)", "worker:1 (pid 2)"]
    with pytest.raises(KeyError):
        history[1, 100]


def test_of_processes_that_have_ended_the_verdict_stays_and_of_many_the_newest() -> None:
    history = WatchHistory()
    for number in range(MAX_ENDED + 30):
        for second in range(6):
            history.add([row(second, rss=second * 50_000_000, pid=number)])
    history.add([])
    assert len(history.processes) == MAX_ENDED
    assert history.dropped_count == 30
    assert min(process.pid for process in history.processes) == 30
    assert {process.verdict().sample_count for process in history.processes} == {6}
    assert {len(process.seconds) for process in history.processes} == {0}
    with pytest.raises(KeyError):
        history[MAX_ENDED, 99]
