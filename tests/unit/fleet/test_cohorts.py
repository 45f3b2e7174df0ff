"""What tells two groups apart: exact p-values against scipy, and errors measured on simulated fleets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from heapscope.analysis.growth.trends import Axis, find_trends
from heapscope.analysis.verdicts import GROWS
from heapscope.fleet.cohorts import Attribute, Cohorts, compare_cohorts, fisher_p_values
from heapscope.fleet.growth_cohorts import GrowthCohorts, RankTest, compare_growth

ATTRIBUTES = 60
SNAPSHOTS = 10


def attribute(name: str, values: object, *, is_number: bool = False) -> Attribute:
    return Attribute("thing", name, np.asarray(values, float), is_number)


def test_p_values_are_those_of_scipy() -> None:
    for a, b in product(range(6), range(9)):
        p_values, first = fisher_p_values(5 + 8, 5, a + b)
        expected = stats.fisher_exact([[a, 5 - a], [b, 8 - b]]).pvalue
        assert p_values[a - first] == pytest.approx(expected)


def test_the_adjustment_is_that_of_scipy() -> None:
    random = np.random.default_rng(7)
    is_a = np.arange(60) < 25
    found = compare_cohorts([attribute(str(i), random.random(60), is_number=True) for i in range(30)], is_a)
    expected = stats.false_discovery_control([each.p_value for each in found.differences])
    assert [each.adjusted for each in found.differences] == pytest.approx(expected)


def test_counts_and_effect_of_what_tells_all() -> None:
    is_a = np.arange(200) < 37
    random = np.random.default_rng(1)
    noise = [attribute(f"noise {i}", random.random(200) < 0.3) for i in range(59)]
    first, *others = compare_cohorts([*noise, attribute("X is set", is_a)], is_a).differences
    assert (first.name, first.effect, first.is_perfect) == ("X is set", 1.0, True)
    assert (first.a_count, first.a_known, first.b_count, first.b_known) == (37, 37, 0, 163)
    assert first.is_significant
    assert not any(each.is_significant for each in others)


def test_what_cannot_be_told_apart_is_one_difference() -> None:
    is_a = np.arange(40) < 20
    found = compare_cohorts([attribute("X", is_a), attribute("Y", is_a), attribute("Z", ~is_a)], is_a)
    assert [each.name for each in found.differences] == ["X"]
    assert (found.differences[0].also, found.differences[0].opposite) == (("thing Y",), ("thing Z",))
    assert found.test_count == 1


def test_of_opposites_the_one_that_a_has_is_named() -> None:
    is_a = np.arange(40) < 20
    both = [attribute("codec 2.1", ~is_a), attribute("codec 2.2", is_a)]
    (only,) = compare_cohorts(both, is_a).differences
    assert (only.name, only.effect, only.opposite) == ("codec 2.2", 1.0, ("thing codec 2.1",))
    (grown,) = compare_growth(both, np.where(is_a, 5.0, 1.0)).differences
    assert (grown.name, grown.effect, grown.opposite) == ("codec 2.2", 1.0, ("thing codec 2.1",))
    assert (grown.with_count, grown.with_median, grown.without_median) == (20, 5.0, 1.0)


def test_what_nobody_knows_is_neither_yes_nor_no() -> None:
    is_a = np.arange(20) < 10
    values = np.where(np.arange(20) % 2, np.nan, is_a)
    (only,) = compare_cohorts([attribute("X", values)], is_a).differences
    assert (only.a_count, only.a_known, only.b_count, only.b_known) == (5, 5, 0, 5)


def test_too_few_say_nothing() -> None:
    is_a = np.arange(4) < 2
    found = compare_cohorts([attribute("X", is_a), attribute("Y", [1, 0, 1, 0])], is_a)
    assert not found.can_tell
    assert not found.significant
    nobody = compare_cohorts([attribute("X", [1, 0, 1])], np.zeros(3, bool))
    assert not nobody.can_tell
    assert nobody.differences == ()


def test_what_all_have_is_the_same_and_no_test() -> None:
    is_a = np.arange(30) < 10
    found = compare_cohorts([attribute("X", np.ones(30)), attribute("X", np.zeros(30))], is_a)
    assert (found.same, found.test_count, found.differences) == (("thing",), 0, ())


@pytest.mark.parametrize(
    ("first", "other", "digits"), [(3, 5, 9), (8, 40, 9), (20, 30, 9), (20, 30, 1), (4, 9, 0)]
)
def test_ranks_are_compared_as_scipy_does(first: int, other: int, digits: int) -> None:
    """Exactly for small groups; equal numbers, which rounding makes, by the approximation."""
    random = np.random.default_rng(first)
    for _ in range(5):
        numbers = np.round(random.normal(size=first + other), digits)
        is_first = np.arange(first + other) < first
        has_ties = np.unique(numbers).size < numbers.size
        method = "exact" if min(first, other) <= 8 and not has_ties else "asymptotic"
        found = stats.mannwhitneyu(numbers[is_first], numbers[~is_first], method=method)
        effect, p_value = RankTest(numbers).compare(is_first)
        assert p_value == pytest.approx(found.pvalue)
        assert effect == pytest.approx(2 * found.statistic / (first * other) - 1)


# --- errors over many simulated fleets ---


def heaps_of(random: np.random.Generator, leaks: NDArray[np.bool_], snapshots: int) -> NDArray[np.float64]:
    """Bytes of the heap: twice the noise is gained from one snapshot to the next, if it leaks."""
    noise = 1_000_000
    steps = np.where(leaks, 2 * noise, 0)[:, None] * np.arange(snapshots)
    found: NDArray[np.float64] = 500_000_000 + steps + random.normal(0, noise, (leaks.size, snapshots))
    return found


def attributes_of(
    random: np.random.Generator, leaks: NDArray[np.bool_], *, has_cause: bool
) -> list[Attribute]:
    """60 attributes, as frequent as chance makes them; of which number 17 is the cause."""
    values = random.random((ATTRIBUTES, leaks.size)) < random.uniform(0.05, 0.95, ATTRIBUTES)[:, None]
    if has_cause:
        values[17] = leaks
    return [attribute(str(place), row) for place, row in enumerate(values)]


def simulated(random: np.random.Generator, leaking: int, healthy: int, *, has_cause: bool) -> Cohorts:
    """Which leak the verdict on their ten snapshots says, as it does of real ones."""
    leaks = np.arange(leaking + healthy) < leaking
    heaps = heaps_of(random, leaks, SNAPSHOTS)
    trends = find_trends(heaps.astype(np.int64), Axis(None, None, SNAPSHOTS))
    is_a = np.array([each.verdict == GROWS for each in trends])
    return compare_cohorts(attributes_of(random, leaks, has_cause=has_cause), is_a)


def simulated_growth(
    random: np.random.Generator, leaking: int, healthy: int, snapshots: int, *, has_cause: bool
) -> GrowthCohorts:
    """By their rates of growth alone: no process is called leaking."""
    leaks = np.arange(leaking + healthy) < (leaking if has_cause else 0)
    times = np.arange(snapshots) - (snapshots - 1) / 2
    rates = heaps_of(random, leaks, snapshots) @ times / (times @ times)
    return compare_growth(attributes_of(random, leaks, has_cause=has_cause), rates)


def check(results: Sequence[Cohorts | GrowthCohorts]) -> None:
    """The right one is first in 9 of 10, and of what is named at most 5 % is chance."""
    first = sum(each.differences[0].name == "17" for each in results)
    named = [[one.name != "17" for one in each.significant] for each in results]
    assert first >= 0.9 * len(results)
    assert np.mean([sum(each) / max(len(each), 1) for each in named]) <= 0.05


@pytest.mark.parametrize(("leaking", "healthy"), [(5, 5), (10, 30), (50, 150)])
def test_the_cause_is_first_and_chance_is_seldom_named(leaking: int, healthy: int) -> None:
    random = np.random.default_rng(leaking)
    rounds = 40 if healthy < 100 else 20
    check([simulated(random, leaking, healthy, has_cause=True) for _ in range(rounds)])


@pytest.mark.parametrize(("leaking", "healthy", "snapshots"), [(5, 5, 4), (10, 30, 3), (50, 150, 3)])
def test_what_goes_with_growth_is_told_from_three_snapshots(
    leaking: int, healthy: int, snapshots: int
) -> None:
    """Of 5 against 5 from four: too few for a name, and the right one is the first candidate."""
    random = np.random.default_rng(1)
    results = [simulated_growth(random, leaking, healthy, snapshots, has_cause=True) for _ in range(40)]
    check(results)
    assert all(bool(each.significant) == (leaking > 5) == each.can_tell for each in results)


def test_a_fleet_without_a_cause_names_none() -> None:
    random = np.random.default_rng(0)
    wrong = sum(bool(simulated(random, 20, 60, has_cause=False).significant) for _ in range(40))
    assert wrong <= 0.05 * 40
    by_growth = [simulated_growth(random, 0, 80, 3, has_cause=False) for _ in range(100)]
    assert sum(bool(each.significant) for each in by_growth) <= 0.05 * 100


def test_growth_that_nobody_knows_is_left_out() -> None:
    values = np.array([1.0, 1, 0, 0, 1])
    found = compare_growth([attribute("X", values)], np.array([9.0, 8, 1, 2, np.nan]))
    (only,) = found.differences
    assert (found.process_count, only.with_count, only.without_count) == (4, 2, 2)
    assert (only.with_median, only.without_median, only.effect) == (8.5, 1.5, 1.0)
