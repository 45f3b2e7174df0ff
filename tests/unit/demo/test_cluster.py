"""Processes of the demo: started together, ended together; and what they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heapscope.demo.cluster import WORKERS, Cluster
from heapscope.demo.hadoop import Hadoop
from heapscope.demo.worker import READY
from heapscope.errors import NoDemo

NO_JVM = Hadoop(jars=(), version="3.3", java_home=Path("/no/jdk"), release=17)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_process_that_does_not_start_ends_all_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def note(*words: object, **options: object) -> subprocess.Popen[str]:
        started.append(popen(*words, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", note)
    with (
        pytest.raises(NoDemo, match="of the demo did not start: "),
        Cluster(NO_JVM, tmp_path, leaks=True),
    ):
        pass
    assert len(started) == 1 + WORKERS
    assert all(is_gone(process.pid) for process in started)


def test_what_is_ready_is_ended_with_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        f"import sys; print({READY!r}, flush=True); [print(line, end='', flush=True) for line in sys.stdin]"
    )
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda words, **options: popen([sys.executable, "-c", code, *words[3:]], **options),
    )
    with Cluster(NO_JVM, tmp_path, leaks=True) as started:
        started.read_until(7)
        started.read_until(9)
        pids = started.worker_pids
        assert len(set(pids)) == WORKERS
        commands = [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in pids]
        assert all("--job_name=worker" in command for command in commands)
        assert [word for command in commands for word in command if "task_index" in word] == [
            f"--task_index={number}" for number in range(WORKERS)
        ]
    assert all(map(is_gone, pids))


def test_a_worker_that_ends_before_its_reads_are_done_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import sys; print({READY!r}, flush=True); sys.stdin.readline()"
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda words, **options: popen([sys.executable, "-c", code, *words[3:]], **options),
    )
    with Cluster(NO_JVM, tmp_path, leaks=True) as started, pytest.raises(NoDemo, match="ended before its 7"):
        started.read_until(7)
