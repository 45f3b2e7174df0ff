"""What logs say about memory, in plain words, with a line of bars for events over time."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime

from heapscope.analysis.leaks.logs import LogGroup, LogSummary
from heapscope.reporter.log_meanings import meaning_of, reason_of, title_of
from heapscope.reporter.text import plural, printable, shorten
from heapscope.secrets import scrub
from heapscope.units import format_bytes, format_count, format_duration

BARS = "▁▂▃▄▅▆▇█"
INTERVALS = 40
_DETAIL = 200
_BYTES = ("native allocation failed", "oom killer", "heap dump written")


def summary_lines(summary: LogSummary, width: int = 80) -> list[str]:
    """The summary as text."""
    if not summary.groups:
        read = ", ".join(printable(path.name) for path in summary.paths)
        return textwrap.wrap(
            f"Nothing in {read} tells of memory: no OutOfMemoryError, no thread dump, no line of Hadoop's at "
            "level DEBUG, no crash report, no OOM killer.",
            width,
        )
    lines: list[str] = []
    for group in summary.groups:
        lines += [*([""] if lines else []), *group_lines(group, width)]
    if summary.leaks:
        lines += ["", "Known leaks that this may be"]
        for leak in summary.leaks:
            lines += _wrapped(f"{leak.title} ({leak.id})", width, "  - ", "    ")
        lines += _wrapped(
            "'heapscope diagnose' on a heap dump of the process tells which.", width, "  ", "  "
        )
    return lines


def group_lines(group: LogGroup, width: int = 80) -> list[str]:
    """The lines of one kind of events."""
    lines = _wrapped(title_of(group.kind), width, "", "")
    lines += _wrapped(f"{plural(group.count, 'time')}{_when(group)}", width, "  ", "  ")
    lines += [f"  {line}" for line in chart_lines(group)]
    for detail, count in group.details:
        reason = reason_of(detail) if group.kind == "out of memory error" else ""
        text = printable(shorten(scrub(detail), _DETAIL)) + (f": {reason}" if reason else "")
        lines += _wrapped(f"{format_count(count)} x {text}", width, "  ", "      ")
    for frame, count in group.frames:
        lines += _wrapped(
            f"{format_count(count)} x at {printable(shorten(frame, _DETAIL))}", width, "  ", "      "
        )
    lines += _wrapped(meaning_of(group.kind), width, "  ", "  ")
    return lines


def chart_lines(group: LogGroup) -> list[str]:
    """Bars: how many in each interval of time, or the figures one after the other."""
    lines = []
    if len(group.numbers) > 1:
        format_value = format_bytes if group.kind in _BYTES else format_count
        numbers = _thinned(group.numbers)
        lines.append(
            f"{bars(numbers)}  {format_value(group.numbers[0])} -> {format_value(group.numbers[-1])}"
        )
    elif len(group.times) > 2 and group.times[-1] > group.times[0]:
        counts, seconds = histogram(group.times)
        lines.append(
            f"{bars(counts)}  each bar {format_duration(seconds)}, at most {format_count(max(counts))}"
        )
    return lines


def bars(values: Sequence[float]) -> str:
    """A bar for each value: a blank for 0, a full block for the largest."""
    top = max(values, default=0) or 1
    return "".join(" " if value <= 0 else BARS[min(int(value / top * 8), 7)] for value in values)


def histogram(times: Sequence[datetime], intervals: int = INTERVALS) -> tuple[list[int], float]:
    """Events in equal intervals from the first to the last, and the seconds of one."""
    span = (times[-1] - times[0]).total_seconds()
    counts = [0] * min(intervals, max(len(times), 2))
    for moment in times:
        place = int((moment - times[0]).total_seconds() / span * len(counts))
        counts[min(place, len(counts) - 1)] += 1
    return counts, span / len(counts)


def _thinned(values: Sequence[float]) -> list[float]:
    if len(values) <= INTERVALS:
        return list(values)
    return [values[round(i * (len(values) - 1) / (INTERVALS - 1))] for i in range(INTERVALS)]


def _when(group: LogGroup) -> str:
    if group.first is None or group.last is None:
        return ", not dated"
    if group.first == group.last:
        return f", {_clock(group.first)}"
    rate = group.per_hour
    speed = f", about {format_count(float(f'{rate:.3g}'))} an hour" if rate and group.count > 2 else ""
    return f", from {_clock(group.first)} to {_clock(group.last)}{speed}"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
