"""``heapscope collect --trigger``: watch, and take snapshots when memory says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from heapscope.errors import AttachTimeout, CollectError, CommandFailed, DumpFailed
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.collector.processes import JvmProcess
    from heapscope.collector.trigger import Trigger
    from heapscope.collector.watch import Watch

SAMPLE_SECONDS = 10.0
DEFAULT_COUNT = 3
DEFAULT_EVERY = 60.0

Take = Callable[["JvmProcess", Literal["dump", "histogram"]], None]


def say_swept(watcher: Watch) -> None:
    """Let JVMs go on that wait for a heapscope that was killed, and say so."""
    for pid in watcher.sweep():
        sys.stderr.write(
            f"heapscope: removed what a killed heapscope left in /tmp of process {pid}; a JVM that stood "
            "still there goes on\n"
        )


def collect_when(
    triggers: Sequence[Trigger],
    take: Take,
    arm: Callable[[JvmProcess], None],
    *,
    pids: Sequence[int],
    role: str | None,
    count: int,
    every: float,
    seconds: float | None,
    what: str = "heap dump",
) -> CollectError | None:
    """Watch processes and call ``take`` when a trigger fires.

    Ends when every named process has had its ``count`` snapshots or has ended; of a role only at Ctrl-C or
    after ``seconds``.

    Parameters
    ----------
    triggers : sequence of Trigger
        Any one of them is enough.
    take : callable (process, kind) -> None
        Takes a snapshot.
    arm : callable (process) -> None
        Called once for each process, when it is seen first.
    pids, role : sequence of int, str or None
        Whom to watch: these processes, or all of a role.
    count : int
        Snapshots of each process at most.
    every : float
        Seconds between two snapshots of one process, at least.
    seconds : float or None
        How long to watch; None: without an end.
    what : str
        What is taken after the first class histogram, in words.

    Returns
    -------
    CollectError or None
        The last error, if any snapshot failed.
    """
    from heapscope.collector.trigger import Sentinel
    from heapscope.collector.watch import Watch, ticks

    sentinel = Sentinel(triggers, count=count, every=every)
    watcher = Watch(pids, role)
    problem: CollectError | None = None
    armed: set[tuple[int, int]] = set()

    def wait(remaining: float) -> bool:
        time.sleep(remaining)
        return False

    try:
        for _ in ticks(min(SAMPLE_SECONDS, every), seconds, wait):
            samples = watcher.sample()
            say_swept(watcher)
            for process in watcher.processes:
                if (process.pid, process.start_ticks) not in armed:
                    armed.add((process.pid, process.start_ticks))
                    arm(process)
            for due in sentinel.look(samples):
                wanted = (due.pid, due.start_ticks)  # processes that start together share their tick
                found = next((p for p in watcher.processes if (p.pid, p.start_ticks) == wanted), None)
                if found is None:
                    continue
                name = what if due.kind == "dump" else "class histogram"
                sys.stdout.write(printable(f"process {due.pid}: {due.reason}: a {name}") + "\n")
                sys.stdout.flush()
                try:
                    take(found, due.kind)
                except CollectError as error:
                    if not isinstance(error, DumpFailed | AttachTimeout | CommandFailed):
                        sentinel.give_back(due)  # the JVM was not asked
                    sys.stderr.write(f"heapscope: {printable(str(error))}\n")
                    problem = error
            if watcher.is_over or (pids and sentinel.is_done([p.pid for p in watcher.processes])):
                break
    finally:
        watcher.close()
    return problem
