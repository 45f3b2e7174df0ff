"""What a running watch remembers of each process: enough for its verdict, however long it runs."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import NamedTuple

from heapscope.analysis.memory.samples import process_name
from heapscope.analysis.memory.verdict import MemoryVerdict, describe_verdict, judge
from heapscope.collector.memory import Sample

_MAX_SAMPLES = 720
_COLUMNS = tuple(f.name for f in fields(Sample) if f.name.endswith(("_bytes", "_count")))


class Key(NamedTuple):
    """One process for ever."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, sample: Sample) -> Key:
        """The process that a sample is of."""
        return cls(sample.pid, sample.start_ticks)


class Seen:
    """Samples of one process; every second one is dropped whenever there are too many."""

    def __init__(self, sample: Sample) -> None:
        self.pid = sample.pid
        self.name = process_name(sample.pid, sample.role, sample.task_index)
        self.task = "-" if sample.role is None else self.name.partition(" ")[0]
        self.seconds: list[float] = []
        self.columns: dict[str, list[float | None]] = {name: [] for name in _COLUMNS}
        self.rss_change = 0

    def add(self, sample: Sample) -> None:
        """Remember a sample."""
        before = self.columns["rss_bytes"]
        self.rss_change = sample.rss_bytes - int(before[-1] or 0) if before else 0
        self.seconds.append(datetime.fromisoformat(sample.captured_at).timestamp())
        for name, values in self.columns.items():
            values.append(getattr(sample, name))
        if len(self.seconds) > _MAX_SAMPLES:
            # The first and the newest stay.
            del self.seconds[1:-1:2]
            for values in self.columns.values():
                del values[1:-1:2]

    def verdict(self) -> MemoryVerdict:
        """What grew."""
        return judge(self.pid, self.seconds, self.columns)


class History:
    """All processes that a watch has seen, also those that have ended."""

    def __init__(self) -> None:
        self._seen: dict[Key, Seen] = {}

    def __getitem__(self, key: Key) -> Seen:
        return self._seen[key]

    def add(self, samples: list[Sample]) -> None:
        """Remember one round."""
        for sample in samples:
            key = Key.of(sample)
            if key not in self._seen:
                self._seen[key] = Seen(sample)
            self._seen[key].add(sample)

    def verdict_lines(self) -> list[str]:
        """What grew in each process, for people."""
        if not self._seen:
            return ["no process with a JVM was seen"]
        ordered = sorted(self._seen.values(), key=lambda seen: (seen.task == "-", seen.name))
        return [line for seen in ordered for line in describe_verdict(seen.verdict(), seen.name)]
