"""Path shapes on random heaps against their definition, and on snapshots whose growth is known."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import heapscope
from heapscope.analysis.growth import path_groups as groups_module
from heapscope.analysis.growth.path_groups import find_path_groups
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.retention.edge_names import names
from tests.property.test_graph_vs_naive import SETTINGS
from tests.support.dumps import DumpBuilder
from tests.support.graphs import heap_graphs
from tests.support.model import Dump
from tests.support.naive_graph import ROOT, naive_graph
from tests.support.oracle import read_oracle

Step = tuple[str, ...]


def kind_of(heap: heapscope.Heap, row: int) -> str:
    own = np.nonzero(heap.class_objects == row)[0]
    if own.size:
        return f"class {heap.classes[int(own[0])].name}"
    return heap.classes[int(heap.columns.class_index[row])].name


def naive_parents(heap: heapscope.Heap) -> dict[int, int]:
    """Row to the row before on a shortest path; of several the one whose kind comes first by name."""
    graph = naive_graph(read_oracle(heap.path.read_bytes()))
    ids = heap.columns.object_ids.tolist()
    rows = {object_id: row for row, object_id in enumerate(ids)}
    distances = graph.distances(())
    found: dict[int, int] = {}
    for target, distance in distances.items():
        before = [s for s in distances if distances[s] == distance - 1 and target in graph.strong[s]]
        if before:
            found[rows[target]] = min((rows[s] for s in before), key=lambda row: kind_of(heap, row))
    return found


def settled_parents(heap: heapscope.Heap) -> list[int]:
    room, other = np.empty(heap.object_count + 1, np.uint32), np.empty(heap.object_count + 1, np.uint32)
    found: list[int] = groups_module._settled_parents(heap.graph, room, other).tolist()
    return found


def step_of(heap: heapscope.Heap, parent: int, row: int) -> Step:
    """``FileSystem.CACHE (static)``, from the names of `holds.names`; elements are not told apart."""
    name = names(heap.graph, parent, row)[0]
    return ("[]" if name.startswith("[") else name, kind_of(heap, row))


@SETTINGS
@given(dump=heap_graphs())
def test_shapes_are_those_of_the_paths(dump: Dump, tmp_path: Path) -> None:
    path = dump.save(tmp_path / "d.hprof")
    with heapscope.open(path, use_index=False) as heap:
        found = find_path_groups(heap.graph)
        expected_parents = naive_parents(heap)
        graph = naive_graph(read_oracle(path.read_bytes()))
        ids = heap.columns.object_ids.tolist()
        parents = settled_parents(heap)
        reached = [row for row, parent in enumerate(parents) if parent != NO_OBJECT]
        assert set(reached) == {row for row in range(len(ids)) if found.of_object[row] != NO_OBJECT}
        for row, parent in expected_parents.items():
            # Holders of one kind are all as good.
            assert kind_of(heap, parents[row]) == kind_of(heap, parent)
            assert graph.distances(())[ids[parents[row]]] + 1 == graph.distances(())[ids[row]]

        def path_of(row: int) -> tuple[Step, ...]:
            if parents[row] == VIRTUAL_ROOT:
                return (("root", kind_of(heap, row), str(found.labels[found.of_object[row]])),)
            before = path_of(parents[row])
            if kind_of(heap, row) == kind_of(heap, parents[row]):
                return before
            return (*before, step_of(heap, parents[row], row))

        members: dict[tuple[Step, ...], list[int]] = defaultdict(list)
        for row in reached:
            members[path_of(row)].append(row)
        by_shape: dict[int, list[int]] = defaultdict(list)
        for row in reached:
            by_shape[int(found.of_object[row])].append(row)
        assert sorted(map(sorted, members.values())) == sorted(map(sorted, by_shape.values()))
        dominators = graph.dominators()
        sizes = dict(zip(ids, heap.shallow_sizes.tolist(), strict=True))
        for shape, rows in by_shape.items():
            mine = {ids[row] for row in rows}
            assert found.counts[shape] == len(rows)
            assert found.shallow_bytes[shape] == sum(sizes[each] for each in mine)
            top = 0
            for each in mine & dominators.keys():
                above, is_below = dominators[each], False
                while above != ROOT:
                    is_below |= above in mine
                    above = dominators[above]
                if not is_below:
                    top += sum(sizes[kept] for kept in graph.retained({each}))
            assert found.retained_bytes[shape] == top


def test_tables_grow_as_they_have_to(tmp_path: Path) -> None:
    """More shapes than the first table holds: chains of classes that alternate."""
    d = DumpBuilder()
    for i in range(120):
        d.cls(f"a.C{i}", fields={"next": "Object", "other": "Object"})
    for first in range(70):
        held = 0
        for i in range(80):
            held = d.instance(f"a.C{(first + i * (1 + first % 7)) % 120}", next=held)
        d.root("JNI_GLOBAL", held)
    path = d.dump().save(tmp_path / "many.hprof")
    with heapscope.open(path) as heap:
        found = find_path_groups(heap.graph)
        assert len(found.labels) > 4096
        assert found.counts.sum() == (heap.nearest.parents != NO_OBJECT).sum()
        assert len(set(zip(found.parents.tolist(), found.labels, found.classes, strict=True))) == len(
            found.labels
        )


def test_a_list_is_one_shape_and_deep_paths_end(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "Object"})
    d.cls("a.Link", fields={"next": "Object"})
    plain = alternating = 0
    for i in range(2000):
        plain = d.instance("a.Node", next=plain)
        alternating = d.instance("a.Node" if i % 2 else "a.Link", next=alternating)
    d.root("JNI_GLOBAL", plain)
    d.root("THREAD_BLOCK", alternating)
    path = d.dump().save(tmp_path / "deep.hprof")
    with heapscope.open(path) as heap:
        found = find_path_groups(heap.graph)
        counts = {found.text(s): int(found.counts[s]) for s in range(1, len(found.labels))}
        assert counts["JNI global -> a.Node"] == 2000
        assert max(int(found.of_object[row]) for row in range(4000)) < 300
        assert found.counts.sum() == (heap.nearest.parents != NO_OBJECT).sum()


def test_growth_begins_where_its_holder_does_not_grow(tmp_path: Path) -> None:
    from tests.unit.analysis.leak import leak_builder

    paths = []
    for place, count in enumerate((2, 5, 9)):
        d = leak_builder(count, has_globals=False)
        d.timestamp_ms += place
        for _ in range(4 - place):  # fewer and fewer
            d.root("THREAD_BLOCK", d.instance("a.Job"))
        paths.append(d.dump().save(tmp_path / f"{place}.hprof"))
    growth = heapscope.snapshots(paths).growth("path")
    # The thread's stack holds the first of the file systems; what a file system holds is not told again.
    names_found = [key.name for key in growth.keys]
    node = "FileSystem.CACHE (static) -> FileSystem$Cache.map -> HashMap.table -> HashMap$Node[] -> "
    assert any(name.startswith(node) for name in names_found)
    assert not any("a.Job" in name or "Configuration" in name for name in names_found)
    assert growth.keys[0].retained is not None


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_holders_the_first_by_name_in_every_dump(tmp_path: Path, order: int) -> None:
    d = DumpBuilder()
    d.cls("a.Holder", fields={"held": "Object"})
    d.cls("b.Holder", fields={"held": "Object"})
    held = d.instance("java.lang.Object")
    for name in ("a.Holder", "b.Holder")[::order]:
        d.root("JNI_GLOBAL", d.instance(name, held=held))
    path = d.dump().save(tmp_path / "two.hprof")
    with heapscope.open(path) as heap:
        found = find_path_groups(heap.graph)
        texts = [found.text(shape) for shape in range(1, len(found.labels))]
    assert "JNI global -> Holder.held -> java.lang.Object" in texts
    with heapscope.open(path) as heap:
        row = heap.index_of(held)
        assert kind_of(heap, settled_parents(heap)[row]) == "a.Holder"
