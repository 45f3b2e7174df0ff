"""From an open heap, or from snapshots, to a session that answers queries over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.snapshot import (
    is_histogram_file,
    read_snapshots,
    snapshot_files,
    snapshot_of,
)
from heapscope.analysis.snapshots import Snapshots
from heapscope.heap.opening import open as open_heap
from heapscope.progress import Progress, default_progress
from heapscope.query.catalogue import TABLES
from heapscope.query.heap_tables import HeapArrow, heap_tables
from heapscope.query.process_tables import histogram_table, process_tables, snapshot_table
from heapscope.query.session import Part, Session
from heapscope.query.verdict_tables import verdict_tables

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.heap.heap import Heap


def heap_session(heap: Heap, *, memory: int | None = None, show_secrets: bool = False) -> Session:
    """A session over one open heap; the same one for the same heap.

    Parameters
    ----------
    heap : Heap
    memory : int, optional
        No more bytes than these for a query; half of what the machine has free by default.
    show_secrets : bool
        Whether texts that may be secret are shown as they are.
    """

    def make() -> Session:
        snapshot = snapshot_of(heap)
        part = _part(snapshot, heap, show_secrets)
        part.tables |= verdict_tables(Snapshots([snapshot]), heap, show_secrets=show_secrets)
        return Session([part], TABLES)

    session = heap.graph.kept(f"query session, secrets {show_secrets}", make)
    session.memory = memory
    return session


@contextmanager
def snapshots_session(
    snapshots: Snapshots,
    *,
    memory: int | None = None,
    show_secrets: bool = False,
    progress: Progress = default_progress,
) -> Iterator[Session]:
    """A session over snapshots, whose dumps are open as long as it lasts.

    Parameters
    ----------
    snapshots : Snapshots
    memory, show_secrets
        As `heap_session` has them.
    progress : Progress
        Told how far reading dumps is.

    Raises
    ------
    HprofError
        A dump cannot be read any more.
    """
    with ExitStack() as stack:
        heaps: list[Heap | None] = []
        for snapshot in snapshots:
            opened = snapshot.open(progress)
            heaps.append(None if opened is None else stack.enter_context(opened))
        yield _session(snapshots, heaps, memory, show_secrets)


@contextmanager
def opened_session(
    paths: Iterable[Path],
    following: Mapping[str, Any],
    *,
    memory: int | None = None,
    show_secrets: bool = False,
    progress: Progress = default_progress,
) -> Iterator[Session]:
    """A session over files, which are open as long as it lasts.

    Parameters
    ----------
    paths : iterable of Path
        Heap dumps, class histograms, and directories of such.
    following : mapping
        Keyword arguments for `heapscope.open`.
    memory, show_secrets, progress
        As `snapshots_session` has them.

    Raises
    ------
    HprofError, HistogramError
    """
    with ExitStack() as stack:
        found: list[tuple[Snapshot, Heap | None]] = []
        for path in (file for each in paths for file in snapshot_files(each)):
            if is_histogram_file(path):
                found += [(snapshot, None) for snapshot in read_snapshots(path, progress)]
            else:
                heap = stack.enter_context(open_heap(path, progress, follows=True, **following))
                found.append((snapshot_of(heap), heap))
        snapshots = Snapshots(snapshot for snapshot, _ in found)
        heap_of = {id(snapshot): heap for snapshot, heap in found}
        yield _session(snapshots, [heap_of[id(each)] for each in snapshots], memory, show_secrets)


def _session(
    snapshots: Snapshots, heaps: Sequence[Heap | None], memory: int | None, show_secrets: bool
) -> Session:
    parts = [_part(snapshot, heap, show_secrets) for snapshot, heap in zip(snapshots, heaps, strict=True)]
    for name, part in zip(_distinct([each.name for each in snapshots]), parts, strict=True):
        part.name = name
    if parts:
        parts[-1].tables |= verdict_tables(snapshots, heaps[-1], show_secrets=show_secrets)
    return Session(parts, TABLES, memory)


def _part(snapshot: Snapshot, heap: Heap | None, show_secrets: bool) -> Part:
    tables = {"snapshots": snapshot_table(snapshot)}
    if heap is None:
        return Part(snapshot.name, tables | {"classes": histogram_table(snapshot)})
    arrays = HeapArrow(heap.graph, show_secrets)
    tables |= heap_tables(arrays) | process_tables(heap.graph, show_secrets=show_secrets)
    return Part(snapshot.name, tables, arrays)


def _distinct(names: list[str]) -> list[str]:
    """The names, those that occur twice (of files in two folders) with a number."""
    found: list[str] = []
    for name in names:
        number, unique = 2, name
        while unique in found:
            unique, number = f"{name} ({number})", number + 1
        found.append(unique)
    return found
