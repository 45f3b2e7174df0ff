"""Tables as text, JSON and CSV: the same figures, and options that do what they say."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import FILE_SYSTEM, Ran, Run, write_histogram


def rows_of(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    rows: list[dict[str, Any]] = json.loads(ran.out)["rows"]
    return rows


def test_histogram_as_text(run: Run, series: list[Path]) -> None:
    ran = run("histogram", series[0])
    assert ran == Ran(
        0,
        "leak-1  2026-01-01 00:01:00 UTC  6,300 objects, 198 kB\n"
        "\n"
        "instances  shallow bytes  class\n"
        "    5,000        120,000  java.lang.String\n"
        "    1,000         48,000  org.apache.hadoop.hdfs.DistributedFileSystem\n"
        "      300         30,000  byte[]\n"
        "    6,300        198,000  total\n"
        "\n"
        "3 classes\n",
        "",
    )


def test_diff_as_text(run: Run, series: list[Path]) -> None:
    ran = run("diff", series[0], series[2])
    lines = ran.out.splitlines()
    assert lines[3].split("  ")[-1] == "class"
    assert lines[4].split() == [
        *("1,000", "3,000", "+2,000", "48,000", "144,000", "+96,000"),
        "org.apache.hadoop.hdfs.DistributedFileSystem",
    ]
    assert lines[5].split() == ["300", "100", "-200", "30,000", "10,000", "-20,000", "byte[]"]
    assert lines[6].endswith("  +76,000  all that changed")
    assert lines[8:] == ["2 classes that changed"]


def test_diff_keeps_the_order_of_the_command_line(run: Run, series: list[Path]) -> None:
    forward = rows_of(run("diff", series[0], series[2], "--json", "--sort", "class_name"))
    backward = rows_of(run("diff", series[2], series[0], "--json", "--sort", "class_name"))
    assert [row["instance_count_delta"] for row in forward] == [-200, 2_000]
    assert [row["instance_count_delta"] for row in backward] == [200, -2_000]
    assert "the second dump is the older one" in run("diff", series[2], series[0]).out


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


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil[red]"


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


def test_info_masks_what_may_be_secret(run: Run, dump: Path) -> None:
    for options in ([], ["--json"]):
        masked, shown = run("info", dump, *options), run("info", dump, *options, "--show-secrets")
        assert masked.code == shown.code == 0
        assert "/home/someone" in masked.out
        assert "hunter2" not in masked.out
        assert "hunter2-hunter2" in shown.out


def test_info_says_how_sizes_were_found(run: Run, dump: Path) -> None:
    text = run("info", dump).out
    facts = json.loads(run("info", dump, "--json").out)
    assert facts["layout"]["confidence"] in {"exact", "estimated"}
    assert facts["layout"]["rule"] in text
    assert facts["layout"]["evidence"] in text
    assert facts["root_counts"]["JNI global"] == 2
    assert "2  JNI global" in text


def test_info_of_a_class_histogram(run: Run, series: list[Path]) -> None:
    ran = run("info", series[0])
    assert ran.code == 0
    assert "class histogram" in ran.out
    assert "6,300" in ran.out
