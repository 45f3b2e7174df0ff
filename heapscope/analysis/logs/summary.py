"""Events of logs, counted and dated, what to do next, and the known leaks that they hint at."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.logs.catalogue import LogKind, log_kinds
from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.reading import read_log
from heapscope.analysis.thresholds import LEAST_CREATED, LEAST_REFERENCES, REFERENCES_GROWTH
from heapscope.progress import Progress, no_progress

_KEPT = 100_000  # times of one kind that are kept for the chart
_DISTINCT = 10_000  # details that are told apart
_EXAMPLES = 1000  # events of one kind that are kept whole
# Kinds whose figures are one series: the heap, the references of one JVM.  Victims of kills are not.
_SERIES = ("jni global references", "full collection", "full collection frees nothing")


@dataclass(frozen=True, slots=True)
class LogGroup:
    """Events of one kind.

    Attributes
    ----------
    kind : LogKind
    count : int
    details : tuple of (str, int)
        What tells them apart, with counts, the most frequent first; all of them.
    frames : tuple of (str, int)
        First frames of stacks.
    first, last : datetime or None
    times : tuple of datetime
        Of the events that are dated, in order.
    numbers : tuple of float
        Figures of the events that have one, in the order of the text; empty where they are no series.
    befores : tuple of float
        Of collections: the heap before each of ``numbers``.
    positions : tuple of float
        Seconds since boot or since the JVM began, else lines, of events where none is dated.
    are_seconds : bool
        Whether ``positions`` are seconds.
    events : tuple of LogEvent
        The first ones, whole.
    leak_ids : tuple of str
        Known leaks that such events hint at.
    """

    kind: LogKind
    count: int
    details: tuple[tuple[str, int], ...] = ()
    frames: tuple[tuple[str, int], ...] = ()
    first: datetime | None = None
    last: datetime | None = None
    times: tuple[datetime, ...] = ()
    numbers: tuple[float, ...] = ()
    befores: tuple[float, ...] = ()
    positions: tuple[float, ...] = ()
    are_seconds: bool = False
    events: tuple[LogEvent, ...] = ()
    leak_ids: tuple[str, ...] = ()

    @property
    def per_hour(self) -> float | None:
        """Mean frequency between the first and the last dated event; None for fewer than two."""
        if self.first is None or self.last is None or len(self.times) < 2:
            return None
        seconds = (self.last - self.first).total_seconds()
        return (len(self.times) - 1) / seconds * 3600 if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What logs tell of memory: groups of events, what matters most first."""

    paths: tuple[Path, ...]
    groups: tuple[LogGroup, ...]
    leaks: tuple[KnownLeak, ...]  # that any group hints at

    @property
    def kill_count(self) -> int:
        """Events in which a process was ended because of memory, as far as the text says so."""
        return sum(group.count for group in self.groups if group.kind.is_kill)

    @property
    def least_limit_bytes(self) -> int | None:
        """The smallest limit at which a process was ended; None where no line says one."""
        return _least_limit(self.groups)

    def next_steps(self, named: Callable[[str], str] = shlex.quote) -> list[tuple[str, str]]:
        """What to do next: a sentence, and a command to paste (empty where there is none).

        Parameters
        ----------
        named : callable
            How a command writes the path of a heap dump.
        """
        return _next_steps(self.groups, named)


@dataclass
class _Pile:
    count: int = 0
    details: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    befores: list[float] = field(default_factory=list)
    uptimes: list[float] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    events: list[LogEvent] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)


def summarise(
    paths: Sequence[Path],
    catalogue: Sequence[KnownLeak] | None = None,
    named: Callable[[Path], None] | None = None,
    progress: Progress = no_progress,
) -> LogSummary:
    """Read logs.

    Parameters
    ----------
    paths : sequence of Path
        Text files, plain or gzip; ``-`` is standard input.
    catalogue : sequence of KnownLeak, optional
        Whose ``log_patterns`` are looked for.
    named : callable, optional
        Told each file before it is read.
    progress : Progress
        Bytes of the file that is read.

    Raises
    ------
    HeapscopeError
        A file cannot be read, or is no text.
    """
    leaks = load_catalogue() if catalogue is None else catalogue
    patterns = [(leak, re.compile(pattern)) for leak in leaks for pattern in leak.log_patterns]
    either = re.compile("|".join(f"(?:{each.pattern})" for _, each in patterns)) if patterns else None
    piles: dict[str, _Pile] = {}
    for path in paths:
        if named is not None:
            named(path)
        for event in read_log(path, either, progress):
            _add(piles.setdefault(event.kind, _Pile()), event, patterns)
    groups = tuple(_group(kind, piles[kind.id]) for kind in log_kinds().values() if kind.id in piles)
    hinted = {leak_id for group in groups for leak_id in group.leak_ids}
    return LogSummary(tuple(paths), groups, tuple(leak for leak in leaks if leak.id in hinted))


def _add(pile: _Pile, event: LogEvent, patterns: Iterable[tuple[KnownLeak, re.Pattern[str]]]) -> None:
    pile.count += 1
    for counter, key in ((pile.details, event.detail), (pile.frames, event.frame)):
        if key and (key in counter or len(counter) < _DISTINCT):
            counter[key] += 1
    if len(pile.events) < _EXAMPLES:
        pile.events.append(event)
    if event.time is not None and len(pile.times) < _KEPT:
        pile.times.append(event.time)
    if len(pile.lines) < _KEPT:
        pile.lines.append(float(event.line))
        if event.uptime is not None:
            pile.uptimes.append(event.uptime)
    if event.number is not None and len(pile.numbers) < _KEPT:
        pile.numbers.append(event.number)
        if event.before_bytes is not None:
            pile.befores.append(float(event.before_bytes))
    for leak, pattern in patterns:
        if pattern.search(event.text):
            pile.hits[leak.id] += 1


def _group(kind: LogKind, pile: _Pile) -> LogGroup:
    # A series keeps the order of the text, in which its figures stand.
    is_series = kind.id in _SERIES
    times = pile.times if is_series else sorted(pile.times)
    has_uptimes = len(pile.uptimes) == len(pile.lines)
    return LogGroup(
        kind=kind,
        count=pile.count,
        details=tuple(pile.details.most_common()),
        frames=tuple(pile.frames.most_common()),
        first=min(times, default=None),
        last=max(times, default=None),
        times=tuple(times),
        numbers=tuple(pile.numbers) if is_series else (),
        befores=tuple(pile.befores) if is_series else (),
        positions=() if times else tuple(pile.uptimes if has_uptimes else pile.lines),
        are_seconds=not times and has_uptimes,
        events=tuple(pile.events),
        leak_ids=tuple(pile.hits) if _is_telling(kind.id, pile) else (),
    )


def _is_telling(kind: str, pile: _Pile) -> bool:
    """Whether events of a kind are so many that they hint at a leak."""
    if kind == "known pattern":
        return max(pile.hits.values(), default=0) >= LEAST_CREATED
    if kind in ("file system created", "cache bypassed", "keytab login"):
        return bool(pile.details) and pile.details.most_common(1)[0][1] >= LEAST_CREATED
    if kind == "jni global references":
        first, last = pile.numbers[0], pile.numbers[-1]
        return len(pile.numbers) > 1 and last >= LEAST_REFERENCES and last >= REFERENCES_GROWTH * first
    return True


# --- what to do next ---

_HEAP_REASONS = ("Java heap space", "GC overhead", "scalar replaced", "heap size exceeded")
_POD_KINDS = ("kubernetes oom kill", "kubernetes eviction", "container oom kill", "spark executor killed")


def _next_steps(groups: Sequence[LogGroup], named: Callable[[str], str]) -> list[tuple[str, str]]:
    found = {group.kind.id: group for group in groups}
    steps: list[tuple[str, str]] = []
    whole = [event.dump for event in _events(found, "heap dump written") if event.dump]
    partial = [event.dump for event in _events(found, "heap dump failed") if event.dump]
    if whole:
        steps.append(("Read the heap dump that was written:", f"heapscope diagnose {_pasted(whole, named)}"))
    if partial:
        steps.append(
            (
                "What is there of the heap dump that failed can be read in part:",
                f"heapscope diagnose --partial {_pasted(partial, named)}",
            )
        )
    is_killed = any(group.kind.is_kill for group in groups)
    is_full = any(
        reason in detail
        for name in ("out of memory error", "jvm ended itself")
        for detail, _ in (found[name].details if name in found else ())
        for reason in _HEAP_REASONS
    )
    is_full = is_full or "full collection frees nothing" in found or "gc in distress" in found
    if "full collection frees nothing" in found:
        steps.append(
            (
                "If the process still runs, take a heap dump while it is full:",
                "heapscope collect PID -o dumps",
            )
        )
    if is_killed or is_full or "yarn container ended" in found or "native allocation failed" in found:
        limit = _limit(groups)
        steps.append(
            (
                "For the next time, let snapshots be taken before memory runs out:",
                f"heapscope collect PID --trigger 'rss>{limit}' -o dumps"
                if is_killed and limit
                else "heapscope collect PID --trigger 'old-growth>200M/h' -o dumps",
            )
        )
    if is_killed and not is_full:
        steps.append(
            (
                "Whether it is the Java heap or memory outside of it that grows, watching tells:",
                "heapscope watch PID",
            )
        )
    if any(name in found for name in _POD_KINDS):
        steps.append(
            (
                "In a pod the file system goes with the container: let the JVM write its dumps on a volume:",
                "-XX:+HeapDumpOnOutOfMemoryError -XX:HeapDumpPath=/VOLUME",
            )
        )
    return steps


def _events(found: dict[str, LogGroup], kind: str) -> tuple[LogEvent, ...]:
    return found[kind].events if kind in found else ()


def _pasted(dumps: Sequence[str], named: Callable[[str], str]) -> str:
    return " ".join(dict.fromkeys(named(dump) for dump in list(dict.fromkeys(dumps))[-3:]))


def _least_limit(groups: Sequence[LogGroup]) -> int | None:
    limits = [
        event.limit_bytes
        for group in groups
        if group.kind.is_kill
        for event in group.events
        if event.limit_bytes
    ]
    return min(limits, default=None)


def _limit(groups: Sequence[LogGroup]) -> str:
    """Nine tenths of the smallest limit that a killed process reached, as the trigger takes it."""
    limit = _least_limit(groups)
    return "" if limit is None else f"{max(round(limit * 0.9 / (1 << 20)), 1)}M"
