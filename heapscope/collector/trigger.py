"""Conditions on a process's memory at which snapshots are taken: ``rss>8G``, ``old-growth>200M/h``.

The first snapshot is a class histogram, which costs the process little; heap dumps follow while the condition
holds, up to a number for each process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Literal

from heapscope.collector.memory import Sample
from heapscope.errors import CollectError
from heapscope.units import format_bytes, format_count, parse_bytes

# Metric on the command line: column of a sample.
METRICS = {
    "rss": "rss_bytes",
    "pss": "pss_bytes",
    "vsz": "vsz_bytes",
    "swap": "swap_bytes",
    "heap": "heap_used_bytes",
    "heap-rss": "heap_rss_bytes",
    "old": "old_after_gc_bytes",
    "metaspace": "metaspace_bytes",
    "direct": "nmt_other_bytes",
    "threads": "thread_count",
    "classes": "class_count",
}
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_TRIGGER = re.compile(
    r"\s*([a-z-]+?)(-growth)?\s*>\s*([\d.]+\s*[a-z]*)(?:\s*/\s*(m|h|d|min|hour|day))?\s*",
    re.IGNORECASE,
)
# A rate is computed once this share of its unit has passed, from at least so many samples.
_MIN_SHARE_OF_UNIT = 0.1
_MIN_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition: a column is above a limit, or grows faster than a limit for each unit of time.

    Attributes
    ----------
    text : str
        As it was given.
    column : str
        Of `Sample`.
    limit : float
        Bytes or a count; where ``unit_seconds`` is set, for each unit of time.
    unit_seconds : float or None
        Length of the unit of time of a rate.
    """

    text: str
    column: str
    limit: float
    unit_seconds: float | None

    def reason(self, seconds: Sequence[float], values: Sequence[float | None]) -> str | None:
        """Why the condition holds now, in words; None where it does not.

        Parameters
        ----------
        seconds, values : sequence
            When n samples were taken, ascending, and the column's value in each.
        """
        known = [(when, value) for when, value in zip(seconds, values, strict=True) if value is not None]
        if not known:
            return None
        name = self.column.removesuffix("_bytes").removesuffix("_count").replace("_", " ")
        if self.unit_seconds is None:
            # The newest value, even where others were measured since.
            value = known[-1][1]
            return f"{name} {self._words(value)} ({self.text})" if value > self.limit else None
        rate = self._rate(known)
        if rate is None or rate <= self.limit:
            return None
        unit = {60.0: "minute", 3600.0: "hour", 86400.0: "day"}[self.unit_seconds]
        return f"{name} grows by {self._words(rate)} a {unit} ({self.text})"

    def _rate(self, known: list[tuple[float, float]]) -> float | None:
        """Growth for each unit of time over the last unit; None where too little was seen."""
        unit = self.unit_seconds or 1.0
        recent = [(when, value) for when, value in known if when >= known[-1][0] - unit]
        if len(recent) < _MIN_SAMPLES or recent[-1][0] - recent[0][0] < _MIN_SHARE_OF_UNIT * unit:
            return None
        # The level of the old generation is what a collection leaves, not what is promoted between two: one
        # collection in each half is enough to see it.
        is_sawtooth = self.column in ("old_after_gc_bytes", "heap_used_bytes")
        width = max(1, len(recent) // (2 if is_sawtooth else 5))
        first, last = recent[:width], recent[-width:]
        level = min if is_sawtooth else median
        growth = level(value for _, value in last) - level(value for _, value in first)
        return float(growth / (median(when for when, _ in last) - median(when for when, _ in first)) * unit)

    def _words(self, value: float) -> str:
        return format_bytes(value) if self.column.endswith("_bytes") else format_count(round(value))


def parse_trigger(text: str) -> Trigger:
    """A trigger from its text: ``METRIC>LIMIT`` or ``METRIC-growth>LIMIT/h``.

    Sizes are as everywhere: ``8G`` is what ``-Xmx8g`` is, ``8GB`` is decimal.

    Raises
    ------
    CollectError
        The text is no trigger; the message says what one looks like.
    """
    match = _TRIGGER.fullmatch(text)
    limit = None
    if match is not None:
        with suppress(ValueError):
            limit = parse_bytes(match[3])
    if match is None or limit is None or match[1].lower() not in METRICS or bool(match[2]) != bool(match[4]):
        raise CollectError(
            f"{text!r} is no trigger such as 'rss>8G', 'threads>500' or 'old-growth>200M/h'; "
            f"metrics: {', '.join(METRICS)}"
        )
    return Trigger(
        text=text.strip(),
        column=METRICS[match[1].lower()],
        limit=limit,
        unit_seconds=_SECONDS[match[4][0].lower()] if match[4] else None,
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A snapshot that should be taken now."""

    pid: int
    start_ticks: int
    kind: Literal["dump", "histogram"]
    reason: str


@dataclass(slots=True)
class _Seen:
    seconds: list[float] = field(default_factory=list)
    columns: dict[str, list[float | None]] = field(default_factory=dict)
    taken: int = 0
    taken_at: float = 0.0
    is_tried: bool = False


class Sentinel:
    """Finds out from samples, round by round, which snapshots should be taken.

    Parameters
    ----------
    triggers : sequence of Trigger
        Any one of them is enough.
    count : int
        Snapshots of one process at most: one class histogram, then heap dumps.
    every : float
        Seconds between two snapshots of one process, at least.
    """

    def __init__(self, triggers: Sequence[Trigger], *, count: int, every: float) -> None:
        self._triggers = tuple(triggers)
        self._count = count
        self._every = every
        self._seen: dict[tuple[int, int], _Seen] = {}

    def look(self, samples: Sequence[Sample]) -> list[Due]:
        """Snapshots due after one round of samples; each counts as taken, whether it succeeds or not."""
        due = []
        # A process that has ended does not come back: another one with its pid has another start time.
        present = {(sample.pid, sample.start_ticks) for sample in samples}
        self._seen = {key: seen for key, seen in self._seen.items() if key in present}
        for sample in samples:
            seen = self._seen.setdefault((sample.pid, sample.start_ticks), _Seen())
            now = datetime.fromisoformat(sample.captured_at).timestamp()
            self._remember(seen, now, sample)
            if seen.taken >= self._count or (
                (seen.taken or seen.is_tried) and now - seen.taken_at < self._every
            ):
                continue
            reasons = (t.reason(seen.seconds, seen.columns[t.column]) for t in self._triggers)
            reason = next((reason for reason in reasons if reason), None)
            if reason is not None:
                kind: Literal["dump", "histogram"] = "dump" if seen.taken else "histogram"
                due.append(Due(sample.pid, sample.start_ticks, kind, reason))
                seen.taken, seen.taken_at = seen.taken + 1, now
        return due

    def give_back(self, due: Due) -> None:
        """Do not count a snapshot that was refused before the JVM was asked; try again after ``every``."""
        seen = self._seen.get((due.pid, due.start_ticks))
        if seen is not None:
            seen.taken -= 1
            seen.is_tried = True

    def is_done(self, pids: Sequence[int]) -> bool:
        """Whether all of these processes have had their snapshots."""
        taken: dict[int, int] = {}
        for (pid, _), seen in self._seen.items():
            taken[pid] = max(taken.get(pid, 0), seen.taken)
        return all(taken.get(pid, 0) >= self._count for pid in pids)

    def _remember(self, seen: _Seen, now: float, sample: Sample) -> None:
        horizon = now - max((t.unit_seconds or 0.0 for t in self._triggers), default=0.0)
        stale = next((index for index, when in enumerate(seen.seconds) if when >= horizon), len(seen.seconds))
        seen.seconds = [*seen.seconds[stale:], now]
        for trigger in self._triggers:
            before = seen.columns.get(trigger.column, [])
            seen.columns[trigger.column] = [*before[stale:], getattr(sample, trigger.column)]
