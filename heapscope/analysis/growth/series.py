"""Snapshots in the order of time: the data that every question about growth is asked of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Self, overload

from heapscope.analysis.growth.same_process import Process, evidence_of, find_processes
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.errors import HeapscopeError
from heapscope.heap.watched_classes import KNOWN_SUPERCLASSES
from heapscope.progress import Progress, default_progress


class Series(Sequence[Snapshot]):
    """Snapshots in the order of their capture times; files of one time stay in the given order.

    Parameters
    ----------
    snapshots : iterable of Snapshot
    processes : sequence of Process, optional
        The processes that they are of, where that is known already.
    """

    def __init__(self, snapshots: Iterable[Snapshot], processes: Sequence[Process] | None = None) -> None:
        self._snapshots = sorted(snapshots, key=lambda s: s.captured_at)
        self._processes = None if processes is None else list(processes)

    def __len__(self) -> int:
        return len(self._snapshots)

    @overload
    def __getitem__(self, row: int) -> Snapshot: ...
    @overload
    def __getitem__(self, row: slice) -> Self: ...
    def __getitem__(self, row: int | slice) -> Snapshot | Self:
        return type(self)(self._snapshots[row]) if isinstance(row, slice) else self._snapshots[row]

    def __repr__(self) -> str:
        span = f" from {self[0].captured_at:%Y-%m-%d %H:%M:%S} UTC" if len(self) else ""
        names = (f"{s.name}{' (partial)' if s.coverage else ''}" for s in self)
        return f"<{len(self)} snapshots{span}: {', '.join(names)}>"

    def at(self, places: Iterable[int]) -> Self:
        """The snapshots at some places."""
        return type(self)(self._snapshots[place] for place in places)

    @cached_property
    def comparable(self) -> tuple[int, ...]:
        """Places of the snapshots that trends go by: the counts of a partial dump are lower bounds.

        All of them where fewer than two are whole.
        """
        whole = tuple(place for place, one in enumerate(self) if one.coverage is None)
        return whole if len(whole) > 1 else tuple(range(len(self)))

    @cached_property
    def superclasses(self) -> dict[str, str]:
        """Class name to superclass name: from all dumps, then from what is known by name."""
        known = dict(KNOWN_SUPERCLASSES)
        for snapshot in self:
            known.update(snapshot.superclasses)
        return known

    @cached_property
    def by_class(self) -> dict[str, tuple[list[int], list[int]]]:
        """Class name to (instance counts, shallow bytes), one figure for each snapshot."""
        found: dict[str, tuple[list[int], list[int]]] = {}
        for position, snapshot in enumerate(self):
            for row in snapshot.histogram.rows():
                counts, sizes = found.setdefault(row["class_name"], ([0] * len(self), [0] * len(self)))
                counts[position] = row["instance_count"]
                sizes[position] = row["shallow_bytes"]
        return found

    def processes(self, progress: Progress = default_progress) -> list[Process]:
        """The processes that the snapshots are of; see `heapscope.analysis.growth.same_process`."""
        if self._processes is None:
            self._processes = find_processes([evidence_of(snapshot, progress) for snapshot in self])
        return self._processes

    def of_one_process(self, progress: Progress = default_progress) -> tuple[Self, str]:
        """The snapshots of the process that has most (of equals the latest), and what was left out.

        Returns
        -------
        snapshots : Series
            These, where they are of one process.
        left_out : str
            A sentence; empty where nothing was.
        """
        processes = self.processes(progress)
        if len(processes) <= 1:
            return self, ""
        best = max(processes, key=lambda one: (len(one.members), one.members[-1]))
        rest, others = len(self) - len(best.members), len(processes) - 1
        left_out = (
            f"{rest} snapshot{'s' * (rest > 1)} of {others} other process{'es' * (others > 1)} left out; "
            f"these are of {best.label}"
        )
        process = replace(best, members=tuple(range(len(best.members))))
        return type(self)((self[place] for place in best.members), [process]), left_out

    def need(self, count: int) -> None:
        """Check that there are so many snapshots.

        Raises
        ------
        HeapscopeError
            There are fewer.
        """
        if len(self) < count:
            raise HeapscopeError(
                f"{len(self)} snapshot{'s' * (len(self) != 1)} given; {count} or more are needed to compare"
                if count > 1
                else "no snapshot given; name at least one heap dump or class histogram"
            )
