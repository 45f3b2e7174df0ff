"""The bytes of a dump: a plain file, gzip members inflated in parallel, or zstd frames.

Two ways to read, both at the speed of the memory bus:

- `Source.blocks` streams the (inflated) dump from its start, holding a few megabytes;
- `Source.mapping` gives all of it as one array: the file mapped, or, for gzip, inflated once
  into an unlinked temporary file that is mapped.

gzip: RFC 1952.  A dump that a JDK wrote with ``-gz`` is a row of independent members, the
first (with several writing threads: some of the first) with the comment ``HPROF BLOCKSIZE=<n>``:
every member but the last inflates to n bytes.  No index tells where a member begins, so
heapscope looks for the eight bytes that open one, and proves each guess: the bytes up to it
must be one whole member, by length and checksum.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from heapscope.errors import HprofError, NotHprof, TruncatedDump
from heapscope.parser.broken.tolerant import Hole, gzip_pieces, part_paths, plain_pieces, zeros, zstd_pieces
from heapscope.parser.numbered import split_number
from heapscope.parser.tags import MAGIC_PREFIX
from heapscope.parser.texts.class_histogram import is_histogram
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_ZSTD_WINDOW_BYTES = 128 << 20  # what a frame may make us hold; `zstd -19` asks for 8 MB
# Magic, method deflate, no flags (or a comment only), no time: how a JDK opens a member.
_MEMBER_STARTS = (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", b"\x1f\x8b\x08\x10\x00\x00\x00\x00")
_SEARCH_BYTES = 8 << 20
# Small pieces: blocks of a megabyte, freed one by one, leave holes in the allocator's arenas
# that add up to 350 MB.
_PIECE_BYTES = 32 << 10
_MAX_BLOCKSIZE = 16 << 20  # HotSpot's is 1 MiB
_HEAD_BYTES = 10
_BLOCKSIZE = re.compile(rb"HPROF BLOCKSIZE=(\d{1,10})\x00")
_MEMBER_BATCH_BYTES = 2 << 20
_STREAM_BLOCK_BYTES = 2 << 20
_CHECKSUM_BLOCK_BYTES = 1 << 28  # well below the 4 GiB that lengths of old zlibs can say


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the inflated dump without a hole; ``problem``: why they end where they do."""

    start: int
    stop: int
    problem: str = ""
    starts_record: bool = True  # a top-level record begins with it


def worker_count() -> int:
    """Threads for parallel work: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        A dump, plain, gzip or zstd.
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
            self._fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
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
        head = os.pread(self._fd, 4096, 0)
        self.is_zstd = head.startswith(ZSTD_MAGIC)
        self.is_gzip = head.startswith(GZIP_MAGIC)
        if not head.startswith(MAGIC_PREFIX) and is_histogram(os.pread(self._fd, 64 << 10, 0)):
            raise NotHprof(
                self.path,
                None,
                "is a class histogram, which has no objects and no references; this takes a heap dump: "
                "jcmd PID GC.heap_dump FILE, or 'heapscope collect'",
            )
        if not self.is_compressed and not head.startswith(MAGIC_PREFIX):
            raise NotHprof(
                self.path,
                0,
                "no heap dump: it should begin with 'JAVA PROFILE 1.0.x' (or be gzip or zstd of that); "
                "make one with: jcmd PID GC.heap_dump FILE",
            )
        self._blocksize = 0
        if self.is_gzip:
            self._blocksize = _blocksize(head)
        self.parts = part_paths(self.path) if self.is_partial else []
        if not self.is_compressed and not self.parts:
            self._plain_fd = os.dup(self._fd)

    @property
    def is_compressed(self) -> bool:
        """Whether the file holds the dump as gzip or zstd."""
        return self.is_gzip or self.is_zstd

    @property
    def is_mapped(self) -> bool:
        """Whether `mapping` costs nothing: a plain file, or one inflated before."""
        return self._mapping is not None or (not self.is_compressed and not self.parts)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._fd < 0

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
                made = (
                    self._rescued(progress) if self.is_partial else self.blocks(progress, phase="inflating")
                )
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
                    self._mapping = _map(self._plain_fd)
            else:
                self._mapping = _map(self._fd)
            if not self.pieces:
                self.pieces.append(Piece(0, int(self._mapping.size)))
        return self._mapping

    def _rescued(self, progress: Progress) -> Generator[memoryview]:
        """What can be read of the file and of the parts beside it; fills `pieces`."""
        at = begin = 0
        starts_record = True
        for path in (self.path, *self.parts):
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            try:
                size = os.fstat(fd).st_size
                head = os.pread(fd, 4096, 0)
                if head.startswith(GZIP_MAGIC):
                    found = gzip_pieces(fd, size, _blocksize(head))
                elif head.startswith(ZSTD_MAGIC):
                    found = zstd_pieces(fd, size, _ZSTD_WINDOW_BYTES)
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

    def blocks(self, progress: Progress = no_progress, phase: str = "reading") -> Generator[memoryview]:
        """The inflated dump in order, as blocks of a few megabytes, each valid up to the next.

        Raises
        ------
        TruncatedDump
            The file ends inside a gzip member.
        HprofError
            A gzip member is damaged.
        """
        if self.is_zstd:
            yield from self._ahead(self._zstd_blocks(progress, phase))
        elif not self.is_gzip:
            yield from self._plain_blocks(progress, phase)
        elif self._blocksize:
            yield from self._parallel_blocks(progress, phase)
        else:
            yield from self._ahead(self._serial_blocks(0, progress, phase))

    def _plain_blocks(self, progress: Progress, phase: str) -> Generator[memoryview]:
        offset = 0
        while offset < self.file_bytes:
            block = os.pread(self._fd, _STREAM_BLOCK_BYTES, offset)
            if not block:
                return
            offset += len(block)
            progress(phase, offset, self.file_bytes)
            yield memoryview(block)

    def _serial_blocks(self, offset: int, progress: Progress, phase: str) -> Generator[memoryview]:
        """One member after the other, on one core: what any gzip file allows."""
        from isal import isal_zlib

        inflater = isal_zlib.decompressobj(wbits=31)
        pending = b""
        started = False
        while True:
            if inflater.eof:
                # Zero bytes behind the last member are padding (tapes, block devices).
                rest = (inflater.unused_data or pending).lstrip(b"\0")
                if not rest:
                    rest = os.pread(self._fd, _STREAM_BLOCK_BYTES, offset)
                    offset += len(rest)
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        if offset >= self.file_bytes:
                            return
                        continue
                inflater = isal_zlib.decompressobj(wbits=31)
                pending, started = rest, False
            elif not pending:
                pending = os.pread(self._fd, 1 << 19, offset)
                offset += len(pending)
                if not pending:
                    raise TruncatedDump(
                        self.path,
                        None,
                        f"the gzip stream ends inside a member at byte {self.file_bytes:,} of the file; "
                        "the copy or the dump was cut short, take it again",
                    )
            try:
                block = inflater.decompress(pending, _STREAM_BLOCK_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc]  # isal's hints call it an instance
                raise self._damaged(offset - len(pending), error, started) from None
            started = True
            pending = b"" if inflater.eof else inflater.unconsumed_tail
            progress(phase, min(offset, self.file_bytes), self.file_bytes)
            if block:
                yield memoryview(block)

    def _zstd_blocks(self, progress: Progress, phase: str) -> Generator[memoryview]:
        """One frame after the other (RFC 8878), each piece no larger than a few blocks inflate to."""
        import zstandard

        reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        frame = reader.decompressobj()
        offset, pending, is_inside = 0, b"", False
        while True:
            if not pending:
                # Small pieces: one of zstd may inflate to thousands of times its size.
                pending = os.pread(self._fd, _PIECE_BYTES, offset)
                offset += len(pending)
            if not pending:
                if is_inside:
                    raise TruncatedDump(
                        self.path,
                        None,
                        f"the zstd stream ends inside a frame at byte {self.file_bytes:,} of the file; "
                        "the copy or the dump was cut short, take it again",
                    )
                return
            try:
                block = frame.decompress(pending)
            except zstandard.ZstdError as error:
                where = max(0, offset - len(pending))
                raise HprofError(
                    self.path,
                    None,
                    f"the zstd data is damaged near byte {where:,} of the file ({error}); "
                    "copy the dump again",
                ) from None
            pending, is_inside = b"", True
            if frame.eof:
                pending, is_inside = frame.unused_data, False
                frame = reader.decompressobj()
            progress(phase, min(offset, self.file_bytes), self.file_bytes)
            if block:
                yield memoryview(block)

    def _damaged(self, offset: int, error: Exception, started: bool) -> HprofError:
        what = "the gzip data is damaged" if started else "no gzip member begins here"
        return HprofError(
            self.path, None, f"{what} near byte {max(offset, 0):,} of the file ({error}); copy the dump again"
        )

    @staticmethod
    def _ahead(blocks: Generator[memoryview]) -> Generator[memoryview]:
        """The same blocks, the next one made on another thread while one is used."""
        with closing(blocks), ThreadPoolExecutor(1) as pool:
            future = pool.submit(next, blocks, None)
            while (block := future.result()) is not None:
                future = pool.submit(next, blocks, None)
                yield block

    def _parallel_blocks(self, progress: Progress, phase: str) -> Generator[memoryview]:
        """Members inflated on all cores, some batches ahead, given out in order."""
        view = _map(self._fd).data
        workers = worker_count()
        members = max(1, _MEMBER_BATCH_BYTES // self._blocksize)
        batches = _batched(_member_starts(self._fd, self.file_bytes), members)
        free = [np.empty(members * self._blocksize, np.uint8) for _ in range(workers + 2)]
        waiting: deque[tuple[tuple[int, ...], NDArray[np.uint8], Future[int]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            while True:
                while free and (batch := next(batches, None)) is not None:
                    target = free.pop()
                    future = pool.submit(self._inflate_members, view, batch, target)
                    waiting.append((batch, target, future))
                if not waiting:
                    return
                batch, target, future = waiting.popleft()
                size = future.result()
                if size < 0:
                    # A guess was wrong, or the file is damaged: the serial way knows which.
                    for _, _, other in waiting:
                        other.cancel()
                    yield from self._serial_blocks(batch[0], progress, phase)
                    return
                progress(phase, batch[-1], self.file_bytes)
                yield target.data[:size]
                free.append(target)

    def _inflate_members(self, view: memoryview, starts: tuple[int, ...], target: NDArray[np.uint8]) -> int:
        """Inflate the members between consecutive starts into ``target``.

        Returns their bytes together; -1 unless each ends where the next begins.
        """
        from isal import isal_zlib

        size = 0
        for start, stop in pairwise(starts):
            inflater = isal_zlib.decompressobj(wbits=31)
            bound = size + self._blocksize
            for position in range(start, stop, _PIECE_BYTES):
                try:
                    piece = inflater.decompress(view[position : min(position + _PIECE_BYTES, stop)])
                except isal_zlib.error:  # type: ignore[misc]
                    return -1
                if size + len(piece) > bound:
                    return -1
                target[size : size + len(piece)] = np.frombuffer(piece, np.uint8)
                size += len(piece)
            if not inflater.eof or inflater.unused_data:
                return -1
        return size

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


def _blocksize(head: bytes) -> int:
    """What each member but the last inflates to, by the comment of the first; 0 where it does not say."""
    comment = _BLOCKSIZE.search(head, 0, 512)
    size = int(comment[1]) if comment else 0
    return (
        size if size <= _MAX_BLOCKSIZE else 0
    )  # no JDK writes larger members; the serial way needs no buffers


def _spool() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="heapscope-", suffix=".hprof")


def _map(fd: int) -> NDArray[np.uint8]:
    length = os.fstat(fd).st_size
    if length == 0:
        return np.zeros(0, np.uint8)
    return np.frombuffer(mmap.mmap(fd, length, access=mmap.ACCESS_READ), np.uint8)


def _member_starts(fd: int, size: int) -> Iterator[int]:
    """Positions where a gzip member may begin, in order and 0 among them, then the file's size."""
    width = len(_MEMBER_STARTS[0])
    yield 0  # whatever stands there: a first member that is damaged is an error, not left aside
    for offset in range(0, size, _SEARCH_BYTES):
        # Read, not mapped: mmap.find compares at every byte before Python 3.13.
        chunk = os.pread(fd, _SEARCH_BYTES + width - 1, offset)
        position = chunk.find(_MEMBER_STARTS[0][:3])
        while position >= 0:
            if offset + position and chunk[position : position + width] in _MEMBER_STARTS:
                yield offset + position
            position = chunk.find(_MEMBER_STARTS[0][:3], position + 1)
    yield size


def _batched(starts: Iterator[int], members: int) -> Iterator[tuple[int, ...]]:
    """Starts in tuples of ``members + 1`` that overlap by one: the stop of one is the next's start."""
    batch = [next(starts)]
    for start in starts:
        batch.append(start)
        if len(batch) > members:
            yield tuple(batch)
            batch = [start]
    if len(batch) > 1:
        yield tuple(batch)
