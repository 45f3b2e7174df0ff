"""What grows over snapshots: verdicts and rates of classes, of the whole heap, of other figures."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from tests.unit.analysis.growth.series_of_dumps import leak_series
from tests.unit.analysis.leak import CACHE, DISTRIBUTED
from tests.unit.reporter.series import series


def test_growth_by_class(tmp_path: Path) -> None:
    growth = heapscope.snapshots(leak_series(tmp_path, [10, 20, 30, 40])).growth()
    systems = growth[DISTRIBUTED]
    assert systems.instance_counts == (10, 20, 30, 40)
    assert systems.verdict == "grows"
    assert systems.is_growing
    assert systems.confidence == pytest.approx(23 / 24)
    assert systems.instances.per_hour is not None
    assert systems.instances.per_hour.value == pytest.approx(10)
    assert systems.retained_bytes is None
    assert growth.get(CACHE) is not None
    assert growth[CACHE].verdict == "steady"
    assert growth.get("a.Missing") is None
    with pytest.raises(KeyError):
        growth["a.Missing"]
    assert growth.growing[0].name == "byte[]"  # most bytes first
    frame = growth.to_frame()
    assert len(frame) == len(growth) > 5
    assert frame.set_index("name").loc[DISTRIBUTED, "instance_count_per_hour"] == pytest.approx(10)
    assert growth.unit == "hour"


# --- times, work, warm-up ---


def test_how_many_would_grow_by_chance() -> None:
    growth = series().growth()
    assert growth.expected_by_chance == pytest.approx(0.05 * 8)  # of nine classes one is steady


def test_other_figures_are_judged_as_classes_are() -> None:
    growth = series().growth()
    key = growth["javax.security.auth.Subject"]
    followed = growth.follow("the same", key.instance_counts, key.shallow_bytes)
    assert (followed.verdict, followed.instances, followed.shallow) == (
        key.verdict,
        key.instances,
        key.shallow,
    )


@pytest.mark.parametrize(
    ("counts", "may_grow", "is_larger"),
    [((1, 2), False, True), ((2, 1), False, False), ((1, 2, 3), True, False), ((1, 3, 2), False, False)],
)
def test_few_snapshots_say_little(counts: tuple[int, ...], may_grow: bool, is_larger: bool) -> None:
    key = series({"a.B": (counts, 16)}).growth()["a.B"]
    assert (key.is_growing, key.may_grow, key.is_larger) == (False, may_grow, is_larger)


@pytest.mark.parametrize(
    ("counts", "has_grown"),
    [((100, 105), False), ((100, 120), True), ((100, 110, 120, 130), True), ((100, 90, 110, 100), False)],
)
def test_the_heap_has_grown_by_more_than_it_always_does(counts: tuple[int, ...], has_grown: bool) -> None:
    assert series({"a.B": (counts, 16)}).growth().has_heap_grown == has_grown
