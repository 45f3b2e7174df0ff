"""From an open heap, or from snapshots, to a session that answers queries over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.snapshots import Snapshots
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
        part.tables |= verdict_tables(Snapshots([snapshot]), heap)
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
        parts = []
        heap = None
        for snapshot in snapshots:
            opened = snapshot.open(progress)
            if opened is not None:
                heap = stack.enter_context(opened)
            parts.append(_part(snapshot, opened, show_secrets))
        for name, part in zip(_distinct([each.name for each in snapshots]), parts, strict=True):
            part.name = name
        if parts:
            parts[-1].tables |= verdict_tables(snapshots, heap if snapshots[-1].kind == "heap dump" else None)
        yield Session(parts, TABLES, memory)


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
