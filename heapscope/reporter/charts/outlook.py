"""The chart of what lies ahead: the whole heap, where it leads, the limit that it meets."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from heapscope.analysis.verdicts import GROWS, PERHAPS
from heapscope.reporter.charts.plots import (
    INK,
    OKABE_ITO,
    bare_axes,
    bytes_tick,
    chart_style,
    save,
    time_tick,
    time_unit,
)
from heapscope.units import format_bytes, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heapscope.reporter.outlook import Outlook

_OUTLOOK_INCHES = (9.0, 3.0)
_FARTHEST = 40  # times the span of the snapshots; beyond that they would be a dot


def draw_outlook(axes: Axes, outlook: Outlook, since: str) -> Axes:
    """Draw the whole heap's growth, where it leads with the band of its rate, and when it is full.

    Parameters
    ----------
    axes : Axes
    outlook : Outlook
        With times: ``outlook.hours`` is not empty.
    since : str
        When the first snapshot was taken, ISO 8601.
    """
    colour = OKABE_ITO["vermillion"]
    last, now = outlook.hours[-1], outlook.heap_bytes[-1]
    top = float(max(*outlook.heap_bytes, 1))
    limit = _limit_in_sight(outlook, since)
    goes_on = outlook.slope is not None and outlook.verdict in (GROWS, PERHAPS)
    horizon = (2 * last if limit is None else max(2 * last, 1.2 * limit.hour)) if goes_on else last
    size, _, unit = time_unit(3600 * horizon)
    scale = 3600 / size
    if outlook.slope is not None and goes_on:
        ahead = [last * scale, horizon * scale]

        def way(slope: float) -> list[float]:
            return [float(now), now + slope * (horizon - last)]

        low, high = outlook.slope.low, outlook.slope.high
        if low is not None and high is not None:
            axes.fill_between(ahead, way(low), way(high), color=colour, alpha=0.18, linewidth=0)
        axes.plot(ahead, way(outlook.slope.value), color=colour, linewidth=1.5, dashes=(4, 3))
        top = max(top, way(outlook.slope.value)[1])
    axes.plot(
        [hour * scale for hour in outlook.hours],
        outlook.heap_bytes,
        color=colour,
        linewidth=2,
        marker="o",
        markersize=5,
        solid_capstyle="round",
        solid_joinstyle="round",
        clip_on=False,
    )
    axes.set_xlim(0, horizon * scale)
    if limit is not None:
        top = max(top, limit.heap_bytes)
        _draw_limit(axes, limit, scale, horizon)
    axes.set_ylim(0, 1.15 * top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_tick(value)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_tick(value, unit)))
    bare_axes(axes, ylabel="whole heap", xlabel=f"since {format_time(since)}")
    axes.annotate(
        format_bytes(now),
        (last * scale, now),
        xytext=(8, -11) if goes_on else (8, 0),
        textcoords="offset points",
        va="center",
        color=INK,
        fontweight="bold",
        annotation_clip=False,
    )
    return axes


@dataclass(frozen=True, slots=True)
class _LimitInSight:
    label: str
    heap_bytes: int  # where the heap's line is when the limit is hit
    at: str
    hour: float
    earliest: float
    latest: float  # infinite where there is no bound


def _draw_limit(axes: Axes, limit: _LimitInSight, scale: float, horizon: float) -> None:
    """The limit as a line, the time when it is hit as a dot, the range of that as a bar."""
    height = limit.heap_bytes
    axes.axhline(height, color=INK, linewidth=1.2)
    ends = [limit.earliest * scale, min(limit.latest, horizon) * scale]
    axes.plot(ends, [height, height], color=INK, linewidth=6, alpha=0.35, solid_capstyle="butt")
    axes.plot([limit.hour * scale], [height], marker="o", markersize=6, color=INK)
    for text, hour, offset in (
        (limit.label, 0.0, (2, 5)),
        (f"{limit.at[11:16]} UTC", limit.hour, (8, -15)),
    ):
        axes.annotate(text, (hour * scale, height), xytext=offset, textcoords="offset points", color=INK)


def _limit_in_sight(outlook: Outlook, since: str) -> _LimitInSight | None:
    """The limit that is hit first, unless the snapshots would shrink to a dot beside it."""
    start = datetime.fromisoformat(since)

    def hours(moment: str | None, otherwise: float) -> float:
        if moment is None:
            return otherwise
        return (datetime.fromisoformat(moment) - start).total_seconds() / 3600

    for one in outlook.forecasts:
        if one.at is None or one.limit_bytes <= one.used_bytes:
            continue
        hour = hours(one.at, 0.0)
        if hour > _FARTHEST * outlook.hours[-1]:
            return None
        return _LimitInSight(
            f"{one.name} {format_bytes(one.limit_bytes)}",
            # A container holds more than the heap: its limit is where the heap will be then.
            outlook.heap_bytes[-1] + one.limit_bytes - one.used_bytes,
            one.at,
            hour,
            hours(one.earliest, outlook.hours[-1]),
            hours(one.latest, float("inf")),
        )
    return None


def outlook_figure(outlook: Outlook, since: str) -> Figure:
    """A figure with one panel: the whole heap, its forecast, the limit."""
    with chart_style():
        figure = Figure(figsize=_OUTLOOK_INCHES, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.08))
        draw_outlook(figure.add_subplot(), outlook, since)
    return figure


def outlook_picture(outlook: Outlook, since: str) -> bytes:
    """`outlook_figure` as PNG."""
    figure = outlook_figure(outlook, since)
    picture = io.BytesIO()
    with chart_style():
        save(figure, picture, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return picture.getvalue()


def outlook_sentence(outlook: Outlook, since: str) -> str:
    """The chart as a sentence."""
    values = ", ".join(format_bytes(value) for value in outlook.heap_bytes)
    text = f"Line chart of the whole heap since {format_time(since)}: {values}"
    limit = _limit_in_sight(outlook, since)
    return text if limit is None else f"{text}; {limit.label} would be reached at {format_time(limit.at)}"
