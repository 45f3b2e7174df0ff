"""What logs say about memory, in plain words, with a line of bars for events over time."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from heapscope.analysis.logs.catalogue import log_kinds
from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.summary import LogGroup, LogSummary
from heapscope.reporter.text import plural, printable, shorten
from heapscope.secrets import scrub
from heapscope.units import format_bytes, format_count, format_duration

BARS = "▁▂▃▄▅▆▇█"
INTERVALS = 40
SHOWN = 12  # details, and events, of a kind; --json has all
_DETAIL = 200


def summary_lines(summary: LogSummary, width: int = 80) -> list[str]:
    """The summary as text."""
    if not summary.groups:
        return _nothing(summary, width)
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
    if steps := summary.next_steps():
        lines += ["", "Next"]
        for sentence, command in steps:
            lines += _wrapped(sentence, width, "  ", "  ")
            lines.append(f"    {printable(command)}")
    return lines


def _nothing(summary: LogSummary, width: int) -> list[str]:
    read = ", ".join("standard input" if str(path) == "-" else printable(path.name) for path in summary.paths)
    kinds = log_kinds()
    return [
        *textwrap.wrap(
            f"None of the {len(kinds)} kinds of events that heapscope knows is in {read}. That does not say "
            "that memory was enough: a process that is killed from outside writes nothing itself.",
            width,
        ),
        *_wrapped(f"Looked for: {', '.join(kinds)}.", width, "", "  "),
    ]


def group_lines(group: LogGroup, width: int = 80) -> list[str]:
    """The lines of one kind of events."""
    kind = group.kind
    lines = _wrapped(kind.title, width, "", "")
    lines += _wrapped(f"{plural(group.count, 'time')}{_when(group)}", width, "  ", "  ")
    lines += [f"  {line}" for line in chart_lines(group)]
    if kind.who:
        lines += _wrapped(f"By: {kind.who}", width, "  ", "      ")
    if _has_stories(group):
        lines += _event_lines(group, width)
    else:
        lines += _detail_lines(group, width)
    for frame, count in group.frames[:SHOWN]:
        text = f"{format_count(count)} x at {printable(shorten(frame, _DETAIL))}"
        lines += _wrapped(text, width, "  ", "      ")
    lines += _more(len(group.frames) - SHOWN, "more first frames")
    lines += _wrapped(kind.means, width, "  ", "  ")
    if kind.counts:
        lines += _wrapped(f"What counts: {kind.counts}.", width, "  ", "      ")
    for place, change in enumerate(kind.change):
        lines += _wrapped(change, width, "  Change: " if not place else "          ", "          ")
    return lines


def group_facts(group: LogGroup) -> dict[str, Any]:
    """A group as JSON has it: every detail, and the first 1,000 events whole."""
    kind = group.kind
    return {
        "kind": kind.id,
        "title": kind.title,
        "meaning": kind.means,
        "is_kill": kind.is_kill,
        "by": kind.who,
        "what_counts": kind.counts,
        "change": list(kind.change),
        "count": group.count,
        "details": [[scrub(detail), count] for detail, count in group.details],
        "frames": [list(each) for each in group.frames],
        "first": group.first,
        "last": group.last,
        "per_hour": group.per_hour,
        "times": [each.isoformat() for each in group.times],
        "numbers": list(group.numbers),
        "before": list(group.befores),
        "events": [_event_facts(event) for event in group.events],
        "leak_ids": list(group.leak_ids),
    }


def _event_facts(event: LogEvent) -> dict[str, Any]:
    return {
        "file": str(event.path),
        "line": event.line,
        "time": event.time,
        "uptime_seconds": event.uptime,
        "detail": scrub(event.detail),
        "number": event.number,
        "victim": scrub(event.victim),
        "usage": event.usage,
        "usage_bytes": event.usage_bytes,
        "limit": event.limit,
        "limit_bytes": event.limit_bytes,
        "before_bytes": event.before_bytes,
        "heap_dump": event.dump,
        "frame": event.frame,
        "says": scrub(event.says),
    }


def _has_stories(group: LogGroup) -> bool:
    """Whether events are told one by one: who was ended, and at which limit."""
    return group.kind.is_kill or any(event.victim or event.dump for event in group.events)


def _event_lines(group: LogGroup, width: int) -> list[str]:
    """The first events in words; the same words are said once."""
    stories: dict[str, tuple[int, LogEvent]] = {}
    for event in group.events:
        story = event_text(event, group)
        count, first = stories.get(story, (0, event))
        stories[story] = count + 1, first
    lines: list[str] = []
    for story, (count, first) in list(stories.items())[:SHOWN]:
        often = f"{format_count(count)} x " if group.count > 1 or count > 1 else ""
        when = f"{_clock(first.time)}  " if first.time is not None and count == 1 and group.count > 1 else ""
        lines += _wrapped(f"{often if count > 1 else ''}{when}{story}", width, "  ", "      ")
        meaning = group.kind.reason(first.detail)
        if meaning:
            lines += _wrapped(meaning, width, "      ", "      ")
    told = sum(count for count, _ in list(stories.values())[:SHOWN])
    lines += _more(group.count - told, "more")
    return lines


def event_text(event: LogEvent, group: LogGroup) -> str:
    """One event in words: who, how much of which limit, what else."""
    if event.usage and event.limit:
        size = f"{event.usage} of {event.limit}"
    elif event.limit:
        size = f"limit {event.limit}"
    elif event.usage:
        size = event.usage
    else:
        size = ""
    if event.number is not None and not size and not event.victim:
        size = format_bytes(event.number) if group.kind.id in _BYTES else format_count(event.number)
    detail = "" if event.detail in ("OOMKilled", *([event.victim] if event.victim else [])) else event.detail
    parts = [part for part in (event.victim, size, detail, event.says) if part]
    text = f"{parts[0]}: {', '.join(parts[1:])}" if event.victim and len(parts) > 1 else ", ".join(parts)
    return printable(shorten(scrub(text), 2 * _DETAIL)) or "no more is said"


_BYTES = ("native allocation failed", "oom killer", "heap dump written")


def _detail_lines(group: LogGroup, width: int) -> list[str]:
    lines: list[str] = []
    sizes: dict[str, str] = {}
    for event in group.events:
        if event.usage and event.limit and not group.numbers:
            sizes.setdefault(event.detail, f"{event.usage} of {event.limit}")
    for detail, count in group.details[:SHOWN]:
        reason = group.kind.reason(detail)
        text = printable(shorten(scrub(detail), _DETAIL))
        text += f" ({sizes[detail]})" if detail in sizes else ""
        lines += _wrapped(
            f"{format_count(count)} x {text}{f': {reason}' if reason else ''}", width, "  ", "      "
        )
    return lines + _more(len(group.details) - SHOWN, "more of other words")


def _more(count: int, what: str) -> list[str]:
    return [f"  and {format_count(count)} {what} (all in --json)"] if count > 0 else []


def chart_lines(group: LogGroup) -> list[str]:
    """Bars: how many in each interval of time, or the figures one after the other."""
    lines = []
    if len(group.numbers) > 1:
        format_value = format_count if group.kind.id == "jni global references" else format_bytes
        series = (
            [(group.befores, "before"), (group.numbers, "after")] if group.befores else [(group.numbers, "")]
        )
        top = max(max(values) for values, _ in series)
        for values, name in series:
            ends = f"{format_value(values[0])} -> {format_value(values[-1])}"
            lines.append(f"{bars(_thinned(values), top)}  {ends}{f' {name}' if name else ''}")
    elif len(group.times) > 2 and group.times[-1] > group.times[0]:
        counts, seconds = histogram(group.times)
        lines.append(
            f"{bars(counts)}  each bar {format_duration(seconds)}, at most {format_count(max(counts))}"
        )
    return lines


def bars(values: Sequence[float], top: float = 0) -> str:
    """A bar for each value: a blank for 0, a full block for the largest, or for ``top``."""
    top = top or max(values, default=0) or 1
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
        if group.are_seconds:
            first, last = group.positions[0], group.positions[-1]
            beginning = "after boot" if group.kind.reader == "kernel" else "after the start"
            until = f" to {format_duration(last)}" if last != first else ""
            return f", {format_duration(first)}{until} {beginning}"
        return ", not dated"
    dated = "" if len(group.times) >= min(group.count, 100_000) else f" ({len(group.times):,} of them dated)"
    if group.first == group.last:
        return f", {_clock(group.first)}{dated}"
    rate = group.per_hour
    speed = f", about {format_count(float(f'{rate:.3g}'))} an hour" if rate and group.count > 2 else ""
    return f", from {_clock(group.first)} to {_clock(group.last)}{speed}{dated}"


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
