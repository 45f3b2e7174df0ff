"""The answer about logs: what they tell of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heapscope.agent.answer import Answer, Question
from heapscope.agent.workspace import Workspace
from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.summary import LogGroup, summarise
from heapscope.errors import HeapscopeError
from heapscope.progress import Progress
from heapscope.reporter.text import plural
from heapscope.units import format_time

_MOST = 20
_EXAMPLES = 3


def explain_log(work: Workspace, progress: Progress, logs: Sequence[str] = ()) -> Answer:
    """What logs tell of memory."""
    names = list(logs) or work.scope.logs()
    if not names:
        raise HeapscopeError("there is no log among what may be read: none ends in .log, .txt, .out or .err")
    files = [work.scope.resolve(name) for name in names[:_MOST]]
    if folders := [work.scope.name_of(each) for each in files if each.is_dir()]:
        raise HeapscopeError(f"{', '.join(folders)}: a folder; name the logs in it")
    done = 0

    def begun(_: object) -> None:
        nonlocal done
        progress("reading logs", done, len(files))
        done += 1

    summary = summarise(files, named=begun)
    leaks = [{"known_leak": each.id, "title": each.title} for each in summary.leaks]
    total = sum(group.count for group in summary.groups)
    if summary.groups:
        says = f"{plural(total, 'event')} of {plural(len(summary.groups), 'kind')}: " + ", ".join(
            f"{group.count:,} x {group.kind.id}" for group in summary.groups
        )
    else:
        says = f"nothing in {plural(len(files), 'log')} tells of memory"
    if leaks:
        says += f"; may be {leaks[0]['known_leak']}"
    return Answer(
        says,
        "logs hint; a heap dump of the process tells" if summary.groups else "",
        {"events": [_facts(work, each) for each in summary.groups], "may_be": leaks},
        rows="events",
        next=[Question("diagnose", {}, "what leaks, from heap dumps of the process")],
    )


def _facts(work: Workspace, group: LogGroup) -> dict[str, Any]:
    may, kind = work.disclosure, group.kind
    facts: dict[str, Any] = {
        "kind": kind.id,
        "what": kind.title,
        "count": group.count,
        "ended_a_process": kind.is_kill or None,
        "by": kind.who,
        "first": "" if group.first is None else format_time(group.first),
        "last": "" if group.last is None else format_time(group.last),
        "per_hour": None if group.per_hour is None else round(group.per_hour, 2),
        "numbers": [group.numbers[0], group.numbers[-1]] if len(group.numbers) > 1 else list(group.numbers),
        "reasons": [
            each for each in dict.fromkeys(kind.reason(detail) for detail, _ in group.details) if each
        ],
        "distinct_details": len(group.details),
        "details": [f"{count:,} x {may.value(detail)}" for detail, count in group.details]
        if may.values
        else [],
        "examples": [said for event in group.events[:_EXAMPLES] if (said := _sizes(work, event))],
        "frames": [{"frame": may.name(frame), "count": count} for frame, count in group.frames],
        "meaning": kind.means,
        "what_counts": kind.counts,
        "change": list(kind.change),
    }
    return {key: value for key, value in facts.items() if value not in ("", None, [])}


def _sizes(work: Workspace, event: LogEvent) -> dict[str, Any]:
    """The limit and the use that a line tells of; of whom only where values are said."""
    found: dict[str, Any] = {}
    if event.usage_bytes is not None:
        found["usage_bytes"] = event.usage_bytes
    if event.limit_bytes is not None:
        found["limit_bytes"] = event.limit_bytes
    if work.disclosure.values and event.victim:
        found["victim"] = work.disclosure.value(event.victim)
    return found
