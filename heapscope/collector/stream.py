"""A heap dump on its way into a compressed file: through FIFOs as the JVM writes it, or from a file.

The bytes are followed from one top-level record to the next (HPROF: tag u1, time u4, length u4) up to
HEAP_DUMP_END: a stream that ends elsewhere is no snapshot.

Since JDK 22 a dump is written as ``NAME`` and ``NAME.p0``, which the JVM then appends to ``NAME``.  Both
are FIFOs; at the first byte an empty file takes the second's name, so that nothing is appended twice.
The JVM writes the end of ``NAME``, where classes get their names, last.  Every reader of dumps expects those
records before the objects, so the part is packed into a file of its own and appended at the end (`join`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import zstandard

from heapscope.errors import DumpFailed

_MAGICS = (b"JAVA PROFILE 1.0.1\0", b"JAVA PROFILE 1.0.2\0")
_HEADER_BYTES = 31
_RECORD_BYTES = 9
_HEAP_DUMP_END = 0x2C
_READ_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


class Sink(Protocol):
    """Where the bytes of a dump go."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """What a dump flows through before it is written, by name: the reader's process imports it.

    Attributes
    ----------
    factory : str
        ``module:function``; called with ``options`` it makes an object with ``feed(bytes) -> bytes`` and
        ``finish() -> bytes``.  The collector does not care what it does.
    options : dict
        Plain values.
    """

    factory: str
    options: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Any:
        """Make the filter; slow work such as compiling is done when this returns."""
        module, _, name = self.factory.partition(":")
        return getattr(import_module(module), name)(self.options)


class Filtered:
    """A sink before another, with a filter in between."""

    def __init__(self, sink: Sink, transform: Any) -> None:
        self._sink, self._transform = sink, transform

    def write(self, data: bytes) -> None:
        """Pass on what the filter has ready."""
        self._sink.write(self._transform.feed(data))

    def finish(self) -> None:
        """Pass on the rest; the dump is whole."""
        self._sink.write(self._transform.finish())


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
        """The bytes that may be written now.

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


def read_fifos(
    main: Path,
    part: Path | None,
    output: Sink,
    on_progress: Callable[[int], None],
    part_output: Sink | None = None,
) -> int:
    """Read a dump from its FIFOs into ``output`` until the JVM has closed them.

    Writes ``ready`` to standard output when the JVM may open them.

    Parameters
    ----------
    main : Path
        The FIFO of the dump itself.
    part : Path or None
        The second FIFO of JDK 22 and later.
    output : Sink
        Gets the records of ``main``.
    on_progress : callable (int) -> None
        Told how many bytes were written so far.
    part_output : Sink, optional
        Gets the records of ``part``; the caller then writes the closing HEAP_DUMP_END.  Without it they go
        into ``output`` between those of ``main`` as they arrive.  The JVM may hold back a short ``main``
        until the end; a header of ours is then written first.

    Returns
    -------
    int
        Bytes of the dump.

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
    early = b""  # a header that was written before the JVM's own came
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
        # Two streams into one take turns where a record ends.
        for _ in range(2):
            out = fds[current].feed(waiting[current])
            waiting[current] = b""
            if out:
                total += len(out)
                if current == main_fd and early:
                    out, early = _without_header(out, early), b""
                elif current != main_fd and part_output is None and total == len(out):
                    early = _header()
                    output.write(early)
                (output if current == main_fd else part_output or output).write(out)
                on_progress(total)
            if part_output is not None or fds[current].is_between:
                current = next((fd for fd in fds if fd != current), current)
    if held >= 0:
        os.close(held)
    if not fds[main_fd].ends_whole or not all(r.is_between for r in fds.values()):
        raise DumpFailed("the dump ends inside a record")
    if any(records.rest for fd, records in fds.items() if fd != main_fd):
        raise DumpFailed("a part of the dump ends inside a record")
    if part_output is None:
        output.write(fds[main_fd].rest)
    return total + _RECORD_BYTES


def _header() -> bytes:
    """As 64-bit JVMs begin a dump: identifiers of eight bytes, the time in milliseconds."""
    return _MAGICS[1] + struct.pack(">IQ", 8, int(time.time() * 1000))


def _without_header(out: bytes, early: bytes) -> bytes:
    """The first bytes of a dump behind their header, which may differ from ``early`` in the time alone."""
    if out[: _HEADER_BYTES - 8] != early[:-8]:
        raise DumpFailed("the header of the dump is not as 64-bit JVMs write it; collect it without a filter")
    return out[_HEADER_BYTES:]


END = struct.pack(">BII", _HEAP_DUMP_END, 0, 0)


def join(part_fd: int, output_fd: int) -> None:
    """Append the packed part to the output; file systems that can do so share the blocks.

    Raises
    ------
    OSError
        The disk is full, say.
    """
    size = os.fstat(part_fd).st_size
    done = 0
    os.lseek(output_fd, 0, os.SEEK_END)
    while done < size:
        try:
            copied = os.copy_file_range(part_fd, output_fd, size - done, done)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            copied = 0
        if not copied:  # some kernels' file systems say so instead of an error
            copied = os.write(output_fd, os.pread(part_fd, _READ_BYTES, done))
        done += copied


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


def pack_file(path: Path, output: BinaryIO, on_progress: Callable[[int], None]) -> int:
    """Copy a dump that the JVM has written as a file.

    Parameters
    ----------
    path : Path
        The file.
    output : file object
        Gets its bytes.
    on_progress : callable (int) -> None
        Told how many bytes were written so far.

    Returns
    -------
    int
        Bytes of the dump.

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
            on_progress(total)
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
