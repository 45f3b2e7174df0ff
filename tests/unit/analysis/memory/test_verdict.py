"""Verdicts on growth: the table of what was measured, noise, and what was not measured."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from heapscope.analysis.memory.verdict import CAUSES, Cause, MemoryVerdict, Pattern, Values, judge

MB = 1e6


def verdict(changes: dict[str, float | None], count: int = 20) -> MemoryVerdict:
    """A process whose columns rise in a straight line by so many MB, threads or classes."""
    start = {"vsz_bytes": 4000.0, "rss_bytes": 400.0, "heap_rss_bytes": 100.0, "old_after_gc_bytes": 50.0}
    start |= {"heap_max_bytes": 1000.0, "thread_count": 60, "class_count": 5000, "metaspace_bytes": 30.0}
    start |= {
        "malloc_rss_bytes": 40.0,
        "arena_rss_bytes": 40.0,
        "nmt_other_bytes": 5.0,
        "nmt_native_bytes": 90,
    }
    start["full_gc_count"] = 2
    columns: dict[str, list[float | None]] = {}
    for name, value in start.items():
        unit = MB if name.endswith("_bytes") else 1
        change = changes.get(name.removesuffix("_bytes").removesuffix("_count"), 0.0)
        columns[name] = [
            None if change is None else (value + change * i / (count - 1)) * unit for i in range(count)
        ]
    return judge(4711, [60.0 * i for i in range(count)], columns)


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        ("java heap", {"rss": 324, "heap_rss": 323, "old_after_gc": 280}),
        ("garbage", {"rss": 481, "heap_rss": 480, "old_after_gc": 1}),
        ("class loaders", {"vsz": 23, "rss": 102, "heap_rss": 16, "class": 6080, "metaspace": 40}),
        ("direct buffers", {"vsz": 301, "rss": 302, "nmt_other": 300, "nmt_native": 300}),
        ("direct buffers", {"vsz": 301, "rss": 301, "nmt_other": 300, "nmt_native": 300, "malloc_rss": 301}),
        ("threads", {"vsz": 302, "rss": 30, "thread": 300}),
        ("native malloc", {"vsz": 300, "rss": 300, "malloc_rss": 300}),
        ("malloc arenas", {"vsz": 149, "rss": 298, "arena_rss": 277}),
        ("native memory", {"vsz": 300, "rss": 300, "nmt_native": 290}),
        ("native memory", {"vsz": 300, "rss": 300}),
        ("steady", {"rss": 3}),
        ("steady", {"vsz": 900}),
        ("java heap", {"old_after_gc": 200}),
        ("threads", {"thread": 150, "vsz": 150}),
        ("java heap or garbage", {"rss": 200, "heap_rss": 200, "old_after_gc": None}),
        ("java heap or garbage", {"rss": 200, "heap_rss": 190, "old_after_gc": 30}),
        ("java heap", {"rss": 200, "heap_rss": None, "old_after_gc": 190}),
        ("native memory", {"rss": 200, "heap_rss": None}),
        # Without native memory tracking
        ("native malloc", {"rss": 300, "malloc_rss": 300, "nmt_other": None, "nmt_native": None}),
        ("malloc arenas", {"rss": 300, "arena_rss": 277, "nmt_other": None, "nmt_native": None}),
        ("direct buffers", {"vsz": 300, "rss": 300, "nmt_other": None, "nmt_native": None}),
    ],
)  # fmt: skip
def test_the_table_of_what_was_measured(cause: Cause, changes: dict[str, float | None]) -> None:
    found = verdict(changes)
    assert found.cause == cause, found
    assert found.growth_bytes == pytest.approx((changes.get("rss") or 0) * MB, rel=0.25)
    has_guessed = changes.get("nmt_other", 0) is None and cause != "native malloc"
    assert (found.confidence == "low") <= (
        has_guessed or cause == "java heap or garbage" or changes.get("heap_rss", 0) is None
    )


def test_only_a_full_collection_proves_a_leak() -> None:
    changes: dict[str, float | None] = {"rss": 324, "heap_rss": 323, "old_after_gc": 280}
    assert verdict(changes).confidence == "medium"
    assert verdict({**changes, "full_gc": 3}).confidence == "high"


@pytest.mark.parametrize(("step", "confidence"), [(1, "low"), (10, "medium"), (60, "high")])
def test_a_short_watch_is_not_sure_that_nothing_grows(step: int, confidence: str) -> None:
    found = judge(1, [float(step * i) for i in range(20)], {"rss_bytes": [400 * MB] * 20})
    assert (found.cause, found.confidence) == ("steady", confidence)


def test_three_samples_tell_nothing() -> None:
    assert verdict({"rss": 500, "heap_rss": 500}, count=3).cause == "too early"
    assert verdict({"rss": 500, "heap_rss": 500, "old_after_gc": 400}, count=4).cause == "java heap"
    assert judge(1, [], {}).cause == "too early"


def test_a_sawtooth_is_no_growth() -> None:
    noise = random.Random(4)
    rss = [400 * MB + noise.uniform(0, 60) * MB for _ in range(60)]
    old = [(50 + 200 * (i % 7) / 7) * MB for i in range(60)]  # promoted, then collected
    found = judge(1, [30.0 * i for i in range(60)], {"rss_bytes": rss, "old_after_gc_bytes": old})
    assert found.cause == "steady"


def test_a_leak_below_a_sawtooth_is_seen() -> None:
    old = [(50 + 3 * i + 200 * (i % 7) / 7) * MB for i in range(60)]
    columns = {"rss_bytes": [900 * MB] * 60, "heap_max_bytes": [1000 * MB] * 60, "old_after_gc_bytes": old}
    assert judge(1, [30.0 * i for i in range(60)], columns).cause == "java heap"


def test_start_up_that_has_ended_is_said() -> None:
    rss = [100 * MB + min(i, 10) * 20 * MB for i in range(40)]
    heap = [min(i, 10) * 20 * MB for i in range(40)]
    found = judge(1, [60.0 * i for i in range(40)], {"rss_bytes": rss, "heap_rss_bytes": heap})
    (levelled,) = [each for each in found.evidence if each.kind == "levelled off"]
    assert levelled.figures == {"bytes": 0, "seconds": 13 * 60}
    grows = [100 * MB + i * 20 * MB for i in range(40)]
    found = judge(1, [60.0 * i for i in range(40)], {"rss_bytes": grows, "heap_rss_bytes": heap})
    assert "levelled off" not in {each.kind for each in found.evidence}


def test_a_heap_that_is_touched_in_full_has_not_levelled_off_while_its_old_generation_grows() -> None:
    rss = [100 * MB + min(i, 10) * 20 * MB for i in range(40)]
    heap = [min(i, 10) * 20 * MB for i in range(40)]
    old = [i * 4 * MB for i in range(40)]
    columns = {"rss_bytes": rss, "heap_rss_bytes": heap, "old_after_gc_bytes": old}
    found = judge(1, [60.0 * i for i in range(40)], columns)
    assert found.cause == "java heap"
    assert "levelled off" not in {each.kind for each in found.evidence}
    columns["old_after_gc_bytes"] = [min(i, 10) * 16 * MB for i in range(40)]
    found = judge(1, [60.0 * i for i in range(40)], columns)
    assert "levelled off" in {each.kind for each in found.evidence}


def test_parts_are_compared_where_they_were_measured() -> None:
    """The heap's part was read only twice, early: what the process grew later is not counted as outside."""
    rss = [100 * MB + i * 10 * MB for i in range(40)]
    heap: list[float | None] = [None] * 40
    heap[0], heap[5], heap[10], heap[11] = 10 * MB, 59 * MB, 108 * MB, 118 * MB
    old = [i * 10 * MB for i in range(40)]
    columns: dict[str, Values] = {"rss_bytes": rss, "heap_rss_bytes": heap, "old_after_gc_bytes": old}
    assert judge(1, [60.0 * i for i in range(40)], columns).cause == "java heap"


def test_pages_mapped_three_times_count_once() -> None:
    rss = [300 * MB + i * 30 * MB for i in range(20)]
    pss = [value / 3 for value in rss]
    found = judge(
        1, [60.0 * i for i in range(20)], {"rss_bytes": rss, "pss_bytes": pss, "heap_rss_bytes": pss}
    )
    assert found.growth_bytes == pytest.approx(160e6)


def test_evidence_is_what_was_measured() -> None:
    found = verdict({"rss": 324, "heap_rss": 323, "old_after_gc": 280})
    (evidence,) = found.evidence
    assert evidence.kind == "inside the heap and old generation"
    assert evidence.figures == {
        "heap_rss_bytes": found.changes["heap_rss_bytes"],
        "old_after_gc_bytes": found.changes["old_after_gc_bytes"],
    }


def test_every_pattern_has_a_cause() -> None:
    assert set(CAUSES) == set(get_args(Pattern))
    assert set(CAUSES.values()) == set(get_args(Cause))
