"""``heapscope retained``: the exact retained set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.analysis.leak import FILE_SYSTEM, leak_dump
from tests.unit.cli.conftest import Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def test_retained_says_both_figures(run: Run, dump: Path) -> None:
    ran = run("retained", dump, FILE_SYSTEM)
    assert ran.code == 0
    assert "20 instances of org.apache.hadoop.fs.FileSystem" in ran.out
    assert "retained set: 60 objects, " in ran.out
    assert "in the dominator tree, one by one: " in ran.out
    assert "40 root records of kind JNI global on them; were there none of that kind, they would" in ran.out
    assert "org.apache.hadoop.conf.Configuration" in ran.out


def test_retained_of_one_object_and_as_json(run: Run, dump: Path) -> None:
    rows = json.loads(run("retained", dump, "DistributedFileSystem", "--json").out)["rows"]
    assert {row["class_name"]: row["instance_count"] for row in rows} == {
        "byte[]": 20,
        "org.apache.hadoop.conf.Configuration": 20,
        "org.apache.hadoop.hdfs.DistributedFileSystem": 20,
    }
    address = json.loads(run("dominators", dump, "--json").out)["rows"][0]["address"]
    assert "1 instance of 0x" in run("retained", dump, address).out


def test_retained_without_a_kind_of_root(run: Run, dump: Path) -> None:
    ran = run("retained", dump, FILE_SYSTEM, "--without-roots", "JNI global")
    assert "retained set without roots of kind JNI global: 60 objects" in ran.out
    ran = run("retained", dump, FILE_SYSTEM, "--without-roots", "JNI")
    assert ran.code == 2
    assert "no GC root is of kind 'JNI'" in ran.err
