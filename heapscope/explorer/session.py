"""The dumps that a server has open, and how far each is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.snapshot import Snapshot, snapshot_of
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import HeapscopeError
from heapscope.explorer.jobs import Jobs, give_back, report_progress
from heapscope.heap.objects.secret_texts import secret_texts
from heapscope.heap.opening import open as open_heap

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.heap.heap import Heap

COUNTING, COUNTED, READY, FAILED = "counting", "counted", "ready", "failed"


class OpenedDump:
    """One dump.

    Attributes
    ----------
    path : Path
    name : str
        The file's, as the pages call it; unique among the dumps of a session.
    state : str
        ``"counting"``, ``"counted"`` (the class histogram is there), ``"ready"`` (everything is) or
        ``"failed"``.
    heap, snapshot : Heap, Snapshot or None
        There once it is counted.
    phase, done, total : str, int, int
        How far preparing it is.
    has_secrets : bool
        Whether it is known which texts are secret: before that no text of the heap is shown.
    error : str
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.state = COUNTING
        self.heap: Heap | None = None
        self.snapshot: Snapshot | None = None
        self.phase, self.done, self.total = "waiting", 0, 0
        self.has_secrets = False
        self.error = ""

    def progress(self, phase: str, done: int, total: int, /) -> None:
        """Told by the heap: to the job that works on it, else to whoever waits for the dump."""
        report_progress(phase, done, total)
        if self.state != READY:
            self.phase, self.done, self.total = phase, done, total

    @property
    def graph(self) -> HeapGraph:
        """The graph of a dump that is counted."""
        assert self.heap is not None
        return self.heap.graph

    @property
    def is_ready(self) -> bool:
        """Whether everything is there: references, dominators, reachability."""
        return self.state == READY

    def count(self, opening: dict[str, Any]) -> None:
        """Open and count it."""
        try:
            self.heap = open_heap(self.path, self.progress, follows=True, **opening)
            self.snapshot = snapshot_of(self.heap)
            self.state = COUNTED
        except (HeapscopeError, OSError) as error:
            self.error, self.state = str(error), FAILED
        except MemoryError:
            self.error, self.state = "out of memory; use a machine with more", FAILED

    def prepare(self) -> None:
        """Compute, or take from the index, what the pages need."""
        if self.state != COUNTED:
            return
        try:
            graph = self.graph
            _ = graph.dominators, graph.references, graph.roots, graph.reachability.categories
            _ = graph.columns.offsets  # a pass over the dump; each object that is shown needs its own
            self.state = READY
            # Before any text of the heap is shown.
            self.phase, self.done, self.total = "looking for texts that may be secret", 0, 0
            secret_texts(graph)
            self.has_secrets = True
        except (HeapscopeError, OSError) as error:
            self.error, self.state = str(error), FAILED
        except MemoryError:
            self.error, self.state = "out of memory; use a machine with more", FAILED


class Session:
    """Dumps in the order of time, and what is computed of them.

    Parameters
    ----------
    paths : sequence of Path
    opening : dict, optional
        Keyword arguments for `heapscope.open`.
    show_secrets : bool
        Whether values are shown as they are.
    heaps : sequence of Heap
        Heaps that are open already, instead of paths; they stay open.

    Attributes
    ----------
    dumps : list of OpenedDump
    jobs : Jobs
    """

    def __init__(
        self,
        paths: Sequence[Path],
        opening: dict[str, Any] | None = None,
        *,
        show_secrets: bool = False,
        heaps: Sequence[Heap] = (),
    ) -> None:
        self.opening = dict(opening or {})
        self.show_secrets = show_secrets
        self.jobs = Jobs()
        self.dumps = [OpenedDump(path, name) for path, name in zip(paths, _names(paths), strict=True)]
        for heap in heaps:
            dump = OpenedDump(heap.path, heap.path.name)
            dump.heap, dump.snapshot, dump.state = heap, snapshot_of(heap), COUNTED
            self.dumps.append(dump)
        self._owned = not heaps

    def start(self) -> None:
        """Prepare the dumps in a thread of its own: count all of them, then each from the newest on."""
        threading.Thread(target=self._prepare, name="preparing", daemon=True).start()

    def _prepare(self) -> None:
        for dump in self.dumps:
            if dump.state == COUNTING:
                dump.count(self.opening)
        # A new list: while one is sorted in place, a page would find it empty.
        self.dumps = sorted(self.dumps, key=_when)
        for dump in reversed(self.dumps):
            dump.prepare()
            give_back()

    def dump(self, name: str = "") -> OpenedDump | None:
        """The dump of a name; by default the newest that can be read. None where there is no such one."""
        if name:
            return next((dump for dump in self.dumps if dump.name == name), None)
        readable = [dump for dump in self.dumps if dump.state != FAILED]
        return readable[-1] if readable else self.dumps[-1]

    @property
    def default_name(self) -> str:
        """Name of the dump that a page is about where its address names none."""
        found = self.dump()
        return "" if found is None else found.name

    @property
    def is_counted(self) -> bool:
        """Whether no dump is being counted any more."""
        return all(dump.state != COUNTING for dump in self.dumps)

    def snapshots(self) -> Snapshots:
        """All dumps that could be read, counted, in the order of time."""
        return Snapshots([dump.snapshot for dump in self.dumps if dump.snapshot is not None])

    def snapshots_of(self, dump: OpenedDump) -> Snapshots:
        """The counted dumps of the process that a dump is of, in the order of time."""
        found = self.snapshots()
        for process in found.processes():
            series = found.at(process.members)
            if any(each is dump.snapshot for each in series):
                return series
        return found

    def close(self) -> None:
        """Release the dumps that the session opened itself."""
        for dump in self.dumps if self._owned else ():
            if dump.heap is not None:
                dump.heap.close()


def _when(dump: OpenedDump) -> datetime:
    """When it was taken; what cannot be read stands last."""
    return datetime.max.replace(tzinfo=UTC) if dump.snapshot is None else dump.snapshot.captured_at


def _names(paths: Sequence[Path]) -> list[str]:
    """File names; with a number where two are equal."""
    found: list[str] = []
    for path in paths:
        name, number = path.name, 2
        while name in found:
            name, number = f"{path.name}~{number}", number + 1
        found.append(name)
    return found
