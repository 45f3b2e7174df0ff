"""``heapscope report``: the page, and its verdict on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def test_the_verdict_is_the_pages(run: Run, series: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    ran = run("report", *series, "-o", path)
    assert ran.code == 0
    document = json.loads(path.read_text())
    assert ran.out.splitlines()[0] == document["headline"]
    assert ran.out.splitlines()[1 : 1 + len(document["verdict"])] == document["verdict"]
    assert str(path) in ran.out


def test_classes_that_are_asked_for_are_watched(run: Run, series: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    run("report", *series, "-o", path, "--class", "String", "--class", "byte[]")
    watched = json.loads(path.read_text())["watched_classes"]
    assert [one["class_name"] for one in watched] == ["String", "byte[]"]


@pytest.mark.parametrize("name", ["r.txt", "r", "r.HTM"])
def test_another_ending_is_wrong_usage(run: Run, series: list[Path], tmp_path: Path, name: str) -> None:
    assert run("report", *series, "-o", tmp_path / name).code == 2
    assert not (tmp_path / name).exists()
