"""What goes with growth: whether processes that have an attribute grow faster than those that have not.

Three snapshots are too few to call one process leaking, and forty processes with three snapshots each are
enough to tell what the growing have in common: nothing is decided about any of them, their rates of growth
are ranked (Mann-Whitney), and the p-values are adjusted after Benjamini and Hochberg, as in
`heapscope.fleet.cohorts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from heapscope.fleet.cohorts import (
    FALSE_DISCOVERIES,
    Attribute,
    adjusted_p_values,
    alike,
    attribute_text,
    best_possible,
    mann_whitney,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class GrowthDifference:
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

    @property
    def is_significant(self) -> bool:
        """Whether chance makes such a difference too seldom to be believed."""
        return self.adjusted <= FALSE_DISCOVERIES

    @property
    def is_perfect(self) -> bool:
        """Whether each process of one group grows faster than each of the other."""
        return abs(self.effect) == 1


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
    found: list[tuple[GrowthDifference, float]] = []
    of_known = [
        Attribute(each.kind, each.name, each.values[known]) for each in attributes if not each.is_number
    ]
    for first, opposite in alike(of_known):
        values = first[0].values
        one, other = rates[values == 1], rates[values == 0]
        if not one.size or not other.size:
            continue
        effect, p_value = mann_whitney(one, other)
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
