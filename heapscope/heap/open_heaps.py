"""Heaps that stay open from one question to the next, so that a command reads each dump once.

What is kept of an idle heap is small: what its first pass counted, and its file.  What was computed of all
its objects goes, for the index has it; without an index it stays as long as there is memory.  A compressed
dump is kept as it was inflated, in a temporary file, as long as the disk has room.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from heapscope.heap.heap import Heap
from heapscope.memory_limits import free_memory
from heapscope.parser.inflating import worker_count
from heapscope.parser.numbered import split_number
from heapscope.progress import Progress, no_progress
from heapscope.side_by_side import side_by_side

Item = TypeVar("Item")
Result = TypeVar("Result")

# Of one object while its dump is analysed, measured: 35 bytes, 66 without an index, 33 of the index itself.
ANALYSIS_BYTES = 100
# Of a dump of fewer objects two threads would wait for each other, for little of it is compiled loops.
LEAST_OBJECTS = 200_000
_MOST_IDLE = 64  # a process may have 1,024 files
_MOST_ANALYSED = 8  # without an index: each array lies in a file of its own
_ROOM = 4  # times what a temporary file takes has to be free beside it, for others


class _Which(NamedTuple):
    """Which heap of which file, read how."""

    path: str
    number: int | None
    is_partial: bool
    index_dir: Path | None
    uses_index: bool


class OpenHeaps:
    """Opens heaps, and keeps them as long as somebody works with them: ``with OpenHeaps() as heaps: ...``.

    Outside of a ``with`` block a heap that is closed is closed.

    Parameters
    ----------
    jobs : int, optional
        How many dumps are worked on at a time; as many as cores and memory allow by default.
    """

    def __init__(self, jobs: int | None = None) -> None:
        self._jobs = jobs
        self._idle: dict[_Which, list[_KeptHeap]] = {}
        self._users = 0
        self._lock = Lock()

    def open(
        self,
        path: str | os.PathLike[str],
        progress: Progress,
        *,
        heap: int | None = None,
        partial: bool = False,
        index_dir: Path | None = None,
        use_index: bool = True,
        follows: bool = False,
    ) -> Heap:
        """A heap, opened or still open: ``with heaps.open(path, progress) as heap: ...``.

        Parameters
        ----------
        path, heap, partial, index_dir, use_index, follows
            As for `heapscope.heap.heap.Heap`.
        progress : Progress
            Told how far long work is until the heap is closed.

        Raises
        ------
        HprofError
            See `heapscope.errors`.
        """
        file, number = split_number(path)
        which = _Which(os.path.abspath(file), number if heap is None else heap, partial, index_dir, use_index)
        with self._lock:
            idle = self._idle.get(which)
            found = idle.pop() if idle else None
        if found is not None:
            if found.is_same_file():
                found.lend(progress)
                return found
            found.release()
        return _KeptHeap(self, which, path, progress, follows=follows)

    def each(
        self,
        items: Sequence[Item],
        do: Callable[[Item, Progress], Result],
        *,
        name: Callable[[Item], str],
        progress: Progress,
        object_counts: Sequence[int],
        inflated_bytes: Sequence[int] = (),
        is_analysed: bool = True,
    ) -> list[Result]:
        """Do the same with several dumps, side by side; see `heapscope.side_by_side.side_by_side`.

        Parameters
        ----------
        items, do, name, progress
            As there.
        object_counts : sequence of int
            About how many objects each has.
        inflated_bytes : sequence of int, optional
            About what a temporary file of each takes, 0 for one that needs none.
        is_analysed : bool
            Whether all objects are looked at; else they are counted, which takes no memory.
        """
        jobs = self._jobs or min(
            jobs_for(object_counts, free_memory() if is_analysed else 1 << 60), _files_for(inflated_bytes)
        )
        return side_by_side(items, do, jobs=jobs, name=name, progress=progress)

    def take_back(self, heap: _KeptHeap) -> None:
        """A heap that nobody uses any more."""
        which = heap.which._replace(
            number=heap.heap_number if heap.heap_count > 1 else None,
            is_partial=heap.coverage is not None,
        )
        can_stay = self._users > 0 and heap.rest()
        with self._lock:
            others = [each for idle in self._idle.values() for each in idle]
            is_one_too_many = heap.has_graph and sum(each.has_graph for each in others) >= _MOST_ANALYSED
            if self._users > 0 and can_stay and len(others) < _MOST_IDLE and not is_one_too_many:
                self._idle.setdefault(which, []).append(heap)
                return
        heap.release()

    def __enter__(self) -> Self:
        with self._lock:
            self._users += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._users -= 1
            left = [] if self._users else [heap for heaps in self._idle.values() for heap in heaps]
            if not self._users:
                self._idle.clear()
        for heap in left:
            heap.release()

    def __reduce__(self) -> tuple[type[OpenHeaps], tuple[int | None]]:
        return OpenHeaps, (self._jobs,)


def jobs_for(object_counts: Sequence[int], free_bytes: int | None) -> int:
    """How many dumps are worked on at a time.

    Parameters
    ----------
    object_counts : sequence of int
        Objects of each dump.
    free_bytes : int or None
        Memory that may be taken; None where nobody tells.
    """
    largest = max(object_counts, default=0)
    if largest < LEAST_OBJECTS or free_bytes is None:
        return 1
    return max(1, min(worker_count(), free_bytes // (largest * ANALYSIS_BYTES)))


def _files_for(inflated_bytes: Sequence[int]) -> int:
    """How many temporary files of dumps the disk has room for, one in any case."""
    largest = max(inflated_bytes, default=0)
    free = _free_disk_bytes()
    return worker_count() if not largest or free is None else max(1, free // largest)


def _free_disk_bytes() -> int | None:
    """What temporary files may take; None where nobody tells."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return None


class _Relay:
    """A progress whose listener can change."""

    def __init__(self, to: Progress) -> None:
        self.to = to

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        self.to(phase, done, total)


class _KeptHeap(Heap):
    """A heap that goes back to those who opened it when it is closed."""

    def __init__(
        self,
        heaps: OpenHeaps,
        which: _Which,
        path: str | os.PathLike[str],
        progress: Progress,
        *,
        follows: bool,
    ) -> None:
        self.which = which
        self._heaps = heaps
        self._relay = _Relay(progress)
        self._is_lent = True
        self._status = _status(which.path)
        super().__init__(
            path,
            self._relay,
            heap=which.number,
            partial=which.is_partial,
            index_dir=which.index_dir,
            use_index=which.uses_index,
            follows=follows,
        )

    def is_same_file(self) -> bool:
        """Whether its file is as it was when it was opened."""
        return self._status is not None and _status(self.which.path) == self._status

    @property
    def has_graph(self) -> bool:
        """Whether it keeps what was computed of its objects."""
        return self._graph is not None

    def lend(self, progress: Progress) -> None:
        """Give it to somebody who told where its progress goes."""
        self._relay.to = progress
        self._is_lent = True

    def rest(self) -> bool:
        """Keep no more than is needed for the next question; whether there is room for that."""
        self._relay.to = no_progress
        self._source.unmap()
        return self._has_room_for_graph() and self._has_room_on_disk()

    def _has_room_for_graph(self) -> bool:
        if self._graph is None or self._graph.is_in_index:
            self._graph = None
            return True
        free = free_memory()
        return free is not None and free > 2 * self.object_count * ANALYSIS_BYTES

    def _has_room_on_disk(self) -> bool:
        if not self._source.is_inflated:
            return True
        free = _free_disk_bytes()
        return free is not None and free > _ROOM * self.dump_bytes

    def close(self) -> None:
        """Hand it back."""
        if self._is_lent:
            self._is_lent = False
            self._heaps.take_back(self)

    def release(self) -> None:
        """Close it."""
        super().close()


def _status(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
