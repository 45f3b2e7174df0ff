"""Top-level records: lengths that wrap, are zero or lie; tags that nobody knows."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.parser.tags import BasicType, RecordTag, SubRecordTag
from heapscope.parser.top_level import read_top_level
from heapscope.parser.writer import HeapLayout, HprofWriter
from tests.support.dumps import build
from tests.unit.parser.small import nodes

ARRAY_LENGTH = (1 << 29) + 1000  # longs: a little over 4 GiB, under the JVM's limit of elements


@pytest.mark.parametrize(
    ("layout", "has_end"),
    [
        (HeapLayout.UNPATCHED, False),
        (HeapLayout.UNPATCHED, True),
        # With a record behind it a wrapped length cannot be told from damage.
        (HeapLayout.ONE_RECORD, False),
    ],
)
def test_length_zero_and_wrapped_lengths_past_4_gib(
    tmp_path: Path, layout: HeapLayout, has_end: bool
) -> None:
    """One long[] of 4 GiB, a hole in a sparse file, with objects before and behind it."""
    out = io.BytesIO()
    writer = HprofWriter(out)
    writer.load_class(1, 0x100, "java/lang/Object")
    writer.load_class(2, 0x200, "a/Leaf")
    before = out.tell()
    with writer.heap(HeapLayout.UNPATCHED):
        writer.class_dump(0x100)
        writer.class_dump(0x200, 0x100)
        writer.instance(0x1000, 0x200, b"")
    front = out.getvalue()
    array = bytes((SubRecordTag.PRIMITIVE_ARRAY_DUMP,))
    array += struct.pack(">QIIB", 0x2000, 0, ARRAY_LENGTH, BasicType.LONG)
    out = io.BytesIO()
    writer = HprofWriter(out)
    with writer.heap(HeapLayout.UNPATCHED):
        writer.instance(0x2_0000_0000, 0x200, b"")
        writer.root(SubRecordTag.ROOT_JNI_GLOBAL, 0x2_0000_0000)
    back = out.getvalue()[31 + 9 :]
    length = len(front) - before - 9 + len(array) + 8 * ARRAY_LENGTH + len(back)
    assert length > 1 << 32
    path = tmp_path / "large.hprof"
    with path.open("wb") as file:
        file.write(front)
        if layout is HeapLayout.ONE_RECORD:
            file.seek(before)
            file.write(struct.pack(">BII", RecordTag.HEAP_DUMP, 0, length & 0xFFFFFFFF))
            file.seek(len(front))
        file.write(array)
        file.seek(8 * ARRAY_LENGTH, io.SEEK_CUR)
        file.write(back)
        if has_end:
            file.write(struct.pack(">BII", RecordTag.HEAP_DUMP_END, 0, 0))
    with heapscope.open(path) as heap:
        frame = heap.class_histogram()
        rows = dict(zip(frame["class_name"], frame["instance_count"].tolist(), strict=True))
        assert rows == {"long[]": 1, "a.Leaf": 2, "java.lang.Class": 2}
        sizes = dict(zip(frame["class_name"], frame["shallow_bytes"].tolist(), strict=True))
        assert sizes["long[]"] == pytest.approx(8 * ARRAY_LENGTH, abs=24)
        assert heap.object_at(0x2_0000_0000).class_name == "a.Leaf"
        assert heap.gc_roots["object_index"].tolist() == [heap.index_of(0x2_0000_0000)]


def test_a_wrong_length_is_no_wrapped_one(tmp_path: Path) -> None:
    data = bytearray(build(nodes, layout=HeapLayout.ONE_RECORD).data)
    at = 31
    while data[at] != RecordTag.HEAP_DUMP:
        at += 9 + struct.unpack_from(">I", data, at + 5)[0]
    (length,) = struct.unpack_from(">I", data, at + 5)
    assert at + 9 + length == len(data)
    for wrong in (length - 1, length + 1, length // 2):
        struct.pack_into(">I", data, at + 5, wrong)
        (tmp_path / "d.hprof").write_bytes(data)
        with pytest.raises(heapscope.HprofError):
            heapscope.open(tmp_path / "d.hprof")


def test_an_unknown_record_names_its_offset(tmp_path: Path) -> None:
    data = build(nodes).data
    path = tmp_path / "d.hprof"
    path.write_bytes(data[:31] + b"\x77" + data[31:])
    with pytest.raises(heapscope.CorruptRecord, match="0x77") as caught:
        heapscope.open(path)
    assert caught.value.offset == 31


def test_records_lie_where_they_were_written() -> None:
    data = build(nodes, segment_bytes=100).data
    found = read_top_level(np.frombuffer(data, np.uint8), "d.hprof")
    assert found.dump_bytes == len(data)
    assert len(found.segments) > 3
    assert not found.is_open_ended
    at = 31
    for tag, start, length in zip(
        found.records.tags.tolist(),
        found.records.starts.tolist(),
        found.records.lengths.tolist(),
        strict=True,
    ):
        assert (tag, start) == (data[at], at + 9)
        assert length == int.from_bytes(data[at + 5 : at + 9], "big")
        if tag == RecordTag.HEAP_DUMP_SEGMENT:
            assert (start, start + length) in found.segments
        at = start + length
    assert at == len(data)


def test_a_heap_without_a_length_is_open_ended() -> None:
    data = build(nodes, layout=HeapLayout.UNPATCHED).data
    found = read_top_level(np.frombuffer(data, np.uint8), "d.hprof")
    assert found.is_open_ended
    assert [stop for _, stop in found.segments] == [len(data)]


@pytest.mark.parametrize("removed", [9, 10])
def test_segments_without_their_end_are_cut_short(removed: int) -> None:
    data = build(nodes).data
    with pytest.raises(heapscope.TruncatedDump):
        read_top_level(np.frombuffer(data[:-removed], np.uint8), "d.hprof")
