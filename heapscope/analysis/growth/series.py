"""Snapshots in the order of time: the data that every question about growth is asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, overload

from heapscope.analysis.growth.same_process import Process, evidence_of, find_processes
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.growth.snapshot_order import check_order
from heapscope.analysis.growth.time_source import BESIDE, GIVEN_ORDER, NAME_ORDER
from heapscope.errors import DifferentProcesses, HeapscopeError
from heapscope.heap.open_heaps import OpenHeaps
from heapscope.heap.watched_classes import KNOWN_SUPERCLASSES
from heapscope.parser.generated_names import stable_name
from heapscope.progress import Progress, default_progress

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph

Result = TypeVar("Result")


class Series(Sequence[Snapshot]):
    """Snapshots in the order of their capture times; files of one time stay in the given order.

    Snapshots whose order a person gave (`heapscope.analysis.growth.snapshot_order`) stay in it.

    Parameters
    ----------
    snapshots : iterable of Snapshot
    processes : sequence of Process, optional
        The processes that they are of, where that is known already.
    raw_names : bool
        Whether generated classes keep counters, hashes and addresses in their names; else classes that
        differ in nothing but those are one (`heapscope.parser.generated_names`).
    """

    def __init__(
        self,
        snapshots: Iterable[Snapshot],
        processes: Sequence[Process] | None = None,
        *,
        raw_names: bool = False,
    ) -> None:
        self._snapshots = list(snapshots)
        if not any(one.captured_at_source in (GIVEN_ORDER, NAME_ORDER) for one in self._snapshots):
            self._snapshots.sort(key=lambda one: one.captured_at)
        self._processes = None if processes is None else list(processes)
        self.raw_names = raw_names

    def __len__(self) -> int:
        return len(self._snapshots)

    @overload
    def __getitem__(self, row: int) -> Snapshot: ...
    @overload
    def __getitem__(self, row: slice) -> Self: ...
    def __getitem__(self, row: int | slice) -> Snapshot | Self:
        return self._of(self._snapshots[row]) if isinstance(row, slice) else self._snapshots[row]

    def _of(self, snapshots: Iterable[Snapshot], processes: Sequence[Process] | None = None) -> Self:
        """Other snapshots, treated alike."""
        return type(self)(snapshots, processes, raw_names=self.raw_names)

    def __repr__(self) -> str:
        span = f" from {self[0].captured_at:%Y-%m-%d %H:%M:%S} UTC" if len(self) else ""
        names = (f"{s.name}{'' if s.is_whole else ' (partial)'}" for s in self)
        return f"<{len(self)} snapshots{span}: {', '.join(names)}>"

    def at(self, places: Iterable[int]) -> Self:
        """The snapshots at some places."""
        return self._of(self._snapshots[place] for place in places)

    def with_snapshots(self, snapshots: Sequence[Snapshot]) -> Self:
        """Other figures of the same processes: a snapshot for each that there is, in the same order."""
        return self._of(snapshots, self._processes)

    def name_of(self, class_name: str) -> str:
        """What a class of a snapshot is called in this series."""
        return class_name if self.raw_names else stable_name(class_name)

    @cached_property
    def comparable(self) -> tuple[int, ...]:
        """Places of the snapshots that trends go by: the counts of those read in part are lower bounds.

        All of them where fewer than two are whole.
        """
        whole = tuple(place for place, one in enumerate(self) if one.is_whole)
        return whole if len(whole) > 1 else tuple(range(len(self)))

    @cached_property
    def distinct(self) -> tuple[int, ...]:
        """Places of the snapshots that are moments of their own: a class histogram taken along with one of
        the dumps (its time is that of the dump of the same name beside it) is the same moment once more, and
        would count as evidence twice.
        """
        dumps = {_moment(one) for one in self if one.kind == DUMP}
        return tuple(
            place
            for place, one in enumerate(self)
            if one.captured_at_source != BESIDE or _moment(one) not in dumps
        )

    def each_moment_once(self) -> Self:
        """The snapshots at `distinct`; a dump that was read in part has the counts of the text beside it."""
        if len(self.distinct) == len(self):
            return self
        texts = {_moment(one): one for one in self if one.captured_at_source == BESIDE and not one.is_cut}
        once = [self[place] for place in self.distinct]
        return self._of(
            replace(one, histogram=texts[_moment(one)].histogram, counted_by=texts[_moment(one)].path.name)
            if one.kind == DUMP and not one.is_whole and _moment(one) in texts
            else one
            for one in once
        )

    @cached_property
    def superclasses(self) -> dict[str, str]:
        """Class name to superclass name: from all dumps, then from what is known by name."""
        known = dict(KNOWN_SUPERCLASSES)
        for snapshot in self:
            for name, parent in snapshot.superclasses.items():
                known[self.name_of(name)] = self.name_of(parent)
        return known

    @cached_property
    def by_class(self) -> dict[str, tuple[list[int], list[int]]]:
        """Class name to (instance counts, shallow bytes), one figure for each snapshot."""
        found: dict[str, tuple[list[int], list[int]]] = {}
        for position, snapshot in enumerate(self):
            for row in snapshot.histogram.rows():
                name = self.name_of(row["class_name"])
                counts, sizes = found.setdefault(name, ([0] * len(self), [0] * len(self)))
                counts[position] += row["instance_count"]
                sizes[position] += row["shallow_bytes"]
        return found

    @property
    def heaps(self) -> OpenHeaps:
        """Who opens the dumps; they stay open as long as somebody is in ``with series.heaps:``."""
        return self[0].heaps if len(self) else OpenHeaps()

    def of_each_dump(
        self,
        ask: Callable[[Snapshot, HeapGraph], Result],
        progress: Progress = default_progress,
        *,
        opened: tuple[Snapshot, HeapGraph] | None = None,
        if_readable: bool = False,
    ) -> list[Result | None]:
        """What each dump answers, several at a time where cores and memory allow it.

        Parameters
        ----------
        ask : callable (snapshot, graph) -> result
            Called in other threads too, once for each dump.
        progress : Progress
            Told how far reading the dumps is.
        opened : (Snapshot, HeapGraph), optional
            One of them that is open already.
        if_readable : bool
            Whether a dump that cannot be read any more answers nothing.

        Returns
        -------
        list
            In the order of the snapshots; None for a class histogram.

        Raises
        ------
        HeapscopeError
            A dump cannot be read any more.
        """

        def answer(snapshot: Snapshot, progress: Progress) -> Result | None:
            if opened is not None and snapshot is opened[0]:
                return ask(*opened)
            with suppress(*((HeapscopeError, OSError) if if_readable else ())):
                heap = snapshot.open(progress)
                if heap is not None:
                    with heap:
                        return ask(snapshot, heap.graph)
            return None

        return self._each(answer, progress)

    def _each(self, do: Callable[[Snapshot, Progress], Result], progress: Progress) -> list[Result]:
        return self.heaps.each(
            self,
            do,
            name=lambda snapshot: snapshot.path.name,
            progress=progress,
            object_counts=[snapshot.object_count if snapshot.kind == DUMP else 0 for snapshot in self],
            inflated_bytes=[snapshot.inflated_bytes for snapshot in self],
        )

    def processes(self, progress: Progress = default_progress) -> list[Process]:
        """The processes that the snapshots are of; see `heapscope.analysis.growth.same_process`."""
        if self._processes is None:
            self._processes = find_processes(self._each(evidence_of, progress))
        return self._processes

    def of_one_process(self, progress: Progress = default_progress, *, least: int = 1) -> tuple[Self, str]:
        """The snapshots of the process that has most (of equals the latest), and what was left out.

        Parameters
        ----------
        progress : Progress
            Told how far reading dumps is.
        least : int
            How many snapshots it has to have, at least.

        Returns
        -------
        snapshots : Series
            These, where they are of one process.
        left_out : str
            A sentence; empty where nothing was.

        Raises
        ------
        DifferentProcesses
            No process has ``least`` snapshots, and several have some.
        """
        processes = self.processes(progress)
        if len(processes) <= 1:
            return self, ""
        best = max(processes, key=lambda one: (len(one.members), one.members[-1]))
        if len(best.members) < least:
            raise DifferentProcesses(
                [(one.label, [self[place].name for place in one.members]) for one in processes]
            )
        rest, others = len(self) - len(best.members), len(processes) - 1
        left_out = (
            f"{rest} snapshot{'s' * (rest > 1)} of {others} other process{'es' * (others > 1)} left out; "
            f"these are of {best.label}"
        )
        process = replace(best, members=tuple(range(len(best.members))))
        return self._of((self[place] for place in best.members), [process]), left_out

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

    def need_order(self) -> None:
        """Check that the order of the snapshots is known; see `check_order`.

        Raises
        ------
        HeapscopeError
            It rests on nothing but the times of files.
        """
        check_order(self)


def _moment(one: Snapshot) -> tuple[Path, str]:
    """What a dump and the class histogram that was taken along with it have in common."""
    return one.path.parent, one.name
