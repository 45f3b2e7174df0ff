"""``heapscope suspects``: what retains much."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def test_suspects(run: Run, dump: Path, tmp_path: Path) -> None:
    ran = run("suspects", dump)
    assert ran.code == 0
    assert (
        "bytes: 20 org.apache.hadoop.hdfs.DistributedFileSystem in org.apache.hadoop.fs.FileSystem$Cache.map"
        in ran.out
    )
    assert "held: 20 x JNI global" in ran.out
    assert "unreachable" not in ran.out
    assert "Retained by package:" in ran.out
    assert "Duplicate strings" not in ran.out
    assert "Wasteful collections:" in run("suspects", dump, "--waste").out
    output = tmp_path / "suspects.json"
    assert run("suspects", dump, "-o", output).code == 0
    document = json.loads(output.read_text())
    assert document["suspects"][0]["holders"]["member_count"] == 20
    assert run("suspects", dump, "-o", output).code == 3  # it is there already
    assert "No object and no class retains 100 %" in run("suspects", dump, "--share", "100").out
