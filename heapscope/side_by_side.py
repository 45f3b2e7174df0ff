"""The same work on several files, some at a time: threads, for compiled loops release Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
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
    lock = Lock()
    unfinished = set(range(count))
    last = count - 1  # what stands behind one that failed is not wanted any more

    def run(place: int) -> Result:
        nonlocal last
        say = told(place)

        def unless_stopped(phase: str, done: int, total: int, /) -> None:
            with lock:
                if place > last:
                    raise KeyboardInterrupt
                is_first = place == min(unfinished)
            if is_first:
                say(phase, done, total)

        try:
            if place > last:
                raise KeyboardInterrupt
            return do(items[place], unless_stopped)
        except BaseException:
            with lock:
                last = min(last, place)
            raise
        finally:
            with lock:
                unfinished.discard(place)

    with ThreadPoolExecutor(jobs, thread_name_prefix="dump") as pool:
        try:
            return [future.result() for future in [pool.submit(run, place) for place in range(count)]]
        except BaseException:
            with lock:
                last = -1  # Ctrl-C in this thread as well
            pool.shutdown(wait=False, cancel_futures=True)
            raise
