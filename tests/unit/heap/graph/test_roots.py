"""What holds beside records of GC roots: classes of the boot loader, constants, not Android's finalizers."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.diagnosis import diagnose
from heapscope.heap.retention.edge_names import names
from heapscope.heap.retention.paths import merged_paths
from tests.support.dumps import DumpBuilder

HOOK = "java.io.DeleteOnExitHook"


def hook(d: DumpBuilder, paths: int, loader_id: int = 0) -> int:
    """A class whose static field keeps paths."""
    made = d.hash_map({f"/tmp/{i}": None for i in range(paths)})
    return d.cls(HOOK, statics={"files": ("Object", made)}, loader_id=loader_id)


@pytest.mark.parametrize("semantics", ["jvm", "mat"])
def test_classes_of_the_boot_loader_are_roots_where_no_system_class_is_named(
    tmp_path: Path, semantics: str
) -> None:
    d = DumpBuilder()
    hook(d, 30)
    d.root("JNI_LOCAL", d.instance("java.lang.Object"))
    path = d.dump().save(tmp_path / "d.hprof")
    with heapscope.open(path, use_index=False, semantics=semantics) as heap:  # type: ignore[arg-type]
        assert heap.roots.implied_count > 1
        strings = heap.objects("java.lang.String")
        assert (heap.categories[strings.indices] == 0).all()
        assert {step.label for step in merged_paths(heap.graph, strings.indices).holders} == {
            "DeleteOnExitHook.files (static)"
        }
    d.root("STICKY_CLASS", d.class_id("java.lang.Object"))
    with heapscope.open(d.dump().save(tmp_path / "e.hprof"), use_index=False) as heap:
        assert heap.roots.implied_count == 0
        assert (heap.categories[heap.objects("java.lang.String").indices] == 3).all()


def test_what_a_signature_counts_and_nothing_holds_is_no_finding(tmp_path: Path) -> None:
    d = DumpBuilder()
    loader = d.instance("a.Loader") if d.cls("a.Loader") else 0
    hook(d, 1500, loader_id=loader)  # its loader is garbage
    d.root("STICKY_CLASS", d.class_id("java.lang.Object"))
    assert diagnose(d.dump().save(tmp_path / "garbage.hprof")).findings == ()
    d.root("JNI_GLOBAL", d.class_id(HOOK))
    (found,) = diagnose(d.dump().save(tmp_path / "held.hprof")).findings
    assert (found.id, found.instance_count) == ("jdk-delete-on-exit", 1500)
    assert found.retained_bytes is not None
    assert found.retained_bytes > 1500 * 50


def test_constants_hold_and_are_named(tmp_path: Path) -> None:
    d = DumpBuilder()
    text = d.string("a constant")
    owner = d.cls("a.Owner", constant_pool=[(3, "int", 7), (4, "Object", text)])
    d.root("STICKY_CLASS", owner)
    path = d.dump().save(tmp_path / "d.hprof")
    with heapscope.open(path, use_index=False) as heap:
        row = heap.index_of(text)
        assert heap.categories[row] == 0
        assert names(heap.graph, heap.index_of(owner), row) == ["<constant pool>"]
    with heapscope.open(path, use_index=False, semantics="mat") as heap:
        assert heap.categories[heap.index_of(text)] == 3  # MAT leaves them out


def test_a_finalizer_reference_of_android_does_not_hold(tmp_path: Path) -> None:
    d = DumpBuilder(version="1.0.3", identifier_bytes=4)
    d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
    d.cls("java.lang.ref.FinalizerReference", "java.lang.ref.Reference", fields={"next": "Object"})
    d.cls("a.Stream")
    held = d.instance("a.Stream")
    d.root("STICKY_CLASS", d.instance("java.lang.ref.FinalizerReference", referent=held))
    with heapscope.open(d.dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        assert heap.categories[heap.index_of(held)] == 2
