"""Count a dump that can be read anywhere: split at its heap segments, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import TruncatedDump
from heapscope.parser import kernels
from heapscope.parser.address_marks import AddressMarks
from heapscope.parser.kernels import ADDRESS_MAX, ADDRESS_MIN
from heapscope.parser.layout.layout import Layout
from heapscope.parser.segment_counts import DumpCounts, SegmentCounts, class_dumps_of
from heapscope.parser.segment_workers import run_workers
from heapscope.parser.source import Source
from heapscope.parser.tags import RECORD_HEADER_BYTES
from heapscope.parser.top_level import TopLevel
from heapscope.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW_BYTES = 2 << 20


def count_file(
    source: Source,
    top_level: TopLevel,
    layout: Layout,
    limit: int | None,
    progress: Progress,
    grid: NDArray[np.uint64] | None = None,
) -> DumpCounts:
    """Count the heap segments of a dump.

    Parameters
    ----------
    source : Source
        Mapped.
    top_level : TopLevel
        Where its segments are.
    layout : Layout
        What the sizes of arrays in memory follow from.
    limit : int or None
        Count only the first segments, up to so many bytes of them.
    progress : Progress
    grid : uint64 array, shape (3,), optional
        On which the addresses of objects are marked.

    Raises
    ------
    CorruptRecord
        A sub-record contradicts the format or another one.
    TruncatedDump
        The file became shorter while it was read.
    """
    path, header, segments = str(source.path), top_level.header, top_level.segments
    if limit is not None:
        sizes = np.cumsum([stop - start for start, stop in segments])
        segments = segments[: int(np.searchsorted(sizes, limit)) + 1]
    objects_roots = np.zeros((len(segments), 2), np.int64)
    class_dumps: list[tuple[int, bytes]] = []
    ranges = np.zeros((2, len(segments)), np.uint64)
    version = source.version

    def make_worker(failed: Event) -> tuple[Callable[[int], None], SegmentCounts]:
        counts = SegmentCounts(path, header.identifier_bytes, layout, grid)
        window = np.empty(_WINDOW_BYTES, np.uint8)

        def work(row: int) -> None:
            nonlocal window
            start, stop = segments[row]
            before = counts.objects, counts.roots
            open_ended = top_level.is_open_ended and stop == top_level.dump_bytes
            until = stop if limit is None else min(stop, start + limit)
            others = counts.take_addresses()
            window = _count_segment(source, counts, window, start, stop, until, class_dumps, open_ended)
            ranges[:, row] = counts.addresses[[ADDRESS_MIN, ADDRESS_MAX]]
            counts.add_addresses(others)
            objects_roots[row] = counts.objects - before[0], counts.roots - before[1]

        return work, counts

    counts, *others = run_workers(
        [stop - start for start, stop in segments], make_worker, progress, "counting"
    )
    parts = [each.marks for each in (counts, *others)]
    for other in others:
        counts.add(other)
    has_marks = grid is not None and not counts.totals[kernels.UNMARKED]
    class_dumps.sort()
    rows = [
        (start, stop, objects, roots)
        for (start, stop), (objects, roots) in zip(segments, objects_roots.tolist(), strict=True)
    ]
    if counts.has_met_end:
        start, stop, objects, roots = rows[-1]
        rows[-1] = (start, stop - RECORD_HEADER_BYTES, objects, roots)
    return DumpCounts(
        records=top_level.records,
        header=header,
        counts=counts,
        class_dumps=class_dumps,
        segments=rows,
        dump_bytes=top_level.dump_bytes,
        heap_number=top_level.heap_number,
        heap_count=top_level.heap_count,
        heap_ticks=top_level.heap_ticks,
        marks=AddressMarks(parts, ranges, version) if has_marks else None,
    )


def _count_segment(
    source: Source,
    counts: SegmentCounts,
    window: NDArray[np.uint8],
    start: int,
    stop: int,
    until: int,
    class_dumps: list[tuple[int, bytes]],
    open_ended: bool,
) -> NDArray[np.uint8]:
    """Count one segment through ``window``, at least up to ``until``.

    Returns the window, grown where a class needed it.
    """
    position = start
    while position < until:
        length = source.read_into(window.data[: min(window.size, stop - position)], position)
        if length == 0:
            raise TruncatedDump(str(source.path), position, "the file became shorter while it was read")
        already = counts.classes
        moved = counts.scan(window[:length], 0, stop - position, position, open_ended)
        class_dumps += class_dumps_of(counts, already, window, position)
        if moved == 0:
            window = np.empty(2 * window.size, np.uint8)
        position += moved
    return window
