"""What a heap keeps of itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest

import heapscope
from tests.support.dumps import DumpBuilder

SAMPLES = Path(heapscope.__file__).parent.parent / "sample_dumps"


def test_threads_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    both = Barrier(2)

    def compute() -> list[int]:
        both.wait(60)
        return []

    path = DumpBuilder().dump().save(tmp_path / "d.hprof")
    with heapscope.open(path, use_index=False) as heap, ThreadPoolExecutor(2) as pool:
        kept = heap.graph.kept
        one, other = pool.map(lambda place: kept("figures", compute), range(2))
        assert one is other
        assert kept("figures", compute) is one


def test_a_process_of_one_core_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: Thread) -> None:
        raise AssertionError(f"{thread.name} was started")

    dump = sorted(SAMPLES.glob("*.hprof*"))[0]

    def found() -> list[tuple[str, int]]:
        with heapscope.open(dump, use_index=False) as heap:
            return [(each.class_name, each.retained_bytes) for each in heap.suspects()]

    several = found()
    monkeypatch.setenv("HEAPSCOPE_THREADS", "1")
    monkeypatch.setattr(Thread, "start", start)
    assert found() == several
