"""One snapshot: a heap dump or a class histogram as text, counted; and where snapshots are found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heapscope.analysis.growth.capture_time import find_capture_time, short_name
from heapscope.analysis.growth.sidecar import options_in, read_sidecar
from heapscope.analysis.growth.time_source import HEADER, ORDER_IN_TEXT, TEXT, UNDATED, TimeSource
from heapscope.errors import HeapscopeError, NotHprof
from heapscope.heap.heap import Heap
from heapscope.heap.histogram import sorted_histogram
from heapscope.heap.objects.environment import stated_direct_limit
from heapscope.heap.vm_facts import VmFacts
from heapscope.parser.layout.layout import Layout
from heapscope.parser.texts.class_histogram import ClassHistogramText, is_histogram, read_histograms
from heapscope.progress import Progress, default_progress, no_progress
from heapscope.rich_repr import RichRepr
from heapscope.table import Table
from heapscope.units import parse_bytes

if TYPE_CHECKING:
    from heapscope.parser.broken.coverage import Coverage

Kind = Literal["heap dump", "class histogram"]
DUMP: Kind = "heap dump"
HISTOGRAM: Kind = "class histogram"
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


@dataclass(frozen=True)
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
    pid: int | None = None  # of a class histogram that names its process

    @property
    def is_dated(self) -> bool:
        """Whether its time of capture is known, exactly or from a name."""
        return self.captured_at_source not in UNDATED

    @property
    def is_whole(self) -> bool:
        """Whether all of it was read; else what it does not have proves nothing."""
        return self.coverage is None and not self.is_cut

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """What ``heapscope collect`` wrote beside the snapshot; empty where there is nothing."""
        return read_sidecar(self.path)

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

    def open(self, progress: Progress = default_progress) -> Heap | None:
        """The dump, opened; None for a class histogram.

        Raises
        ------
        HprofError
            The dump cannot be read any more.
        """
        is_partial = self.coverage is not None
        return Heap(self.path, progress, partial=is_partial) if self.kind == DUMP else None

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
    )


_SNAPSHOT_ENDINGS = (".hprof", ".hprof.gz", ".hprof.zst", ".histogram.txt", ".histo")


def read_snapshot(
    path: str | os.PathLike[str],
    progress: Progress = no_progress,
    *,
    as_jvm: bool = False,
    partial: bool = False,
) -> Snapshot:
    """Count one heap dump or class histogram; see `read_snapshots`.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    HeapscopeError
        The file holds several class histograms.
    """
    found = read_snapshots(path, progress, as_jvm=as_jvm, partial=partial)
    if len(found) > 1:
        raise HeapscopeError(
            f"{path}: holds {len(found)} class histograms; growth, trend, check and diagnose take it as it "
            "is, here one is needed"
        )
    return found[0]


def read_snapshots(
    path: str | os.PathLike[str],
    progress: Progress = no_progress,
    *,
    as_jvm: bool = False,
    partial: bool = False,
) -> list[Snapshot]:
    """Count a heap dump, or each class histogram of a text.

    Parameters
    ----------
    path : str or path-like
    progress : Progress
        Told how far counting is.
    as_jvm : bool
        Count what the JVM counts and a dump hides; see `Heap.histogram`.
    partial : bool
        Whether of a broken dump what can be read is counted: `Snapshot.coverage`.

    Returns
    -------
    list of Snapshot
        One of a dump; of a text as many as it has tables, in its order.

    Raises
    ------
    HprofError, HistogramError
        See `heapscope.errors`.
    """
    path = Path(path)
    if is_histogram_file(path):
        return _of_texts(path, read_histograms(path))
    with Heap(path, progress, partial=partial) as heap:
        return [snapshot_of(heap, as_jvm=as_jvm)]


def _of_texts(path: Path, texts: Sequence[ClassHistogramText]) -> list[Snapshot]:
    found: list[Snapshot] = []
    for number, text in enumerate(texts, 1):
        source: TimeSource
        if text.captured_at_ms is not None:
            captured_at, source = datetime.fromtimestamp(text.captured_at_ms / 1000, UTC), TEXT
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
            )
        )
    return found


def snapshot_of(heap: Heap, *, as_jvm: bool = False) -> Snapshot:
    """An open heap as a snapshot."""
    return Snapshot(
        path=heap.path,
        name=short_name(heap.path),
        kind=DUMP,
        captured_at=heap.captured_at,
        captured_at_source=HEADER,
        histogram=heap.histogram(as_jvm=as_jvm),
        superclasses=heap.superclasses,
        root_counts=heap.root_counts(),
        vm=heap.vm_facts,
        coverage=heap.coverage,
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


def is_histogram_file(path: Path) -> bool:
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
