"""``heapscope census``: watched classes in each snapshot."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import FILE_SYSTEM, Run, rows_of


def test_census_of_the_watched_classes(run: Run, series: list[Path]) -> None:
    rows = rows_of(run("census", *series, "--json"))
    assert len(rows) == 6 * 3
    assert [(row["snapshot"], row["instance_count"]) for row in rows if row["class_name"] == FILE_SYSTEM] == [
        ("leak-1", 1_000),
        ("leak-2", 2_000),
        ("leak-3", 3_000),
    ]


def test_census_of_patterns(run: Run, series: list[Path]) -> None:
    rows = rows_of(run("census", series[0], "--class", "String", "--class", "org.*", "--json"))
    assert [(row["class_name"], row["instance_count"]) for row in rows] == [
        ("String", 5_000),
        ("org.*", 1_000),
    ]


def test_a_heap_dump_and_a_class_histogram_side_by_side(run: Run, dump: Path, series: list[Path]) -> None:
    rows = rows_of(run("census", dump, series[0], "--class", FILE_SYSTEM, "--json"))
    assert [(row["snapshot"], row["instance_count"]) for row in rows] == [("two", 2), ("leak-1", 1_000)]


def test_a_plus_asks_for_subclasses(run: Run, dump: Path, series: list[Path]) -> None:
    for options in ([], ["--no-subclasses"]):
        ran = run("census", dump, *options, "--class", f"{FILE_SYSTEM}+", "--json")
        (row,) = rows_of(ran)
        assert (row["class_name"], row["instance_count"]) == (f"{FILE_SYSTEM}+", 2)
    assert run("census", *series, "--class", "a.Absent+").code == 3
