"""Merged paths of random heaps against their definition: each way to each member walked and named alone."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.heap.graph.reachability import avoiding
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.retention import paths as paths_module
from heapscope.heap.retention.edge_labels import labels
from heapscope.heap.retention.edge_names import names, simple_name
from heapscope.heap.retention.holders import Holder
from heapscope.heap.retention.paths import merged_paths
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag
from tests.property.test_graph_vs_naive import SETTINGS
from tests.support.dumps import DumpBuilder
from tests.support.graphs import heap_graphs
from tests.support.model import Dump

Ways = dict[tuple[str, ...], set[int]]


def label(heap: heapscope.Heap, source: int, target: int) -> str:
    name = names(heap.graph, source, target)[0]
    own = np.nonzero(heap.class_objects == source)[0]
    if own.size:
        of = simple_name(heap.classes[int(own[0])].name)
        return f"{of}.{name[7:]} (static)" if name.startswith("static ") else f"{of} {name}"
    holder = heap.classes[int(heap.columns.class_index[source])]
    of = simple_name(holder.name)
    if holder.is_array:
        return of
    return f"{of} {name}" if name.startswith("<") else f"{of}.{name}"


def ways_to(heap: heapscope.Heap, members: list[int], most: int) -> tuple[Ways, set[int]]:
    """Members by each way over which they are held, every beginning of it included; all that are held."""
    graph, class_index = heap.graph, heap.columns.class_index
    parents = avoiding(graph.references, graph.root_members, np.array(members))[0].tolist()
    found: Ways = defaultdict(set)
    held: set[int] = set()

    def add(way: list[str], member: int) -> None:
        held.add(member)
        for end in range(1, len(way) + 1):
            found[tuple(way[:end])].add(member)

    def steps(chain: list[int]) -> list[str]:
        return [
            label(heap, a, b)
            for a, b in pairwise(chain)
            if class_index[a] != class_index[b] or a in heap.class_objects
        ]

    for member in members:
        sources, _ = graph.references.incoming(np.array([member]))
        for source in sources.tolist():
            if parents[source] == NO_OBJECT:
                continue
            chain = [source]
            while parents[chain[0]] < VIRTUAL_ROOT:
                chain.insert(0, parents[chain[0]])
            # What follows the longest path that is told is one step, but for the last.
            before = steps(chain)
            way = [*before[:most], *["..."][: len(before) > most], *steps([source, member])]
            # Where nothing but a list leads there, its last link is told.
            add(way or [label(heap, source, member)], member)
        roots = graph.roots
        mine = (
            (roots.object_index == member) & (roots.hangs_on < 0) & (roots.kinds != SubRecordTag.UNREACHABLE)
        )
        for kind in roots.kinds[mine].tolist():
            add([ROOT_KIND_NAMES[kind]], member)
        if member in roots.implied:
            add(["system class"], member)
        if member in roots.class_values:
            add([CLASS_VALUE], member)
    return found, held


def told(holders: tuple[Holder, ...], before: tuple[str, ...] = ()) -> dict[tuple[str, ...], Holder]:
    found: dict[tuple[str, ...], Holder] = {}
    for holder in holders:
        found[*before, holder.label] = holder
        found.update(told(holder.children, (*before, holder.label)))
    return found


@settings(SETTINGS, max_examples=60)
@given(dump=heap_graphs(), step=st.integers(1, 4), most=st.sampled_from([2, 3, 120]))
def test_every_way_is_told(dump: Dump, step: int, most: int, tmp_path: Path) -> None:
    with heapscope.open(dump.save(tmp_path / "d.hprof"), use_index=False) as heap:
        members = list(range(0, heap.object_count, step))
        with patch.object(paths_module, "_MAX_STEPS", most):
            merged = merged_paths(heap.graph, np.array(members, np.int64))
        ways, held = ways_to(heap, members, most)
        found = told(merged.holders)
        assert {way: holder.member_count for way, holder in found.items()} == {
            way: len(of) for way, of in ways.items()
        }
        retained = heap.dominators().retained_bytes
        for way, holder in found.items():
            assert holder.retained_bytes == sum(int(retained[each]) for each in ways[way])
            assert holder.example_id == int(heap.columns.object_ids[min(ways[way])])
        rest = [each for each in members if each not in held]
        is_inner = [int(heap.graph.immediate_dominators[each]) != NO_OBJECT for each in rest]
        assert merged.inner_count == sum(is_inner)
        assert sum(merged.lost_counts.values()) == len(rest) - sum(is_inner)


@settings(SETTINGS, max_examples=40)
@given(dump=heap_graphs())
def test_every_reference_has_the_label_of_its_first_name(dump: Dump, tmp_path: Path) -> None:
    with heapscope.open(dump.save(tmp_path / "d.hprof"), use_index=False) as heap:
        sources, targets = heap.references.incoming(np.arange(heap.object_count))
        rows, texts = labels(heap.graph, sources, targets)
        expected = [label(heap, a, b) for a, b in zip(sources.tolist(), targets.tolist(), strict=True)]
        assert [texts[row] for row in rows.tolist()] == expected


def test_a_part_of_a_list_is_held_by_the_list(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "Object"})
    last = d.instance("a.Node")
    d.root("JNI_GLOBAL", d.instance("a.Node", next=d.instance("a.Node", next=last)))
    with heapscope.open(d.dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        merged = merged_paths(heap.graph, np.array([heap.index_of(last)]))
        assert [(one.label, one.member_count) for one in merged.holders] == [("Node.next", 1)]


@pytest.mark.parametrize("alternating", [False, True])
def test_the_last_objects_of_long_paths(alternating: bool, tmp_path: Path) -> None:
    """Lists of one class and of two, longer than what is followed, with members all along."""
    d = DumpBuilder()
    for name in ("a.Node", "a.Link"):
        d.cls(name, fields={"next": "Object", "held": "Object"})
    d.cls("a.Held")
    at = 0
    for place in range(400):
        held = d.instance("a.Held") if place % 7 == 0 else 0
        at = d.instance("a.Link" if alternating and place % 2 else "a.Node", next=at, held=held)
    d.root("JNI_GLOBAL", at)
    with heapscope.open(d.dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        members = heap.objects("a.Held").indices
        merged = merged_paths(heap.graph, members)
        ways, _ = ways_to(heap, members.tolist(), 120)
        found = told(merged.holders)
        assert {way: holder.member_count for way, holder in found.items()} == {
            way: len(of) for way, of in ways.items()
        }
