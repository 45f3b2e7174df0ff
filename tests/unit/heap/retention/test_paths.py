"""Paths to GC roots: the shortest, the others, and those of a set merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.heap.retention.edge_labels import labels
from heapscope.heap.retention.edge_names import names
from heapscope.heap.retention.paths import merged_paths, paths, shortest_path
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import DISTRIBUTED, FILE_SYSTEM, leak_dump

VIA_CACHE = (
    "FileSystem.CACHE (static) -> FileSystem$Cache.map -> HashMap.table -> HashMap$Node[] -> "
    "HashMap$Node.value -> DistributedFileSystem"
)


def test_all_holders_of_the_leak_are_named(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        merged = heap.objects(FILE_SYSTEM).paths_to_gc_roots()
    assert merged.member_count == 20
    assert merged.lines() == [
        f"20 x {VIA_CACHE}",
        "20 x JNI global",
        "1 x Thread <Java frame> -> DistributedFileSystem",
    ]
    assert (merged.inner_count, merged.lost_counts) == (0, {})
    assert [holder.member_count for holder in merged.holders] == [20, 20, 1]
    assert merged.holders[0].retained_bytes == merged.holders[1].retained_bytes > 20 * 4000


def test_with_plain_roots_the_stack_is_a_root(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False, roots="plain") as heap:
        assert "1 x Java frame" in heap.objects(FILE_SYSTEM).paths_to_gc_roots().lines()


def test_members_that_only_members_hold(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node"})
    inner = d.instance("a.Node")
    outer = d.instance("a.Node", next=inner)
    d.instance("a.Node")  # unreachable
    d.root("UNKNOWN", outer)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        merged = heap.objects("a.Node").paths_to_gc_roots()
        assert merged.lines() == ["1 x unknown", "1 x held by other members only", "1 x unreachable"]


def test_a_class_without_instances_has_no_holders(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        nothing = heap.objects(FILE_SYSTEM)[:0]
        merged = nothing.paths_to_gc_roots()
        assert (merged.member_count, merged.lines(), merged.lost_counts) == (0, [], {})
        assert nothing.retained_bytes() == nothing.retained_bytes(["JNI global"]) == 0


def test_one_object(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path, has_globals=False), use_index=False) as heap:
        index = int(heap.objects(DISTRIBUTED).indices[-1])
        path = shortest_path(heap.graph, index)
        assert path is not None
        assert path.root_kinds == {"system class": 1}
        assert [step.class_name for step in path.steps][:2] == [
            f"class {FILE_SYSTEM}",
            f"{FILE_SYSTEM}$Cache",
        ]
        assert path.steps[0].references == ("static CACHE",)
        assert path.steps[-1].object_index == index
        assert path.strength == "strong"
        assert str(path).startswith("GC root: system class\n  class org.apache.hadoop.fs.FileSystem 0x")


def test_a_root_is_its_own_path_and_the_cache_another(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        index = int(heap.objects(DISTRIBUTED).indices[-1])
        first, second = paths(heap.graph, index)
        assert (first.root_kinds, len(first.steps)) == ({"JNI global": 2}, 1)
        assert len(second.steps) > 4
        assert first.lines()[0] == "GC root: JNI global x 2"


def test_soft_and_weak_steps_are_marked(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
    d.cls("java.lang.ref.WeakReference", "java.lang.ref.Reference")
    held = d.instance("java.lang.Object")
    lost = d.instance("java.lang.Object")
    d.root("UNKNOWN", d.instance("java.lang.ref.WeakReference", referent=held))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        path = shortest_path(heap.graph, heap.index_of(held))
        assert path is not None
        assert (path.strength, path.steps[0].strength) == ("weak", "weak")
        assert ".referent (weak) -> java.lang.Object" in str(path)
        assert shortest_path(heap.graph, heap.index_of(lost)) is None
        assert merged_paths(heap.graph, np.array([heap.index_of(held)])).lost_counts == {"weak": 1}


def test_a_list_is_one_step_whatever_its_length(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"data": "Object", "next": "a.Node"})
    d.cls("a.Data")
    node = 0
    for _ in range(300):
        node = d.instance("a.Node", next=node, data=d.instance("a.Data"))
    d.cls("a.List", fields={"head": "a.Node"})
    d.root("JNI_GLOBAL", d.instance("a.List", head=node))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        lines = heap.objects("a.Data").paths_to_gc_roots().lines()
    assert lines == ["300 x List.head -> Node.data -> Data"]


def test_names_of_all_kinds(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Pair", fields={"left": "Object", "right": "Object"})
    d.cls("a.Sub", "a.Pair")
    one = d.instance("java.lang.Object")
    both = d.instance("a.Pair", left=one, right=one)
    row = d.object_array("java.lang.Object[]", [0, one, one])
    d.static("a.Pair", "held", "Object", one)
    d.static("a.Pair", "<resolved_references>", "Object", row)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        at = {
            name: heap.index_of(i)
            for name, i in {"one": one, "both": both, "row": row, "class": d.class_id("a.Pair"),
                            "sub": d.class_id("a.Sub")}.items()
        }  # fmt: skip
        assert names(heap.graph, at["both"], at["one"]) == ["left", "right"]
        assert names(heap.graph, at["row"], at["one"]) == ["[1]", "[2]"]
        assert names(heap.graph, at["class"], at["one"]) == ["static held"]
        assert names(heap.graph, at["class"], at["row"]) == ["<resolved_references>"]
        assert names(heap.graph, at["sub"], at["class"]) == ["<super>"]
        assert names(heap.graph, at["both"], at["class"]) == ["<class>"]
        pairs = [("both", "one"), ("row", "one"), ("class", "one"), ("sub", "class"), ("both", "class")]
        codes, texts = labels(
            heap.graph, np.array([at[a] for a, _ in pairs]), np.array([at[b] for _, b in pairs])
        )
        assert [texts[code] for code in codes.tolist()] == [
            "Pair.left", "Object[]", "Pair.held (static)", "Sub <super>", "Pair <class>"
        ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2])
def test_no_more_paths_than_asked_for(tmp_path: Path, count: int) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        assert len(paths(heap.graph, int(heap.objects(DISTRIBUTED).indices[0]), count)) == count
