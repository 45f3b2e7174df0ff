"""Progress: a bar where somebody looks, else a line now and then."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest

from heapscope.cli.common.progress import (
    COMPILING,
    QUIET_VARIABLE,
    Work,
    _ToldWork,
    is_quiet,
    quiet_option,
    work,
)
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
    for name in ("NO_COLOR", "FORCE_COLOR", "NUMBA_CACHE_DIR", QUIET_VARIABLE):
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


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert os.environ[QUIET_VARIABLE], "all tests run so: no line may depend on how busy a machine is"
    with work() as at:
        assert at.progress is no_progress
        assert list(at.each([tmp_path / "a", tmp_path / "b"])) == [tmp_path / "a", tmp_path / "b"]
    assert capsys.readouterr() == ("", "")


def test_the_option_is_the_variable_for_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(QUIET_VARIABLE)
    seen = []

    @click.command()
    @quiet_option
    def command() -> None:
        seen.append(is_quiet())

    command.main(["--quiet"], standalone_mode=False)
    command.main([], standalone_mode=False)
    assert seen == [True, False]


def test_a_pipe_gets_a_line_after_5_seconds_and_then_every_30(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    now = [0.0]
    waited = []

    def wait(seconds: float) -> bool:
        """Time goes on, and the work with it: a tenth at the first wait, then a third."""
        waited.append(seconds)
        now[0] += seconds
        at.progress("counting", 10 * len(waited), 100)
        return len(waited) == 4

    at = _ToldWork(wait, lambda: now[0])
    at.name(tmp_path / "\x1b[31mworker-3.hprof", " (2 of 4)")
    at.progress("counting", 0, 100)
    at.tell()
    out, err = capsys.readouterr()
    assert out == ""
    assert waited == [5, 30, 30, 30]
    counting = r"heapscope: counting \x1b[31mworker-3.hprof (2 of 4)"
    assert err.splitlines() == [
        f"{counting}: 10%, about 45 s left of this step",
        f"{counting}: 20%, about 2 min 20 s left of this step",
        f"{counting}: 30%, about 2 min 32 s left of this step",
    ]


def test_without_news_the_time_so_far_is_said(tmp_path: Path) -> None:
    now = [0.0]
    at = _ToldWork(lambda _: True, lambda: now[0])
    now[0] = 5
    assert at.line() == "at work for 5 s"
    at.name(tmp_path / "worker-3.hprof")
    now[0] = 35
    assert at.line() == "at work on worker-3.hprof for 35 s"
    at.progress("counting", 7, 7)
    now[0] = 65
    assert at.line() == "at work on worker-3.hprof for 1 min 5 s"


def test_outside_of_a_terminal_too_the_compilation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    at = _ToldWork(lambda _: True, lambda: 0.0)
    monkeypatch.setattr("heapscope.machine_code.is_compiling", lambda: True)
    assert at.line() == "at work for 0 s: compiling heapscope's loops, once"


def test_work_that_is_done_is_told_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(QUIET_VARIABLE)
    threads = threading.active_count()
    with work() as at:
        at.progress("counting", 1, 2)
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads
    with pytest.raises(KeyError), work():
        raise KeyError
    assert threading.active_count() == threads
    assert capsys.readouterr().out == ""


def test_the_first_compilation_is_announced(tmp_path: Path) -> None:
    path = write_histogram(tmp_path / "a.txt", [("a.B", 1, 16)], 1)
    _, seen = on_terminal("histogram", path, cache=tmp_path / "new")
    assert COMPILING in seen
    _, seen = on_terminal("histogram", path, "--quiet", cache=tmp_path / "newer")
    assert COMPILING not in seen
    assert "a.B" in seen


def test_bars_show_percent_and_time_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv(QUIET_VARIABLE)
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
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert max(len(line) for line in re.split(r"[\r\n]", plain)) <= 80
    assert "counting a.hprof (1 of 2)" in seen
    assert r"counting \x1b[31mb.hprof (2 of 2)" in seen
    assert "50%" in seen
    assert re.search(r"-:--:--|\d:\d\d:\d\d", seen)
    assert COMPILING not in seen


def test_a_bar_of_a_long_name_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=console, auto_refresh=False)
    at = Work(bars)
    names = [tmp_path / f"worker-3.20261129T10000{number}.184213Z.hprof.zst" for number in range(4)]
    for _ in at.each(names):
        at.progress("locating objects", 1, 3)
        row = console.render_lines(bars.get_renderable(), pad=False)[-1]
        text = "".join(segment.text for segment in row)
        assert text.endswith("-:--:--")
        assert "hprof.zst (" in text
        assert " 33%" in text
