"""``heapscope explain-log``: what logs tell of memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leaks.test_diagnosis import hooks_dump
from tests.unit.cli.conftest import Run

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def leak(tmp_path: Path) -> list[Path]:
    return [hooks_dump(tmp_path, f"d{i}", 100 + 100 * i, 3600 * i) for i in range(3)]


def write_log(folder: Path) -> Path:
    lines = []
    for i in range(30):
        lines.append(f"2026-11-23 09:{i:02}:00,000 DEBUG fs.FileSystem: Starting: Creating FS hdfs://nn:8020")
    lines += [
        "2026-11-23 09:40:00,000 ERROR",
        "java.lang.OutOfMemoryError: Java heap space",
        "\tat app.Main.main(Main.java:3)",
        "Memory cgroup out of memory: Killed process 7 (python3) total-vm:1kB, anon-rss:2000kB, file-rss:0kB",
    ]
    path = folder / "worker.log"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_log_in_plain_words(run: Run, tmp_path: Path) -> None:
    done = run("explain-log", write_log(tmp_path))
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    for text in (
        "  1 time, 2026-11-23 09:40:00\n  1 x Java heap space: the Java heap is full of objects",
        "  1 x at app.Main.main(Main.java:3)",
        "  30 times, from 2026-11-23 09:00:00 to 2026-11-23 09:29:00, about 60 an hour",
        "██████████████████████████████  each bar 58 s, at most 1",
        "  30 x hdfs://nn:8020",
        "  python3 (pid 7, 2.05 MB resident): python3 (container limit)",
        "(hadoop-fs-per-ticket-cache-login)",
    ):
        assert text in done.out


def test_a_chart_and_json_of_a_log(run: Run, tmp_path: Path) -> None:
    log = write_log(tmp_path)
    chart = tmp_path / "chart.png"
    told = run("explain-log", log, "-o", chart).out
    assert told.startswith(run("explain-log", log).out)  # what the chart does not say
    assert told.endswith(f"chart: {chart}\n")
    assert chart.read_bytes().startswith(PNG)
    assert run("explain-log", log, "-o", chart).code == 3
    document = json.loads(run("explain-log", "--json", log).out)
    counts = {group["kind"]: group["count"] for group in document["groups"]}
    assert counts == {"out of memory error": 1, "file system created": 30, "oom killer": 1}
    assert "hadoop-fs-per-ticket-cache-login" in {leak["id"] for leak in document["known_leaks"]}


def test_logs_that_tell_nothing(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "quiet.log"
    log.write_text("2026-11-23 09:00:00 all is well\nStarting: Creating FS hdfs://nn\n", "utf-8")
    done = run("explain-log", log)
    assert "Known leaks" not in done.out  # one file system is right
    log.write_text("all is well\n", "utf-8")
    assert "kinds of events that heapscope knows is in quiet.log" in run("explain-log", log).out
    done = run("explain-log", log, "-o", tmp_path / "c.png")
    assert done.code == 3
    assert not (tmp_path / "c.png").exists()
    assert run("explain-log").code == 2
