"""How fast the heap grows and when memory runs out: the part of an incident that looks ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.analysis.thresholds import MIN_SNAPSHOTS
from heapscope.analysis.verdicts import (
    FLUCTUATES,
    GROWS,
    JUMPED,
    LEVELLED_OFF,
    PERHAPS,
    SHRINKS,
    STEADY,
    TOO_FEW,
)
from heapscope.reporter.forecast import LimitForecast, describe_forecast
from heapscope.reporter.growth_notes import note_text
from heapscope.reporter.text import printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth, KeyGrowth
    from heapscope.analysis.growth.statistics import Rate

_ROWS = 15
_NO_FORECAST = "no time is given when memory runs out: no leak was found, so the growth may end by itself"


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth per hour or per snapshot; the ends of the interval are None where two snapshots allow none."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class GrowingClass:
    """A class that grows, or perhaps does."""

    class_name: str
    verdict: str
    confidence: float
    instance_counts: tuple[int, ...]
    shallow_bytes: tuple[int, ...]
    instance_slope: Slope | None
    bytes_slope: Slope | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """How fast the heap grows and when memory runs out; text is printable.

    Attributes
    ----------
    unit : str
        What slopes are per: ``"hour"`` or ``"snapshot"``.
    verdict : str
        What the whole heap does.
    hours : tuple of float
        Of each snapshot since the first; empty where times cannot be used.
    heap_bytes : tuple of int
        Of each snapshot.
    warm_up : int
        Snapshots at the beginning that slopes leave out.
    since : int
        Position of the snapshot from which on the heap grows as it does now.
    slope : Slope or None
        Of the whole heap, bytes.
    confidence : float
        How sure the intervals are.
    forecasts : tuple of LimitForecast
        The soonest first.
    classes : tuple of GrowingClass
        The fastest first.
    class_count : int
        Of which `classes` are the first.
    expected_by_chance : float
        How many classes would seem to grow by chance, at most.
    notes : tuple of str
    """

    unit: str
    verdict: str
    hours: tuple[float, ...]
    heap_bytes: tuple[int, ...]
    warm_up: int
    since: int
    slope: Slope | None
    confidence: float
    forecasts: tuple[LimitForecast, ...]
    classes: tuple[GrowingClass, ...]
    class_count: int
    expected_by_chance: float
    notes: tuple[str, ...]

    @property
    def can_tell(self) -> bool:
        """Whether there are snapshots enough to say that something goes on growing, or does not."""
        return len(self.heap_bytes) - self.warm_up >= MIN_SNAPSHOTS


def describe_outlook(growth: Growth, *, has_leak: bool = True) -> Outlook:
    """The section of what grows by class.

    Parameters
    ----------
    growth : Growth
    has_leak : bool
        Whether a leak was found; else memory is not said to run out, and a note says why.
    """
    whole = growth.whole.shallow
    rate = _rate(growth, whole.per_hour, whole.per_snapshot)
    growing = [key for key in growth.keys if key.may_grow]
    no_forecast = (_NO_FORECAST,) if growth.forecasts and not has_leak else ()
    return Outlook(
        unit=growth.unit,
        verdict=whole.verdict,
        hours=growth.axis.hours or (),
        heap_bytes=whole.values,
        warm_up=growth.axis.skip,
        since=whole.since,
        slope=_slope(rate),
        confidence=rate.confidence if rate is not None else 0.0,
        forecasts=tuple(map(describe_forecast, growth.forecasts)) if has_leak else (),
        classes=tuple(_class(growth, key) for key in growing[:_ROWS]),
        class_count=len(growing),
        expected_by_chance=growth.expected_by_chance,
        notes=(*(printable(note_text(note)) for note in growth.notes), *no_forecast),
    )


def _class(growth: Growth, key: KeyGrowth) -> GrowingClass:
    return GrowingClass(
        printable(key.name),
        key.verdict,
        key.confidence,
        key.instance_counts,
        key.shallow_bytes,
        _slope(_rate(growth, key.instances.per_hour, key.instances.per_snapshot)),
        _slope(_rate(growth, key.shallow.per_hour, key.shallow.per_snapshot)),
    )


def _rate(growth: Growth, per_hour: Rate | None, per_snapshot: Rate | None) -> Rate | None:
    return per_snapshot if growth.axis.hours is None else per_hour


def _slope(rate: Rate | None) -> Slope | None:
    return None if rate is None else Slope(rate.value, rate.low, rate.high)


_SAYS: dict[str, str] = {
    GROWS: "The heap grows",
    PERHAPS: "The heap grew in every step, of too few snapshots to be sure",
    LEVELLED_OFF: "The heap grew, and levels off",
    JUMPED: "The heap grew in one jump",
    FLUCTUATES: "The heap goes up and down, without a trend beyond chance",
    SHRINKS: "The heap shrinks",
    STEADY: "The heap stays as it is",
    TOO_FEW: "Two snapshots show how much more there is, not whether it goes on",
}


def outlook_sentence(outlook: Outlook) -> str:
    """What the whole heap does, in a sentence."""
    first, last = outlook.heap_bytes[0], outlook.heap_bytes[-1]
    text = f"{_SAYS[outlook.verdict]}: {format_bytes(first)} to {format_bytes(last)}"
    slope = outlook.slope
    if slope is None:
        return f"{text}."
    text += f", {format_bytes(slope.value, signed=True)} per {outlook.unit}"
    if slope.low is None or slope.high is None:
        return f"{text}."
    ends = f"{format_bytes(slope.low, signed=True)} to {format_bytes(slope.high, signed=True)}"
    return f"{text} ({ends}, {outlook.confidence:.0%} sure)."
