"""Events of logs over time, as a picture: a panel for each kind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from heapscope.analysis.leaks.logs import LogGroup
from heapscope.reporter.charts.plots import GRID, INK, MUTED, OKABE_ITO, chart_style, save
from heapscope.reporter.log_meanings import title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 8.0, 1.5
_COLOURS = tuple(OKABE_ITO.values())


def draw_events(axes: Axes, group: LogGroup, colour: str) -> Axes:
    """Draw how many events there were up to each moment; figures of events instead where they have some.

    Parameters
    ----------
    axes : Axes
    group : LogGroup
        With two dated events at least.
    colour : str
    """
    when: Any = list(group.times)  # matplotlib takes datetimes, its hints do not
    has_figures = group.kind == "jni global references" and len(group.numbers) == len(group.times)
    values = list(group.numbers) if has_figures else list(range(1, len(when) + 1))
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    style: Literal["default", "steps-post"] = "default" if has_figures else "steps-post"
    step: Literal["post"] | None = None if has_figures else "post"
    axes.fill_between(when, values, 0, step=step, color=colour, alpha=0.12, linewidth=0)
    marker = "o" if len(when) <= 20 else None
    axes.plot(
        when, values, drawstyle=style, color=colour, linewidth=2, marker=marker, markersize=4, clip_on=False
    )
    axes.set_ylim(0, max(values) * 1.12)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.set_title(title_of(group.kind), loc="left", color=INK, fontsize=10)
    axes.tick_params(length=0, labelcolor=MUTED, pad=5)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    return axes


def events_picture(groups: Sequence[LogGroup]) -> bytes:
    """PNG with one panel below the other, all over the same time; for groups that are dated."""
    shown = [group for group in groups if len(group.times) > 1]
    with chart_style():
        size = (_WIDTH, _HEIGHT * len(shown) + 0.5)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for number, (axes, group) in enumerate(zip(panels, shown, strict=True)):
            draw_events(axes, group, _COLOURS[number % len(_COLOURS)])
        locator: Any = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
        panels[-1].xaxis.set_major_locator(locator)
        panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        picture = io.BytesIO()
        save(figure, picture, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return picture.getvalue()
