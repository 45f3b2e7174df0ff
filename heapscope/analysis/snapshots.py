"""Snapshots in time: what a process held, and what grew.

A snapshot is a heap dump or a class histogram as text.  Both give counts and shallow bytes by
class; a dump also tells superclasses and what the process was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from heapscope.analysis.census import KNOWN_SUPERCLASSES, WATCHED_CLASSES, matching_classes, sorted_histogram
from heapscope.analysis.heap import Heap
from heapscope.analysis.table import Table
from heapscope.errors import HeapscopeError, NotHprof
from heapscope.parser.histogram import is_histogram, read_histogram
from heapscope.parser.layout import Layout
from heapscope.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.parser.coverage import Coverage

Kind = Literal["heap dump", "class histogram"]
TimeSource = Literal["dump header", "text", "file time"]
DUMP: Kind = "heap dump"
HISTOGRAM: Kind = "class histogram"


@dataclass(frozen=True)
class ProcessFacts:
    """What a dump tells of its process and of itself."""

    environment: dict[str, str]
    system_properties: dict[str, str]
    thread_count: int
    root_counts: dict[str, int]
    layout: Layout
    format_version: str
    identifier_bytes: int
    class_count: int


@dataclass(frozen=True)
class Snapshot:
    """One heap dump or class histogram, counted."""

    path: Path
    name: str  # the file's, without folder and ending
    kind: Kind
    captured_at: datetime  # UTC
    captured_at_source: TimeSource
    histogram: Table  # class_name, instance_count, shallow_bytes
    superclasses: dict[str, str] = field(repr=False)
    root_counts: dict[str, int] = field(repr=False)
    coverage: Coverage | None = None  # what was read of a broken dump; None: all of it

    @property
    def object_count(self) -> int:
        """Objects of all classes."""
        return sum(self.histogram.column("instance_count"))

    @property
    def shallow_bytes(self) -> int:
        """Shallow size of all objects."""
        return sum(self.histogram.column("shallow_bytes"))

    def open(self, progress: Progress = silent) -> Heap | None:
        """The dump, opened; None for a class histogram."""
        is_partial = self.coverage is not None
        return Heap(self.path, progress, partial=is_partial) if self.kind == DUMP else None

    def facts(self, progress: Progress = silent) -> ProcessFacts | None:
        """What the process was; None for a class histogram.  Reads the dump again."""
        if self.kind != DUMP:
            return None
        with Heap(self.path, progress, partial=self.coverage is not None) as heap:
            return ProcessFacts(
                environment=heap.environment(),
                system_properties=heap.system_properties(),
                thread_count=len(heap.threads()),
                root_counts=heap.root_counts(),
                layout=heap.layout,
                format_version=heap.format_version,
                identifier_bytes=heap.identifier_bytes,
                class_count=len(heap.classes),
            )


_SNAPSHOT_ENDINGS = (".hprof", ".hprof.gz", ".hprof.zst", ".histogram.txt", ".histo")


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


class Snapshots(Sequence[Snapshot]):
    """Snapshots in the order of their capture times; files of one time stay in the given order."""

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self._snapshots = sorted(snapshots, key=lambda s: s.captured_at)

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

    def growth(
        self, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True
    ) -> list[ClassGrowth]:
        """Each watched class over all snapshots; see `heapscope.analysis.census` for patterns."""
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
        grown = self.growth(patterns, subclasses=subclasses)
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


def read_snapshot(
    path: str | os.PathLike[str], progress: Progress = silent, *, as_jvm: bool = False, partial: bool = False
) -> Snapshot:
    """Count one heap dump or class histogram; a dump ``as_jvm`` as `Heap.histogram` has it.

    With ``partial``, of a broken dump what can be read: `Snapshot.coverage`.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    """
    path = Path(path)
    if _looks_like_histogram(path):
        text = read_histogram(path)
        source: TimeSource = "file time" if text.captured_at_ms is None else "text"
        seconds = path.stat().st_mtime if text.captured_at_ms is None else text.captured_at_ms / 1000
        captured_at = datetime.fromtimestamp(seconds, UTC)
        rows = zip(text.class_names, text.instance_counts, text.shallow_bytes, strict=True)
        return Snapshot(
            path, _short_name(path), HISTOGRAM, captured_at, source, sorted_histogram(rows), {}, {}
        )
    with Heap(path, progress, partial=partial) as heap:
        return snapshot_of(heap, as_jvm=as_jvm)


def snapshot_of(heap: Heap, *, as_jvm: bool = False) -> Snapshot:
    """An open heap as a snapshot."""
    return Snapshot(
        heap.path,
        _short_name(heap.path),
        DUMP,
        heap.captured_at,
        "dump header",
        heap.histogram(as_jvm=as_jvm),
        heap.superclasses,
        heap.root_counts(),
        heap.coverage,
    )


def snapshots(
    paths: Iterable[str | os.PathLike[str]],
    progress: Progress = silent,
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


def snapshot_files(path: Path) -> list[Path]:
    """A directory's snapshots by name, hidden files and sidecars left out; any other path as it is.

    Raises
    ------
    NotHprof
        The directory holds no snapshot.
    """
    if not path.is_dir():
        return [path]
    found = sorted(
        entry
        for entry in path.iterdir()
        if not entry.name.startswith(".") and entry.name.endswith(_SNAPSHOT_ENDINGS) and entry.is_file()
    )
    if not found:
        raise NotHprof(
            path, None, f"this directory has no snapshot: no name ends in {', '.join(_SNAPSHOT_ENDINGS)}"
        )
    return found


def _looks_like_histogram(path: Path) -> bool:
    """Whether a file is text of a class histogram, perhaps gzip; False for what is no file."""
    import gzip
    import zlib

    try:
        with path.open("rb") as file:
            head = file.read(64 << 10)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as file:
                head = file.read(64 << 10)
    except (OSError, EOFError, zlib.error):
        return False
    return is_histogram(head)


def _short_name(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".zst", ".hprof", ".histogram.txt", ".txt", ".histo", ".bin"):
        name = name.removesuffix(ending) or name
    return name
