"""Waste in heaps whose figures can be added up by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.heap.retention.waste import (
    duplicate_classes,
    duplicate_strings,
    thread_locals,
    wasteful_collections,
)
from tests.support.dumps import DumpBuilder


def save(d: DumpBuilder, folder: Path) -> Path:
    return d.dump().save(folder / "a.hprof")


@pytest.mark.parametrize("jdk", [8, 17])
def test_duplicate_strings(tmp_path: Path, jdk: int) -> None:
    d = DumpBuilder(jdk=jdk)
    for _ in range(5):
        d.string("the same long text, again and again")
    first = d.string("twice")
    value = d._objects[first].values["value"]
    d.string("twice", value=int(value))
    d.string("once")
    d.string("Ā")  # the bytes of this one, as UTF-16, are those of the next as Latin-1
    d.string("\x00\x01")
    with heapscope.open(save(d, tmp_path), use_index=False) as heap:
        rows = list(duplicate_strings(heap.graph).rows())
        sizes = heap.objects("java.lang.String")
        string_bytes = sizes.shallow_bytes // len(sizes)
    assert [(row["text"], row["string_count"], row["array_count"]) for row in rows] == [
        ("the same long text, again and again", 5, 5),
        ("twice", 2, 1),
    ]
    assert rows[1]["wasted_bytes"] == string_bytes
    assert rows[0]["wasted_bytes"] > 4 * (string_bytes + 35)


def test_the_most_wasteful_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    d = DumpBuilder()
    for length in range(1, 30):
        for _ in range(2):
            d.string("x" * length)
    with heapscope.open(save(d, tmp_path), use_index=False) as heap:
        every = duplicate_strings(heap.graph, 100).column("wasted_bytes")
        assert len(every) == 29
        assert every == sorted(every, reverse=True)
        assert duplicate_strings(heap.graph, 3).column("wasted_bytes") == every[:3]


def test_collections_without_entries_and_with_few(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.unsafe()
    d.hash_map({}, buckets=16)
    d.hash_map({"a": None}, buckets=64)
    d.hash_map({f"k{i}": None for i in range(12)}, buckets=16)
    d.instance("java.util.HashMap")  # no table: nothing is wasted
    with heapscope.open(save(d, tmp_path), use_index=False) as heap:
        rows = list(wasteful_collections(heap.graph).rows())
    assert rows == [
        {"class_name": "java.util.HashMap", "kind": "sparse", "collection_count": 1, "wasted_bytes": 63 * 4},
        {"class_name": "java.util.HashMap", "kind": "empty", "collection_count": 1, "wasted_bytes": 16 * 4},
    ]


def test_thread_locals(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
    d.cls("java.lang.ref.WeakReference", "java.lang.ref.Reference")
    entry = "java.lang.ThreadLocal$ThreadLocalMap$Entry"
    d.cls(entry, "java.lang.ref.WeakReference", fields={"value": "Object"})
    d.cls("java.lang.ThreadLocal$ThreadLocalMap", fields={"table": "Entry[]"})
    d.cls("java.lang.ThreadLocal")
    d.cls("a.LocalThread", "java.lang.Thread", fields={"threadLocals": "Map"})
    value = d.primitive_array("byte", b"x" * 100)
    filled = d.instance(entry, referent=d.instance("java.lang.ThreadLocal"), value=value)
    stale = d.instance(entry, value=d.string("left behind"))
    table = d.object_array(f"{entry}[]", [0, filled, stale])
    locals_ = d.instance("java.lang.ThreadLocal$ThreadLocalMap", table=table)
    thread = d.instance("a.LocalThread", name="worker", threadLocals=locals_)
    d.root("THREAD_OBJECT", thread, thread_serial=9, frame=1)
    with heapscope.open(save(d, tmp_path), use_index=False) as heap:
        rows = list(thread_locals(heap.graph).rows())
    assert [(row["thread_name"], row["key_class"], row["value_class"]) for row in rows] == [
        ("worker", "java.lang.ThreadLocal", "byte[]"),
        ("worker", "", "java.lang.String"),
    ]
    assert rows[0]["retained_bytes"] == 120
    assert rows[0]["object_id"] == value


def test_classes_of_one_name(tmp_path: Path) -> None:
    # The builder gives each name one class: a second one is written beside it.
    d = DumpBuilder()
    loaders = [d.instance("java.lang.Object") for _ in range(2)]
    d.cls("a.Plugin", loader_id=loaders[0])
    d.cls("a.Plugln", loader_id=loaders[1])
    d.instance("a.Plugin")
    dump = d.dump()
    path = tmp_path / "a.hprof"
    path.write_bytes(dump.data.replace(b"a/Plugln", b"a/Plugin"))
    with heapscope.open(path, use_index=False) as heap:
        (row,) = duplicate_classes(heap.graph).rows()
    assert (row["class_name"], row["loader_count"], row["instance_count"]) == ("a.Plugin", 2, 1)
    assert row["loaders"].startswith("java.lang.Object 0x")
