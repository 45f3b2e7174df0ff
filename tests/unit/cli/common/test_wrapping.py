"""Lines as wide as a terminal; as they are in a pipe."""

from __future__ import annotations

import os
import sys

import pytest

from heapscope.cli.common.wrapping import folded, wrapped

LONG = "    the heap grows by 12.5 MB per hour " * 4
PATH = "400 x " + " -> ".join(f"app.Class{i}.field" for i in range(12))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((60, 24)))


def test_a_pipe_gets_whole_lines() -> None:
    assert wrapped(LONG) == LONG
    assert folded(PATH) == PATH


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_lines_that_fit() -> None:
    lines = wrapped(LONG).split("\n")
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60
    assert all(line.startswith("    ") for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(LONG.split())


@pytest.mark.usefixtures("terminal")
def test_a_figure_stays_with_its_unit() -> None:
    for shift in range(20):
        assert not any(line.endswith("12.5") for line in wrapped("x" * shift + " " + LONG).split("\n"))


@pytest.mark.usefixtures("terminal")
def test_a_path_breaks_at_its_arrows() -> None:
    lines = folded(PATH).split("\n")
    assert all(line.lstrip().startswith("-> app.") for line in lines[1:])
    assert max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines).split()) == PATH


@pytest.mark.usefixtures("terminal")
def test_no_arrow_and_no_short_word_stands_alone() -> None:
    name = "org.apache.hadoop.fs.FileSystem$Statistics$StatisticsDataReferenceCleaner.run"
    for line in (f"    at {name}(FileSystem.java:4159)", f"50 x {name} -> {name}", f"{name} -> {name}"):
        lines = folded(line).split("\n")
        assert max(map(len, lines)) <= 60
        assert all(len(each.strip()) > 8 for each in lines[:-1])
        assert not any(each.rstrip().endswith("->") for each in lines)
        assert "".join("".join(lines).split()) == "".join(line.split())


def test_text_of_a_dump_does_nothing() -> None:
    assert "\x1b" not in folded("a\x1b[2J -> b")
