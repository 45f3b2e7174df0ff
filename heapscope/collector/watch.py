"""Samples of many processes over time: which processes are watched, when, and at what cost.

Processes start and end during a watch.  A process without a JVM is looked at again once its known age has
doubled: a JVM that a worker starts late is seen within twice its delay, and other processes cost next to
nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from heapscope.collector.memory import Probe, Sample
from heapscope.collector.processes import JvmProcess, find
from heapscope.errors import JvmNotFound

_MAX_LOOK_AGAIN_SECONDS = 300.0
# Share of one core that reading smaps may take over the whole watch.
WALK_SHARE = 0.01


class Watch:
    """Samples of the JVMs in some processes, of one TensorFlow role, or of all of them.

    Parameters
    ----------
    pids : sequence of int
        These processes; empty: all, also those that start later.
    role : str, optional
        Only processes of this TensorFlow role.

    Raises
    ------
    JvmNotFound
        Processes were named and none of them hosts a JVM.
    """

    def __init__(self, pids: Sequence[int] = (), role: str | None = None) -> None:
        self.pids = tuple(pids)
        self.role = role
        self._host = socket.gethostname()
        self._probes: dict[int, Probe] = {}
        self._without_jvm: dict[int, tuple[float, float]] = {}  # pid: first seen, look again at
        self._walked_seconds = 0.0
        self._began = time.monotonic()
        self._discover()
        if self.pids and not self._probes:
            names = ", ".join(map(str, self.pids))
            raise JvmNotFound(
                f"process {names}: not running, or no libjvm in it that this user may see; "
                "'heapscope ps' lists the JVMs"
            )

    @property
    def processes(self) -> list[JvmProcess]:
        """Those watched now, by pid."""
        return [probe.process for _, probe in sorted(self._probes.items())]

    @property
    def is_over(self) -> bool:
        """Whether processes were named and all of them have ended."""
        return bool(self.pids) and not self._probes

    def sample(self, *, walk_all: bool = False) -> list[Sample]:
        """One sample of each process that is there now, by pid.

        Parameters
        ----------
        walk_all : bool
            Read ``smaps`` of all of them whatever it costs; by default of as many as one hundredth of a
            core allows, in turn.  Where it was not read, the columns that need it are None.
        """
        self._discover()
        captured_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        samples = []
        for probe in sorted(self._probes.values(), key=lambda probe: probe.last_walk):
            allowed = WALK_SHARE * (time.monotonic() - self._began)
            # A first walk is always made: growth needs its beginning.
            walk = walk_all or not probe.last_walk or self._walked_seconds < allowed
            clock = time.thread_time()
            sample = probe.sample(captured_at, self._host, walk=walk)
            if walk:
                self._walked_seconds += time.thread_time() - clock
            if sample is None:
                probe.close()
                del self._probes[probe.process.pid]
            else:
                samples.append(sample)
        return sorted(samples, key=lambda sample: sample.pid)

    def close(self) -> None:
        """Close what is open."""
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()

    def _discover(self) -> None:
        """Look at processes that are new, and again at those that had no JVM when last looked at."""
        now = time.monotonic()
        present = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
        if self.pids:
            present &= set(self.pids)
        self._without_jvm = {pid: seen for pid, seen in self._without_jvm.items() if pid in present}
        due = []
        for pid in present - self._probes.keys():
            first, again = self._without_jvm.get(pid, (now, now))
            if now >= again:
                due.append(pid)
                wait = min(max(now - first, 1.0), _MAX_LOOK_AGAIN_SECONDS)
                self._without_jvm[pid] = (first, now + wait)
        for process in find(sorted(due)):
            # libjvm may be mapped long before a JVM is made, and stays mapped in forked children.
            if process.is_started and self.role in (None, process.role):
                self._probes[process.pid] = Probe(process)
                del self._without_jvm[process.pid]


def ticks(every: float, seconds: float | None, wait: Callable[[float], bool]) -> Iterator[int]:
    """Numbers of rounds, at fixed times by the clock; rounds that were missed are left out.

    Parameters
    ----------
    every : float
        Seconds from one round to the next.
    seconds : float or None
        Length of the watch; None: until ``wait`` says so.
    wait : callable
        Sleeps so many seconds; true ends the watch.
    """
    start = time.monotonic()
    number = 0
    while True:
        yield number
        elapsed = time.monotonic() - start
        number = max(number + 1, int(elapsed / every) + 1)
        if seconds is not None and number * every > seconds:
            return
        if wait(max(0.0, number * every - elapsed)):
            return
