"""The process that writes a dump: it takes it out of memory, and compresses it when the JVM goes on.

A compressor that runs while the JVM dumps competes with it for the processor and makes the pause 1.3 to 2.3
times as long (611 MB, two busy cores).  So the dump stays in memory while it fits; what does not fit goes as
it is into a file without a name in the output's folder, which costs what the JVM's own file would; and where
the disk has no room for that, it is compressed at once.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, Protocol, cast

import zstandard

from heapscope.collector.buffer import SHARE_HELD, SlotBuffer
from heapscope.collector.disk import Disk
from heapscope.collector.reader import Status
from heapscope.collector.stream import END, Filter, Filtered, Single, Sink

Way = Literal["memory", "spooled", "compressed"]
_Filled = tuple[int, int, int]  # slot, stream, bytes in it
_COPY_BYTES = 1 << 20
_NICE = 10  # added when the JVM goes on: the program that hosts it comes first


class _Stage(Protocol):
    """What the bytes of one stream, or of all, flow through."""

    def feed(self, stream: int, data: bytes, /) -> bytes: ...

    def finish(self) -> bytes: ...


class Packer:
    """Writes the dump that comes through a buffer.

    Parameters
    ----------
    buffer : SlotBuffer
    streams : int
        1, or 2 of JDK 22 and later.
    through : Filter or None
        What the dump flows through; it is compiled when this returns.
    output_fd : int
        The file to fill.
    disk : Disk
        Its disk, some of which is to stay free.
    expected_bytes : int
        About how long the dump will be.
    status : Status
        Told how far it is.

    Attributes
    ----------
    way : {"memory", "spooled", "compressed"}
        Whether all of it was held in memory, some of it in a file, or was compressed while the JVM dumped.
    """

    def __init__(
        self,
        buffer: SlotBuffer,
        streams: int,
        through: Filter | None,
        output_fd: int,
        disk: Disk,
        expected_bytes: int,
        status: Status,
    ) -> None:
        self._buffer, self._disk, self._status = buffer, disk, status
        self._output_fd, self._expected_bytes = output_fd, expected_bytes
        self._is_merged = through is not None
        self._stages: list[_Stage] = (
            [Filtered(through.make(), streams)]
            if through is not None
            else [Single(is_main=number == 0) for number in range(streams)]
        )
        self._spools: list[_Spool] = []
        self._frames: list[_Frame] = []
        self._total = 0
        self.way: Way = "memory"

    def pack(self) -> int:
        """Write until the reader has ended; bytes of the dump, before the filter.

        Raises
        ------
        DumpFailed
            The dump does not end with a HEAP_DUMP_END record, or the disk would be full.
        OSError
            The disk refuses.
        """
        waiting: deque[_Filled] = deque()
        for found in self._buffer.filled():
            waiting.append(found)
            while len(waiting) > (0 if self._frames else self._buffer.count * SHARE_HELD // 4):
                self._spill(*waiting.popleft())
        with suppress(OSError):
            os.nice(_NICE)
        if self._frames:
            for stage, frame in zip(self._stages, self._frames, strict=True):
                frame.write(stage.finish())
                frame.append_to(self._output_fd)
        if not self._frames or not self._is_merged:
            with _Frame(self._disk, self._output_fd) as output:
                if not self._frames:
                    self._compress(waiting, output)
                if not self._is_merged:
                    output.write(END)
        os.fsync(self._output_fd)
        return self._total

    def _stage_of(self, stream: int) -> int:
        return 0 if self._is_merged else stream

    def _wrote(self, size: int) -> None:
        self._status.written_bytes += size

    def _staged(self, slot: int, stream: int, size: int) -> bytes:
        data = bytes(self._buffer.slot(slot)[:size])
        self._free(slot, size)
        return self._stages[self._stage_of(stream)].feed(stream, data)

    def _free(self, slot: int, size: int) -> None:
        with suppress(BrokenPipeError):  # the reader has ended
            self._buffer.give_back(slot)
        self._total += size

    def _spill(self, slot: int, stream: int, size: int) -> None:
        """Make room in memory."""
        if not self._spools and not self._frames:
            if self._disk.has_room(self._expected_bytes):
                self.way = "spooled"
                self._spools = [_Spool(self._disk) for _ in self._stages]
            else:
                self.way = "compressed"
                self._frames = [
                    _Frame(self._disk, None if number else self._output_fd)
                    for number in range(len(self._stages))
                ]
        if self._spools and not self._is_merged:
            # As it is: the JVM waits, and what is looked at later costs it nothing.
            self._spools[stream].write(self._buffer.slot(slot)[:size])
            self._free(slot, size)
        else:
            outputs: Sequence[_Spool | _Frame] = self._spools or self._frames
            outputs[self._stage_of(stream)].write(self._staged(slot, stream, size))
        self._wrote(size)

    def _compress(self, waiting: Iterable[_Filled], output: Sink) -> None:
        """All of the dump, in the order that its readers expect."""
        for number, stage in enumerate(self._stages):
            for spool in self._spools[number : number + 1]:
                for piece in spool.take():
                    output.write(piece if self._is_merged else stage.feed(number, piece))
                    self._wrote(len(piece))
            for slot, stream, size in waiting:
                if self._stage_of(stream) == number:
                    output.write(self._staged(slot, stream, size))
                    self._wrote(size)
            output.write(stage.finish())


def _nameless(disk: Disk) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=disk.folder, buffering=0)


class _Spool:
    """Bytes as they are, in a file without a name."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._file = _nameless(disk)

    def write(self, data: bytes | memoryview) -> None:
        self._disk.write(self._file.fileno(), data)

    def take(self) -> Iterator[bytes]:
        """All of it; the disk is free again afterwards."""
        self._file.seek(0)
        while piece := self._file.read(_COPY_BYTES):
            yield piece
        self._file.close()


class _Frame:
    """Bytes as one zstd frame with a checksum: in the output, or in a file without a name."""

    def __init__(self, disk: Disk, output_fd: int | None) -> None:
        self._disk = disk
        self._file = _nameless(disk) if output_fd is None else None
        self._fd = self._file.fileno() if self._file is not None else output_fd or 0
        # It only ever writes to what it is given.
        target = cast("IO[bytes]", _Descriptor(disk, self._fd))
        self._packed: IO[bytes] = zstandard.ZstdCompressor(level=1, write_checksum=True).stream_writer(
            target, closefd=False
        )

    def __enter__(self) -> _Frame:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is None:
            self._packed.close()

    def write(self, data: bytes) -> None:
        self._packed.write(data)

    def append_to(self, output_fd: int) -> None:
        """End the frame, and append it where it is not there already."""
        self._packed.close()
        if self._file is not None:
            join(self._fd, output_fd)
            self._file.close()


class _Descriptor:
    """What a compressor writes to."""

    def __init__(self, disk: Disk, fd: int) -> None:
        self._disk, self._fd = disk, fd

    def write(self, data: bytes) -> int:
        self._disk.write(self._fd, data)
        return len(data)


def pack_file(path: Path, output_fd: int, disk: Disk, on_progress: Callable[[int], None]) -> int:
    """Compress a dump that the JVM has written as a file.

    Parameters
    ----------
    path : Path
        The file.
    output_fd : int
        Gets its bytes.
    disk : Disk
        Of the output.
    on_progress : callable (int) -> None
        Told how many bytes each step took.

    Returns
    -------
    int
        Bytes of the dump.

    Raises
    ------
    DumpFailed
        The file does not end with a HEAP_DUMP_END record, or the disk would be full.
    OSError
        A disk refuses.
    """
    stage, total = Single(is_main=True), 0
    with open(path, "rb", buffering=0) as file, _Frame(disk, output_fd) as output:
        while piece := file.read(_COPY_BYTES):
            output.write(stage.feed(0, piece))
            total += len(piece)
            on_progress(len(piece))
        output.write(stage.finish() + END)
    os.fsync(output_fd)
    return total


def join(part_fd: int, output_fd: int) -> None:
    """Append a packed part to the output; file systems that can do so share the blocks.

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
            copied = os.write(output_fd, os.pread(part_fd, _COPY_BYTES, done))
        done += copied
