"""Files that samples are appended to: whole, never another's, and read back as they were."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from heapscope.analysis.memory.samples import read_samples, watched_processes
from heapscope.collector.memory import Sample
from heapscope.collector.sample_file import SampleFile
from heapscope.errors import OutputFailed, SampleError
from heapscope.files import sample_journal

SUFFIXES = ["csv", "jsonl", "parquet"]


def sample(number: int, **changes: object) -> Sample:
    values = {
        field.name: None if "None" in str(field.type) else number
        for field in fields(Sample)
        if field.name not in ("captured_at", "host", "pid", "start_ticks")
    }
    moment = f"2026-11-25T12:00:{number:02}.000+00:00"
    made = Sample(captured_at=moment, host="h", pid=7, start_ticks=99, **values)  # type: ignore[arg-type]
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"watch.{request.param}"


def written(path: Path, *rounds: list[Sample]) -> None:
    file = SampleFile(path)
    for samples in rounds:
        file.append(samples)
    file.close()


def test_what_was_written_is_read_back(path: Path) -> None:
    worker = sample(1, role='a,\n"b"', task_index=3, gc_seconds=0.25, heap_rss_bytes=1 << 40)
    written(path, [worker, sample(1, pid=8)], [sample(2, pid=8)])
    table = read_samples([path])
    assert len(table) == 3
    first = table.iloc[0]
    assert (first["role"], first["task_index"], first["gc_seconds"]) == ('a,\n"b"', 3, 0.25)
    assert first["heap_rss_bytes"] == 1 << 40
    assert first["pss_bytes"] != first["pss_bytes"]  # not measured
    assert [process.pid for process in watched_processes(table)] == [7, 8]
    assert watched_processes(table)[1].seconds() == [0.0, 1.0]
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name]


def test_only_its_owner_can_read_it_and_rights_that_were_given_stay(path: Path) -> None:
    written(path, [sample(1)])
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    written(path, [sample(2)])
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_second_watch_appends(path: Path) -> None:
    written(path, [sample(1)])
    written(path, [sample(2)], [sample(3)])
    assert list(read_samples([path])["rss_bytes"]) == [1, 2, 3]


def test_rows_are_there_while_a_watch_is_writing(path: Path) -> None:
    file = SampleFile(path)
    file.append([sample(1)])
    file.append([sample(2)])
    assert len(read_samples([path])) == 2
    file.close()


@pytest.mark.parametrize("cut", [1, 5, 40, 10_000])
def test_a_row_that_a_kill_left_half_written_goes(path: Path, cut: int) -> None:
    file = SampleFile(path)
    file.append([sample(1)])
    file.append([sample(2)])
    rows = sample_journal(path) if path.suffix == ".parquet" else path
    left = rows.read_bytes()
    rows_torn = left[: max(1, len(left) - cut)]
    import os

    os.close(file._fd)  # as a kill would
    rows.write_bytes(rows_torn)
    if b"\n" in rows_torn:
        before = len(read_samples([path]))
        assert before == rows_torn.count(b"\n") - (path.suffix == ".csv")
    written(path, [sample(3)])
    kept = list(read_samples([path])["rss_bytes"])
    assert kept == ([1, 3] if cut < 1000 else [3])


def test_a_journal_that_was_folded_but_not_emptied_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "w.parquet"
    file = SampleFile(path)
    file.append([sample(1)])
    rows = sample_journal(path).read_bytes()
    file.close()
    sample_journal(path).write_bytes(rows)
    assert len(read_samples([path])) == 1
    written(path, [sample(2)])
    assert list(read_samples([path])["rss_bytes"]) == [1, 2]


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    path.write_text("my,precious,data\n1,2,3\n")
    with pytest.raises(OutputFailed, match="it exists and"):
        SampleFile(path)
    assert path.read_text() == "my,precious,data\n1,2,3\n"
    with pytest.raises(SampleError, match=str(path)):
        read_samples([path])


def test_two_writers_are_refused(path: Path) -> None:
    file = SampleFile(path)
    with pytest.raises(OutputFailed, match="another watch"):
        SampleFile(path)
    file.close()
    SampleFile(path).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_full_disk_keeps_what_was_written_whole(small_disk: Path, suffix: str) -> None:
    path = small_disk / f"w.{suffix}"
    file = SampleFile(path)
    rounds = [[sample(number % 60, pid=number)] for number in range(1000)]
    with pytest.raises(OutputFailed, match="No space left"):
        any(file.append(samples) for samples in rounds)  # type: ignore[func-returns-value]
    file.close()
    table = read_samples([path])
    assert 3 < len(table) < 1000
    assert list(table["pid"]) == list(range(len(table)))


def test_unknown_suffixes_and_missing_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputFailed, match=r"\.parquet, \.csv, \.jsonl"):
        SampleFile(tmp_path / "w.txt")
    with pytest.raises(SampleError, match="no such file"):
        read_samples([tmp_path / "w.csv"])
    with pytest.raises(SampleError, match=r"\.parquet"):
        read_samples([tmp_path / "w.txt"])


def test_a_sample_has_only_plain_values() -> None:
    assert all(type(value) in (int, float, str, type(None)) for value in asdict(sample(1)).values())
