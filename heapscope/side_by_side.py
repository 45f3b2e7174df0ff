"""The same work on several files, some at a time: threads, for compiled loops release Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import TypeVar

from heapscope.progress import Progress, of_file

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    items: Sequence[Item],
    do: Callable[[Item, Progress], Result],
    *,
    jobs: int,
    name: Callable[[Item], str],
    progress: Progress,
) -> list[Result]:
    """Do the same with each, up to ``jobs`` at a time, begun in their order.

    Parameters
    ----------
    items : sequence
    do : callable (item, progress) -> result
        Called in several threads; where it tells how far it is, it ends early once another one failed.
    jobs : int
        With 1 all is done in this thread.
    name : callable (item) -> str
        What the progress calls an item.
    progress : Progress
        Told how far the first of those is that are worked on.

    Returns
    -------
    list
        In the order of the items.

    Raises
    ------
    Exception
        What the first item that failed raised, in the order of the items; none is left at work.
    """
    count = len(items)

    def told(place: int) -> Progress:
        return of_file(progress, name(items[place]), f" ({place + 1} of {count})" if count > 1 else "")

    jobs = min(jobs, count)
    if jobs <= 1:
        return [do(item, told(place)) for place, item in enumerate(items)]
    stopped, lock = Event(), Lock()
    unfinished = set(range(count))

    def run(place: int) -> Result:
        say = told(place)

        def unless_stopped(phase: str, done: int, total: int, /) -> None:
            if stopped.is_set():
                raise KeyboardInterrupt
            with lock:
                is_first = place == min(unfinished)
            if is_first:
                say(phase, done, total)

        try:
            return do(items[place], unless_stopped)
        finally:
            with lock:
                unfinished.discard(place)

    futures: list[Future[Result]] = []
    with ThreadPoolExecutor(jobs, thread_name_prefix="heap") as pool:
        try:
            futures += [pool.submit(run, place) for place in range(count)]
            return [future.result() for future in futures]
        except BaseException:  # Ctrl-C in this thread as well
            stopped.set()
            for future in futures:
                future.cancel()
            raise
