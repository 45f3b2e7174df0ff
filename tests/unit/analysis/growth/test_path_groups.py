"""Groups of paths of one dump; random heaps are in tests/property/test_path_groups_vs_naive.py."""

from __future__ import annotations

import gc
from pathlib import Path
from weakref import ref

import pytest

import heapscope
from heapscope.analysis.growth.path_groups import find_path_groups, path_series
from heapscope.errors import HeapscopeError
from tests.unit.analysis.growth.series_of_dumps import leak_series
from tests.unit.analysis.leak import DISTRIBUTED, leak_dump


def test_every_object_that_the_roots_reach_is_in_one_group(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path, count=5)) as heap:
        groups = find_path_groups(heap.graph)
        reached = sum(
            row["object_count"] for row in heap.reachability().rows() if row["category"] == "strong"
        )
        texts = {groups.text(row): int(groups.counts[row]) for row in range(1, len(groups.labels))}
    assert groups.counts.sum() == reached
    systems = [count for text, count in texts.items() if text.endswith(f" -> {DISTRIBUTED}")]
    assert sum(systems) == 5


def test_what_grows_in_every_step_is_found_where_growth_begins(tmp_path: Path) -> None:
    found = path_series(heapscope.snapshots(leak_series(tmp_path, [2, 4, 7])))
    assert found.retained is not None
    for name, counts, retained in zip(
        found.names, found.counts.tolist(), found.retained.tolist(), strict=True
    ):
        assert counts[0] < counts[1] < counts[2]
        assert retained[0] < retained[2]
        assert "byte[]" not in name  # what the leaked objects hold grows with them


def test_nothing_of_a_heap_stays_in_memory(tmp_path: Path) -> None:
    """A series of dumps takes the memory of one: a graph goes with its last user, no circle holds it."""
    gc.disable()
    try:
        with heapscope.open(leak_dump(tmp_path, count=5), use_index=False) as heap:
            assert len(find_path_groups(heap.graph).counts) > 5
            heap.objects(DISTRIBUTED).paths_to_gc_roots()
            heap.reachability()
            assert heap.nearest.parents.size == heap.object_count
            graph, references = ref(heap.graph), ref(heap.references)
        del heap
        assert graph() is None
        assert references() is None
    finally:
        gc.enable()


def test_a_class_histogram_has_no_paths(series: list[Path]) -> None:
    with pytest.raises(HeapscopeError, match="growth by path takes heap dumps only"):
        path_series(heapscope.snapshots(series))
