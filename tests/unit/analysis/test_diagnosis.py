"""The facade of diagnoses: files or snapshots, one question."""

from __future__ import annotations

from pathlib import Path

import heapscope
from tests.unit.analysis.growth.series_of_dumps import leak_series


def test_files_and_snapshots_give_the_same(tmp_path: Path) -> None:
    paths = leak_series(tmp_path, [10, 20, 30])
    snapshots = heapscope.snapshots(paths)
    of_snapshots = heapscope.diagnose(snapshots)
    of_files = heapscope.diagnose(paths)
    assert of_files.findings == of_snapshots.findings
    assert of_snapshots.growth is snapshots.growth()
    assert heapscope.diagnose(paths[0]).growth is None


def test_an_open_dump_and_a_known_growth_are_taken(tmp_path: Path) -> None:
    snapshots = heapscope.snapshots(leak_series(tmp_path, [10, 20, 30]))
    growth = snapshots.growth(warm_up=0)
    with heapscope.open(snapshots[-1].path) as heap:
        found = heapscope.diagnose(snapshots, opened=heap, growth=growth)
        assert len(heap.classes) > 5  # still open
    assert found.growth is growth
    assert found.findings == heapscope.diagnose(snapshots).findings
