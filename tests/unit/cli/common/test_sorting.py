"""``--sort`` takes what the header shows."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from heapscope.cli.common.answer import Column
from heapscope.cli.common.sorting import SortColumn, sorted_table
from heapscope.table import Table
from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run, rows_of

COLUMNS = (
    Column("instance_count", "instances"),
    Column("shallow_bytes", "shallow\nbytes"),
    Column("shallow_bytes_delta", "shallow bytes\nchange"),
    Column("rss_bytes", "rss MB"),
    Column("class_name", "class"),
)


@pytest.mark.parametrize(
    ("given", "column"),
    [
        ("shallow_bytes", "shallow_bytes"),
        ("shallow bytes", "shallow_bytes"),
        ("Shallow", "shallow_bytes"),
        ("SHALLOW-BYTES", "shallow_bytes"),
        ("shallow bytes change", "shallow_bytes_delta"),
        ("shallow change", "shallow_bytes_delta"),
        ("rss", "rss_bytes"),
        ("RSS MB", "rss_bytes"),
        ("instances", "instance_count"),
        ("Class", "class_name"),
    ],
)
def test_any_case_with_or_without_the_unit(given: str, column: str) -> None:
    assert SortColumn(COLUMNS).convert(given, None, None) == column


@pytest.mark.parametrize("given", ["", "bytes", "colour", "shallow x"])
def test_another_name_is_refused_with_those_that_there_are(given: str) -> None:
    with pytest.raises(
        click.BadParameter, match="instances, shallow bytes, shallow bytes change, rss MB, class"
    ):
        SortColumn(COLUMNS).convert(given, None, None)


def test_what_has_no_value_is_last() -> None:
    table = Table({"size": [1, None, 3], "name": ["b", "a", None]})
    assert sorted_table(table, "size").column("size") == [3, 1, None]
    assert sorted_table(table, "name").column("name") == ["a", "b", None]


def test_figures_are_before_texts_where_a_field_has_both() -> None:
    table = Table({"value": ["b", 1, None, True, 2.5, "a"]})
    assert sorted_table(table, "value").column("value") == [2.5, 1, True, "a", "b", None]


@pytest.mark.parametrize("command", ["diff", "growth", "retained"])
def test_every_head_of_a_table_sorts_it(run: Run, series: list[Path], tmp_path: Path, command: str) -> None:
    dumps: list[str | Path] = [*series[:2]]
    if command == "growth":
        dumps = [*series, "--all"]
    elif command == "retained":
        dumps = [leak_dump(tmp_path), "Configuration"]
    names = list(rows_of(run(command, *dumps, "--json"))[0])
    text = run(command, *dumps).out.splitlines()
    heading = next(line for line in text if line.rstrip().endswith("class"))
    heads = [head for head in heading.split("  ") if head.strip()]
    assert len(heads) >= 3
    for head in heads:
        rows = rows_of(run(command, *dumps, "--json", "--sort", head.strip().upper()))
        assert list(rows[0]) == names
    assert run(command, *dumps, "--sort", "no such column").code == 2


def test_objects_sort_by_a_field(run: Run, tmp_path: Path) -> None:
    dump = leak_dump(tmp_path)
    system = "org.apache.hadoop.hdfs.DistributedFileSystem"
    ran = run("objects", dump, system, "--json")
    fields = [name for name in json.loads(ran.out)["rows"][0] if name not in ("address", "class_name")]
    field = next(name for name in fields if not name.endswith("_bytes"))
    values = [row[field] for row in rows_of(run("objects", dump, system, "--sort", field, "--json"))]
    known = [value for value in values if value is not None]
    assert len(known) > 1
    assert known == sorted(known, reverse=isinstance(known[0], (int, float)))
    assert run("objects", dump, system, "--sort", "colour").code == 2
