"""The dominator tree by class, from the top down, against walks object by object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.objects import kernels
from heapscope.heap.objects.text_search import _prepared, strings_with
from heapscope.heap.retention.by_group import package_of
from heapscope.heap.retention.class_paths import find_class_paths, node_of
from heapscope.heap.retention.dominator_tree import members_at, tree_groups
from tests.support.dumps import DumpBuilder

SAMPLE = Path(__file__).parents[4] / "sample_dumps" / "healthy-1.hprof.gz"


@pytest.fixture(scope="module")
def heap() -> Iterator[heapscope.Heap]:
    with heapscope.open(SAMPLE, use_index=False) as found:
        yield found


def naive_ways(heap: heapscope.Heap) -> dict[int, tuple[str, ...]]:
    """Of each retained object the names down to it, runs of one name folded."""
    graph = heap.graph
    mirrored = {
        int(index): f"class {graph.classes[row].name}"
        for row, index in enumerate(graph.class_objects.tolist())
        if index >= 0
    }
    immediate = graph.immediate_dominators.tolist()
    class_index = graph.columns.class_index.tolist()
    found: dict[int, tuple[str, ...]] = {VIRTUAL_ROOT: ()}
    for start in range(len(immediate)):
        pending = [start] if immediate[start] != NO_OBJECT else []
        while pending:
            at = pending[-1]
            above = immediate[at]
            if above not in found:
                pending.append(above)
                continue
            name = mirrored.get(at) or graph.classes[class_index[at]].name
            way = found[above]
            found[at] = way if way and way[-1] == name else (*way, name)
            pending.pop()
    del found[VIRTUAL_ROOT]
    return found


def test_every_object_counts_at_its_way(heap: heapscope.Heap) -> None:
    graph = heap.graph
    paths = find_class_paths(graph)
    ways = naive_ways(heap)
    unit = graph.columns.unit_bytes
    counts: Counter[tuple[str, ...]] = Counter()
    shallow: Counter[tuple[str, ...]] = Counter()
    retained: Counter[tuple[str, ...]] = Counter()
    for index, way in ways.items():
        counts[way] += 1
        shallow[way] += int(graph.columns.size_units[index]) * unit
        above = int(graph.immediate_dominators[index])
        if ways.get(above) != way:
            retained[way] += int(graph.retained_units[index]) * unit
    found = {tuple(paths.name(each) for each in paths.way(node)): node for node in range(1, len(paths))}
    assert len(found) == len(paths) - 1
    assert {way: int(paths.object_counts[node]) for way, node in found.items()} == counts
    assert {way: int(paths.shallow_bytes[node]) for way, node in found.items()} == shallow
    assert {way: int(paths.retained_bytes[node]) for way, node in found.items()} == retained
    for index in list(ways)[:: len(ways) // 300]:
        assert node_of(graph, index) == found[ways[index]]
    example = int(paths.examples[found[max(retained, key=lambda way: retained[way])]])
    assert ways[example] == max(retained, key=lambda way: retained[way])


def test_weights_add_up_to_all_that_is_retained(heap: heapscope.Heap) -> None:
    paths = find_class_paths(heap.graph)
    whole = int(paths.retained_bytes[0])
    for share in (0.0, 0.001, 0.5):
        assert sum(paths.weights(share).values()) == whole
    assert len(paths.weights(0.5)) < len(paths.weights(0.001)) < len(paths.weights(0.0))


def test_what_nothing_retains_has_no_node(heap: heapscope.Heap) -> None:
    lost = np.nonzero(heap.graph.immediate_dominators == NO_OBJECT)[0]
    assert lost.size
    assert node_of(heap.graph, int(lost[0])) == -1


def test_a_list_of_many_is_one_node(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node"})
    node = 0
    for _ in range(5000):
        node = d.instance("a.Node", next=node)
    d.root("JNI_GLOBAL", node)
    (path := tmp_path / "list.hprof").write_bytes(d.dump().data)
    with heapscope.open(path, use_index=False) as heap:
        paths = find_class_paths(heap.graph)
        (node,) = (each for each in range(1, len(paths)) if paths.name(each) == "a.Node")
        assert int(paths.object_counts[node]) == 5000
        assert int(paths.retained_bytes[node]) == heap.objects("a.Node").retained_bytes()


@pytest.mark.parametrize("by", ["class", "package"])
def test_levels_of_the_tree_are_groups_of_what_is_dominated(heap: heapscope.Heap, by: str) -> None:
    graph = heap.graph

    def name(index: int) -> str:
        own = graph.classes[int(graph.columns.class_index[index])].name
        return own if by == "class" else package_of(own)

    immediate = graph.immediate_dominators
    members = np.nonzero(immediate == VIRTUAL_ROOT)[0].tolist()
    way: list[str] = []
    for _ in range(4):
        groups = tree_groups(graph, by, way)  # type: ignore[arg-type]  # one of two
        expected: dict[str, list[int]] = defaultdict(list)
        for index in members:
            expected[name(index)].append(index)
        unit = graph.columns.unit_bytes
        assert {each.name: (each.object_count, each.retained_bytes) for each in groups} == {
            key: (len(rows), int(graph.retained_units[rows].sum(dtype=np.uint64)) * unit)
            for key, rows in expected.items()
        }
        assert [each.retained_bytes for each in groups] == sorted(
            (each.retained_bytes for each in groups), reverse=True
        )
        way.append(groups[0].name)
        assert members_at(graph, by, way).tolist() == expected[groups[0].name]  # type: ignore[arg-type]
        inside = set(expected[groups[0].name])
        members = [index for index, above in enumerate(immediate.tolist()) if above in inside]
        if not members:
            break


def test_referrers_of_one_are_those_of_the_set(heap: heapscope.Heap) -> None:
    graph = heap.graph
    chosen = [0, 7, *np.linspace(0, len(graph.immediate_dominators) - 1, 60).astype(int).tolist()]
    chosen += graph.class_objects[graph.class_objects >= 0][:40].tolist()
    for index in chosen:
        sources, _ = graph.references.incoming(np.array([index]))
        assert graph.references.referrers_of(index).tolist() == np.unique(sources).tolist()


@pytest.mark.parametrize("pattern", [b"aba", b"a", b"\x00a\x00b", b"bb", b"abababab"])
def test_bytes_are_found_as_python_finds_them(pattern: bytes) -> None:
    """Places that overlap too, none beyond the end, no more than there is room for."""
    chance = np.random.default_rng(5).choice(np.frombuffer(b"ab\x00", np.uint8), 3000)
    data = np.concatenate([chance, np.frombuffer(b"ababababab", np.uint8)])
    wanted = [at for at in range(7, 2990) if data[at : at + len(pattern)].tobytes() == pattern]
    values, shifts = _prepared(pattern)
    places = np.empty(4000, np.int64)
    count = kernels.find_bytes(data, 7, 2989 + len(pattern), values, shifts, places)
    assert places[:count].tolist() == wanted
    assert kernels.find_bytes(data, 7, 2989, values, shifts, places[:2]) == min(2, len(wanted))
    assert kernels.find_bytes(data, 2999, 10**9, values, shifts, places) < 20


@pytest.mark.parametrize("text", ["java", "KERB", "ü", "/", "no string has this"])
def test_strings_with_a_text(heap: heapscope.Heap, text: str) -> None:
    expected = [
        one.index for one in heap.objects("java.lang.String", subclasses=False) if text in (one.text() or "")
    ]
    found, is_all = strings_with(heap.graph, text)
    assert is_all
    assert found.tolist() == expected
    few, is_all = strings_with(heap.graph, text, most=2)
    assert set(few.tolist()) <= set(expected)
    assert not (is_all and len(expected) > 2)
