"""Verdicts on series of known truth: how often they are false, how often a leak is seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from heapscope.analysis.growth.trends import Axis, change_points, find_trends, warm_up

COUNT = 1000
Floats = NDArray[np.float64]
Make = Callable[[np.random.Generator, int], Floats]


def noise(rng: np.random.Generator, n: int) -> Floats:
    """Garbage: every figure for itself."""
    return rng.normal(10_000, 500, (COUNT, n))


def pool(rng: np.random.Generator, n: int) -> Floats:
    """A pool or a queue: small counts."""
    return rng.poisson(20, (COUNT, n)).astype(float)


def sawtooth(rng: np.random.Generator, n: int) -> Floats:
    """Fills and is emptied, with any period and phase."""
    period, phase = rng.uniform(2, 0.7 * n, (COUNT, 1)), rng.uniform(0, 1, (COUNT, 1))
    return 1000 + 200 * ((np.arange(n) / period + phase) % 1) + rng.normal(0, 5, (COUNT, n))


def filled_cache(rng: np.random.Generator, n: int) -> Floats:
    """Fills towards its limit."""
    time = rng.uniform(0.05, 0.2, (COUNT, 1)) * n
    return 10_000 * (1 - np.exp(-np.arange(n) / time)) + rng.normal(0, 20, (COUNT, n))


def one_load(rng: np.random.Generator, n: int) -> Floats:
    """Something large is loaded once."""
    at = rng.integers(1, n, (COUNT, 1))
    return 1000 + 300 * (np.arange(n) >= at) + rng.normal(0, 10, (COUNT, n))


def wandering(rng: np.random.Generator, n: int) -> Floats:
    """A cache whose content depends on what it held before (autoregression, 0.8)."""
    values = np.zeros((COUNT, n + 40))
    for i in range(1, n + 40):
        values[:, i] = 0.8 * values[:, i - 1] + rng.normal(0, 10, COUNT)
    return 1000 + values[:, 40:]


def leak(steps_of_noise: float) -> Make:
    """Grows by so many standard deviations of its noise in each step."""

    def make(rng: np.random.Generator, n: int) -> Floats:
        return 10_000 + 100 * steps_of_noise * np.arange(n) + rng.normal(0, 100, (COUNT, n))

    return make


def share(make: Make, n: int, verdict: str = "grows") -> float:
    values = make(np.random.default_rng(n), n).round().astype(np.int64)
    trends = find_trends(values, Axis(tuple(map(float, range(n))), None, n))
    return sum(trend.verdict == verdict for trend in trends) / COUNT


@pytest.mark.parametrize("n", [3, 4, 5, 6, 8, 10, 20])
@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (noise, 0.05),
        (pool, 0.05),
        (sawtooth, 0.01),
        (filled_cache, 0.12),
        (one_load, 0.05),
        (wandering, 0.13),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_fluctuates_is_seldom_taken_for_a_leak(make: Make, limit: float, n: int) -> None:
    assert share(make, n) <= limit


@pytest.mark.parametrize(
    ("clarity", "n", "least"),
    [
        (20, 4, 0.99),
        (5, 4, 0.95),
        (2, 5, 0.85),
        (2, 6, 0.9),
        (1, 8, 0.65),
        (1, 10, 0.85),
        (1, 15, 0.97),
        (0.5, 20, 0.8),
    ],
)
def test_leaks_are_seen(clarity: float, n: int, least: float) -> None:
    assert share(leak(clarity), n) >= least


def test_three_snapshots_are_never_sure() -> None:
    assert share(leak(50), 3) == 0
    assert share(leak(50), 3, "perhaps grows") == 1
    assert share(leak(50), 2, "too few") == 1


def verdict(*values: int) -> str:
    n = len(values)
    return find_trends(np.array([values]), Axis(tuple(map(float, range(n))), None, n))[0].verdict


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((5, 20, 35, 50), "grows"),
        ((5, 5, 5, 5), "steady"),
        ((5, 5), "steady"),
        ((5, 6), "too few"),
        ((5,), "too few"),
        ((1, 2, 3), "perhaps grows"),
        ((1, 2, 2), "fluctuates"),
        ((50, 35, 20, 5), "shrinks"),
        ((10, 20, 20, 10, 20), "fluctuates"),
        ((10, 20, 30, 40, 50, 50, 50, 50, 50), "levelled off"),
        ((18_683, 22_429, 24_493, 25_842), "levelled off"),  # each step two thirds of the one before
        ((100, 200, 290, 370), "grows"),  # a leak under a load that wanes a little
        ((100, 101, 102, 103, 9000), "jumped once"),
        ((100, 100, 100, 100, 200, 300, 400), "grows"),
        ((0, 0, 0, 0, 0, 0, 100, 200, 300, 400), "grows"),
    ],
)
def test_verdicts(values: tuple[int, ...], expected: str) -> None:
    assert verdict(*values) == expected


def test_rates_are_per_hour_per_snapshot_and_per_operation_without_the_warm_up() -> None:
    axis = Axis((0.0, 0.5, 1.0, 1.5, 2.0), (0.0, 90.0, 100.0, 110.0, 120.0), 5, skip=1)
    (trend,) = find_trends(np.array([[0, 1000, 1100, 1200, 1300]]), axis)
    assert trend.verdict == "grows"
    assert (trend.per_hour, trend.per_snapshot, trend.per_operation) != (None, None, None)
    assert trend.per_hour is not None
    assert trend.per_snapshot is not None
    assert trend.per_operation is not None
    assert trend.per_hour.value == pytest.approx(200)
    assert trend.per_snapshot.value == pytest.approx(100)
    assert trend.per_operation.value == pytest.approx(10)
    assert trend.since == 1


def test_a_leak_that_begins_late_has_its_present_rate() -> None:
    values = [100, 101, 99, 100, 100, 300, 500, 700, 900, 1100]
    (trend,) = find_trends(np.array([values]), Axis(tuple(map(float, range(10))), None, 10))
    assert trend.verdict == "grows"
    assert trend.since in (4, 5)
    assert trend.per_hour is not None
    assert trend.per_hour.value == pytest.approx(200)


@pytest.mark.parametrize("n", [6, 8, 10, 15, 20, 30])
def test_straight_lines_seldom_bend(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(0, 1, (600, n)) + 5 * np.arange(n)
    bent = sum(bool(change_points(range(n), row)) for row in values.tolist())
    assert bent / 600 <= 0.03


@pytest.mark.parametrize("at", [4, 7, 10])
def test_bends_and_jumps_are_found(at: int) -> None:
    rng = np.random.default_rng(at)
    time = np.arange(14)
    bend = 50 * np.maximum(0, time - at) + rng.normal(0, 5, 14)
    jump = 500 * (time >= at) + rng.normal(0, 5, 14)
    assert min(abs(found - at) for found in change_points(time.tolist(), bend.tolist())) <= 1
    assert at in change_points(time.tolist(), jump.tolist())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10, 100, 101, 102, 103, 104], 1),
        ([10, 60, 100, 103, 106, 109, 112, 115, 118], 2),
        ([10, 60, 70, 80, 90, 100, 101, 102, 103, 104], 3),  # no more than a third
        ([100, 110, 120, 130, 140, 150, 160], 0),  # a leak is no warm-up
        ([100, 100, 100, 130, 160, 190, 220], 0),  # nor is one that begins late
        ([10, 100, 101, 102, 103], 0),  # too few to tell
        ([7] * 8, 0),
        ([0] * 8, 0),
    ],
)
def test_warm_up(values: list[int], expected: int) -> None:
    assert warm_up(range(len(values)), values) == expected


def test_noise_has_no_warm_up() -> None:
    rng = np.random.default_rng(3)
    cuts = [warm_up(range(10), row) for row in rng.normal(10_000, 500, (500, 10)).tolist()]
    assert sum(map(bool, cuts)) / 500 <= 0.05
