"""The heap of the JVM that a test works with: in its own process, or in a child of it."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from heapscope.collector import embedded, jni, processes
from heapscope.collector.attach import jcmd
from heapscope.collector.dump import FileKind, collect
from heapscope.errors import CollectError, HeapscopeError, JvmNotFound
from heapscope.testing.watching import Watch

if TYPE_CHECKING:
    import pandas as pd

    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.collector.processes import JvmProcess
    from heapscope.heap.heap import Heap

_GLOB = set("*?[")


class JvmHeap:
    """The heap of one JVM; the fixture ``jvm_heap``.

    The JVM is looked for when something is asked: first in this process (JPype, libhdfs, TensorFlow), then
    among its children (py4j, PySpark).  A test may begin before its JVM runs.

    Parameters
    ----------
    pid : int, optional
        The process that hosts the JVM, where it is neither this one nor its only child with a JVM.
    folder : path-like, optional
        Where heap dumps go; a new folder of the system's by default.
    """

    def __init__(self, pid: int | None = None, folder: str | os.PathLike[str] | None = None) -> None:
        self._pid = pid
        self._folder = None if folder is None else Path(folder)

    def of(self, pid: int) -> JvmHeap:
        """The heap of the JVM in another process, with the same folder for dumps."""
        return JvmHeap(pid, self._folder)

    @property
    def folder(self) -> Path:
        """Where heap dumps go: they hold what the process holds, so nobody else may read it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="heapscope-"))
        return self._folder

    def process(self) -> JvmProcess:
        """The process that hosts the JVM, as it is now.

        Raises
        ------
        JvmNotFound
            None does.
        CollectError
            Several children do, and none was named.
        """
        if self._pid is not None:
            return processes.get(self._pid)
        with suppress(JvmNotFound):
            jni.created_vm()
            own = processes.get(os.getpid())
            if own.is_started:  # not so in a process that was forked from one with a JVM
                return own
        children = [each for each in processes.find(_descendants(os.getpid())) if each.is_started]
        if not children:
            raise JvmNotFound(
                f"no JVM runs in this process ({os.getpid()}) nor in a child of it: start one first, or name "
                "the process that hosts it by its pid"
            )
        if len(children) > 1:
            pids = ", ".join(str(each.pid) for each in children)
            raise CollectError(f"several children of this process host a JVM ({pids}): name one by its pid")
        return children[0]

    @property
    def pid(self) -> int:
        """Pid of the process that hosts the JVM."""
        return self.process().pid

    def count(self, pattern: str) -> int:
        """How many live instances there are now, after a full collection.

        Parameters
        ----------
        pattern : str
            A class by its full name, by its name without the package, or by a glob; with ``+`` at the end
            its subclasses count too.

        Raises
        ------
        ObjectNotFound, AmbiguousName
            No class of the JVM has that name, or several have.
        CollectError
            The JVM cannot be asked.
        """
        from heapscope.testing.limits import counts_of

        return sum(count for (count,) in counts_of([self.look([pattern])], pattern).values())

    def class_histogram(self) -> pd.DataFrame:
        """Live objects by class: ``class_name, instance_count, shallow_bytes``, the largest first.

        Raises
        ------
        CollectError
            The JVM cannot be asked.
        """
        return self.look(()).histogram.to_frame()

    def look(self, patterns: Sequence[str], when: str = "now") -> Snapshot:
        """A class histogram of live objects, with the superclasses that some patterns need.

        Parameters
        ----------
        patterns : sequence of str
        when : str
            Ends the name of the snapshot.

        Raises
        ------
        CollectError
            The JVM cannot be asked; or it cannot tell subclasses, and a pattern asks for them.
        """
        from heapscope.analysis.growth.snapshot import HISTOGRAM, Snapshot
        from heapscope.analysis.growth.time_source import TEXT
        from heapscope.heap.histogram import sorted_histogram
        from heapscope.parser.texts.class_histogram import parse_histogram

        process = self.process()
        gc.collect()  # Python's garbage may hold Java objects: JPype and py4j let go of them with it
        with suppress(CollectError):
            _ask(process, "GC.run_finalization")
        found = parse_histogram(
            _ask(process, "GC.class_histogram").encode(), f"the JVM of process {process.pid}"
        )
        return Snapshot(
            path=Path(f"process {process.pid}"),
            name=f"process {process.pid} {when}",
            kind=HISTOGRAM,
            captured_at=datetime.now(UTC),
            captured_at_source=TEXT,
            histogram=sorted_histogram(
                zip(found.class_names, found.instance_counts, found.shallow_bytes, strict=True)
            ),
            superclasses=_superclasses(process, patterns),
            root_counts={},
            pid=process.pid,
        )

    def dump(self) -> Path:
        """Take a heap dump of live objects into `folder`.

        Raises
        ------
        CollectError, DumpFailed
            The JVM cannot be asked, or wrote no whole dump.
        """
        kind: FileKind = "dump"
        process = self.process()
        if process.pid == os.getpid():
            return embedded.collect_self(self.folder, kind=kind).path
        return collect(process, self.folder, kind=kind, allow_sigquit=not process.is_embedded).path

    def open(self) -> Heap:
        """A heap dump of now, opened: ``with jvm_heap.open() as heap: ...``.

        Raises
        ------
        CollectError, DumpFailed
            As for `dump`.
        """
        from heapscope.heap.opening import open as open_heap

        return open_heap(self.dump())

    @contextmanager
    def watching_growth(self, pattern: str, limit: int = 0, *, allow_absent: bool = False) -> Iterator[None]:
        """`heapscope.watching_growth` of this JVM."""
        from heapscope.testing.limits import Limit

        watch = Watch(self, [Limit(pattern, limit, allow_absent)])
        yield
        watch.check()

    def __repr__(self) -> str:
        return f"<JvmHeap {'of this process or its child' if self._pid is None else f'of {self._pid}'}>"


def _ask(process: JvmProcess, command: str) -> str:
    """The answer of a JVM to a diagnostic command."""
    if process.pid == os.getpid():
        return embedded.ask_self(command)
    # A Java launcher handles SIGQUIT, which opens its attach socket; another program may die of it.
    return jcmd(process, command, allow_sigquit=not process.is_embedded)


def _superclasses(process: JvmProcess, patterns: Iterable[str]) -> dict[str, str]:
    """Class name to superclass, of the classes that patterns name or of all that are loaded."""
    from heapscope.parser.texts.class_hierarchy import read_class_hierarchy

    wanted = list(patterns)
    if not wanted:
        return {}
    names = [pattern.removesuffix("+") for pattern in wanted]
    found: dict[str, str] = {}
    try:
        if all("." in name and not _GLOB & set(name) for name in names):
            for name in dict.fromkeys(names):
                found |= read_class_hierarchy(_ask(process, f"VM.class_hierarchy -s {name}"))
        if not set(names) <= set(found):  # misspelt, perhaps: the nearest of all classes will be named
            found = read_class_hierarchy(_ask(process, "VM.class_hierarchy"))
    except CollectError as error:
        if any(pattern.endswith("+") for pattern in wanted):
            raise HeapscopeError(
                f"process {process.pid}: its JVM does not tell which classes extend {', '.join(names)} "
                f"({error}); JDK 9 and later do: name the classes themselves, or a glob"
            ) from None
    return found


def _descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on."""
    found: list[int] = []
    pending = [pid]
    while pending:
        for child in _children(pending.pop()):
            found.append(child)
            pending.append(child)
    return found


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                yield from map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
