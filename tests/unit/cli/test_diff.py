"""``heapscope diff``: two snapshots, two runs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import SYSTEM, Run, rows_of


def test_two_runs(run: Run, leak: list[Path], cured: list[Path]) -> None:
    ran = run("diff", *leak, "--vs", *cured)
    assert ran.code == 0
    (row,) = [line for line in ran.out.splitlines() if line.endswith(SYSTEM)]
    assert row.startswith("only in A")
    data = json.loads(run("diff", "--json", *leak, "--vs", *cured).out)
    assert data["rows"][0]["outcome"] == "only in A"
    assert len(data["snapshots"]) == 8


def test_diff_still_takes_two(run: Run, leak: list[Path]) -> None:
    assert run("diff", leak[0], leak[3]).code == 0
    ran = run("diff", *leak)
    assert ran.code == 2
    assert "diff compares 2 dumps, 4 given; --vs compares two runs of many" in ran.err


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
