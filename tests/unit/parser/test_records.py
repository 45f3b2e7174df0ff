"""Headers, classes, names and stack traces as the records have them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.parser.records import (
    ClassReader,
    Frame,
    StackTraces,
    parse_header,
    read_class_names,
    read_record_head,
    u4_at,
)
from heapscope.parser.tags import BasicType, RecordTag
from heapscope.parser.top_level import read_top_level
from heapscope.parser.writer import HprofWriter
from tests.support.dumps import DumpBuilder, build
from tests.support.gz import jdk_gzip, plain_gzip


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"JAVA PROFILE 1.0.2\0\0\0\0\x05" + bytes(8), heapscope.CorruptRecord),
        (b"JAVA PROFILE 1.0.9\0\0\0\0\x08" + bytes(8), heapscope.UnsupportedFormat),
        (b"JAVA PROFILE 1.0.2\0\0\0\0\x08", heapscope.TruncatedDump),
        (b"\x7fELF" + bytes(100), heapscope.NotHprof),
        (b"", heapscope.NotHprof),
        (plain_gzip(b"hello"), heapscope.NotHprof),
        (plain_gzip(b""), heapscope.HprofError),
        (jdk_gzip(b"", 100), heapscope.HprofError),
    ],
)
def test_other_files_are_refused(tmp_path: Path, head: bytes, error: type[Exception]) -> None:
    path = tmp_path / "d.hprof"
    path.write_bytes(head)
    with pytest.raises(error, match=r"d\.hprof"):
        heapscope.open(path)


def test_pseudo_statics_repeat(tmp_path: Path) -> None:
    def heap(d: DumpBuilder) -> None:
        ids = [d.object_array("java.lang.Object[]", []) for _ in range(3)]
        d.cls("a.B", statics=[("<resolved_references>", "Object[]", each) for each in ids])

    with heapscope.open(build(heap).save(tmp_path / "d.hprof")) as opened:
        statics = opened.classes.named("a.B").statics  # type: ignore[union-attr]
        assert [static.name for static in statics] == ["<resolved_references>"] * 3
        assert len({static.value for static in statics}) == 3


@pytest.mark.parametrize("identifier_bytes", [4, 8])
def test_a_header_is_read(identifier_bytes: int) -> None:
    out = io.BytesIO()
    HprofWriter(out, version="1.0.1", identifier_bytes=identifier_bytes, timestamp_ms=77)
    header = parse_header(out.getvalue(), "d.hprof")
    assert (header.version, header.identifier_bytes, header.timestamp_ms) == ("1.0.1", identifier_bytes, 77)


def test_numbers_are_big_endian() -> None:
    assert read_record_head(b"\x1c\0\0\0\x07\0\0\x01\x02") == (0x1C, 258)
    assert u4_at(np.array([9, 0x80, 0, 0, 1], np.uint8), 1) == 0x8000_0001


@pytest.mark.parametrize("identifier_bytes", [4, 8])
def test_names_classes_and_traces_of_a_small_dump(identifier_bytes: int) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out, identifier_bytes=identifier_bytes)
    writer.load_class(7, 0x100, "a/Node")
    writer.load_class(8, 0x200, "[La/Node;")
    writer.load_class(9, 0x300, 0xDEAD)  # a name that no record has
    writer.frame(0x11, "run", "()V", "Node.java", 7, 3)
    writer.frame(0x12, "call", "()I", 0, 99, -3)
    writer.trace(1, 0, [])
    writer.trace(2, 5, [0x11, 0x12, 0x666])
    heap = io.BytesIO()
    inner = HprofWriter(heap, identifier_bytes=identifier_bytes)
    name = writer.string("count")
    with writer.heap():
        pass
    with inner.heap(end=False):
        inner.class_dump(
            0x100,
            0x50,
            loader_id=0x60,
            instance_bytes=4,
            constant_pool=[(1, BasicType.OBJECT, 0x1), (2, BasicType.DOUBLE, 0.5)],
            statics=[(name, BasicType.LONG, -2), (name, BasicType.OBJECT, 0x70)],
            fields=[(name, BasicType.INT), (0xBAD, BasicType.OBJECT)],
        )
    records = read_top_level(np.frombuffer(out.getvalue(), np.uint8), "d.hprof").records
    names = read_class_names(records, identifier_bytes)
    assert {names.by_id[0x100], names.by_id[0x200]} == {"a.Node", "a.Node[]"}
    assert names.by_serial == {7: 0x100, 8: 0x200, 9: 0x300}
    assert records.string(name) == "count"
    assert records.string(0xDEAD) is None
    assert records.strings(np.array([0xDEAD, name], np.uint64)) == [None, "count"]
    read = ClassReader(identifier_bytes, records, names).read(heap.getvalue()[31 + 9 :], 1234)
    assert (read.class_id, read.name, read.super_id, read.loader_id) == (0x100, "a.Node", 0x50, 0x60)
    assert [(each.name, each.type, each.value) for each in read.statics] == [
        ("count", BasicType.LONG, -2),
        ("count", BasicType.OBJECT, 0x70),
    ]
    assert [(each.name, each.type) for each in read.fields] == [
        ("count", BasicType.INT),
        ("<name 0xbad>", BasicType.OBJECT),
    ]
    assert read.offset == 1234
    assert read.is_dumped
    traces = StackTraces(records, names, identifier_bytes)
    assert traces.frames(2, 5) == (
        Frame("run", "()V", "Node.java", "a.Node", 3),
        Frame("call", "()I", "", "<unknown>", -3),
    )
    assert traces.frames(1) == ()
    assert traces.frames(1, 5) == traces.frames(2)  # the trace of another thread is not taken
    assert traces.frames(99) == ()


def test_a_record_that_is_too_short_is_told() -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    writer.record(RecordTag.LOAD_CLASS, bytes(7))
    with writer.heap():
        pass
    records = read_top_level(np.frombuffer(out.getvalue(), np.uint8), "d.hprof").records
    with pytest.raises(heapscope.CorruptRecord):
        read_class_names(records, 8)
