"""``heapscope diagnose`` and ``explain-log``: what they print, their exit codes and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leaks.own_leaks import write as write_own
from tests.unit.analysis.leaks.test_diagnosis import hooks_dump
from tests.unit.cli.conftest import Run, write_histogram

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def leak(tmp_path: Path) -> list[Path]:
    return [hooks_dump(tmp_path, f"d{i}", 100 + 100 * i, 3600 * i) for i in range(3)]


def test_plain_words_that_fit_a_terminal(run: Run, leak: list[Path]) -> None:
    done = run("diagnose", *leak)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    for text in (
        "Leak found: Runtime.addShutdownHook() keeps a thread",
        "What      300 shutdown hooks, ",
        "Since     about 2016-11-24 14:06:40 UTC, reckoned back from its speed",
        "Growth    100 -> 200 -> 300; about 100 an hour, ",
        "Why it happens\n",
        "What to do\n  1. Remove the hook",
        "What you should see then\n",
        "What holds them\n  1 x ApplicationShutdownHooks.hooks (static)",
        "How we know\n  - 300 entries in ApplicationShutdownHooks.hooks",
        "Known leak: jdk-shutdown-hooks",
    ):
        assert text in done.out


def test_the_exit_code_is_asked_for(run: Run, leak: list[Path], tmp_path: Path) -> None:
    assert run("diagnose", "--fail-on-leak", *leak).code == 1
    steady = [hooks_dump(tmp_path, f"s{i}", 150, i) for i in range(3)]
    done = run("diagnose", "--fail-on-leak", *steady)
    assert done.code == 0
    assert "No leak found" in done.out
    assert "Looked like a known leak, but does not grow:" in done.out
    assert "150 -> 150 -> 150, no growth" in done.out


def test_json_and_files(run: Run, leak: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    assert run("diagnose", *leak, "-o", output).out == ""
    document = json.loads(output.read_text("utf-8"))
    (process,) = document["processes"]
    assert (document["kind"], process["status"]) == ("diagnosis", "leak")
    assert [each["name"] for each in process["snapshots"]] == ["d0", "d1", "d2"]
    (finding,) = process["findings"]
    assert (finding["id"], finding["counts"]) == ("jdk-shutdown-hooks", [100, 200, 300])
    assert finding["holders"][0]["label"] == "ApplicationShutdownHooks.hooks (static)"
    done = run("diagnose", *leak, "-o", output)
    assert done.code == 3
    assert "exists already" in done.err


def test_leaks_of_ones_own(run: Run, tmp_path: Path) -> None:
    own = write_own(tmp_path, more="class_counts_suffice = true\n")
    text = write_histogram(tmp_path / "h.txt", [("app.Entry", 30, 300), ("byte[]", 1, 16)], 0)
    done = run("diagnose", text, "--known-leaks", own)
    assert "Possible leak: Caches grow" in done.out
    assert "1. Take them out." in done.out
    own.write_text("family = 3", "utf-8")
    done = run("diagnose", text, "--known-leaks", own)
    assert (done.code, done.out) == (3, "")
    assert done.err == f"heapscope: {own}: the file: family must be a text, not 3\n"


def test_a_heap_that_grows_though_no_class_leads_it(run: Run, tmp_path: Path) -> None:
    paths = [
        write_histogram(tmp_path / f"{i}.txt", [("app.A", 1000, 100_000), ("app.B", i, 16 * i)], 60 * i)
        for i in range(1, 6)
    ]
    done = run("diagnose", *paths, "--limit", "1M")
    assert (
        "No leak found\nThe heap grows all the same (see 'heapscope growth'): if it goes on, the" in done.out
    )
    assert "If it goes on" not in done.out


def test_hostile_names_do_nothing(run: Run, tmp_path: Path) -> None:
    rows = [("app.\x1b[31mRed\u202e", 1000, 100_000), ("byte[]", 10, 200)]
    paths = [
        write_histogram(tmp_path / f"{i}.txt", [(name, n * i, b * i) for name, n, b in rows], 60 * i)
        for i in (1, 2, 3)
    ]
    done = run("diagnose", *paths)
    assert "grows in every snapshot" in done.out
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


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
        "  1 x python3 (container limit)",
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
    assert "Nothing in quiet.log tells of memory" in run("explain-log", log).out
    done = run("explain-log", log, "-o", tmp_path / "c.png")
    assert done.code == 3
    assert not (tmp_path / "c.png").exists()
    assert run("explain-log").code == 2
