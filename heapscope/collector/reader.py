"""The process that holds the FIFO of a dump: it does nothing that can block but read.

The JVM waits while its dump is read.  So this process reads into shared memory (`heapscope.collector.buffer`)
and nothing else: it opens no file, holds none open, and another process writes.  When memory is full because
the writer is stuck, time goes on: at the end of the pause that is allowed this process ends by itself,
whether or not anybody is left to end it, and the JVM gets EPIPE and goes on.  Should it be stopped, and who
guards it as well, the kernel ends it (`heapscope.collector.deadline`).

The end of a FIFO is seen when all have closed it.  A program that forks while its JVM dumps hands the open
FIFO on to its child, so when the JVM has said that it is done, what is there is all.

Since JDK 22 a dump is written as ``NAME`` and ``NAME.p0``, which the JVM then appends to ``NAME``.  Both are
FIFOs; before the first byte of the second is taken, the watchdog puts an empty file over its name, so that
nothing is appended twice.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from heapscope.collector.buffer import SLOT_BYTES, SlotBuffer
from heapscope.collector.deadline import Deadline

# How the process ended.
DONE, FAILED, TIME_IS_UP, NO_WRITER, NO_EMPTY_FILE = 0, 1, 2, 3, 4
OPENED, PART_BEGINS, PART_IS_EMPTY, JVM_IS_DONE = b"o", b"p", b"e", b"d"
_F_SETPIPE_SZ = 1031
_NUMBER = struct.Struct("q")
_LOOK_MILLISECONDS = 1000.0
# The kernel ends this process so much later than it would end by itself.
_KERNEL_SECONDS = 1.0
# What root may have, and what everybody may (fs.pipe-max-size).
_PIPE_BYTES = (16 << 20, 1 << 20)


class _Shared:
    """A number in a page that processes share."""

    def __init__(self, place: int) -> None:
        self._offset = place * _NUMBER.size

    def __get__(self, status: Status, kind: type[Status]) -> int:
        return int(_NUMBER.unpack_from(status.page, self._offset)[0])

    def __set__(self, status: Status, value: int) -> None:
        _NUMBER.pack_into(status.page, self._offset, value)


class Status:
    """Numbers that all processes of a dump see, each of which only one process changes.

    Attributes
    ----------
    read_bytes, written_bytes : int
        Taken from the JVM; done with by the writer.
    is_full : int
        1 while nothing can be read because all memory is full.
    deadline_milliseconds : int
        Of the monotonic clock: when reading ends in any case; 0 before the JVM is asked.
    """

    read_bytes = _Shared(0)
    written_bytes = _Shared(1)
    is_full = _Shared(2)
    deadline_milliseconds = _Shared(3)

    def __init__(self) -> None:
        self.page = mmap.mmap(-1, mmap.PAGESIZE)


def open_fifos(guards: Sequence[int]) -> list[int]:
    """FIFOs opened for reading, by open paths (``O_PATH``) to them: their names may be others' by now."""
    return [os.open(f"/proc/self/fd/{guard}", os.O_RDONLY | os.O_NONBLOCK) for guard in guards]


def open_held(guard: int) -> int:
    """A FIFO that has a reader, opened for writing."""
    return os.open(f"/proc/self/fd/{guard}", os.O_WRONLY | os.O_NONBLOCK)


def read_fifos(
    fifos: Sequence[int],
    held: int,
    buffer: SlotBuffer,
    status: Status,
    control: socket.socket,
    kernel: Deadline | None = None,
) -> int:
    """Read a dump until the JVM has closed it.

    Parameters
    ----------
    fifos : sequence of int
        Opened for reading without blocking: the dump itself, and the part of JDK 22 and later.
    held : int
        The part opened for writing, or -1: without it the JVM would wait for a writer when it opens an empty
        part to append it.
    buffer : SlotBuffer
        Gets the bytes of stream 0 and 1.
    status : Status
        Told how far it is; says when to end.
    control : socket
        To the watchdog, for `PART_BEGINS` and its answer `PART_IS_EMPTY`; `JVM_IS_DONE` comes from there.
    kernel : Deadline, optional
        Set when ``status`` says when to end.

    Returns
    -------
    int
        `DONE`, or why not.
    """
    free = list(reversed(range(buffer.count)))
    current: list[tuple[int, int] | None] = [None] * len(fifos)  # slot, bytes in it
    is_main_open = True
    may_read = [True] + [False] * (len(fifos) - 1)
    is_asked = is_done = is_kept = False

    def hand_over(stream: int) -> None:
        found, current[stream] = current[stream], None
        if found is not None and found[1]:
            buffer.hand_over(found[0], stream, found[1])
        elif found is not None:
            free.append(found[0])

    _widen(fifos[0])
    while is_main_open or any(may_read):
        deadline = status.deadline_milliseconds
        left = deadline - time.monotonic() * 1000 if deadline else _LOOK_MILLISECONDS
        if left <= 0:
            return TIME_IS_UP
        if deadline and kernel is not None and not is_kept:
            is_kept = True
            kernel.set(deadline / 1000 + _KERNEL_SECONDS)
        poll = select.poll()
        poll.register(buffer.freed_out, select.POLLIN)
        poll.register(control, select.POLLIN)
        wanted = [
            stream
            for stream in range(len(fifos))
            if (may_read[stream] or (stream > 0 and not is_asked)) and (current[stream] is not None or free)
        ]
        for stream in wanted:
            poll.register(fifos[stream], select.POLLIN)
        status.is_full = int(not wanted)
        ready = dict(poll.poll(0 if is_done and wanted else left + 1))
        if buffer.freed_out in ready:
            # The slots freed last come first: their pages need not be fetched again.
            freed = buffer.freed()
            if freed is None:
                return NO_WRITER
            free += freed
        if control.fileno() in ready:
            said = control.recv(1)
            if said not in (PART_IS_EMPTY, JVM_IS_DONE):
                return NO_EMPTY_FILE
            if said == JVM_IS_DONE:
                is_done = True
                continue  # what it wrote was there before it said so
            may_read[1] = True
            _widen(fifos[1])
        for stream in wanted:
            fifo = fifos[stream]
            is_over = is_done and may_read[stream] and fifo not in ready
            if not is_over and (fifo not in ready or (current[stream] is None and not free)):
                continue
            if not may_read[stream]:
                # Not a byte is taken before, and the FIFO is not widened: what fits in whole, the JVM could
                # find there itself.  The names of classes come first, as far as they are there.
                is_asked = True
                hand_over(0)
                control.send(PART_BEGINS)
                continue
            if is_over:
                size = 0
            else:
                slot, used = current[stream] or (free.pop(), 0)
                current[stream] = slot, used
                found = _read_into(fifo, buffer.slot(slot)[used:])
                if found is None:
                    continue
                size = found
            if not size and stream == 0:
                is_main_open = may_read[0] = False
                if len(fifos) > 1:
                    is_asked = may_read[1] = True
                    os.close(held)  # what is still in the part ends now
                continue
            if not size:
                may_read[stream] = False
                continue
            status.read_bytes += size
            current[stream] = slot, used + size
            if used + size == SLOT_BYTES:
                hand_over(stream)
    for stream in range(len(fifos)):
        hand_over(stream)
    return DONE


def open_both_ways(guards: Iterable[int]) -> list[int]:
    """FIFOs opened for reading and writing, which waits for nobody, by open paths (``O_PATH``) to them.

    Where we may only read them (CAP_DAC_READ_SEARCH), for that: a JVM that opens one writes, mostly.
    """
    found = []
    for guard in guards:
        for how in (os.O_RDWR, os.O_RDONLY):
            with suppress(OSError):
                found.append(os.open(f"/proc/self/fd/{guard}", how | os.O_NONBLOCK))
                break
    return found


def release_openers(guards: Iterable[int]) -> None:
    """Let whoever waits in ``open`` for a reader of a FIFO go on; its write fails with EPIPE."""
    for fd in open_both_ways(guards):
        os.close(fd)


def release_openers_of(names: Iterable[Path]) -> None:
    """`release_openers` of FIFOs that have their names.

    Whoever may write to their folder may put something else there, or a link to a device that does harm when
    it is opened: only what is a FIFO is.
    """
    for name in names:
        with suppress(OSError):
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if stat.S_ISFIFO(os.fstat(fd).st_mode):
                    release_openers([fd])
            finally:
                os.close(fd)


def _widen(pipe: int) -> None:
    """Let the JVM write ahead: it waits less often for this process to get a processor."""
    for byte_count in _PIPE_BYTES:
        with suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, byte_count)
            return


def _read_into(fd: int, place: memoryview) -> int | None:
    """How many bytes were read, 0 at the end; None where there are none now."""
    try:
        return os.readv(fd, [place])
    except BlockingIOError:
        return None
