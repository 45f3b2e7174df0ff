"""The live table of ``heapscope watch``, by rich; only imported where stdout is a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from heapscope.cli.common.answer import encodes, shorten
from heapscope.cli.common.sparkline import blocks, sparkline
from heapscope.reporter.text import plural, printable
from heapscope.units import format_duration

if TYPE_CHECKING:
    from heapscope.analysis.memory.history import ProcessHistory, WatchHistory
    from heapscope.collector.memory import Sample

_SPARK_WIDTH = 12
_NARROW_NAME, _WIDE_NAME = 12, 48
_STYLES = {"java heap": "bold red", "steady": "green", "too early": "dim", "garbage": "green"}


class Screen:
    """Draws one table again and again in place; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._blocks = blocks()

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, samples: list[Sample], history: WatchHistory) -> None:
        """Draw what was sampled last."""
        self._live.update(self.drawn(samples, history), refresh=True)

    def drawn(self, samples: list[Sample], history: WatchHistory) -> Group:
        """The table: the processes that grew most, as many as the terminal has lines for."""
        seen = [(sample, history[sample.pid, sample.start_ticks]) for sample in samples]
        seen.sort(key=lambda pair: -pair[1].rss_growth)
        room = max(1, self._console.height - 5)
        room_for_names = max(_NARROW_NAME, min(_WIDE_NAME, _NARROW_NAME + self._console.width - 80))
        ellipsis = "…" if encodes("…", sys.stdout) else "..."
        table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
        for label, is_text in (
            ("pid", False),
            ("main class or script" if room_for_names > _NARROW_NAME else "what runs", True),
            ("rss MB", False),
            ("grew MB", False),
            ("in heap MB", False),
            ("rss over time", True),
            ("what grew", True),
        ):
            table.add_column(label, justify="left" if is_text else "right", no_wrap=True, header_style="bold")
        for sample, process in seen[:room]:
            verdict = process.verdict()
            first, more = verdict.growers[0], len(verdict.causes) - 1
            has_ended = first.state == "levelled off"
            label = f"{first.cause}{', level' if has_ended else ''}{f' +{more}' if more else ''}"
            table.add_row(
                str(sample.pid),
                Text(_named(process, room_for_names, ellipsis)),
                _megabytes(sample.rss_bytes),
                _megabytes(process.rss_growth, signed=True),
                _last(process.columns["heap_rss_bytes"]),
                sparkline([value or 0 for value in process.columns["rss_bytes"]], _SPARK_WIDTH, self._blocks),
                Text(label, style="green" if has_ended else _STYLES.get(first.cause, "bold yellow")),
            )
        notes = [plural(len(samples), "process", "processes") if samples else "no process with a JVM yet"]
        if len(seen) > room:
            notes.append(f"the {room} that grew most are shown")
        if seen:
            longest = max(process.seconds[-1] - process.seconds[0] for _, process in seen)
            notes.append(f"watched for {format_duration(longest)}")
        return Group(table, Text("; ".join([*notes, "Ctrl-C ends"]), style="dim"))


def _named(process: ProcessHistory, width: int, ellipsis: str) -> str:
    """The task of TensorFlow, with its script where there is room; else main class or script."""
    program = printable(process.program)
    if process.role is None:
        return shorten(program, width, ellipsis) or "-"
    task = printable(process.name.partition(" (")[0])[:_NARROW_NAME]
    both = f"{task} {program}".rstrip()
    return both if len(both) <= width else task


def _megabytes(value: float, *, signed: bool = False) -> str:
    return f"{value / 1e6:{'+' if signed else ''},.1f}"


def _last(values: list[float | None]) -> str:
    value = next((value for value in reversed(values) if value is not None), None)
    return "-" if value is None else _megabytes(value)
