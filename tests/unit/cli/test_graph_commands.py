"""Commands that follow references: retained, paths, dominators, suspects, histogram --retained."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import FILE_SYSTEM, leak_dump
from tests.unit.cli.conftest import Run
from tests.unit.off_heap_dumps import declare_buffers, direct_buffer, held_by_static


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


def test_what_is_not_there_is_one_clear_line(run: Run, dump: Path) -> None:
    ran = run("paths", dump, "org.apache.hadoop.fs.FileSytem")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1
    assert "FileSystem" in ran.err
    assert run("paths", dump, "0x12").code == 3
    assert run("paths", dump, "0xyz").code == 2
    assert run("dominators", dump, "--of", "zz").code == 2


def test_dominators_down_the_tree_and_summed(run: Run, dump: Path) -> None:
    rows = json.loads(run("dominators", dump, "--top", "1", "--json").out)["rows"]
    assert [sorted(row) for row in rows] == [["address", "class_name", "retained_bytes", "shallow_bytes"]]
    below = run("dominators", dump, "--of", rows[0]["address"])
    assert "org.apache.hadoop.conf.Configuration" in below.out
    by_class = list(csv.DictReader(io.StringIO(run("dominators", dump, "--by", "class", "--csv").out)))
    assert int(by_class[0]["retained_bytes"]) >= int(by_class[1]["retained_bytes"])
    assert run("dominators", dump, "--by", "class", "--of", "0x10").code == 2


def test_suspects(run: Run, dump: Path, tmp_path: Path) -> None:
    ran = run("suspects", dump)
    assert ran.code == 0
    assert "Suspect 1: 20 instances of org.apache.hadoop.hdfs.DistributedFileSystem retain " in ran.out
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


def test_histogram_with_retained_sizes(run: Run, dump: Path) -> None:
    rows = json.loads(run("histogram", dump, "--retained", "--json").out)["rows"]
    sizes = [row["retained_bytes"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert run("histogram", dump, "--retained", "--as-jvm").code == 2
    assert run("histogram", dump, "--sort", "retained_bytes").code == 2


def test_indexes_are_kept_where_asked_for(run: Run, dump: Path, tmp_path: Path) -> None:
    folder = tmp_path / "indexes"
    assert run("dominators", dump, "--no-index", "--index-dir", folder).code == 0
    assert not folder.exists()
    first = run("dominators", dump, "--index-dir", folder)
    assert len(list(folder.iterdir())) == 1
    assert run("dominators", dump, "--index-dir", folder) == first


def test_semantics_of_mat(run: Run, dump: Path) -> None:
    assert run("histogram", dump, "--semantics", "mat").code == 0
    assert run("suspects", dump, "--semantics", "mat", "--roots", "plain", "--soft", "weak").code == 0


def test_memory_outside_of_the_heap(run: Run, tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    held_by_static(d, "com.acme.Camera", frames=[direct_buffer(d, 96 << 10) for _ in range(258)])
    path = d.dump().save(tmp_path / "camera.hprof")
    line = "258 direct buffers, 25.4 MB, in com.acme.Camera.frames (static)"
    assert line in run("suspects", path).out
    assert line in run("info", path).out
    for command, inside in (("suspects", "off_heap"), ("info", "off_heap")):
        (use,) = json.loads(run(command, path, "--json").out)[inside]["uses"]
        assert (use["kind"], use["object_count"], use["owner"]) == (
            "direct buffer",
            258,
            "com.acme.Camera.frames",
        )
