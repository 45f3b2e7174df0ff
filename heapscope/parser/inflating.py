"""Compressed dumps, inflated in order: gzip members on all cores where that is possible, zstd frames.

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
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import HprofError, TruncatedDump
from heapscope.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZSTD_WINDOW_BYTES = 128 << 20  # what a frame may make us hold; `zstd -19` asks for 8 MB
# Magic, method deflate, no flags (or a comment only), no time: how a JDK opens a member.
_MEMBER_STARTS = (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", b"\x1f\x8b\x08\x10\x00\x00\x00\x00")
_SEARCH_BYTES = 8 << 20
# Small pieces: blocks of a megabyte, freed one by one, leave holes in the allocator's arenas
# that add up to 350 MB.
_PIECE_BYTES = 32 << 10
_MAX_BLOCKSIZE = 16 << 20  # HotSpot's is 1 MiB
_BLOCKSIZE = re.compile(rb"HPROF BLOCKSIZE=(\d{1,10})\x00")
_MEMBER_BATCH_BYTES = 2 << 20
_STREAM_BLOCK_BYTES = 2 << 20


def worker_count() -> int:
    """Threads for parallel work: the cores this process may use; ``HEAPSCOPE_THREADS`` overrides it.

    Processes beside each other, each with a dump of its own, share the cores.
    """
    given = os.environ.get("HEAPSCOPE_THREADS", "")
    if given.isascii() and given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CompressedFile:
    """An open file of gzip members or zstd frames.

    Attributes
    ----------
    path : Path
        For errors.
    fd : int
    file_bytes : int
    """

    path: Path
    fd: int
    file_bytes: int

    def gzip_blocks(self, blocksize: int, progress: Progress, phase: str) -> Generator[memoryview]:
        """What the members hold, as blocks of a few megabytes, each valid up to the next.

        Parameters
        ----------
        blocksize : int
            See `blocksize_of`.
        progress : Progress
        phase : str
            What the progress says is done.

        Raises
        ------
        TruncatedDump
            The file ends inside a member.
        HprofError
            A member is damaged.
        """
        if blocksize and worker_count() > 1:
            yield from self._parallel_blocks(blocksize, progress, phase)
        else:
            yield from ahead(self._serial_blocks(0, progress, phase))

    def zstd_blocks(self, progress: Progress, phase: str) -> Generator[memoryview]:
        """What the frames hold (RFC 8878), each piece no larger than a few blocks inflate to.

        Parameters
        ----------
        progress : Progress
        phase : str
            What the progress says is done.

        Raises
        ------
        TruncatedDump, HprofError
            As `gzip_blocks`.
        """
        import zstandard

        reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
        frame = reader.decompressobj()
        offset, pending, is_inside = 0, b"", False
        while True:
            if not pending:
                # Small pieces: one of zstd may inflate to thousands of times its size.
                pending = os.pread(self.fd, _PIECE_BYTES, offset)
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
                    rest = os.pread(self.fd, _STREAM_BLOCK_BYTES, offset)
                    offset += len(rest)
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        if offset >= self.file_bytes:
                            return
                        continue
                inflater = isal_zlib.decompressobj(wbits=31)
                pending, started = rest, False
            elif not pending:
                pending = os.pread(self.fd, 1 << 19, offset)
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

    def _damaged(self, offset: int, error: Exception, started: bool) -> HprofError:
        what = "the gzip data is damaged" if started else "no gzip member begins here"
        return HprofError(
            self.path, None, f"{what} near byte {max(offset, 0):,} of the file ({error}); copy the dump again"
        )

    def _parallel_blocks(self, blocksize: int, progress: Progress, phase: str) -> Generator[memoryview]:
        """Members inflated on all cores, some batches ahead, given out in order."""
        view = map_file(self.fd).data
        workers = worker_count()
        members = max(1, _MEMBER_BATCH_BYTES // blocksize)
        batches = _batched(_member_starts(self.fd, self.file_bytes), members)
        free = [np.empty(members * blocksize, np.uint8) for _ in range(workers + 2)]
        waiting: deque[tuple[tuple[int, ...], NDArray[np.uint8], Future[int]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            while True:
                while free and (batch := next(batches, None)) is not None:
                    target = free.pop()
                    future = pool.submit(_inflate_members, view, batch, target, blocksize)
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


def _inflate_members(
    view: memoryview, starts: tuple[int, ...], target: NDArray[np.uint8], blocksize: int
) -> int:
    """Inflate the members between consecutive starts into ``target``.

    Returns their bytes together; -1 unless each ends where the next begins.
    """
    from isal import isal_zlib

    size = 0
    for start, stop in pairwise(starts):
        inflater = isal_zlib.decompressobj(wbits=31)
        bound = size + blocksize
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


def ahead(blocks: Generator[memoryview]) -> Generator[memoryview]:
    """The same blocks, the next one made on another thread while one is used; on one core as they come."""
    if worker_count() == 1:
        with closing(blocks):
            yield from blocks
        return
    with closing(blocks), ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, blocks, None)
        while (block := future.result()) is not None:
            future = pool.submit(next, blocks, None)
            yield block


def blocksize_of(head: bytes) -> int:
    """What each member but the last inflates to, by the comment of the first; 0 where it does not say."""
    comment = _BLOCKSIZE.search(head, 0, 512)
    size = int(comment[1]) if comment else 0
    return (
        size if size <= _MAX_BLOCKSIZE else 0
    )  # no JDK writes larger members; the serial way needs no buffers


def map_file(fd: int) -> NDArray[np.uint8]:
    """All bytes of an open file, uint8, shape (n,), read-only."""
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
