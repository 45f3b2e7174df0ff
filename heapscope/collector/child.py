"""Processes that the watchdog of a dump forks, and can leave behind where a disk holds them in the kernel."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

# What a disk may take for one step; whoever takes longer is left behind.
_DISK_SECONDS = 5.0
_TRACED_LOOKS = 10
# prctl(2)
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PRCTL = ctypes.CDLL(None).prctl


def end_with_parent() -> None:
    """Have this process killed when its parent ends; to be said again when its ids were changed."""
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process that was forked; it ends with this one unless it ``outlives`` it."""

    def __init__(
        self,
        name: str,
        work: Callable[[], int],
        *,
        keep: Sequence[int] | None = None,
        outlives: bool = False,
    ) -> None:
        watchdog = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _be(name, work, None if outlives else watchdog, keep)
        self.pidfd = os.pidfd_open(self.pid)
        self._traced_looks = 0
        self._code: int | None = None

    def code(self) -> int | None:
        """Its exit code, negative after a signal; None while it runs."""
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def is_stopped(self) -> bool:
        """Whether it was stopped, or a debugger holds it at several looks: strace does so at each call."""
        try:
            text = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        state = text.rpartition(")")[2].split()[0]
        self._traced_looks = self._traced_looks + 1 if state == "t" else 0
        return state == "T" or self._traced_looks >= _TRACED_LOOKS

    def wait(self, seconds: float) -> bool:
        """Whether it has ended after so long."""
        deadline = time.monotonic() + seconds
        while self.code() is None and (left := deadline - time.monotonic()) > 0:
            is_ready(self.pidfd, left)
        return self.code() is not None

    def kill(self, seconds: float) -> bool:
        """End it; whether it has ended after so long: a disk that hangs holds it in the kernel."""
        if self.code() is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait(seconds)


def is_ready(fd: int, seconds: float) -> bool:
    """Whether there is something to read within so long; of a pidfd: whether its process has ended.

    Not by select(2), which knows no descriptors above 1023.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _be(name: str, work: Callable[[], int], watchdog: int | None, keep: Sequence[int] | None) -> NoReturn:
    code = 1
    try:
        _PRCTL(_PR_SET_NAME, name.encode())
        if keep is not None:
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            for fd in map(int, os.listdir("/proc/self/fd")):
                if fd > 2 and fd not in keep:
                    with suppress(OSError):
                        os.close(fd)
        # What they hold is of the heap, and a core would be on a disk: 1 also keeps it from a program that
        # takes cores (core(5)).
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        # If even the watchdog is killed, its children go with it and the JVM goes on.
        if watchdog is not None:
            end_with_parent()
        # Where memory runs out, they go before the JVM does.
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        if watchdog in (None, os.getppid()):
            code = work()
    finally:
        os._exit(code)


def apart(action: Callable[[], object], seconds: float = _DISK_SECONDS) -> bool:
    """Do something that may hang, in a process of its own; whether it was done in time."""

    def work() -> int:
        action()
        return 0

    child = Child("heapscope-disk", work, outlives=True)
    is_done = child.wait(seconds) and child.code() == 0
    os.close(child.pidfd)
    return is_done
