"""The live table, plain lines and misuse of ``heapscope watch``."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from heapscope.analysis.memory.history import WatchHistory
from heapscope.cli.common.sparkline import sparkline
from heapscope.cli.watch_screen import Screen
from heapscope.collector.memory import Sample
from tests.unit.cli.conftest import Run
from tests.unit.collector.test_sample_file import sample


def grown(number: int, **changes: object) -> Sample:
    megabytes = (300 + 20 * number) * 1_000_000
    values = {"rss_bytes": megabytes, "heap_rss_bytes": megabytes - 200_000_000, "role": "worker"}
    return sample(number, **values, **changes)


def test_the_table_fits_80_columns_and_shows_who_grew_most_first() -> None:
    history = WatchHistory()
    for number in range(20):
        quiet = sample(number, pid=8, rss_bytes=50_000_000, role="\x1b[31mevil")
        history.add(map(asdict, [quiet, grown(number, old_after_gc_bytes=number * 20_000_000)]))
    console = Console(file=io.StringIO(), width=80, height=24, highlight=False, markup=False)
    console.print(Screen(console).drawn([quiet, grown(19)], history))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
    assert lines[2].split()[:3] == ["7", "worker", "680.0"]
    assert "java heap" in lines[2]
    assert lines[3].startswith("  8")
    assert "steady" in lines[3]
    assert "2 processes; watched for 19 s" in lines[4]


def test_a_process_without_a_role_has_its_main_class() -> None:
    history = WatchHistory()
    last = sample(1, pid=8, role=None)
    name = "com.acme.trading.frontend.QuotationServer"
    history.add([asdict(last)], {(last.pid, last.start_ticks): name})
    assert history.processes[0].name == f"{name} (pid 8)"
    for width, shown in ((80, "…ationServer"), (120, name)):
        console = Console(file=io.StringIO(), width=width, height=24, highlight=False, markup=False)
        console.print(Screen(console).drawn([last], history))
        heading, _, row, *_ = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert row.split()[1] == shown
        assert len(row) <= width
        assert "rss MB" in heading


def test_what_levelled_off_and_what_else_grew_is_shown() -> None:
    history = WatchHistory()
    for number in range(40):
        size = min(number, 12) * 30_000_000
        figures = {"full_gc_count": number, "heap_max_bytes": 10**9, "swap_bytes": 0, "heap_swap_bytes": 0}
        figures |= {"rss_bytes": 300_000_000 + 2 * size, "heap_rss_bytes": size, "old_after_gc_bytes": size}
        history.add([asdict(sample(number, **figures, gc_count=number))])
    console = Console(file=io.StringIO(), width=80, height=24, highlight=False, markup=False)
    last = sample(39, rss_bytes=1, heap_rss_bytes=1)
    console.print(Screen(console).drawn([last], history))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    assert ", level +1" in lines[2]


def test_more_processes_than_lines() -> None:
    history = WatchHistory()
    samples = [sample(1, pid=pid, rss_bytes=pid) for pid in range(1, 100)]
    history.add(map(asdict, samples))
    console = Console(file=io.StringIO(), width=80, height=24, highlight=False, markup=False)
    console.print(Screen(console).drawn(samples, history))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= 24
    assert "the 19 that grew most are shown" in lines[-1]


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([1.0], "▁"),
        ([100, 101, 102, 103], "▁▂▄▅"),
        ([0, 50, 100], "▁▅█"),
        (list(range(30)), "▁▃▅▇█"),
        ([0, 0], "▁▁"),
    ],
)
def test_sparklines(values: list[float], bars: str) -> None:
    assert sparkline(values, 5)[: len(bars)] == bars[:5]
    assert len(sparkline(values, 5)) == min(len(values), 5)


def test_misuse_is_one_line(run: Run, tmp_path: Path) -> None:
    assert run("watch", "1", "--role", "ps").code == 2
    assert run("watch", "--every", "soon").code == 2
    assert run("watch", str(2**22 + 1)).code == 3
    assert "heapscope ps" in run("watch", str(2**22 + 1)).err
    missing = run("plot", tmp_path / "none.csv")
    assert missing.code == 3
    assert missing.err.count("\n") == 1
    assert run("plot", tmp_path / "none.csv", "-o", tmp_path / "x.txt").code == 2
    assert list(tmp_path.iterdir()) == []
