"""What a running watch remembers of each process: enough for its verdict, however long it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from heapscope.analysis.memory.samples import process_name
from heapscope.analysis.memory.verdict import MemoryVerdict, judge

# At one sample each 30 s: all of six hours.
MAX_SAMPLES = 720


class ProcessHistory:
    """Samples of one process; every second one is dropped whenever there are more than `MAX_SAMPLES`.

    Attributes
    ----------
    seconds : list of float
        When each of n samples was taken, Unix time.
    columns : dict of str to list
        Sizes and counts by the name of their column, n values each, None where not measured.
    rss_change : int
        Bytes that the resident size grew by since the sample before the last.
    """

    def __init__(self, pid: int, role: str | None, task_index: int | None) -> None:
        self.pid, self.role, self.task_index = pid, role, task_index
        self.seconds: list[float] = []
        self.columns: dict[str, list[float | None]] = {}
        self.rss_change = 0

    @property
    def name(self) -> str:
        """``worker:0 (pid 4711)``."""
        return process_name(self.pid, self.role, self.task_index)

    @property
    def rss_growth(self) -> float:
        """Bytes that the resident size grew by since the first sample."""
        values = self.columns["rss_bytes"]
        return (values[-1] or 0) - (values[0] or 0)

    def add(self, sample: Mapping[str, Any]) -> None:
        """Remember a sample: the columns of `heapscope.collector.memory.Sample` by name."""
        if not self.columns:
            self.columns = {name: [] for name in sample if name.endswith(("_bytes", "_count"))}
        before = self.columns["rss_bytes"]
        self.rss_change = sample["rss_bytes"] - int(before[-1] or 0) if before else 0
        self.seconds.append(datetime.fromisoformat(sample["captured_at"]).timestamp())
        for name, values in self.columns.items():
            values.append(sample[name])
        if len(self.seconds) > MAX_SAMPLES:
            # The first and the newest stay.
            del self.seconds[1:-1:2]
            for values in self.columns.values():
                del values[1:-1:2]

    def verdict(self) -> MemoryVerdict:
        """What grew."""
        return judge(self.pid, self.seconds, self.columns)


class WatchHistory:
    """All processes that a watch has seen, also those that have ended."""

    def __init__(self) -> None:
        self._processes: dict[tuple[int, int], ProcessHistory] = {}

    def __getitem__(self, key: tuple[int, int]) -> ProcessHistory:
        """The process with a pid and a start time in clock ticks, which name it for ever.

        Raises
        ------
        KeyError
            It was not seen.
        """
        return self._processes[key]

    @property
    def processes(self) -> list[ProcessHistory]:
        """Those with a role first, by name."""
        return sorted(self._processes.values(), key=lambda process: (process.role is None, process.name))

    def add(self, samples: Iterable[Mapping[str, Any]]) -> None:
        """Remember one round of samples, each as `ProcessHistory.add` takes it."""
        for sample in samples:
            key = sample["pid"], sample["start_ticks"]
            if key not in self._processes:
                self._processes[key] = ProcessHistory(sample["pid"], sample["role"], sample["task_index"])
            self._processes[key].add(sample)
