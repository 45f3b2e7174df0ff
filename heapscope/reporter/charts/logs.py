"""Events of logs over time, as a picture: a panel for each kind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from heapscope.analysis.logs.summary import LogGroup
from heapscope.reporter.charts.plots import (
    INK,
    MUTED,
    OKABE_ITO,
    bare_axes,
    bytes_tick,
    chart_style,
    save,
    time_tick,
)
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 8.0, 1.5
# What the ticks leave out of a date, for ticks from years to seconds; as dates are written everywhere else.
_DATES = ["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d %H:%M"]
_HEADROOM = 1.12
_ROOM_FOR_TWO = 1.35  # the line of a heap has two labels, one above the other
_MOST = 60  # panels: matplotlib draws no picture of more than 65,536 pixels


def draw_events(axes: Axes, group: LogGroup, colour: str, ends: tuple[Any, Any] | None = None) -> Axes:
    """Draw how many events there were up to each moment; the figures of a series instead.

    A collection's heap is drawn before and after.  Without dates the seconds since the start are the axis,
    and without these the lines of the text.

    Parameters
    ----------
    axes : Axes
    group : LogGroup
    colour : str
    ends : (datetime, datetime) or (float, float), optional
        Where the axis begins and ends: none before the first event, and the count stays after the last.
    """
    when: Any = list(group.times or group.positions)  # matplotlib takes datetimes, its hints do not
    marker = "o" if len(when) <= 20 else None
    style: Any = {"color": colour, "marker": marker, "markersize": 4, "clip_on": False}
    unit = ""
    if group.numbers and len(group.numbers) == len(when):
        values = list(group.numbers)
        is_heap = group.kind.reader == "gc"
        said = format_bytes if is_heap else format_count
        axes.plot(when, values, linewidth=2, **style)
        last = when[-1]
        if len(group.befores) == len(when):
            top = list(group.befores)
            axes.plot(when, top, linewidth=1, linestyle=":", **style)
            apart = 6
            label_end(axes, last, top[-1], f"before {said(top[-1])}", apart)
            label_end(axes, last, values[-1], f"after {said(values[-1])}", -apart)
            values = [*top, *values]
        else:
            label_end(axes, last, values[-1], said(values[-1]))
        unit = "Java heap" if is_heap else ""
        if is_heap:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_tick(value)))
    else:
        when, values = sorted(when), list(range(1, len(when) + 1))
        axes.plot(when, values, drawstyle="steps-post", linewidth=2, **style)
        if ends is not None:
            quiet: Any = {"color": colour, "linewidth": 2, "solid_capstyle": "butt"}
            axes.plot([ends[0], when[0], when[0]], [0, 0, 1], **quiet)
            axes.plot([when[-1], max(ends[1], when[-1])], [values[-1]] * 2, **quiet)
        label_end(axes, when[-1] if ends is None else ends[1], values[-1], _counted(group, len(when)))
        unit = "events so far"
    axes.set_ylim(0, max(values) * (_ROOM_FOR_TWO if group.befores else _HEADROOM))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.set_title(group.kind.title, loc="left", color=INK, fontsize=10)
    if unit:
        axes.set_title(unit, loc="right", color=MUTED, fontsize=8)
    bare_axes(axes, ylabel="", xlabel="")
    return axes


def _counted(group: LogGroup, drawn: int) -> str:
    """How many events there were, and how many of them have no place on the axis."""
    if group.count == drawn:
        return format_count(group.count)
    return f"{format_count(drawn)} of {format_count(group.count)}\n(the others\nhave no date)"


def label_end(axes: Axes, x: Any, y: float, text: str, offset: int = 0) -> None:
    """What a line is, beside its end."""
    axes.annotate(
        text,
        (x, y),
        xytext=(8, offset),
        textcoords="offset points",
        va="center",
        color=INK,
        fontsize=8,
        annotation_clip=False,
    )


def events_picture(groups: Sequence[LogGroup]) -> bytes:
    """PNG with one panel below the other for every kind, in the order of the text.

    Those with dates are all over the same time; so are those with seconds since the start.  What ended a
    process is vermillion.

    Parameters
    ----------
    groups : sequence of LogGroup
        One at least.
    """
    shown = groups[:_MOST]
    with chart_style():
        size = (_WIDTH, _HEIGHT * len(shown) + 0.5)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        axes_of = list(zip(panels, shown, strict=True))
        begin, end = _span_of_time(shown)
        for axes, group in axes_of:
            colour = OKABE_ITO["vermillion" if group.kind.is_kill else "blue"]
            if group.times:
                draw_events(axes, group, colour, (begin, end))
                _dated_axis(axes, begin, end)
                continue
            last = max((max(each.positions) for each in shown if _is_like(each, group)), default=1.0)
            edge = max(last, 1.0) * 1.02
            draw_events(axes, group, colour, (0.0, edge))
            axes.set_xlim(0, edge)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=not group.are_seconds))
            if group.are_seconds:
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_tick(value, "s")))
            unit = "since the start" if group.are_seconds else "line of the text (nothing is dated)"
            axes.set_xlabel(unit, color=MUTED, fontsize=8)
        picture = io.BytesIO()
        save(figure, picture, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return picture.getvalue()


def _is_like(one: LogGroup, other: LogGroup) -> bool:
    """Whether two groups without dates are over the same axis."""
    return not one.times and bool(one.positions) and one.are_seconds == other.are_seconds


def _span_of_time(groups: Sequence[LogGroup]) -> tuple[Any, Any]:
    """The ends of the axis of all that is dated."""
    dated = [group for group in groups if group.times]
    if not dated:
        return None, None
    first, last = min(min(group.times) for group in dated), max(max(group.times) for group in dated)
    # Events at the edge are whole; a single moment has a minute before and after it.
    around = (last - first) * 0.01 or timedelta(minutes=1)
    return first - around, last + around


def _dated_axis(axes: Axes, begin: Any, end: Any) -> None:
    locator: Any = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, offset_formats=_DATES))  # type: ignore[no-untyped-call]
    axes.set_xlim(begin, end)
