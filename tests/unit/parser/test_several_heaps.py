"""A file with two heaps is two snapshots: never their sum, and never damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.snapshot import read_snapshot, read_snapshots
from heapscope.errors import HprofError, TruncatedDump
from heapscope.parser.numbered import split_number
from heapscope.parser.redaction.redact_file import redact_file
from heapscope.parser.writer import HeapLayout
from tests.support.gz import plain_gzip
from tests.unit.parser.several_heaps import several_heaps

ROW = "com.acme.Row"
LAYOUTS = [HeapLayout.ONE_RECORD, HeapLayout.SEGMENTS]


def row_count(path: Path | str, **options: object) -> tuple[int, int, int]:
    """(Rows, rows that the roots reach, heaps in the file)."""
    with heapscope.open(path, use_index=False, **options) as heap:  # type: ignore[arg-type]
        held = heap.objects(ROW)
        reached = int((heap.categories[held.indices] == 0).sum())
        return len(held), reached, heap.heap_count


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_heap_is_one_and_the_last_is_meant(tmp_path: Path, layout: HeapLayout, is_gzip: bool) -> None:
    data = several_heaps(100, 150, layout=layout)
    path = tmp_path / "a.hprof"
    path.write_bytes(plain_gzip(data) if is_gzip else data)
    assert row_count(path) == (150, 150, 2)
    assert row_count(path, heap=1) == row_count(f"{path}#1") == (100, 100, 2)
    assert row_count(path, heap=2) == row_count(f"{path}#2") == (150, 150, 2)
    found = read_snapshots(path)
    counts = [{row["class_name"]: row["instance_count"] for row in one.histogram.rows()} for one in found]
    assert [count[ROW] for count in counts] == [100, 150]
    assert [(one.name, one.number, one.of_count) for one in found] == [("a#1", 1, 2), ("a#2", 2, 2)]
    assert read_snapshot(path).name == "a#2"
    assert [one.name for one in read_snapshots(f"{path}#1")] == ["a#1"]
    assert all(one.captured_at_source == "order in the dump" and not one.is_dated for one in found)
    (change,) = (row for row in heapscope.snapshots(path).diff_table().rows() if row["class_name"] == ROW)
    assert change["instance_count_delta"] == 50


def test_each_has_an_index_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(several_heaps(3, 5))
    for _ in range(2):
        for number, count in ((1, 3), (2, 5)):
            with heapscope.open(path, heap=number, index_dir=tmp_path / "index") as heap:
                assert len(heap.objects(ROW).retained()) == count
    assert len(list((tmp_path / "index").iterdir())) == 2


@pytest.mark.parametrize("number", [3, 99])
def test_a_heap_that_is_not_there(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(several_heaps(1, 2))
    with pytest.raises(HprofError, match=rf"holds 2 heaps, .* no number {number}; name one of 1 to 2"):
        heapscope.open(path, heap=number)
    path.write_bytes(several_heaps(1))
    with pytest.raises(HprofError, match="holds one heap, so there is no number 2"):
        heapscope.open(f"{path}#2")
    assert row_count(f"{path}#1") == (1, 1, 1)


def test_a_name_with_a_number_is_a_name_where_there_is_such_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.hprof#2"
    path.write_bytes(several_heaps(4))
    assert split_number(path) == (path, None)
    (tmp_path / "a.hprof").write_bytes(several_heaps(1, 2))
    assert row_count(path) == (4, 4, 1)
    assert split_number(tmp_path / "b.hprof#2") == (tmp_path / "b.hprof#2", None)


def test_the_clock_of_records_dates_each_heap(tmp_path: Path) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(several_heaps(1, 2, 3, seconds=3000))  # the clock begins anew in between
    found = read_snapshots(path)
    apart = [(one.captured_at - found[0].captured_at).total_seconds() for one in found]
    assert apart == [0, 3000, 6000]
    assert all(one.captured_at_source == "record in the dump" and one.is_dated for one in found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_redaction_keeps_heaps_apart(tmp_path: Path, layout: HeapLayout) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(several_heaps(10, 20, layout=layout))
    redact_file(path, tmp_path / "both.hprof")
    assert [row_count(tmp_path / "both.hprof", heap=number)[0] for number in (1, 2)] == [10, 20]
    redact_file(f"{path}#1", tmp_path / "first.hprof")
    assert row_count(tmp_path / "first.hprof") == (10, 10, 1)
    redact_file(f"{path}#2", tmp_path / "second.hprof")
    assert row_count(tmp_path / "second.hprof") == (20, 20, 1)


def test_a_cut_file_keeps_the_heaps_in_front(tmp_path: Path) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(several_heaps(10, 200)[:-300])
    with pytest.raises(TruncatedDump):
        heapscope.open(path)
    with heapscope.open(path, partial=True) as heap:
        assert (heap.heap_number, heap.heap_count) == (2, 2)
        assert heap.coverage is not None
        assert heap.coverage.duplicate_objects == 0
    assert row_count(path, partial=True, heap=1)[::2] == (10, 2)
