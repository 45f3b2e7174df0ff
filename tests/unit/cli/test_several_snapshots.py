"""Files with several heaps or class histograms in every command that takes dumps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, histogram_text
from tests.unit.parser.several_heaps import several_heaps

ROW = "com.acme.Row"


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    path = tmp_path / "agent.hprof"
    path.write_bytes(several_heaps(100, 150))
    return path


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    path = tmp_path / "loop.txt"
    path.write_text("".join(f"{pid}:\n{histogram_text([(ROW, pid, 8 * pid)])}" for pid in (11, 12)))
    return path


@pytest.mark.parametrize("command", ["histogram", "dominators", "suspects", "threads", "info"])
def test_one_is_meant_the_last_by_default(run: Run, agent: Path, command: str) -> None:
    for arguments, count in (([agent], 2), ([f"{agent}#1"], 1), ([agent, "--heap", "1"], 1)):
        ran = run(command, *arguments)
        assert ran.code == 0
        assert f"agent#{count}" in ran.out
        assert "of 2 heaps in this file" in ran.out or "2 in this file; here is" in ran.out
    ran = run(command, agent, "--heap", "3")
    assert ran.code == 3
    assert "holds 2 heaps" in ran.err


def test_a_file_with_one_heap_is_not_said_to_be_broken(run: Run, dump: Path) -> None:
    ran = run("info", dump, "--heap", "2")
    assert ran.code == 3
    assert ran.err == (
        f"heapscope: {dump}: holds one heap, so there is no number 2; name the file without a number\n"
    )


def test_info_lists_them(run: Run, agent: Path) -> None:
    text = run("info", agent).out
    assert "heaps         2 in this file; here is agent#2" in text
    assert "agent#1  undated (order in the dump)  1" in text
    document = json.loads(run("info", agent, "--heap", "1", "--json").out)
    assert (document["snapshot"]["number"], document["snapshot"]["of_count"]) == (1, 2)
    assert [one["name"] for one in document["snapshots_in_file"]] == ["agent#1", "agent#2"]


def test_commands_on_many_take_all_or_one(run: Run, agent: Path) -> None:
    rows = json.loads(run("census", agent, "--class", ROW, "--json").out)["rows"]
    assert [row["instance_count"] for row in rows] == [100, 150]
    rows = json.loads(run("diff", f"{agent}#2", f"{agent}#1", "--json").out)["rows"]
    assert {row["class_name"]: row["instance_count_delta"] for row in rows}[ROW] == -50
    assert run("check", agent, "--max", f"{ROW} <= 120").code == 1
    assert run("check", f"{agent}#1", "--max", f"{ROW} <= 120").code == 0


def test_redact_takes_one_heap(run: Run, agent: Path, tmp_path: Path) -> None:
    assert run("redact", f"{agent}#1", tmp_path / "one.hprof").code == 0
    ran = run("histogram", tmp_path / "one.hprof", "--json")
    assert {row["class_name"]: row["instance_count"] for row in json.loads(ran.out)["rows"]}[ROW] == 100


def test_class_histograms_of_two_processes_are_no_series(run: Run, loop: Path) -> None:
    assert "150" not in run("histogram", loop).out
    assert "loop#2" in run("histogram", loop).out
    assert f"{11:,}" in run("histogram", loop, "--heap", "1").out
    ran = run("growth", loop)
    assert ran.code == 3
    assert "loop#1 of process 11; loop#2 of process 12" in ran.err
    assert run("histogram", f"{loop}#3").code == 3


def test_what_was_taken_for_a_root_is_said(run: Run, tmp_path: Path) -> None:
    from tests.support.dumps import DumpBuilder
    from tests.unit.heap.graph.test_roots import hook

    d = DumpBuilder()
    hook(d, 30)
    d.thread("main")
    path = d.dump().save(tmp_path / "agent.hprof")
    for command in ("info", "suspects", "dominators"):
        assert "no GC root record names a system class: the " in run(command, path).out
    assert json.loads(run("info", path, "--json").out)["implied_root_count"] > 0
