"""Charts of watched processes: resident size, the Java heap's part of it, the old generation after GC."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from heapscope.files import new_file
from heapscope.reporter.charts.plots import (
    INK,
    MUTED,
    OKABE_ITO,
    bare_axes,
    bytes_tick,
    chart_style,
    save,
    time_tick,
    time_unit,
)
from heapscope.reporter.memory_text import verdict_title
from heapscope.reporter.text import plural, printable, shorten
from heapscope.units import format_bytes, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heapscope.analysis.memory.samples import WatchedProcess

MAX_PANELS = 12
_PANEL_INCHES = (9.0, 2.5)
_MAX_TITLE = 110
_LINES = (
    ("rss_bytes", "resident", INK),
    ("heap_rss_bytes", "in the Java heap", OKABE_ITO["blue"]),
    ("old_after_gc_bytes", "old gen. after GC", OKABE_ITO["vermillion"]),
)
_BREAKDOWN = 0.7  # of the resident size before
_SMALL = 0.1
_LINE_SHARE = 0.11  # of a panel's height that a label takes


@dataclass(frozen=True, slots=True)
class Course:
    """What is drawn of a process.

    Attributes
    ----------
    process : WatchedProcess
    seconds : tuple of float
        Of its samples, since the first of all processes.
    lines : dict
        Column -> (seconds, bytes) of the samples that have it, in order.
    has_ended_early : bool
        Whether a last sample is left out: it was taken while the process ended.
    """

    process: WatchedProcess
    seconds: tuple[float, ...]
    lines: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    has_ended_early: bool

    @property
    def top(self) -> float:
        """The largest value."""
        return max((max(values) for _, values in self.lines.values()), default=1.0)


def course_of(process: WatchedProcess, start: datetime) -> Course:
    """What is drawn of a process.

    The last sample is left out where parts of it are missing that the one before has, and the resident size
    breaks down: the process was ending, and the line would fall off a cliff that is none.

    Parameters
    ----------
    process : WatchedProcess
    start : datetime
        Of the first sample of all processes that are shown.
    """
    samples = process.samples
    begin = (samples["captured_at"].iloc[0] - start).total_seconds()
    seconds = tuple(begin + value for value in process.seconds())
    columns = {
        column: [None if value is None or value != value else float(value) for value in samples[column]]
        for column, _, _ in _LINES
    }
    resident = columns["rss_bytes"]
    is_cut = (
        len(seconds) > 2
        and any(values[-1] is None and values[-2] is not None for values in columns.values())
        and (resident[-1] or 0) < _BREAKDOWN * (resident[-2] or 0)
    )
    lines = {}
    for column, values in columns.items():
        points = [
            (at, value)
            for at, value in zip(seconds[: -1 if is_cut else None], values, strict=False)
            if value is not None
        ]
        if points:
            lines[column] = (tuple(at for at, _ in points), tuple(value for _, value in points))
    return Course(process, seconds, lines, is_cut)


def draw_memory(axes: Axes, course: Course, *, top: float, seconds: float, since: str) -> Axes:
    """Draw one process's memory over time.

    Parameters
    ----------
    axes : Axes
    course : Course
        Values that were not measured leave a gap to be bridged.
    top : float
        The largest value of all processes on this scale.
    seconds : float
        Where the axis of time ends.
    since : str
        When it begins.
    """
    size, _, unit = time_unit(seconds)
    ends = []
    for column, label, colour in _LINES:
        if column not in course.lines:
            continue
        at, values = course.lines[column]
        hours = [value / size for value in at]
        axes.plot(hours, values, color=colour, linewidth=1.8, marker="o" if len(at) == 1 else None)
        ends.append((hours[-1], values[-1], f"{label} {format_bytes(values[-1])}", colour))
    axes.set_ylim(0, top * 1.08)
    axes.set_xlim(0, seconds / size or 1)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_tick(value)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 3, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_tick(value, unit)))
    bare_axes(axes, ylabel="", xlabel=f"since {since}")
    _label_lines(axes, ends)
    process = course.process
    ended = "; its last sample, taken while it ended, is left out" if course.has_ended_early else ""
    title = printable(f"{process.name}: {verdict_title(process.verdict())}{ended}")
    axes.set_title(shorten(title, _MAX_TITLE), loc="left", color=INK, fontsize=11)
    return axes


def _label_lines(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """What each line is, where it ends: as far from each other as a line of text is high."""
    least = axes.get_ylim()[1] * _LINE_SHARE
    floor = -least
    for _, value, text, colour in sorted(ends, key=lambda end: end[1]):
        floor = max(value, floor + least)
        axes.annotate(
            text,
            (axes.get_xlim()[1], floor),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
            annotation_clip=False,
        )


class MemoryFigure(Figure):
    """A figure that notebooks show as it is, pyplot or not."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        with chart_style():
            save(self, picture, format="png", dpi=96, facecolor="white")
        return picture.getvalue()


def memory_figure(found: Sequence[WatchedProcess]) -> MemoryFigure:
    """One panel for each process in the order that is given, which is that of the text.

    Of more than `MAX_PANELS` those that grew most are shown.  All have one axis of time and one scale; a
    process of less than a tenth of the largest has a scale of its own, and says so.

    Parameters
    ----------
    found : sequence of WatchedProcess
        From `heapscope.watched_processes`; one at least.
    """
    chosen = sorted(found, key=lambda process: -process.verdict().growth_bytes)[:MAX_PANELS]
    shown = [process for process in found if any(process is one for one in chosen)][:MAX_PANELS]
    start = min(process.samples["captured_at"].iloc[0] for process in shown)
    courses = [course_of(process, start) for process in shown]
    top = max(course.top for course in courses)
    seconds = max(course.seconds[-1] for course in courses)
    width, height = _PANEL_INCHES
    with chart_style():
        figure = MemoryFigure(figsize=(width, height * len(shown) + 0.4), layout="constrained")
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for axes, course in zip(panels, courses, strict=True):
            is_small = course.top < _SMALL * top
            scale = course.top if is_small else top
            draw_memory(axes, course, top=scale, seconds=seconds, since=format_time(start))
            if is_small:
                axes.set_ylabel("scale of its own", color=MUTED, fontsize=8)
        left_out = len(found) - len(shown)
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
