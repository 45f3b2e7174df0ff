"""Memory outside of the heap that grows, or is far larger than the heap."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.snapshot import read_snapshot
from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.analysis.leaks.resident import resident_memory
from heapscope.heap.retention.off_heap import find_off_heap
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.growth.series_of_dumps import HOUR_MS
from tests.unit.off_heap_dumps import declare_buffers, direct_buffer, held_by_static

CAMERA = "com.acme.Camera"
SIZE = 96 << 10
MANY, FEW = 300, 64


def camera(folder: Path, counts: Sequence[int], *, size: int = SIZE, limit: int = 0) -> list[Path]:
    """Dumps of a server with so many buffers, an hour apart."""
    paths = []
    for place, count in enumerate(counts):
        d = DumpBuilder()
        d.timestamp_ms += place * HOUR_MS
        declare_buffers(d)
        held_by_static(
            d,
            CAMERA,
            frames=[direct_buffer(d, size) for _ in range(count)],
            other=[d.primitive_array("byte", b"x" * 200_000)],
        )
        d.static("java.nio.Bits", "reservedMemory", "long", count * size)
        if limit:
            d.static("java.nio.Bits", "MAX_MEMORY", "long", limit)
        paths.append(d.dump().save(folder / f"s{place}.hprof"))
    return paths


@pytest.mark.parametrize("counts", [(100, 200, 300, 400), (50, 60, 75, 120, 160)])
def test_buffers_that_grow_are_a_leak_of_their_field(tmp_path: Path, counts: tuple[int, ...]) -> None:
    found = heapscope.diagnose(camera(tmp_path, counts))
    (finding,) = found.findings
    assert (found.status, finding.id, finding.confidence) == ("leak", UNKNOWN, "likely")
    assert finding.counts == counts
    assert finding.retained_bytes == counts[-1] * SIZE
    assert f"{CAMERA}.frames" in finding.title
    assert finding.per_hour is not None
    assert any("Camera.frames" in way for way in finding.held_by)


@pytest.mark.parametrize(
    "counts",
    [(FEW, FEW, FEW, FEW), (MANY, MANY, MANY), (MANY, 200, MANY, 180, MANY), (50, 300, 300, 300, 300)],
)
def test_a_pool_of_buffers_is_none(tmp_path: Path, counts: tuple[int, ...]) -> None:
    assert heapscope.diagnose(camera(tmp_path, counts)).findings == ()


def test_one_dump_with_much_more_outside_than_inside(tmp_path: Path) -> None:
    (finding,) = heapscope.diagnose(camera(tmp_path, [MANY])).findings
    assert (finding.confidence, finding.counts) == ("possible", (MANY,))
    assert heapscope.diagnose(camera(tmp_path, [FEW])).findings == ()  # a small pool


def test_two_dumps_say_less_than_three_and_nothing_where_they_are_equal(tmp_path: Path) -> None:
    (finding,) = heapscope.diagnose(camera(tmp_path, [MANY, 2 * MANY])).findings
    assert finding.confidence == "possible"
    assert heapscope.diagnose(camera(tmp_path, [MANY, MANY])).findings == ()


def test_one_dump_near_the_limit(tmp_path: Path) -> None:
    size = 1000  # less than the heap has
    assert heapscope.diagnose(camera(tmp_path, [MANY], size=size, limit=10 * MANY * size)).findings == ()
    (finding,) = heapscope.diagnose(camera(tmp_path, [MANY], size=size, limit=MANY * size + 5)).findings
    assert finding.confidence == "possible"


def test_handles_of_native_objects_that_grow(tmp_path: Path) -> None:
    paths = []
    for place, count in enumerate((150, 300, 450, 600)):
        d = DumpBuilder()
        d.timestamp_ms += place * HOUR_MS
        d.cls("com.acme.Model", fields={"nativeHandle": "long"})
        models = [d.instance("com.acme.Model", nativeHandle=0x7F00_0000_0000 + 64 * i) for i in range(count)]
        held_by_static(d, CAMERA, frames=models, other=[d.primitive_array("byte", b"x" * 2_000_000)])
        paths.append(d.dump().save(tmp_path / f"s{place}.hprof"))
    (finding,) = heapscope.diagnose(paths).findings
    assert (finding.class_name, finding.retained_bytes) == ("com.acme.Model", None)
    assert finding.counts == (150, 300, 450, 600)
    assert f"{CAMERA}.frames" in finding.title


def test_what_the_heap_cannot_explain_of_resident_memory(tmp_path: Path) -> None:
    (path,) = camera(tmp_path, [10])
    snapshot = read_snapshot(path)
    with heapscope.open(path, use_index=False) as heap:
        off_heap = find_off_heap(heap.graph)
    assert resident_memory(snapshot, off_heap) is None
    sidecar = {
        "process": {
            "rss_bytes": 500_000_000,
            "heap": {"committed_bytes": 200_000_000, "metaspace_committed_bytes": 50_000_000},
        },
        "jvm_options": {"command_line": ["-Xss512k"], "flags": ["-XX:ThreadStackSize=1024"]},
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(sidecar))
    found = resident_memory(read_snapshot(path), off_heap)
    assert found is not None
    assert found.unexplained_bytes == 250_000_000 - 10 * SIZE
    assert found.stack_bytes == 0  # no thread in this dump
