"""What goes with growth: whether processes that have an attribute grow faster than those that have not.

Three snapshots are too few to call one process leaking, and forty processes with three snapshots each are
enough to tell what the growing have in common: nothing is decided about any of them, their rates of growth
are ranked (Mann-Whitney), and the p-values are adjusted after Benjamini and Hochberg, as in
`heapscope.fleet.cohorts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb, erfc, sqrt
from typing import TYPE_CHECKING

import numpy as np

from heapscope.fleet.cohorts import (
    FALSE_DISCOVERIES,
    Attribute,
    Tested,
    adjusted_p_values,
    alike,
    attribute_text,
    best_possible,
    picked,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class GrowthDifference(Tested):
    """How fast processes with an attribute grow, and those without it.

    Attributes
    ----------
    kind, name : str
    also, opposite : tuple of str
        Attributes that are spread in the same way, or the other way around.
    with_count, without_count : int
        Processes whose growth and whose attribute are known.
    with_median, without_median : float
        Bytes per hour.
    effect : float
        Cliff's delta, -1 to 1: how much more often one with it grows faster than one without.
    p_value, adjusted : float
        By itself, and over all tests together.
    """

    kind: str
    name: str
    also: tuple[str, ...]
    opposite: tuple[str, ...]
    with_count: int
    without_count: int
    with_median: float
    without_median: float
    effect: float
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class GrowthCohorts:
    """What goes with growth.

    Attributes
    ----------
    process_count : int
        Processes whose growth is known.
    differences : tuple of GrowthDifference
        The surest first.
    test_count : int
    """

    process_count: int
    differences: tuple[GrowthDifference, ...]
    test_count: int

    @property
    def significant(self) -> tuple[GrowthDifference, ...]:
        """What goes with growth beyond chance."""
        return tuple(each for each in self.differences if each.is_significant)

    @property
    def can_tell(self) -> bool:
        """Whether an attribute that half of the processes have could have been told from chance."""
        half = self.process_count // 2
        return best_possible(half, self.process_count - half, self.test_count) <= FALSE_DISCOVERIES


class RankTest:
    """The Mann-Whitney test of many divisions of the same numbers into two: their ranks are found once.

    Exact where a group has at most 8 members and no two numbers are equal, as scipy does it; else by the
    normal approximation with the corrections for ties and continuity.

    Parameters
    ----------
    numbers : float array, shape (n,)
    """

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        self._ranks = (ends - (counts - 1) / 2)[inverse]
        self._ties = float(((counts**3 - counts) / max(numbers.size * (numbers.size - 1), 1)).sum())
        self._has_ties = bool((counts > 1).any())

    def compare(self, is_first: NDArray[np.bool_]) -> tuple[float, float]:
        """Cliff's delta and the two-sided p-value; bool array, shape (n,), neither empty nor full."""
        count = self._ranks.size
        first = int(is_first.sum())
        other = count - first
        wins = float(self._ranks[is_first].sum()) - first * (first + 1) / 2
        pairs = first * other
        less = min(wins, pairs - wins)
        if min(first, other) <= _SMALL and not self._has_ties and pairs <= _EXACT_PAIRS:
            p_value = 2 * _tail(min(first, other), max(first, other), round(less))
        else:
            spread = sqrt(pairs / 12 * (count + 1 - self._ties))
            p_value = erfc((pairs / 2 - less - 0.5) / spread / sqrt(2)) if spread else 1.0
        return 2 * wins / pairs - 1, min(p_value, 1.0)


_SMALL = 8
_EXACT_PAIRS = 20_000


def _tail(few: int, many: int, wins: int) -> float:
    """The chance of at most so many wins of ``few`` numbers over ``many``, where all are alike."""
    ways = _ways(few, many)
    return sum(ways[: wins + 1]) / comb(few + many, few)


@lru_cache(maxsize=256)
def _ways(few: int, many: int) -> list[int]:
    """In how many orders ``few`` win so often: the coefficients of the Gaussian binomial coefficient."""
    degree = few * many
    ways = np.zeros(degree + 1, object)
    ways[0] = 1
    for i in range(1, few + 1):
        if many + i <= degree:
            ways[many + i :] = ways[many + i :] - ways[: degree + 1 - many - i]
        for start in range(min(i, degree + 1)):
            ways[start::i] = np.cumsum(ways[start::i])
    return [int(each) for each in ways]


def compare_growth(attributes: Sequence[Attribute], bytes_per_hour: NDArray[np.float64]) -> GrowthCohorts:
    """What goes with growth, of what a process has or has not.

    Parameters
    ----------
    attributes : sequence of Attribute
        Numbers are left out.
    bytes_per_hour : float array, shape (n,)
        Of each process; NaN where it is not known.

    Raises
    ------
    MissingDependency
        scipy is not installed.
    """
    known = ~np.isnan(bytes_per_hour)
    rates = bytes_per_hour[known]
    test = RankTest(rates)
    found: list[tuple[GrowthDifference, float]] = []
    of_known = picked([each for each in attributes if not each.is_number], known)
    for first, opposite in alike(of_known):
        values = first[0].values
        one, other = rates[values == 1], rates[values == 0]
        if not one.size or not other.size:
            continue
        part = test if one.size + other.size == rates.size else RankTest(rates[~np.isnan(values)])
        effect, p_value = part.compare((values if part is test else values[~np.isnan(values)]) == 1)
        if effect < 0 and opposite:  # what has the attribute grows faster, not what lacks it
            first, opposite, one, other, effect = opposite, first, other, one, -effect
        difference = GrowthDifference(
            first[0].kind, first[0].name, tuple(map(attribute_text, first[1:])),
            tuple(map(attribute_text, opposite)), one.size, other.size, float(np.median(one)),
            float(np.median(other)), effect, p_value, 1.0,
        )  # fmt: skip
        found.append((difference, 2 / comb(one.size + other.size, one.size)))
    # What could not reach significance however the rates were spread is no test (Tarone).
    counted = [each for each, attainable in found if attainable <= FALSE_DISCOVERIES]
    adjusted = adjusted_p_values(np.array([each.p_value for each in counted]))
    differences = [
        replace(each, adjusted=float(value)) for each, value in zip(counted, adjusted, strict=True)
    ]
    differences += [each for each, attainable in found if attainable > FALSE_DISCOVERIES]
    differences.sort(key=lambda each: (each.adjusted, each.p_value, -abs(each.effect), each.kind, each.name))
    return GrowthCohorts(int(known.sum()), tuple(differences), len(counted))
