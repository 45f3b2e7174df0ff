"""What one column of samples does over a watch: grows, levels off, jumps, or nothing that can be told.

A watch is cut into `MAX_BLOCKS` parts of equal time, each with one level; what is asked of the levels is what
`heapscope.analysis.growth.trends` asks of snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from heapscope.analysis.thresholds import LEVELLED_SHARE, MAX_BLOCKS

Values = Sequence[float | None]
# grows: still in the last third; levelled off: it did, and does no more; uneven: it rose, but neither.
State = Literal["grows", "levelled off", "uneven", "flat"]


@dataclass(frozen=True, slots=True)
class Course:
    """What a column does.

    Attributes
    ----------
    state : str
        One of `State`.
    growth : float
        From the level of the first samples to that of the last.
    per_hour : float
        The median slope of the levels (Theil-Sen).
    low, high : float or None
        Ends of its interval of 95 %; None where there are too few levels for one.
    last : float
        What the last third of the time added.
    last_seconds : float
        How long that was.
    level_count : int
    """

    state: State
    growth: float
    per_hour: float
    low: float | None
    high: float | None
    last: float
    last_seconds: float
    level_count: int


def change(values: Values, *, lowest: bool = False) -> float | None:
    """From the level of the first samples to that of the last; None of fewer than two.

    Parameters
    ----------
    values : sequence
        Of n samples, None where not measured.
    lowest : bool
        Whether a level is the lowest value, as of the old generation, not the middle one: between collections
        it rises by what is no leak, so its level at the end is the lowest of the last third.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    width = max(1, min(10, len(known) // 5))
    if lowest:
        return float(min(known[-max(1, len(known) // 3) :]) - min(known[:width]))
    return float(median(known[-width:]) - median(known[:width]))


def course(seconds: Sequence[float], values: Values, *, lowest: bool = False) -> Course | None:
    """What a column does; None of fewer than three samples that measured it.

    Parameters
    ----------
    seconds : sequence of float
        When each of n samples was taken, ascending.
    values : sequence
        n values, None where not measured.
    lowest : bool
        As for `change`.
    """
    known = [(when, value) for when, value in zip(seconds, values, strict=True) if value is not None]
    if len(known) < 3 or known[-1][0] <= known[0][0]:
        return None
    import numpy as np

    from heapscope.analysis.growth.statistics import rate
    from heapscope.analysis.growth.trends import Axis, find_trends
    from heapscope.analysis.verdicts import GROWS, JUMPED

    when, levels = _levels(known, lowest=lowest)
    hours = tuple((moment - when[0]) / 3600 for moment in when)
    (trend,) = find_trends(np.array([levels], np.int64), Axis(hours, None, len(levels)))
    growth = change([value for _, value in known], lowest=lowest) or 0.0
    slope = trend.per_hour
    third = [index for index, moment in enumerate(when) if moment >= when[0] + (when[-1] - when[0]) * 2 / 3]
    first = max(0, min(third[0], len(levels) - 2) - 1)
    tail = rate([moment / 3600 for moment in when[first:]], levels[first:])
    last = tail.value * (when[-1] - when[first]) / 3600 if tail else 0.0
    state: State = "flat"
    if growth > 0:
        if last <= LEVELLED_SHARE * growth and len(levels) >= 6:
            state = "levelled off"
        elif trend.verdict in (GROWS, JUMPED):
            state = "grows" if trend.verdict == GROWS else "uneven"
        else:
            state = "uneven"
    return Course(
        state=state,
        growth=growth,
        per_hour=slope.value if slope else 0.0,
        low=slope.low if slope and slope.confidence >= 0.9 else None,
        high=slope.high if slope and slope.confidence >= 0.9 else None,
        last=last,
        last_seconds=when[-1] - when[first],
        level_count=len(levels),
    )


def _levels(known: Sequence[tuple[float, float]], *, lowest: bool) -> tuple[list[float], list[float]]:
    """Moments and levels of parts of equal time; parts without a sample are left out."""
    if len(known) <= MAX_BLOCKS:
        return [when for when, _ in known], [value for _, value in known]
    start, span = known[0][0], known[-1][0] - known[0][0]
    parts: list[list[tuple[float, float]]] = [[] for _ in range(MAX_BLOCKS)]
    for when, value in known:
        parts[min(MAX_BLOCKS - 1, int((when - start) / span * MAX_BLOCKS))].append((when, value))
    level = min if lowest else median
    full = [part for part in parts if part]
    return (
        [median(when for when, _ in part) for part in full],
        [float(level(value for _, value in part)) for part in full],
    )
