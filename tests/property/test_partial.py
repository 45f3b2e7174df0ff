"""`--partial`: of every broken dump exactly what is whole is found, and no more."""

from __future__ import annotations

import random
from collections.abc import Container
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.parser.tags import HEADER_BYTES
from tests.support.dumps import DumpBuilder
from tests.support.gz import jdk_gzip
from tests.support.oracle import OracleHeap, read_oracle
from tests.support.strategies import SavedDump, random_dumps

SETTINGS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def objects_of(oracle: OracleHeap) -> set[int]:
    return {*oracle.instances, *oracle.object_arrays, *oracle.primitive_arrays, *oracle.classes}


def found_in(path: Path) -> tuple[set[int], heapscope.Heap]:
    with heapscope.open(path, partial=True, use_index=False) as heap:
        ids = heap.columns.object_ids.tolist()
        assert len(set(ids)) == len(ids) == heap.object_count
        heap.dominators().top(3)
        return set(ids), heap


def busy(nodes: int = 12, **options: object) -> DumpBuilder:
    """A heap with something of everything."""
    builder = DumpBuilder(**options)  # type: ignore[arg-type]
    builder.unsafe()
    builder.cls(
        "a.Node", fields={"next": "Object", "text": "Object", "n": "int"}, statics={"HEAD": ("int", 7)}
    )
    last = 0
    for number in range(nodes):
        last = builder.instance("a.Node", next=last, text=builder.string(f"text {number}"), n=number)
        builder.primitive_array("long", [number] * number)
    builder.root("JNI_GLOBAL", last, reference_id=0x999)
    builder.root("STICKY_CLASS", builder.class_id("a.Node"))
    builder.object_array("a.Node[]", [last, 0, last])
    builder.thread("main", frames=[("a.Node", "run", 3)])
    return builder


@pytest.mark.parametrize("order", ["classes-first", "roots-first", "instances-first"])
def test_every_cut_point(tmp_path: Path, order: str) -> None:
    data = busy(3, order=order, segment_bytes=300).dump().data
    path = tmp_path / "cut.hprof"
    counts = set()
    with heapscope.open(busy(order=order).dump().save(tmp_path / "whole.hprof")) as whole:
        assert whole.coverage is None
    # The records in front of the heap in steps, for they are many; the heap byte by byte.
    heap_at = data.index(b"\x1c\0\0\0\0")
    step = 1 if order == "instances-first" else 7
    for cut in [*range(HEADER_BYTES, heap_at, 97), *range(heap_at, len(data), step)]:
        path.write_bytes(data[:cut])
        expected = objects_of(read_oracle(data[:cut], partial=True))
        with heapscope.open(path, partial=True, use_index=False) as heap:
            assert heap.object_count == len(expected), cut
            coverage = heap.coverage
            assert coverage is not None
            assert 0 <= coverage.share <= 1
            assert coverage.gaps
            assert not coverage.is_end_known
            if cut % 61 == 0:
                assert set(heap.columns.object_ids.tolist()) == expected, cut
                assert heap.retained_histogram() is not None
        counts.add(len(expected))
    assert len(counts) > 20


@SETTINGS
@given(random_dumps(), st.data())
def test_random_dumps_cut_anywhere(tmp_path: Path, saved: SavedDump, data: st.DataObject) -> None:
    raw = saved.dump.data
    path = tmp_path / "cut.hprof"
    for _ in range(6):
        cut = data.draw(st.integers(HEADER_BYTES, len(raw) - 1))
        path.write_bytes(raw[:cut])
        expected = objects_of(read_oracle(raw[:cut], partial=True))
        assert found_in(path)[0] == expected
        try:
            with heapscope.open(path) as heap:
                # What is cut off held no object: a heap that nobody ended, say.
                assert heap.object_count == len(expected)
        except (heapscope.TruncatedDump, heapscope.CorruptRecord) as error:
            message = str(error)
            assert "--partial" in message
            assert f"({len(expected):,} objects)" in message


@settings(SETTINGS, max_examples=12)
@given(random_dumps(max_objects=10), st.data())
def test_damage_in_the_middle(tmp_path: Path, saved: SavedDump, data: st.DataObject) -> None:
    """Whatever bytes are changed: answers or one clear error."""
    raw = bytearray(saved.dump.data)
    path = tmp_path / "bad.hprof"
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(HEADER_BYTES, len(raw) - 1))
        length = data.draw(st.sampled_from([1, 2, 40]))
        raw[at : at + length] = bytes([data.draw(st.sampled_from([0, 0xFF, 0x21, 0x1C]))]) * len(
            raw[at : at + length]
        )
    path.write_bytes(raw)
    try:
        found_in(path)
    except heapscope.HprofError as error:
        message = str(error)
        assert "\n" not in message


@pytest.mark.parametrize("segment_bytes", [1 << 20, 300], ids=["one segment", "many"])
@pytest.mark.parametrize("fill", [0, 0xFF, 0x1C, 0x21])
def test_a_hole_loses_what_it_touches_and_nothing_else(tmp_path: Path, fill: int, segment_bytes: int) -> None:
    builder = busy(segment_bytes=segment_bytes)
    data = builder.dump().data
    places = record_places(data)
    everything = {object_id for object_id, _, _ in places}
    path = tmp_path / "hole.hprof"
    for object_id, start, stop in places[30::2]:
        raw = bytearray(data)
        raw[start:stop] = bytes([fill]) * (stop - start)
        path.write_bytes(raw)
        found, _ = found_in(path)
        assert object_id not in found
        # Roots are short: the record behind the hole may have to be given up, if it is one.
        assert everything - found == {object_id}


def record_places(data: bytes) -> list[tuple[int, int, int]]:
    """(object, start, stop) of each record of an instance or array: by cutting, one byte at a time."""
    places = []
    heap_at = data.index(b"\x1c\0\0\0\0")
    before = objects_of(read_oracle(data[:heap_at], partial=True))
    start = heap_at
    for cut in range(heap_at, len(data) + 1):
        now = objects_of(read_oracle(data[:cut], partial=True))
        if now != before:
            (new,) = now - before
            size = size_of(data, cut, new)
            start = cut - size
            places.append((new, start, cut))
            before = now
    classes = set(read_oracle(data).classes)
    return [place for place in places if place[0] not in classes]


def size_of(data: bytes, stop: int, object_id: int) -> int:
    """Bytes of the record that ends at ``stop``: back to its tag and identifier."""
    for tag in (b"\x21", b"\x22", b"\x23", b"\x20"):
        at = data.rfind(tag + object_id.to_bytes(8, "big"), 0, stop)
        heap = read_oracle(data)
        kinds: dict[bytes, Container[int]] = {
            b"\x21": heap.instances,
            b"\x22": heap.object_arrays,
            b"\x23": heap.primitive_arrays,
            b"\x20": heap.classes,
        }
        if at >= 0 and object_id in kinds[tag]:
            return stop - at
    raise AssertionError(object_id)


def test_a_length_that_lies(tmp_path: Path) -> None:
    """2**31 elements in the middle of one heap record that has its length: the rest is found again."""
    builder = busy(segment_bytes=1 << 20)
    data = bytearray(builder.dump().data)
    places = record_places(bytes(data))
    everything = {object_id for object_id, _, _ in places}
    wrong, start, _ = next(p for p in places[40:] if data[p[1]] == 0x23)
    data[start + 13 : start + 17] = b"\x7f\xff\xff\xff"
    path = tmp_path / "lie.hprof"
    path.write_bytes(data)
    with pytest.raises(heapscope.CorruptRecord, match="--partial"):
        heapscope.open(path)
    found, heap = found_in(path)
    assert everything - found == {wrong}
    assert heap.coverage is not None
    assert heap.coverage.is_end_known
    assert 0.9 < heap.coverage.share < 1


def test_unmerged_parts(tmp_path: Path) -> None:
    """A parallel dump that was killed: names and classes in the file, objects in .p0 (cut) and .p1."""
    data = busy(segment_bytes=300).dump().data
    starts = [data.index(b"\x1c\0\0\0\0")]
    while data[starts[-1]] == 0x1C:
        starts.append(starts[-1] + 9 + int.from_bytes(data[starts[-1] + 5 : starts[-1] + 9], "big"))
    a, b = starts[3], starts[9]
    path = tmp_path / "x.hprof"
    path.write_bytes(data[:a])
    (tmp_path / "x.hprof.p0").write_bytes(data[a : b - 5])  # cut
    (tmp_path / "x.hprof.p1").write_bytes(data[b : starts[-1]])
    (tmp_path / "x.hprof.p10x").write_bytes(b"no part")
    with pytest.raises(heapscope.TruncatedDump, match="2 unmerged parts"):
        heapscope.open(path)
    found, heap = found_in(path)
    everything = {object_id for object_id, _, _ in record_places(data)}
    assert len(everything - found) == 1
    assert heap.coverage is not None
    assert heap.coverage.parts == 2
    assert heap.coverage.gaps[0].length > 0
    # One that was already merged, and not yet removed: nothing counts twice.
    path.write_bytes(data[:b])
    found, heap = found_in(path)
    assert everything <= found
    assert heap.coverage is not None
    assert heap.coverage.duplicate_objects > 0


@pytest.mark.parametrize("kind", ["gzip", "jdk", "zstd"])
def test_truncated_compression(tmp_path: Path, kind: str) -> None:
    import gzip

    import zstandard

    builder = busy()
    noise = random.Random(7)
    for _ in range(3000):
        builder.primitive_array("byte", noise.randbytes(200))
    data = builder.dump().data
    packed: bytes = {
        "gzip": gzip.compress(data),
        "jdk": jdk_gzip(data, 4096),
        "zstd": zstandard.ZstdCompressor(write_checksum=True).compress(data),
    }[kind]
    path = tmp_path / "x.hprof.gz"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(heapscope.TruncatedDump, match=r"--partial .*: [\d,]+ objects and more"):
        heapscope.open(path)
    found, heap = found_in(path)
    everything = objects_of(read_oracle(data))
    assert found <= everything
    assert heap.coverage is not None
    assert 0.3 < len(found) / len(everything) < 0.9
    assert any("ends inside" in gap.problem for gap in heap.coverage.gaps)


def test_a_damaged_member_of_a_jdk_gzip(tmp_path: Path) -> None:
    builder = busy()
    for number in range(3000):
        builder.primitive_array("long", [number * 977 % 1009, number])
    data = builder.dump().data
    packed = bytearray(jdk_gzip(data, 4096))
    packed[len(packed) // 2 : len(packed) // 2 + 16] = b"\xff" * 16
    path = tmp_path / "x.hprof.gz"
    path.write_bytes(packed)
    with pytest.raises(heapscope.HprofError, match="--partial"):
        heapscope.open(path)
    found, heap = found_in(path)
    everything = objects_of(read_oracle(data))
    assert found < everything
    # A member holds 4,096 bytes, at least 34 for each of these objects; and what it inflated to is noise.
    assert len(everything) - len(found) < 4096 // 34 + 4
    assert heap.coverage is not None
    assert heap.coverage.share > 1 - 4400 / len(data)
    assert heap.coverage.is_end_known
    assert any("damaged" in gap.problem and gap.length == 4096 for gap in heap.coverage.gaps)


def test_a_damaged_first_member_is_no_dump_without_it(tmp_path: Path) -> None:
    """Found by fuzzing: members were looked for from the first whole one on."""
    packed = bytearray(jdk_gzip(busy().dump().data, 512))
    packed[2] = 0  # the method of compression
    path = tmp_path / "x.hprof.gz"
    path.write_bytes(packed)
    with pytest.raises(heapscope.HprofError, match="no gzip member begins here near byte 0"):
        heapscope.open(path)
    with pytest.raises(heapscope.HprofError):
        heapscope.open(path, partial=True)


def test_without_roots_classes_are_roots(tmp_path: Path) -> None:
    builder = DumpBuilder()
    held = builder.instance("java.lang.Object")
    builder.cls("a.Cache", statics={"HELD": ("Object", held)})
    builder.root("JNI_GLOBAL", held, reference_id=0x999)
    data = builder.dump().data
    path = tmp_path / "x.hprof"
    path.write_bytes(data[: data.rindex(b"\x01" + held.to_bytes(8, "big"))])
    with heapscope.open(path, partial=True, use_index=False) as heap:
        assert heap.coverage is not None
        assert not heap.coverage.has_roots
        assert heap.categories[heap.index_of(held)] == 0
        assert any("taken for roots" in line for line in heap.coverage.lines())


def test_names_that_were_lost(tmp_path: Path) -> None:
    """JDK 21 and later keep the last names of a parallel dump in a buffer, which dies with the process."""
    builder = busy()
    data = builder.dump().data
    path = tmp_path / "x.hprof"
    path.write_bytes(data[:HEADER_BYTES] + data[data.index(b"\x1c\0\0\0\0") : -12])
    found, heap = found_in(path)
    assert found == objects_of(read_oracle(data))
    assert heap.coverage is not None
    assert len(heap.coverage.gaps) == 1
    assert heap.coverage.unnamed_classes > 5
    with heapscope.open(path, partial=True, use_index=False) as heap:
        names = [row["class_name"] for row in heap.histogram().rows()]
        assert sum(name.startswith("<class at") and name.endswith("[]") for name in names) == 1
