"""What a series of figures does: grows, levels off, fluctuates; since when; what was warm-up.

A leak rises, goes on rising, and falls back little.  Each of these is asked of a series, for
garbage, caches and pools pass one or two of them.  The limits are in `heapscope.analysis.thresholds`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.growth.statistics import Rate, mann_kendall, rate, rates, theil_sen
from heapscope.analysis.thresholds import (
    FADING,
    JUMP,
    LEAST_SCATTER,
    MAX_FALL,
    MIN_STEADY,
    MIN_TAIL,
    SIGNIFICANCE,
    WARM_UP_DEPTH,
)
from heapscope.analysis.verdicts import (
    FLUCTUATES,
    GROWS,
    JUMPED,
    LEVELLED_OFF,
    PERHAPS,
    SHRINKS,
    STEADY,
    TOO_FEW,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trend:
    """What one series of figures does.

    Attributes
    ----------
    values : tuple of int
        A figure for each snapshot, those of the warm-up too.
    verdict : Verdict
    p_value : float
        The chance that a series without a trend rises as clearly (Mann-Kendall, exact, one-sided).
    per_hour, per_snapshot, per_operation : Rate or None
        Theil-Sen slopes, without the warm-up; None where the snapshots have no usable times, or
        no work counter.
    since : int
        Position of the snapshot from which on it grows as it does now.
    """

    values: tuple[int, ...]
    verdict: Verdict
    p_value: float
    per_hour: Rate | None
    per_snapshot: Rate | None
    per_operation: Rate | None
    since: int = 0

    @property
    def is_growing(self) -> bool:
        """It grows; "perhaps" is not enough."""
        return self.verdict == GROWS

    @property
    def is_slowing(self) -> bool:
        """It rises ever more slowly, but to the last: no proof that it comes to an end."""
        if self.verdict != LEVELLED_OFF or self.per_snapshot is None:
            return False
        return self.values[-1] - self.values[-2] >= MIN_TAIL * self.per_snapshot.value

    @property
    def confidence(self) -> float:
        """How sure it is that the series rises: 1 less the p-value; 0 of fewer than three snapshots."""
        return 0.0 if self.verdict == TOO_FEW else 1 - self.p_value

    @property
    def delta(self) -> int:
        """Last less first."""
        return self.values[-1] - self.values[0]


@dataclass(frozen=True)
class Axis:
    """Where snapshots lie in time and in work; tuples of n figures.

    Attributes
    ----------
    hours : tuple of float or None
        Since the first snapshot; None where the times cannot be used.
    operations : tuple of float or None
        Work counter of each snapshot.
    skip : int
        Snapshots at the beginning that are warm-up.
    """

    hours: tuple[float, ...] | None
    operations: tuple[float, ...] | None
    count: int
    skip: int = 0

    def at(self, places: Sequence[int]) -> Axis:
        """Of some of the snapshots; none of them counts as warm-up."""
        hours, operations = (
            None if figures is None else tuple(figures[place] for place in places)
            for figures in (self.hours, self.operations)
        )
        return Axis(hours, operations, len(places))


def find_trends(values: NDArray[np.int64], axis: Axis) -> list[Trend]:
    """The trend of each of many series.

    Parameters
    ----------
    values : int64 array, shape (k, n)
    axis : Axis
        Of n snapshots.
    """
    steady = values[:, axis.skip :].astype(np.float64)
    _, p_values = mann_kendall(steady)
    ranks = np.arange(steady.shape[1], dtype=np.float64)
    slopes: list[Sequence[Rate | None]] = []
    for places in (axis.hours, ranks, axis.operations):
        if places is None:
            slopes.append([None] * len(values))
            continue
        at = np.asarray(places, np.float64)[-steady.shape[1] :]
        slopes.append(rates(*theil_sen(at, steady)))
    where = ranks if axis.hours is None else np.asarray(axis.hours[axis.skip :])
    load = where if axis.operations is None else np.asarray(axis.operations[axis.skip :], np.float64)
    verdicts = _verdicts(where, steady, p_values, load)
    found = [
        Trend(tuple(row), verdict, p_value, per_hour, per_snapshot, per_operation, axis.skip)
        for row, verdict, p_value, per_hour, per_snapshot, per_operation in zip(
            values.tolist(), verdicts, p_values.tolist(), *slopes, strict=True
        )
    ]
    if steady.shape[1] >= 2 * _SHORTEST:
        for i, trend in enumerate(found):
            since = _since(where, steady[i]) if trend.is_growing else 0
            if since and steady.shape[1] - since >= _SHORTEST:
                found[i] = _from(trend, axis, axis.skip + since)
    return found


def _from(trend: Trend, axis: Axis, since: int) -> Trend:
    """A trend with the rates that it has now."""
    values = trend.values[since:]
    return replace(
        trend,
        per_hour=rate(axis.hours[since:], values) if axis.hours else None,
        per_snapshot=rate(range(len(values)), values),
        per_operation=rate(axis.operations[since:], values) if axis.operations else None,
        since=since,
    )


def _verdicts(where: Floats, values: Floats, p_values: Floats, load: Floats) -> list[Verdict]:
    k, n = values.shape
    if n < 3:
        return [TOO_FEW if n < 2 or row[0] != row[-1] else STEADY for row in values]
    moves = np.nonzero(values.min(axis=1) != values.max(axis=1))[0]
    if moves.size < k:  # most classes of a heap stay as they are
        found = np.full(k, STEADY, object)
        found[moves] = _verdicts(where, values[moves], p_values[moves], load)
        return list(map(Verdict, found))
    rise = values[:, -1] - values[:, 0]
    steps = np.diff(values, axis=1)
    fall = (np.maximum.accumulate(values, axis=1) - values).max(axis=1)
    slope = theil_sen(where, values)[0][:, 0]
    height = slope * (where[-1] - where[0])
    tail = n // 3 + 1 if n < 5 else max(3, n // 3 + 1)
    # In a flat majority the median slope is 0, and yet the series may have begun to climb.
    late = theil_sen(where[-tail:], values[:, -tail:])[0][:, 0] if n > 3 else slope
    rises = p_values <= SIGNIFICANCE
    perhaps = ~rises & (n == 3) & (steps > 0).all(axis=1)
    falls = mann_kendall(-values)[1] <= SIGNIFICANCE
    goes_on = (late >= MIN_TAIL * slope) & (late > 0) & ~_fades(load, steps)
    holds = fall <= MAX_FALL * np.maximum(height, rise)
    jumps = steps.max(axis=1) > JUMP * rise
    # The last that applies.
    found = np.full(k, FLUCTUATES, object)
    found[falls] = SHRINKS
    found[perhaps] = PERHAPS
    found[rises & holds & goes_on] = GROWS
    found[rises & holds & ~goes_on] = LEVELLED_OFF
    found[(rises | perhaps) & holds & goes_on & jumps] = JUMPED
    return list(map(Verdict, found))  # numpy made them texts


def _fades(where: Floats, steps: Floats) -> NDArray[np.bool_]:
    """Which series rise ever more slowly, by the work where that was counted: those come to a limit."""
    if steps.shape[1] < _SHORTEST:
        return np.zeros(len(steps), bool)
    lengths = np.diff(where)
    if not (lengths > 0).all():
        return np.zeros(len(steps), bool)
    speeds = steps / lengths
    is_slower = (np.diff(speeds, axis=1) < 0).all(axis=1) | (mann_kendall(-speeds)[1] <= SIGNIFICANCE)
    found: NDArray[np.bool_] = is_slower & (speeds[:, -1] <= FADING * speeds[:, 0])
    return found


# One line leaves so many times the residual squares that the best two lines leave, by n snapshots, in
# 1 % of straight lines with normal noise (100,000 of each simulated). Beyond: exp(17 / n), within 3 %.
_TWO_LINES = {6: 98.5, 7: 31.6, 8: 16.1, 9: 10.8, 10: 7.44, 11: 5.84, 12: 4.92, 13: 4.25, 14: 3.74, 15: 3.36}
_SHORTEST = 3
# Of the range: less is no noise but rounding.
_FINEST = 0.01


def change_points(positions: Sequence[float], values: Sequence[float]) -> tuple[int, ...]:
    """Where a series changes its course: the first snapshot of each new straight line.

    Binary segmentation (Scott and Knott, Biometrics 30, 1974) with lines of three snapshots at
    least; fewer than six snapshots are too short to tell a bend from noise.

    Parameters
    ----------
    positions, values : sequence of float
        Of n snapshots; positions do not decrease.
    """
    found: list[int] = []
    pending = [(0, len(values))]
    where, figures = np.asarray(positions, float), np.asarray(values, float)
    while pending:
        first, last = pending.pop()
        at = _split(where[first:last], figures[first:last])
        if at:
            found.append(first + at)
            pending += [(first, first + at), (first + at, last)]
    return tuple(sorted(found))


def _residual_squares(where: Floats, figures: Floats) -> float:
    """What the least-squares line leaves."""
    apart, differs = where - where.mean(), figures - figures.mean()
    square = float(apart @ apart)
    if square:
        differs = differs - (float(apart @ differs) / square) * apart
    return float(differs @ differs)


def _split(where: Floats, figures: Floats) -> int:
    """Where two lines begin to differ; 0 where one is as good."""
    n = where.size
    if n < 2 * _SHORTEST:
        return 0
    least = n * (_FINEST * float(np.ptp(figures))) ** 2
    two = [
        _residual_squares(where[:at], figures[:at]) + _residual_squares(where[at:], figures[at:])
        for at in range(_SHORTEST, n - _SHORTEST + 1)
    ]
    best = int(np.argmin(two))
    limit = _TWO_LINES.get(n, float(np.exp(17 / n)))
    one = _residual_squares(where, figures)
    return best + _SHORTEST if one > limit * max(two[best], least) else 0


def _since(where: Floats, figures: Floats) -> int:
    """First of the snapshots from which on a series that grows does so at about its present rate."""
    bends = [0, *change_points(where.tolist(), figures.tolist()), where.size]
    slopes = [
        theil_sen(where[first:last], figures[None, first:last])[0][0, 0] for first, last in pairwise(bends)
    ]
    at = len(slopes) - 1
    while at and slopes[at - 1] >= MIN_TAIL * slopes[-1]:
        at -= 1
    return bends[at]


def warm_up(positions: Sequence[float], values: Sequence[float]) -> int:
    """How many snapshots at the beginning were taken before the steady state.

    Those that lie far below the line (Theil-Sen) of the second half, drawn back to them: a
    process that still loads classes and fills its caches.  No more than a third, and four are
    always left; of fewer than six snapshots none.
    """
    n = len(values)
    where, figures = np.asarray(positions, float), np.asarray(values, float)
    half = n // 2
    slope = theil_sen(where[half:], figures[None, half:])[0][0, 0] if n >= 6 else np.nan
    if slope != slope:
        return 0
    rest = figures - slope * where
    level = float(np.median(rest[half:]))
    scatter = float(np.abs(rest[half:] - level).max())
    scatter = max(scatter, LEAST_SCATTER * float(np.median(np.abs(figures[half:]))))
    is_below = rest < level - WARM_UP_DEPTH * scatter
    cut = int(np.argmin(is_below))  # the first that is not
    return min(cut, n // 3, n - MIN_STEADY)
