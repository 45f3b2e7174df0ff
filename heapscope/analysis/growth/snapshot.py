"""One snapshot: a heap dump or a class histogram as text, counted; and where snapshots are found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heapscope.analysis.growth.capture_time import find_capture_time, short_name
from heapscope.analysis.growth.sidecar import options_in, read_sidecar
from heapscope.analysis.growth.time_source import (
    HEADER,
    INTERVALS,
    ORDER_IN_DUMP,
    ORDER_IN_TEXT,
    RECORD,
    TEXT,
    UNDATED,
    TimeSource,
)
from heapscope.errors import HeapscopeError, NotHprof
from heapscope.heap.heap import Heap
from heapscope.heap.histogram import sorted_histogram
from heapscope.heap.objects.environment import stated_direct_limit
from heapscope.heap.open_heaps import OpenHeaps
from heapscope.heap.vm_facts import VmFacts
from heapscope.parser.layout.layout import Layout
from heapscope.parser.numbered import no_such, split_number
from heapscope.parser.tags import MAGIC_PREFIX
from heapscope.parser.texts.class_histogram import (
    ClassHistogramText,
    is_histogram,
    is_standard_input,
    read_histograms,
)
from heapscope.parser.unpacking import ARCHIVES, HEAD_BYTES, PackingError, Unpacked, packing_of
from heapscope.progress import Progress, default_progress, no_progress, of_file
from heapscope.rich_repr import RichRepr
from heapscope.table import Table
from heapscope.units import parse_bytes

if TYPE_CHECKING:
    import pandas as pd

    from heapscope.parser.broken.coverage import Coverage
    from heapscope.parser.layout.vm_objects import VmObjects

Kind = Literal["heap dump", "class histogram"]
DUMP: Kind = "heap dump"
HISTOGRAM: Kind = "class histogram"
# Of an object in a dump beside what it takes in the heap: identifiers, the head of its record.
_RECORD_BYTES = 40
_DIRECT_OPTION = "-XX:MaxDirectMemorySize="


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
    implied_root_count: int  # class objects that are roots without a record


@dataclass(frozen=True, repr=False)
class Snapshot(RichRepr):
    """One heap dump or class histogram, counted."""

    path: Path
    name: str  # the file's, without folder and ending; of several in one file also #1, #2 ...
    kind: Kind
    captured_at: datetime  # UTC
    captured_at_source: TimeSource
    histogram: Table  # class_name, instance_count, shallow_bytes
    superclasses: dict[str, str] = field(repr=False)
    root_counts: dict[str, int] = field(repr=False)
    vm: VmFacts = field(default=VmFacts(), repr=False)
    coverage: Coverage | None = None  # what was read of a broken dump; None: all of it
    is_cut: bool = False  # a class histogram without its Total line: classes may be missing
    counted_by: str = ""  # of a dump read in part the text of the same moment that its counts are from
    pid: int | None = None  # of a class histogram that names its process
    number: int = 1  # which snapshot of its file, counted from 1
    of_count: int = 1  # how many its file holds
    vm_objects: VmObjects | None = None  # what the histogram has beside the rows of the dump
    index_dir: Path | None = field(default=None, repr=False)  # where `open` keeps indexes
    use_index: bool = field(default=True, repr=False)
    heaps: OpenHeaps = field(default_factory=OpenHeaps, repr=False, compare=False)  # who opens the dump
    # What its sidecar will say, of a snapshot that is no file yet.
    given_sidecar: Mapping[str, Any] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        part = "" if self.is_whole else ", partial"
        return (
            f"<snapshot {self.name}: {self.object_count:,} objects, {self.shallow_bytes:,} bytes{part}, "
            f"captured {self.captured_at:%Y-%m-%d %H:%M:%S} UTC>"
        )

    def to_dict(self) -> dict[str, Any]:
        """What it is, as plain values; its histogram is a table of its own."""
        return {
            "name": self.name,
            "path": str(self.path),
            "kind": str(self.kind),
            "captured_at": self.captured_at.isoformat(),
            "captured_at_source": str(self.captured_at_source),
            "object_count": self.object_count,
            "shallow_bytes": self.shallow_bytes,
            "is_whole": self.is_whole,
        }

    def to_frame(self) -> pd.DataFrame:
        """Its class histogram as a DataFrame."""
        return self.histogram.to_frame()

    @property
    def is_dated(self) -> bool:
        """Whether its time of capture is known, exactly or from a name."""
        return self.captured_at_source not in UNDATED

    @property
    def is_whole(self) -> bool:
        """Whether all of it was counted; else what it does not have proves nothing."""
        return (self.coverage is None or bool(self.counted_by)) and not self.is_cut

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """What ``heapscope collect`` wrote beside the snapshot; empty where there is nothing."""
        return read_sidecar(self.path) if self.given_sidecar is None else dict(self.given_sidecar)

    @cached_property
    def stated_direct_bytes(self) -> int | None:
        """``-XX:MaxDirectMemorySize``; None where it was not given, and where nothing tells.

        Opens the dump where its sidecar does not have the option.
        """
        for option in options_in(self.sidecar):
            if option.startswith(_DIRECT_OPTION):
                with suppress(ValueError):
                    return parse_bytes(option.removeprefix(_DIRECT_OPTION))
        with suppress(HeapscopeError, OSError):  # it may be gone by now
            heap = self.open(no_progress)
            if heap is not None:
                with heap:
                    return stated_direct_limit(heap.graph)
        return None

    @property
    def object_count(self) -> int:
        """Objects of all classes."""
        return sum(self.histogram.column("instance_count"))

    @property
    def shallow_bytes(self) -> int:
        """Shallow size of all objects."""
        return sum(self.histogram.column("shallow_bytes"))

    @cached_property
    def inflated_bytes(self) -> int:
        """About what a temporary file of the dump takes; 0 where it needs none."""
        with suppress(OSError, ValueError):  # whoever opens it says why; no file has such a name, say
            if self.kind == DUMP:
                with self.path.open("rb") as file:
                    is_plain = file.read(HEAD_BYTES).startswith(MAGIC_PREFIX)
                return 0 if is_plain else self.shallow_bytes + _RECORD_BYTES * self.object_count
        return 0

    def open(self, progress: Progress = default_progress) -> Heap | None:
        """The dump, opened; None for a class histogram.

        Raises
        ------
        HprofError
            The dump cannot be read any more.
        """
        if self.kind != DUMP:
            return None
        return self.heaps.open(
            self.path,
            of_file(progress, self.path.name),
            partial=self.coverage is not None,
            heap=self.number if self.of_count > 1 else None,
            index_dir=self.index_dir,
            use_index=self.use_index,
        )

    def facts(self, progress: Progress = no_progress, opened: Heap | None = None) -> ProcessFacts | None:
        """What the process was; None for a class histogram.  Reads the dump unless it is ``opened``.

        Raises
        ------
        HprofError
            The dump cannot be read any more.
        """
        if opened is not None:
            return facts_of(opened)
        heap = self.open(progress)
        if heap is None:
            return None
        with heap:
            return facts_of(heap)


def facts_of(heap: Heap) -> ProcessFacts:
    """What an open heap tells of its process and of itself."""
    return ProcessFacts(
        environment=heap.environment(),
        system_properties=heap.system_properties(),
        thread_count=len(heap.threads()),
        root_counts=heap.root_counts(),
        layout=heap.layout,
        format_version=heap.format_version,
        identifier_bytes=heap.identifier_bytes,
        class_count=len(heap.classes),
        implied_root_count=heap.roots.implied_count,
    )


_SNAPSHOT_ENDINGS = (".hprof", ".hprof.gz", ".hprof.zst", ".histogram.txt", ".histo")


def read_snapshot(
    path: str | os.PathLike[str],
    progress: Progress = no_progress,
    *,
    as_jvm: bool = False,
    partial: bool = False,
    index_dir: Path | None = None,
    use_index: bool = True,
    heaps: OpenHeaps | None = None,
    follows: bool = False,
) -> Snapshot:
    """Count one heap dump or class histogram, of a file that holds several the last; see `read_snapshots`.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    """
    path, number = split_number(path)
    if is_histogram_file(path):
        found = _of_texts(path, read_histograms(path))
        return found[-1] if number is None else _numbered(found, number)
    heaps = heaps or OpenHeaps()
    with heaps.open(
        path,
        progress,
        partial=partial,
        heap=number,
        index_dir=index_dir,
        use_index=use_index,
        follows=follows,
    ) as heap:
        return snapshot_of(heap, heaps, as_jvm=as_jvm)


def read_snapshots(
    path: str | os.PathLike[str],
    progress: Progress = no_progress,
    *,
    as_jvm: bool = False,
    partial: bool = False,
    index_dir: Path | None = None,
    use_index: bool = True,
    heaps: OpenHeaps | None = None,
    follows: bool = False,
) -> list[Snapshot]:
    """Count each heap of a dump, or each class histogram of a text.

    Parameters
    ----------
    path : str or path-like
        ``worker.hprof#2`` is the second snapshot of the file alone.
    progress : Progress
        Told how far counting is.
    as_jvm : bool
        Count what the JVM counts and a dump hides; see `Heap.histogram`.
    partial : bool
        Whether of a broken dump what can be read is counted: `Snapshot.coverage`.
    index_dir, use_index
        Where `Snapshot.open` keeps indexes, and whether.
    heaps : OpenHeaps, optional
        Who opens the dump, now and in `Snapshot.open`.
    follows : bool
        Whether references or values will be asked for; see `heapscope.heap.heap.Heap`.

    Returns
    -------
    list of Snapshot
        As many as the file holds heaps or tables, in its order.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    """
    path, number = split_number(path)
    if is_histogram_file(path):
        texts = _of_texts(path, read_histograms(path))
        return texts if number is None else [_numbered(texts, number)]
    heaps = heaps or OpenHeaps()

    def count(heap_number: int | None) -> Snapshot:
        with heaps.open(
            path, progress, heap=heap_number, partial=partial, index_dir=index_dir, use_index=use_index,
            follows=follows,
        ) as heap:  # fmt: skip
            return snapshot_of(heap, heaps, as_jvm=as_jvm)

    last = count(number)
    earlier = range(1, last.of_count) if number is None else ()
    return [*map(count, earlier), last]


def _numbered(found: Sequence[Snapshot], number: int) -> Snapshot:
    if number > len(found):
        what = no_such("class histogram", "class histograms", len(found), number)
        raise HeapscopeError(f"{found[0].path}: {what}")
    return found[number - 1]


def _of_texts(path: Path, texts: Sequence[ClassHistogramText]) -> list[Snapshot]:
    found: list[Snapshot] = []
    intervals = _intervals(texts)
    for number, text in enumerate(texts, 1):
        source: TimeSource
        if text.captured_at_ms is not None:
            captured_at, source = datetime.fromtimestamp(text.captured_at_ms / 1000, UTC), TEXT
        elif intervals:
            end, _ = find_capture_time(path)
            captured_at, source = end - timedelta(seconds=intervals[-1] - intervals[number - 1]), INTERVALS
        elif found:
            captured_at, source = found[-1].captured_at, ORDER_IN_TEXT
        else:
            captured_at, source = find_capture_time(path)
        rows = zip(text.class_names, text.instance_counts, text.shallow_bytes, strict=True)
        found.append(
            Snapshot(
                path=path,
                name=short_name(path) + (f"#{number}" if len(texts) > 1 else ""),
                kind=HISTOGRAM,
                captured_at=captured_at,
                captured_at_source=source,
                histogram=sorted_histogram(rows),
                superclasses={},
                root_counts={},
                is_cut=not text.is_complete,
                pid=text.pid,
                number=number,
                of_count=len(texts),
            )
        )
    return found


def _intervals(texts: Sequence[ClassHistogramText]) -> list[float]:
    """Seconds of several texts since a moment nobody knows; empty where one does not tell, or they fall."""
    known = [text.interval_seconds for text in texts if text.captured_at_ms is None]
    intervals = [each for each in known if each is not None]
    is_known = len(texts) > 1 and len(intervals) == len(texts) and intervals == sorted(intervals)
    return intervals if is_known else []


def snapshot_of(heap: Heap, heaps: OpenHeaps | None = None, *, as_jvm: bool = False) -> Snapshot:
    """An open heap as a snapshot; ``heaps`` opens it again."""
    is_one_of_several = heap.heap_count > 1
    source = HEADER if not is_one_of_several else RECORD if heap.is_dated else ORDER_IN_DUMP
    return Snapshot(
        path=heap.path,
        name=short_name(heap.path) + (f"#{heap.heap_number}" if is_one_of_several else ""),
        kind=DUMP,
        captured_at=heap.captured_at,
        captured_at_source=source,
        histogram=heap.histogram(as_jvm=as_jvm),
        superclasses=heap.superclasses,
        root_counts=heap.root_counts(),
        vm=heap.vm_facts,
        coverage=heap.coverage,
        vm_objects=heap.vm_objects if as_jvm else None,
        number=heap.heap_number,
        of_count=heap.heap_count,
        index_dir=heap.index_dir,
        use_index=heap.uses_index,
        heaps=heaps or OpenHeaps(),
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


def named_files(path: Path) -> list[Path]:
    """What a path names: itself, a directory's snapshots, or the files that match a pattern, by name.

    Raises
    ------
    NotHprof
        The directory holds no snapshot, or nothing matches the pattern.
    """
    if not any(mark in os.fspath(path) for mark in "*?[") or os.path.lexists(path):
        return snapshot_files(path)
    found = [Path(each) for each in sorted(glob(os.fspath(path))) if not each.endswith(".json")]
    if not found:
        raise NotHprof(path, None, "no file matches this pattern")
    return [file for each in found for file in snapshot_files(each)]


def is_histogram_file(path: Path) -> bool:
    """Whether a file is text of a class histogram, packed perhaps; False for what is no file."""
    if is_standard_input(path):
        return True
    try:
        if not path.is_file():  # what is read of a pipe is gone for its reader
            return False
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if packing_of(head) is None:
            return is_histogram(head)
        if packing_of(head) in ARCHIVES and _has_dump(path):
            return False  # of a dump with its class histogram in one archive the dump says more
        with Unpacked(path, is_histogram) as inside:
            return is_histogram(inside.head)
    except (OSError, PackingError):
        return False


def _has_dump(path: Path) -> bool:
    try:
        with Unpacked(path, lambda head: head.startswith(MAGIC_PREFIX)):
            return True
    except PackingError as error:
        return error.has_several
