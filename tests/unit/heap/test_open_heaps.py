"""Heaps that stay open: what is kept, for how long, and how many are worked on at a time."""

from __future__ import annotations

import pickle
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, current_thread

import pytest

from heapscope.errors import HprofError
from heapscope.heap import open_heaps
from heapscope.heap.heap import Heap
from heapscope.heap.open_heaps import ANALYSIS_BYTES, LEAST_OBJECTS, OpenHeaps, jobs_for
from heapscope.parser.inflating import worker_count
from heapscope.parser.source import Source
from heapscope.progress import Progress, no_progress
from tests.support.dumps import DumpBuilder, build
from tests.support.gz import plain_gzip
from tests.unit.parser.several_heaps import several_heaps


def _data(count: int = 3) -> bytes:
    def write(d: DumpBuilder) -> None:
        d.cls("a.Row", fields={"next": "Row"})
        for _ in range(count):
            d.root("JNI_GLOBAL", d.instance("a.Row"))

    return build(write).data


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "worker.hprof"
    path.write_bytes(_data())
    return path


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "worker.hprof.gz"
    path.write_bytes(plain_gzip(_data()))
    return path


@pytest.fixture
def inflations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Phases in which compressed files were read from their beginning."""
    seen: list[str] = []
    blocks = Source.blocks

    def counted(
        self: Source, progress: Progress = no_progress, phase: str = "reading"
    ) -> Iterator[memoryview]:
        seen.append(phase)
        return blocks(self, progress, phase)

    monkeypatch.setattr(Source, "blocks", counted)
    return seen


def test_a_heap_is_opened_once_while_somebody_works_with_it(dump: Path, tmp_path: Path) -> None:
    with OpenHeaps() as heaps:
        with heaps.open(dump, no_progress, index_dir=tmp_path) as first:
            assert first.object_count == 5
            total = first.dominators().retained_bytes.sum()
        with heaps.open(dump, no_progress, index_dir=tmp_path) as second:
            assert second is first
            assert second.dominators().retained_bytes.sum() == total
        with heaps.open(dump, no_progress, use_index=False) as other:
            assert other is not first, "another way to read it"
    with pytest.raises(HprofError, match="the heap is closed"):
        _ = first.graph


def test_nothing_is_kept_otherwise(dump: Path) -> None:
    heaps = OpenHeaps()
    with heaps.open(dump, no_progress) as first:
        assert first.object_count == 5
    with pytest.raises(HprofError, match="the heap is closed"):
        _ = first.graph
    first.close()


def test_two_at_once_get_a_heap_each(dump: Path) -> None:
    with OpenHeaps() as heaps, heaps.open(dump, no_progress) as one, heaps.open(dump, no_progress) as other:
        assert one is not other


def test_closing_twice_gives_it_back_once(dump: Path) -> None:
    with OpenHeaps() as heaps:
        first = heaps.open(dump, no_progress)
        first.close()
        first.close()
        with heaps.open(dump, no_progress) as one, heaps.open(dump, no_progress) as other:
            assert one is first
            assert other is not first


def test_a_file_that_changed_is_opened_anew(dump: Path) -> None:
    with OpenHeaps() as heaps:
        with heaps.open(dump, no_progress) as heap:
            assert heap.object_count == 5
        dump.write_bytes(_data(7))
        with heaps.open(dump, no_progress) as heap:
            assert heap.object_count == 9
        dump.unlink()
        with pytest.raises(HprofError, match="cannot be opened"):
            heaps.open(dump, no_progress)


def test_each_of_several_heaps_in_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "agent.hprof"
    path.write_bytes(several_heaps(2, 5))
    with OpenHeaps() as heaps:
        with heaps.open(path, no_progress) as last:
            assert last.heap_number == 2
        with heaps.open(f"{path}#1", no_progress) as first:
            assert first.heap_number == 1
        with heaps.open(path, no_progress, heap=2) as again:
            assert again is last
        with heaps.open(path, no_progress, heap=1) as again:
            assert again is first


def test_a_compressed_dump_is_inflated_once(packed: Path, tmp_path: Path, inflations: list[str]) -> None:
    with OpenHeaps() as heaps:
        for _ in range(3):
            with heaps.open(packed, no_progress, index_dir=tmp_path, follows=True) as heap:
                assert heap.object_count == 5
                assert heap.columns.class_index.size == 5
                assert heap.buffer[:4].tobytes() == b"JAVA"
    assert inflations == ["inflating"]


def test_what_is_only_counted_is_not_written_to_the_disk(packed: Path, inflations: list[str]) -> None:
    with OpenHeaps() as heaps:
        for _ in range(3):
            with heaps.open(packed, no_progress) as heap:
                assert heap.object_count == 5
    assert set(inflations) == {"counting"}


@pytest.mark.parametrize("cut", [20, 60])
def test_a_broken_file_is_told_as_ever(packed: Path, cut: int) -> None:
    packed.write_bytes(packed.read_bytes()[:-cut])
    with pytest.raises(HprofError) as counted:
        Heap(packed)
    with pytest.raises(HprofError) as followed:
        Heap(packed, follows=True)
    assert str(followed.value) == str(counted.value)


def test_without_room_a_compressed_dump_is_counted_as_it_comes(
    packed: Path, monkeypatch: pytest.MonkeyPatch, inflations: list[str]
) -> None:
    def full(self: Source, progress: Progress) -> None:
        raise HprofError(self.path, None, "no room to inflate it")

    monkeypatch.setattr(Source, "_inflate", full)
    with Heap(packed, follows=True) as heap:
        assert heap.object_count == 5
        with pytest.raises(HprofError, match="no room"):
            _ = heap.columns
    assert set(inflations) == {"counting"}


def test_an_inflated_dump_is_not_kept_on_a_disk_that_gets_full(
    packed: Path, monkeypatch: pytest.MonkeyPatch, inflations: list[str]
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 20, (1 << 20) - 100, 100))
    with OpenHeaps() as heaps:
        for _ in range(2):
            with heaps.open(packed, no_progress, follows=True) as heap:
                assert heap.object_count == 5
    assert inflations == ["inflating"] * 2


def test_without_an_index_what_was_computed_stays_as_long_as_there_is_memory(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenHeaps() as heaps:
        for free, is_kept in ((1 << 40, True), (100, False), (None, False)):
            monkeypatch.setattr(open_heaps, "free_memory", lambda free=free: free)
            with heaps.open(dump, no_progress, use_index=False) as heap:
                columns = heap.columns
            with heaps.open(dump, no_progress, use_index=False) as again:
                assert (again is heap) == is_kept
                assert (again.columns is columns) == is_kept


def test_with_an_index_nothing_large_stays(dump: Path, tmp_path: Path) -> None:
    with OpenHeaps() as heaps:
        with heaps.open(dump, no_progress, index_dir=tmp_path) as heap:
            columns, dominators = heap.columns, heap.dominators()
            assert heap.graph.is_in_index
        with heaps.open(dump, no_progress, index_dir=tmp_path) as again:
            assert again is heap
            assert again.graph.is_in_index
            assert again.columns is not columns
            assert (again.dominators().immediate == dominators.immediate).all()


def test_as_many_at_a_time_as_cores_and_memory_allow() -> None:
    cores, large = worker_count(), 10 * LEAST_OBJECTS
    assert jobs_for([large, 5], 1 << 50) == cores
    assert jobs_for([large, 5], large * ANALYSIS_BYTES * cores - 1) == max(1, cores - 1)
    assert jobs_for([large], 0) == 1
    assert jobs_for([large], None) == 1, "nobody says how much memory there is"
    assert jobs_for([LEAST_OBJECTS - 1] * 6, 1 << 50) == 1, "threads would wait for each other"
    assert jobs_for([], 1 << 50) == 1


def test_no_more_are_inflated_at_a_time_than_the_disk_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 0, 150))
    monkeypatch.setattr(open_heaps, "jobs_for", lambda *_: 2)
    threads: set[Thread] = set()

    def work_on(inflated_bytes: list[int]) -> None:
        threads.clear()
        OpenHeaps().each(
            "ab", lambda *_: threads.add(current_thread()), name=str, progress=no_progress,
            object_counts=[1, 1], inflated_bytes=inflated_bytes,
        )  # fmt: skip

    work_on([100, 90])
    assert threads == {current_thread()}, "one after the other"
    work_on([70, 0])
    assert current_thread() not in threads


def test_other_processes_get_heaps_of_their_own() -> None:
    with OpenHeaps(3) as heaps:
        again = pickle.loads(pickle.dumps(heaps))
    assert isinstance(again, OpenHeaps)
    assert again is not heaps
