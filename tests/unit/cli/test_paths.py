"""``heapscope paths``: who holds a class, who holds an object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def test_paths_of_a_class_and_of_an_object(run: Run, dump: Path) -> None:
    ran = run("paths", dump, "FileSystem")
    assert ran.code == 0
    assert "20 instances of FileSystem, held by:\n\n20 x FileSystem.CACHE (static) -> " in ran.out
    assert "\n20 x JNI global\n" in ran.out
    address = json.loads(run("dominators", dump, "--json").out)["rows"][0]["address"]
    assert "GC root: JNI global x 2\n  org.apache.hadoop.hdfs.Dist" in run("paths", dump, address).out
    document = json.loads(run("paths", dump, address, "--json", "--count", "1").out)
    assert document["kind"] == "paths"
    assert document["paths"][0]["root_kinds"] == {"JNI global": 2}
