"""Events of logs, counted and dated, and the known leaks that they hint at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import get_args

from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.thresholds import LEAST_CREATED, LEAST_REFERENCES, REFERENCES_GROWTH
from heapscope.parser.texts.logs import Kind, LogEvent, read_log

TOP = 5
_KEPT = 100_000  # times of one kind that are kept for the chart
_DISTINCT = 10_000  # details that are told apart


@dataclass(frozen=True, slots=True)
class LogGroup:
    """Events of one kind.

    Attributes
    ----------
    details : tuple of (str, int)
        What tells them apart, with counts, the most frequent first.
    frames : tuple of (str, int)
        First frames of stacks.
    first, last : datetime or None
    times : tuple of datetime
        Of the events that are dated, in order.
    numbers : tuple of float
        Figures of the events that have one, in the order of the text.
    leak_ids : tuple of str
        Known leaks that such events hint at.
    """

    kind: Kind
    count: int
    details: tuple[tuple[str, int], ...]
    frames: tuple[tuple[str, int], ...]
    first: datetime | None
    last: datetime | None
    times: tuple[datetime, ...]
    numbers: tuple[float, ...]
    leak_ids: tuple[str, ...]

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


@dataclass
class _Pile:
    count: int = 0
    details: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)


def summarise(
    paths: Sequence[Path],
    catalogue: Sequence[KnownLeak] | None = None,
    named: Callable[[Path], None] | None = None,
) -> LogSummary:
    """Read logs.

    Parameters
    ----------
    paths : sequence of Path
        Text files, plain or gzip.
    catalogue : sequence of KnownLeak, optional
        Whose ``log_patterns`` are looked for.
    named : callable, optional
        Told each file before it is read.

    Raises
    ------
    HeapscopeError
        A file cannot be read, or is no text.
    """
    leaks = load_catalogue() if catalogue is None else catalogue
    patterns = [(leak, re.compile(pattern)) for leak in leaks for pattern in leak.log_patterns]
    either = re.compile("|".join(f"(?:{each.pattern})" for _, each in patterns)) if patterns else None
    piles: dict[Kind, _Pile] = {}
    for path in paths:
        if named is not None:
            named(path)
        for event in read_log(path, either):
            _add(piles.setdefault(event.kind, _Pile()), event, patterns)
    groups = tuple(_group(kind, piles[kind]) for kind in get_args(Kind) if kind in piles)
    hinted = {leak_id for group in groups for leak_id in group.leak_ids}
    return LogSummary(tuple(paths), groups, tuple(leak for leak in leaks if leak.id in hinted))


def _add(pile: _Pile, event: LogEvent, patterns: Iterable[tuple[KnownLeak, re.Pattern[str]]]) -> None:
    pile.count += 1
    for counter, key in ((pile.details, event.detail), (pile.frames, event.frame)):
        if key and (key in counter or len(counter) < _DISTINCT):
            counter[key] += 1
    if event.time is not None and len(pile.times) < _KEPT:
        pile.times.append(event.time)
    if event.number is not None and len(pile.numbers) < _KEPT:
        pile.numbers.append(event.number)
    for leak, pattern in patterns:
        if pattern.search(event.text):
            pile.hits[leak.id] += 1


def _group(kind: Kind, pile: _Pile) -> LogGroup:
    times = sorted(pile.times)
    return LogGroup(
        kind=kind,
        count=pile.count,
        details=tuple(pile.details.most_common(TOP)),
        frames=tuple(pile.frames.most_common(TOP)),
        first=times[0] if times else None,
        last=times[-1] if times else None,
        times=tuple(times),
        numbers=tuple(pile.numbers),
        leak_ids=tuple(pile.hits) if _is_telling(kind, pile) else (),
    )


def _is_telling(kind: Kind, pile: _Pile) -> bool:
    """Whether events of a kind are so many that they hint at a leak."""
    if kind == "known pattern":
        return max(pile.hits.values(), default=0) >= LEAST_CREATED
    if kind in ("file system created", "cache bypassed", "keytab login"):
        return bool(pile.details) and pile.details.most_common(1)[0][1] >= LEAST_CREATED
    if kind == "jni global references":
        first, last = pile.numbers[0], pile.numbers[-1]
        return len(pile.numbers) > 1 and last >= LEAST_REFERENCES and last >= REFERENCES_GROWTH * first
    return True
