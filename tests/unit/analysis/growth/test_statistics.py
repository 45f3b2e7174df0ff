"""Mann-Kendall and Theil-Sen against definitions: all orders of a series, all pairwise slopes."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heapscope.analysis.growth.statistics import Rate, mann_kendall, rate, theil_sen


def naive_score(values: tuple[int, ...]) -> int:
    return sum((b > a) - (b < a) for a, b in combinations(values, 2))


def naive_p_value(values: tuple[int, ...]) -> Fraction:
    """Of all orders of these figures the part that rises as clearly."""
    wanted = naive_score(values)
    scores = [naive_score(order) for order in permutations(values)]
    return Fraction(sum(score >= wanted for score in scores), len(scores))


def naive_slopes(positions: list[float], values: list[float]) -> list[float]:
    points = list(zip(positions, values, strict=True))
    return sorted((d - b) / (c - a) for (a, b), (c, d) in combinations(points, 2) if c > a)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=7))
def test_the_test_for_a_rise_is_exact_ties_included(values: list[int]) -> None:
    scores, p_values = mann_kendall(np.array([values], float))
    assert scores[0] == naive_score(tuple(values))
    assert p_values[0] == pytest.approx(float(naive_p_value(tuple(values))), abs=1e-12)


@pytest.mark.parametrize(("n", "orders"), [(2, 2), (3, 6), (4, 24), (5, 120), (10, 3_628_800)])
def test_what_few_snapshots_can_say_at_most(n: int, orders: int) -> None:
    _, p_values = mann_kendall(np.arange(n, dtype=float)[None])
    assert p_values[0] == pytest.approx(1 / orders)


@pytest.mark.parametrize("n", [41, 60])
def test_the_approximation_of_long_series_is_near_the_exact_figure(n: int) -> None:
    from heapscope.analysis.growth.statistics import _inversions

    rng = np.random.default_rng(5)
    values = rng.normal(size=(40, n)) + np.linspace(0, 1, n)
    scores, p_values = mann_kendall(values)
    pairs = n * (n - 1) // 2
    for score, p_value in zip(scores.tolist(), p_values.tolist(), strict=True):
        assert p_value == pytest.approx(_inversions((1,) * n)[(pairs - score) // 2], abs=2e-3)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(-100, 100)),
        min_size=2,
        max_size=9,
        unique_by=lambda p: p[0],
    )
)
def test_the_slope_is_the_median_of_all(points: list[tuple[int, int]]) -> None:
    points.sort()
    positions, values = [float(x) for x, _ in points], [float(y) for _, y in points]
    found = rate(positions, values)
    slopes = naive_slopes(positions, values)
    assert found is not None
    assert found.value == pytest.approx(median(slopes))
    if len(points) > 2:
        assert found.low in [pytest.approx(slope) for slope in slopes]
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize(("n", "covered"), [(3, 2 / 3), (4, 11 / 12), (5, 59 / 60)])
def test_the_widest_interval_says_what_it_covers(n: int, covered: float) -> None:
    values = [float(i * i) for i in range(n)]
    slopes = naive_slopes(list(map(float, range(n))), values)
    found = rate(range(n), values)
    assert found is not None
    assert (found.low, found.high) == (slopes[0], slopes[-1])
    assert found.value == pytest.approx(median(slopes))
    assert found.confidence == pytest.approx(covered)


def test_two_snapshots_have_a_slope_and_no_interval() -> None:
    assert rate([0, 2], [10, 30]) == Rate(10.0, None, None, 0.0)
    assert rate([1, 1], [10, 30]) is None


@pytest.mark.parametrize("n", [3, 4, 5, 6, 8, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int) -> None:
    """A straight line of slope 3 with noise of a heavy tail, 4,000 times."""
    rng = np.random.default_rng(n)
    where = np.cumsum(rng.uniform(0.5, 1.5, n))
    values = 3 * where + rng.standard_t(3, size=(4000, n))
    slopes, confidence = theil_sen(where, values)
    covered = ((slopes[:, 1] <= 3) & (slopes[:, 2] >= 3)).mean()
    assert covered == pytest.approx(confidence, abs=0.02)
    assert confidence >= 0.95 or n < 5


def test_a_wild_figure_moves_the_slope_little() -> None:
    values = [float(10 * i) for i in range(10)]
    values[4] = 1e9
    found = rate(range(10), values)
    assert found is not None
    assert found.value == pytest.approx(10, rel=0.01)


def test_many_series_are_worked_on_in_pieces() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, (900, 110)).astype(float)  # more than 4 million slopes
    slopes, _ = theil_sen(np.arange(110.0), values)
    for row in (0, 699, 700, 899):
        assert slopes[row, 0] == pytest.approx(
            median(naive_slopes(list(map(float, range(110))), values[row].tolist()))
        )
