"""Trends of short series: few snapshots, so everything is exact and nothing is assumed normal.

`mann_kendall` tests whether a series rises (Mann, Econometrica 13, 1945; Kendall, Rank
Correlation Methods, 1975), with its exact null distribution, ties included.  `theil_sen` is the
median of all pairwise slopes with an interval from the same distribution (Sen, JASA 63, 1968).
scipy's ``theilslopes`` and the usual Mann-Kendall code take the normal approximation, which for
three to ten snapshots is wrong by a factor of two; so numpy is all that is needed here.

What few snapshots can say at most:

===========  ================================  =====================================
snapshots    rising in every step by chance     widest interval of a slope covers
===========  ================================  =====================================
2            1 in 2                            nothing can be said
3            1 in 6                            67 %
4            1 in 24                           92 %
5            1 in 120                          98 %
===========  ================================  =====================================

That is why three snapshots are never more than "perhaps".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, erfc, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
# Longer series take the normal approximation: its error is below 0.002 there.
_MAX_EXACT = 40


@dataclass(frozen=True, slots=True)
class Rate:
    """A slope with the interval that holds it.

    Attributes
    ----------
    value : float
        The median of all pairwise slopes.
    low, high : float or None
        Ends of the interval; None where two points allow none.
    confidence : float
        How sure the interval is: 0.95 or more where the series is long enough, less where it
        is not, 0 without an interval.
    """

    value: float
    low: float | None
    high: float | None
    confidence: float


@lru_cache(maxsize=4096)
def _inversions(ties: tuple[int, ...]) -> tuple[float, ...]:
    """P(inversions <= i) of a random order of n items with tied groups of these sizes.

    The counts are the coefficients of the Gaussian multinomial (Andrews, The Theory of
    Partitions, theorem 3.6): the product of (1 - q**i) for 1..n over the same for each group.
    """
    n = sum(ties)
    degree = comb(n, 2) - sum(comb(size, 2) for size in ties)
    counts = [0] * (degree + 1)
    counts[0] = 1
    for power in range(1, n + 1):
        for at in range(degree, power - 1, -1):
            counts[at] -= counts[at - power]
    for size in ties:
        for power in range(1, size + 1):
            for at in range(power, degree + 1):
                counts[at] += counts[at - power]
    whole, below, found = sum(counts), 0, []
    for count in counts:
        below += count
        found.append(below / whole)
    return tuple(found)


def _rising_probability(score: int, ties: tuple[int, ...]) -> float:
    """P(S >= score) if the order means nothing; S is concordant less discordant pairs."""
    n = sum(ties)
    pairs = comb(n, 2) - sum(comb(size, 2) for size in ties)
    if not pairs:
        return 1.0
    if n <= _MAX_EXACT:
        return _inversions(ties)[(pairs - score) // 2]
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    return 0.5 * erfc((score - 1) / sqrt(2 * variance))


def mann_kendall(values: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Whether series rise.

    Parameters
    ----------
    values : float64 array, shape (k, n)
        k series of n figures in order of time.

    Returns
    -------
    scores : int64 array, shape (k,)
        Kendall's S: pairs that rise less pairs that fall.
    p_values : float64 array, shape (k,)
        The chance of such a score or a higher one if the order meant nothing (one-sided).
    """
    k, n = values.shape
    scores = np.zeros(k, np.int64)
    for lag in range(1, n):
        scores += np.sign(values[:, lag:] - values[:, :-lag]).astype(np.int64).sum(axis=1)
    p_values = np.ones(k)
    ordered = np.sort(values, axis=1)
    for row in np.nonzero(ordered[:, :1] != ordered[:, -1:])[0].tolist() if n > 1 else []:
        starts = np.nonzero(np.diff(ordered[row], prepend=-np.inf))[0]
        ties = tuple(sorted(np.diff(starts, append=n).tolist()))
        p_values[row] = _rising_probability(int(scores[row]), ties)
    return scores, p_values


def _interval_rank(n: int, confidence: float) -> tuple[int, float]:
    """Rank k of the lower end among the sorted slopes, from 0, and how sure the interval is."""
    if n > _MAX_EXACT:
        spread = sqrt(n * (n - 1) * (2 * n + 5) / 18)
        rank = max(0, int((comb(n, 2) - 1.959964 * spread) / 2) - 1)
        return rank, confidence
    below = _inversions((1,) * n)
    rank = 0
    while 2 * below[rank + 1] <= 1 - confidence:
        rank += 1
    return rank, 1 - 2 * below[rank]


def theil_sen(positions: Floats, values: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, float]:
    """Slopes of series, robust where fewer than a third of the figures are wild.

    Parameters
    ----------
    positions : float64 array, shape (n,)
        Where the figures lie, not decreasing; hours, say.
    values : float64 array, shape (k, n)
    confidence : float
        Wished for the interval.

    Returns
    -------
    slopes : float64 array, shape (k, 3)
        The slope and the ends of its interval; nan where two positions at most differ.
    confidence : float
        What the interval reaches, the wished figure if n allows it.
    """
    k, n = values.shape
    found = np.full((k, 3), np.nan)
    left, right = np.triu_indices(n, 1)
    differs = positions[right] > positions[left]
    left, right = left[differs], right[differs]
    if not left.size:
        return found, 0.0
    apart = positions[right] - positions[left]
    found[:] = 0.0 if n > 2 else [0.0, np.nan, np.nan]
    moves = np.nonzero(values.min(axis=1) != values.max(axis=1))[0]
    is_whole = left.size == comb(n, 2)
    step = max(1, (1 << 22) // left.size)  # 32 MB of slopes at a time
    for first in range(0, moves.size, step):
        rows = moves[first : first + step]
        part = values[rows]
        slopes = np.sort((part[:, right] - part[:, left]) / apart, axis=1)
        middle = slopes.shape[1] // 2
        odd = slopes.shape[1] % 2
        found[rows, 0] = slopes[:, middle] if odd else (slopes[:, middle - 1] + slopes[:, middle]) / 2
        if n > 2:
            # With figures at one position the ranks say less than they should: the widest it is then.
            rank = _interval_rank(n, confidence)[0] if is_whole else 0
            found[rows, 1] = slopes[:, rank]
            found[rows, 2] = slopes[:, -1 - rank]
    return found, _interval_rank(n, confidence)[1] if n > 2 and is_whole else 0.0


def rate(positions: Sequence[float], values: Sequence[float]) -> Rate | None:
    """The slope of one series; None where no two positions differ."""
    slopes, confidence = theil_sen(np.asarray(positions, float), np.asarray([values], float))
    return rates(slopes, confidence)[0]


def rates(slopes: Floats, confidence: float) -> list[Rate | None]:
    """Rows of `theil_sen` as `Rate`."""
    return [
        None
        if value != value
        else Rate(value, None if low != low else low, None if high != high else high, confidence)
        for value, low, high in slopes.tolist()
    ]
