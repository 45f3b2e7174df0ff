"""A directory stands for the snapshots in it."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.errors import NotHprof


def test_a_directory_stands_for_its_snapshots(tmp_path: Path) -> None:
    samples = Path(__file__).parents[3] / "sample_dumps"
    for name in ("leak-1.histogram.txt", "leak-2.histogram.txt"):
        (tmp_path / name).write_bytes((samples / name).read_bytes())
    (tmp_path / ".hidden.hprof").write_bytes(b"")
    (tmp_path / "leak-1.histogram.txt.json").write_text("{}")
    assert len(heapscope.snapshots([tmp_path])) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotHprof, match=r"no name ends in \.hprof"):
        heapscope.snapshots([tmp_path / "empty"])
