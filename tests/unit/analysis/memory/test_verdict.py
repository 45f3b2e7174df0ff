"""Verdicts on growth: the table of what was measured, noise, and what was not measured."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from heapscope.analysis.memory.courses import Values
from heapscope.analysis.memory.judging import judge
from heapscope.analysis.memory.verdict import CAUSES, Cause, MemoryVerdict, Pattern

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
    start |= {"file_rss_bytes": 30.0, "shared_rss_bytes": 0.0}
    start["full_gc_count"] = 2
    columns: dict[str, list[float | None]] = {}
    for name, value in start.items():
        unit = MB if name.endswith("_bytes") else 1
        change = changes.get(name.removesuffix("_bytes").removesuffix("_count"), 0.0)
        columns[name] = [
            None if change is None else (value + change * i / (count - 1)) * unit for i in range(count)
        ]
    return judge(4711, [60.0 * i for i in range(count)], columns)


def kinds(found: MemoryVerdict) -> set[str]:
    return {each.kind for each in found.evidence}


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
        ("mapped files", {"vsz": 300, "rss": 300, "file_rss": 300}),
        ("mapped files", {"vsz": 300, "rss": 300, "file_rss": 300, "heap_rss": None}),
        ("shared memory", {"vsz": 300, "rss": 300, "shared_rss": 300}),
        ("steady", {"rss": 3}),
        ("steady", {"vsz": 900}),
        ("java heap", {"old_after_gc": 200}),
        ("threads", {"thread": 150, "vsz": 150}),
        ("java heap or garbage", {"rss": 200, "heap_rss": 200, "old_after_gc": None}),
        ("java heap or garbage", {"rss": 200, "heap_rss": 190, "old_after_gc": 30}),
        ("java heap", {"rss": 200, "heap_rss": None, "old_after_gc": 190}),
        ("native memory", {"rss": 200, "heap_rss": None}),
        # Without native memory tracking
        ("malloc", {"rss": 300, "malloc_rss": 300, "nmt_other": None, "nmt_native": None}),
        ("malloc arenas", {"rss": 300, "arena_rss": 277, "nmt_other": None, "nmt_native": None}),
        ("direct buffers", {"vsz": 300, "rss": 300, "nmt_other": None, "nmt_native": None}),
    ],
)  # fmt: skip
def test_the_table_of_what_was_measured(cause: Cause, changes: dict[str, float | None]) -> None:
    found = verdict(changes)
    assert found.cause == cause, found
    assert found.growth_bytes == pytest.approx((changes.get("rss") or 0) * MB, rel=0.25)
    assert found.causes == (cause,)
    # Without tracking the kinds of native memory look alike, without a collection what is held and garbage.
    is_guessed = changes.get("nmt_other", 0) is None or changes.get("heap_rss", 0) is None
    assert (found.confidence == "low") <= (is_guessed or changes.get("old_after_gc", 0) is None)
    assert ("no native memory tracking" in kinds(found)) == (changes.get("nmt_other", 0) is None)


def test_mapped_files_hide_no_leak_beside_them() -> None:
    found = verdict({"rss": 5200, "file_rss": 5000, "heap_rss": 200, "old_after_gc": 190, "full_gc": 3})
    assert found.causes == ("java heap", "mapped files")
    assert found.confidence == "high"
    found = verdict({"rss": 5300, "file_rss": 5000, "nmt_other": 300, "nmt_native": 300})
    assert found.causes == ("direct buffers", "mapped files")


def test_only_a_full_collection_proves_a_leak() -> None:
    changes: dict[str, float | None] = {"rss": 324, "heap_rss": 323, "old_after_gc": 280}
    assert verdict(changes).confidence == "medium"
    assert verdict({**changes, "full_gc": 3}).confidence == "high"


def growing(span: float, count: int = 20, **changes: float) -> MemoryVerdict:
    """A heap that grows over ``span`` seconds and is collected as a whole all the time."""
    columns: dict[str, Values] = {
        name: [start + grows * i / (count - 1) for i in range(count)]
        for name, (start, grows) in {
            "rss_bytes": (400 * MB, 324 * MB),
            "heap_rss_bytes": (100 * MB, 323 * MB),
            "old_after_gc_bytes": (50 * MB, 280 * MB),
            "full_gc_count": (2.0, 100.0),
        }.items()
    }
    columns |= {name: [value] * count for name, value in changes.items()}
    return judge(1, [span * i / (count - 1) for i in range(count)], columns)


@pytest.mark.parametrize(("span", "confidence"), [(1.5, "low"), (59, "low"), (90, "medium"), (660, "high")])
def test_a_short_watch_is_not_sure_that_it_goes_on(span: float, confidence: str) -> None:
    found = growing(span)
    assert (found.cause, found.confidence) == ("java heap", confidence)
    assert ("short watch" in kinds(found)) == (confidence != "high")


def test_growth_comes_with_its_slope() -> None:
    (slope,) = [each for each in growing(3600).evidence if each.kind == "slope"]
    assert slope.figures["low_bytes"] == pytest.approx(280 * MB, rel=0.05)
    assert slope.figures["low_bytes"] <= slope.figures["high_bytes"]


@pytest.mark.parametrize(("step", "confidence"), [(1, "low"), (10, "medium"), (60, "high")])
def test_a_short_watch_is_not_sure_that_nothing_grows(step: int, confidence: str) -> None:
    found = judge(1, [float(step * i) for i in range(20)], {"rss_bytes": [400 * MB] * 20})
    assert (found.cause, found.confidence) == ("steady", confidence)


def hours(count: int, until: float) -> tuple[list[float], random.Random]:
    return [until * 3600 * i / (count - 1) for i in range(count)], random.Random(7)


def test_a_large_process_that_grows_slowly_all_the_time_is_not_steady() -> None:
    seconds, noise = hours(720, 6)
    rss = [60e9 + 1.53e9 * i / 719 + noise.uniform(-50, 50) * MB for i in range(720)]
    found = judge(1, seconds, {"rss_bytes": rss})
    assert found.cause == "native memory"
    assert found.growth_bytes == pytest.approx(1.53e9, rel=0.1)
    flat = [60e9 + noise.uniform(-50, 50) * MB for _ in range(720)]
    assert (judge(1, seconds, {"rss_bytes": flat}).cause, found.confidence) == ("steady", "low")


def test_what_is_swapped_out_grew_as_well() -> None:
    seconds, _ = hours(100, 6)
    columns: dict[str, Values] = {
        "rss_bytes": [2e9] * 100,
        "swap_bytes": [950 * MB * i / 99 for i in range(100)],
    }
    found = judge(1, seconds, columns)
    assert found.cause == "native memory"
    assert "swap" in kinds(found)
    columns["heap_rss_bytes"] = [1e9 - 900 * MB * i / 99 for i in range(100)]
    columns["heap_swap_bytes"] = [900 * MB * i / 99 for i in range(100)]
    found = judge(1, seconds, columns)  # the heap moved to the swap; what grew is the rest
    assert found.cause == "direct buffers"
    assert found.growth_bytes == pytest.approx(902 * MB, rel=0.1)


def test_two_growers_are_both_named_the_larger_first() -> None:
    found = verdict(
        {"rss": 700, "heap_rss": 300, "old_after_gc": 300, "nmt_other": 400, "nmt_native": 400, "full_gc": 9}
    )
    assert found.causes == ("direct buffers", "java heap")
    assert found.confidence == "high"
    found = verdict({"rss": 500, "class": 9000, "metaspace": 60, "nmt_other": 300, "nmt_native": 370})
    assert found.causes == ("direct buffers", "class loaders")
    found = verdict({"rss": 330, "nmt_other": 150, "nmt_native": 150, "malloc_rss": 170})
    assert found.causes == ("native malloc", "direct buffers")
    found = verdict({"rss": 330, "nmt_other": 300, "nmt_native": 300, "old_after_gc": 200, "full_gc": 9})
    assert found.causes == ("direct buffers", "java heap")
    # What a heap takes outside of itself is no second one.
    assert verdict({"rss": 315, "heap_rss": 300, "old_after_gc": 300}).causes == ("java heap",)


def test_a_cache_that_levelled_off_hours_ago_does_not_grow() -> None:
    seconds, noise = hours(720, 6)
    old = [50 * MB + min(i / 120, 1) * 500 * MB + noise.uniform(0, 20) * MB for i in range(720)]
    columns: dict[str, Values] = {
        "rss_bytes": [300 * MB + value for value in old],
        "heap_rss_bytes": old,
        "old_after_gc_bytes": old,
        "full_gc_count": list(range(720)),
    }
    found = judge(1, seconds, columns)
    assert [(grower.cause, grower.state) for grower in found.growers] == [("java heap", "levelled off")]
    assert found.confidence == "high"  # of its having levelled off
    assert "levelled off" in kinds(found)


def test_garbage_of_a_second_is_not_sure() -> None:
    found = growing(1.5, old_after_gc_bytes=50 * MB)
    assert (found.cause, found.confidence) == ("garbage", "low")


@pytest.mark.parametrize(
    ("full", "concurrent", "confidence"),
    [(0, 0, "medium"), (20, 0, "high"), (0, 20, "high"), (0, 1, "medium")],
)
def test_a_heap_that_was_never_collected_as_a_whole_may_hold_garbage(
    full: int, concurrent: int, confidence: str
) -> None:
    count = 20
    counts: dict[str, Values] = {
        "full_gc_count": [full * i / 19 for i in range(count)],
        "concurrent_gc_count": [concurrent * i / 19 for i in range(count)],
    }
    columns: dict[str, Values] = {
        "rss_bytes": [(400 + 16 * i) * MB for i in range(count)],
        "heap_rss_bytes": [(100 + 16 * i) * MB for i in range(count)],
        "old_after_gc_bytes": [(50 + 15 * i) * MB for i in range(count)],
    }
    found = judge(1, [60.0 * i for i in range(count)], columns | counts)
    assert (found.cause, found.confidence) == ("java heap", confidence)


def test_a_collection_long_before_the_end_does_not_clear_what_was_promoted_since() -> None:
    old = [(50 if i < 12 else 50 + 40 * (i - 12)) * MB for i in range(20)]
    columns: dict[str, Values] = {
        "rss_bytes": [350 * MB + value for value in old],
        "heap_rss_bytes": old,
        "old_after_gc_bytes": old,
        "full_gc_count": [0.0] * 11 + [1.0] * 9,
    }
    assert judge(1, [60.0 * i for i in range(20)], columns).confidence != "high"


def test_steadiness_says_how_much_may_have_been_overlooked() -> None:
    seconds, noise = hours(60, 0.25)
    rss = [400 * MB + noise.uniform(-6, 6) * MB for _ in range(60)]
    found = judge(1, seconds, {"rss_bytes": rss})
    (most,) = [each for each in found.evidence if each.kind == "at most"]
    # Noise of megabytes in a quarter of an hour hides what would be hundreds in a day.
    assert (found.cause, found.confidence) == ("steady", "medium")
    assert most.figures["high_bytes"] > 5 * MB
    seconds, _ = hours(60, 48)
    assert judge(1, seconds, {"rss_bytes": rss}).confidence == "high"


def test_a_heap_that_was_never_collected_is_not_surely_steady() -> None:
    columns: dict[str, Values] = {
        "rss_bytes": [4e8] * 20,
        "heap_rss_bytes": [1e8] * 20,
        "gc_count": [0.0] * 20,
    }
    found = judge(1, [60.0 * i for i in range(20)], columns)
    assert (found.cause, found.confidence) == ("steady", "medium")


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
    assert levelled.figures["bytes"] == 0
    assert levelled.figures["seconds"] >= 600
    assert {grower.state for grower in found.growers} == {"levelled off"}


def test_a_heap_that_is_touched_in_full_has_not_levelled_off_while_its_old_generation_grows() -> None:
    rss = [100 * MB + min(i, 10) * 20 * MB for i in range(40)]
    heap = [min(i, 10) * 20 * MB for i in range(40)]
    old = [i * 4 * MB for i in range(40)]
    columns = {"rss_bytes": rss, "heap_rss_bytes": heap, "old_after_gc_bytes": old}
    found = judge(1, [60.0 * i for i in range(40)], columns)
    assert [(grower.cause, grower.state) for grower in found.growers] == [("java heap", "grows")]
    columns["old_after_gc_bytes"] = [min(i, 10) * 16 * MB for i in range(40)]
    found = judge(1, [60.0 * i for i in range(40)], columns)
    assert found.growers[0].state == "levelled off"


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
    evidence = found.evidence[0]
    assert evidence.kind == "inside the heap and old generation"
    assert evidence.figures == {
        "heap_rss_bytes": found.changes["heap_rss_bytes"],
        "old_after_gc_bytes": found.changes["old_after_gc_bytes"],
    }


def test_every_pattern_has_a_cause() -> None:
    assert set(CAUSES) == set(get_args(Pattern))
    assert set(CAUSES.values()) == set(get_args(Cause))


@pytest.mark.parametrize(
    ("growth", "full_collections", "cause", "confidence"),
    [
        (600, 36, "java heap", "high"),
        (600, 0, "steady", "medium"),  # may be garbage that waits for a whole collection
        (0, 36, "steady", "high"),
    ],
)
def test_a_leak_in_a_heap_that_is_resident_from_the_start_is_seen(
    growth: int, full_collections: int, cause: Cause, confidence: str
) -> None:
    """As with -Xms and AlwaysPreTouch: nothing but the old generation moves."""
    count = 360
    columns: dict[str, Values] = {
        "rss_bytes": [9e9] * count,
        "heap_rss_bytes": [8e9] * count,
        "heap_max_bytes": [24e9] * count,
        "old_after_gc_bytes": [(200 + growth * i / count) * MB for i in range(count)],
        "gc_count": [float(i) for i in range(count)],
        "full_gc_count": [float(i * full_collections // count) for i in range(count)],
    }
    found = judge(1, [60.0 * i for i in range(count)], columns)
    assert (found.cause, found.confidence) == (cause, confidence)


def test_the_rate_lies_in_the_interval_of_the_same_answer() -> None:
    """The levels at both ends are of several samples, so their distance is shorter than the watch."""
    sizes: list[float | None] = [400 * MB + 10 * MB * minute for minute in range(20)]
    flat: list[float | None] = [100 * MB] * 20
    found = judge(4711, [60.0 * minute for minute in range(20)], {"rss_bytes": sizes, "heap_rss_bytes": flat})
    assert found.bytes_per_hour == pytest.approx(600 * MB)
    (slope,) = [each.figures for each in found.evidence if each.kind == "slope"]
    assert slope["low_bytes"] <= 600 * MB <= slope["high_bytes"]
