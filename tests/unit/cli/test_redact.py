"""``heapscope redact``: a copy without values, and keys that cannot be guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from tests.unit.cli.conftest import Run
from tests.unit.parser.redaction.planted import planted


def test_the_copy_has_the_graph_and_no_values(run: Run, dump: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.hprof"
    assert b"hunter2" in dump.read_bytes()
    assert run("redact", dump, copy).code == 0
    assert b"hunter2" not in copy.read_bytes()
    with heapscope.open(dump, use_index=False) as heap, heapscope.open(copy, use_index=False) as redacted:
        assert redacted.object_count == heap.object_count
        assert redacted.shallow_bytes == heap.shallow_bytes
    assert run("redact", dump, copy).code == 3  # it is there


def test_a_key_is_long_and_for_names(run: Run, dump: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("short")
    assert run("redact", dump, tmp_path / "a.hprof", "--names", "--key", key).code == 2
    key.write_text("long enough to be no guess")
    assert run("redact", dump, tmp_path / "a.hprof", "--key", key).code == 2
    assert run("redact", dump, tmp_path / "a.hprof", "--names", "--key", key).code == 0


def test_the_copy_is_the_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = planted().dump().save(tmp_path / "in.hprof")
    out = tmp_path / "out.hprof.gz"
    assert main(["redact", str(path), str(out)]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_bytes()[:2] == b"\x1f\x8b"
    assert main(["redact", str(path), str(out)]) == 3
    assert "exists already" in capsys.readouterr().err
    assert main(["redact", str(path), str(path), "--force"]) == 3
    assert main(["redact", str(path), str(out), "--force", "--names"]) == 0
    assert main(["redact", str(path), str(out), "--key", str(path)]) == 2
    path.write_bytes(path.read_bytes()[:-40])
    gone = tmp_path / "gone.hprof"
    assert main(["redact", str(path), str(gone)]) == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.hprof", "out.hprof.gz"]
