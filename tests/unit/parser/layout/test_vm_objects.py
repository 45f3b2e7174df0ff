"""Objects that the VM counts and a dump hides: classes that are not loaded, arrays that fill space."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.parser.layout.layout import instance_bytes
from heapscope.parser.layout.vm_objects import MIN_ARCHIVE_LENGTH, VmObjects, find_vm_objects
from heapscope.parser.tags import BasicType
from tests.support.dumps import DumpBuilder
from tests.unit.parser.small import scanned

ARCHIVE = 0xF000_0000  # where the class objects lie that have no record
STEP = 256


def found_in(tmp_path: Path, builder: DumpBuilder) -> VmObjects:
    with scanned(builder.dump().save(tmp_path / "d.hprof")) as (source, found):
        assert found.layout.confidence == "exact"
        return find_vm_objects("d.hprof", source.mapping(), found)


def archive(d: DumpBuilder, length: int, *, is_root: bool = True) -> None:
    """An array of class objects, none of which has a record, with an object behind each of them."""
    d.unsafe()
    ids = [ARCHIVE + STEP * number for number in range(length)]
    for each in ids:
        d.instance("java.lang.Object", at=each + STEP // 2)
    array = d.object_array("java.lang.Object[]", ids)
    if is_root:
        d.root("JNI_GLOBAL", array, reference_id=1)


def test_class_objects_that_have_no_record(tmp_path: Path) -> None:
    d = DumpBuilder()
    archive(d, MIN_ARCHIVE_LENGTH)
    d.cls("java.lang.Class", fields={"name": "String"})
    found = found_in(tmp_path, d)
    assert found.unloaded_count == MIN_ARCHIVE_LENGTH
    assert found.unloaded_bytes == MIN_ARCHIVE_LENGTH * STEP // 2
    assert found.filler_count == 0


@pytest.mark.parametrize("change", ["shorter", "no root"])
def test_other_arrays_are_no_archive(tmp_path: Path, change: str) -> None:
    d = DumpBuilder()
    archive(d, MIN_ARCHIVE_LENGTH - (change == "shorter"), is_root=change != "no root")
    d.cls("java.lang.Class", fields={"name": "String"})
    assert found_in(tmp_path, d) == VmObjects()


def test_arrays_that_nothing_refers_to_are_fillers(tmp_path: Path) -> None:
    d = DumpBuilder(jdk=21)
    d.unsafe()
    d.cls("jdk.internal.vm.FillerElement[]")
    d.cls("a.Holder", fields={"held": "Object"}, statics={"KEPT": ("Object", d.primitive_array("int", [1]))})
    d.instance("a.Holder", held=d.primitive_array("int", [2]))
    d.object_array("java.lang.Object[]", [d.primitive_array("int", [3])])
    d.root("JNI_GLOBAL", d.primitive_array("int", [4]), reference_id=1)
    lengths = [3, 7, 100]
    for length in lengths:
        d.primitive_array("int", [0] * length)
    with scanned(d.dump().save(tmp_path / "d.hprof")) as (source, found):
        hidden = find_vm_objects("d.hprof", source.mapping(), found)
        sizes = [found.layout.array_bytes(BasicType.INT, length) for length in lengths]
        assert instance_bytes(found.layout, found.classes)
    assert hidden == VmObjects(
        filler_count=3, filler_bytes=sum(sizes), filler_name="jdk.internal.vm.FillerElement[]"
    )


def test_where_there_is_garbage_nobody_can_tell(tmp_path: Path) -> None:
    d = DumpBuilder(jdk=21)
    d.unsafe()
    d.cls("jdk.internal.vm.FillerElement[]")
    for _ in range(10):
        d.primitive_array("byte", b"garbage")
        d.primitive_array("int", [1, 2])
    found = found_in(tmp_path, d)
    assert (found.filler_count, found.filler_bytes) == (0, 0)


def test_a_layout_that_was_guessed_is_no_ground_for_it(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("jdk.internal.vm.FillerElement[]")
    d.primitive_array("int", [1, 2])
    with scanned(d.dump().save(tmp_path / "d.hprof")) as (source, found):
        assert find_vm_objects("d.hprof", source.mapping(), found) == VmObjects()
