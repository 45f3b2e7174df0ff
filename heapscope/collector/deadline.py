"""An end that the kernel keeps for a process, even while that process is stopped.

A timer of POSIX (timer_create(2)) may send any signal.  SIGKILL ends a process that was stopped (SIGSTOP), or
frozen by a control group of version 2; one that version 1 froze ends as soon as it is thawed.  Timers are not
inherited by children, and end with the program.
"""

from __future__ import annotations

import ctypes
import signal
import struct
import time
from typing import Any

_SIGEV_SIGNAL = 0
_TIMER_ABSTIME = 1
# struct sigevent: value, signal, how; padded to 64 bytes.  struct itimerspec: interval and value, 64-bit.
_EVENT = struct.Struct("@Pii48x")
_TIMES = struct.Struct("@4l")


class Deadline:
    """When the kernel ends this process.

    Where it has no such timers, nothing happens at the deadline.
    """

    def __init__(self) -> None:
        self._timer = ctypes.c_void_p()
        self._library = _library()
        event = ctypes.create_string_buffer(_EVENT.pack(0, signal.SIGKILL, _SIGEV_SIGNAL))
        self.is_kept = self._library is not None and not self._library.timer_create(
            time.CLOCK_MONOTONIC, event, ctypes.byref(self._timer)
        )

    def set(self, seconds: float) -> None:
        """End this process at a time of `time.monotonic`."""
        self._arm(max(1, int(seconds * 1e9)))

    def clear(self) -> None:
        """Do not end it."""
        self._arm(0)

    def _arm(self, nanoseconds: int) -> None:
        if self.is_kept and self._library is not None:
            whole, rest = divmod(nanoseconds, 1_000_000_000)
            times = ctypes.create_string_buffer(_TIMES.pack(0, 0, whole, rest))
            self._library.timer_settime(self._timer, _TIMER_ABSTIME, times, None)


def _library() -> Any:
    """What has the functions: the C library, or an older one's ``librt``."""
    for name in (None, "librt.so.1"):
        try:
            found = ctypes.CDLL(name, use_errno=True)
            found.timer_create  # noqa: B018 - it is looked up
        except (OSError, AttributeError):
            continue
        return found
    return None
