"""Offsets in records, against what the writer writes."""

from __future__ import annotations

import io
import struct

import pytest

from heapscope.parser import tags
from heapscope.parser.tags import BasicType, RecordTag, SubRecordTag
from heapscope.parser.writer import HprofWriter
from tests.support.oracle import SIZES

NUMBER = 0x01020304


def heap_of(write: object, width: int) -> bytes:
    out = io.BytesIO()
    writer = HprofWriter(out, identifier_bytes=width)
    with writer.heap(end=False):
        write(writer)  # type: ignore[operator]
    return out.getvalue()[tags.HEADER_BYTES + tags.RECORD_HEADER_BYTES :]


@pytest.mark.parametrize("width", [4, 8])
def test_parts_of_an_instance(width: int) -> None:
    data = heap_of(lambda w: w.instance(0xAAAA, 0xBBBB, b"values", NUMBER), width)
    assert data[tags.OBJECT_ID_OFFSET :].startswith((0xAAAA).to_bytes(width, "big"))
    assert data[tags.instance_class_offset(width) :].startswith((0xBBBB).to_bytes(width, "big"))
    assert data[tags.instance_length_offset(width) :].startswith(struct.pack(">I", 6))
    assert data[tags.instance_head_bytes(width) :] == b"values"


@pytest.mark.parametrize("width", [4, 8])
def test_parts_of_arrays(width: int) -> None:
    data = heap_of(lambda w: w.object_array(0xAAAA, 0xBBBB, [0xCCCC, 0xDDDD], NUMBER), width)
    assert data[tags.array_length_offset(width) :].startswith(struct.pack(">I", 2))
    assert data[tags.object_array_class_offset(width) :].startswith((0xBBBB).to_bytes(width, "big"))
    elements = b"".join(each.to_bytes(width, "big") for each in (0xCCCC, 0xDDDD))
    assert data[tags.object_array_head_bytes(width) :] == elements
    data = heap_of(lambda w: w.primitive_array(0xAAAA, BasicType.SHORT, [1, 2, 3], NUMBER), width)
    assert data[tags.array_length_offset(width) :].startswith(struct.pack(">I", 3))
    assert data[tags.element_type_offset(width)] == BasicType.SHORT
    assert data[tags.primitive_array_head_bytes(width) :] == struct.pack(">3h", 1, 2, 3)


@pytest.mark.parametrize("width", [4, 8])
def test_the_head_of_a_class(width: int) -> None:
    pool = [(9, BasicType.BYTE, 5)]
    data = heap_of(lambda w: w.class_dump(0xAAAA, 0xBBBB, constant_pool=pool), width)
    assert data[tags.class_head_bytes(width) :].startswith(struct.pack(">HHBb", 1, 9, BasicType.BYTE, 5))


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("kind", sorted(tags.SUB_RECORD_BODIES))
def test_lengths_of_roots(kind: SubRecordTag, width: int) -> None:
    def write(writer: HprofWriter) -> None:
        if kind is SubRecordTag.HEAP_DUMP_INFO:
            writer.heap_info(1, 0x99)
        else:
            writer.root(kind, 0xAAAA)

    plain, identifiers = tags.SUB_RECORD_BODIES[kind]
    assert len(heap_of(write, width)) == 1 + plain + identifiers * width


@pytest.mark.parametrize("width", [4, 8])
def test_lengths_of_top_level_records(width: int) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out, identifier_bytes=width)
    writer.load_class(1, 0x100, 0x9)
    writer.unload_class(1)
    writer.frame(1, 0x9, 0x9, 0x9)
    writer.heap_summary(1, 2)
    writer.start_thread(1, 2, 0x9, 0x9, 0x9)
    writer.end_thread(1)
    writer.control_settings()
    with writer.heap():
        pass
    data, at, seen = out.getvalue(), tags.HEADER_BYTES, set()
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at + tags.RECORD_LENGTH_OFFSET)
        seen.add(RecordTag(data[at]))
        assert tags.record_body_bytes(RecordTag(data[at]), width) == length
        at += tags.RECORD_HEADER_BYTES + length
    assert seen == set(tags.RECORD_BODIES)


def test_sizes_of_values_are_the_specifications() -> None:
    assert {int(code): size for code, size in tags.VALUE_BYTES.items()} == SIZES
    assert {c: struct.calcsize(">" + f) for c, f in tags.VALUE_FORMATS.items()} == tags.VALUE_BYTES
    assert max(BasicType) < tags.TYPE_CODES


def test_which_sub_records_are_objects() -> None:
    objects = {tag for tag in SubRecordTag if tags.is_object_tag(tag)}
    assert objects == set(SubRecordTag) - set(tags.SUB_RECORD_BODIES)
    assert all(tags.can_begin_heap(tag) for tag in SubRecordTag)
    assert not any(map(tags.can_begin_heap, (0, 9, 0x1F, 0x24, 0x88)))


def test_every_kind_of_root_has_a_name() -> None:
    assert set(tags.ROOT_KIND_NAMES) == set(tags.SUB_RECORD_BODIES) - {SubRecordTag.HEAP_DUMP_INFO}
    assert len(set(tags.ROOT_KIND_NAMES.values())) == len(tags.ROOT_KIND_NAMES)
