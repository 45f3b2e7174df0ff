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
from heapscope.reporter.rows import SnapshotRow, WatchedClass
from heapscope.units import format_bytes, format_count, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heapscope.reporter.diagnosis import FindingSection

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
_FINDING_INCHES = (5.0, 2.6)
UNITS_OF_TIME = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_SHORT_UNITS = {"days": "d", "hours": "h", "minutes": "min", "seconds": "s"}
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
    unit: str = ""  # of the positions, as ticks have it

    def at(self, places: Sequence[int]) -> Timeline:
        """The same for some of the snapshots."""
        partial = tuple(row for row, place in enumerate(places) if place in self.partial)
        names = None if self.tick_labels is None else tuple(self.tick_labels[place] for place in places)
        return Timeline(
            tuple(self.positions[place] for place in places), self.label, names, partial, self.unit
        )


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
        size, unit, short = time_unit(span)
        return Timeline(
            tuple((moment - moments[0]) / size for moment in moments),
            f"{unit} since {format_time(snapshots[0].captured_at)}",
            None,
            partial,
            short,
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


def draw_growth(
    axes: Axes,
    when: Timeline,
    values: Sequence[int],
    quantity: Quantity,
    *,
    unit: str = "",
    top: float | None = None,
) -> Axes:
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
    unit : str
        What is counted, where it has a name of its own.
    top : float, optional
        The largest value of all that this is compared with; by default of these values.
    """
    colour = _COLOURS[quantity]
    format_value = format_bytes if quantity == "shallow size" else format_count
    # A line without a ground: that would end in a cliff at the last snapshot.
    whole = [place for place in range(len(values)) if place not in when.partial]
    axes.plot(
        [when.positions[place] for place in whole],
        [values[place] for place in whole],
        color=colour,
        linewidth=2,
        marker="o",
        markersize=5,
        solid_capstyle="round",
        solid_joinstyle="round",
        clip_on=False,
    )
    if when.partial:
        # Hollow, and off the line: the figure is a lower bound, and the label below says so.
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
    axes.set_ylim(0, max(*values, 1, top or 0) * 1.12)
    axes.yaxis.set_major_locator(
        MaxNLocator(nbins=4, integer=quantity == "instances", steps=[1, 2, 2.5, 5, 10])
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, quantity)))
    label = when.label.partition(" ")[2] if when.unit else when.label
    bare_axes(axes, ylabel=unit or quantity, xlabel="\n".join([label, *_hollow_note(when)]))
    if when.tick_labels is not None:
        axes.set_xticks(when.positions, when.tick_labels)
    else:
        # None before the first snapshot or after the last, where only the labels are.
        found = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(
            when.positions[0], when.positions[-1]
        )
        ticks = [tick for tick in found if when.positions[0] <= tick <= when.positions[-1]]
        axes.set_xticks(ticks, [time_tick(tick, when.unit) for tick in ticks])
    _label_ends(axes, when.positions, [format_value(value) for value in values], values)
    return axes


def bare_axes(axes: Axes, *, ylabel: str, xlabel: str) -> None:
    """Axes as all charts have them: a quiet grid, a line below, what the figures are above."""
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    if ylabel:
        axes.set_ylabel(ylabel, rotation=0, ha="left", va="bottom", color=MUTED)
        axes.yaxis.set_label_coords(0.0, 1.03)
    axes.set_xlabel(xlabel, color=MUTED)
    axes.tick_params(length=0, labelcolor=MUTED, pad=5)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def time_tick(value: float, unit: str) -> str:
    """A figure of time with its unit: ``0``, ``2.5 min``."""
    return f"{value:g} {unit}".strip() if value else "0"


def time_unit(seconds: float) -> tuple[float, str, str]:
    """The unit in which a time reads best: its seconds, its name and what ticks call it."""
    # Two units of the next larger size are the first that read better in it: 90 minutes, 2 hours.
    size, name = next((size, name) for size, name in UNITS_OF_TIME if seconds >= 2 * size or size == 1)
    return size, name, _SHORT_UNITS[name]


def growth_figure(
    watched: WatchedClass, when: Timeline, quantity: Quantity, *, top: float | None = None
) -> Figure:
    """A figure with one panel.

    Parameters
    ----------
    watched : WatchedClass
    when : Timeline
        Where its snapshots lie.
    quantity : {"instances", "shallow size"}
    top : float, optional
        As `draw_growth` has it.
    """
    with chart_style():
        figure = Figure(figsize=_PANEL_INCHES, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.08))
        draw_growth(figure.add_subplot(), when, _values(watched, quantity), quantity, top=top)
    return figure


def finding_chart(finding: FindingSection, when: Timeline, prefix: str) -> str:
    """SVG of how many there were of what leaks, or how large it was; empty for fewer than two known figures.

    Parameters
    ----------
    finding : FindingSection
    when : Timeline
        Where the snapshots lie; those in which the count is not known are left out.
    prefix : str
        As `figure_svg` has it.
    """
    figures = finding.sizes or finding.counts
    if len(figures) != len(when.positions):
        return ""
    places = [place for place, count in enumerate(figures) if count is not None]
    counts = [count for count in figures if count is not None]
    if len(counts) < 2:
        return ""
    shown, unit = when.at(places), "bytes in use" if finding.sizes else finding.unit[1]
    quantity: Quantity = "shallow size" if finding.sizes else "instances"
    with chart_style():
        figure = Figure(figsize=_FINDING_INCHES, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.08))
        draw_growth(figure.add_subplot(), shown, counts, quantity, unit=unit)
    label = "; ".join([when.label, *_hollow_note(shown)])
    told = map(format_bytes if finding.sizes else format_count, counts)
    said = f"Line chart of {unit} by {label}: {', '.join(told)}"
    return figure_svg(figure, prefix, said)


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
