"""The answer about logs: what they tell of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heapscope.agent.answer import Answer, Question
from heapscope.agent.workspace import Workspace
from heapscope.analysis.leaks.logs import LogGroup, summarise
from heapscope.errors import HeapscopeError
from heapscope.progress import Progress
from heapscope.reporter.log_meanings import meaning_of, reason_of, title_of
from heapscope.reporter.text import plural
from heapscope.units import format_time

_MOST = 20


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
            f"{group.count:,} x {group.kind}" for group in summary.groups
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
    may = work.disclosure
    facts: dict[str, Any] = {
        "kind": group.kind,
        "what": title_of(group.kind),
        "count": group.count,
        "first": "" if group.first is None else format_time(group.first),
        "last": "" if group.last is None else format_time(group.last),
        "per_hour": None if group.per_hour is None else round(group.per_hour, 2),
        "numbers": [group.numbers[0], group.numbers[-1]] if len(group.numbers) > 1 else list(group.numbers),
        "reasons": list(
            dict.fromkeys(
                reason
                for detail, _ in group.details
                if group.kind == "out of memory error" and (reason := reason_of(detail))
            )
        ),
        "distinct_details": len(group.details),
        "details": [f"{count:,} x {may.value(detail)}" for detail, count in group.details]
        if may.values
        else [],
        "frames": [{"frame": may.name(frame), "count": count} for frame, count in group.frames],
        "meaning": meaning_of(group.kind),
    }
    return {key: value for key, value in facts.items() if value not in ("", None, [])}
