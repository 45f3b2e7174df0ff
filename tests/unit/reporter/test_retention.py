"""Who keeps the heap alive: the figures of a report are those of the sets of objects."""

from __future__ import annotations

from pathlib import Path

import heapscope
from heapscope.reporter.retention import describe_retention
from tests.support.dumps import DumpBuilder, build


def test_figures_are_those_of_the_objects(tmp_path: Path) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("app.Session", fields={"name": "Object"})
        sessions = [d.instance("app.Session", name=d.string(f"user{i}")) for i in range(10)]
        d.cls("app.Registry", statics={"all": ("Object", d.object_array("java.lang.Object[]", sessions))})
        d.root("STICKY_CLASS", d.class_id("app.Registry"))
        for one in sessions[:3]:
            d.root("JNI_GLOBAL", one)

    path = tmp_path / "a.hprof"
    path.write_bytes(build(write).data)
    with heapscope.open(path, use_index=False) as heap:
        section = describe_retention(heap, "a\x1b", ["app.Session", "app.Nobody"])
        members = heap.objects("app.Session")
        (watched,) = section.watched_classes
        assert section.snapshot == "a\\x1b"
        assert watched.instance_count == len(members) == 10
        assert watched.retained_bytes == members.retained_bytes()
        assert watched.retained_object_count == len(members.retained())
        assert watched.dominated_bytes == members.dominated_bytes
        assert watched.without_jni_globals_bytes == members.retained_bytes(["JNI global"])
        whole = {row["category"]: row["object_count"] for row in heap.reachability().rows()}
        assert {one.category: one.object_count for one in section.reachability} == whole
        assert members.root_record_count("JNI global") == 3
        assert members.root_record_count("thread") == 0


def test_texts_of_the_heap_are_masked(tmp_path: Path) -> None:
    secret = "password=hunter2hunter2"

    def write(d: DumpBuilder) -> None:
        d.cls("app.Holder", fields={"text": "Object"})
        for _ in range(20):
            d.root("JNI_GLOBAL", d.instance("app.Holder", text=d.string(secret)))

    path = tmp_path / "a.hprof"
    path.write_bytes(build(write).data)
    with heapscope.open(path, use_index=False) as heap:
        masked = repr(describe_retention(heap, "a", []))
        shown = repr(describe_retention(heap, "a", [], show_secrets=True))
    assert "hunter2" not in masked
    assert secret in shown
