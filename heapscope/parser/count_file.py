"""Count a dump that can be read anywhere: split at its heap segments, on all cores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import TruncatedDump
from heapscope.parser.layout.layout import Layout
from heapscope.parser.segment_counts import Counter, Pass, class_dumps_of
from heapscope.parser.source import Source, worker_count
from heapscope.parser.tags import RECORD_HEADER_BYTES
from heapscope.parser.top_level import Walk
from heapscope.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW_BYTES = 2 << 20


def count_file(source: Source, walk: Walk, layout: Layout, limit: int | None, progress: Progress) -> Pass:
    """Count the heap segments of a dump, or the first ``limit`` bytes of them.

    Raises
    ------
    CorruptRecord, TruncatedDump
    """
    path = str(source.path)
    header, segments = walk.header, walk.segments
    if limit is not None:
        sizes = np.cumsum([stop - start for start, stop in segments])
        segments = segments[: int(np.searchsorted(sizes, limit)) + 1]
    total = sum(stop - start for start, stop in segments)
    objects_roots = np.zeros((len(segments), 2), np.int64)
    class_dumps: list[tuple[int, bytes]] = []
    pending = iter(range(len(segments)))
    lock = Lock()
    done_bytes = 0
    failed = False

    def count_segments() -> Counter:
        nonlocal done_bytes, failed
        counter = Counter(path, header.identifier_bytes, layout)
        window = np.empty(_WINDOW_BYTES, np.uint8)
        try:
            while not failed:
                with lock:
                    row = next(pending, None)
                if row is None:
                    break
                start, stop = segments[row]
                before = counter.objects, counter.roots
                window = _count_segment(
                    source,
                    counter,
                    window,
                    start,
                    stop,
                    limit,
                    class_dumps,
                    walk.is_open_ended and stop == walk.dump_bytes,
                )
                objects_roots[row] = counter.objects - before[0], counter.roots - before[1]
                with lock:
                    done_bytes += stop - start
                    progress("counting", done_bytes, total)
        except BaseException:
            failed = True
            raise
        return counter

    workers = min(worker_count(), max(1, len(segments)))
    if workers == 1:
        counters = [count_segments()]
    else:
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(count_segments) for _ in range(workers)]
            try:
                counters = [future.result() for future in futures]
            except BaseException:
                failed = True  # Ctrl-C in this thread stops the others at their next segment
                raise
    counter = counters[0]
    for other in counters[1:]:
        counter.add(other)
    class_dumps.sort()
    rows = [
        (start, stop, objects, roots)
        for (start, stop), (objects, roots) in zip(segments, objects_roots.tolist(), strict=True)
    ]
    if counter.has_met_end:
        start, stop, objects, roots = rows[-1]
        rows[-1] = (start, stop - RECORD_HEADER_BYTES, objects, roots)
    return Pass(walk.records, header, counter, class_dumps, rows, walk.dump_bytes)


def _count_segment(
    source: Source,
    counter: Counter,
    window: NDArray[np.uint8],
    start: int,
    stop: int,
    limit: int | None,
    class_dumps: list[tuple[int, bytes]],
    open_ended: bool,
) -> NDArray[np.uint8]:
    """Count one segment through ``window``; returns the window, grown where a class needed it."""
    position = start
    until = stop if limit is None else min(stop, start + limit)
    while position < until:
        length = source.read_into(window.data[: min(window.size, stop - position)], position)
        if length == 0:
            raise TruncatedDump(str(source.path), position, "the file became shorter while it was read")
        already = counter.classes
        moved = counter.scan(window[:length], 0, stop - position, position, open_ended)
        class_dumps += class_dumps_of(counter, already, window, position)
        if moved == 0:
            window = np.empty(2 * window.size, np.uint8)
        position += moved
    return window
