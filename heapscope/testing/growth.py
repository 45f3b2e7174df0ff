"""The guard on growth for those who have no pytest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from heapscope.testing.jvm_heap import JvmHeap


@contextmanager
def watching_growth(
    pattern: str,
    limit: int = 0,
    *,
    allow_absent: bool = False,
    pid: int | None = None,
    dump_to: str | os.PathLike[str] | None = None,
    heap: JvmHeap | None = None,
) -> Iterator[None]:
    """Fail if a block leaves more live instances of a class than it may.

    ::

        with heapscope.watching_growth("org.apache.hadoop.fs.FileSystem+"):
            read_everything()

    Class histograms of live objects are taken before and after, each of them after a full collection.  Where
    the limit is exceeded, a heap dump is taken, and the error says what holds the objects.

    Parameters
    ----------
    pattern : str
        A class by its full name, by its name without the package, or by a glob; with ``+`` at the end its
        subclasses count too.
    limit : int
        How many more there may be.
    allow_absent : bool
        Whether a class that the JVM has not loaded has 0 instances; else its name may be misspelt, which is
        an error.
    pid : int, optional
        The process that hosts the JVM, where it is neither this one nor its only child with a JVM.
    dump_to : path-like, optional
        Folder for the heap dump; a new one of the system's by default.
    heap : JvmHeap, optional
        In place of ``pid`` and ``dump_to``.

    Raises
    ------
    GrowthExceeded
        There are more; it is an AssertionError too.
    ObjectNotFound, AmbiguousName
        No class of the JVM has that name, or several have.
    CollectError
        There is no JVM at the end of the block, or it cannot be asked.
    """
    watched = JvmHeap(pid, dump_to) if heap is None else heap
    with watched.watching_growth(pattern, limit, allow_absent=allow_absent):
        yield
