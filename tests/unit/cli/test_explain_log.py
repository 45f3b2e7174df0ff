"""``heapscope explain-log``: what logs tell of memory."""

from __future__ import annotations

import gzip
import io
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
    for name in ("chart.svg", "chart.PDF"):  # text under such a name would be lost
        refused = run("explain-log", log, "-o", tmp_path / name)
        assert (refused.code, refused.out) == (3, "")
        assert "or a chart to a name that ends in .png" in refused.err
        assert not (tmp_path / name).exists()
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


KILLED = (
    "26/11/02 03:14:17 ERROR YarnScheduler: Lost executor 7 on w3: Container killed by YARN for exceeding "
    "physical memory limits. 5.1 GB of 5 GB physical memory used. Consider boosting "
    "spark.executor.memoryOverhead.\n"
)


@pytest.mark.parametrize("is_gzip", [False, True])
def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch, is_gzip: bool) -> None:
    content = gzip.compress(KILLED.encode()) if is_gzip else KILLED.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
    done = run("explain-log", "-")
    assert done.code == 0
    assert "  executor 7: 5.1 GB of 5 GB, physical" in done.out
    assert run("explain-log", "-", "-").code == 2


def test_standard_input_that_tells_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"well\n"))))
    assert "knows is in standard input" in " ".join(run("explain-log", "-").out.split())


def test_a_kill_fails_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(KILLED, "utf-8")
    assert run("explain-log", log).code == 0
    assert run("explain-log", log, "--fail-on-kill").code == 1
    assert json.loads(run("explain-log", log, "--json", "--fail-on-kill").out)["kill_count"] == 1
    log.write_text("java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)\n", "utf-8")
    assert run("explain-log", log, "--fail-on-kill").code == 0  # an error, and nobody was ended


def test_the_next_step_is_ready_to_paste(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(
        "java.lang.OutOfMemoryError: Java heap space\nDumping heap to /d/a b.hprof ...\n"
        "Heap dump file created [9 bytes in 0.1 secs]\n",
        "utf-8",
    )
    assert "    heapscope diagnose '/d/a b.hprof'\n" in run("explain-log", log).out
    log.write_text("Dumping heap to /d/cut.hprof ...\nDump file is incomplete: File too large\n", "utf-8")
    done = run("explain-log", log)
    assert "    heapscope diagnose --partial /d/cut.hprof\n" in done.out
    assert "The JVM wrote a heap dump" not in done.out
    log.write_text(KILLED, "utf-8")
    assert "    heapscope collect PID --trigger 'rss>4608M' -o dumps\n" in run("explain-log", log).out
    assert json.loads(run("explain-log", log, "--json").out)["next"][0]["command"].startswith(
        "heapscope collect"
    )


def test_what_is_too_much_for_the_text_is_counted_there_and_whole_in_json(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"java.lang.OutOfMemoryError: no {'x' * i}\n" for i in range(1, 31)), "utf-8")
    assert "  and 18 more of other words (all in --json)\n" in run("explain-log", log).out
    (group,) = json.loads(run("explain-log", log, "--json").out)["groups"]
    assert (group["count"], len(group["details"])) == (30, 30)


def test_the_commands_that_are_named_exist(run: Run) -> None:
    """What `Next` tells people to paste is taken by the command line."""
    for command in ("collect", "diagnose", "watch", "threads", "ps"):
        assert run(command, "--help").code == 0
    assert "--trigger" in run("collect", "--help").out
    assert "--partial" in run("diagnose", "--help").out
