"""Charts of logs: a panel for each kind of dated events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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

    def spy(axes: Axes, group: LogGroup, colour: str) -> Axes:
        drawn.append(group.kind.id)
        return draw_events(axes, group, colour)

    monkeypatch.setattr("heapscope.reporter.charts.logs.draw_events", spy)
    assert events_picture(groups).startswith(b"\x89PNG")
    assert sorted(drawn) == sorted(group.kind.id for group in groups)
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
