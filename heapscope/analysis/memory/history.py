"""What a running watch remembers of each process: enough for its verdict, however long it runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from heapscope.analysis.memory.judging import judge
from heapscope.analysis.memory.samples import process_name
from heapscope.analysis.memory.verdict import MemoryVerdict

# At one sample each 30 s: all of six hours.
MAX_SAMPLES = 720
# Processes that have ended: their verdicts are kept, of so many at most, the newest.
MAX_ENDED = 200


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
    program : str
        Main class or script; empty where it is not known.
    """

    def __init__(self, pid: int, role: str | None, task_index: int | None, program: str = "") -> None:
        self.pid, self.role, self.task_index = pid, role, task_index
        self.program = program
        self.seconds: list[float] = []
        self.columns: dict[str, list[float | None]] = {}
        self.rss_change = 0
        self._final: MemoryVerdict | None = None

    @property
    def name(self) -> str:
        """``worker:0 (pid 4711)``."""
        return process_name(self.pid, self.role, self.task_index, self.program)

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

    def end(self) -> None:
        """The process has ended: keep the verdict, and forget what led to it."""
        self._final = self.verdict()
        self.seconds, self.columns = [], {}

    def verdict(self) -> MemoryVerdict:
        """What grew."""
        return self._final or judge(self.pid, self.seconds, self.columns)


class WatchHistory:
    """All processes that a watch has seen; of those that have ended only verdicts, `MAX_ENDED` at most.

    Attributes
    ----------
    dropped_count : int
        Processes that have ended and are not among `processes` any more.
    """

    def __init__(self) -> None:
        self._living: dict[tuple[int, int], ProcessHistory] = {}
        self._ended: deque[ProcessHistory] = deque()
        self.dropped_count = 0

    def __getitem__(self, key: tuple[int, int]) -> ProcessHistory:
        """The process with a pid and a start time in clock ticks, which name it for ever.

        Raises
        ------
        KeyError
            It was not in the last round.
        """
        return self._living[key]

    @property
    def processes(self) -> list[ProcessHistory]:
        """Those with a role first, by name."""
        found = [*self._living.values(), *self._ended]
        return sorted(found, key=lambda process: (process.role is None, process.name))

    def add(
        self,
        samples: Iterable[Mapping[str, Any]],
        programs: Mapping[tuple[int, int], str] = MappingProxyType({}),
    ) -> None:
        """Remember one round of samples, each as `ProcessHistory.add` takes it; who is missing has ended.

        Parameters
        ----------
        samples : iterable of mapping
        programs : mapping
            Main class or script by pid and start time in clock ticks, of those where it is known.
        """
        living = {}
        for sample in samples:
            key = sample["pid"], sample["start_ticks"]
            process = self._living.pop(key, None)
            living[key] = process or ProcessHistory(
                sample["pid"], sample["role"], sample["task_index"], programs.get(key, "")
            )
            living[key].add(sample)
        for process in self._living.values():
            process.end()
            self._ended.append(process)
        while len(self._ended) > MAX_ENDED:
            self._ended.popleft()
            self.dropped_count += 1
        self._living = living
