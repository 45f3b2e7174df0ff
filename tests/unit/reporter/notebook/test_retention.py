"""Cards of who holds what."""

from __future__ import annotations

from typing import Any

from heapscope.heap.retention.paths import paths
from tests.unit.reporter.notebook.conftest import BAD, page


def test_paths_are_a_tree_with_counts(heap: Any) -> None:
    members = heap.objects(f"app.{BAD}")
    text = page(members.paths_to_gc_roots()).text
    assert text.startswith("What holds 40 instances of")
    assert "40 x Cache.table → Object[] →" in text
    (path,) = paths(heap.graph, int(members.indices[0]), 1)
    text = page(path).text
    assert "GC root: system class" in text
    assert ".table" in text


def test_suspects_are_folded_but_for_the_first(heap: Any) -> None:
    suspects = heap.suspects(0.01)
    found = page(suspects)
    assert len(found.named("details")) >= len(suspects) > 0
    assert "open" in found.named("details")[0]
    for suspect in suspects:
        assert f"{suspect.share:.1%}" in found.text
        assert f"{suspect.share:.1%}" in page(suspect).text
