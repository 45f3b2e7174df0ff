"""``heapscope suspects``: what retains much."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run
from tests.unit.off_heap_dumps import declare_buffers, direct_buffer, held_by_static


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
    assert "Retained bytes by package, with the number of instances:" in ran.out
    assert "Duplicate strings" not in ran.out
    assert "Wasteful collections:" in run("suspects", dump, "--waste").out
    output = tmp_path / "suspects.json"
    assert run("suspects", dump, "-o", output).code == 0
    document = json.loads(output.read_text())
    assert document["suspects"][0]["holders"]["member_count"] == 20
    assert run("suspects", dump, "-o", output).code == 3  # it is there already
    assert "No object and no class retains 100 %" in run("suspects", dump, "--share", "100").out


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
