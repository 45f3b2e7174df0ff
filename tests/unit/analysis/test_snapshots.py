"""The facade of snapshots: it reads files, and asks each question once."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.errors import NotHprof
from tests.unit.cli.conftest import write_histogram
from tests.unit.reporter.series import series


def text(folder: Path, name: str, minute: int) -> Path:
    return write_histogram(folder / f"{name}.histogram.txt", [("a.B", minute, 16 * minute)], 60 * minute)


def test_files_directories_and_one_path(tmp_path: Path) -> None:
    later, earlier = text(tmp_path, "a", 2), text(tmp_path, "b", 1)
    assert [one.name for one in heapscope.snapshots([later, earlier])] == ["b", "a"]
    assert [one.name for one in heapscope.snapshots(tmp_path)] == ["b", "a"]
    assert [one.name for one in heapscope.snapshots(str(later))] == ["a"]
    with pytest.raises(NotHprof):
        heapscope.snapshots([tmp_path], directories=False)


def test_growth_is_computed_once_for_the_same_question() -> None:
    found = series()
    assert found.growth() is found.growth()
    assert found.growth(work=[1, 2, 3, 4]) is found.growth(work=(1, 2, 3, 4))
    assert found.growth(warm_up=1) is not found.growth()


def test_frames_have_the_columns_of_the_tables() -> None:
    found = series()
    assert list(found.trend().columns) == found.trend_table().names
    assert list(found.diff().columns) == found.diff_table().names
    assert list(found.census(["a.B"]).columns) == found.census_table(["a.B"]).names
