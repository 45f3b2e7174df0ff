"""Two runs against each other: what grows in one and not in the other, and whether a cure worked.

Rates are compared per operation where both runs have a work counter, else per hour.  A cure is proved by
classes that did not grow, although at the old rate they would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.statistics import Rate
from heapscope.analysis.growth.trends import Trend
from heapscope.analysis.thresholds import MAX_LEFT, MIN_EXPECTED, MIN_SNAPSHOTS
from heapscope.analysis.verdicts import (
    FIXED,
    GONE,
    GROWS,
    NEW,
    NOT_FIXED,
    PERHAPS,
    STAYS,
    TOO_EARLY,
    TOO_FEW,
    UNSURE,
    CureVerdict,
    Outcome,
)
from heapscope.errors import HeapscopeError
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.watched_classes import WATCHED_CLASSES
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd

# Every Java program has instances of these, and their numbers follow whatever it does: they may show a leak,
# but do not decide whether it is gone.
_GENERAL = ("java.", "javax.", "jdk.", "sun.", "com.sun.")
_PRIMITIVES = frozenset({"boolean", "byte", "char", "double", "float", "int", "long", "short"})


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
    """

    name: str
    first: KeyGrowth | None
    second: KeyGrowth | None
    outcome: Outcome
    unit: str
    expected: float
    grown: int

    @property
    def is_general(self) -> bool:
        """A class of the JDK, or an array of primitives."""
        return self.name.startswith(_GENERAL) or self.name.rstrip("[]") in _PRIMITIVES

    def rate(self, key: KeyGrowth | None) -> float:
        """Instances per unit, 0 where the run has none."""
        found = None if key is None else rate_of(key.instances, self.unit)
        return 0.0 if found is None else found.value


@dataclass(frozen=True)
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

    def to_table(self) -> Table:
        """A row for each class.

        ``name``, ``outcome``, ``unit``; for both runs (``a``, ``b``) ``instance_count_a_first``, ``_last``
        and ``_rate`` per unit, ``shallow_bytes_a_delta``; ``instance_count_b_expected``: what the second
        would have grown by at the rate of the first.
        """
        columns: dict[str, list[Any]] = {
            "name": [one.name for one in self.classes],
            "outcome": [one.outcome.value for one in self.classes],
            "unit": [one.unit for one in self.classes],
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


def compare(first: Growth, second: Growth) -> Comparison:
    """What grows in one run and not in the other.

    Parameters
    ----------
    first, second : Growth
        By the same thing.

    Raises
    ------
    HeapscopeError
        The two are grouped by different things.
    """
    if first.by != second.by:
        raise HeapscopeError(f"growth by {first.by} and by {second.by} cannot be compared")
    unit = common_unit(first, second)
    found = [
        _compared(key.name, key, second.get(key.name), second, unit) for key in first.keys if _rises(key)
    ]
    for key in second.keys:
        if key.verdict in (GROWS, PERHAPS) and not ((mine := first.get(key.name)) and _rises(mine)):
            found.append(Compared(key.name, mine, key, NEW, unit, 0.0, key.instances.delta))
    return Comparison(first, second, tuple(found))


def _rises(key: KeyGrowth) -> bool:
    return key.may_grow or (key.verdict == TOO_FEW and key.instances.delta > 0)


def span(growth: Growth, unit: str) -> float:
    """Hours, operations or steps from the first snapshot to the last, the warm-up left out."""
    skip, axis = growth.axis.skip, growth.axis
    places = {"operation": axis.operations, "hour": axis.hours}.get(unit) or range(axis.count)
    return float(places[-1] - places[skip])


def _compared(name: str, key: KeyGrowth, other: KeyGrowth | None, second: Growth, unit: str) -> Compared:
    rate = rate_of(key.instances, unit)
    skip, steady = second.axis.skip, second.axis.count - second.axis.skip
    expected = max(0.0, 0.0 if rate is None else rate.value) * span(second, unit)
    grown = 0 if other is None else other.instance_counts[-1] - other.instance_counts[skip]

    def told(outcome: Outcome) -> Compared:
        return Compared(name, key, other, outcome, unit, expected, grown)

    if not key.instances.delta:  # only its bytes grow: judged by the trend alone
        if other is not None and other.is_growing:
            return told(STAYS)
        return told(GONE if steady > MIN_SNAPSHOTS else UNSURE)  # more than three: it would have shown
    if other is not None and other.is_growing:
        return told(STAYS)
    if key.verdict == TOO_FEW or steady < 2 or rate is None or expected < MIN_EXPECTED:
        return told(UNSURE)
    if other is None or grown <= 0 or _left(key, other, unit) <= MAX_LEFT:
        return told(GONE)
    return told(STAYS if other.verdict == PERHAPS and grown >= expected / 2 else UNSURE)


def _left(key: KeyGrowth, other: KeyGrowth, unit: str) -> float:
    """The part of the old rate that may be left, at most."""
    before, after = rate_of(key.instances, unit), rate_of(other.instances, unit)
    if before is None or after is None or before.value <= 0:
        return 1.0
    return max(0.0, after.value if after.high is None else after.high) / before.value


@dataclass(frozen=True)
class Proof(RichRepr):
    """Whether a cure worked.

    Attributes
    ----------
    verdict : CureVerdict
    reason : str
        Why, with figures.
    comparison : Comparison
        Before against after.
    decisive : tuple of Compared
        The classes that the verdict rests on.
    """

    verdict: CureVerdict
    reason: str
    comparison: Comparison
    decisive: tuple[Compared, ...]

    @property
    def is_fixed(self) -> bool:
        """What grew before does not grow after."""
        return self.verdict == FIXED

    def to_table(self) -> Table:
        """The decisive classes, as `Comparison.to_table` has them."""
        return Comparison(self.comparison.first, self.comparison.second, self.decisive).to_table()

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a DataFrame."""
        return self.to_table().to_frame()


def prove(before: Growth, after: Growth, patterns: Sequence[str] = ()) -> Proof:
    """Whether what grew before still grows after.

    Parameters
    ----------
    before, after : Growth
        By class.
    patterns : sequence of str
        The classes that decide, with subclasses; by default all that grew before and are not
        the JDK's own, or all if those are none.
    """
    both = compare(before, after)
    grew = tuple(one for one in both.classes if one.outcome != NEW)
    if patterns:
        picked = _ranks(before, patterns)
        decisive = tuple(one for one in grew if one.name in picked)
    else:
        # The watched classes come first in the reason: readers know them.
        picked = _ranks(before, WATCHED_CLASSES)
        decisive = tuple(one for one in grew if not one.is_general) or grew
        decisive = tuple(sorted(decisive, key=lambda one: picked.get(one.name, len(WATCHED_CLASSES))))
    if not decisive:
        return Proof(TOO_EARLY, _nothing_grew(before, patterns), both, ())
    stays = [one for one in decisive if one.outcome == STAYS]
    unsure = [one for one in decisive if one.outcome == UNSURE]
    if stays:
        return Proof(
            NOT_FIXED,
            f"{_classes(stays)} still grow{'s' * (len(stays) == 1)}: {_figures(stays[0])}",
            both,
            decisive,
        )
    steady = after.axis.count - after.axis.skip
    if unsure or (steady < MIN_SNAPSHOTS and decisive[0].unit != "operation"):
        return Proof(TOO_EARLY, _why_unsure(unsure, before, after), both, decisive)
    grew_before = f"{_classes(decisive)} grew before, and now do{'es' * (len(decisive) == 1)} not"
    return Proof(FIXED, f"{grew_before}: {_figures(decisive[0])}", both, decisive)


def _ranks(before: Growth, patterns: Sequence[str]) -> dict[str, int]:
    """Classes that a pattern matches, with subclasses, and the place of the first that does."""
    names = {key.name for key in before.keys}
    ranks: dict[str, int] = {}
    for place, pattern in enumerate(patterns):
        for name in matching_classes(pattern, names, before.snapshots.superclasses):
            ranks.setdefault(name, place)
    return ranks


def _classes(some: Sequence[Compared]) -> str:
    rest = len(some) - 1
    return some[0].name + (f" and {rest:,} more class{'es' * (rest > 1)}" if rest else "")


def _figures(one: Compared) -> str:
    return (
        f"{one.grown:+,} instances where the rate of before gives {one.expected:+,.0f}"
        if one.expected
        else f"{one.grown:+,} instances"
    )


def _nothing_grew(before: Growth, patterns: Sequence[str]) -> str:
    what = f"no class of {', '.join(patterns)}" if patterns else "nothing"
    return f"{what} grew before, so there is nothing to cure; the snapshots before have to show the leak"


def _why_unsure(unsure: Sequence[Compared], before: Growth, after: Growth) -> str:
    for growth, when in ((before, "before"), (after, "after")):
        count = growth.axis.count - growth.axis.skip
        if count < MIN_SNAPSHOTS:
            return f"{count} snapshots {when} the cure; {MIN_SNAPSHOTS} are the least, 4 or more are better"
    one = unsure[0]  # else there were too few snapshots
    if one.expected < MIN_EXPECTED:
        return (
            f"at the rate of before {one.name} would have grown by {one.expected:,.1f} instances only; "
            "let it run longer, or do more work between snapshots"
        )
    return f"{_classes(unsure)} may still grow: {_figures(one)}; take more snapshots"
