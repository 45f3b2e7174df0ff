"""Growth charts: each drawing function draws on an Axes and returns it.

Figures are made without pyplot, so that nothing global changes and no display is needed.
Colours are Okabe and Ito's (Color Universal Design, 2008): told apart with every kind of
colour vision.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from heapscope.analysis.growth.time_source import UNDATED
from heapscope.analysis.verdicts import GROWS, PERHAPS
from heapscope.reporter.rows import SnapshotRow, WatchedClass
from heapscope.units import format_bytes, format_count, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heapscope.reporter.outlook import Outlook

Quantity = Literal["instances", "shallow size"]
QUANTITIES: tuple[Quantity, ...] = ("instances", "shallow size")

OKABE_ITO = {"blue": "#0072B2", "vermillion": "#D55E00", "sky": "#56B4E9", "orange": "#E69F00"}

# On paper and in PNG. In SVG each of these becomes a CSS variable of the page, so that the
# chart suits light and dark; no two may be equal, and none may be matplotlib's own black.
INK = "#1f2328"
MUTED = "#59636e"
GRID = "#d9dee3"
PAPER = "#fffffe"
_COLOURS: dict[Quantity, str] = {"instances": OKABE_ITO["blue"], "shallow size": OKABE_ITO["vermillion"]}
_CSS_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    OKABE_ITO["blue"]: "--count",
    OKABE_ITO["vermillion"]: "--bytes",
}
# As report.css has them.
_ICICLE = (("root", GRID, 1), ("step", OKABE_ITO["blue"], 0.22), ("member", OKABE_ITO["vermillion"], 0.32))

_FONT_POINTS = 10.0
_PANEL_INCHES = (5.0, 2.3)
UNITS_OF_TIME = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_OUTLOOK_INCHES = (9.0, 3.0)
_FARTHEST = 40  # times the span of the snapshots; beyond that they would be a dot
# Points nearer than this share of the axis would lie on each other.
_MIN_GAP = 0.03
_MAX_NAMES_CHARACTERS = 44


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where snapshots lie on the x axis."""

    positions: tuple[float, ...]
    label: str
    tick_labels: tuple[str, ...] | None  # None: the positions are figures
    partial: tuple[int, ...] = ()  # rows of snapshots of which only a part was read


def timeline(snapshots: Sequence[SnapshotRow]) -> Timeline:
    """Time since the first snapshot, or the snapshots side by side.

    Side by side where times say too little: taken within a second, nearly on each other, or
    not known.
    """
    partial = tuple(place for place, row in enumerate(snapshots) if row.is_partial)
    moments = [datetime.fromisoformat(row.captured_at).timestamp() for row in snapshots]
    span = moments[-1] - moments[0]
    nearest = min((after - before for before, after in pairwise(moments)), default=0.0)
    has_times = all(row.captured_at_source not in UNDATED for row in snapshots)
    if has_times and span >= 1 and nearest >= _MIN_GAP * span:
        # Two units of the next larger size are the first that read better in it: 90 minutes, 2 hours.
        size, unit = next((size, unit) for size, unit in UNITS_OF_TIME if span >= 2 * size or size == 1)
        return Timeline(
            tuple((moment - moments[0]) / size for moment in moments),
            f"{unit} since {format_time(snapshots[0].captured_at)}",
            None,
            partial,
        )
    positions = tuple(float(row) for row in range(1, len(snapshots) + 1))
    names = tuple(row.name for row in snapshots)
    if sum(map(len, names)) <= _MAX_NAMES_CHARACTERS:
        return Timeline(positions, "snapshot", names, partial)
    return Timeline(
        positions,
        "snapshot, in order of capture",
        tuple(f"{position:.0f}" for position in positions),
        partial,
    )


def draw_growth(axes: Axes, when: Timeline, values: Sequence[int], quantity: Quantity) -> Axes:
    """Draw one watched class's growth.

    Parameters
    ----------
    axes : Axes
    when : Timeline
        From `timeline`, n positions.
    values : sequence of int
        n instance counts, or n shallow sizes in bytes.
    quantity : {"instances", "shallow size"}
        What the values are; also names the y axis.
    """
    colour = _COLOURS[quantity]
    format_value = format_bytes if quantity == "shallow size" else format_count
    top = max(*values, 1)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.fill_between(when.positions, values, 0, color=colour, alpha=0.12, linewidth=0)
    axes.plot(
        when.positions,
        values,
        color=colour,
        linewidth=2,
        marker="o",
        markersize=5,
        solid_capstyle="round",
        solid_joinstyle="round",
        clip_on=False,
    )
    if when.partial:
        # Hollow: the figure is a lower bound, and the label below says so.
        axes.plot(
            [when.positions[place] for place in when.partial],
            [values[place] for place in when.partial],
            color=colour,
            linestyle="none",
            marker="o",
            markersize=7,
            markerfacecolor=PAPER,
            markeredgewidth=1.6,
            clip_on=False,
        )
    axes.set_ylim(0, top * 1.12)
    axes.yaxis.set_major_locator(
        MaxNLocator(nbins=4, integer=quantity == "instances", steps=[1, 2, 2.5, 5, 10])
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, quantity)))
    axes.set_ylabel(quantity, rotation=0, ha="left", va="bottom", color=MUTED)
    axes.yaxis.set_label_coords(0.0, 1.03)
    axes.set_xlabel("\n".join([when.label, *_hollow_note(when)]), color=MUTED)
    if when.tick_labels is not None:
        axes.set_xticks(when.positions, when.tick_labels)
    else:
        # None before the first snapshot or after the last, where only the labels are.
        ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(
            when.positions[0], when.positions[-1]
        )
        axes.set_xticks([tick for tick in ticks if when.positions[0] <= tick <= when.positions[-1]])
    axes.tick_params(length=0, labelcolor=MUTED, pad=5)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    _label_ends(axes, when.positions, [format_value(value) for value in values], values)
    return axes


def growth_figure(watched: WatchedClass, when: Timeline, quantity: Quantity) -> Figure:
    """A figure with one panel.

    Parameters
    ----------
    watched : WatchedClass
    when : Timeline
        Where its snapshots lie.
    quantity : {"instances", "shallow size"}
    """
    with chart_style():
        figure = Figure(figsize=_PANEL_INCHES, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.08))
        draw_growth(figure.add_subplot(), when, _values(watched, quantity), quantity)
    return figure


def growth_picture(watched: WatchedClass, when: Timeline) -> bytes:
    """PNG of a watched class: counts on the left, bytes on the right."""
    with chart_style():
        width, height = _PANEL_INCHES
        margins = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, wspace=0.05)
        figure = Figure(figsize=(2 * width, height + 0.3), layout=margins)
        figure.suptitle(_title(watched.class_name), x=0.012, ha="left", color=INK, fontsize=_FONT_POINTS + 1)
        for axes, quantity in zip(figure.subplots(1, 2), QUANTITIES, strict=True):
            draw_growth(axes, when, _values(watched, quantity), quantity)
        picture = io.BytesIO()
        save(figure, picture, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return picture.getvalue()


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
    colour = _COLOURS["shallow size"]
    last, now = outlook.hours[-1], outlook.heap_bytes[-1]
    top = float(max(*outlook.heap_bytes, 1))
    limit = _limit_in_sight(outlook, since)
    goes_on = outlook.slope is not None and outlook.verdict in (GROWS, PERHAPS)
    horizon = (2 * last if limit is None else max(2 * last, 1.2 * limit.hour)) if goes_on else last
    size, unit = next((size, unit) for size, unit in UNITS_OF_TIME if 3600 * horizon >= 2 * size or size == 1)
    scale = 3600 / size
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
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
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, "shallow size")))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.set_ylabel("whole heap", rotation=0, ha="left", va="bottom", color=MUTED)
    axes.yaxis.set_label_coords(0.0, 1.03)
    axes.set_xlabel(f"{unit} since {format_time(since)}", color=MUTED)
    axes.tick_params(length=0, labelcolor=MUTED, pad=5)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
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


def figure_svg(figure: Figure, prefix: str, description: str) -> str:
    """SVG element to put into a page: ids begin with ``prefix``, colours are the page's variables.

    Parameters
    ----------
    figure : Figure
        From `growth_figure`.
    prefix : str
        Letters and digits, another one for each chart of a page.
    description : str
        The chart in a sentence, for people who do not see it.
    """
    text = io.StringIO()
    with chart_style():
        save(figure, text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    # Its style element would apply to the whole page.
    svg = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|xlink:href="#|\burl\(#)', rf"\g<1>{prefix}-", svg)
    for colour, variable in _CSS_VARIABLES.items():
        svg = re.sub(colour, f"var({variable})", svg, flags=re.IGNORECASE)
    # The page's own font; widths were laid out for DejaVu Sans, which is wider than any system font.
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    label = escape(description)
    return re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        lambda match: f'<svg class="chart" viewBox="{match[1]}" role="img" aria-label="{label}">',
        svg,
        count=1,
    ).strip()


def on_paper(svg: str) -> str:
    """A picture of a page with the colours of paper for the page's variables and classes.

    WeasyPrint applies the page's own style to no picture: what `heapscope.reporter.charts.icicle` has
    of it becomes attributes.
    """
    for colour, variable in _CSS_VARIABLES.items():
        svg = svg.replace(f"var({variable})", colour)
    if 'class="icicle"' in svg:
        for kind, fill, opacity in _ICICLE:
            svg = re.sub(
                rf'(<g class="{kind}"><title>[^<]*</title><rect) ',
                rf'\1 fill="{fill}" fill-opacity="{opacity}" ',
                svg,
            )
        svg = svg.replace("<text ", f'<text font-family="DejaVu Sans Mono" font-size="11.8" fill="{INK}" ')
    return svg


def growth_sentence(watched: WatchedClass, when: Timeline, quantity: Quantity) -> str:
    """`growth_figure` as a sentence, for people who do not see it.

    Parameters
    ----------
    watched : WatchedClass
    when : Timeline
        Where its snapshots lie.
    quantity : {"instances", "shallow size"}
    """
    format_value = format_bytes if quantity == "shallow size" else format_count
    values = ", ".join(format_value(value) for value in _values(watched, quantity))
    label = "; ".join([when.label, *_hollow_note(when)])
    return f"Line chart of {watched.class_name}, {quantity} by {label}: {values}"


def _hollow_note(when: Timeline) -> list[str]:
    return ["hollow: of a partial dump, at least so much"] if when.partial else []


@contextmanager
def chart_style() -> Iterator[None]:
    """Matplotlib's own settings, whatever the user's are, and text that is the same everywhere."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": "DejaVu Sans",
                "font.size": _FONT_POINTS,
                "text.color": INK,
                "text.parse_math": False,  # a class name is full of dollars
                "svg.fonttype": "none",
                "svg.hashsalt": "heapscope",
            }
        )
        yield


def save(figure: Figure, file: IO[Any] | Path, **settings: Any) -> None:
    """`Figure.savefig` without warnings of letters that the font lacks."""
    with warnings.catch_warnings():
        # A snapshot's name may have letters that DejaVu lacks: a PNG shows boxes for them.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(file, **settings)


def _values(watched: WatchedClass, quantity: Quantity) -> tuple[int, ...]:
    return watched.instance_counts if quantity == "instances" else watched.shallow_bytes


def _tick(value: float, quantity: Quantity) -> str:
    if quantity == "instances":
        return format_count(value)
    return bytes_tick(value)


def bytes_tick(value: float) -> str:
    """Bytes at a tick: ``50 MB``, not ``50.0 MB``."""
    return re.sub(r"(\.\d*?)0+ ", r"\1 ", format_bytes(value)).replace(". ", " ")


def _label_ends(axes: Axes, positions: Sequence[float], labels: Sequence[str], values: Sequence[int]) -> None:
    """First and last value beside their points, outside of the line, where nothing else is."""
    figure = axes.figure
    width_points = axes.get_position().width * figure.bbox.width / figure.dpi * 72
    span = positions[-1] - positions[0] or 1.0

    def room(label: str) -> float:
        """Width of a label and its gap, in units of x; a character takes 0.62 of the font's size."""
        share = (len(label) * 0.62 * _FONT_POINTS + 14) / width_points
        return share * span / max(1 - 2 * share, 0.2)

    if len(positions) == 1:
        axes.set_xlim(positions[0] - 1, positions[0] + 1)
        ends = [(0, "left", 8)]
    else:
        axes.set_xlim(positions[0] - room(labels[0]), positions[-1] + room(labels[-1]))
        ends = [(0, "right", -8), (-1, "left", 8)]
    for index, side, offset in ends:
        is_low = values[index] < 0.08 * axes.get_ylim()[1]  # the label would lie on the axis
        axes.annotate(
            labels[index],
            (positions[index], values[index]),
            xytext=(offset, 7 if is_low else 0),
            textcoords="offset points",
            ha=side,
            va="center",
            color=INK,
            fontweight="bold",
            bbox={"boxstyle": "square,pad=0.12", "facecolor": PAPER, "edgecolor": "none"},
            zorder=2.2,  # above the grid and the line, below the axis
            annotation_clip=False,
        )


def _title(class_name: str) -> str:
    return class_name if len(class_name) <= 90 else f"{class_name[:44]}…{class_name[-44:]}"
