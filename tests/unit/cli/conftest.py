"""Run the command line in this process, and snapshots to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heapscope.cli import main
from tests.support.dumps import DumpBuilder, build

HEADER = " num     #instances         #bytes  class name (module)\n" + "-" * 55 + "\n"


FILE_SYSTEM = "org.apache.hadoop.fs.FileSystem"
SYSTEM = "org.apache.hadoop.hdfs.DistributedFileSystem"


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("histogram", path)``."""

    def run_it(*arguments: str | Path) -> Ran:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run_it


def histogram_text(rows: list[tuple[str, int, int]]) -> str:
    """A class histogram as jcmd writes it: name, instances, bytes."""
    lines = [f"{i:4}: {count:13} {size:14}  {name}" for i, (name, count, size) in enumerate(rows, 1)]
    total = f"Total {sum(row[1] for row in rows):12} {sum(row[2] for row in rows):14}"
    return HEADER + "\n".join([*lines, total]) + "\n"


def write_histogram(
    path: Path, rows: list[tuple[str, int, int]], seconds: int, pid: int | None = None
) -> Path:
    """A class histogram taken so many seconds after 2026-01-01 00:00."""
    date = f"2026-01-01 00:{seconds // 60:02}:{seconds % 60:02}\n"
    named = "" if pid is None else f"{pid}:\n"  # jcmd writes it, jmap does not
    path.write_text(f"{date}{named}{histogram_text(rows)}", encoding="utf-8")
    return path


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    """Three class histograms a minute apart: a leak, something steady, something that shrinks."""
    return [
        write_histogram(
            tmp_path / f"leak-{i}.txt",
            [
                ("org.apache.hadoop.hdfs.DistributedFileSystem", 1_000 * i, 48_000 * i),
                ("java.lang.String", 5_000, 120_000),
                ("[B", 400 - 100 * i, 40_000 - 10_000 * i),
            ],
            60 * i,
        )
        for i in (1, 2, 3)
    ]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A heap dump with two file systems held through JNI, an environment and a thread."""

    def write(d: DumpBuilder) -> None:
        d.cls(FILE_SYSTEM, fields={"conf": "Object"})
        d.cls("org.apache.hadoop.hdfs.DistributedFileSystem", super_name=FILE_SYSTEM)
        for _ in range(2):
            d.root("JNI_GLOBAL", d.instance("org.apache.hadoop.hdfs.DistributedFileSystem"))
        d.process_environment({"HOME": "/home/someone", "AWS_SECRET_ACCESS_KEY": "hunter2-hunter2"})

    path = tmp_path / "two.hprof"
    path.write_bytes(build(write).data)
    return path


def histograms(
    folder: Path,
    counts: list[int],
    *,
    name: str = "s",
    step: int = 600,
    requests: tuple[int, ...] = (),
    pid: int | None = None,
) -> list[Path]:
    """Class histograms with so many file systems, and with requests that come and go."""
    folder.mkdir(exist_ok=True)
    return [
        write_histogram(
            folder / f"{name}{i}.txt",
            [
                (SYSTEM, count, 480 * count),
                ("java.lang.String", 5000, 120_000),
                ("org.app.Pool", 7, 700),
                *(("org.app.Request", each, 48 * each) for each in requests[i : i + 1]),
            ],
            i * step,
            pid,
        )
        for i, count in enumerate(counts)
    ]


@pytest.fixture
def leak(tmp_path: Path) -> list[Path]:
    return histograms(tmp_path / "leak", [1000, 2000, 3000, 4000])


@pytest.fixture
def cured(tmp_path: Path) -> list[Path]:
    return histograms(tmp_path / "cured", [1, 1, 1, 1], name="c", requests=(40, 90, 30, 60), pid=4711)


# --- growth ---


def rows_of(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    rows: list[dict[str, Any]] = json.loads(ran.out)["rows"]
    return rows
