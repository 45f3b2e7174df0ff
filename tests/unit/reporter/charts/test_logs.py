"""Charts of logs: a panel for each kind of dated events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from heapscope.analysis.logs.catalogue import log_kinds
from heapscope.analysis.logs.summary import LogGroup, summarise
from heapscope.reporter.charts.logs import draw_events, events_picture


def test_the_line_ends_at_the_number_of_events(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    line = "2026-01-01 00:00:{:02} ERROR java.lang.OutOfMemoryError: Java heap space\n"
    log.write_text("".join(line.format(second) for second in range(12)))
    (group,) = summarise([log], []).groups
    axes = draw_events(Figure().subplots(), group, "#000000")
    (drawn,) = axes.lines
    assert np.asarray(drawn.get_ydata()).tolist() == list(range(1, 13))
    assert events_picture([group]).startswith(b"\x89PNG")


def drawn_by(monkeypatch: pytest.MonkeyPatch, groups: Sequence[LogGroup]) -> list[Axes]:
    """The panels of a picture, which is not written."""
    figures: list[Figure] = []
    monkeypatch.setattr(
        "heapscope.reporter.charts.logs.save", lambda figure, *_, **__: figures.append(figure)
    )
    events_picture(groups)
    (figure,) = figures
    return list(figure.axes)


def test_every_kind_that_heapscope_knows_is_drawn_in_the_order_of_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    kinds = list(log_kinds().values())
    groups = [
        LogGroup(kind, 1, times=(when + timedelta(minutes=place),) if place % 3 else ())
        if place % 3
        else LogGroup(kind, 1, positions=(1.0 + place,), are_seconds=bool(place % 2))
        for place, kind in enumerate(kinds)
    ]
    panels = drawn_by(monkeypatch, groups)
    assert len(panels) == len(kinds) > 50
    assert [panel.get_title(loc="left") for panel in panels] == [kind.title for kind in kinds]
    dated = {tuple(panel.get_xlim()) for panel, group in zip(panels, groups, strict=True) if group.times}
    assert len(dated) == 1  # one axis of time for all that has dates


def test_nothing_ends_before_the_text_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "worker.log"
    log.write_text(
        "2026-01-01 00:00:01 ERROR java.lang.OutOfMemoryError: Java heap space\n"
        "2026-01-01 00:00:59 ERROR java.lang.OutOfMemoryError: Metaspace\n"
        "2026-01-01 00:02:00 Container killed on request. Exit code is 137\n"
    )
    undated = tmp_path / "undated.log"
    undated.write_text("java.lang.OutOfMemoryError: Java heap space\n")
    groups = summarise([log, undated], []).groups
    panels = drawn_by(monkeypatch, groups)
    assert len(panels) == 2
    errors = next(panel for panel in panels if "OutOfMemoryError" in panel.get_title(loc="left"))
    edge = errors.get_xlim()[1]
    ends: list[Any] = [np.asarray(line.get_xdata())[-1] for line in errors.lines]
    assert max(map(date2num, ends)) == pytest.approx(edge)
    # Two of three have a date: the panel says so and does not pass for all.
    assert errors.texts[0].get_text().startswith("2 of 3")


def test_every_kind_that_is_counted_has_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "all.log"
    log.write_text(
        "2026-01-01 00:00:01 ERROR java.lang.OutOfMemoryError: Java heap space\n"
        "[1.5s][info][gc] GC(11) Pause Full (G1 Compaction Pause) 20M->20M(20M) 5.1ms\n"
        "[2.5s][info][gc] GC(12) Pause Full (G1 Compaction Pause) 20M->19M(20M) 5.1ms\n"
    )
    undated = tmp_path / "undated.log"
    undated.write_text("x\nJNI global refs: 1000, weak refs: 0\n")
    groups = summarise([log, undated], []).groups
    drawn: list[str] = []

    def spy(axes: Axes, group: LogGroup, colour: str, ends: Any) -> Axes:
        drawn.append(group.kind.id)
        return draw_events(axes, group, colour, ends)

    monkeypatch.setattr("heapscope.reporter.charts.logs.draw_events", spy)
    assert events_picture(groups).startswith(b"\x89PNG")
    assert drawn == [group.kind.id for group in groups]
    assert len(drawn) == 4


def test_the_heap_before_and_after_collections_is_drawn(tmp_path: Path) -> None:
    log = tmp_path / "gc.log"
    log.write_text(
        "[1.500s][info][gc] GC(1) Pause Full (G1) 40M->39M(40M) 5ms\n"
        "[2.500s][info][gc] GC(2) Pause Full (G1) 40M->40M(40M) 5ms\n"
    )
    (group,) = summarise([log], []).groups
    axes = draw_events(Figure().subplots(), group, "#000000")
    after, before = axes.lines
    assert np.asarray(before.get_ydata()).tolist() == [40 << 20, 40 << 20]
    assert np.asarray(after.get_ydata()).tolist() == [39 << 20, 40 << 20]
    assert np.asarray(after.get_xdata()).tolist() == [1.5, 2.5]
