"""Charts of watched processes: resident size, the Java heap's part of it, the old generation after GC."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from heapscope.files import new_file
from heapscope.reporter.charts.plots import (
    GRID,
    INK,
    MUTED,
    OKABE_ITO,
    UNITS_OF_TIME,
    bytes_tick,
    chart_style,
    save,
)
from heapscope.reporter.memory_text import verdict_title
from heapscope.reporter.text import plural, printable, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heapscope.analysis.memory.samples import WatchedProcess

MAX_PANELS = 12
_PANEL_INCHES = (9.0, 2.6)
_MAX_TITLE = 90


def draw_memory(axes: Axes, process: WatchedProcess) -> Axes:
    """Draw one process's memory over time.

    Parameters
    ----------
    axes : Axes
    process : WatchedProcess
        Its samples, n rows; values that were not measured leave a gap to be bridged.
    """
    seconds = process.seconds()
    size, unit = next((s, u) for s, u in UNITS_OF_TIME if seconds[-1] >= 2 * s or s == 1)
    hours = [value / size for value in seconds]
    samples = process.samples
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    top = 1.0
    for column, label, colour, is_filled in (
        ("rss_bytes", "resident", INK, False),
        ("heap_rss_bytes", "of it in the Java heap", OKABE_ITO["sky"], True),
        ("old_after_gc_bytes", "old generation after GC", OKABE_ITO["vermillion"], False),
    ):
        points = [
            (at, float(value))
            for at, value in zip(hours, samples[column], strict=True)
            if value is not None and value == value
        ]
        if not points:
            continue
        at, values = [point[0] for point in points], [point[1] for point in points]
        top = max(top, *values)
        marker = "o" if len(points) == 1 else None
        axes.plot(at, values, color=colour, linewidth=1.8, marker=marker, label=label)
        if is_filled:
            axes.fill_between(at, values, 0, color=colour, alpha=0.25, linewidth=0)
    axes.set_ylim(0, top * 1.08)
    axes.set_xlim(0, hours[-1] or 1)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_tick(value)))
    axes.set_xlabel(f"{unit} since {samples['captured_at'].iloc[0]:%Y-%m-%d %H:%M:%S} UTC", color=MUTED)
    axes.tick_params(length=0, labelcolor=MUTED, pad=5)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    title = printable(f"{process.name}: {verdict_title(process.verdict())}")
    axes.set_title(shorten(title, _MAX_TITLE), loc="left", color=INK, fontsize=11)
    return axes


class MemoryFigure(Figure):
    """A figure that notebooks show as it is, pyplot or not."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        with chart_style():
            save(self, picture, format="png", dpi=96, facecolor="white")
        return picture.getvalue()


def memory_figure(found: Sequence[WatchedProcess]) -> MemoryFigure:
    """One panel for each process, those that grew most first, `MAX_PANELS` at most.

    Parameters
    ----------
    found : sequence of WatchedProcess
        From `heapscope.watched_processes`; one at least.
    """
    ordered = sorted(found, key=lambda process: -process.verdict().growth_bytes)[:MAX_PANELS]
    width, height = _PANEL_INCHES
    with chart_style():
        figure = MemoryFigure(figsize=(width, height * len(ordered) + 0.4), layout="constrained")
        panels = figure.subplots(len(ordered), 1, squeeze=False)[:, 0]
        for axes, process in zip(panels, ordered, strict=True):
            draw_memory(axes, process)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False, labelcolor=MUTED)
        left_out = len(found) - len(ordered)
        if left_out:
            note = f"{plural(left_out, 'more process', 'more processes')}, which grew less"
            figure.supxlabel(note, color=MUTED, fontsize=9)
    return figure


def write_picture(found: Sequence[WatchedProcess], path: Path, *, force: bool = False) -> None:
    """Write `memory_figure` as a file that appears whole or not at all.

    Parameters
    ----------
    found : sequence of WatchedProcess
        One at least.
    path : Path
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    force : bool
        Whether a file that exists is overwritten.

    Raises
    ------
    OutputExists, OutputFailed
    """
    with chart_style(), new_file(path, force=force) as file:
        save(memory_figure(found), file, format=path.suffix[1:], dpi=144, facecolor="white")
