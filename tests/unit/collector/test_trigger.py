"""Triggers: what they mean, when they fire, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from heapscope.collector.memory import Sample
from heapscope.collector.trigger import METRICS, Due, Sentinel, parse_trigger
from heapscope.errors import CollectError
from tests.unit.collector.test_sample_file import sample

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.mark.parametrize(
    ("text", "column", "limit", "unit"),
    [
        ("rss>8G", "rss_bytes", 8 * 2**30, None),
        ("RSS > 8 GB", "rss_bytes", 8e9, None),
        ("rss>8GiB", "rss_bytes", 8 * 2**30, None),
        ("old-growth>200M/h", "old_after_gc_bytes", 200 * 2**20, HOUR),
        ("heap-rss>1.5g", "heap_rss_bytes", 1.5 * 2**30, None),
        ("heap-rss-growth>10kB/min", "heap_rss_bytes", 10e3, MINUTE),
        ("threads>500", "thread_count", 500, None),
        ("classes-growth>1000/d", "class_count", 1000, DAY),
        ("swap>0", "swap_bytes", 0, None),
    ],
)
def test_texts(text: str, column: str, limit: float, unit: float | None) -> None:
    trigger = parse_trigger(text)
    assert (trigger.column, trigger.limit, trigger.unit_seconds) == (column, limit, unit)


@pytest.mark.parametrize(
    "text",
    ["", "rss", "rss>", "rss<8G", "ram>8G", "rss>8G/h", "old-growth>8G", "rss>-1", "rss>8X", "rss>1e9"],
)
def test_what_is_no_trigger_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(CollectError, match=r"rss>8G.*metrics: rss, pss"):
        parse_trigger(text)


def test_every_metric_is_a_column() -> None:
    assert set(METRICS.values()) <= set(Sample.__dataclass_fields__)


def at(seconds: float, pid: int = 7, **values: object) -> Sample:
    moment = datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=seconds)
    return replace(sample(1), captured_at=moment.isoformat(), pid=pid, **values)  # type: ignore[arg-type]


def test_one_histogram_first_then_dumps_and_never_more_than_asked_for() -> None:
    sentinel = Sentinel([parse_trigger("rss>1G")], count=3, every=60)
    fired = [(second, sentinel.look([at(second, rss_bytes=second * 10**8)])) for second in range(0, 600, 5)]
    due = [(second, found[0].kind) for second, found in fired if found]
    assert due == [(15, "histogram"), (75, "dump"), (135, "dump")]
    assert sentinel.is_done([7])
    assert not sentinel.is_done([7, 8])


def test_no_dump_once_the_condition_is_gone() -> None:
    sentinel = Sentinel([parse_trigger("rss>1G")], count=3, every=60)
    kinds = [
        due.kind
        for second in range(0, 600, 10)
        for due in sentinel.look([at(second, rss_bytes=2 * 10**9 if second == 50 else 5 * 10**8)])
    ]
    assert kinds == ["histogram"]


def test_a_process_that_has_ended_is_forgotten() -> None:
    sentinel = Sentinel([parse_trigger("threads>10")], count=1, every=60)
    for second in range(50):
        sentinel.look([at(second, pid=100 + second, thread_count=11)])
    assert len(sentinel._seen) == 1


def test_each_process_has_its_own_account() -> None:
    sentinel = Sentinel([parse_trigger("threads>10")], count=1, every=60)
    first = sentinel.look([at(0, thread_count=11), at(0, pid=8, thread_count=3)])
    assert first == [Due(7, 99, "histogram", "thread 11 (threads>10)")]
    assert [due.pid for due in sentinel.look([at(5, thread_count=11), at(5, pid=8, thread_count=30)])] == [8]
    # Restarted under the same pid: another process.
    assert [due.pid for due in sentinel.look([at(9, thread_count=11, start_ticks=100)])] == [7]


def rates(values: list[float | None], step: float, trigger: str = "old-growth>200M/h") -> list[int]:
    sentinel = Sentinel([parse_trigger(trigger)], count=1, every=0)
    samples = (at(step * i, old_after_gc_bytes=value) for i, value in enumerate(values))
    return [i for i, found in enumerate(samples) if sentinel.look([found])]


def test_a_rate_is_told_only_after_a_tenth_of_its_unit() -> None:
    steep: list[float | None] = [i * 10e6 for i in range(60)]  # 1.2 GB an hour, every 30 s
    assert rates(steep, 30) == [12]  # 360 s
    gentle: list[float | None] = [i * 1e6 for i in range(600)]  # 120 MB an hour
    assert rates(gentle, 30) == []


def test_a_sawtooth_is_no_growth_but_a_leak_below_it_is() -> None:
    saw: list[float | None] = [(i % 7) * 50e6 for i in range(400)]
    assert rates(saw, 30) == []
    assert rates([value + i * 5e6 for i, value in enumerate(saw) if value is not None], 30) != []


def test_what_was_not_measured_fires_nothing() -> None:
    assert rates([None] * 200, 30) == []
    assert rates([None, 300e6, None], 30, "old>200M") == [1]
