"""Tables as text, JSON and CSV, on stdout and in files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, rows_of, write_histogram

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil[red]"


@pytest.mark.parametrize("command", ["histogram", "census", "diff", "trend"])
def test_json_and_csv_have_the_same_rows(run: Run, series: list[Path], command: str) -> None:
    paths = series[:1] if command == "histogram" else series[:2]
    rows = rows_of(run(command, *paths, "--json"))
    found = list(csv.DictReader(io.StringIO(run(command, *paths, "--csv").out)))
    assert rows
    assert [list(row) for row in found] == [list(row) for row in rows]
    as_text = [
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.items()}
        for row in rows
    ]
    assert found == as_text


def test_json_says_where_it_comes_from(run: Run, series: list[Path]) -> None:
    document = json.loads(run("histogram", series[0], "--json", "--top", "1").out)
    assert len(document.pop("rows")) == 1
    assert document == {
        "schema_version": 1,
        "kind": "class histogram",
        "snapshots": [
            {
                "name": "leak-1",
                "path": str(series[0]),
                "kind": "class histogram",
                "captured_at": "2026-01-01T00:01:00Z",
                "captured_at_source": "text",
                "object_count": 6_300,
                "shallow_bytes": 198_000,
            }
        ],
        "row_count": 3,
        "totals": {"instance_count": 6_300, "shallow_bytes": 198_000},
    }


def test_top_limits_rows_and_never_the_totals(run: Run, series: list[Path]) -> None:
    ran = run("histogram", series[0], "--top", "2")
    assert "byte[]" not in ran.out
    assert "6,300        198,000  total" in ran.out
    assert ran.out.endswith("\n2 of 3 classes; --top 0 shows all\n")
    assert run("histogram", series[0], "--top", "0").out == run("histogram", series[0]).out


def test_a_pipe_gets_all_rows(run: Run, tmp_path: Path) -> None:
    path = write_histogram(tmp_path / "many.txt", [(f"a.C{i}", 1, 16) for i in range(100)], 1)
    assert run("histogram", path).out.count("a.C") == 100
    assert len(rows_of(run("histogram", path, "--json"))) == 100


@pytest.mark.parametrize(
    ("column", "first"),
    [("shallow_bytes", "java.lang.String"), ("instance_count", "java.lang.String"), ("class_name", "byte[]")],
)
def test_sort_figures_downwards_names_upwards(run: Run, series: list[Path], column: str, first: str) -> None:
    rows = rows_of(run("histogram", series[0], "--json", "--sort", column))
    values = [row[column] for row in rows]
    assert rows[0]["class_name"] == first
    assert values == sorted(values, reverse=column != "class_name")


@pytest.mark.parametrize("command", ["histogram", "census", "diff", "trend"])
def test_every_sort_column_works(run: Run, series: list[Path], command: str) -> None:
    paths = series[:1] if command == "histogram" else series[:2]
    names = rows_of(run(command, *paths, "--json"))[0]
    assert len(names) >= 3
    for name in names:
        assert run(command, *paths, "--sort", name).code == 0


def test_an_output_file_names_its_format(run: Run, series: list[Path], tmp_path: Path) -> None:
    for name, options in (("a.json", ["--json"]), ("a.csv", ["--csv"]), ("a.txt", [])):
        ran = run("histogram", series[0], "-o", tmp_path / name)
        assert (ran.code, ran.out) == (0, "")
        assert (tmp_path / name).read_text(encoding="utf-8") == run("histogram", series[0], *options).out


def test_an_explicit_format_wins_over_the_name(run: Run, series: list[Path], tmp_path: Path) -> None:
    assert run("histogram", series[0], "--csv", "-o", tmp_path / "a.json").code == 0
    assert (tmp_path / "a.json").read_text(encoding="utf-8").startswith("class_name,")


def test_names_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    path = write_histogram(tmp_path / "hostile.txt", [(f"a.{HOSTILE}", 1, 16)], 1)
    for options in ([], ["--csv"], ["--json"]):
        out = run("histogram", path, *options).out
        assert out.replace("\n", "").isprintable()
        assert "owned" in out
    assert rows_of(run("histogram", path, "--json"))[0]["class_name"] == f"a.{HOSTILE}"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d"])
def test_a_csv_cell_is_never_a_formula(run: Run, tmp_path: Path, start: str) -> None:
    path = write_histogram(tmp_path / "formula.txt", [(f'{start}HYPERLINK("x")', 1, 16)], 1)
    (row,) = csv.DictReader(io.StringIO(run("histogram", path, "--csv").out))
    assert row["class_name"] == f'\'{start}HYPERLINK("x")'
    assert (row["instance_count"], row["shallow_bytes"]) == ("1", "16")


def test_negative_figures_in_csv_stay_figures(run: Run, series: list[Path]) -> None:
    rows = csv.DictReader(io.StringIO(run("diff", series[0], series[1], "--csv").out))
    assert {int(row["shallow_bytes_delta"]) for row in rows} == {48_000, -10_000}
