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
from heapscope.reporter.charts.plots import GRID, INK, MUTED, OKABE_ITO, chart_style, save
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 8.0, 1.5
_MOST = 60  # panels: matplotlib draws no picture of more than 65,536 pixels
_COLOURS = tuple(OKABE_ITO.values())


def draw_events(axes: Axes, group: LogGroup, colour: str) -> Axes:
    """Draw how many events there were up to each moment; the figures of a series instead.

    A collection's heap is drawn before and after.  Without dates the seconds since the start are the axis,
    and without these the lines of the text.

    Parameters
    ----------
    axes : Axes
    group : LogGroup
    colour : str
    """
    when: Any = list(group.times or group.positions)  # matplotlib takes datetimes, its hints do not
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    marker = "o" if len(when) <= 20 else None
    style: Any = {"color": colour, "marker": marker, "markersize": 4, "clip_on": False}
    if group.numbers and len(group.numbers) == len(when):
        values = list(group.numbers)
        axes.plot(when, values, linewidth=2, label="after", **style)
        if len(group.befores) == len(when):
            top = list(group.befores)
            axes.fill_between(when, values, top, color=colour, alpha=0.25, linewidth=0)
            axes.plot(when, top, linewidth=1, linestyle=":", label="before", **style)
            axes.legend(loc="lower right", fontsize=8, frameon=False, ncols=2)
            values = top
        if group.kind.reader == "gc":
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_bytes(value)))
    else:
        when, values = sorted(when), list(range(1, len(when) + 1))
        axes.fill_between(when, values, 0, step="post", color=colour, alpha=0.12, linewidth=0)
        axes.plot(when, values, drawstyle="steps-post", linewidth=2, **style)
    axes.set_ylim(0, max(values) * 1.12)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.set_title(group.kind.title, loc="left", color=INK, fontsize=10)
    axes.tick_params(length=0, labelcolor=MUTED, pad=5)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    return axes


def events_picture(groups: Sequence[LogGroup]) -> bytes:
    """PNG with one panel below the other for every kind; those with dates are all over the same time.

    Parameters
    ----------
    groups : sequence of LogGroup
        One at least.
    """
    # Dated ones first: they share an axis, the others have each their own.
    shown = sorted(groups[:_MOST], key=lambda group: not group.times)
    with chart_style():
        size = (_WIDTH, _HEIGHT * len(shown) + 0.5)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        dated = []
        for number, (axes, group) in enumerate(zip(panels, shown, strict=True)):
            draw_events(axes, group, _COLOURS[number % len(_COLOURS)])
            if group.times:
                dated.append((axes, group))
            else:
                unit = (
                    "seconds since the start" if group.are_seconds else "line of the text (nothing is dated)"
                )
                axes.set_xlabel(unit, color=MUTED, fontsize=8)
                axes.set_xlim(0, max(*group.positions, 1) * 1.05)
                axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        _share_time(dated)
        picture = io.BytesIO()
        save(figure, picture, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return picture.getvalue()


def _share_time(dated: Sequence[tuple[Axes, LogGroup]]) -> None:
    """One axis of time for all panels that have dates, drawn below the last of them."""
    if not dated:
        return
    first = min(min(group.times) for _, group in dated)
    last = max(max(group.times) for _, group in dated)
    # Events at the edge are whole; a single moment has a minute before and after it.
    around = (last - first) * 0.01 or timedelta(minutes=1)
    for axes, _ in dated:
        locator: Any = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        ends: Any = (first - around, last + around)
        axes.set_xlim(*ends)
        axes.tick_params(labelbottom=axes is dated[-1][0])
