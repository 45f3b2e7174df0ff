"""VisualVM's heap library as the peer on real dumps: counts, sizes, retained sizes, distance to a root.

It follows all referents, as ``semantics="mat"`` does, but not from an object to its class, and to it a
class object takes nothing; so what retains class objects is not comparable.  Shallow sizes
are the JVM's but for classes with @Contended fields, threads and class loaders with injected ones.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.object_set import ObjectSet
from tests.support.visualvm import HeapFacts, read_facts

DUMPS = Path(__file__).parents[2] / "sample_dumps"
pytestmark = [pytest.mark.jvm, pytest.mark.visualvm]


@pytest.fixture(scope="module", params=["leak-4", "jdk21-leak-1"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HeapFacts]:
    folder = tmp_path_factory.mktemp("visualvm")
    packed = DUMPS / f"{request.param}.hprof.gz"
    plain = folder / "a.hprof"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    return packed, read_facts(plain, folder, 150)


def test_instances_and_sizes_of_classes(both: tuple[Path, HeapFacts]) -> None:
    dump, facts = both
    with heapscope.open(dump, use_index=False) as heap:
        found = {row["class_name"]: row for row in heap.histogram().rows()}
    expected = {name: row for name, row in facts.classes.items() if row[0]}
    del expected["java.lang.Class"]  # VisualVM counts what has an instance record only
    assert len(expected) > 1000
    assert {name: found[name]["instance_count"] for name in expected} == {
        name: count for name, (count, _) in expected.items()
    }
    other = [name for name, (_, size) in expected.items() if found[name]["shallow_bytes"] != size]
    assert len(other) < 0.02 * len(expected)
    assert "java.lang.String" not in other
    assert not [name for name in other if name.endswith("[]")]


def test_retained_sizes_and_distance_to_a_root(both: tuple[Path, HeapFacts]) -> None:
    dump, facts = both
    with (
        heapscope.open(dump, use_index=False) as exact,
        heapscope.open(dump, semantics="mat", use_index=False) as heap,
    ):
        class_index = heap.columns.class_index
        sizes = exact.shallow_sizes
        for row, java_class in enumerate(heap.classes):
            count, whole = facts.classes.get(java_class.name, (0, 0))
            if count and not java_class.is_array and java_class.name != "java.lang.Class":
                sizes[class_index == row] = whole // count
        class_objects = heap.class_objects[heap.class_objects >= 0]
        parents = heap.nearest.parents
        compared = 0
        others: list[tuple[np.ndarray[Any, Any], int, int]] = []
        for one in facts.biggest:
            index = heap.index_of(one.object_id)
            steps, at = 0, index
            while parents[at] < VIRTUAL_ROOT:
                steps, at = steps + 1, int(parents[at])
            assert steps == one.steps_to_root
            kept = ObjectSet(heap.graph, np.array([index])).retained().indices
            if not np.isin(kept, class_objects).any():
                compared += 1
                if sizes[kept].sum() != one.retained_bytes:
                    others.append((kept, int(sizes[kept].sum()), one.retained_bytes))
        assert compared > 100
        # Where weak and soft references lead, VisualVM sees some of the referents held elsewhere too;
        # Eclipse MAT does not (test_mat_figures).
        assert len(others) <= 5
        sources = heap.references.referents.sources
        for kept, ours, theirs in others:
            assert np.isin(kept, sources).any()
            assert theirs < ours < 1.03 * theirs
