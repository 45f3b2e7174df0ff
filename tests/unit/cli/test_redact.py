"""The command redact."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.cli import main
from tests.unit.parser.redaction.planted import planted


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
