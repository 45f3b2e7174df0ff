"""Count a dump as its blocks are inflated, holding a few megabytes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heapscope.errors import HprofError, TruncatedDump
from heapscope.parser import kernels
from heapscope.parser.layout.layout import Layout
from heapscope.parser.records import Header, RecordList, parse_header, read_record_head
from heapscope.parser.segment_counts import DumpCounts, SegmentCounts, class_dumps_of
from heapscope.parser.source import Source
from heapscope.parser.tags import HEADER_BYTES, RECORD_HEADER_BYTES, RecordTag
from heapscope.parser.top_level import check_end, raise_top_level
from heapscope.progress import Progress

_MAX_RECORD_BYTES = 1 << 26  # of a name, a stack trace, ...: larger ones are looked at where they lie


class NeedsWholeFile(Exception):
    """Counting needs the whole file.

    A heap record's length follows from its size, a record is huge, or several heaps are in it.
    """


class _Window:
    """The part of a stream that is held: bytes from ``base`` on, read up to ``position``."""

    def __init__(self, blocks: Iterator[memoryview]) -> None:
        self._blocks = blocks
        # One buffer for all blocks: a new one for each leaves holes that add up to 100 MB.
        self._buffer = np.empty(4 << 20, np.uint8)
        self.data = self._buffer[:0]
        self.base = 0
        self.position = 0  # in data; behind its end where a body is to be skipped

    @property
    def offset(self) -> int:
        """Offset of the position in the stream."""
        return self.base + self.position

    def refill(self) -> bool:
        """Drop what was read, skip what is not wanted, add a block; False at the end."""
        kept = self.data[min(self.position, self.data.size) :]
        skip = max(0, self.position - self.data.size)
        self.base += self.data.size - kept.size
        for block in self._blocks:
            if len(block) <= skip:
                skip -= len(block)
                self.base += len(block)
                continue
            self.base += skip
            self._hold(kept, np.frombuffer(block, np.uint8)[skip:])
            self.position = 0
            return True
        self.data, self.position = kept, skip
        return False

    def _hold(self, kept: NDArray[np.uint8], fresh: NDArray[np.uint8]) -> None:
        size = kept.size + fresh.size
        target = self._buffer if size <= self._buffer.size else np.empty(2 * size, np.uint8)
        target[: kept.size] = kept  # numpy copies overlapping parts of one buffer in safe order
        target[kept.size : size] = fresh
        self._buffer, self.data = target, target[:size]


def count_stream(source: Source, layout: Layout, limit: int | None, progress: Progress) -> DumpCounts:
    """Count a dump while it is read from its beginning to its end.

    Parameters
    ----------
    source : Source
    layout : Layout
        What the sizes of arrays in memory follow from.
    limit : int or None
        Count only so many bytes, up to the end of a heap record.
    progress : Progress

    Raises
    ------
    NeedsWholeFile
        `count_file` can count this one.
    NotHprof, UnsupportedFormat
        It does not begin as a dump does.
    CorruptRecord, TruncatedDump
    """
    # Closed here and not by the garbage collector, which may run in one of its threads.
    with closing(source.blocks(progress, phase="counting")) as blocks:
        return count_blocks(str(source.path), blocks, (layout,), limit)[0]


def count_blocks(
    path: str, blocks: Iterator[memoryview], layouts: Sequence[Layout], limit: int | None = None
) -> list[DumpCounts]:
    """Count a dump that comes in blocks, once for each of several layouts.

    Parameters
    ----------
    path : str
        For errors.
    blocks : iterator of memoryview
        The dump from its beginning; each is done with when the next is asked for.
    layouts : sequence of Layout
        Where the one that sizes of arrays follow from is known only at the end of the stream.
    limit : int, optional
        Count only so many bytes, up to the end of a heap record.

    Raises
    ------
    NeedsWholeFile, NotHprof, UnsupportedFormat, CorruptRecord, TruncatedDump
        As for `count_stream`.
    """
    counts = [SegmentCounts(path, 8, layout) for layout in layouts]
    try:
        window = _Window(blocks)
        header = _header(path, window)
        counts = [SegmentCounts(path, header.identifier_bytes, layout) for layout in layouts]
        first = _count(path, header, counts, window, limit)
        return [first, *(replace(first, counts=each) for each in counts[1:])]
    except HprofError as error:
        error.objects_before = counts[0].objects
        raise


def _header(path: str, window: _Window) -> Header:
    while window.data.size < HEADER_BYTES and window.refill():
        pass
    window.position = HEADER_BYTES
    return parse_header(window.data[:HEADER_BYTES].tobytes(), path)


def _count(
    path: str, header: Header, each_counts: Sequence[SegmentCounts], window: _Window, limit: int | None
) -> DumpCounts:
    records = _RecordCollector()
    counts = each_counts[0]
    class_dumps: list[tuple[int, bytes]] = []
    segments: list[tuple[int, int, int, int]] = []
    while limit is None or window.offset < limit:
        status = records.collect(window)
        if status == kernels.BAD_TAG:
            head = window.data[window.position :][:RECORD_HEADER_BYTES].tobytes()
            raise_top_level(path, window.offset, head, 0, status)
        if status != kernels.HEAP_RECORD:
            if _claimed(window) > _MAX_RECORD_BYTES:
                raise NeedsWholeFile  # not in memory: a few bytes of gzip can say that it is gigabytes
            if window.refill():
                continue
            if window.data.size > window.position:
                head = window.data[window.position :][:RECORD_HEADER_BYTES].tobytes()
                size = window.base + window.data.size
                raise_top_level(path, window.offset, head, size, kernels.NEED_BYTES)
            check_end(path, window.offset, records.all_tags())
            break
        tag, length = records.heap_header(window, path)
        if tag == RecordTag.HEAP_DUMP or length == 0 or records.has_end:
            raise NeedsWholeFile
        window.position += RECORD_HEADER_BYTES
        start, stop = window.offset, window.offset + length
        before = counts.objects, counts.roots
        while window.offset < stop:
            already, begin = counts.classes, window.position
            for each in each_counts:
                window.position = each.scan(window.data, begin, stop - window.base, window.base)
            class_dumps += class_dumps_of(counts, already, window.data, window.base)
            if window.offset < stop and not window.refill():
                raise TruncatedDump(
                    path,
                    start - RECORD_HEADER_BYTES,
                    f"record 0x{tag:02x} claims {length:,} bytes, "
                    f"{window.base + window.data.size - start:,} remain; "
                    "the dump was cut short, take it again",
                )
        segments.append((start, stop, counts.objects - before[0], counts.roots - before[1]))
    size = window.offset
    return DumpCounts(
        records=records.finish(header, path),
        header=header,
        counts=counts,
        class_dumps=class_dumps,
        segments=segments,
        dump_bytes=size,
    )


def _claimed(window: _Window) -> int:
    """Length that the record at the window's position says it has; 0 where its head is not there yet."""
    head = window.data[window.position :][:RECORD_HEADER_BYTES].tobytes()
    return read_record_head(head)[1] if len(head) == RECORD_HEADER_BYTES else 0


class _RecordCollector:
    """Copies the small top-level records out of a stream."""

    def __init__(self) -> None:
        self._chunks: list[NDArray[np.uint8]] = []
        self._tags: list[NDArray[np.uint8]] = []
        self._starts: list[NDArray[np.int64]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._size = 0
        self.has_end = False  # the end of a heap was met: what heap follows is another one

    def collect(self, window: _Window) -> int:
        """Take in all whole records up to the next heap record; the status of `list_records`."""
        room = 1 << 15
        tags, starts, lengths = np.empty(room, np.uint8), np.empty(room, np.int64), np.empty(room, np.int64)
        state = np.zeros(kernels.STATE, np.int64)
        while True:
            first = window.position
            if first > window.data.size:
                return kernels.NEED_BYTES
            state[kernels.POSITION], state[kernels.LISTED] = first, 0
            status = kernels.list_records(window.data, 1, tags, starts, lengths, state)
            window.position, used = int(state[kernels.POSITION]), int(state[kernels.LISTED])
            if used:
                self._chunks.append(window.data[first : window.position].copy())
                self._tags.append(tags[:used].copy())
                self.has_end |= bool((tags[:used] == RecordTag.HEAP_DUMP_END).any())
                self._starts.append(starts[:used] - first + self._size)
                self._lengths.append(lengths[:used].copy())
                self._size += window.position - first
            if status != kernels.NEED_TABLE:
                return status

    def heap_header(self, window: _Window, path: str) -> tuple[int, int]:
        """Tag and length of the heap record at the window's position, which is noted.

        Raises
        ------
        TruncatedDump
            The stream ends inside the record's header.
        """
        while window.data.size - window.position < RECORD_HEADER_BYTES:
            if not window.refill():
                head = window.data[window.position :].tobytes()
                size = window.base + window.data.size
                raise_top_level(path, window.offset, head, size, kernels.NEED_BYTES)
        head = window.data[window.position : window.position + RECORD_HEADER_BYTES].tobytes()
        tag, length = read_record_head(head)
        self._tags.append(np.array([tag], np.uint8))
        self._starts.append(np.array([0], np.int64))
        self._lengths.append(np.array([0], np.int64))
        return tag, length

    def all_tags(self) -> NDArray[np.uint8]:
        """Tags of all records so far, heap records included."""
        return np.concatenate([np.empty(0, np.uint8), *self._tags])

    def finish(self, header: Header, path: str) -> RecordList:
        """All records, in one array of bytes."""
        return RecordList(
            np.concatenate([np.empty(0, np.uint8), *self._chunks]),
            self.all_tags(),
            np.concatenate([np.empty(0, np.int64), *self._starts]),
            np.concatenate([np.empty(0, np.int64), *self._lengths]),
            header.identifier_bytes,
            path,
        )
