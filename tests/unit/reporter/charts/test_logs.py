"""Charts of logs: a panel for each kind of dated events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from heapscope.analysis.logs.summary import summarise
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
