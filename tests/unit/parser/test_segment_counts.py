"""Counts of heap sub-records, through windows of any size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from heapscope.errors import CorruptRecord
from heapscope.parser import kernels
from heapscope.parser.layout.layout import infer_layout
from heapscope.parser.segment_counts import SegmentCounts, class_dumps_of
from heapscope.parser.tags import BasicType, RecordTag, SubRecordTag
from heapscope.parser.writer import HeapLayout
from tests.support.dumps import DumpBuilder
from tests.support.oracle import OracleHeap, read_oracle
from tests.unit.parser.small import nodes

GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


def body(write: Callable[[DumpBuilder], object] = nodes) -> tuple[np.ndarray, OracleHeap]:
    """The sub-records of a small dump, and what the naive reader finds in it."""
    builder = DumpBuilder(layout=HeapLayout.ONE_RECORD)
    write(builder)
    data = builder.dump().data
    at = 31
    while data[at] != RecordTag.HEAP_DUMP:
        at += 9 + int.from_bytes(data[at + 5 : at + 9], "big")
    return np.frombuffer(data[at + 9 :], np.uint8), read_oracle(data)


def figures(counts: SegmentCounts) -> list[object]:
    rows = sorted(row.tolist() for row in counts.table if row[kernels.KEY])
    totals = counts.totals.copy()
    totals[kernels.POSITION] = 0  # in the window
    return [rows, totals.tolist(), counts.addresses.tolist()]


def test_counts_are_those_of_the_naive_reader() -> None:
    heap, naive = body()
    counts = SegmentCounts("d.hprof", 8, GUESS)
    assert counts.scan(heap, 0, heap.size, 0) == heap.size
    assert counts.objects == len(naive.object_classes) + len(naive.classes)
    assert counts.classes == len(naive.classes)
    assert counts.roots == len(naive.roots)
    assert int(counts.primitive_counts[BasicType.INT]) == naive.instance_counts["int[]"]
    assert int(counts.root_counts[SubRecordTag.ROOT_JNI_GLOBAL]) == 1
    for row in counts.table[counts.table[:, kernels.KEY] != 0].tolist():
        key, count, amount, kind = row
        assert count == naive.instance_counts[naive.loaded[key]]
        if kind == kernels.KIND_INSTANCE:
            assert {len(data) for class_id, data in naive.instances.values() if class_id == key} == {amount}


def test_windows_of_any_size_give_the_same() -> None:
    heap, _ = body()
    whole = SegmentCounts("d.hprof", 8, GUESS)
    whole.scan(heap, 0, heap.size, 0)
    for size in (150, 500, 1000):
        counts = SegmentCounts("d.hprof", 8, GUESS)
        position, dumps = 0, []
        while position < heap.size:
            window = heap[position : position + size]
            already = counts.classes
            moved = counts.scan(window, 0, heap.size - position, position)
            assert moved > 0
            dumps += class_dumps_of(counts, already, window, position)
            position += moved
        assert figures(counts) == figures(whole)
        assert [start for start, _ in dumps] == counts.class_spans[: counts.classes, 0].tolist()
        for start, data in dumps:
            assert data == heap[start : start + len(data)].tobytes()


def test_tables_grow() -> None:
    """Past the 4,096 classes and 1,024 class dumps that there is room for in the beginning."""

    def heap_of_classes(d: DumpBuilder) -> None:
        for number in range(4200):
            d.cls(f"a.C{number}")
            d.instance(f"a.C{number}")

    heap, naive = body(heap_of_classes)
    counts = SegmentCounts("d.hprof", 8, GUESS)
    counts.scan(heap, 0, heap.size, 0)
    assert counts.classes == len(naive.classes)
    assert int(counts.table[:, kernels.COUNT].sum()) == len(naive.instances) == 4200


def test_counts_of_two_threads_are_put_together() -> None:
    heap, _ = body()
    whole, first, second = (SegmentCounts("d.hprof", 8, GUESS) for _ in range(3))
    whole.scan(heap, 0, heap.size, 0)
    # Cut where a sub-record begins.
    middle = first.scan(heap[: heap.size // 2], 0, heap.size, 0)
    second.scan(heap, middle, heap.size, 0)
    assert 0 < first.objects < whole.objects
    first.add(second)
    assert figures(first)[0] == figures(whole)[0]
    assert first.objects == whole.objects
    assert first.addresses.tolist() == whole.addresses.tolist()
    assert sorted(first.class_spans[: first.classes].tolist()) == whole.class_spans[: whole.classes].tolist()


def test_contradictions_are_told() -> None:
    heap, naive = body()
    counts = SegmentCounts("d.hprof", 8, GUESS)
    class_id = next(iter(naive.instances.values()))[0]
    counts.learn(np.array([[class_id, 0, 999, kernels.KIND_INSTANCE]], np.uint64))
    assert counts.follow(heap, 0, heap.size, 0)[1] == kernels.LENGTH_CHANGED
    with pytest.raises(CorruptRecord, match="differ in length"):
        counts.scan(heap, 0, heap.size, 0)
    one, other = SegmentCounts("d.hprof", 8, GUESS), SegmentCounts("d.hprof", 8, GUESS)
    one.learn(np.array([[8, 1, 16, kernels.KIND_INSTANCE]], np.uint64))
    other.learn(np.array([[8, 1, 24, kernels.KIND_INSTANCE]], np.uint64))
    with pytest.raises(CorruptRecord):
        one.add(other)


def test_the_end_of_a_heap_without_a_length() -> None:
    heap, _ = body()
    with_end = np.concatenate([heap, np.array([0x2C, 0, 0, 0, 0, 0, 0, 0, 0], np.uint8)])
    counts = SegmentCounts("d.hprof", 8, GUESS)
    assert counts.scan(with_end, 0, with_end.size, 0, open_ended=True) == with_end.size
    assert counts.has_met_end
    with pytest.raises(CorruptRecord, match="0x2c"):
        SegmentCounts("d.hprof", 8, GUESS).scan(with_end, 0, with_end.size, 0)
