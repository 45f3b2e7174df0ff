"""The answer about logs: what they tell of memory, who was ended at which limit, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heapscope.agent.answer import Answer, Question, without_empty
from heapscope.agent.workspace import Workspace
from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.analysis.logs.catalogue import log_kinds
from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.summary import LogGroup, LogSummary, summarise
from heapscope.errors import HeapscopeError
from heapscope.progress import Progress
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_time

_MOST = 20
_SHOWN = 5  # details, frames and events of a kind
_STEPS = 1000


def explain_log(work: Workspace, progress: Progress, logs: Sequence[str] = (), offset: int = 0) -> Answer:
    """What logs tell of memory."""
    names = list(logs) or work.scope.logs()
    if not names:
        raise HeapscopeError("there is no log among what may be read: none ends in .log, .txt, .out or .err")
    files = [work.scope.resolve(name) for name in names[:_MOST]]
    if folders := [work.scope.name_of(each) for each in files if each.is_dir()]:
        raise HeapscopeError(f"{', '.join(folders)}: a folder; name the logs in it")
    begun = 0

    def next_file(_: Path) -> None:
        nonlocal begun
        begun += 1

    def read(_: str, done: int, total: int, /) -> None:
        part = _STEPS * done // total if total else 0
        progress("reading logs", _STEPS * (begun - 1) + part, _STEPS * len(files))

    progress("reading logs", 0, len(files))
    summary = summarise(files, load_catalogue(), next_file, read)
    dumps = _dumps(work, summary)
    steps = summary.next_steps(lambda dump: dumps.get(dump) or work.disclosure.value(dump))
    notes = []
    if len(names) > _MOST:
        notes.append(f"the first {_MOST} of {len(names)} logs were read; name others to read them")
    return Answer(
        _says(summary),
        "a log tells what was written to it: a process that is killed from outside writes nothing itself. "
        "What filled the memory, a heap dump of the process tells",
        {
            "kills": summary.kill_count,
            "least_limit_bytes": summary.least_limit_bytes,
            "events": [_facts(work, each) for each in summary.groups[offset:]],
            "may_be": [{"known_leak": each.id, "title": each.title} for each in summary.leaks],
            "steps": [{"what": what, "command": command} for what, command in steps],
        },
        rows="events",
        offset=offset,
        total=len(summary.groups),
        next=_questions(work, list(dict.fromkeys(name for name in dumps.values() if name))),
        notes=notes,
    )


def _says(summary: LogSummary) -> str:
    logs = plural(len(summary.paths), "log")
    if not summary.groups:
        return (
            f"none of the {len(log_kinds())} kinds of events that heapscope knows is in {logs}; "
            "that does not say that memory was enough"
        )
    parts = []
    if summary.kill_count:
        limit = summary.least_limit_bytes
        at = "" if limit is None else f", the smallest limit {format_bytes(limit)}"
        parts.append(
            f"processes were ended because of memory ({plural(summary.kill_count, 'event')}{at}), by "
            + "; ".join(dict.fromkeys(each.kind.who for each in summary.groups if each.kind.is_kill))
        )
    total = sum(group.count for group in summary.groups)
    kinds = ", ".join(f"{group.count:,} x {group.kind.id}" for group in summary.groups)
    parts.append(f"{plural(total, 'event')} of {plural(len(summary.groups), 'kind')}: {kinds}")
    if summary.leaks:
        parts.append(f"may be {summary.leaks[0].id}")
    return "; ".join(parts)


def _dumps(work: Workspace, summary: LogSummary) -> dict[str, str]:
    """Heap dumps that the logs name: the name by which they can be asked for, or empty."""
    found = {}
    for group in summary.groups:
        for event in group.events:
            if event.dump and event.dump not in found:
                found[event.dump] = _name_in_scope(work, event)
    return found


def _name_in_scope(work: Workspace, event: LogEvent) -> str:
    # The log has the path of the machine, or the container, on which the JVM ran.
    for name in (event.dump, Path(event.dump).name):
        try:
            path = work.scope.resolve(name)
        except (HeapscopeError, OSError):
            continue
        if path.is_file():
            return work.scope.name_of(path)
    return ""


def _questions(work: Workspace, dumps: Sequence[str]) -> list[Question]:
    if dumps:
        return [
            Question(
                "diagnose", {"snapshots": dumps[-3:]}, "what leaks, from dumps of the name that the log has"
            )
        ]
    try:
        work.scope.snapshots()
    except HeapscopeError:
        return []
    return [Question("diagnose", {}, "what leaks, from heap dumps of the process")]


def _facts(work: Workspace, group: LogGroup) -> dict[str, Any]:
    may, kind = work.disclosure, group.kind
    reasons = (kind.reason(detail) for detail, _ in group.details)
    shown = [each for each in group.events if kind.is_kill or each.victim or each.dump][:_SHOWN]
    facts: dict[str, Any] = {
        "kind": kind.id,
        "what": kind.title,
        "count": group.count,
        "is_kill": kind.is_kill or None,
        "by": kind.who,
        "first": "" if group.first is None else format_time(group.first),
        "last": "" if group.last is None else format_time(group.last),
        "per_hour": None if group.per_hour is None else round(group.per_hour, 2),
        "seconds": _ends(group.positions) if group.are_seconds else [],
        "numbers": _ends(group.numbers),
        "before": _ends(group.befores),
        "reasons": list(dict.fromkeys(reason for reason in reasons if reason)),
        "distinct_details": len(group.details),
        "details": [f"{count:,} x {may.value(detail)}" for detail, count in group.details[:_SHOWN]]
        if may.values
        else [],
        "frames": [{"frame": may.name(frame), "count": count} for frame, count in group.frames[:_SHOWN]],
        "each": [_event_facts(work, each) for each in shown],
        "meaning": kind.means,
        "what_counts": kind.counts,
        "change": list(kind.change),
    }
    return without_empty(facts)


def _event_facts(work: Workspace, event: LogEvent) -> dict[str, Any]:
    """One event; sizes as numbers, for the text of a line may be anything."""
    may = work.disclosure
    return without_empty(
        {
            "log": may.name(work.scope.name_of(event.path)),
            "line": event.line,
            "time": "" if event.time is None else format_time(event.time),
            "who": event.victim and may.value(event.victim),
            "usage_bytes": event.usage_bytes,
            "limit_bytes": event.limit_bytes,
            "heap_dump": event.dump and (_name_in_scope(work, event) or may.value(event.dump)),
            "says": may.value(event.says) if event.says and may.values else "",
        }
    )


def _ends(values: Sequence[float]) -> list[float]:
    return [values[0], values[-1]] if len(values) > 1 else list(values)
