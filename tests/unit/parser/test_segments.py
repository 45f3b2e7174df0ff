"""Columns of objects and roots, and the references between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.cli import main
from heapscope.parser import segments
from heapscope.parser.class_tables import class_tables_of
from heapscope.parser.segments import (
    NO_OBJECT,
    class_list,
    fill,
    fill_references,
    map_addresses,
)
from heapscope.parser.tags import BasicType
from tests.support.dumps import DumpBuilder, build
from tests.support.oracle import read_oracle
from tests.unit.parser.small import counts, expected_counts, nodes, scanned


def test_ids_that_lead_nowhere(tmp_path: Path) -> None:
    def heap(d: DumpBuilder) -> None:
        d.cls("a.Holder", fields={"held": "Object"}, statics={"GONE": ("Object", 0x4)}, loader_id=0x8)
        holder = d.instance("a.Holder", held=0xDEAD)
        d.object_array("a.Holder[]", [0xBEEF, holder])
        d.root("JNI_GLOBAL", 0xDEAD, reference_id=1)
        d.root("JAVA_FRAME", holder, thread_serial=77, frame=3)

    dump = build(heap)
    path = dump.save(tmp_path / "d.hprof")
    assert counts(path) == expected_counts(dump)
    with heapscope.open(path) as opened:
        roots = opened.gc_roots
        assert roots["object_id"].tolist() == [0xDEAD, opened.objects("a.Holder").object_ids[0]]
        assert roots["object_index"].tolist()[0] == -1
        assert roots["class_name"].tolist() == ["", "a.Holder"]
        assert next(iter(opened.objects("a.Holder"))).follow("held") is None


def test_roots_are_never_merged(tmp_path: Path) -> None:
    """A healthy libhdfs process has been seen with 400 JNI globals on one FileSystem."""

    def heap(d: DumpBuilder) -> None:
        d.cls("a.FileSystem")
        held = d.instance("a.FileSystem")
        for number in range(400):
            d.root("JNI_GLOBAL", held, reference_id=number)

    with heapscope.open(build(heap).save(tmp_path / "d.hprof")) as opened:
        assert len(opened.gc_roots) == 400
        assert opened.root_counts() == {"JNI global": 400}
        assert len(opened.objects("a.FileSystem")) == 1


@pytest.mark.parametrize("identifier_bytes", [4, 8])
def test_columns_and_references_are_those_of_the_naive_reader(tmp_path: Path, identifier_bytes: int) -> None:
    dump = build(nodes, identifier_bytes=identifier_bytes, segment_bytes=100)
    naive = read_oracle(dump.data)
    with scanned(dump.save(tmp_path / "d.hprof")) as (source, found):
        classes = class_list(found)
        addresses = map_addresses(source, found)
        tables = class_tables_of(found, classes, found.layout, 8, {})
        columns, degrees = fill(source, found, addresses, tables, 8)
        no_class = np.full(len(classes), NO_OBJECT, np.uint32)
        edges = fill_references(source, found, columns, tables, no_class, degrees, 0)
    ids = columns.object_ids.tolist()
    assert ids == sorted([*naive.object_classes, *naive.classes])
    for row, object_id in enumerate(ids):
        expected = naive.object_classes.get(object_id, "java.lang.Class")
        assert classes[columns.class_index[row]].name == expected
        targets = edges.indices[edges.indptr[row] : edges.indptr[row + 1]].tolist()
        wanted = [] if object_id in naive.classes else [i for i in naive.references(object_id) if i]
        assert [ids[target] for target in targets] == wanted
        if object_id in naive.primitive_arrays:
            code, length, _ = naive.primitive_arrays[object_id]
            size = found.layout.array_bytes(BasicType(code), length)
            assert int(columns.size_units[row]) * columns.unit_bytes == size
    assert edges.lost_count == 0
    assert columns.roots.kinds.tolist() == [root.tag for root in naive.roots]
    assert columns.roots.object_ids.tolist() == [root.object_id for root in naive.roots]


def test_references_that_lead_nowhere_are_counted(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "Object"})
    d.instance("a.Node", next=0xDEAD)
    d.object_array("a.Node[]", [0xBEEF, 0xBEEF])
    with scanned(d.dump().save(tmp_path / "d.hprof")) as (source, found):
        classes = class_list(found)
        tables = class_tables_of(found, classes, found.layout, 8, {})
        columns, degrees = fill(source, found, map_addresses(source, found), tables, 8)
        no_class = np.full(len(classes), NO_OBJECT, np.uint32)
        edges = fill_references(source, found, columns, tables, no_class, degrees, 0)
    assert edges.lost_count == 3
    assert edges.indices.tolist() == [NO_OBJECT] * 3


@pytest.mark.parametrize("far", [0x1000, 0x7F00_0000_0000_0000])
def test_two_objects_at_one_address(tmp_path: Path, far: int) -> None:
    """Found in the bitmap, and in the sorted table where addresses lie far apart."""

    def heap(d: DumpBuilder) -> None:
        d.cls("a.Node", at=0x100)
        d.instance("a.Node", at=0x900)
        d.instance("a.Node", at=far)

    data = build(heap).data
    path = tmp_path / "d.hprof"
    at = data.index(b"\x21" + far.to_bytes(8, "big"))
    path.write_bytes(data[: at + 1] + (0x900).to_bytes(8, "big") + data[at + 9 :])
    with (
        heapscope.open(path, use_index=False) as opened,
        pytest.raises(heapscope.CorruptRecord, match="0x900"),
    ):
        len(opened.columns.object_ids)


def test_too_many_objects_are_refused_before_anything_is_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = build(nodes).save(tmp_path / "d.hprof")
    monkeypatch.setattr(segments, "MAX_OBJECTS", 3)
    folder = tmp_path / "indexes"
    assert main(["dominators", str(path), "--index-dir", str(folder)]) == 3
    said = capsys.readouterr().err
    assert "objects; who refers to whom is analysed for 3 at most; heapscope histogram counts any" in said
    assert not list(folder.glob("*"))
    assert main(["histogram", str(path)]) == 0
