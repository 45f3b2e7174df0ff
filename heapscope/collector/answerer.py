"""The process that answers from a dump instead of writing it: nothing of the dump gets on a disk.

What is answered is no business of the collector: an object that is imported by name takes in the dump, block
by block, and gives a class histogram, which is the snapshot, and an answer.  The answer is computed when the
JVM has gone on, in a process of its own: if that runs out of memory, or is ended, the class histogram stays.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from heapscope.collector.buffer import SHARE_HELD, SlotBuffer
from heapscope.collector.child import Child, is_ready
from heapscope.collector.disk import Disk
from heapscope.collector.reader import Status
from heapscope.collector.stream import Filter, in_order

_NICE = 10  # added when the JVM goes on: the program that hosts it comes first
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.5


class Work(Protocol):
    """What takes in a dump."""

    def histogram(self, blocks: Iterator[bytes]) -> str:
        """Take in all blocks; the class histogram as text."""

    def answer(self, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
        """The answer, which JSON can hold."""

    def unanswered(self, why: str) -> dict[str, Any]:
        """The answer where `answer` did not come to its end."""


class Answerer:
    """Answers from the dump that comes through a buffer.

    Parameters
    ----------
    buffer : SlotBuffer
    streams : int
        1, or 2 of JDK 22 and later.
    into : Filter
        Makes a `Work` of its options and ``facts``; it is compiled when this returns.
    facts : mapping
        What is known of the process.
    output_fd : int
        The file that gets the class histogram.
    disk : Disk
        Its disk.
    status : Status
        Told how far it is.
    """

    def __init__(
        self,
        buffer: SlotBuffer,
        streams: int,
        into: Filter,
        facts: Mapping[str, Any],
        output_fd: int,
        disk: Disk,
        status: Status,
    ) -> None:
        self._buffer, self._status, self._disk = buffer, status, disk
        self._output_fd = output_fd
        self._streams = streams
        self._total = 0
        self._work: Work = into.make(facts)

    def run(self) -> dict[str, object]:
        """``dump_bytes``, ``way`` and ``answer``, when the class histogram is written.

        Raises
        ------
        DumpFailed
            The dump does not end with a HEAP_DUMP_END record, or the disk would be full.
        HeapscopeError
            It cannot be counted.
        OSError
            The disk refuses.
        """
        text = self._work.histogram(self._blocks())
        self._disk.write(self._output_fd, text.encode())
        os.fsync(self._output_fd)
        return {"dump_bytes": self._total, "way": "answered", "answer": self._answer()}

    def _blocks(self) -> Iterator[bytes]:
        """The dump in an order that its readers understand; held back while there is room."""
        stage = in_order(self._streams)
        waiting: deque[tuple[int, int, int]] = deque()
        for found in self._buffer.filled():
            waiting.append(found)
            while len(waiting) > self._buffer.count * SHARE_HELD // 4:
                yield stage.feed(*self._taken(*waiting.popleft()))
        with suppress(OSError):
            os.nice(_NICE)
        while waiting:
            yield stage.feed(*self._taken(*waiting.popleft()))
        yield stage.finish()

    def _taken(self, slot: int, stream: int, size: int) -> tuple[int, bytes]:
        data = bytes(self._buffer.slot(slot)[:size])
        with suppress(BrokenPipeError):  # the reader has ended
            self._buffer.give_back(slot)
        self._total += size
        self._status.written_bytes += size
        return stream, data

    def _answer(self) -> dict[str, Any]:
        answer_out, answer_in = os.pipe()

        def advance(phase: str, done: int, total: int) -> None:
            self._status.written_bytes += 1

        def work() -> int:
            with open(answer_in, "w") as pipe:
                json.dump(self._work.answer(advance), pipe)
            return 0

        child = Child("heapscope-judge", work)
        os.close(answer_in)
        said, is_stopped = _all_of(answer_out, child)
        if is_stopped:
            child.kill(_END_SECONDS)
        child.wait(_END_SECONDS)
        os.close(answer_out)
        os.close(child.pidfd)
        code = child.code() or 0
        if not is_stopped and code == 0:
            found: dict[str, Any] = json.loads(said)
            return found
        how = (
            "it was stopped" if is_stopped else f"it was ended by signal {-code}" if code < 0 else "it failed"
        )
        return self._work.unanswered(f"its diagnosis is missing: {how}")


def _all_of(pipe: int, child: Child) -> tuple[bytes, bool]:
    """All that a child writes, and whether it was stopped meanwhile: nobody would let it go on."""
    said = bytearray()
    while True:
        if not is_ready(pipe, _LOOK_SECONDS):
            if child.is_stopped():
                return bytes(said), True
        elif piece := os.read(pipe, 1 << 16):
            said += piece
        else:
            return bytes(said), False
