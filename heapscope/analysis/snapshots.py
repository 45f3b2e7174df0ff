"""Snapshots in time: what a process held, and what grew.

A snapshot is a heap dump or a class histogram as text.  Both give counts and shallow bytes by
class; a dump also tells superclasses and what the process was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from heapscope.analysis.growth.same_process import Process, evidence_of, find_processes
from heapscope.analysis.growth.snapshot import (
    DUMP,
    HISTOGRAM,
    ProcessFacts,
    Snapshot,
    read_snapshot,
    snapshot_files,
    snapshot_of,
)
from heapscope.errors import HeapscopeError
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.watched_classes import KNOWN_SUPERCLASSES, WATCHED_CLASSES
from heapscope.progress import Progress, default_progress
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.analysis.growth.comparison import Comparison, Proof
    from heapscope.analysis.growth.growth import By, Growth
    from heapscope.analysis.growth.guards import Checks

__all__ = [
    "DUMP",
    "HISTOGRAM",
    "ClassGrowth",
    "ProcessFacts",
    "Snapshot",
    "Snapshots",
    "is_growing",
    "read_snapshot",
    "snapshot_files",
    "snapshot_of",
    "snapshots",
]


@dataclass(frozen=True)
class ClassGrowth:
    """A watched class over all snapshots, its subclasses included."""

    class_name: str  # the pattern that was asked for
    matched_classes: tuple[str, ...]
    instance_counts: tuple[int, ...]  # one for each snapshot
    shallow_bytes: tuple[int, ...]
    comparable: tuple[int, ...] = ()  # places of snapshots that a trend goes by; all where there is none

    @property
    def instance_count_delta(self) -> int:
        """Last less first."""
        return self.instance_counts[-1] - self.instance_counts[0]

    @property
    def shallow_bytes_delta(self) -> int:
        """Last less first."""
        return self.shallow_bytes[-1] - self.shallow_bytes[0]

    @property
    def instance_count_per_snapshot(self) -> float:
        """Mean growth from one snapshot to the next."""
        return self.instance_count_delta / max(1, len(self.instance_counts) - 1)

    @property
    def shallow_bytes_per_snapshot(self) -> float:
        """Mean growth from one snapshot to the next."""
        return self.shallow_bytes_delta / max(1, len(self.shallow_bytes) - 1)

    @property
    def is_growing(self) -> bool:
        """The count never falls, and the last is above the first."""
        places = self.comparable or range(len(self.instance_counts))
        return is_growing([self.instance_counts[place] for place in places])

    @property
    def is_present(self) -> bool:
        """Any snapshot has an instance."""
        return any(self.instance_counts)


def is_growing(counts: Sequence[int]) -> bool:
    """Whether counts never fall and end above where they began."""
    return counts[-1] > counts[0] and all(a <= b for a, b in pairwise(counts))


class Snapshots(RichRepr, Sequence[Snapshot]):
    """Snapshots in the order of their capture times; files of one time stay in the given order."""

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self._snapshots = sorted(snapshots, key=lambda s: s.captured_at)
        self._processes: list[Process] | None = None

    def __len__(self) -> int:
        return len(self._snapshots)

    @overload
    def __getitem__(self, row: int) -> Snapshot: ...
    @overload
    def __getitem__(self, row: slice) -> Snapshots: ...
    def __getitem__(self, row: int | slice) -> Snapshot | Snapshots:
        return Snapshots(self._snapshots[row]) if isinstance(row, slice) else self._snapshots[row]

    def __repr__(self) -> str:
        span = f" from {self[0].captured_at:%Y-%m-%d %H:%M:%S} UTC" if len(self) else ""
        names = (f"{s.name}{' (partial)' if s.coverage else ''}" for s in self)
        return f"<{len(self)} snapshots{span}: {', '.join(names)}>"

    @property
    def comparable(self) -> tuple[int, ...]:
        """Snapshots that trends go by: of a partial dump the counts are lower bounds, and say little.

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
    def _by_class(self) -> dict[str, tuple[list[int], list[int]]]:
        """Class name to (instance counts, shallow bytes), one for each snapshot."""
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

    def of_one_process(self, progress: Progress = default_progress) -> tuple[Snapshots, str]:
        """The snapshots of the process that has most (of equals the latest), and what was left out.

        Returns
        -------
        snapshots : Snapshots
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
        found = Snapshots(self[i] for i in best.members)
        found._processes = [replace(best, members=tuple(range(len(found))))]
        return found, left_out

    def growth(
        self,
        by: By = "class",
        *,
        retained: bool = False,
        force_series: bool = False,
        warm_up: int | None = None,
        work: Sequence[float] | None = None,
        limit_bytes: int | None = None,
        progress: Progress = default_progress,
    ) -> Growth:
        """What grows over snapshots of one process: rates with intervals, verdicts, forecast.

        Parameters
        ----------
        by : str
            ``"class"``, ``"class+"`` (with subclasses), ``"package"``, ``"loader"`` or ``"path"``
            (shortest path of steps ``Class.field`` from the GC roots).
        retained : bool
            Whether retained sizes are followed too; needs heap dumps.
        force_series : bool
            Whether snapshots of several processes are compared all the same.
        warm_up : int, optional
            Snapshots at the beginning that rates leave out; found by itself where not given.
        work : sequence of float, optional
            A work counter for each snapshot, in order of time; by default ``work_count`` of the
            sidecars, where all have it.
        limit_bytes : int, optional
            A memory limit to forecast, beside those that the snapshots tell of.

        Raises
        ------
        DifferentProcesses, HeapscopeError
        """
        from heapscope.analysis.growth.growth import find_growth

        return find_growth(
            self, by, retained=retained, force_series=force_series, skip=warm_up, work=work,
            limit_bytes=limit_bytes, progress=progress,
        )  # fmt: skip

    def compare(self, other: Snapshots, by: By = "class", *, force_series: bool = False) -> Comparison:
        """What grows in this run and not in another, and the other way round.

        Parameters
        ----------
        other : Snapshots
            Of another run: another setting, another version.
        by, force_series
            As for `growth`.
        """
        from heapscope.analysis.growth.comparison import compare

        return compare(
            self.growth(by, force_series=force_series), other.growth(by, force_series=force_series)
        )

    def prove(self, after: Snapshots, patterns: Sequence[str] = (), *, force_series: bool = False) -> Proof:
        """Whether what grew in these snapshots no longer grows in others: fixed, not fixed, too early.

        Parameters
        ----------
        after : Snapshots
            Taken after the cure.
        patterns : sequence of str
            The classes that decide, with subclasses; see `heapscope.analysis.growth.comparison.prove`.
        """
        from heapscope.analysis.growth.comparison import prove

        return prove(
            self.growth(force_series=force_series), after.growth(force_series=force_series), patterns
        )

    def check(
        self,
        limits: Sequence[str] = (),
        *,
        no_growth: Sequence[str] = (),
        force_series: bool = False,
        progress: Progress = default_progress,
    ) -> Checks:
        """Guards: ``check(["org.apache.hadoop.fs.FileSystem+ <= 3"], no_growth=["com.acme.*"])``.

        Parameters
        ----------
        limits : sequence of str
            Each has to hold in every snapshot; see `heapscope.analysis.growth.guards`.
        no_growth : sequence of str
            Classes that must not grow, as globs; with ``+`` at the end their subclasses too.
        """
        from heapscope.analysis.growth.guards import Checks, check_growth, check_limits

        self._need(1)
        results = check_limits(self, limits, progress).results
        if no_growth:
            results += check_growth(self, no_growth, force_series=force_series, progress=progress).results
        return Checks(results)

    def watched(
        self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True
    ) -> list[ClassGrowth]:
        """Each watched class over all snapshots; see `heapscope.heap.graph.class_patterns` for patterns."""
        self._need(1)
        grown = []
        for pattern in patterns:
            names = matching_classes(pattern, self._by_class, self.superclasses, subclasses=subclasses)
            series = [self._by_class[name] for name in names]
            grown.append(
                ClassGrowth(
                    pattern,
                    names,
                    tuple(sum(counts[i] for counts, _ in series) for i in range(len(self))),
                    tuple(sum(sizes[i] for _, sizes in series) for i in range(len(self))),
                    self.comparable,
                )
            )
        return grown

    def census_table(self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True) -> Table:
        """Watched classes: ``snapshot, captured_at, class_name, instance_count, shallow_bytes``.

        A row for each pattern and snapshot.
        """
        grown = self.watched(patterns, subclasses=subclasses)
        rows = [(s, g, i) for g in grown for i, s in enumerate(self)]
        return Table(
            {
                "snapshot": [s.name for s, _, _ in rows],
                "captured_at": [s.captured_at for s, _, _ in rows],
                "class_name": [g.class_name for _, g, _ in rows],
                "instance_count": np.array([g.instance_counts[i] for _, g, i in rows], np.int64),
                "shallow_bytes": np.array([g.shallow_bytes[i] for _, g, i in rows], np.int64),
            }
        )

    def diff_table(self, before: int = 0, after: int = -1) -> Table:
        """Classes that changed between two snapshots, the largest growth in bytes first.

        Columns: ``class_name`` and ``instance_count_`` and ``shallow_bytes_``, each ``before``,
        ``after`` and ``delta``.

        Raises
        ------
        HeapscopeError
            Fewer than two snapshots.
        """
        self._need(2)
        rows = [
            (name, counts[before], counts[after], sizes[before], sizes[after])
            for name, (counts, sizes) in self._by_class.items()
            if counts[before] != counts[after] or sizes[before] != sizes[after]
        ]
        rows.sort(key=lambda row: (row[3] - row[4], row[1] - row[2], row[0]))
        table: dict[str, Sequence[Any] | NDArray[np.int64]] = {
            "class_name": [row[0] for row in rows],
            "instance_count_before": np.array([row[1] for row in rows], np.int64),
            "instance_count_after": np.array([row[2] for row in rows], np.int64),
            "instance_count_delta": np.array([row[2] - row[1] for row in rows], np.int64),
            "shallow_bytes_before": np.array([row[3] for row in rows], np.int64),
            "shallow_bytes_after": np.array([row[4] for row in rows], np.int64),
            "shallow_bytes_delta": np.array([row[4] - row[3] for row in rows], np.int64),
        }
        return Table(table)

    def trend_table(self) -> Table:
        """Every class over all snapshots, the largest growth in bytes first.

        Columns: ``class_name``, ``instance_count_`` and ``shallow_bytes_``, each ``first``,
        ``last``, ``delta`` and ``per_snapshot`` (mean growth), and ``is_growing``.

        Raises
        ------
        HeapscopeError
            Fewer than two snapshots.
        """
        self._need(2)
        steps = len(self) - 1
        rows = sorted(self._by_class.items(), key=lambda row: (row[1][1][0] - row[1][1][-1], row[0]))
        columns: dict[str, list[object]] = {"class_name": [name for name, _ in rows]}
        for position, what in enumerate(("instance_count", "shallow_bytes")):
            series = [values[position] for _, values in rows]
            columns[f"{what}_first"] = [values[0] for values in series]
            columns[f"{what}_last"] = [values[-1] for values in series]
            columns[f"{what}_delta"] = [values[-1] - values[0] for values in series]
            columns[f"{what}_per_snapshot"] = [(values[-1] - values[0]) / steps for values in series]
        places = self.comparable
        columns["is_growing"] = [is_growing([counts[i] for i in places]) for _, (counts, _) in rows]
        return Table(columns)

    def census(self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True) -> pd.DataFrame:
        """`census_table` as a DataFrame."""
        return self._frame(self.census_table(patterns, subclasses=subclasses))

    def diff(self, before: int = 0, after: int = -1) -> pd.DataFrame:
        """`diff_table` as a DataFrame."""
        return self._frame(self.diff_table(before, after))

    def trend(self) -> pd.DataFrame:
        """`trend_table` as a DataFrame."""
        return self._frame(self.trend_table())

    def _frame(self, table: Table) -> pd.DataFrame:
        """A table as a DataFrame, which says in ``attrs["partial"]`` what it knows only in part."""
        frame = table.to_frame()
        partial = {s.name: s.coverage.to_dict() for s in self if s.coverage is not None}
        if partial:
            frame.attrs["partial"] = partial
        return frame

    def _need(self, count: int) -> None:
        if len(self) < count:
            raise HeapscopeError(
                f"{len(self)} snapshot{'s' * (len(self) != 1)} given; {count} or more are needed to compare"
                if count > 1
                else "no snapshot given; name at least one heap dump or class histogram"
            )


def snapshots(
    paths: Iterable[str | os.PathLike[str]],
    progress: Progress = default_progress,
    *,
    as_jvm: bool = False,
    directories: bool = True,
    partial: bool = False,
) -> Snapshots:
    """Count heap dumps and class histograms, in any mix, and order them by capture time.

    Parameters
    ----------
    paths : iterable of str or path-like
        Files, or directories that stand for all snapshots in them.
    as_jvm : bool
        Count what the JVM counts and a dump hides; see `Heap.histogram`.
    directories : bool
        Whether a directory stands for its snapshots; else it is no dump.
    partial : bool
        Whether of a broken dump what can be read is counted: `Snapshot.coverage`.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    return Snapshots(
        read_snapshot(path, progress, as_jvm=as_jvm, partial=partial)
        for given in paths
        for path in (snapshot_files(Path(given)) if directories else [Path(given)])
    )
