"""Retained sizes by class path: as much as a walk over the dominator tree finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.heap.graph import path_sums
from heapscope.heap.retention.by_group import find_consumers
from tests.support.dumps import DumpBuilder, build


def nested(d: DumpBuilder) -> None:
    """Trees in which classes stand above and below each other in many orders."""
    random = np.random.default_rng(3)
    names = [f"a.{letter}" for letter in "PQRSTU"] + ["b.V", "b.W"]
    for name in names:
        d.cls(name, fields={"left": "java.lang.Object", "right": "java.lang.Object"})
    objects: list[int] = []
    for _ in range(600):
        held = [objects.pop() if objects and random.random() < 0.6 else 0 for _ in range(2)]
        objects.append(d.instance(names[int(random.integers(len(names)))], left=held[0], right=held[1]))
    for each in objects:
        d.root("JNI_GLOBAL", each)


@pytest.mark.parametrize("semantics", ["jvm", "mat"])
def test_sums_are_those_of_a_walk_over_the_tree(
    tmp_path: Path, semantics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build(nested).save(tmp_path / "d.hprof")
    found = []
    for first, most in ((1 << 14, 1 << 20), (4, 1 << 20), (4, 4)):
        monkeypatch.setattr(path_sums, "_FIRST_ROOM", first)
        monkeypatch.setattr(path_sums, "_MAX_PAIRS", most)
        with heapscope.open(path, semantics=semantics, use_index=False) as heap:  # type: ignore[arg-type]
            sums = heap.graph.path_sums
            assert (sums is None) == (most == 4)
            if sums is not None:
                assert sums.pair_paths.size > 30
            consumers = find_consumers(heap.graph)
            tables = (consumers.by_class, consumers.by_package, consumers.by_loader)
            found.append([list(table.rows()) for table in tables])
    assert found[0] == found[1] == found[2]
    assert {row["name"] for row in found[0][1]} >= {"a", "b"}
