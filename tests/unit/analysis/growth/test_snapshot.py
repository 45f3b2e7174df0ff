"""One snapshot: what it is counted from, and when it was taken."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heapscope.analysis.growth.snapshot import DUMP, HISTOGRAM, read_snapshot, read_snapshots, snapshot_files
from heapscope.errors import NotHprof
from tests.unit.analysis.leak import DISTRIBUTED, leak_dump
from tests.unit.cli.conftest import histogram_text, write_histogram

ROWS = [("a.B", 3, 48), ("a.C", 1, 16)]


def test_a_dump_and_a_text_are_counted_alike(tmp_path: Path) -> None:
    dump = read_snapshot(leak_dump(tmp_path, count=4))
    assert (dump.kind, dump.name, dump.captured_at_source) == (DUMP, "leak", "dump header")
    counts = {row["class_name"]: row["instance_count"] for row in dump.histogram.rows()}
    assert counts[DISTRIBUTED] == 4
    text = read_snapshot(write_histogram(tmp_path / "a.histogram.txt", ROWS, 60))
    assert (text.kind, text.name, text.object_count, text.shallow_bytes) == (HISTOGRAM, "a", 4, 64)
    assert text.open() is None
    assert text.facts() is None


def test_the_time_of_a_text_is_the_best_that_is_known(tmp_path: Path) -> None:
    dated = read_snapshot(write_histogram(tmp_path / "dated.txt", ROWS, 60))
    assert (dated.captured_at_source, dated.captured_at.minute) == ("text", 1)
    path = tmp_path / "undated.txt"
    path.write_text(histogram_text(ROWS))
    os.utime(path, (1_480_000_000, 1_480_000_000))
    by_file = read_snapshot(path)
    assert (by_file.captured_at_source, by_file.captured_at.timestamp()) == ("file time", 1_480_000_000)
    said = datetime(2026, 1, 2, 3, tzinfo=UTC)
    path.with_name("undated.txt.json").write_text(json.dumps({"captured_at": said.isoformat()}))
    by_sidecar = read_snapshot(path)
    assert (by_sidecar.captured_at_source, by_sidecar.captured_at) == ("sidecar", said)
    path.with_name("undated.txt.json").write_text(json.dumps({"captured_at": "2026-01-02T03:00:00"}))
    assert read_snapshot(path).captured_at_source == "file time"  # a time without its zone is none


def test_a_compressed_text_is_one_too(tmp_path: Path) -> None:
    path = tmp_path / "a.histogram.txt.gz"
    path.write_bytes(gzip.compress(histogram_text(ROWS).encode()))
    assert read_snapshot(path).kind == HISTOGRAM


def test_a_directory_stands_for_its_snapshots(tmp_path: Path) -> None:
    for name in ("b.hprof", "a.hprof.gz", ".c.hprof", "a.hprof.gz.json", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.hprof").mkdir()
    assert [path.name for path in snapshot_files(tmp_path)] == ["a.hprof.gz", "b.hprof"]
    assert snapshot_files(tmp_path / "b.hprof") == [tmp_path / "b.hprof"]
    with pytest.raises(NotHprof, match="no snapshot"):
        snapshot_files(tmp_path / "d.hprof")


def test_an_archive_with_several_dumps_is_not_read_as_the_text_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "both.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.hprof", "b.hprof"):
            archive.writestr(name, b"JAVA PROFILE 1.0.2\0")
        archive.writestr("c.txt", histogram_text(ROWS))
    with pytest.raises(NotHprof, match=r"holds several: a.hprof, b.hprof"):
        read_snapshots(path)
