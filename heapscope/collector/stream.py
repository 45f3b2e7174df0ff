"""A heap dump on its way into a compressed file: through FIFOs as the JVM writes it, or from a file.

Whatever arrives is walked by its top-level records (HPROF: tag u1, time u4, length u4) up to HEAP_DUMP_END:
what ends elsewhere is no snapshot.

Since JDK 22 a dump is written as ``NAME`` and ``NAME.p0``, which the JVM then appends to ``NAME``.  Both
are FIFOs; at the first byte an empty file takes the second's name, so that nothing is appended twice, and
its records go into the file as they come, the closing HEAP_DUMP_END of ``NAME`` last.
"""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import zstandard

from heapscope.errors import DumpFailed

_MAGICS = (b"JAVA PROFILE 1.0.1\0", b"JAVA PROFILE 1.0.2\0")
_HEADER_BYTES = 31
_RECORD_BYTES = 9
_HEAP_DUMP_END = 0x2C
_READ_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


class Records:
    """Splits a stream at the boundaries of top-level records, however it arrives in pieces.

    ``rest`` holds the bytes of a record head that is not whole yet, or a HEAP_DUMP_END kept back.
    """

    def __init__(self, *, has_header: bool) -> None:
        self.rest = b""
        self.is_ended = False
        self._left = 0
        self._has_header = has_header

    @property
    def is_between(self) -> bool:
        """Whether what was given out so far ends with a whole record."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """What may be written now.

        Raises
        ------
        DumpFailed
            The bytes are no heap dump, or go on behind its end.
        """
        data = self.rest + data
        at = 0
        if self._has_header:
            if len(data) < _HEADER_BYTES:
                self.rest = data
                return b""
            if not data.startswith(_MAGICS):
                raise DumpFailed("what the JVM wrote is no heap dump")
            self._has_header, at = False, _HEADER_BYTES
        while True:
            step = min(self._left, len(data) - at)
            at, self._left = at + step, self._left - step
            if self._left or len(data) - at < _RECORD_BYTES:
                break
            if self.is_ended or data[at] == _HEAP_DUMP_END:
                if self.is_ended or len(data) - at > _RECORD_BYTES:
                    raise DumpFailed("bytes follow the end of the heap dump")
                break
            self._left = int.from_bytes(data[at + 5 : at + 9], "big")
            at += _RECORD_BYTES
        self.rest = data[at:] if not self._left else b""
        return data[:at]

    @property
    def ends_whole(self) -> bool:
        """Whether the stream has come to its HEAP_DUMP_END and nothing else."""
        return self._left == 0 and len(self.rest) == _RECORD_BYTES and self.rest[0] == _HEAP_DUMP_END


def read_fifos(main: Path, part: Path | None, output: BinaryIO, is_at: Callable[[int], None]) -> int:
    """Read a dump from its FIFOs into ``output`` until the JVM has closed them; the bytes of the dump.

    ``is_at`` is told how many bytes were written so far; ``ready`` goes to standard output when
    the JVM may come.

    Raises
    ------
    DumpFailed
        The stream does not end with a HEAP_DUMP_END record.
    """
    poll = select.poll()
    fds = {}
    for path in [main] if part is None else [main, part]:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        if path == main:
            _widen(fd)
        fds[fd] = Records(has_header=path == main)
        poll.register(fd, select.POLLIN)
    # Without a writer of ours the JVM would wait for one when it opens an empty part to append it.
    held = os.open(part, os.O_WRONLY | os.O_NONBLOCK) if part is not None else -1
    os.write(1, b"ready\n")
    waiting = dict.fromkeys(fds, b"")
    current, total = next(iter(fds)), 0
    main_fd, is_open = current, True
    while is_open:
        for fd, _ in poll.poll():
            if fd != main_fd and part is not None:
                # Before the first bytes are taken, which the JVM may wait for to be done with this part;
                # and before it may hold much: what fits in whole, the JVM could find there itself.
                _put_empty_file(part)
                _widen(fd)
                part = None
            piece = _read_some(fd)
            if not piece:
                is_open = is_open and fd != main_fd
                continue
            waiting[fd] += piece
        if not is_open:
            for fd in fds:
                while piece := _read_some(fd):
                    waiting[fd] += piece
        # Two streams take turns where a record ends.
        for _ in range(2):
            out = fds[current].feed(waiting[current])
            waiting[current] = b""
            if out:
                output.write(out)
                total += len(out)
                is_at(total)
            if fds[current].is_between:
                current = next((fd for fd in fds if fd != current), current)
    if held >= 0:
        os.close(held)
    if not fds[main_fd].ends_whole or not all(r.is_between for r in fds.values()):
        raise DumpFailed("the dump ends inside a record")
    if any(records.rest for fd, records in fds.items() if fd != main_fd):
        raise DumpFailed("a part of the dump ends inside a record")
    output.write(fds[main_fd].rest)
    return total + _RECORD_BYTES


def _widen(pipe: int) -> None:
    with suppress(OSError):
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _READ_BYTES)


def _read_some(fd: int) -> bytes:
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return b""


def _put_empty_file(part: Path) -> None:
    """Let an empty file take the name of a FIFO the JVM has open."""
    empty = part.with_name(part.name + ".empty")
    os.close(os.open(empty, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    empty.rename(part)


def pack_file(path: Path, output: BinaryIO, is_at: Callable[[int], None]) -> int:
    """Copy a dump that the JVM has written to ``output``; its bytes.

    Raises
    ------
    DumpFailed
        The file does not end with a HEAP_DUMP_END record.
    """
    records, total = Records(has_header=True), 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_READ_BYTES):
            out = records.feed(piece)
            output.write(out)
            total += len(out)
            is_at(total)
    if not records.ends_whole:
        raise DumpFailed("the dump ends inside a record")
    output.write(records.rest)
    return total + _RECORD_BYTES


@contextmanager
def compressed(fd: int) -> Iterator[BinaryIO]:
    """Bytes into an open file as one zstd frame with a checksum; synced when the block ends."""
    with os.fdopen(fd, "wb", closefd=False) as raw:
        with zstandard.ZstdCompressor(level=1, write_checksum=True).stream_writer(
            raw, closefd=False
        ) as packed:
            yield packed
        raw.flush()
        os.fsync(fd)
