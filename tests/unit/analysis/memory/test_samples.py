"""Samples read back: the processes in a table, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from heapscope.analysis.memory.samples import process_name, read_samples, watched_processes
from heapscope.errors import SampleError

HEADER = "captured_at,host,pid,start_ticks,role,task_index,rss_bytes,thread_count"


def csv(folder: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    path = folder / "w.csv"
    path.write_text("\n".join([header, *rows]) + end)
    return path


def row(second: int, pid: int, role: str = "", index: str = "", ticks: int = 1, rss: str = "5") -> str:
    return f"2026-11-25T12:00:{second:02}.000+00:00,h,{pid},{ticks},{role},{index},{rss},3"


def test_processes_are_ordered_by_role_and_index_and_a_restarted_one_counts_as_two(tmp_path: Path) -> None:
    rows = [row(1, 1), row(1, 2, "worker", "1"), row(1, 3, "worker", "0"), row(1, 4, "ps", "0")]
    found = watched_processes(read_samples(csv(tmp_path, *rows, row(2, 1, ticks=9))))
    assert [process.name for process in found] == [
        "ps:0 (pid 4)",
        "worker:0 (pid 3)",
        "worker:1 (pid 2)",
        "pid 1",
        "pid 1",
    ]
    assert [(process.role, process.task_index) for process in found][-1] == (None, None)


def test_rows_are_put_in_order_and_counted_once(tmp_path: Path) -> None:
    path = csv(tmp_path, row(3, 1), row(1, 1), row(1, 1))
    (process,) = watched_processes(read_samples([path, path]))
    assert process.seconds() == [0.0, 2.0]


def test_a_row_that_a_kill_left_half_written_is_left_out(tmp_path: Path) -> None:
    assert len(read_samples(csv(tmp_path, row(1, 1), row(2, 1)[:30], end=""))) == 1


def test_a_verdict_is_of_what_was_measured(tmp_path: Path) -> None:
    rows = [row(second, 1, rss=str(10_000_000 * second) if second != 3 else "") for second in range(1, 9)]
    (process,) = watched_processes(read_samples(csv(tmp_path, *rows)))
    verdict = process.verdict()
    assert (verdict.pid, verdict.sample_count, verdict.seconds) == (1, 8, 7.0)
    assert verdict.growth_bytes == 70_000_000
    assert verdict.cause == "native memory"


def test_what_is_no_sample_is_named(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="column 'rss_bytes' is missing"):
        read_samples(csv(tmp_path, row(1, 1), header=HEADER.replace("rss_bytes", "x")))
    lines = tmp_path / "w.jsonl"
    lines.write_text("[1]\n")
    with pytest.raises(SampleError, match="no JSON object"):
        read_samples(lines)


@pytest.mark.parametrize(
    ("role", "index", "name"), [(None, None, "pid 7"), ("ps", None, "ps (pid 7)"), ("ps", 0, "ps:0 (pid 7)")]
)
def test_names(role: str | None, index: int | None, name: str) -> None:
    assert process_name(7, role, index) == name


def test_an_empty_table_has_no_processes() -> None:
    assert watched_processes(pd.DataFrame(columns=HEADER.split(","))) == []
