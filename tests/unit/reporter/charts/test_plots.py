"""Charts: drawn on the axes given, named, labelled, and the same for the same figures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from heapscope.reporter.charts import plots
from heapscope.reporter.rows import SnapshotRow, WatchedClass
from heapscope.units import format_bytes, format_count
from tests.unit.reporter.charts.test_icicle import FINDING
from tests.unit.reporter.series import START


def rows(seconds: Sequence[float], *, source: str = "dump header", name: str = "s") -> list[SnapshotRow]:
    times = [
        (START + timedelta(seconds=s)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for s in seconds
    ]
    return [
        SnapshotRow(f"{name}{i}", "heap dump", when, source, 1, 1) for i, when in enumerate(times, start=1)
    ]


def watched(counts: Sequence[int], sizes: Sequence[int], name: str = "a.Cache$Key") -> WatchedClass:
    return WatchedClass(name, (name,), "grew", tuple(counts), tuple(sizes), 0, 0, 0.0, 0.0)


SERIES = {
    "few": (rows([0, 600, 1200]), watched([1, 2, 3], [48, 96, 144])),
    "large": (
        rows([0, 86400, 180000]),
        watched([123_456_789, 523_456_789, 923_456_789], [12_000_000_000, 50_000_000_000, 92_000_000_000]),
    ),
    "falls": (rows([0, 60]), watched([160, 2], [18_900, 200])),
    "from nothing": (rows([0, 0, 0]), watched([0, 0, 9], [0, 0, 999])),
    "many": (rows([3600 * i for i in range(24)]), watched(range(24), [48 * i for i in range(24)])),
    "long names": (rows([0, 0], name="a-very-long-name-of-a-heap-dump-"), watched([5, 5], [80, 80])),
    "single": (rows([0]), watched([7], [300])),
}


@pytest.mark.parametrize(
    ("seconds", "label", "positions"),
    [
        ((0, 20, 40), "seconds since 2026-11-23 09:14:02 UTC", (0, 20, 40)),
        ((0, 5400), "minutes since 2026-11-23 09:14:02 UTC", (0, 90)),
        ((0, 7200), "hours since 2026-11-23 09:14:02 UTC", (0, 2)),
        ((0, 86400, 259200), "days since 2026-11-23 09:14:02 UTC", (0, 1, 3)),
        ((0, 0.2), "snapshot", (1, 2)),
        ((0, 1, 9000), "snapshot", (1, 2, 3)),  # the second would lie on the first
    ],
)
def test_time_is_the_axis_where_it_tells_something(
    seconds: Sequence[float], label: str, positions: Sequence[float]
) -> None:
    when = plots.timeline(rows(seconds))
    assert when.label == label
    assert when.positions == pytest.approx(positions, abs=1e-6)


def test_times_of_files_and_long_names_are_no_axis() -> None:
    assert plots.timeline(rows([0, 60], source="file time")).tick_labels == ("s1", "s2")
    assert plots.timeline(rows([0, 0, 0], name="x" * 30)).tick_labels == ("1", "2", "3")


@pytest.mark.parametrize("quantity", plots.QUANTITIES)
@pytest.mark.parametrize("case", SERIES)
def test_axes_are_named_ends_labelled_and_nothing_overlaps(case: str, quantity: plots.Quantity) -> None:
    snapshots, one = SERIES[case]
    figure = plots.growth_figure(one, plots.timeline(snapshots), quantity)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    (axes,) = figure.axes
    assert axes.get_ylabel() == quantity
    assert axes.get_xlabel()
    values = one.instance_counts if quantity == "instances" else one.shallow_bytes
    describe = format_count if quantity == "instances" else format_bytes
    ends = [text.get_text() for text in axes.texts]
    assert ends == [describe(values[0]), describe(values[-1])][: len(values)]

    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    texts: list[Text] = [*axes.texts, axes.xaxis.label, axes.yaxis.label]
    texts += [label for label in axes.get_xticklabels() if _is_inside(axes, label, is_x=True)]
    texts += [label for label in axes.get_yticklabels() if _is_inside(axes, label, is_x=False)]
    boxes = {text.get_text() + str(i): text.get_window_extent(renderer) for i, text in enumerate(texts)}
    for (first, box), (second, other) in combinations(boxes.items(), 2):
        assert not box.overlaps(other), (first, second)
    width, height = canvas.get_width_height()
    for name, box in boxes.items():
        assert 0 <= box.x0 <= box.x1 <= width, name
        assert 0 <= box.y0 <= box.y1 <= height, name
    if quantity == "instances":
        assert all(re.fullmatch(r"[\d,]+", label.get_text()) for label in axes.get_yticklabels())
    else:
        assert all(re.fullmatch(r"[\d.]+ [kMGT]?B", label.get_text()) for label in axes.get_yticklabels())


def _is_inside(axes: Axes, label: Text, *, is_x: bool) -> bool:
    """Whether a tick's label is drawn: ticks outside of the limits exist, unseen."""
    low, high = axes.get_xlim() if is_x else axes.get_ylim()
    return bool(low <= label.get_position()[0 if is_x else 1] <= high)


def test_a_line_has_no_ground_that_would_end_in_a_cliff_and_ticks_have_units() -> None:
    snapshots, one = SERIES["few"]
    (axes,) = plots.growth_figure(one, plots.timeline(snapshots), "instances", top=100).axes
    assert not axes.collections
    assert axes.get_ylim()[1] > 100  # the scale of what it is compared with
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "0",
        "5 min",
        "10 min",
        "15 min",
        "20 min",
    ]
    assert axes.get_xlabel() == "since 2026-11-23 09:14:02 UTC"


def test_the_chart_of_a_finding_leaves_out_what_is_not_known() -> None:
    when = plots.timeline(rows([0, 600, 1200, 1800]))
    one = replace(FINDING, counts=(5, None, 20, 35), unit=("Hadoop file system", "Hadoop file systems"))
    svg = plots.finding_chart(one, when, "f")
    label = "Line chart of Hadoop file systems by minutes since 2026-11-23 09:14:02 UTC: 5, 20, 35"
    assert f'aria-label="{label}"' in svg
    assert plots.finding_chart(replace(one, counts=(None, None, 1, None)), when, "f") == ""
    assert plots.finding_chart(replace(one, counts=(5,)), when, "f") == ""


def test_draws_on_the_axes_given_and_changes_nothing_global() -> None:
    before = dict(mpl.rcParams)
    axes = Figure().add_subplot()
    snapshots, one = SERIES["few"]
    assert plots.draw_growth(axes, plots.timeline(snapshots), one.instance_counts, "instances") is axes
    plots.growth_picture(one, plots.timeline(snapshots))
    assert dict(mpl.rcParams) == before


def test_svg_follows_the_page() -> None:
    snapshots, one = SERIES["few"]
    when = plots.timeline(snapshots)
    svg = plots.figure_svg(plots.growth_figure(one, when, "instances"), "c1", 'a "chart" <of> b\\x1b')
    root = ET.fromstring(svg.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1))
    assert root.get("aria-label") == 'a "chart" <of> b\\x1b'
    assert root.get("role") == "img"
    # Every colour is a variable of the page, so that light and dark hold for charts as well.
    assert not re.findall(r"#[0-9a-fA-F]{6}\b|\b(?:black|white)\b", svg)
    assert {"var(--ink)", "var(--muted)", "var(--grid)", "var(--count)", "var(--paper)"} <= set(
        re.findall(r"var\(--\w+\)", svg)
    )
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(one.startswith("c1-") for one in ids)
    used = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert used
    assert set(used) <= set(ids)
    assert "<style" not in svg
    assert "<metadata" not in svg


def test_the_same_figures_give_the_same_bytes() -> None:
    snapshots, one = SERIES["large"]
    when = plots.timeline(snapshots)
    assert plots.growth_picture(one, when) == plots.growth_picture(one, when)
    first, second = (
        plots.figure_svg(plots.growth_figure(one, when, "shallow size"), "x", "y") for _ in range(2)
    )
    assert first == second
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        styled = plots.figure_svg(plots.growth_figure(one, when, "shallow size"), "x", "y")
    assert styled == first  # the user's settings are theirs


def test_letters_that_the_font_lacks_are_no_error() -> None:
    snapshots, _ = SERIES["few"]
    one = watched([1, 2, 3], [1, 2, 3], name="数据.😀$x$")
    assert plots.growth_picture(one, plots.timeline(snapshots)).startswith(b"\x89PNG")


def test_a_chart_as_a_sentence() -> None:
    snapshots, one = SERIES["few"]
    assert plots.growth_sentence(one, plots.timeline(snapshots), "shallow size") == (
        "Line chart of a.Cache$Key, shallow size by minutes since 2026-11-23 09:14:02 UTC: 48 B, 96 B, 144 B"
    )
