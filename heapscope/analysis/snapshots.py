"""The facade of snapshots in time: reading them, and every question about them as a method."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from heapscope.analysis.growth import comparison, cure, tables
from heapscope.analysis.growth.comparison import Comparison
from heapscope.analysis.growth.cure import Proof
from heapscope.analysis.growth.dropped import dropped
from heapscope.analysis.growth.grouping import By
from heapscope.analysis.growth.growth import Growth, find_growth
from heapscope.analysis.growth.guards import (
    Checks,
    check_each_once,
    check_growth,
    check_limits,
    check_whole,
)
from heapscope.analysis.growth.insertions import inserted
from heapscope.analysis.growth.options import SeriesOptions
from heapscope.analysis.growth.reachable import reachable_series
from heapscope.analysis.growth.same_process import Process
from heapscope.analysis.growth.serial_numbers import made
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import Snapshot, named_files, read_snapshots
from heapscope.analysis.growth.snapshot_order import Order, put_in_order
from heapscope.analysis.growth.tables import ClassGrowth
from heapscope.analysis.leaks.diagnosis import find_leaks
from heapscope.analysis.leaks.measures import measure
from heapscope.analysis.thresholds import HEAP_GROWTH
from heapscope.analysis.verdicts import TOO_EARLY
from heapscope.heap.open_heaps import OpenHeaps
from heapscope.heap.watched_classes import WATCHED_CLASSES
from heapscope.progress import Progress, default_progress
from heapscope.queryable import Queryable
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd

_OBJECT_BYTES = 60  # of a dump, for each object: about


class Snapshots(RichRepr, Queryable, Series):
    """Snapshots in the order of their capture times; files of one time stay in the given order."""

    def __init__(
        self,
        snapshots: Iterable[Snapshot],
        processes: Sequence[Process] | None = None,
        *,
        raw_names: bool = False,
    ) -> None:
        super().__init__(snapshots, processes, raw_names=raw_names)
        self._growths: dict[tuple[By, bool, SeriesOptions], Growth] = {}

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

        It is computed once for the same parameters.

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
        progress : Progress
            Told how far reading dumps is, where they are read again.

        Raises
        ------
        DifferentProcesses
            The snapshots are of several processes, and ``force_series`` is false.
        HeapscopeError
            Fewer than two snapshots; ``by`` or ``retained`` wants what a class histogram lacks; a work
            counter that falls or does not fit.
        """
        options = SeriesOptions(force_series, warm_up, None if work is None else tuple(work), limit_bytes)
        key = by, retained, options
        if key not in self._growths:
            with self.heaps:
                self._growths[key] = find_growth(
                    self, by, retained=retained, options=options, progress=progress
                )
        return self._growths[key]

    def compare(self, other: Snapshots, by: By = "class", *, force_series: bool = False) -> Comparison:
        """What grows in this run and not in another, and the other way round.

        Parameters
        ----------
        other : Snapshots
            Of another run: another setting, another version.
        by, force_series
            As for `growth`.

        Raises
        ------
        DifferentProcesses, HeapscopeError
            As for `growth`, of either run.
        """
        return comparison.compare(
            self.growth(by, force_series=force_series), other.growth(by, force_series=force_series)
        )

    def prove(
        self,
        after: Snapshots,
        patterns: Sequence[str] = (),
        *,
        force_series: bool = False,
        work: tuple[Sequence[float], Sequence[float]] | None = None,
        progress: Progress = default_progress,
    ) -> Proof:
        """Whether what grew in these snapshots no longer grows in others: fixed, not fixed, too early.

        Without ``patterns`` these snapshots are diagnosed first, and what leaks in them decides.

        Parameters
        ----------
        after : Snapshots
            Taken after the cure.
        patterns : sequence of str
            The classes that decide, with subclasses; see `heapscope.analysis.growth.cure.prove`.
        force_series : bool
            As for `growth`.
        work : (sequence of float, sequence of float), optional
            Work counters of both runs, as for `growth`.
        progress : Progress
            Told how far reading dumps is.

        Raises
        ------
        DifferentProcesses, HeapscopeError
            As for `growth`, of either run; a file is given twice, which stands still whatever leaks.
        """
        for run in (self, after):
            check_each_once(run)
        with self.heaps, after.heaps:
            return self._prove(after, patterns, force_series, work, progress)

    def _prove(
        self,
        after: Snapshots,
        patterns: Sequence[str],
        force_series: bool,
        work: tuple[Sequence[float], Sequence[float]] | None,
        progress: Progress,
    ) -> Proof:
        before = self.growth(force_series=force_series, work=work and work[0], progress=progress)
        cured = after.growth(force_series=force_series, work=work and work[1], progress=progress)
        findings = () if patterns else find_leaks(self, before, progress=progress).findings
        pairs = [pair for pair in measure(findings, before, cured, progress) if pair[1].has_grown]
        measured = [each for _, each in pairs]
        told_of = {id(finding) for finding, _ in pairs}
        larger = next((each for each in findings if each.sizes and id(each) not in told_of), None)
        unmeasured = "" if larger is None else larger.owner or larger.class_name
        # Of one object that gets larger its class, an array mostly, says nothing.
        subjects = [self.name_of(each.class_name) for each in findings if not each.sizes]
        owners = {self.name_of(each.class_name): each.owner for each in reversed(findings) if each.owner}
        owners |= {each.first.name: finding.owner or each.first.name for finding, each in pairs}

        def insertions(name: str) -> tuple[int, int] | None:
            runs = self.each_moment_once(), after.each_moment_once()
            put = [inserted(each, owners.get(name, ""), progress) for each in runs]
            known = [count for count in put if count is not None]
            return (known[0], known[1]) if len(known) == len(put) else None

        prove = partial(
            cure.prove,
            before,
            patterns=patterns,
            subjects=subjects,
            measured=measured,
            unmeasured=unmeasured,
            insertions=insertions,
        )
        proof = prove(cured)
        if proof.verdict == TOO_EARLY and not proof.decisive:
            return proof
        # Garbage in the dumps after is no leak that goes on, hides none, and shows what was done.
        kept = reachable_series(after.each_moment_once(), progress)
        if kept is not None:
            done = work and work[1]
            if done is not None and len(done) == len(after):
                done = [done[place] for place in after.distinct]
            proof = prove(
                kept.growth(force_series=force_series, work=done, progress=progress),
                seen=cured,
                dropped=lambda name: dropped(after, name, progress),
                made=lambda name: made(self.each_moment_once(), after.each_moment_once(), name, progress),
            )
        if proof.is_fixed and not patterns:
            # What leaks now, in another field or under another name, is no cure.
            left = find_leaks(after, cured, progress=progress)
            if left.findings:
                return cure.still_leaks(proof, left.findings[0].title)
            least = HEAP_GROWTH * left.shallow_bytes[-1]
            slowing = [each for each in left.rising if each.is_slowing and each.gained_bytes >= least]
            if slowing:  # as a leak does under less and less load
                return cure.still_leaks(proof, f"{slowing[0].name} rises, if ever more slowly")
        return proof

    def check(
        self,
        limits: Sequence[str] = (),
        *,
        no_growth: Sequence[str] = (),
        allow_absent: bool = False,
        partial: bool = False,
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
        allow_absent : bool
            Whether a guard on a class that no snapshot knows holds; else it is an error.
        partial : bool
            Whether a text without its Total line is taken for what it has; else it is an error.
        force_series : bool
            As for `growth`.
        progress : Progress
            Told how far reading dumps is, where retained sizes are limited.

        Raises
        ------
        DifferentProcesses
            As for `growth`, of ``no_growth``.
        ObjectNotFound, AmbiguousName
            A guard names no class, or a simple name that several have.
        HeapscopeError
            There is no snapshot, or of ``no_growth`` fewer than two; a limit cannot be read; a text is cut.
        """
        self.need(1)
        if not partial:
            check_whole(self)
        results = check_limits(self, limits, allow_absent=allow_absent, progress=progress).results
        if no_growth:
            growth = self.growth(force_series=force_series, progress=progress)
            results += check_growth(growth, no_growth, allow_absent=allow_absent).results
        return Checks(results)

    def watched(
        self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True
    ) -> list[ClassGrowth]:
        """Each watched class over all snapshots; see `heapscope.analysis.growth.tables.watched`.

        Raises
        ------
        HeapscopeError
            There is no snapshot.
        """
        return tables.watched(self, patterns, subclasses=subclasses)

    def census_table(self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True) -> Table:
        """See `heapscope.analysis.growth.tables.census_table`.

        Raises
        ------
        HeapscopeError
            There is no snapshot.
        """
        return tables.census_table(self, patterns, subclasses=subclasses)

    def diff_table(self, before: int = 0, after: int = -1) -> Table:
        """See `heapscope.analysis.growth.tables.diff_table`.

        Raises
        ------
        HeapscopeError
            Fewer than two snapshots.
        """
        return tables.diff_table(self, before, after)

    def trend_table(self) -> Table:
        """See `heapscope.analysis.growth.tables.trend_table`.

        Raises
        ------
        HeapscopeError
            Fewer than two snapshots.
        """
        return tables.trend_table(self)

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
        partial: dict[str, object] = {s.name: s.coverage.to_dict() for s in self if s.coverage is not None}
        partial |= {s.name: "no Total line" for s in self if s.is_cut}
        if partial:
            frame.attrs["partial"] = partial
        return frame


def snapshots(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    progress: Progress = default_progress,
    *,
    as_jvm: bool = False,
    directories: bool = True,
    partial: bool = False,
    raw_names: bool = False,
    order: Order | None = None,
    index_dir: str | os.PathLike[str] | None = None,
    use_index: bool = True,
    heaps: OpenHeaps | None = None,
    follows: bool = False,
) -> Snapshots:
    """Count heap dumps and class histograms, in any mix, and order them by capture time.

    Parameters
    ----------
    paths : str or path-like, or several
        Files, directories that stand for all snapshots in them, or patterns of names with ``*``, ``?`` and
        ``[...]`` (``"leak-*.hprof.gz"``) where no file has that very name.
    progress : Progress
        Told how far counting is.
    as_jvm : bool
        Count what the JVM counts and a dump hides; see `Heap.histogram`.
    directories : bool
        Whether a directory stands for its snapshots; else it is no dump.
    partial : bool
        Whether of a broken dump what can be read is counted: `Snapshot.coverage`.
    raw_names : bool
        Whether generated classes keep counters, hashes and addresses in their names
        (``Bus$$Lambda$14/0x7f10``); else those that differ in nothing but these are one class.
    order : {"given", "name"}, optional
        The order of texts without a date: as given, or by their names; else what needs an order asks for it.
    index_dir, use_index
        Where indexes are kept, and whether: as for `heapscope.open`, of dumps that are opened later.
    heaps : OpenHeaps, optional
        Who opens the dumps, now and later, how many at a time, and for how long they stay open; see
        `heapscope.heap.open_heaps`.
    follows : bool
        Whether more than class counts will be asked for: compressed dumps are then inflated once, into
        temporary files.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    HeapscopeError
        ``order`` contradicts the times of dumps.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    files = [path for given in paths for path in (named_files(Path(given)) if directories else [Path(given)])]
    heaps = heaps or OpenHeaps()
    folder = None if index_dir is None else Path(index_dir)

    def count(path: Path, progress: Progress) -> list[Snapshot]:
        return read_snapshots(
            path, progress, as_jvm=as_jvm, partial=partial, index_dir=folder, use_index=use_index,
            heaps=heaps, follows=follows,
        )  # fmt: skip

    of_each = heaps.each(
        files,
        count,
        name=lambda path: path.name,
        progress=progress,
        object_counts=[_file_bytes(path) // _OBJECT_BYTES for path in files],
        is_analysed=False,
    )
    found = [one for several in of_each for one in several]
    return Snapshots(found if order is None else put_in_order(found, order), raw_names=raw_names)


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # whoever opens it says why
        return 0
