"""``heapscope mcp``: what it refuses before it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.agent.settings import Settings
from heapscope.cli import main


def test_what_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []
    monkeypatch.setattr("heapscope.agent.server.serve", served.append)
    log = tmp_path / "worker.log"
    log.write_text("x")
    monkeypatch.chdir(tmp_path)
    assert main(["mcp"]) == 0
    assert main(["mcp", "worker.log", str(tmp_path), "--allow-collect", "--answer-bytes", "2000"]) == 0
    assert served[0] == Settings((str(tmp_path),))
    assert served[1] == Settings((str(log), str(tmp_path)), collect_to=str(tmp_path), answer_bytes=2000)
    assert all(Settings.from_json(each.to_json()) == each for each in served)


def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "worker.log"
    log.write_text("x")
    assert main(["mcp", str(log), "--allow-collect"]) == 2
    assert "--allow-collect needs a DIR" in capsys.readouterr().err
    assert main(["mcp", str(tmp_path / "nothing")]) == 3
    assert "nothing: no such file or directory" in capsys.readouterr().err
