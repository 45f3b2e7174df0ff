"""Retained sizes of groups, none counted twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph.dominators import largest
from heapscope.heap.graph.recent import Recent
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention.by_group import dominated_bytes, largest_of_classes
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import leak_dump


def naive_dominated_bytes(heap: heapscope.Heap, members: list[int]) -> int:
    """By the definition: each member that has no other member among its dominators."""
    tree, wanted = heap.dominators(), set(members)
    return sum(tree.retained_bytes_of(each) for each in members if not wanted & set(tree.chain(each)))


def test_a_list_retains_no_more_than_itself(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Node", fields={"next": "com.acme.Node"})
    node = 0
    for _ in range(300):
        node = d.instance("com.acme.Node", next=node)
    d.root("JNI_GLOBAL", node)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        nodes = heap.objects("com.acme.Node")
        assert nodes.dominated_bytes == nodes.shallow_bytes == nodes.retained_bytes()


@pytest.mark.parametrize("seed", range(8))
def test_any_members_are_added_up_as_defined(tmp_path: Path, seed: int) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        held = np.nonzero(heap.graph.immediate_dominators <= VIRTUAL_ROOT)[0]
        picked = np.random.default_rng(seed).choice(held, 40, replace=False)
        members = np.sort(picked).astype(np.int64)
        assert dominated_bytes(heap.graph, members) == naive_dominated_bytes(heap, members.tolist())


def test_a_page_of_the_largest_is_that_of_all_sorted(tmp_path: Path) -> None:
    with heapscope.open(leak_dump(tmp_path), use_index=False) as heap:
        graph = heap.graph
        counts, _ = graph.class_totals
        rng = np.random.default_rng(3)
        for _ in range(30):
            is_picked = rng.random(counts.size) < 0.3
            rows = np.nonzero(is_picked[graph.columns.class_index])[0]
            sizes = graph.retained_units[rows]
            whole = sorted(zip((-sizes.astype(int)).tolist(), rows.tolist(), strict=True))
            first, count = int(rng.integers(0, 40)), int(rng.integers(0, 60))
            wanted = [row for _, row in whole[first : first + count]]
            assert largest(rows, sizes, count, first).tolist() == wanted
            assert largest_of_classes(graph, is_picked, count, first).tolist() == wanted


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept: Recent[list[int]] = Recent(5)
    made: list[str] = []

    def rows(name: str, count: int) -> list[int]:
        def make() -> list[int]:
            made.append(name)
            return [0] * count

        return kept.get(name, make)

    for name, count in (("a", 2), ("b", 2), ("a", 2), ("c", 3), ("a", 2), ("b", 2), ("d", 9), ("d", 9)):
        assert len(rows(name, count)) == count
    assert made == ["a", "b", "c", "b", "d"]
