"""Two runs against each other: what grows in one and not in the other.

Rates are compared per operation where both runs have a work counter, else per hour.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.statistics import Rate
from heapscope.analysis.growth.trends import Axis, Trend
from heapscope.analysis.thresholds import MAX_LEFT, MIN_EXPECTED, MIN_SNAPSHOTS
from heapscope.analysis.verdicts import GONE, NEW, PERHAPS, STAYS, TOO_FEW, UNSURE, Outcome
from heapscope.errors import HeapscopeError
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.plain import plain
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd


INSTANCES, ENTRIES, BYTES = "instances", "entries", "bytes"


@dataclass(frozen=True, slots=True)
class Compared:
    """A class in two runs.

    Attributes
    ----------
    name : str
    first, second : KeyGrowth or None
        None where no snapshot of the run has it.
    outcome : Outcome
        Where it grows; A is the first run.
    unit : str
        What rates are per: ``"operation"``, ``"hour"`` or ``"snapshot"``.
    expected : float
        Instances by which it would have grown in the second run at the first one's rate.
    grown : int
        Instances by which it did.
    what : str
        What these figures count: ``"instances"``, ``"entries"`` of a collection, or ``"bytes"``.
    skip : int
        Figures of the second run at the beginning that are warm-up.
    """

    name: str
    first: KeyGrowth | None
    second: KeyGrowth | None
    outcome: Outcome
    unit: str
    expected: float
    grown: int
    what: str = INSTANCES
    skip: int = 0

    @property
    def origin(self) -> ClassOrigin:
        """Whose the class is: the JDK's, a library's, the program's own."""
        return class_origin(self.name)

    def rate(self, key: KeyGrowth | None) -> float:
        """Instances per unit, 0 where the run has none."""
        found = None if key is None else rate_of(key.instances, self.unit)
        return 0.0 if found is None else found.value


@dataclass(frozen=True, repr=False)
class Comparison(RichRepr):
    """What grows in two runs.

    Attributes
    ----------
    first, second : Growth
    classes : tuple of Compared
        What grows in one of them, in the order in which it grows in the first.
    """

    first: Growth
    second: Growth
    classes: tuple[Compared, ...]

    def having(self, outcome: Outcome) -> tuple[Compared, ...]:
        """The classes with an outcome."""
        return tuple(one for one in self.classes if one.outcome == outcome)

    def __repr__(self) -> str:
        runs = f"{len(self.first.snapshots)} with {len(self.second.snapshots)} snapshots"
        return f"<comparison of {runs}: {len(self.classes):,} classes>"

    def __str__(self) -> str:
        return str(self.to_table()) if self.classes else repr(self)

    def to_dict(self) -> dict[str, Any]:
        """A row for each class, as plain values."""
        return {"classes": plain(self.to_table())}

    def to_table(self) -> Table:
        """A row for each class.

        ``name``, ``outcome``, ``unit``; ``what`` the figures count, mostly instances; for both runs
        (``a``, ``b``) ``instance_count_a_first``, ``_last``
        and ``_rate`` per unit, ``shallow_bytes_a_delta``; ``instance_count_b_expected``: what the second
        would have grown by at the rate of the first.
        """
        columns: dict[str, list[Any]] = {
            "name": [one.name for one in self.classes],
            "outcome": [one.outcome.value for one in self.classes],
            "unit": [one.unit for one in self.classes],
            "what": [one.what for one in self.classes],
        }
        for run, keys in (("a", [c.first for c in self.classes]), ("b", [c.second for c in self.classes])):
            columns[f"instance_count_{run}_first"] = [key.instance_counts[0] if key else 0 for key in keys]
            columns[f"instance_count_{run}_last"] = [key.instance_counts[-1] if key else 0 for key in keys]
            columns[f"instance_count_{run}_rate"] = [
                one.rate(key) for one, key in zip(self.classes, keys, strict=True)
            ]
            columns[f"shallow_bytes_{run}_delta"] = [key.shallow.delta if key else 0 for key in keys]
        columns["instance_count_b_expected"] = [round(one.expected, 1) for one in self.classes]
        return Table(columns)

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a DataFrame."""
        return self.to_table().to_frame()


def rate_of(trend: Trend, unit: str) -> Rate | None:
    """The slope of a trend per ``"operation"``, ``"hour"`` or ``"snapshot"``."""
    return {
        "operation": trend.per_operation,
        "hour": trend.per_hour,
        "snapshot": trend.per_snapshot,
    }[unit]


def common_unit(first: Growth, second: Growth) -> str:
    """What the rates of both runs can be per: ``"operation"``, else ``"hour"``, else ``"snapshot"``."""
    if first.axis.operations is not None and second.axis.operations is not None:
        return "operation"
    return "hour" if first.axis.hours is not None and second.axis.hours is not None else "snapshot"


def compare(first: Growth, second: Growth, *, certain: Collection[str] = ()) -> Comparison:
    """What grows in one run and not in the other.

    Parameters
    ----------
    first, second : Growth
        By the same thing.
    certain : collection of str
        Names that are known to leak in the first run: they count as growing wherever they rose, though
        the series be too short or too uneven for statistics.

    Raises
    ------
    HeapscopeError
        The two are grouped by different things.
    """
    if first.by != second.by:
        raise HeapscopeError(f"growth by {first.by} and by {second.by} cannot be compared")
    unit = common_unit(first, second)
    found = [
        compare_key(key, second.get(key.name), second.axis, unit)
        for key in first.keys
        if _rises(key) or (key.name in certain and key.instances.delta > 0)
    ]
    known, skip = {one.name for one in found}, second.axis.skip
    for key in second.keys:
        if (key.may_grow or key.leading.is_slowing) and key.name not in known:
            mine = first.get(key.name)
            found.append(Compared(key.name, mine, key, NEW, unit, 0.0, key.instances.delta, skip=skip))
    return Comparison(first, second, tuple(found))


def _rises(key: KeyGrowth) -> bool:
    return key.may_grow or (key.verdict == TOO_FEW and key.instances.delta > 0)


def span(axis: Axis, unit: str) -> float:
    """Hours, operations or steps from the first snapshot to the last, the warm-up left out."""
    places = {"operation": axis.operations, "hour": axis.hours}.get(unit) or range(axis.count)
    return float(places[-1] - places[axis.skip])


def compare_key(
    key: KeyGrowth, other: KeyGrowth | None, axis: Axis, unit: str, what: str = INSTANCES
) -> Compared:
    """One key in two runs.

    Parameters
    ----------
    key, other : KeyGrowth
        In the first run and in the second; None where no snapshot of that has it.
    axis : Axis
        Of the figures of the second run.
    unit, what : str
        As `Compared` has them.
    """
    rate = rate_of(key.instances, unit)
    skip, steady = axis.skip, axis.count - axis.skip
    expected = max(0.0, 0.0 if rate is None else rate.value) * span(axis, unit)
    grown = 0 if other is None else other.instance_counts[-1] - other.instance_counts[skip]

    def told(outcome: Outcome) -> Compared:
        return Compared(key.name, key, other, outcome, unit, expected, grown, what, skip)

    if not key.instances.delta:  # only its bytes grow: judged by the trend alone
        if other is not None and other.is_growing:
            return told(STAYS)
        is_told = steady > MIN_SNAPSHOTS and not (other is not None and other.leading.is_slowing)
        return told(GONE if is_told else UNSURE)  # more than three: it would have shown
    if other is not None and other.is_growing:
        return told(STAYS)
    if key.verdict == TOO_FEW or steady < 2 or rate is None or expected < MIN_EXPECTED:
        return told(UNSURE)
    if other is None or grown <= 0:
        return told(GONE)
    if _left(key, other, unit) <= MAX_LEFT and not _only_rises(other, skip):
        return told(GONE)
    return told(STAYS if other.verdict == PERHAPS and grown >= expected / 2 else UNSURE)


def _only_rises(key: KeyGrowth, skip: int) -> bool:
    """Whether there are ever more, up to the end: under less load a leak does the same, if slowly."""
    counts = key.instance_counts[skip:]
    never_falls = all(one <= other for one, other in pairwise(counts))
    return never_falls and (key.verdict == PERHAPS or counts[-1] - counts[-2] >= MIN_EXPECTED)


def _left(key: KeyGrowth, other: KeyGrowth, unit: str) -> float:
    """The part of the old rate that may be left, at most."""
    before, after = rate_of(key.instances, unit), rate_of(other.instances, unit)
    if before is None or after is None or before.value <= 0:
        return 1.0
    return max(0.0, after.value if after.high is None else after.high) / before.value
