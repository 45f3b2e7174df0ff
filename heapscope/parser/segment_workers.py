"""Heap segments shared out to threads: kernels release the GIL, so all cores work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TypeVar

from heapscope.parser.inflating import worker_count
from heapscope.progress import Progress

Result = TypeVar("Result")


def run_workers(
    segment_bytes: Sequence[int],
    make_worker: Callable[[Event], tuple[Callable[[int], None], Result]],
    progress: Progress,
    phase: str,
) -> list[Result]:
    """Do all segments, each by the next worker that is free.

    Parameters
    ----------
    segment_bytes : sequence of int
        Length of each segment, for the progress.
    make_worker : callable
        Called in each thread: a function that does the segment of a row, and what the thread works on.
        It gets an event that is set once another worker failed; long work should end then.
    progress : Progress
    phase : str
        What the progress says is done.

    Returns
    -------
    list
        What each worker worked on, at least one.

    Raises
    ------
    Exception
        What the first worker that failed raised.
    """
    pending = iter(range(len(segment_bytes)))
    total = sum(segment_bytes)
    lock = Lock()
    failed = Event()
    done = 0

    def run() -> Result:
        nonlocal done
        try:
            work, result = make_worker(failed)
            while not failed.is_set():
                with lock:
                    row = next(pending, None)
                if row is None:
                    break
                work(row)
                with lock:
                    done += segment_bytes[row]
                    progress(phase, done, total)
        except BaseException:
            failed.set()
            raise
        return result

    workers = min(worker_count(), max(1, len(segment_bytes)))
    if workers == 1:
        return [run()]
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run) for _ in range(workers)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            failed.set()  # Ctrl-C in this thread stops the others at their next segment
            raise
