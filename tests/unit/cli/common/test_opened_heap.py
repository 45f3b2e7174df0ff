"""Options of the commands that follow references."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def test_indexes_are_kept_where_asked_for(run: Run, dump: Path, tmp_path: Path) -> None:
    folder = tmp_path / "indexes"
    assert run("dominators", dump, "--no-index", "--index-dir", folder).code == 0
    assert not folder.exists()
    first = run("dominators", dump, "--index-dir", folder)
    assert len(list(folder.iterdir())) == 1
    assert run("dominators", dump, "--index-dir", folder) == first


def test_semantics_of_mat(run: Run, dump: Path) -> None:
    assert run("histogram", dump, "--semantics", "mat").code == 0
    assert run("suspects", dump, "--semantics", "mat", "--roots", "plain", "--soft", "weak").code == 0
