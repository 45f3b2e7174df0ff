"""What tells one group of processes from another, over all that is known of both.

What is there or not there is tested with Fisher's exact test, numbers with the Mann-Whitney test; the
p-values of all tests together are adjusted after Benjamini and Hochberg (Journal of the Royal Statistical
Society B 57, 1995), so that of what is named at most `FALSE_DISCOVERIES` are there by chance.

Attributes that could not reach significance however they were spread do not count as tests (Tarone,
Biometrics 46, 1990; Gilbert, Applied Statistics 54, 2005): which these are follows from the totals alone.
Attributes that are equal in all processes, or opposite, are one test: no data can tell them apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.extras import scipy_stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Column = NDArray[np.floating[Any]]

FALSE_DISCOVERIES = 0.05
_TIE = 1 + 1e-9  # p-values of the same probability differ in their last digits


@dataclass(frozen=True)
class Attribute:
    """Something that each process has, or has not, or has so much of.

    Attributes
    ----------
    kind : str
        ``"environment variable"``, ``"JVM option"``, ``"library version"`` and others.
    name : str
        ``"KERB_TICKET_CACHE_PATH is set"``, ``"hadoop-common 3.3.6"``, ``"number of threads"``.
    values : float array, shape (n,)
        Of each process: 1 and 0 for yes and no, or the number; NaN where nobody knows.
    is_number : bool
    """

    kind: str
    name: str
    values: Column
    is_number: bool = False


class Tested:
    """What a difference has that was tested together with others."""

    effect: float
    adjusted: float

    @property
    def is_significant(self) -> bool:
        """Whether chance makes such a difference too seldom to be believed."""
        return self.adjusted <= FALSE_DISCOVERIES

    @property
    def is_perfect(self) -> bool:
        """Whether it tells all of one group from all of the other."""
        return abs(self.effect) == 1


@dataclass(frozen=True)
class Difference(Tested):
    """How an attribute is spread over two groups, A and B.

    Attributes
    ----------
    kind, name : str
    also : tuple of str
        Attributes that are spread in the same way: nothing tells which of them it is.
    opposite : tuple of str
        Attributes that are there exactly where this one is not.
    is_number : bool
    a_count, a_known, b_count, b_known : int
        How many have it, and of how many that is known; of a number how many there are.
    a_median, b_median : float or None
        Of a number.
    effect : float
        From -1 to 1: the difference of shares; of a number, how much more often A's is the larger one than
        B's (Cliff's delta).
    p_value, adjusted : float
        By itself, and over all tests together.
    """

    kind: str
    name: str
    also: tuple[str, ...]
    opposite: tuple[str, ...]
    is_number: bool
    a_count: int
    a_known: int
    b_count: int
    b_known: int
    a_median: float | None
    b_median: float | None
    effect: float
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class Cohorts:
    """Two groups of processes, and what tells them apart.

    Attributes
    ----------
    a_size, b_size : int
    differences : tuple of Difference
        The surest and largest first.
    test_count : int
        Tests that the adjustment is over.
    same : tuple of str
        Kinds of attributes that are known of all processes of both groups, and the same in all of them.
    best_possible : float
        What a perfect difference would have as adjusted p-value, where it alone were one.
    """

    a_size: int
    b_size: int
    differences: tuple[Difference, ...]
    test_count: int
    same: tuple[str, ...]
    best_possible: float

    @property
    def can_tell(self) -> bool:
        """Whether a difference could have been told from chance."""
        return self.best_possible <= FALSE_DISCOVERIES

    @property
    def significant(self) -> tuple[Difference, ...]:
        """What tells them apart beyond chance."""
        return tuple(each for each in self.differences if each.is_significant)


def compare_cohorts(attributes: Sequence[Attribute], is_a: NDArray[np.bool_]) -> Cohorts:
    """What tells group A from group B.

    Parameters
    ----------
    attributes : sequence of Attribute
        Of the processes of both groups.
    is_a : bool array, shape (n,)
        Which of them are in A.

    Raises
    ------
    MissingDependency
        scipy is not installed.
    """
    is_a = np.asarray(is_a, bool)
    a_size, b_size = int(is_a.sum()), int((~is_a).sum())
    found: list[tuple[Difference, float]] = []
    kinds: dict[str, bool] = {}  # whether one of the kind differs, or is not known of all
    for group in alike(attributes):
        first, opposite = group
        varies = _varies(first[0].values)
        for each in (*first, *opposite):
            kinds[each.kind] = kinds.get(each.kind, False) or varies or bool(np.isnan(each.values).any())
        if varies and a_size and b_size:
            tested = _tested(first, opposite, is_a)
            # What A has says more than what it lacks: version 2.2, and not "not 2.1".
            is_turned = tested[0].effect < 0 and bool(opposite)
            found.append(_tested(opposite, first, is_a) if is_turned else tested)
    counted = [(each, attainable) for each, attainable in found if attainable <= FALSE_DISCOVERIES]
    adjusted = adjusted_p_values(np.array([each.p_value for each, _ in counted]))
    differences = [
        _with_adjusted(each, float(value)) for (each, _), value in zip(counted, adjusted, strict=True)
    ]
    differences += [_with_adjusted(each, 1.0) for each, attainable in found if attainable > FALSE_DISCOVERIES]
    differences.sort(key=lambda each: (each.adjusted, each.p_value, -abs(each.effect), each.kind, each.name))
    return Cohorts(
        a_size,
        b_size,
        tuple(differences),
        len(counted),
        tuple(sorted(kind for kind, varies in kinds.items() if not varies)),
        best_possible(a_size, b_size, len(counted)),
    )


def best_possible(a_size: int, b_size: int, test_count: int) -> float:
    """The adjusted p-value that a perfect difference between groups of such sizes would have."""
    if not a_size or not b_size:
        return 1.0
    # Where both groups are of one size the mirror image is as likely.
    least = (2 if a_size == b_size else 1) / comb(a_size + b_size, a_size)
    return min(1.0, least * max(test_count, 1))


def _varies(values: Column) -> bool:
    known = values[~np.isnan(values)]
    return bool(known.size) and bool((known != known[0]).any())


def alike(attributes: Sequence[Attribute]) -> list[tuple[list[Attribute], list[Attribute]]]:
    """Attributes of equal values together, and those of opposite values beside them."""
    found: dict[bytes, tuple[list[Attribute], list[Attribute]]] = {}
    digests: dict[int, tuple[bytes, bytes]] = {}  # of columns that many attributes share
    for each in attributes:
        if id(each.values) not in digests:
            digests[id(each.values)] = _digest(each.values), _digest(1.0 - each.values)
        key, turned = digests[id(each.values)]
        turned = b"" if each.is_number else turned
        if key in found:
            found[key][0].append(each)
        elif turned in found:
            found[turned][1].append(each)
        else:
            found[key] = ([each], [])
    return list(found.values())


def _digest(values: Column) -> bytes:
    """Of what is equal the same; a column itself as a key would take the memory of all columns once more."""
    data = np.ascontiguousarray(values, np.float64) + 0.0  # no -0.0
    data[np.isnan(data)] = np.nan  # one of its many patterns
    return hashlib.blake2b(data.tobytes(), digest_size=16).digest()


def picked(attributes: Sequence[Attribute], mask: NDArray[np.bool_]) -> list[Attribute]:
    """Attributes of some of the processes only; what shared a column still does."""
    columns: dict[int, Column] = {}
    for each in attributes:
        if id(each.values) not in columns:
            columns[id(each.values)] = each.values[mask]
    return [replace(each, values=columns[id(each.values)]) for each in attributes]


def _tested(
    equal: Sequence[Attribute], opposite: Sequence[Attribute], is_a: NDArray[np.bool_]
) -> tuple[Difference, float]:
    """An attribute with its p-value, and the smallest that its totals allow."""
    first = equal[0]
    known = ~np.isnan(first.values)
    a, b = first.values[known & is_a], first.values[known & ~is_a]
    a_median = b_median = None
    if first.is_number:
        effect, p_value = mann_whitney(a, b)
        attainable = 2 / comb(a.size + b.size, a.size) if a.size and b.size else 1.0
        a_count, b_count = a.size, b.size
        if a.size and b.size:
            a_median, b_median = float(np.median(a)), float(np.median(b))
    else:
        a_count, b_count = int(a.sum()), int(b.sum())
        p_values, first_count = fisher_p_values(a.size + b.size, a.size, a_count + b_count)
        p_value, attainable = float(p_values[a_count - first_count]), float(p_values.min())
        effect = a_count / a.size - b_count / b.size if a.size and b.size else 0.0
    names = tuple(attribute_text(each) for each in equal[1:])
    return (
        Difference(
            first.kind, first.name, names, tuple(map(attribute_text, opposite)), first.is_number,
            a_count, a.size, b_count, b.size, a_median, b_median, effect, p_value, 1.0,
        ),
        attainable,
    )  # fmt: skip


def attribute_text(attribute: Attribute) -> str:
    """Kind and name: ``environment variable X is set``."""
    return f"{attribute.kind} {attribute.name}"


def _with_adjusted(difference: Difference, adjusted: float) -> Difference:
    return replace(difference, adjusted=adjusted)


@lru_cache(maxsize=65536)
def fisher_p_values(total: int, drawn: int, marked: int) -> tuple[Floats, int]:
    """Two-sided p-values of Fisher's exact test for all tables of the same totals.

    Parameters
    ----------
    total, drawn, marked : int
        All processes, those in A, those that have the attribute.

    Returns
    -------
    p_values : float array
        For each number of A that can have it, the smallest first.
    first : int
        That smallest number.
    """
    stats = scipy_stats()
    first, last = max(0, drawn + marked - total), min(drawn, marked)
    chances = stats.hypergeom.pmf(np.arange(first, last + 1), total, marked, drawn)
    order = np.argsort(chances, kind="stable")
    summed = np.cumsum(chances[order])
    # Tables that are as likely as this one count, whatever their last digits say.
    places = np.searchsorted(chances[order], chances * _TIE, side="right") - 1
    return np.minimum(summed[places], 1.0), first


def mann_whitney(a: Column, b: Column) -> tuple[float, float]:
    """Cliff's delta and the two-sided p-value, exact for small groups without ties."""
    if not a.size or not b.size:
        return 0.0, 1.0
    both = np.concatenate([a, b])
    if (both == both[0]).all():
        return 0.0, 1.0
    has_ties = np.unique(both).size < both.size
    is_small = min(a.size, b.size) <= 8 and not has_ties
    found = scipy_stats().mannwhitneyu(a, b, method="exact" if is_small else "asymptotic")
    return float(2 * found.statistic / (a.size * b.size) - 1), float(found.pvalue)


def adjusted_p_values(p_values: Floats) -> Floats:
    """Benjamini-Hochberg: the smallest false discovery rate at which each is named."""
    if not p_values.size:
        return p_values
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * p_values.size / np.arange(1, p_values.size + 1)
    smallest = np.minimum.accumulate(scaled[::-1])[::-1]
    result = np.empty_like(p_values)
    result[order] = np.minimum(smallest, 1.0)
    return result
