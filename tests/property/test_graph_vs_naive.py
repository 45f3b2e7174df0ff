"""References, reachability, dominators and retained sets against their definitions, on random heaps."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.heap.graph.dominators import dominate, number
from heapscope.heap.graph.options import Options
from heapscope.heap.graph.reachability import indices_in, reached_without, shortest_parents, strengths
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT, References, Referents
from heapscope.heap.object_set import ObjectSet
from tests.support.dumps import DumpBuilder
from tests.support.graphs import heap_graphs
from tests.support.model import Dump
from tests.support.naive_graph import JNI_GLOBAL, ROOT, NaiveGraph, naive_graph
from tests.support.oracle import read_oracle
from tests.support.strategies import SavedDump, random_dumps

SETTINGS = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
OPTIONS = [
    ({}, ("soft",)),
    ({"roots": "plain"}, ("soft",)),
    ({"soft": "weak"}, ()),
    ({"semantics": "mat"}, ("soft", "weak", "phantom", "final")),
]


def check(heap: heapscope.Heap, graph: NaiveGraph) -> None:
    ids = heap.columns.object_ids.tolist()
    assert set(ids) == graph.objects
    check_references(heap, graph, ids)
    check_reachability(heap, graph, ids)
    check_dominators(heap, graph, ids)
    check_retained_by_class(heap, graph, ids)
    check_retained_sets(heap, graph, ids)


def check_references(heap: heapscope.Heap, graph: NaiveGraph, ids: list[int]) -> None:
    expected = {each: Counter(graph.targets(each, graph.followed_kinds)) for each in ids}
    incoming: dict[int, Counter[int]] = defaultdict(Counter)
    for row, each in enumerate(ids):
        assert Counter(ids[target] for target in heap.references.outgoing(row)) == expected[each], hex(each)
        for target, count in expected[each].items():
            incoming[target][each] += count
    for some in (ids[::3], ids[:1]):
        sources, targets = heap.references.incoming(heap.indices_of(np.array(some, np.uint64)))
        found: dict[int, Counter[int]] = defaultdict(Counter)
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
            found[ids[target]][ids[source]] += 1
        assert {each: found[each] for each in some} == {each: incoming[each] for each in some}


def check_reachability(heap: heapscope.Heap, graph: NaiveGraph, ids: list[int]) -> None:
    categories = graph.categories()
    assert heap.categories.tolist() == [categories[each] for each in ids]
    table = heap.reachability()
    counts = Counter(categories.values())
    assert table.column("object_count") == [counts[category] for category in range(4)]
    assert sum(table.column("shallow_bytes")) == heap.shallow_sizes.sum()
    parents = heap.nearest.parents.tolist()
    nearest = graph.distances(())
    for row, each in enumerate(ids):
        steps, at = 0, row
        while parents[at] < VIRTUAL_ROOT:
            kinds = {"soft", "weak", "phantom", "final"}
            assert ids[at] in graph.targets(ids[parents[at]], kinds)
            at = parents[at]
            steps += 1
        assert (parents[at] == VIRTUAL_ROOT) == (categories[each] < 3)
        if parents[at] == VIRTUAL_ROOT:
            assert ids[at] in graph.roots
        if categories[each] == 0:
            assert steps == nearest[each]


def check_dominators(heap: heapscope.Heap, graph: NaiveGraph, ids: list[int]) -> None:
    expected = graph.dominators()
    found = heap.dominators().immediate.tolist()
    sizes = dict(zip(ids, heap.shallow_sizes.tolist(), strict=True))
    retained = dict(zip(ids, heap.dominators().retained_bytes.tolist(), strict=True))
    for row, each in enumerate(ids):
        if each not in expected:
            assert (found[row], retained[each]) == (NO_OBJECT, 0)
            continue
        assert (ROOT if found[row] == VIRTUAL_ROOT else ids[found[row]]) == expected[each]
        assert retained[each] == sum(sizes[lost] for lost in graph.retained([each]))


def check_retained_by_class(heap: heapscope.Heap, graph: NaiveGraph, ids: list[int]) -> None:
    """The sum over instances without an ancestor of their class in the dominator tree."""
    above = graph.dominators()
    classes = heap.columns.class_index.tolist()
    names = {each: {heap.classes[c].name} for each, c in zip(ids, classes, strict=True)}
    if heap.options.semantics == "mat":  # there the class object belongs to its class
        for java_class in heap.classes:
            if java_class.is_dumped:
                names[java_class.class_id].add(java_class.name)
    sizes = dict(zip(ids, heap.dominators().retained_bytes.tolist(), strict=True))
    expected: Counter[str] = Counter()
    for each in above:
        for name in names[each]:
            at = above[each]
            while at != ROOT and name not in names[at]:
                at = above[at]
            expected[name] += sizes[each] if at == ROOT else 0
    table = heap.consumers.by_class
    found = dict(zip(table.column("name"), table.column("retained_bytes"), strict=True))
    assert {name: size for name, size in found.items() if size} == dict(+expected)


def check_retained_sets(heap: heapscope.Heap, graph: NaiveGraph, ids: list[int]) -> None:
    for some in (ids[::2], ids[1::3], ids[:1], ids):
        members = objects_of(heap, some)
        assert {ids[row] for row in members.retained().indices.tolist()} == graph.retained(some)
        alone = members.retained(without_roots=["JNI global"])
        assert {ids[row] for row in alone.indices.tolist()} == graph.retained(some, {JNI_GLOBAL})
        if heap.options.semantics == "jvm":  # MAT's boot loader is no object of the dump
            assert members.retained_bytes() == members.retained().shallow_bytes
            assert members.retained_bytes(without_roots=["JNI global"]) == alone.shallow_bytes


def objects_of(heap: heapscope.Heap, ids: list[int]) -> ObjectSet:
    return ObjectSet(heap.graph, np.sort(heap.indices_of(np.array(ids, np.uint64))))


def check_dump(path: Path, options: dict[str, Any], followed: tuple[str, ...]) -> None:
    graph = naive_graph(
        read_oracle(path),
        roots=options.get("roots", "mat"),
        followed=followed,
        is_mat=options.get("semantics") == "mat",
    )
    with heapscope.open(path, use_index=False, **options) as heap:
        check(heap, graph)


@settings(SETTINGS, max_examples=400)
@given(dump=heap_graphs(), options=st.sampled_from(OPTIONS))
def test_random_graphs(dump: Dump, options: Any, tmp_path: Path) -> None:
    check_dump(dump.save(tmp_path / "a.hprof"), *options)


@settings(SETTINGS, max_examples=150)
@given(saved=random_dumps(), options=st.sampled_from(OPTIONS))
def test_random_dumps(saved: SavedDump, options: Any, tmp_path: Path) -> None:
    check_dump(saved.save(tmp_path), *options)


@st.composite
def digraphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], list[int]]:
    """Objects, references and roots: any, or along a line, with some going back or skipping."""
    n = draw(st.integers(1, 60))
    vertices = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(vertices, vertices), max_size=3 * n))
    if draw(st.booleans()):
        edges += [(v, v + 1) for v in range(n - 1)]
    return n, edges, draw(st.lists(vertices, max_size=4, unique=True))


def graph_of(n: int, edges: list[tuple[int, int]]) -> References:
    sources = np.array([source for source, _ in edges], np.int64)
    targets = np.array([target for _, target in edges], np.uint32)
    indptr = np.zeros(n + 1, np.uint32)
    indptr[1:] = np.cumsum(np.bincount(sources, minlength=n))
    nothing = np.empty(0, np.uint32)
    return References(
        indptr,
        targets[np.argsort(sources, kind="stable")],
        np.full(1, NO_OBJECT, np.uint32),
        np.array([-1]),
        np.zeros(n, np.uint16),
        Referents(nothing, nothing, np.empty(0, np.uint8), np.empty(0, bool)),
        0,
    )


def dominators_of(graph: References, roots: list[int]) -> list[int]:
    units = np.ones(graph.object_count, np.uint32)
    immediate, _, _ = dominate(number(graph, np.array(sorted(roots), np.uint32)), units)
    found: list[int] = immediate.tolist()
    return found


@settings(SETTINGS, max_examples=1500)
@given(drawn=digraphs())
def test_dominators_are_those_of_networkx(drawn: tuple[int, list[tuple[int, int]], list[int]]) -> None:
    n, edges, roots = drawn
    other = networkx.DiGraph([*edges, *((ROOT, root) for root in roots)])
    other.add_nodes_from([*range(n), ROOT])
    expected = networkx.immediate_dominators(other, ROOT)
    expected.pop(ROOT, None)
    assert dominators_of(graph_of(n, edges), roots) == [
        NO_OBJECT if v not in expected else VIRTUAL_ROOT if expected[v] == ROOT else expected[v]
        for v in range(n)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_walks_over_many_objects_are_those_of_networkx(seed: int) -> None:
    """More objects at once than a flood serves together, and than a walk looks ahead."""
    draw = np.random.default_rng(seed)
    n = 3_000
    # Few with many references, many with few, and some with none: stacks and queues grow and end.
    degrees = draw.choice([0, 0, 1, 2, 3, 400], n, p=[0.2, 0.2, 0.2, 0.2, 0.19, 0.01])
    edges = [(v, int(t)) for v, degree in enumerate(degrees) for t in draw.integers(0, n, degree)]
    if seed % 2:  # many small parts, which hang on roots alone
        edges = [(v, t) for v, t in edges if abs(v - t) < 200]
    roots = draw.choice(n, 40, replace=False).tolist()
    other = networkx.DiGraph([*edges, *((ROOT, root) for root in roots)])
    other.add_nodes_from([*range(n), ROOT])
    distances = networkx.single_source_shortest_path_length(other, ROOT)
    reached = set(distances) - {ROOT}
    graph, members = graph_of(n, edges), np.sort(np.array(roots, np.uint32))
    for found in (reached_without(graph, members), *strengths(graph, members)):
        assert set(indices_in(found).tolist()) == reached
    parents = shortest_parents(graph, members).tolist()
    for v in range(n):
        if v not in reached:
            assert parents[v] == NO_OBJECT
        elif parents[v] == VIRTUAL_ROOT:
            assert v in roots
        else:
            assert other.has_edge(parents[v], v)
            assert distances[parents[v]] == distances[v] - 1
    without = other.copy()
    taken = draw.choice(n, 30, replace=False)
    without.remove_nodes_from(taken.tolist())
    left = networkx.descendants(without, ROOT)
    assert set(indices_in(reached_without(graph, members, taken.astype(np.int64))).tolist()) == left
    expected = networkx.immediate_dominators(other, ROOT)
    assert dominators_of(graph, roots) == [
        NO_OBJECT if v not in reached else VIRTUAL_ROOT if expected[v] == ROOT else expected[v]
        for v in range(n)
    ]


@pytest.mark.parametrize("length", [200_000])
def test_a_long_list_whose_payload_is_shared_takes_linear_time(length: int) -> None:
    """A list and an array hold the same objects: every payload's dominator is the holder of both.

    A walk up the dominator tree for each payload would take 20 billion steps here.
    """
    first_node, first_payload, array, holder = 0, length, 2 * length, 2 * length + 1
    edges = [(holder, first_node), (holder, array)]
    edges += [(first_node + i, first_node + i + 1) for i in range(length - 1)]
    edges += [(first_node + i, first_payload + i) for i in range(length)]
    edges += [(array, first_payload + i) for i in range(length)]
    edges += [(first_payload + i, first_payload + i) for i in range(length)]  # no leaves
    found = dominators_of(graph_of(2 * length + 2, edges), [holder])
    assert found[first_payload:array] == [holder] * length
    assert found[1:length] == list(range(length - 1))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"roots='eclipse'; it is one of mat, plain"):
        Options(roots="eclipse")  # type: ignore[arg-type]


def test_an_unknown_kind_of_root_is_named(tmp_path: Path) -> None:
    builder = DumpBuilder()
    builder.root("JNI_GLOBAL", builder.instance("java.lang.Object"))
    with (
        heapscope.open(builder.dump().save(tmp_path / "a.hprof"), use_index=False) as heap,
        pytest.raises(ValueError, match="no GC root is of kind 'JNI globals'; the kinds are: "),
    ):
        heap.objects("*").retained_bytes(without_roots=["JNI globals"])
