"""What a heap keeps of itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import heapscope
from tests.support.dumps import DumpBuilder


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
