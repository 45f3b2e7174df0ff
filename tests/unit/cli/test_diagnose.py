"""``heapscope diagnose``: what leaks, in plain words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leaks.own_leaks import write as write_own
from tests.unit.analysis.leaks.test_diagnosis import hooks_dump
from tests.unit.cli.conftest import Run, write_histogram


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
        "What holds them\n  300 x ApplicationShutdownHooks.hooks (static)",
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
    assert "Looked like a known leak, but no growth was seen:" in done.out
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
    assert done.out.split("\n\n")[1] == "No leak found"
    assert "no class and no field leads it" in " ".join(done.out.split())
    assert "is reached about" not in done.out


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
