"""Retained sizes of groups, none counted twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention.by_group import dominated_bytes
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
