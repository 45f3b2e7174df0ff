"""What snapshots are grouped by, and the figures of each group."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import heapscope
from heapscope.errors import HeapscopeError
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.growth.series_of_dumps import HOUR_MS, leak_series
from tests.unit.analysis.leak import DISTRIBUTED, FILE_SYSTEM


def test_subclasses_count_for_their_superclasses_too(tmp_path: Path) -> None:
    growth = heapscope.snapshots(leak_series(tmp_path, [1, 2, 3, 4])).growth("class+", retained=True)
    assert growth[f"{FILE_SYSTEM}+"].instance_counts == (1, 2, 3, 4)
    assert growth[f"{FILE_SYSTEM}+"].retained_bytes == growth[f"{DISTRIBUTED}+"].retained_bytes
    assert growth.get("java.lang.Object+") is None


@pytest.mark.parametrize("by", ["class", "package"])
def test_retained_sizes_are_those_of_the_consumers(tmp_path: Path, by: str) -> None:
    paths = leak_series(tmp_path, [2, 5])
    growth = heapscope.snapshots(paths).growth(by, retained=True)  # type: ignore[arg-type]
    for place, path in enumerate(paths):
        with heapscope.open(path) as heap:
            table = heap.consumers.by_class if by == "class" else heap.consumers.by_package
            rows = list(table.rows())
            assert len(rows) > 3
            for row in rows:
                key = growth[row["name"]]
                assert key.retained_bytes is not None
                found = key.instance_counts[place], key.shallow_bytes[place], key.retained_bytes[place]
                assert found == (row["instance_count"], row["shallow_bytes"], row["retained_bytes"])


def test_retained_sizes_of_a_hierarchy_are_those_of_its_members(tmp_path: Path) -> None:
    """Objects of a class that hold others of it are not counted twice, at any depth of the hierarchy."""

    def build(place: int) -> Path:
        d = DumpBuilder(timestamp_ms=1_480_000_000_000 + place * HOUR_MS)
        d.cls("a.Base", fields={"next": "Object", "data": "Object"})
        chain = ["a.Base", "a.B", "a.C", "a.D", "a.E"]
        for parent, child in pairwise(chain):
            d.cls(child, parent)
        below: int | None = None
        for i in range(10):
            below = d.instance(
                chain[i % 5], next=below, data=d.primitive_array("byte", b"x" * (100 * i + place))
            )
        assert below is not None
        d.root("JNI_GLOBAL", below)
        d.root("JNI_GLOBAL", d.instance("a.C"))
        return d.dump().save(tmp_path / f"h{place}.hprof")

    paths = [build(0), build(1)]
    growth = heapscope.snapshots(paths).growth("class+", retained=True)
    for place, path in enumerate(paths):
        with heapscope.open(path) as heap:
            for name in ("a.Base", "a.B", "a.C", "a.D", "a.E"):
                retained = growth[f"{name}+"].retained_bytes
                assert retained is not None
                assert retained[place] == heap.objects(name).retained_bytes()


def test_loaders_are_told_by_class_not_by_address(tmp_path: Path) -> None:
    def build(place: int) -> Path:
        d = DumpBuilder(timestamp_ms=1_480_000_000_000 + place * HOUR_MS, base=0xE000_0000 + 0x1000 * place)
        loaders = [d.instance("a.PluginLoader") for _ in range(place + 1)]
        for i, loader in enumerate(loaders):
            d.cls(f"a.Plugin{i}", loader_id=loader)
            d.root("JNI_GLOBAL", d.instance(f"a.Plugin{i}"))
        return d.dump().save(tmp_path / f"l{place}.hprof")

    growth = heapscope.snapshots([build(i) for i in range(4)]).growth("loader")
    assert growth["a.PluginLoader"].instance_counts == (1, 2, 3, 4)
    assert growth["a.PluginLoader"].is_growing
    assert growth.get("<boot loader>") is not None


def test_class_histograms_have_no_references(series: list[Path]) -> None:
    found = heapscope.snapshots(series)
    assert found.growth()["org.apache.hadoop.hdfs.DistributedFileSystem"].verdict == "perhaps grows"
    assert found.growth("class+")[f"{FILE_SYSTEM}+"].instance_counts == (1000, 2000, 3000)
    assert found.growth("package")["java.lang"].verdict == "steady"
    for by, retained in (("loader", False), ("class", True)):
        with pytest.raises(HeapscopeError, match=r"leak-1.txt: a class histogram has no references"):
            found.growth(by, retained=retained)  # type: ignore[arg-type]
