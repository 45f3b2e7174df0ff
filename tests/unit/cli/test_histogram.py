"""``heapscope histogram``: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Ran, Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


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


def test_histogram_with_retained_sizes(run: Run, dump: Path) -> None:
    rows = json.loads(run("histogram", dump, "--retained", "--json").out)["rows"]
    sizes = [row["retained_bytes"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert run("histogram", dump, "--retained", "--as-jvm").code == 2
    assert run("histogram", dump, "--sort", "retained_bytes").code == 2
