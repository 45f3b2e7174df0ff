"""What a report says of the future: in words, as a picture, as data."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import heapscope
from heapscope.analysis.snapshots import Snapshots
from heapscope.reporter.charts import outlook as charts
from heapscope.reporter.charts import plots
from heapscope.reporter.incident import build_incident
from heapscope.reporter.outlook import Outlook, describe_outlook, outlook_sentence
from heapscope.reporter.render import outlook_name, render_html
from tests.unit.reporter.series import series

SINCE = "2026-11-23T09:14:02.120Z"


def grown(*counts: int, hours: float = 1) -> Snapshots:
    return series({"a.Session": (counts, 1000)}, step=timedelta(hours=hours), facts=None)


def outlook(*counts: int, hours: float = 1, limit: int | None = None) -> Outlook:
    growth = grown(*counts, hours=hours).growth(limit_bytes=limit)
    return describe_outlook(growth)


CASES = {
    "limit near": outlook(1000, 1900, 3100, 3900, 5200, limit=8_000_000),
    "limit far": outlook(1000, 1010, 1021, 1029, limit=10**9),
    "no limit": outlook(100, 200, 300, 400),
    "fluctuates": outlook(100, 150, 90, 120, limit=10**6),
    "two": outlook(100, 200, limit=10**6),
    "passed": outlook(100, 200, 300, 400, limit=300_000),
    "long": outlook(*range(1000, 31_000, 1000), hours=24, limit=100_000_000),
    "seconds": outlook(100, 200, 300, 400, hours=1 / 3600, limit=10**6),
}


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (
            (100, 200, 300, 400),
            r"The heap grows: 100 kB to 400 kB, \+100 kB per hour \(\+100 kB to \+100 kB, 92% sure\)\.",
        ),
        ((100, 200, 300), "in every step, of too few snapshots to be sure: .* 67% sure"),
        ((100, 200), r"Two snapshots show how much more there is, .*: 100 kB to 200 kB, \+100 kB per hour\."),
        ((100, 100, 100, 100), "stays as it is"),
        ((100, 150, 90, 120), "up and down"),
        ((400, 300, 200, 100), "shrinks"),
        ((100, 200, 300, 300, 300), "levels off"),
    ],
)
def test_the_heap_in_a_sentence(counts: tuple[int, ...], says: str) -> None:
    assert re.search(says, outlook_sentence(outlook(*counts)))


def test_of_one_snapshot_there_is_none() -> None:
    incident = build_incident(grown(100))
    assert incident.outlook is None
    assert outlook_name(incident, "r") == []
    assert 'id="outlook"' not in render_html(incident)


def test_without_times_there_is_no_picture() -> None:
    incident = build_incident(grown(1, 2, 3, 4, hours=0))
    assert incident.outlook is not None
    assert incident.outlook.unit == "snapshot"
    assert outlook_name(incident, "r") == []
    page = render_html(incident)
    assert "per snapshot" in page
    assert 'class="outlook"' not in page


@pytest.mark.parametrize("case", CASES)
def test_the_picture_is_labelled_and_nothing_overlaps(case: str) -> None:
    one = CASES[case]
    figure = charts.outlook_figure(one, SINCE)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    (axes,) = figure.axes
    assert axes.get_xlabel() == "since 2026-11-23 09:14:02 UTC"
    assert axes.get_ylabel() == "whole heap"
    data = [line for line in axes.lines if np.array_equal(line.get_ydata(), one.heap_bytes)]
    assert len(data) == 1
    has_limit = case in ("limit near", "long", "seconds")
    assert len(axes.texts) == 1 + 2 * has_limit  # the last size; the limit, and when it is hit
    goes_on = case not in ("fluctuates", "two")
    assert (axes.get_xlim()[1] > np.max(np.asarray(data[0].get_xdata(), float))) == goes_on
    assert bool(axes.collections) == goes_on  # the band
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    low, high = axes.get_xlim()
    ticks = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert all(re.fullmatch(r"0|[\d.]+ (s|min|h|d)", tick.get_text()) for tick in ticks)
    boxes = [
        text.get_window_extent(renderer) for text in (*axes.texts, *ticks, axes.xaxis.label, axes.yaxis.label)
    ]
    for first, second in combinations(boxes, 2):
        assert not first.overlaps(second)
    width, height = canvas.get_width_height()
    for box in boxes:
        assert 0 <= box.x0 <= box.x1 <= width
        assert 0 <= box.y0 <= box.y1 <= height


def test_the_line_meets_the_limit_when_the_forecast_says() -> None:
    one = CASES["limit near"]
    axes = charts.draw_outlook(Figure().add_subplot(), one, SINCE)
    (dot,) = [line for line in axes.lines if np.size(line.get_xdata()) == 1]
    ahead = next(line for line in axes.lines if line.get_linestyle() == "--")
    (x0, x1), (y0, y1) = np.asarray(ahead.get_xdata(), float), np.asarray(ahead.get_ydata(), float)
    hour, height = float(np.asarray(dot.get_xdata())[0]), float(np.asarray(dot.get_ydata())[0])
    assert height == 8_000_000
    assert y0 + (y1 - y0) * (hour - x0) / (x1 - x0) == pytest.approx(height, rel=1e-3)
    assert charts.outlook_sentence(one, SINCE).endswith(
        "; stated limit 8.00 MB would be reached at 2026-11-23 15:54:02 UTC"
    )


def test_the_same_figures_give_the_same_bytes_and_follow_the_page() -> None:
    one = CASES["limit near"]
    assert charts.outlook_picture(one, SINCE) == charts.outlook_picture(one, SINCE)
    svg = plots.figure_svg(charts.outlook_figure(one, SINCE), "o", "d")
    assert not re.findall(r"#[0-9a-fA-F]{6}\b|\b(?:black|white)\b", svg)


def test_snapshots_of_another_process_are_left_out_and_told(tmp_path: Path) -> None:
    from tests.unit.analysis.growth.series_of_dumps import leak_series

    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    found = heapscope.snapshots(leak_series(one, [1, 2, 3], seed=1) + leak_series(two, [9], seed=2))
    incident = build_incident(found)
    assert [row.name for row in incident.snapshots] == ["s0", "s1", "s2"]
    (remark,) = [one for one in incident.remarks if "other processes" in one.title]
    assert "1 snapshot of 1 other process left out; these are of the JVM with seed 1." in remark.text
    forced = build_incident(found, force_series=True)
    assert len(forced.snapshots) == 4
    assert forced.outlook is not None
    assert any("compared as one series" in note for note in forced.outlook.notes)
