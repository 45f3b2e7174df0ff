"""Passes over the heap segments of a dump that was counted: on all cores, through small windows.

Windows of 2 MB are read with ``pread`` and reused: no page of the file is mapped, which would
fault one by one, nor counted as this process's memory.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import TruncatedDump
from heapscope.parser import kernels
from heapscope.parser.scan import HeapScan
from heapscope.parser.segment_counts import raise_corrupt
from heapscope.parser.segment_workers import run_workers
from heapscope.parser.source import Source
from heapscope.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW_BYTES = 2 << 20

# window, its offset in the dump, position and stop in it, state -> status
Step = Callable[["NDArray[np.uint8]", int, int, int, "NDArray[np.int64]"], int]


def pass_over_segments(
    source: Source,
    scan: HeapScan,
    make_step: Callable[[], Step],
    progress: Progress,
    phase: str,
    *,
    counts_objects: bool = False,
    counts_roots: bool = False,
) -> list[NDArray[np.int64]]:
    """Run a kernel over all segments, and return the last state of each worker.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    make_step : callable
        Makes the step of one worker; it is called in that worker.
    progress : Progress
    phase : str
        What the progress says is done.
    counts_objects, counts_roots : bool
        Whether the step counts in ``state[OBJECTS]`` and ``state[ROOTS]``, which begin at the
        segment's first row; checked at its end.

    Raises
    ------
    CorruptRecord, TruncatedDump
        The file is not what it was when it was counted.
    """
    source.mapping(progress)  # inflates a gzip dump, once
    first_object = np.concatenate([[0], np.cumsum(scan.segment_objects)]).tolist()
    first_root = np.concatenate([[0], np.cumsum(scan.segment_roots)]).tolist()
    starts, stops = scan.segment_starts.tolist(), scan.segment_stops.tolist()

    def make_worker(failed: Event) -> tuple[Callable[[int], None], NDArray[np.int64]]:
        state = np.zeros(kernels.STATE, np.int64)
        step = make_step()
        window = np.empty(_WINDOW_BYTES, np.uint8)

        def work(row: int) -> None:
            state[kernels.OBJECTS], state[kernels.ROOTS] = first_object[row], first_root[row]
            state[kernels.SEGMENT] = row
            position = starts[row]
            while position < stops[row] and not failed.is_set():
                position = _advance(source, step, window, position, stops[row], state)
            is_other = (counts_objects and int(state[kernels.OBJECTS]) != first_object[row + 1]) or (
                counts_roots and int(state[kernels.ROOTS]) != first_root[row + 1]
            )
            if not failed.is_set() and (is_other or position != stops[row]):
                raise_corrupt(str(source.path), starts[row], kernels.COUNT_CHANGED, 0)

        return work, state

    return run_workers(scan.segment_bytes, make_worker, progress, phase)


def _advance(
    source: Source,
    step: Step,
    window: NDArray[np.uint8],
    position: int,
    stop: int,
    state: NDArray[np.int64],
) -> int:
    """Take one step at ``position``; where the next one is to begin."""
    length = source.read_into(window.data[: min(window.size, stop - position)], position)
    if length == 0:
        raise TruncatedDump(str(source.path), position, "the file became shorter while it was read")
    status = step(window[:length], position, 0, stop - position, state)
    moved = int(state[kernels.POSITION])
    if status == kernels.NEED_BYTES and moved == 0:
        # Larger than the window, an array of references most often: this one record from the mapping.
        mapping = source.mapping()
        status = step(mapping, 0, position, position + 1, state)
        moved = int(state[kernels.POSITION]) - position
        if status == kernels.NEED_BYTES:
            status = kernels.OVERRUN
    if status not in (kernels.OK, kernels.NEED_BYTES):
        at = position + int(state[kernels.POSITION])
        raise_corrupt(str(source.path), at, status, 0)
    return position + moved
