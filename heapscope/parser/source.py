"""The bytes of a dump: a plain file, gzip members inflated in parallel, zstd frames, a file in an archive.

Two ways to read, both at the speed of the memory bus:

- `Source.blocks` streams the (inflated) dump from its start, holding a few megabytes;
- `Source.mapping` gives all of it as one array: the file mapped, or, for gzip, inflated once
  into an unlinked temporary file that is mapped.

How compressed files are read is in `heapscope.parser.inflating` and `heapscope.parser.unpacking`.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from heapscope.errors import HprofError, NotHprof, TruncatedDump
from heapscope.parser.broken.tolerant import Hole, gzip_pieces, part_paths, plain_pieces, zeros, zstd_pieces
from heapscope.parser.foreign_files import name_file
from heapscope.parser.inflating import ZSTD_WINDOW_BYTES, CompressedFile, ahead, blocksize_of, map_file
from heapscope.parser.numbered import split_number
from heapscope.parser.tags import MAGIC_PREFIX
from heapscope.parser.texts.class_histogram import is_histogram
from heapscope.parser.unpacking import HEAD_BYTES, PackingError, Unpacked, packing_of
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_STREAM_BLOCK_BYTES = 2 << 20
_CHECKSUM_BLOCK_BYTES = 1 << 28  # well below the 4 GiB that lengths of old zlibs can say


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the inflated dump without a hole; ``problem``: why they end where they do."""

    start: int
    stop: int
    problem: str = ""
    starts_record: bool = True  # a top-level record begins with it


def _is_dump(head: bytes) -> bool:
    return head.startswith(MAGIC_PREFIX)


def crc32(data: NDArray[np.uint8]) -> int:
    """CRC-32 of bytes (ISO 3309), by the processor's instruction: ten times as fast as zlib's."""
    from isal import isal_zlib

    value = 0
    for start in range(0, data.size, _CHECKSUM_BLOCK_BYTES):
        value = isal_zlib.crc32(data[start : start + _CHECKSUM_BLOCK_BYTES], value)
    return int(value)


class Source:
    """A dump's bytes.  Use as a context manager.

    Parameters
    ----------
    path : str or path-like
        A dump, plain, gzip or zstd, or whatever `heapscope.parser.unpacking` unpacks.
    partial : bool
        Whether what can still be inflated of a broken file is taken, and the parts beside it that
        a killed parallel dump left; `pieces` then tells what is there.
    heap : int, optional
        Which heap of a file that holds several is meant, counted from 1: the last by default.  The path can
        say it as well: ``worker.hprof#2``.

    Attributes
    ----------
    pieces : list of Piece
        Runs of bytes without a hole, once `mapping` was called; one for a file that is whole.

    Raises
    ------
    NotHprof
        The file is empty, a directory, or neither a dump nor gzip.
    HprofError
        The file cannot be opened or read.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, partial: bool = False, heap: int | None = None
    ) -> None:
        self.path, number = split_number(path)
        self.heap = number if heap is None else heap
        self.is_partial = partial
        self.pieces: list[Piece] = []
        self.parts: list[Path] = []
        self._fd = -1
        self._plain_fd = -1  # what read_into reads: the file, or what it was inflated to
        self._mapping: NDArray[np.uint8] | None = None
        try:
            # A named pipe that nobody writes to is opened, and refused, without waiting for its writer.
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise HprofError(
                self.path, None, f"cannot be opened: {error.strerror}; check the path and your rights"
            ) from None
        try:
            self._inspect()
        except BaseException:
            self.close()
            raise

    def _inspect(self) -> None:
        status = os.fstat(self._fd)
        if stat.S_ISDIR(status.st_mode):
            raise NotHprof(self.path, None, "is a directory; name a heap dump inside it")
        if not stat.S_ISREG(status.st_mode):
            raise NotHprof(self.path, None, "is no regular file; save the dump to a file first")
        self.file_bytes = status.st_size
        if self.file_bytes == 0:
            raise NotHprof(self.path, None, "is empty; the dump was never written, take it again")
        head = os.pread(self._fd, HEAD_BYTES, 0)
        self.is_zstd = head.startswith(ZSTD_MAGIC)
        self.is_gzip = head.startswith(GZIP_MAGIC)
        self.is_packed = False
        if not head.startswith(MAGIC_PREFIX):
            self._inspect_packed(head)
        self._blocksize = 0
        if self.is_gzip:
            self._blocksize = blocksize_of(head)
        self.parts = part_paths(self.path) if self.is_partial else []
        if not self.is_compressed and not self.parts:
            self._plain_fd = os.dup(self._fd)

    def _inspect_packed(self, head: bytes) -> None:
        """Look into a file that does not begin as a dump does.

        Raises
        ------
        NotHprof
            There is no dump inside either.
        """
        inside = ""
        if packing_of(head) is not None:
            try:
                with Unpacked(self.path, _is_dump) as found:
                    head, inside = found.head, found.packing
                    layers = found.layers
            except PackingError as error:
                if error.is_broken and (self.is_gzip or self.is_zstd):
                    return  # reading it says where it is broken
                raise NotHprof(self.path, None, str(error)) from None
            if not head and layers in (["gzip"], ["zstd"]):
                return
            if head.startswith(MAGIC_PREFIX):
                if layers not in (["gzip"], ["zstd"]):
                    self.is_packed, self.is_gzip, self.is_zstd = True, False, False
                return
        if is_histogram(head):
            raise NotHprof(
                self.path,
                None,
                "is a class histogram, which has no objects and no references; this takes a heap dump: "
                "jcmd PID GC.heap_dump FILE, or 'heapscope collect'",
            )
        raise NotHprof(self.path, None, name_file(str(self.path), head, self.file_bytes, inside))

    @property
    def is_compressed(self) -> bool:
        """Whether the file holds the dump compressed, or in an archive."""
        return self.is_gzip or self.is_zstd or self.is_packed

    @property
    def is_mapped(self) -> bool:
        """Whether `mapping` costs nothing: a plain file, or one inflated before."""
        return self._plain_fd >= 0

    @property
    def is_inflated(self) -> bool:
        """Whether the inflated dump lies in a temporary file."""
        return self.is_mapped and (self.is_compressed or bool(self.parts))

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._fd < 0

    @property
    def version(self) -> tuple[int, ...]:
        """Size and times of the last change of what `read_into` reads: others if it was written to."""
        status = os.fstat(self._plain_fd)
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read the dump at ``offset`` into ``buffer``; the count of bytes read.  Only if `is_mapped`."""
        return os.preadv(self._plain_fd, [buffer], offset)

    def mapping(self, progress: Progress = no_progress) -> NDArray[np.uint8]:
        """All bytes of the inflated dump, shape (n,), read-only; mapped, not resident.

        Raises
        ------
        TruncatedDump, HprofError
            A compressed file is cut or damaged, or there is no room to inflate it.
        """
        if self._mapping is None:
            if not self.is_mapped:
                self._inflate(progress)
            self._mapping = map_file(self._plain_fd)
            if not self.pieces:
                self.pieces.append(Piece(0, int(self._mapping.size)))
        return self._mapping

    def _inflate(self, progress: Progress) -> None:
        made = self._rescued(progress) if self.is_partial else self.blocks(progress, phase="inflating")
        with closing(made) as blocks, _spool() as spool:
            for block in blocks:
                try:
                    spool.write(block)
                    spool.flush()
                except OSError as error:
                    raise HprofError(
                        self.path,
                        None,
                        f"no room to inflate it in {tempfile.gettempdir()}: {error.strerror}; "
                        "set TMPDIR to a folder with room, or inflate the file yourself",
                    ) from None
            self._plain_fd = os.dup(spool.fileno())

    def unmap(self) -> None:
        """Let the mapping go; `mapping` makes it again, of what was inflated already."""
        self._mapping = None

    def _rescued(self, progress: Progress) -> Generator[memoryview]:
        """What can be read of the file and of the parts beside it; fills `pieces`."""
        at = begin = 0
        starts_record = True
        for path in (self.path, *self.parts):
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            try:
                size = os.fstat(fd).st_size
                head = os.pread(fd, 4096, 0)
                if self.is_packed and path == self.path:
                    found = self._unpacked_pieces()
                elif head.startswith(GZIP_MAGIC):
                    found = gzip_pieces(fd, size, blocksize_of(head))
                elif head.startswith(ZSTD_MAGIC):
                    found = zstd_pieces(fd, size, ZSTD_WINDOW_BYTES)
                else:
                    found = plain_pieces(fd, size)
                for piece in found:
                    if not isinstance(piece, Hole):
                        at += len(piece)
                        progress("inflating", at, max(at, size))
                        yield memoryview(piece)
                        continue
                    self.pieces.append(Piece(begin, at, piece.problem, starts_record))
                    for block in zeros(piece.length or 0):
                        at += len(block)
                        yield memoryview(block)
                    begin, starts_record = at, False
            finally:
                os.close(fd)
            if at > begin:
                self.pieces.append(Piece(begin, at, "", starts_record))
            begin, starts_record = at, True

    def _unpacked_pieces(self) -> Iterator[bytes | Hole]:
        try:
            for block in self._unpacked_blocks(no_progress, ""):
                yield bytes(block)
        except HprofError as error:
            yield Hole(None, error.problem, True)

    def blocks(self, progress: Progress = no_progress, phase: str = "reading") -> Generator[memoryview]:
        """The inflated dump in order, as blocks of a few megabytes, each valid up to the next.

        Raises
        ------
        TruncatedDump
            The file ends inside a gzip member.
        HprofError
            A gzip member is damaged.
        """
        if self.is_packed:
            yield from ahead(self._unpacked_blocks(progress, phase))
        elif self.is_zstd:
            file = CompressedFile(self.path, self._fd, self.file_bytes)
            yield from ahead(file.zstd_blocks(progress, phase))
        elif not self.is_gzip:
            yield from self._plain_blocks(progress, phase)
        else:
            file = CompressedFile(self.path, self._fd, self.file_bytes)
            yield from file.gzip_blocks(self._blocksize, progress, phase)

    def _plain_blocks(self, progress: Progress, phase: str) -> Generator[memoryview]:
        offset = 0
        while offset < self.file_bytes:
            block = os.pread(self._fd, _STREAM_BLOCK_BYTES, offset)
            if not block:
                return
            offset += len(block)
            progress(phase, offset, self.file_bytes)
            yield memoryview(block)

    def _unpacked_blocks(self, progress: Progress, phase: str) -> Generator[memoryview]:
        """The dump in an archive, or under several layers of compression."""
        try:
            with Unpacked(self.path, _is_dump) as inside:
                while block := inside.read(_STREAM_BLOCK_BYTES):
                    progress(phase, min(inside.position, self.file_bytes), self.file_bytes)
                    yield memoryview(block)
        except PackingError as error:
            kind = TruncatedDump if error.is_cut else HprofError if error.is_broken else NotHprof
            raise kind(self.path, None, str(error)) from None

    def close(self) -> None:
        """Release the file; the mapping stays valid while arrays refer to it."""
        for fd in (self._fd, self._plain_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._plain_fd = -1
        self._mapping = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _spool() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="heapscope-", suffix=".hprof")
