"""Logs in plain words: bars and intervals of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from heapscope.analysis.logs.summary import summarise
from heapscope.reporter.log_text import BARS, bars, histogram, summary_lines

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_bars_are_as_high_as_their_share() -> None:
    assert bars([0, 1, 8]) == f" {BARS[1]}{BARS[7]}"
    assert bars([]) == ""
    assert bars([0, 0]) == "  "


def test_every_event_is_in_one_interval() -> None:
    times = [START + timedelta(minutes=minute) for minute in (0, 1, 59, 60)]
    counts, seconds = histogram(times, intervals=2)
    assert counts == [2, 2]
    assert seconds == 1800


def test_lines_keep_to_the_width(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    line = "2026-01-01 00:00:{:02} ERROR java.lang.OutOfMemoryError: Java heap space\n"
    log.write_text("".join(line.format(second) for second in range(30)))
    summary = summarise([log], [])
    assert [group.count for group in summary.groups] == [30]
    lines = summary_lines(summary, 60)
    assert (
        max(len(line) for line in lines if not line.startswith("    heapscope ")) <= 60
    )  # commands are pasted
    assert any("30" in text for text in lines)
    empty = tmp_path / "empty.log"
    empty.write_text("nothing of interest\n")
    assert "empty.log" in " ".join(summary_lines(summarise([empty], []), 60))
