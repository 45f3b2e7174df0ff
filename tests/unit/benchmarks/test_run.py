"""The benchmark against cat and peers, as far as it goes without a dump."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import run


def test_a_large_dump_is_made_where_no_benchmark_ran_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "make_dump", lambda *_, **__: sys.exit("no JDK"))
    with pytest.raises(SystemExit, match="no JDK"):
        run.large(None)
    assert list((tmp_path / "build" / "bench").iterdir()) == []
