"""``heapscope trend``: what grows, and by how much."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, rows_of


def test_trend_says_which_classes_grow(run: Run, series: list[Path]) -> None:
    rows = rows_of(run("trend", *reversed(series), "--json"))
    assert [(row["class_name"], row["is_growing"], row["instance_count_per_snapshot"]) for row in rows] == [
        ("org.apache.hadoop.hdfs.DistributedFileSystem", True, 1_000.0),
        ("java.lang.String", False, 0.0),
        ("byte[]", False, -100.0),
    ]


def test_trend_of_a_pattern_takes_its_subclasses_together(run: Run, series: list[Path]) -> None:
    (row,) = rows_of(run("trend", *series, "--json", "--class", "FileSystem"))
    assert (row["class_name"], row["instance_count_first"], row["instance_count_last"]) == (
        "FileSystem",
        1_000,
        3_000,
    )
    (row,) = rows_of(run("trend", *series, "--json", "--class", "FileSystem", "--no-subclasses"))
    assert row["instance_count_last"] == 0


@pytest.mark.parametrize("options", [[], ["--class", "java.lang.String", "--class", "FileSystem"]])
def test_a_terminal_gets_the_course_of_each_class(
    run: Run, series: list[Path], monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    plain = run("trend", *series, *options).out
    assert "over time" not in plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    ran = run("trend", *series, *(["--allow-absent", *options] if options else []))
    assert ran.code == 0
    (row,) = [line for line in ran.out.splitlines() if line.rstrip().endswith("java.lang.String")]
    assert "▁▁▁" in row
    if not options:
        (row,) = [line for line in ran.out.splitlines() if line.rstrip().endswith("DistributedFileSystem")]
        assert "▁▅█" in row
