"""Cards of heaps and snapshots: totals, the largest, what grew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import heapscope
from heapscope.analysis.snapshots import Snapshots
from tests.unit.reporter.notebook.conftest import page


def test_a_heap_is_its_totals_and_its_largest_classes(heap: Any) -> None:
    text = page(heap).text
    assert "<b>x.hprof" in text
    assert f"{heap.object_count} objects" in text
    assert f"{len(heap.classes)} classes" in text
    assert "4 GC root records" in text
    assert "<script>alert(1)\\u202e 40 " in text


def test_a_card_of_a_heap_makes_no_index_and_follows_no_reference(heap: Any) -> None:
    with heapscope.open(heap.path, use_index=False) as fresh:
        assert fresh._repr_html_()
        assert "graph" not in vars(fresh)
    assert fresh._repr_html_() is not None  # counted before it was closed


def test_snapshots_show_both_ends_and_what_grew(series: Snapshots) -> None:
    found = page(series)
    text = found.text
    assert text.startswith("40 snapshots from 2026-01-01 00:01:00 UTC, over 39 min")
    assert "<i>1" in text
    assert "<i>40" in text
    assert "20 more between them" in text
    assert "10 → 400 +10 +6.24 kB" in text
    assert len(found.named("svg")) == 2
    assert page(series[0]).text.startswith("<i>1 class histogram")
    assert page(series[:1]).text.startswith("1 snapshot from")
    assert "Grew" not in page(series[:1]).text
    assert page(Snapshots([])).text.startswith("No snapshots")


def test_a_part_of_a_dump_is_told_apart(heap: Any, tmp_path: Path) -> None:
    cut = tmp_path / "cut.hprof"
    cut.write_bytes(heap.path.read_bytes()[:-200])
    with heapscope.open(cut, partial=True, use_index=False) as part:
        assert "partial dump: " in page(part).text
    found = heapscope.snapshots([heap.path, cut], partial=True)
    assert "heap dump, partial" in page(found).text
