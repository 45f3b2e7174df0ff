"""``heapscope collect``: what is asked of the collector, whom it is asked about, and misuse."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heapscope.collector import dump, processes
from heapscope.collector.dump import Collected
from heapscope.collector.processes import JvmProcess
from heapscope.errors import AttachRefused, JvmNotFound
from tests.unit.cli.conftest import Run
from tests.unit.collector.living import jvm_process

Taken = list[tuple[int, dict[str, Any]]]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> dict[int, JvmProcess]:
    """Processes by pid."""
    found = {pid: replace(jvm_process(), pid=pid, role="worker") for pid in (7, 8)}

    def get(pid: int) -> JvmProcess:
        if pid not in found:
            raise JvmNotFound(f"process {pid}: no such process")
        return found[pid]

    monkeypatch.setattr(processes, "get", get)
    monkeypatch.setattr(processes, "find", lambda: list(found.values()))
    monkeypatch.setattr(processes, "is_running", lambda process: process.pid in found)
    return found


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """Whom snapshots were taken of, and how; a process 8 refuses."""
    calls: Taken = []

    def collect(process: JvmProcess, folder: Path, **options: Any) -> Collected:
        calls.append((process.pid, options))
        if process.pid == 8:
            raise AttachRefused("process 8: it refuses")
        path = folder / "snapshot"
        facts: dict[str, Any] = {
            "file_bytes": 5_000_000,
            "dump_bytes": 20_000_000,
            "pause_seconds_estimate": 0.25,
        }
        facts |= {"kind": "dump", "process": {"pid": process.pid}}
        return Collected(path, path, facts)

    monkeypatch.setattr(dump, "collect", collect)
    return calls


@pytest.mark.usefixtures("running")
def test_a_dump_is_asked_for_as_the_options_say(run: Run, taken: Taken, tmp_path: Path) -> None:
    ran = run("collect", "7", "-o", tmp_path)
    assert ran.code == 0
    assert ran.out == f"{tmp_path}/snapshot: 5.00 MB of 20.0 MB, JVM paused about 0.25 s\n"
    ((pid, options),) = taken
    assert (pid, options["kind"], options["live"], options["stream"]) == (7, "dump", True, True)
    assert (options["method"], options["allow_sigquit"], options["through"]) == (None, False, None)
    words = ["--kind", "histogram", "--all", "--no-stream", "--method", "jcmd", "--allow-sigquit"]
    assert run("collect", "7", "-o", tmp_path, *words).code == 0
    _, options = taken[-1]
    assert (options["kind"], options["live"], options["stream"]) == ("histogram", False, False)
    assert (options["method"], options["allow_sigquit"]) == ("jcmd", True)


@pytest.mark.usefixtures("running")
def test_redaction_is_a_filter_that_the_reader_can_make(run: Run, taken: Taken, tmp_path: Path) -> None:
    assert run("collect", "7", "-o", tmp_path, "--redact").code == 0
    transform = taken[0][1]["through"].make()
    assert callable(transform.feed)
    assert callable(transform.finish)


@pytest.mark.usefixtures("running")
def test_a_verdict_is_made_by_what_the_writer_can_load(run: Run, taken: Taken, tmp_path: Path) -> None:
    assert run("collect", "7", "-o", tmp_path, "--kind", "verdict", "--memory", "1G").code == 0
    options = taken[0][1]
    assert (options["kind"], options["through"]) == ("verdict", None)
    assert options["into"].options == {"memory_bytes": 1 << 30}
    module, _, name = options["into"].factory.partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    assert run("collect", "7", "-o", tmp_path, "--kind", "verdict").code == 0
    assert taken[1][1]["into"].options["memory_bytes"] >= 64 << 20


@pytest.mark.usefixtures("running")
def test_one_that_refuses_does_not_cost_the_others(run: Run, taken: Taken, tmp_path: Path) -> None:
    ran = run("collect", "8", "9", "7", "-o", tmp_path)
    assert ran.code == 3
    assert [pid for pid, _ in taken] == [8, 7]
    assert "process 8: it refuses" in ran.err
    assert "process 9: no such process" in ran.err
    assert "snapshot" in ran.out


def test_of_a_role_one_that_has_ended_is_no_failure(
    run: Run, running: dict[int, JvmProcess], taken: Taken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("collect", "--role", "worker", "-o", tmp_path).code == 3
    monkeypatch.setattr(processes, "is_running", lambda process: False)
    assert run("collect", "--role", "worker", "-o", tmp_path).code == 0
    running.clear()
    ran = run("collect", "--role", "worker", "-o", tmp_path)
    assert ran.code == 3
    assert "'worker'" in ran.err


@pytest.mark.usefixtures("running")
def test_a_schedule_takes_as_many_as_asked_for(run: Run, taken: Taken, tmp_path: Path) -> None:
    assert run("collect", "7", "-o", tmp_path, "--every", "0.01s", "--count", "3").code == 0
    assert [pid for pid, _ in taken] == [7, 7, 7]
    ran = run("collect", "7", "-o", tmp_path, "--every", "0.01s")
    assert (ran.code, len(taken)) == (2, 3)
    assert "--every needs --count" in ran.err


@pytest.mark.usefixtures("running")
def test_a_pause_memory_and_room_are_bounded(run: Run, taken: Taken, tmp_path: Path) -> None:
    assert run("collect", "7", "-o", tmp_path).code == 0
    assert [taken[0][1][f"{name}"] for name in ("max_pause_seconds", "buffer_bytes", "min_free_bytes")] == [
        30.0,
        None,
        None,
    ]
    words = ["--max-pause", "2m", "--buffer", "64M", "--min-free", "2G"]
    assert run("collect", "7", "-o", tmp_path, *words).code == 0
    options = taken[1][1]
    assert (options["max_pause_seconds"], options["buffer_bytes"]) == (120.0, 64 << 20)
    assert options["min_free_bytes"] == 2 << 30


@pytest.mark.usefixtures("running")
def test_a_check_takes_nothing_and_says_what_it_would_take(run: Run, taken: Taken) -> None:
    ran = run("collect", "7", "--check")
    assert (ran.code, taken) == (0, [])
    assert ran.out.startswith("process 7, worker")
    assert "ended after 30 s" in ran.out
    ran = run("collect", "7", "--check", "--no-stream", "--min-free", "900000G")
    assert ran.code == 1
    assert "refused" in ran.out


@pytest.mark.usefixtures("running")
def test_a_command_runs_for_each_snapshot(run: Run, taken: Taken, tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = f'echo "$HEAPSCOPE_SNAPSHOT $HEAPSCOPE_KIND $HEAPSCOPE_PID" >> {said}'
    assert run("collect", "7", "-o", tmp_path, "--then", command).code == 0
    assert said.read_text() == f"{tmp_path}/snapshot dump 7\n"
    ran = run("collect", "7", "-o", tmp_path, "--then", "exit 5")
    assert ran.code == 3
    assert "--then ended with 5; the snapshot is whole" in ran.err
    assert "--then ended by signal 9" in run("collect", "7", "-o", tmp_path, "--then", "kill -9 $$").err


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["7", "--role", "worker"],
        ["7", "--for", "1h"],
        ["7", "--count", "3"],
        ["7", "--redact", "--no-stream"],
        ["7", "--kind", "verdict", "--no-stream"],
        ["7", "--kind", "verdict", "--redact"],
        ["7", "--memory", "1G"],
        ["7", "--trigger", "ram>8G"],
        ["0"],
    ],
)
def test_misuse_takes_nothing(run: Run, taken: Taken, tmp_path: Path, words: list[str]) -> None:
    assert run("collect", *words, "-o", tmp_path / "out").code == 2
    assert taken == []
    assert list(tmp_path.iterdir()) == []
