"""Watching the growth of classes around a piece of work: counts before, and counts after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from heapscope.errors import GrowthExceeded, HeapscopeError, JvmNotFound

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.collector.processes import JvmProcess
    from heapscope.testing.limits import Exceeded, Limit

# References, cleaners and finalizers need a collection more: as long as counts fall, one looks again.
_LOOKS = 6


class WatchedHeap(Protocol):
    """What is asked of a `heapscope.testing.jvm_heap.JvmHeap`."""

    def process(self) -> JvmProcess: ...
    def look(self, patterns: Sequence[str], when: str = ...) -> Snapshot: ...
    def dump(self) -> Path: ...


class Watch:
    """Counts before, to be compared with those after.

    Parameters
    ----------
    heap : WatchedHeap
    limits : sequence of Limit
    """

    def __init__(self, heap: WatchedHeap, limits: Sequence[Limit]) -> None:
        self._heap = heap
        self._limits = list(limits)
        self._patterns = [limit.pattern for limit in limits]
        self._process: JvmProcess | None = None
        self._before: Snapshot | None = None
        try:
            self._process = heap.process()
        except JvmNotFound:
            return  # it starts later: whatever lives then was made meanwhile
        self._before = heap.look(self._patterns, "before")

    def check(self) -> None:
        """Count again.

        Raises
        ------
        GrowthExceeded
            A limit does not hold; the message has a diagnosis and what holds the objects.
        ObjectNotFound, AmbiguousName
            A limit names no class, or several.
        CollectError
            The JVM cannot be asked, or is another one than before.
        """
        process = self._heap.process()
        if self._process is not None and (process.pid, process.start_ticks) != (
            self._process.pid,
            self._process.start_ticks,
        ):
            raise HeapscopeError(
                f"process {self._process.pid} hosted the JVM before, process {process.pid} does now: their "
                "heaps cannot be compared"
            )
        found = self._settled()
        if found:
            from heapscope.testing.failure import failure_text

            raise GrowthExceeded(failure_text(self._heap.dump, found))

    def _settled(self) -> list[Exceeded]:
        """The limits that do not hold when counts no longer fall."""
        from heapscope.testing.limits import exceeded

        last: list[int] | None = None
        found: list[Exceeded] = []
        for _ in range(_LOOKS):
            found = exceeded(self._before, self._heap.look(self._patterns, "after"), self._limits)
            counts = [each.after for each in found]
            if not found or counts == last:
                break
            last = counts
        return found
