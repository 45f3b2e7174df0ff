"""What one pass counts, in every order, layout and packing; and dumps that are cut or damaged."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

import heapscope
from heapscope.parser.tags import BasicType, RecordTag, SubRecordTag
from heapscope.parser.writer import HeapLayout, HprofWriter
from tests.support.dumps import DumpBuilder, build
from tests.support.gz import jdk_gzip, plain_gzip
from tests.support.oracle import read_oracle
from tests.unit.parser.small import counts, expected_counts, nodes, scanned

PACKINGS = [
    pytest.param(
        layout,
        gzip,
        id=f"{layout.name}-{gzip}",
    )
    for layout in HeapLayout
    for gzip in ("no", "plain", "jdk")
]


@pytest.mark.parametrize("order", ["classes-first", "roots-first", "instances-first", "shuffled"])
@pytest.mark.parametrize("layout", list(HeapLayout))
@pytest.mark.parametrize("gzip", ["no", "plain", "jdk"])
def test_order_and_layout_do_not_matter(tmp_path: Path, order: str, layout: HeapLayout, gzip: str) -> None:
    dump = build(nodes, order=order, layout=layout, segment_bytes=64)
    path = dump.save(tmp_path / "d.hprof", gzip=gzip, block_bytes=256)  # type: ignore[arg-type]
    assert counts(path) == expected_counts(dump)
    assert counts(path)["a.Node"] == 2


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


def test_every_figure_is_that_of_the_naive_reader(tmp_path: Path) -> None:
    dump = build(nodes, segment_bytes=100)
    naive = read_oracle(dump.data)
    with scanned(dump.save(tmp_path / "d.hprof")) as (_, found):
        assert found.header.identifier_bytes == naive.identifier_bytes
        assert found.object_count == len(naive.object_classes) + len(naive.classes)
        assert int(found.segment_roots.sum()) == len(naive.roots)
        tags = [root.tag for root in naive.roots]
        assert {tag: int(found.root_counts[tag]) for tag in set(tags)} == {
            t: tags.count(t) for t in set(tags)
        }
        assert int(found.root_counts.sum()) == len(tags)
        ids = [*naive.object_classes, *naive.classes]
        assert (found.address_min, found.address_max) == (min(ids), max(ids))
        assert int(found.primitive_counts[BasicType.INT]) == naive.instance_counts["int[]"]
        by_name = {found.names.by_id[i]: count for i, count in found.instance_counts.items()}
        expected = naive.instance_counts
        assert by_name == {name: expected[name] for name in by_name}
        assert found.segment_bytes == [len(body) for body in segment_bodies(dump.data)]


def segment_bodies(data: bytes) -> list[bytes]:
    found, at = [], 31
    while at < len(data):
        length = int.from_bytes(data[at + 5 : at + 9], "big")
        if data[at] == RecordTag.HEAP_DUMP_SEGMENT:
            found.append(data[at + 9 : at + 9 + length])
        at += 9 + length
    return found


@pytest.mark.parametrize(
    ("fields", "problem"),
    [(b"\0" * 3, "bytes of fields"), (b"\0" * 5, "bytes of fields")],
)
def test_instances_that_are_not_as_long_as_their_class_says(
    tmp_path: Path, fields: bytes, problem: str
) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    writer.load_class(1, 0x100, "a/Node")
    with writer.heap():
        writer.class_dump(0x100, fields=[("x", BasicType.INT)])
        writer.instance(0x1000, 0x100, fields)
    (tmp_path / "d.hprof").write_bytes(out.getvalue())
    with pytest.raises(heapscope.CorruptRecord, match=problem):
        heapscope.open(tmp_path / "d.hprof")


def test_a_class_that_is_its_own_superclass(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    with writer.heap():
        writer.class_dump(0x100, 0x200)
        writer.class_dump(0x200, 0x100)
        writer.instance(0x1000, 0x100, b"")
    (tmp_path / "d.hprof").write_bytes(out.getvalue())
    with pytest.raises(heapscope.CorruptRecord, match="its own superclass"):
        heapscope.open(tmp_path / "d.hprof")


def test_roots_that_are_nothing_but_ones(tmp_path: Path) -> None:
    """Bytes that were never written read as roots of kind 0xFF, one after the other."""
    out = io.BytesIO()
    writer = HprofWriter(out)
    with writer.heap():
        writer.root(SubRecordTag.ROOT_UNKNOWN, 0xFFFF_FFFF_FFFF_FFFF)
    (tmp_path / "d.hprof").write_bytes(out.getvalue())
    with pytest.raises(heapscope.CorruptRecord, match="0xff"):
        heapscope.open(tmp_path / "d.hprof")


@pytest.mark.parametrize("has_later_names", [False, True])
def test_a_stream_may_name_classes_behind_the_part_that_is_probed(
    tmp_path: Path, has_later_names: bool
) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    writer.load_class(1, 0x300, "a/Early")
    with writer.heap():
        writer.class_dump(0x300, fields=[("size", BasicType.INT)])
        for number in range(7):
            writer.primitive_array(0x10_0000 + number, BasicType.BYTE, bytes(2 << 20))
        if has_later_names:
            writer.load_class(2, 0x400, "a/Later")
            writer.class_dump(0x400, fields=[("late", BasicType.INT)])
            writer.instance(0x2000, 0x400, bytes(4))
        writer.instance(0x2100, 0x300, bytes(4))
    path = tmp_path / "d.hprof.gz"
    path.write_bytes(plain_gzip(out.getvalue()))
    expected = {"byte[]": 7, "a.Early": 1, "java.lang.Class": 1 + has_later_names}
    assert counts(path) == expected | ({"a.Later": 1} if has_later_names else {})
    (tmp_path / "d.hprof").write_bytes(out.getvalue())
    assert counts(tmp_path / "d.hprof") == counts(path)
