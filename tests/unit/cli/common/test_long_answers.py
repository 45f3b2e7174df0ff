"""Answers whose rows come in pieces: the same text, CSV and JSON as in one, and never all rows at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import heapscope
from heapscope.cli.common.answer import Answer, Choice, Column
from heapscope.cli.common.output import show
from heapscope.heap import object_table
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.objects.field_paths import read_path
from heapscope.heap.objects.fields import FieldColumn
from heapscope.query import answer as query_answer
from heapscope.table import Table
from tests.support.dumps import DumpBuilder, build
from tests.unit.cli.conftest import Run, rows_of

COLUMNS = (Column("size", "size"), Column("name", "name", is_text=True))
WHOLE = Table({"size": [300, 20, 1, 0, 5], "name": ["a", "b,c", "d", "=e", None]})
FORMATS: tuple[Literal["text", "json", "csv"], ...] = ("text", "json", "csv")


def pieces_of(table: Table, rows: int) -> Iterator[Table]:
    for start in range(0, len(table), rows):
        yield table.take(range(start, min(start + rows, len(table))))


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("form", FORMATS)
def test_pieces_make_the_same_answer(
    form: Literal["text", "json", "csv"], limit: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = Choice(form, rows=limit)
    whole = Answer("rows", WHOLE, COLUMNS, (), rows_are=("row", "rows"), heading=["above"], notes=["below"])
    show(whole, choice)
    expected = capsys.readouterr().out
    for rows in (2, 5):
        first, *more = pieces_of(WHOLE, rows)
        show(replace(whole, table=first, more=iter(more), row_count=len(WHOLE)), choice)
        assert capsys.readouterr().out == expected
        first, *more = pieces_of(WHOLE, rows)
        path = tmp_path / f"{rows}.txt"
        show(replace(whole, table=first, more=iter(more), row_count=5), replace(choice, path=path))
        assert path.read_text() == expected


def test_no_rows_are_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    show(Answer("rows", WHOLE.head(0), COLUMNS, ()), Choice("json"))
    assert json.loads(capsys.readouterr().out)["rows"] == []
    show(Answer("rows", WHOLE.head(0), COLUMNS, ()), Choice("csv"))
    assert capsys.readouterr().out == "size,name\n"


def test_rows_are_written_before_the_next_are_made(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[str] = []

    def more() -> Iterator[Table]:
        for piece in pieces_of(WHOLE, 1):
            written.append(capsys.readouterr().out)
            yield piece

    show(Answer("rows", WHOLE, COLUMNS, (), more=more(), row_count=10), Choice("csv"))
    assert written[0].count("\n") == 1 + len(WHOLE)
    assert [each.count("\n") for each in written[1:]] == [1] * 4


@pytest.fixture
def many(tmp_path: Path) -> Path:
    def write(d: DumpBuilder) -> None:
        d.cls("a.Thing", fields={"size": "int"})
        for size in (7, 3, 9, 1, 5):
            d.root("JNI_GLOBAL", d.instance("a.Thing", size=size))

    path = tmp_path / "many.hprof"
    path.write_bytes(build(write).data)
    return path


def test_a_field_that_only_other_rows_have_is_null(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.Base", fields={"size": "int"})
        d.cls("a.Large", super_name="a.Base", fields={"filler": "long", "name": "Object"})
        for size in (1, 2):
            d.root("JNI_GLOBAL", d.instance("a.Base", size=size))
            d.root("JNI_GLOBAL", d.instance("a.Large", size=10 * size, name=f"number {size}"))

    path = tmp_path / "two.hprof"
    path.write_bytes(build(write).data)
    monkeypatch.setattr(object_table, "PIECE_ROWS", 2)
    rows = rows_of(run("objects", path, "a.Base", "--fields", "size,name", "--json"))
    assert [(row["size"], row["name"]) for row in rows] == [
        (10, "number 1"), (20, "number 2"), (1, None), (2, None),
    ]  # fmt: skip
    rows = rows_of(run("objects", path, "a.Base", "--sort", "address", "--top", "1", "--json"))
    assert rows[0]["name"] is None
    assert "'nome' not found" in run("objects", path, "a.Base", "--fields", "nome", "--top", "1").err


@pytest.mark.parametrize(
    "options", [[], ["--sort", "size"], ["--top", "3"], ["--sort", "size", "--top", "3"]]
)
def test_objects_and_queries_come_in_pieces(
    run: Run, many: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    query = 'SELECT address, size FROM "a.Thing" ORDER BY size'
    found = {}
    for rows in (1 << 16, 2):
        monkeypatch.setattr(object_table, "PIECE_ROWS", rows)
        monkeypatch.setattr(query_answer, "PIECE_ROWS", rows)
        found[rows] = [
            run("objects", many, "a.Thing", *options, "--json").out,
            run("objects", many, "a.Thing", *options, "--csv").out,
            run("objects", many, "a.Thing", *options).out,
            *(run("sql", many, query, form).out for form in ("--json", "--csv")),
        ]
    assert found[2] == found[1 << 16]
    (as_json, as_csv, *_) = found[2]
    sizes = [row["size"] for row in json.loads(as_json)["rows"]]
    assert len(sizes) == (3 if "--top" in options else 5)
    assert "--sort" not in options or sizes == sorted([7, 3, 9, 1, 5], reverse=True)[: len(sizes)]
    assert [int(row["size"]) for row in csv.DictReader(io.StringIO(as_csv))] == sizes
    assert rows_of(run("objects", many, "a.Thing", "--where", "size=4", "--json")) == []


def test_a_field_called_as_a_column_of_all_objects_hides_it_not(run: Run, tmp_path: Path) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.Buffer", fields={"address": "long", "class_name": "int"})
        for address in (16, 32):
            d.root("JNI_GLOBAL", d.instance("a.Buffer", address=address, class_name=7))

    path = tmp_path / "buffers.hprof"
    path.write_bytes(build(write).data)
    rows = rows_of(run("objects", path, "a.Buffer", "--sort", "address_field", "--json"))
    assert [row["address_field"] for row in rows] == [32, 16]
    assert [row["class_name"] for row in rows] == ["a.Buffer"] * 2
    assert all(row["address"].startswith("0x") for row in rows)
    rows = rows_of(run("objects", path, "a.Buffer", "--fields", "address", "--sort", "address", "--json"))
    assert [row["address_field"] for row in rows] == [16, 32]


def test_all_objects_are_asked_once_for_a_field_that_some_pieces_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.Base", fields={"size": "int"})
        d.cls("a.Large", super_name="a.Base", fields={"more": "int"})
        d.root("JNI_GLOBAL", d.instance("a.Large", size=1, more=2))
        for _ in range(4):
            d.root("JNI_GLOBAL", d.instance("a.Base", size=1))

    path = tmp_path / "two.hprof"
    path.write_bytes(build(write).data)
    monkeypatch.setattr(object_table, "PIECE_ROWS", 1)
    asked: list[int] = []

    def counted(graph: HeapGraph, rows: NDArray[np.int64], path: str) -> FieldColumn:
        asked.append(rows.size)
        return read_path(graph, rows, path)

    monkeypatch.setattr(object_table, "read_path", counted)
    with heapscope.open(path, use_index=False) as heap:
        found = heap.objects("a.Base", subclasses=True)
        order = object_table.object_order(found, "more")
        assert asked.count(5) == 1
        tables = [*object_table.object_tables(found, ["more"], order)]
        assert [value for table in tables for value in table.column("more")] == [2, None, None, None, None]
        assert asked.count(5) == 2


@pytest.mark.parametrize("fields", ["", "size,", " , size"])
def test_no_name_is_no_field(run: Run, many: Path, fields: str) -> None:
    done = run("objects", many, "a.Thing", "--fields", fields, "--top", "1", "--csv")
    assert (done.code, done.err) == (0, "")
    assert ("size" in done.out.split("\n")[0].split(",")) == ("size" in fields)
