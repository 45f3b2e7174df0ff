"""Every error heapscope raises on purpose.

::

    HeapscopeError
    ├── CollectError            a process could not be looked at or dumped
    │   ├── JvmNotFound         no such process, or no JVM in it
    │   ├── AttachRefused       contact would be dangerous, or the JVM says no
    │   ├── AttachTimeout       the JVM did not answer in time
    │   ├── DumpFailed          the JVM wrote no whole snapshot
    │   └── CommandFailed       a command that runs after a snapshot fails; the snapshot is whole
    ├── HprofError (path, offset)
    │   ├── NotHprof            the file is no heap dump and no class histogram
    │   ├── UnsupportedFormat   a heap dump of a kind or size heapscope cannot read
    │   ├── CorruptRecord       a record contradicts the format or the dump itself
    │   ├── TruncatedDump       the file ends inside a record
    │   ├── NoSuchHeap          the file holds fewer heaps than the number that is asked for
    │   └── NeedsClasses        a stream to be redacted has objects before their classes
    ├── HistogramError (path, line)   a class histogram with a line that is none
    ├── SampleError             a file that holds no samples of memory
    ├── KnownLeaksError (path)        a file of known leaks that breaks its format
    ├── ObjectNotFound (KeyError)     no such class or object; names the nearest
    ├── AmbiguousName (candidates)    a simple name that several classes have
    ├── QueryError (line, column, candidates)   a query that cannot be answered
    ├── DifferentProcesses (processes)   snapshots of several processes are no series
    ├── GrowthExceeded (AssertionError)   a test leaves more in the heap than it may
    ├── OutputExists            the output is there already and --force was not given
    ├── OutputFailed            the output could not be written
    ├── NoDemo                  the demo's processes could not be started
    └── MissingDependency (ImportError)   an optional library; names the pip line

A message has the name, the evidence and the next step, on one line.  Only the
command line prints it and exits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property

_PROCESSES_SHOWN = 4


class HeapscopeError(Exception):
    """Base of all errors that heapscope raises on purpose."""


class CollectError(HeapscopeError):
    """A process could not be looked at or dumped."""


class JvmNotFound(CollectError):
    """No such process, or no JVM in it."""


class AttachRefused(CollectError):
    """Contact would be dangerous, or the JVM says no.

    Parameters
    ----------
    message : str
        Who, why, and what to do next.
    is_understood : bool
        False where the JVM speaks another attach protocol than we: the JDK's own tools may be understood.
    """

    def __init__(self, message: str, *, is_understood: bool = True) -> None:
        self.is_understood = is_understood
        super().__init__(message)


class AttachTimeout(CollectError):
    """The JVM did not answer in time."""


class DumpFailed(CollectError):
    """The JVM wrote no whole snapshot; what it wrote was removed."""


class CommandFailed(CollectError):
    """A command that runs after a snapshot fails; the snapshot is whole."""


class HprofError(HeapscopeError):
    """A dump that cannot be read.

    Parameters
    ----------
    path : str or path-like
        The file.
    offset : int or None
        Byte offset in the (inflated) dump, None where no byte is to blame.
    problem : str
        What is wrong there, and what to do next.
    """

    def __init__(self, path: str | os.PathLike[str], offset: int | None, problem: str) -> None:
        self.path = os.fspath(path)
        self.offset = offset
        self.problem = problem
        self.objects_before: int | None = None  # objects that were read before it, where that was counted
        where = "" if offset is None else f"byte {offset:,}: "
        super().__init__(f"{self.path}: {where}{problem}")


class NotHprof(HprofError):
    """The file is no heap dump and no class histogram."""


class UnsupportedFormat(HprofError):
    """A heap dump of a kind or a size that heapscope cannot read."""


class CorruptRecord(HprofError):
    """A record contradicts the format, or another record of the dump."""


class TruncatedDump(HprofError):
    """The file ends inside a record: the writer was killed or its disk was full."""


class NoSuchHeap(HprofError):
    """The file holds fewer heaps than the number that is asked for; nothing in it is broken."""


class NeedsClasses(HprofError):
    """A stream has objects before their classes: it can be redacted only as a file, in two passes."""


class HistogramError(HeapscopeError):
    """A class histogram with a line that is none; ``line`` counts from 1."""

    def __init__(self, path: str | os.PathLike[str], line: int, offset: int, problem: str) -> None:
        self.path = os.fspath(path)
        self.line = line
        self.offset = offset
        super().__init__(f"{self.path}: line {line:,}, byte {offset:,}: {problem}")


class SampleError(HeapscopeError):
    """A file that holds no samples of memory as ``heapscope watch`` writes them."""

    def __init__(self, path: str | os.PathLike[str], problem: str) -> None:
        self.path = os.fspath(path)
        super().__init__(f"{self.path}: {problem}")


class KnownLeaksError(HeapscopeError):
    """A file of known leaks that cannot be read or breaks its format; ``place`` is where in it."""

    def __init__(self, path: str | os.PathLike[str], place: str, problem: str) -> None:
        self.path = os.fspath(path)
        self.place = place
        super().__init__(f"{self.path}: {place + ': ' if place else ''}{problem}")


def nearest_names(wanted: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Names that may have been meant, the likeliest first.

    Those of the same simple name in any case, nested ones included (``Shop$Session`` for ``session``), then
    those whose whole or simple name is written alike, in any case.

    Parameters
    ----------
    wanted : str
        What was asked for.
    names : iterable of str
        What there is.
    count : int
        How many at most.
    """
    known = sorted(set(names))
    tail = wanted.rsplit(".", 1)[-1].lower()
    ends = (f".{tail}", f"${tail}")
    alike = [name for name in known if tail and (name.lower() == tail or name.lower().endswith(ends))]
    simple: dict[str, list[str]] = {}
    for name in known:
        last = name.rsplit(".", 1)[-1].lower()
        for part in {last, last.rsplit("$", 1)[-1]}:
            simple.setdefault(part, []).append(name)
    if "." in wanted:
        alike += get_close_matches(wanted, known, n=count, cutoff=0.6)
    # Of four letters two may have changed places: three of them still match.
    for close in get_close_matches(tail, simple, n=count, cutoff=0.7):
        alike += simple[close]
    alike += get_close_matches(wanted, known, n=count, cutoff=0.6)
    return list(dict.fromkeys(alike))[:count]


class ObjectNotFound(HeapscopeError, KeyError):
    """No such class or object.

    Parameters
    ----------
    wanted : str
        What was asked for.
    where : str
        Where it was looked for, e.g. the dump's path.
    candidates : iterable of str
        Names to suggest the nearest of.
    otherwise : str
        What to do where none is near.
    """

    def __init__(self, wanted: str, where: str, candidates: Iterable[str] = (), otherwise: str = "") -> None:
        self.wanted = wanted
        self.where = where
        self.otherwise = otherwise
        self._candidates = tuple(candidates)
        super().__init__(wanted)

    @cached_property
    def nearest(self) -> list[str]:
        """Names that may have been meant; looked for when asked: most of these errors are caught."""
        return nearest_names(self.wanted, self._candidates)

    @property
    def message(self) -> str:
        """What was not found, where, and what is called alike, or what to do."""
        hint = f"nearest: {', '.join(self.nearest)}" if self.nearest else self.otherwise
        return f"{self.wanted!r} not found in {self.where}{hint and '; '}{hint}"

    def __str__(self) -> str:  # KeyError would print the repr
        return self.message

    def __reduce__(self) -> tuple[type[ObjectNotFound], tuple[str, str, list[str], str]]:
        """For other processes: with the nearest names alone."""
        return type(self), (self.wanted, self.where, self.nearest, self.otherwise)


class AmbiguousName(HeapscopeError):
    """A simple name that classes of several packages have.

    Parameters
    ----------
    wanted : str
    candidates : sequence of str
        Their full names.
    """

    def __init__(self, wanted: str, candidates: Sequence[str]) -> None:
        self.wanted = wanted
        self.candidates = list(candidates)
        names = self.candidates[:_PROCESSES_SHOWN]
        more = len(self.candidates) - len(names)
        which = ", ".join(names[:-1] if not more else names) + (
            f" and {more} more" if more else f" and {names[-1]}"
        )
        super().__init__(f"{wanted!r} may be {which}; write the full name of the one that is meant")


class QueryError(HeapscopeError):
    """A query that cannot be answered.

    Parameters
    ----------
    problem : str
        What is wrong, and what to do next.
    line, column : int or None
        Where in the query, both from 1; None where no place is to blame.
    candidates : sequence of str
        Names that may have been meant, the nearest first.
    """

    def __init__(
        self,
        problem: str,
        line: int | None = None,
        column: int | None = None,
        candidates: Sequence[str] = (),
    ) -> None:
        self.line = line
        self.column = column
        self.candidates = list(candidates)
        place = "" if line is None else f"line {line:,}"
        place += "" if line is None or column is None else f", column {column:,}"
        near = f"; did you mean {self.candidates[0]}?" if self.candidates else ""
        super().__init__(f"query{', ' if place else ''}{place}: {problem}{near}")


class DifferentProcesses(HeapscopeError):
    """Snapshots of several processes were to be compared as one series.

    Parameters
    ----------
    processes : sequence of (str, sequence of str)
        Each process as people tell it, and the names of its snapshots.
    """

    def __init__(self, processes: Sequence[tuple[str, Sequence[str]]]) -> None:
        self.processes = [(label, list(names)) for label, names in processes]
        parts = []
        for label, names in self.processes[:_PROCESSES_SHOWN]:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{', '.join(names[:3])}{more} of {label}")
        if len(self.processes) > _PROCESSES_SHOWN:
            parts.append(f"{len(self.processes) - _PROCESSES_SHOWN} more processes")
        super().__init__(
            f"snapshots of {len(self.processes)} processes are no series: {'; '.join(parts)}; "
            "name those of one, or pass --force-series (force_series=True)"
        )


class GrowthExceeded(HeapscopeError, AssertionError):
    """A piece of work left more instances of a class than it may; the message says what holds them."""


class OutputExists(HeapscopeError):
    """The output file exists and overwriting was not asked for."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        super().__init__(f"{self.path}: exists already; pass --force (force=True) to overwrite it")


class OutputFailed(HeapscopeError):
    """The output file could not be written."""

    def __init__(self, path: str | os.PathLike[str], problem: str) -> None:
        self.path = os.fspath(path)
        self.problem = problem
        super().__init__(f"{self.path}: cannot be written: {problem}")


class NoDemo(HeapscopeError):
    """The demo's processes could not be started here."""


class MissingDependency(HeapscopeError, ImportError):
    """An optional library is not installed; the message names the pip line.

    Parameters
    ----------
    library : str
        What the message calls it.
    purpose : str
        What needs it: the beginning of the message.
    requirements : sequence of str
        What pip is told to install: libraries, which every package index has, and never heapscope itself,
        which may have come from a repository or a file.
    """

    def __init__(self, library: str, purpose: str, requirements: Sequence[str]) -> None:
        line = " ".join(f"'{each}'" for each in requirements)
        super().__init__(f"{purpose} needs {library}, which is not installed; run: pip install {line}")
