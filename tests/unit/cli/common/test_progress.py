"""Progress bars: only where somebody looks."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heapscope.cli.common.progress import COMPILING, work
from heapscope.progress import no_progress
from tests.unit.cli.conftest import write_histogram

ROOT = Path(__file__).parents[4]


def on_terminal(*words: str | Path, columns: int = 80, cache: Path) -> tuple[int, str]:
    """Run heapscope on a pseudo-terminal; its exit code and all that it wrote there."""
    main, other = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": str(columns),
        "TERM": "xterm-256color",
        "HEAPSCOPE_CACHE_DIR": str(cache),
        "PYTHONIOENCODING": "utf-8",
    }
    for name in ("NO_COLOR", "FORCE_COLOR", "NUMBA_CACHE_DIR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "heapscope", *map(str, words)],
        stdin=other, stdout=other, stderr=other, env=environment, cwd=ROOT,
    )  # fmt: skip
    os.close(other)
    seen = b""
    while True:
        try:
            piece = os.read(main, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    return process.wait(60), seen.decode()


def test_no_bars_without_a_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with work() as at:
        assert at.progress is no_progress
        assert list(at.each([tmp_path / "a", tmp_path / "b"])) == [tmp_path / "a", tmp_path / "b"]
    assert capsys.readouterr() == ("", "")


def test_the_first_compilation_is_announced(tmp_path: Path) -> None:
    path = write_histogram(tmp_path / "a.txt", [("a.B", 1, 16)], 1)
    _, seen = on_terminal("histogram", path, cache=tmp_path / "new")
    assert COMPILING in seen


def test_bars_show_percent_and_time_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr("heapscope.machine_code.is_compiled", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with work() as at:
        for path in at.each([tmp_path / "a.hprof", tmp_path / "\x1b[31mb.hprof"]):
            assert path.parent == tmp_path
            at.progress("counting", 25, 100)
            at.progress("counting", 50, 100)
            assert at._bars is not None
            at._bars.refresh()
    seen = stderr.getvalue()
    assert "counting a.hprof (1 of 2)" in seen
    assert r"counting \x1b[31mb.hprof (2 of 2)" in seen
    assert "50%" in seen
    assert re.search(r"-:--:--|\d:\d\d:\d\d", seen)
    assert COMPILING not in seen
