"""The writer against bytes worked out by hand, and against the naive reader."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import pytest

from heapscope.parser.tags import BasicType, SubRecordTag
from heapscope.parser.writer import HeapLayout, HprofWriter
from tests.support.dumps import DumpBuilder, build
from tests.support.gz import jdk_gzip, plain_gzip
from tests.support.oracle import read_oracle

HEADER_BYTES = 31


def body_of(write: object, **options: object) -> bytes:
    """What a call writes after the header."""
    out = io.BytesIO()
    write(HprofWriter(out, **options))  # type: ignore[arg-type,operator]
    return out.getvalue()[HEADER_BYTES:]


def sub_records_of(write: object, **options: object) -> bytes:
    """What a call writes as sub-records: the tail of an unpatched HEAP_DUMP."""

    def heap(writer: HprofWriter) -> None:
        with writer.heap(HeapLayout.UNPATCHED):
            write(writer)  # type: ignore[operator]

    data = body_of(heap, **options)
    assert data[:9] == b"\x0c" + bytes(8)
    return data[9:]


@pytest.mark.parametrize("version", ["1.0.1", "1.0.2", "1.0.3"])
@pytest.mark.parametrize("identifier_bytes", [4, 8])
def test_header(version: str, identifier_bytes: int) -> None:
    out = io.BytesIO()
    HprofWriter(out, version=version, identifier_bytes=identifier_bytes, timestamp_ms=0x0102030405060708)
    expected = b"JAVA PROFILE " + version.encode() + b"\0" + struct.pack(">I", identifier_bytes)
    assert out.getvalue() == expected + bytes([1, 2, 3, 4, 5, 6, 7, 8])


def test_header_refuses_what_no_dump_has() -> None:
    with pytest.raises(ValueError, match=r"1\.0\.4"):
        HprofWriter(io.BytesIO(), version="1.0.4")
    with pytest.raises(ValueError, match="5 bytes"):
        HprofWriter(io.BytesIO(), identifier_bytes=5)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda w: w.utf8(7, b"ab"), "01 00000000 00000006 00000007 6162"),
        (lambda w: w.load_class(1, 2, 3, 4), "02 00000000 00000010 00000001 00000002 00000004 00000003"),
        (lambda w: w.unload_class(9), "03 00000000 00000004 00000009"),
        (
            lambda w: w.frame(1, 2, 3, 4, 5, -2),
            "04 00000000 00000018 00000001 00000002 00000003 00000004 00000005 fffffffe",
        ),
        (
            lambda w: w.trace(1, 2, [3, 4]),
            "05 00000000 00000014 00000001 00000002 00000002 00000003 00000004",
        ),
        (
            lambda w: w.alloc_sites([(0, 1, 2, 3, 4, 5, 6)], flags=1, cutoff_ratio=0.5, totals=(1, 2, 3, 4)),
            "06 00000000 0000003b 0001 3f000000 00000001 00000002 0000000000000003 0000000000000004 00000001"
            "00 00000001 00000002 00000003 00000004 00000005 00000006",
        ),
        (
            lambda w: w.heap_summary(1, 2, 3, 4),
            "07 00000000 00000018 00000001 00000002 0000000000000003 0000000000000004",
        ),
        (
            lambda w: w.start_thread(1, 2, 3, 4, 5, 6),
            "0a 00000000 00000018 00000001 00000002 00000006 00000003 00000004 00000005",
        ),
        (lambda w: w.end_thread(1), "0b 00000000 00000004 00000001"),
        (
            lambda w: w.cpu_samples([(1, 2), (3, 4)]),
            "0d 00000000 00000018 00000004 00000002 00000001 00000002 00000003 00000004",
        ),
        (lambda w: w.control_settings(3, 9), "0e 00000000 00000006 00000003 0009"),
    ],
)
def test_top_level_records(write: object, expected: str) -> None:
    assert body_of(write, identifier_bytes=4) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("kind", "tail"),
    [
        ("ROOT_UNKNOWN", ""),
        ("ROOT_JNI_GLOBAL", "00000077"),
        ("ROOT_JNI_LOCAL", "00000005 ffffffff"),
        ("ROOT_JAVA_FRAME", "00000005 ffffffff"),
        ("ROOT_NATIVE_STACK", "00000005"),
        ("ROOT_STICKY_CLASS", ""),
        ("ROOT_THREAD_BLOCK", "00000005"),
        ("ROOT_MONITOR_USED", ""),
        ("ROOT_THREAD_OBJECT", "00000005 ffffffff"),
        ("ROOT_INTERNED_STRING", ""),
        ("ROOT_FINALIZING", ""),
        ("ROOT_DEBUGGER", ""),
        ("ROOT_REFERENCE_CLEANUP", ""),
        ("ROOT_VM_INTERNAL", ""),
        ("ROOT_JNI_MONITOR", "00000005 ffffffff"),
        ("UNREACHABLE", ""),
    ],
)
def test_roots(kind: str, tail: str) -> None:
    tag = SubRecordTag[kind]
    written = sub_records_of(
        lambda w: w.root(tag, 0xAB, thread_serial=5, frame=-1, reference_id=0x77), identifier_bytes=4
    )
    assert written == bytes([tag]) + bytes.fromhex("000000ab" + tail)


def test_every_tag_is_a_root_or_refused() -> None:
    for tag in SubRecordTag:
        if tag.name.startswith("ROOT_") or tag is SubRecordTag.UNREACHABLE:
            assert sub_records_of(lambda w, tag=tag: w.root(tag, 1))[0] == tag
        else:
            with pytest.raises(ValueError, match="no GC root"):
                sub_records_of(lambda w, tag=tag: w.root(tag, 1))


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (
            lambda w: w.class_dump(
                1,
                2,
                loader_id=3,
                signers_id=4,
                protection_domain_id=5,
                instance_bytes=16,
                constant_pool=[(7, BasicType.INT, -1)],
                statics=[(8, BasicType.CHAR, "A"), (9, BasicType.OBJECT, 0xFF)],
                fields=[(10, BasicType.LONG)],
                trace_serial=6,
            ),
            "20 00000001 00000006 00000002 00000003 00000004 00000005 00000000 00000000 00000010"
            "0001 0007 0a ffffffff   0002 00000008 05 0041 00000009 02 000000ff   0001 0000000a 0b",
        ),
        (lambda w: w.instance(1, 2, b"xyz", 3), "21 00000001 00000003 00000002 00000003 78797a"),
        (
            lambda w: w.object_array(1, 2, [3, 0], 4),
            "22 00000001 00000004 00000002 00000002 00000003 00000000",
        ),
        (
            lambda w: w.primitive_array(1, BasicType.SHORT, [1, -1]),
            "23 00000001 00000000 00000002 09 0001ffff",
        ),
        (
            lambda w: w.primitive_array(1, BasicType.INT, b"\0\0\0\1"),
            "23 00000001 00000000 00000001 0a 00000001",
        ),
        (lambda w: w.primitive_array_without_data(1, BasicType.BYTE, 9), "c3 00000001 00000000 00000009 08"),
        (lambda w: w.heap_info(65, 2), "fe 00000041 00000002"),
    ],
)
def test_sub_records(write: object, expected: str) -> None:
    assert sub_records_of(write, identifier_bytes=4) == bytes.fromhex(expected)


def test_values_of_every_type() -> None:
    writer = HprofWriter(io.BytesIO(), identifier_bytes=8)
    expected = {
        BasicType.OBJECT: (0x1122334455667788, "1122334455667788"),
        BasicType.BOOLEAN: (True, "01"),
        BasicType.CHAR: ("\uabcd", "abcd"),
        BasicType.FLOAT: (1.5, "3fc00000"),
        BasicType.DOUBLE: (-2.0, "c000000000000000"),
        BasicType.BYTE: (-128, "80"),
        BasicType.SHORT: (-2, "fffe"),
        BasicType.INT: (-3, "fffffffd"),
        BasicType.LONG: (-4, "fffffffffffffffc"),
    }
    assert set(expected) == set(BasicType)
    for kind, (value, written) in expected.items():
        assert writer.value(kind, value) == bytes.fromhex(written)  # type: ignore[arg-type]


def test_an_identifier_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError):
        sub_records_of(lambda w: w.root(SubRecordTag.ROOT_UNKNOWN, 1 << 32), identifier_bytes=4)


def test_half_an_element_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes are no whole number of int"):
        sub_records_of(lambda w: w.primitive_array(1, BasicType.INT, b"abc"))


def test_a_text_is_written_once() -> None:
    out = io.BytesIO()
    writer = HprofWriter(out, identifier_bytes=4)
    first = writer.string("value")
    end = out.tell()
    assert writer.string("value") == first
    assert writer.string(b"value") == first
    assert out.tell() == end
    assert writer.string("other") != first
    writer.utf8(40, b"chosen")
    assert writer.string("chosen") == 40
    assert writer.string("next") == 41


def test_microseconds_stamp_the_records() -> None:
    def write(writer: HprofWriter) -> None:
        writer.microseconds = 0x1_0000_0002
        writer.unload_class(1)

    assert body_of(write)[:5] == bytes.fromhex("03 00000002")


def records(data: bytes) -> list[tuple[int, bytes]]:
    rows, at = [], HEADER_BYTES
    while at < len(data):
        tag, _, length = struct.unpack_from(">BII", data, at)
        rows.append((tag, data[at + 9 : at + 9 + length]))
        at += 9 + length
    return rows


def write_arrays(layout: HeapLayout, **options: object) -> bytes:
    out = io.BytesIO()
    writer = HprofWriter(out, identifier_bytes=4)
    with writer.heap(layout, **options):  # type: ignore[arg-type]
        for number in range(1, 6):
            writer.primitive_array(number, BasicType.BYTE, bytes(10))  # 24 bytes each
    return out.getvalue()


@pytest.mark.parametrize(
    ("segment_bytes", "lengths"),
    [(1, [24] * 5), (24, [24] * 5), (71, [48, 48, 24]), (72, [72, 48]), (500, [120])],
)
def test_segments_hold_whole_sub_records(segment_bytes: int, lengths: list[int]) -> None:
    rows = records(write_arrays(HeapLayout.SEGMENTS, segment_bytes=segment_bytes))
    assert [(tag, len(body)) for tag, body in rows] == [*((0x1C, length) for length in lengths), (0x2C, 0)]


def test_one_record_and_unpatched_hold_the_same_heap() -> None:
    segments = b"".join(body for _, body in records(write_arrays(HeapLayout.SEGMENTS, segment_bytes=50)))
    one = records(write_arrays(HeapLayout.ONE_RECORD))
    assert one == [(0x0C, segments)]
    unpatched = write_arrays(HeapLayout.UNPATCHED)
    assert unpatched[HEADER_BYTES:] == b"\x0c" + bytes(8) + segments


def test_no_end_record_unless_asked_for() -> None:
    assert records(write_arrays(HeapLayout.SEGMENTS, end=False))[-1][0] == 0x1C


def test_a_name_first_seen_inside_segments_cuts_them() -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    with writer.heap():
        writer.primitive_array(1, BasicType.INT, [1])
        writer.class_dump(2, fields=[("late", BasicType.INT)])
    assert [tag for tag, _ in records(out.getvalue())] == [0x1C, 0x01, 0x1C, 0x2C]
    assert read_oracle(out.getvalue()).classes[2].fields == [("late", 10)]


@pytest.mark.parametrize("layout", [HeapLayout.ONE_RECORD, HeapLayout.UNPATCHED])
def test_a_name_first_seen_inside_one_record_is_refused(layout: HeapLayout) -> None:
    writer = HprofWriter(io.BytesIO())
    with pytest.raises(ValueError, match="HEAP_DUMP"), writer.heap(layout):
        writer.class_dump(2, fields=[("late", BasicType.INT)])


def test_nothing_follows_an_unpatched_heap() -> None:
    writer = HprofWriter(io.BytesIO())
    with writer.heap(HeapLayout.UNPATCHED):
        pass
    with pytest.raises(ValueError, match="length 0"):
        writer.unload_class(1)
    with pytest.raises(ValueError, match="length 0"), writer.heap():
        pass


def test_sub_records_outside_the_heap_are_refused() -> None:
    with pytest.raises(ValueError, match="inside"):
        HprofWriter(io.BytesIO()).root(SubRecordTag.ROOT_UNKNOWN, 1)


def test_only_write_is_needed_of_the_file() -> None:
    class Sink:
        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def write(self, data: bytes | memoryview) -> int:
            self.parts.append(bytes(data))
            return len(data)

    sink = Sink()
    writer = HprofWriter(sink, identifier_bytes=4)  # type: ignore[arg-type]
    with writer.heap(HeapLayout.ONE_RECORD):
        for number in range(1, 6):
            writer.primitive_array(number, BasicType.BYTE, bytes(10))
    assert b"".join(sink.parts) == write_arrays(HeapLayout.ONE_RECORD)


def test_a_length_may_lie() -> None:
    assert body_of(lambda w: w.record(0x01, b"ab", length=0xFFFF))[5:9] == b"\0\0\xff\xff"


def test_the_naive_reader_finds_what_was_built() -> None:
    def heap(d: DumpBuilder) -> None:
        d.cls(
            "a.Node",
            fields={"next": "Node", "weight": "double", "tag": "char"},
            statics={"COUNT": ("int", 2)},
        )
        d.cls("a.Leaf", "a.Node", fields={"text": "String"})
        first = d.instance("a.Node", weight=0.25, tag="x")
        leaf = d.instance("a.Leaf", next=first, text="häuser €", weight=1.0)
        d.set(first, next=leaf)
        table = d.object_array("a.Node[]", [first, None, leaf])
        d.root("JNI_GLOBAL", table, reference_id=9)
        d.root("JNI_GLOBAL", table, reference_id=10)
        d.process_environment({"KRB5CCNAME": "/tmp/krb"})
        d.system_properties({"java.version": "17"})
        d.thread("main", frames=[("a.Node", "walk", 12)], local_ids=[(leaf, 0)])

    dump = build(heap)
    oracle = read_oracle(dump.data)
    assert oracle.version == "1.0.2"
    assert oracle.instance_counts == dump.truth.instance_counts
    assert oracle.instance_counts["a.Node"] == 1
    assert oracle.element_totals["a.Node[]"] == 3
    assert {each.name: each.class_id for each in oracle.classes.values()} == dump.truth.classes
    assert {key: oracle.string(key) for key in dump.truth.strings} == dump.truth.strings
    assert "häuser €" in dump.truth.strings.values()
    assert [(r.tag, r.object_id) for r in oracle.roots] == [(r.kind, r.object_id) for r in dump.truth.roots]
    leaf = next(key for key, name in dump.truth.objects.items() if name == "a.Leaf")
    values = {name: value for name, _, value in oracle.field_values(leaf)}
    assert values["weight"] == 1.0
    node = next(key for key, name in dump.truth.objects.items() if name == "a.Node")
    assert oracle.references(node) == [leaf]
    thread = dump.truth.threads[0]
    _, frame_ids = oracle.traces[thread.trace_serial]
    assert [oracle.frames[each][0] for each in frame_ids] == ["walk"]


@pytest.mark.parametrize("jdk", [8, 17, 25])
@pytest.mark.parametrize("layout", list(HeapLayout))
@pytest.mark.parametrize("version", ["1.0.1", "1.0.2", "1.0.3"])
def test_every_shape_holds_the_same_heap(jdk: int, layout: HeapLayout, version: str) -> None:
    def heap(d: DumpBuilder) -> None:
        d.thread("worker")
        d.hash_map({"a": "b", "c": None}, buckets=1)
        d.unsafe()
        d.android_heap(65, "app")

    dumps = [
        build(
            heap, jdk=jdk, layout=layout, version=version, order=order, segment_bytes=64, identifier_bytes=4
        )
        for order in ("classes-first", "roots-first", "instances-first", "shuffled")
    ]
    oracles = [read_oracle(dump.data) for dump in dumps]
    assert len({dump.data for dump in dumps}) == 4
    for dump, oracle in zip(dumps, oracles, strict=True):
        assert oracle.object_classes == dump.truth.objects
        assert oracle.object_classes == oracles[0].object_classes
        assert len(dump.truth.objects) > 8


def test_gzip_helpers() -> None:
    data = bytes(range(256)) * 40
    for packed in (
        plain_gzip(data),
        jdk_gzip(data, 1000),
        jdk_gzip(data, len(data)),
        jdk_gzip(data, 1 << 20),
    ):
        assert gzip.decompress(packed) == data
    packed = jdk_gzip(data, 1000)
    assert packed[3] == 0x10
    assert packed[10 : packed.index(b"\0", 10)] == b"HPROF BLOCKSIZE=1000"
    sizes, rest = [], packed
    while rest:
        member = zlib.decompressobj(wbits=31)
        sizes.append(len(member.decompress(rest)))
        rest = member.unused_data
    assert sizes == [1000] * 10 + [240]
