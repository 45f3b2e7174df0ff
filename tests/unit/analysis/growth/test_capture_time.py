"""When a text was taken, from what lies around it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from heapscope.analysis.growth.capture_time import time_in_name
from heapscope.analysis.growth.snapshot import read_snapshot
from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import histogram_text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("histo-2026-11-02T03:14:15", datetime(2026, 11, 2, 3, 14, 15)),
        ("histo_2026-11-02_03-14-15", datetime(2026, 11, 2, 3, 14, 15)),
        ("worker-3.4711.20261102T031415.975000Z", datetime(2026, 11, 2, 3, 14, 15, 975000)),
        ("20261102-031415-prod", datetime(2026, 11, 2, 3, 14, 15)),
        ("h20261102031415", datetime(2026, 11, 2, 3, 14, 15)),
        ("h-2026-11-02T03:14:15+02:00", datetime(2026, 11, 2, 1, 14, 15)),
        ("h-2026-11-02T0314", datetime(2026, 11, 2, 3, 14)),
        ("h-2026-11-02", datetime(2026, 11, 2)),
        ("h.1762053255", datetime(2025, 11, 2, 3, 14, 15)),
        ("h.1762053255500", datetime(2025, 11, 2, 3, 14, 15, 500000)),
    ],
)
def test_a_date_in_a_name(name: str, expected: datetime) -> None:
    assert time_in_name(name) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["leak-1", "pid4711", "heap-12345678", "2026", "20269999", "v1.20.3", ""])
def test_a_number_that_is_no_date(name: str) -> None:
    assert time_in_name(name) is None


def test_a_dump_of_the_same_name_says_when_its_text_was_taken(tmp_path: Path) -> None:
    dump = read_snapshot(leak_dump(tmp_path, count=1))
    text = tmp_path / "leak.histogram.txt"
    text.write_text(histogram_text([("a.B", 1, 16)]))
    beside = read_snapshot(text)
    assert (beside.captured_at_source, beside.captured_at) == ("dump beside it", dump.captured_at)
    dump.path.write_bytes(b"no dump")
    assert read_snapshot(text).captured_at_source == "file time"
