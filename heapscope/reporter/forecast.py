"""When memory runs out, in words: the one place that says so, in the forms that pages and terminals need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heapscope.reporter.text import printable
from heapscope.units import format_bytes, format_duration, format_time, iso_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.forecast import Forecast

_NEAR = timedelta(minutes=10)  # times as near as that differ in their seconds


@dataclass(frozen=True, slots=True)
class LimitForecast:
    """When a limit is hit; times are ISO 8601 in UTC, None without a bound."""

    name: str
    limit_bytes: int
    used_bytes: int
    source: str
    at: str | None
    earliest: str | None
    latest: str | None


def describe_forecast(one: Forecast) -> LimitForecast:
    """A forecast as a report has it."""
    at, earliest, latest = (
        None if moment is None else iso_time(moment, "milliseconds")
        for moment in (one.at, one.earliest, one.latest)
    )
    limit = one.limit
    return LimitForecast(
        limit.name, limit.limit_bytes, limit.used_bytes, printable(limit.source), at, earliest, latest
    )


def forecast_sentence(one: LimitForecast, last: str) -> str:
    """``reached at 2026-11-23 09:38:17 UTC if it goes on so, 5 min 22 s after the last snapshot (...).``

    Parameters
    ----------
    one : LimitForecast
    last : str
        When the last snapshot was taken, ISO 8601.
    """
    if one.limit_bytes <= one.used_bytes:
        return f"passed already, {format_bytes(one.used_bytes)} are in use."
    if one.at is None:
        return "not within 50 years at this rate."
    at, earliest, latest = (
        None if moment is None else datetime.fromisoformat(moment)
        for moment in (one.at, one.earliest, one.latest)
    )
    start = datetime.fromisoformat(last)
    spread = f"{_after(earliest, start, 'at any time')} to {_after(latest, start, 'never')}"
    return (
        f"reached at {format_time(one.at)} if it goes on so, {_after(at, start, '')} after the last snapshot "
        f"({spread})."
    )


def forecast_line(one: Forecast, last: datetime) -> str:
    """``heap limit 64.9 MB: reached 2026-11-23 09:38:17 UTC, in 5 min 22 s (5 min 14 s to 5 min 48 s)``.

    Parameters
    ----------
    one : Forecast
    last : datetime
        When the last snapshot was taken.
    """
    what = f"{one.limit.name} {format_bytes(one.limit.limit_bytes)}"
    if one.limit.limit_bytes <= one.limit.used_bytes:
        return f"{what}: reached already, {format_bytes(one.limit.used_bytes)} are in use"
    if one.at is None:
        return f"{what}: not within 50 years"
    spread = f"{_after(one.earliest, last, 'any time')} to {_after(one.latest, last, 'never')}"
    return (
        f"{what}: reached {format_time(one.at)}, in {_after(one.at, last, '')} "
        f"({spread}, {one.confidence:.0%} sure)"
    )


def forecast_clause(one: Forecast) -> str:
    """``heap limit of 64.9 MB is reached about 2026-11-23 09:38:17 UTC (between 09:38:09 and 09:38:43)``."""
    limit = f"{one.limit.name} of {format_bytes(one.limit.limit_bytes)}"
    if one.limit.limit_bytes <= one.limit.used_bytes:
        return f"the {limit} is passed already: {format_bytes(one.limit.used_bytes)} are in use"
    if one.at is None:
        return f"the {limit} is not reached in 50 years"
    is_near = one.earliest is not None and one.latest is not None and one.latest - one.earliest < _NEAR
    day, clock = "%Y-%m-%d", "%H:%M:%S" if is_near else "%H:%M"
    text = f"the {limit} is reached about {one.at:{day} {clock}} UTC"
    if one.earliest is not None:
        said, day_before = [], one.at.date()
        for end in [one.earliest] if one.latest is None else [one.earliest, one.latest]:
            # A date is said again only where it is another one.
            said.append(f"{end:{clock if end.date() == day_before else f'{day} {clock}'}}")
            day_before = end.date()
        text += f" (between {' and '.join([*said, 'any time later'][:2])})"
    return text


def _after(moment: datetime | None, last: datetime, otherwise: str) -> str:
    return otherwise if moment is None else format_duration((moment - last).total_seconds())
