"""What a watchdog says is heard, however late heapscope comes; what a killed one left goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.collector import watched_dump
from tests.unit.collector.test_watchdog import JOB

TWO_LINES = r"import sys; sys.stdout.write('ready\n{}\n'); sys.stdout.flush(); sys.stdin.read()"
# Of its job: a folder, and a FIFO in that.
KILLED = """
import json, os, sys
job = json.loads(sys.argv[1])
folder = f"/proc/self/fd/{job['root']}/{job['folder']}"
os.mkdir(folder)
os.mkfifo(f"{folder}/{job['name']}")
os.kill(os.getpid(), 9)
"""


@contextmanager
def watched(folder: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a watchdog's place, whose job is in a folder."""
    monkeypatch.setattr(watched_dump, "WATCHDOG", [sys.executable, "-c", program])
    root = os.open(folder, os.O_RDONLY)
    output = os.open(folder / "x.part", os.O_CREAT | os.O_WRONLY)
    try:
        with watched_dump._watchdog(
            replace(JOB, root=root, output_fd=output, output_folder_fd=root)
        ) as watchdog:
            yield watchdog
    finally:
        os.close(output)
        os.close(root)


def test_two_lines_that_were_said_at_once_are_both_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when heapscope was stopped until the watchdog had given the dump up."""
    with watched(tmp_path, TWO_LINES, monkeypatch) as watchdog:
        assert watched_dump._line(watchdog.stdout, 60) == "ready"
        assert watched_dump._line(watchdog.stdout, 60) == "{}"


def test_what_a_killed_watchdog_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(tmp_path, KILLED, monkeypatch) as watchdog:
        watchdog.wait(60)
        assert (tmp_path / JOB.folder / JOB.name).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.part"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is left running
def test_a_disk_of_the_target_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who removes the folder there is left behind: it goes on where this process may end."""
    monkeypatch.setattr(watched_dump, "_DISK_SECONDS", 0.1)
    waits = "import sys; open(sys.argv[1] + '/dump.hprof').read()"
    monkeypatch.setattr(watched_dump, "_REMOVE", [sys.executable, "-c", waits])
    with watched(tmp_path, KILLED, monkeypatch) as watchdog:
        watchdog.wait(60)
    fifo = os.open(tmp_path / JOB.folder / JOB.name, os.O_WRONLY)
    assert list((tmp_path / JOB.folder).iterdir())  # it has not been removed meanwhile
    os.close(fifo)


def test_where_no_process_can_be_started_what_was_left_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What killed the watchdog, a lack of memory say, is told, and not that nobody could tidy up."""
    monkeypatch.setattr(watched_dump, "_REMOVE", [str(tmp_path / "none")])
    with watched(tmp_path, KILLED, monkeypatch) as watchdog:
        watchdog.wait(60)
    assert (tmp_path / JOB.folder).exists()
