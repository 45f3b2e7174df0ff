"""Dumps that are valid, or cut, in the ways that break naive readers."""

from __future__ import annotations

import io
import struct
import threading
from pathlib import Path

import pytest

import heapscope
from heapscope.parser.tags import BasicType, RecordTag, SubRecordTag
from heapscope.parser.writer import HeapLayout, HprofWriter
from tests.support.dumps import DumpBuilder, build
from tests.support.gz import jdk_gzip, plain_gzip
from tests.support.model import Dump
from tests.support.oracle import read_oracle

ARRAY_LENGTH = (1 << 29) + 1000  # longs: a little over 4 GiB, under the JVM's limit of elements


PACKINGS = [
    pytest.param(
        layout,
        gzip,
        id=f"{layout.name}-{gzip}",
    )
    for layout in HeapLayout
    for gzip in ("no", "plain", "jdk")
]


def nodes(d: DumpBuilder) -> None:
    """A ring of two nodes, held by a root, and a few arrays."""
    d.cls("a.Node", fields={"next": "Node", "x": "int"}, statics={"S": ("int", 3)})
    first = d.instance("a.Node", x=1)
    d.set(first, next=d.instance("a.Node", x=2, next=first))
    d.object_array("a.Node[]", [first, None])
    d.primitive_array("int", [1, 2])
    d.root("JNI_GLOBAL", first)
    d.thread("main", frames=[("a.Node", "run", 3)], local_ids=[(first, 0)])


def counts(path: Path) -> dict[str, int]:
    with heapscope.open(path) as heap:
        frame = heap.class_histogram()
        assert len(heap.columns.object_ids) == heap.object_count
    return dict(zip(frame["class_name"], frame["instance_count"].tolist(), strict=True))


def expected_counts(dump: Dump) -> dict[str, int]:
    expected = dict(dump.truth.instance_counts)
    return expected | {"java.lang.Class": len(dump.truth.classes)}


@pytest.mark.parametrize("order", ["classes-first", "roots-first", "instances-first", "shuffled"])
@pytest.mark.parametrize("layout", list(HeapLayout))
@pytest.mark.parametrize("gzip", ["no", "plain", "jdk"])
def test_order_and_layout_do_not_matter(tmp_path: Path, order: str, layout: HeapLayout, gzip: str) -> None:
    dump = build(nodes, order=order, layout=layout, segment_bytes=64)
    path = dump.save(tmp_path / "d.hprof", gzip=gzip, block_bytes=256)  # type: ignore[arg-type]
    assert counts(path) == expected_counts(dump)
    assert counts(path)["a.Node"] == 2


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


def test_an_instance_of_a_class_nobody_described(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    with writer.heap():
        writer.instance(0x1000, 0x200, b"abcd")
        writer.object_array(0x2000, 0x300, [0x1000])
    (tmp_path / "d.hprof").write_bytes(out.getvalue())
    rows = counts(tmp_path / "d.hprof")
    assert sum(rows.values()) == 2
    assert all("0x" in name for name in rows)


def test_load_class_names_more_classes_than_class_dump(tmp_path: Path) -> None:
    """905 and 793 in one real dump; JDK 17 also repeats LOAD_CLASS for a class it redefined."""

    def heap(d: DumpBuilder) -> None:
        nodes(d)
        only = d.cls("a.OnlyLoaded", has_dump=False)
        d.record(lambda writer: writer.load_class(900, only, "a/OnlyLoaded"))
        d.record(lambda writer: writer.load_class(901, d.class_id("a.Node"), "a/Node"))

    dump = build(heap)
    path = dump.save(tmp_path / "d.hprof")
    assert read_oracle(path).record_counts[RecordTag.LOAD_CLASS] == len(dump.truth.classes) + 3
    assert counts(path) == expected_counts(dump)
    with heapscope.open(path) as opened:
        assert not opened.classes.named("a.OnlyLoaded").is_dumped  # type: ignore[union-attr]
        assert len(opened.objects("a.OnlyLoaded")) == 0


def test_pseudo_statics_repeat(tmp_path: Path) -> None:
    def heap(d: DumpBuilder) -> None:
        ids = [d.object_array("java.lang.Object[]", []) for _ in range(3)]
        d.cls("a.B", statics=[("<resolved_references>", "Object[]", each) for each in ids])

    with heapscope.open(build(heap).save(tmp_path / "d.hprof")) as opened:
        statics = opened.classes.named("a.B").statics  # type: ignore[union-attr]
        assert [static.name for static in statics] == ["<resolved_references>"] * 3
        assert len({static.value for static in statics}) == 3


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


@pytest.mark.parametrize("jdk", [8, 17, 25])
def test_strings_environment_properties_and_threads_of_every_jdk(tmp_path: Path, jdk: int) -> None:
    environment = {"KRB5CCNAME": "/tmp/krb", "LANG": "de_DE.UTF-8", "EMPTY": "", "NAME": "Zoë €"}
    properties = {f"p{number}": f"v{number}" for number in range(30)} | {"java.version": str(jdk)}

    def heap(d: DumpBuilder) -> None:
        d.process_environment(environment)
        d.system_properties(properties)
        d.cls("a.Work")
        d.thread("worker-1", frames=[("a.Work", "run", 7), ("a.Work", "<init>", -3)], daemon=True)

    path = build(heap, jdk=jdk).save(tmp_path / "d.hprof")
    with heapscope.open(path) as opened:
        assert opened.environment() == environment
        assert opened.system_properties() == properties
        (thread,) = opened.threads()
        assert (thread.name, thread.is_daemon, thread.priority) == ("worker-1", True, 5)
        assert [(frame.method, frame.line) for frame in thread.frames] == [("run", 7), ("<init>", -3)]
        assert "a.Work" in str(thread)


def test_two_strings_share_one_value(tmp_path: Path) -> None:
    def heap(d: DumpBuilder) -> None:
        array = d.primitive_array("byte", b"twice")
        d.string("twice", value=array)
        d.string("twice", value=array)

    with heapscope.open(build(heap).save(tmp_path / "d.hprof")) as opened:
        assert [each.text() for each in opened.objects("java.lang.String")] == ["twice", "twice"]
        assert len(opened.objects("byte[]")) == 1


@pytest.mark.parametrize(("layout", "gzip"), PACKINGS)
@pytest.mark.parametrize("identifier_bytes", [4, 8])
def test_cut_at_every_byte(tmp_path: Path, layout: HeapLayout, gzip: str, identifier_bytes: int) -> None:
    """Never a result and never another exception.

    Nothing marks the end of an unpatched heap: cut between two of its sub-records it is a
    valid dump, and only there may it be read.
    """
    dump = build(
        nodes, layout=layout, identifier_bytes=identifier_bytes, segment_bytes=100, order="roots-first"
    )
    path = tmp_path / "d.hprof"
    dump.save(path, gzip=gzip, block_bytes=300)  # type: ignore[arg-type]
    data = path.read_bytes()
    results = 0
    for end in range(len(data)):
        path.write_bytes(data[:end])
        try:
            with heapscope.open(path):
                results += 1
        except heapscope.HprofError:
            continue
        assert layout is HeapLayout.UNPATCHED
        assert gzip == "no"
        read_oracle(data[:end])
    path.write_bytes(data)
    assert counts(path) == expected_counts(dump)
    sub_records = len(dump.truth.objects) + len(dump.truth.classes) + len(dump.truth.roots)
    assert results == (sub_records if layout is HeapLayout.UNPATCHED and gzip == "no" else 0)


@pytest.mark.parametrize("gzip", ["no", "plain", "jdk"])
def test_a_cut_dump_says_so(tmp_path: Path, gzip: str) -> None:
    path = build(nodes).save(tmp_path / "d.hprof", gzip=gzip, block_bytes=300)  # type: ignore[arg-type]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(heapscope.TruncatedDump, match="cut short") as caught:
        heapscope.open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("layout", "gzip"), PACKINGS)
def test_no_thread_outlives_an_error(tmp_path: Path, layout: HeapLayout, gzip: str) -> None:
    """A reader left to the garbage collector would close its threads whenever, from any thread."""
    path = build(nodes, layout=layout, segment_bytes=64).save(
        tmp_path / "d.hprof",
        gzip=gzip,  # type: ignore[arg-type]
        block_bytes=64,
    )
    data = path.read_bytes()
    before = threading.active_count()
    for end in range(len(data) // 2, len(data), 7):
        path.write_bytes(data[:end])
        try:
            heapscope.open(path).close()
        except heapscope.HprofError:
            assert threading.active_count() == before


@pytest.mark.parametrize(
    "pack", [bytes, plain_gzip, lambda data: jdk_gzip(data, 300)], ids=["no", "plain", "jdk"]
)
@pytest.mark.parametrize("layout", list(HeapLayout))
def test_an_unknown_sub_record_names_its_offset(tmp_path: Path, layout: HeapLayout, pack: object) -> None:
    data = build(nodes, layout=layout).data
    at = data.index(b"\x21")  # INSTANCE_DUMP; nothing before it has this byte
    data = data[:at] + b"\x55" + data[at + 1 :]
    with pytest.raises(ValueError, match=f"0x55 at {at}"):
        read_oracle(data)
    path = tmp_path / "d.hprof"
    path.write_bytes(pack(data))  # type: ignore[operator]
    with pytest.raises(heapscope.CorruptRecord, match="0x55") as caught:
        heapscope.open(path)
    assert caught.value.offset == at
    assert f"byte {at:,}" in str(caught.value)


def test_an_unknown_record_names_its_offset(tmp_path: Path) -> None:
    data = build(nodes).data
    path = tmp_path / "d.hprof"
    path.write_bytes(data[:31] + b"\x77" + data[31:])
    with pytest.raises(heapscope.CorruptRecord, match="0x77") as caught:
        heapscope.open(path)
    assert caught.value.offset == 31


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
