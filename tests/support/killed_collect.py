"""All processes of a ``heapscope collect`` killed at once, when the JVM is asked and has done nothing yet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.jvm import wait_until

_STOPS_WHEN_ASKED = """
import glob, os, signal, sys
from heapscope.cli import main
from heapscope.collector import attach
connect = attach.connect

class Connection:
    def __init__(self, connection):
        self.connection = connection
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.connection.close()
    def __getattr__(self, name):
        return getattr(self.connection, name)
    def sendall(self, message):
        self.connection.sendall(message)
        if b"GC.heap_dump" in message:
            os.kill(int(sys.argv[2]), signal.SIGSTOP)

attach.connect = lambda *given, **named: Connection(connect(*given, **named))
sys.exit(main(sys.argv[1:]))
"""


def kill_all_when_asked(pid: int, folder: Path, *, count: int) -> None:
    """Collect from a JVM, which is stopped as soon as its dump is asked for, then kill all; it goes on after.

    Parameters
    ----------
    pid : int
    folder : Path
        The output.
    count : int
        Of the processes that are to be there.
    """
    words = ["collect", str(pid), "-o", str(folder)]
    command = [sys.executable, "-c", _STOPS_WHEN_ASKED, *words]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stat = Path(f"/proc/{pid}/stat")
    try:
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the JVM is stopped")
        ours = tree_of(child.pid)
        assert len(ours) == count
        for each in ours:
            os.kill(each, signal.SIGKILL)
        child.wait()
        wait_until(lambda: not any(Path(f"/proc/{each}/fd").exists() for each in ours), "all are gone")
    finally:
        os.kill(pid, signal.SIGCONT)


def tree_of(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for each in found:
        children = Path(f"/proc/{each}/task/{each}/children")
        found += map(int, children.read_text().split())
    return found
