"""Tables on a terminal: as wide as it is, no wider."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from heapscope.analysis.snapshots import snapshots
from heapscope.cli.common.answer import Answer, Column, snapshot_lines, total
from heapscope.cli.common.terminal import draw
from heapscope.cli.diff import _COLUMNS as _DIFF_COLUMNS
from heapscope.cli.histogram import _COLUMNS
from heapscope.cli.trend import _COLUMNS as _TREND_COLUMNS
from heapscope.table import Table
from tests.unit.cli.conftest import write_histogram

LONG = "org.apache.hadoop.security.UserGroupInformation$HadoopLoginModule$Inner$Deeper"


ROOT = Path(__file__).parents[4]


def drawn(answer: Answer, width: int) -> list[str]:
    file = io.StringIO()
    draw(answer, answer.table, Console(file=file, width=width, force_terminal=True, color_system=None))
    return file.getvalue().splitlines()


def answer_of(columns: tuple[Column, ...], table: Table, *sums: str) -> Answer:
    return Answer("test", table, columns, (), totals=total(table, *sums))


@pytest.fixture
def large(tmp_path: Path) -> list[Path]:
    """Two snapshots with figures as large as they come."""
    return [
        write_histogram(
            tmp_path / f"big-{i}.txt", [(LONG, 33_123_456 * i, 12_345_678_901 * i), ("[B", i, 16 * i)], i
        )
        for i in (1, 2, 3)
    ]


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


@pytest.mark.parametrize("width", [60, 80, 100, 240])
@pytest.mark.parametrize("kind", ["histogram", "diff", "trend"])
def test_tables_fit_and_cut_no_figure(large: list[Path], kind: str, width: int) -> None:
    found = snapshots(large)
    if kind == "histogram":
        answer = answer_of(_COLUMNS, found[0].histogram, "instance_count", "shallow_bytes")
    elif kind == "diff":
        answer = answer_of(_DIFF_COLUMNS, found.diff_table(), "shallow_bytes_delta")
    else:
        answer = answer_of(_TREND_COLUMNS, found.trend_table(), "shallow_bytes_per_snapshot")
    lines = drawn(answer, width)
    assert max(cell_len(line) for line in lines) <= width
    (row,) = [line for line in lines if line.rstrip().endswith("Deeper")]
    *figures, name = row.split()
    assert all(re.fullmatch(r"[+-]?[\d,]+(\.\d)?|yes|no", figure) for figure in figures)
    assert len(figures) >= 2
    assert name == LONG or (name.startswith("…") and len(name) >= 15)
    if width == 240:
        assert name == LONG
        assert len(figures) == len(answer.columns) - 1
    left_out = len(answer.columns) - 1 - len(figures)
    assert any(f"{left_out} more column" in line for line in lines) == (left_out > 0)


def test_names_are_text_and_no_markup(tmp_path: Path) -> None:
    path = write_histogram(tmp_path / "a.txt", [("a.[red]B[/red]:smile:", 1, 16), ("a.\x1b[2JC", 1, 16)], 1)
    found = snapshots([path])
    lines = "\n".join(
        drawn(Answer("test", found[0].histogram, _COLUMNS, found, heading=snapshot_lines(found)), 80)
    )
    assert "a.[red]B[.red]:smile:" in lines
    assert "\x1b" not in lines
    assert r"a.\x1b[2JC" in lines


def test_a_terminal_gets_thirty_rows_that_fit(tmp_path: Path) -> None:
    path = write_histogram(tmp_path / "many.txt", [(f"a.{LONG}{i}", 1, 16) for i in range(100)], 1)
    code, seen = on_terminal("histogram", path, columns=60, cache=tmp_path)
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert plain.count("Inner$Deeper") == 30
    assert "30 of 100 classes; --top 0 shows all" in plain
    assert all(cell_len(line) <= 60 for line in plain.splitlines() if "Deeper" in line)
