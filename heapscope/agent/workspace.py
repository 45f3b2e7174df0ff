"""What the answers stand on: snapshots and heaps by the names that clients use, each read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from heapscope.agent.disclosure import Disclosure
from heapscope.agent.scope import Scope
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.snapshots import Snapshots
from heapscope.analysis.snapshots import snapshots as read_snapshots
from heapscope.errors import HeapscopeError, HprofError
from heapscope.heap.opening import open as open_heap
from heapscope.progress import Progress

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.heap.heap import Heap

_HEAPS = 2  # open at a time
_SERIES = 8
_Key = tuple[tuple[str, int, int], ...]  # path, time of change, bytes
_Value = TypeVar("_Value")


@dataclass
class Workspace:
    """Files that may be read, and what was read of them.

    Attributes
    ----------
    scope : Scope
    disclosure : Disclosure
    unread : dict
        Names of files that could not be read, in the order in which that was found.
    keeping : dict
        ``index_dir`` and ``use_index``, as `heapscope.open` takes them.
    """

    scope: Scope
    disclosure: Disclosure
    unread: dict[str, None] = field(default_factory=dict)
    keeping: dict[str, Any] = field(default_factory=dict)
    _series: OrderedDict[_Key, Snapshots] = field(default_factory=OrderedDict)
    _heaps: OrderedDict[_Key, Heap] = field(default_factory=OrderedDict)
    _locks: dict[_Key, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def series(self, names: Sequence[str], progress: Progress) -> Snapshots:
        """Snapshots in order of time: all, or those that are named.

        Where a dump is broken, what can be read of it is taken, and `Snapshot.coverage` says so.  Of all,
        files that cannot be read at all are left out; `unread` names them.

        Raises
        ------
        HeapscopeError
            A file is out of scope; one that is named cannot be read, or none can.
        """
        paths = self.scope.snapshots(names)
        key = _key(paths)
        with self._locked(key):
            found = self._series.get(key)
            if found is None:
                found = self._read(paths, progress, is_strict=bool(names))
                self._keep(self._series, key, found, _SERIES)
        return found

    def _read(self, paths: Sequence[Path], progress: Progress, *, is_strict: bool) -> Snapshots:
        found: list[Snapshot] = []
        problem: HeapscopeError | None = None
        for path in paths:
            try:
                found += read_snapshots(path, progress, directories=False, partial=True, **self.keeping)
            except HeapscopeError as error:
                if is_strict:
                    raise
                problem = problem or error
                self.unread[self.scope.name_of(path)] = None
        if problem is not None and not found:
            raise problem
        return Snapshots(found)

    def unread_notes(self) -> list[str]:
        """What could not be read, for the notes of an answer about all."""
        names = list(self.unread)
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return (
            [f"could not be read: {', '.join(names[:5])}{more}; 'open' with a name says why"] if names else []
        )

    def processes(self, names: Sequence[str], progress: Progress) -> list[Snapshots]:
        """The same, the snapshots of each process by themselves."""
        found = self.series(names, progress)
        if len(found) < 2:
            return [found]
        return [found.at(process.members) for process in found.processes(progress)]

    def latest_dump(self, name: str, progress: Progress) -> Path:
        """The heap dump that is named, or the latest of all.

        Raises
        ------
        HeapscopeError
            There is no heap dump.
        """
        if name:
            (path, *more) = self.scope.snapshots([name])
            if more:
                raise HeapscopeError(f"{name!r} is a folder of {1 + len(more)} snapshots; name one of them")
            return path
        dumps = [each for each in self.series((), progress) if each.kind == DUMP]
        if not dumps:
            raise HeapscopeError(
                "there are class histograms only, which have no references; this takes a heap dump"
            )
        return dumps[-1].path

    @contextmanager
    def heap(self, name: str, progress: Progress) -> Iterator[Heap]:
        """The heap dump that is named, or the latest of all, open; nobody else works on it meanwhile.

        Raises
        ------
        HeapscopeError
            As for `latest_dump`; or it cannot be read.
        """
        path = self.latest_dump(name, progress)
        key = _key([path])
        with self._locked(key):
            heap = self._heaps.get(key)
            if heap is None:
                try:
                    heap = open_heap(path, progress, partial=True, follows=True, **self.keeping)
                except HprofError as error:
                    raise HeapscopeError(f"{self.scope.name_of(path)}: {error.problem}") from None
                self._keep(self._heaps, key, heap, _HEAPS)
            yield heap

    def name(self, snapshot: Snapshot) -> str:
        """The name by which a client asks for the file of a snapshot."""
        return self.scope.name_of(snapshot.path)

    @contextmanager
    def _locked(self, key: _Key) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield

    def _keep(self, kept: OrderedDict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
        """Keep what was read; what was not asked for for longest is left to the garbage collector."""
        with self._guard:
            kept[key] = value
            kept.move_to_end(key)
            while len(kept) > most:
                kept.popitem(last=False)  # not closed: another answer may still work on it


def _key(paths: Sequence[Path]) -> _Key:
    found = []
    for path in paths:
        try:
            facts = path.stat()
        except OSError as error:
            raise HeapscopeError(f"{path.name}: {error.strerror}") from None
        found.append((str(path), facts.st_mtime_ns, facts.st_size))
    return tuple(found)
