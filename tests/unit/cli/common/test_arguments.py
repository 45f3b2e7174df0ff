"""What arguments name, and what they say where it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import Run


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return leak_dump(tmp_path)


def test_what_is_not_there_is_one_clear_line(run: Run, dump: Path) -> None:
    ran = run("paths", dump, "org.apache.hadoop.fs.FileSytem")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1
    assert "FileSystem" in ran.err
    assert run("paths", dump, "0x12").code == 3
    assert run("paths", dump, "0xyz").code == 2
    assert run("dominators", dump, "--of", "zz").code == 2
