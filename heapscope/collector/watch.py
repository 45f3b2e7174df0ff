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
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime

from heapscope.collector import attach
from heapscope.collector.memory import CONTACT_SECONDS, Probe, Sample
from heapscope.collector.processes import JvmProcess, find
from heapscope.collector.target_folder import sweep
from heapscope.errors import JvmNotFound

_MAX_LOOK_AGAIN_SECONDS = 300.0
# Share of one core that looking at pages may take over the whole watch.
WALK_SHARE = 0.01
# JVMs that are asked at the same time, at most: a thread each, that waits.
_ASKED_AT_ONCE = 64


@dataclass(slots=True)
class WalkCost:
    """What looking at pages has cost: how often, seconds of processor in all, and of the longest look."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one look."""
        self.count += 1
        self.seconds += seconds
        self.longest = max(self.longest, seconds)


class Watch:
    """Samples of the JVMs in some processes, of one TensorFlow role, or of all of them.

    Parameters
    ----------
    pids : sequence of int
        These processes; empty: all, also those that start later.
    role : str, optional
        Only processes of this TensorFlow role.
    with_pages : bool
        Whether to look at pages at all, for how much of a process lies in its heap.
    nmt_baseline : bool
        Have JVMs with native memory tracking remember what they use now; see `native_memory_growth`.

    Raises
    ------
    JvmNotFound
        Processes were named and none of them hosts a JVM.
    """

    def __init__(
        self,
        pids: Sequence[int] = (),
        role: str | None = None,
        *,
        with_pages: bool = True,
        nmt_baseline: bool = False,
    ) -> None:
        self.pids = tuple(pids)
        self.role = role
        self.walks = WalkCost()
        self._with_pages = with_pages
        self._nmt_baseline = nmt_baseline
        self._pool = ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="heapscope-ask")
        self._asked: dict[Future[None], Probe] = {}
        self._host = socket.gethostname()
        self._probes: dict[int, Probe] = {}
        self._without_jvm: dict[int, tuple[float, float]] = {}  # pid: first seen, look again at
        self._ended_growth: dict[tuple[int, int], dict[str, int]] = {}
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
            Look at the pages of all of them whatever it costs; by default of as many as one hundredth of a
            core allows, in turn.  Where they were not looked at, the columns that need it are None.
        """
        self._discover()
        self._ask()
        captured_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        samples = []
        for probe in sorted(self._probes.values(), key=lambda probe: probe.last_walk):
            allowed = WALK_SHARE * (time.monotonic() - self._began)
            # A first walk is always made: growth needs its beginning.
            walk = walk_all or not probe.last_walk or self.walks.seconds < allowed
            walk = walk and self._with_pages
            clock = time.thread_time()
            sample = probe.sample(captured_at, self._host, walk=walk)
            if walk:
                self.walks.add(time.thread_time() - clock)
            if sample is None:
                probe.close()
                if probe.nmt_growth is not None:
                    self._ended_growth[key_of(probe.process)] = probe.nmt_growth
                del self._probes[probe.process.pid]
            else:
                samples.append(sample)
        return sorted(samples, key=lambda sample: sample.pid)

    def sweep(self) -> list[int]:
        """Let JVMs go on that wait for a heapscope that was killed with all its helpers; pids of such."""
        return sweep(self.processes)

    def native_memory_growth(self) -> dict[tuple[int, int], dict[str, int]]:
        """By pid and start time: how categories of native memory changed since the baseline, in bytes.

        Of processes that have ended too, as they answered last, and of those that do not answer now.
        """
        self._ask()
        living = {key_of(probe.process): probe.nmt_growth for probe in self._probes.values()}
        found = {**self._ended_growth, **living}
        return {key: growth for key, growth in found.items() if growth is not None}

    def ask_all(self, command: str, seconds: float) -> dict[tuple[int, int], Future[str]]:
        """Ask every JVM that has an attach socket; the answers come while the watch goes on.

        Parameters
        ----------
        command : str
            A diagnostic command.
        seconds : float
            Time limit.

        Returns
        -------
        dict
            By pid and start time, the answer to come; a `CollectError` where there is none.
        """

        def asked(process: JvmProcess) -> Future[str]:
            return self._pool.submit(lambda: attach.jcmd(process, command, seconds=seconds))

        return {key_of(process): asked(process) for process in self.processes}

    def close(self) -> None:
        """Close what is open."""
        # Threads that still wait for a JVM end within `CONTACT_SECONDS`.
        self._pool.shutdown(wait=False, cancel_futures=True)
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()

    def _ask(self) -> None:
        """Ask JVMs side by side; those that have not answered in time are not waited for."""
        self._asked = {future: probe for future, probe in self._asked.items() if not future.done()}
        busy = set(map(id, self._asked.values()))
        due = [probe for probe in self._probes.values() if probe.is_to_be_asked and id(probe) not in busy]
        fresh = {self._pool.submit(probe.ask): probe for probe in due}
        _, late = wait(fresh, CONTACT_SECONDS)
        self._asked |= {future: fresh[future] for future in late if not future.cancel()}

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
                self._probes[process.pid] = Probe(process, nmt_baseline=self._nmt_baseline)
                del self._without_jvm[process.pid]


def key_of(process: JvmProcess) -> tuple[int, int]:
    """What names a process for ever: pid and start time in clock ticks."""
    return process.pid, process.start_ticks


def ticks(every: float, seconds: float | None, sleep: Callable[[float], bool]) -> Iterator[int]:
    """Numbers of rounds, at fixed times by the clock; rounds that were missed are left out.

    Parameters
    ----------
    every : float
        Seconds from one round to the next.
    seconds : float or None
        Length of the watch; None: until ``wait`` says so.
    sleep : callable
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
        if sleep(max(0.0, number * every - elapsed)):
            return
