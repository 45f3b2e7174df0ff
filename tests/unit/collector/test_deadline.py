"""The kernel ends a process that is stopped."""

from __future__ import annotations

import ctypes
import signal
import struct
import subprocess
import sys
import time

import pytest

from heapscope.collector import deadline
from heapscope.collector.deadline import Deadline

STOPS = """
import os, signal, time
from heapscope.collector.deadline import Deadline
kernel = Deadline()
assert kernel.is_kept
kernel.set(time.monotonic() + 1000)
kernel.set(time.monotonic() + 0.01)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_stopped_process_is_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", STOPS], stdout=subprocess.PIPE)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_what_was_cleared_ends_nothing() -> None:
    kernel = Deadline()
    left = struct.Struct("@4l")
    times = ctypes.create_string_buffer(left.size)

    def is_armed() -> bool:
        assert kernel._library.timer_gettime(kernel._timer, times) == 0
        return any(left.unpack(times.raw[: left.size]))

    kernel.set(time.monotonic() + 1e6)
    assert is_armed()
    kernel.clear()
    assert not is_armed()


def test_a_system_without_timers_has_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_library", lambda: None)
    kernel = Deadline()
    kernel.set(0.0)
    kernel.clear()
    assert not kernel.is_kept
