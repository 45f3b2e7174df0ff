"""Leak suspects and top consumers on small heaps whose figures can be added up by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.heap.retention.by_group import BOOT_LOADER, package_of
from heapscope.heap.retention.suspects import describe_suspect
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import CACHE, DISTRIBUTED, FILE_SYSTEM, leak_dump


def test_the_leak_through_native_code_is_a_group(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        found = heap.suspects()
        (suspect,) = found
        exact = heap.objects(FILE_SYSTEM).retained_bytes()
    assert (suspect.kind, suspect.class_name, suspect.instance_count) == ("group", DISTRIBUTED, 20)
    assert suspect.retained_bytes == exact > 20 * 4000
    assert suspect.root_kinds == {"JNI global": 40}
    assert suspect.share == suspect.retained_bytes / found.reachable_bytes > 0.9
    assert suspect.owner == "org.apache.hadoop.fs.FileSystem$Cache.map"
    assert (suspect.content_class, suspect.content_count) == (DISTRIBUTED, 20)
    assert any(
        line.startswith("held: 20 x FileSystem.CACHE (static) -> ") for line in describe_suspect(suspect)
    )


def test_without_native_handles_it_piles_up_in_the_cache(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path, has_globals=False), use_index=False) as heap:
        (suspect,) = heap.suspects()
    assert (suspect.kind, suspect.class_name) == ("object", "java.util.HashMap")
    assert (suspect.owner, suspect.content_class) == (f"{CACHE}.map", DISTRIBUTED)
    assert suspect.path is not None
    assert suspect.path.steps[0].class_name == f"class {FILE_SYSTEM}"
    point = suspect.accumulation
    assert point is not None
    assert point.class_name == "java.util.HashMap$Node[]"
    assert point.way[0] == "java.util.HashMap"
    assert {pile.class_name for pile in point.piles} == {"java.util.HashMap$Node"}
    assert "accumulated in java.util.HashMap$Node[]" in "\n".join(describe_suspect(suspect))


def test_what_is_small_is_no_suspect(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        assert len(heap.suspects(share=1.0)) == 0
        for share in (0, 1.5):
            with pytest.raises(ValueError, match="lies between 0 and 1"):
                heap.suspects(share=share)


def test_a_long_list_accumulates_at_its_head(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node"})
    node = 0
    for _ in range(500):
        node = d.instance("a.Node", next=node)
    d.cls("a.List", fields={"head": "a.Node"})
    d.root("JNI_GLOBAL", d.instance("a.List", head=node))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        (suspect,) = heap.suspects()
        assert suspect.accumulation is not None
        assert suspect.accumulation.object_id == node
        assert suspect.accumulation.way == ("a.Node",)
        assert (suspect.owner, suspect.content_count) == ("a.List.head", 499)


def test_consumers_count_nothing_twice(tmp_path: Path) -> None:
    d = DumpBuilder()
    loader = d.instance("java.lang.Object")
    d.cls("a.Box", fields={"inner": "Object"}, loader_id=loader)
    inner = d.instance("a.Box", inner=d.primitive_array("byte", b"x" * 1000))
    outer = d.instance("a.Box", inner=inner)
    alone = d.instance("a.Box")
    d.root("UNKNOWN", outer)
    d.root("UNKNOWN", alone)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        sizes = dict(
            zip(heap.columns.object_ids.tolist(), heap.dominators().retained_bytes.tolist(), strict=True)
        )
        tables = heap.consumers
        by_class = {row["name"]: row for row in tables.by_class.rows()}
        assert by_class["a.Box"]["instance_count"] == 3
        assert by_class["a.Box"]["retained_bytes"] == sizes[outer] + sizes[alone]
        by_package = {row["name"]: row for row in tables.by_package.rows()}
        assert by_package["a"]["retained_bytes"] == sizes[outer] + sizes[alone]
        assert by_package["<default>"]["shallow_bytes"] == 1016
        assert {row["name"] for row in tables.by_loader.rows()} == {
            BOOT_LOADER,
            f"java.lang.Object 0x{loader:x}",
        }
        frame = heap.class_histogram(retained=True)
        assert list(frame.columns) == ["class_name", "instance_count", "shallow_bytes", "retained_bytes"]
        assert frame["retained_bytes"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("java.util.HashMap$Node[]", "java.util"),
        ("int[]", "<default>"),
        ("Main", "<default>"),
        ("a.b.C$$Lambda/0x00007f", "a.b"),
    ],
)
def test_package(name: str, package: str) -> None:
    assert package_of(name) == package
