"""Old snapshots go, of our own only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heapscope.collector.retention import remove_old


def snapshot(folder: Path, pid: int, hour: int, size: int = 1000) -> Path:
    path = folder / f"worker-0.{pid}.20261101T{hour:02}0000.000000Z.hprof.zst"
    path.write_bytes(bytes(size))
    Path(f"{path}.json").write_text(json.dumps({"process": {"pid": pid, "start_ticks": 5}}))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for hour in range(4):
        for pid in (7, 70):
            snapshot(tmp_path, pid, hour)
    (tmp_path / "mine.hprof.zst").write_bytes(b"of somebody else")
    (tmp_path / "jvm.7.20261101T000000.000000Z.hprof.zst").write_bytes(b"without a sidecar")
    return tmp_path


def test_the_newest_of_each_jvm_stay(folder: Path) -> None:
    removed = remove_old(folder, keep=3)
    assert sorted(path.name[:26] for path in removed) == [
        "worker-0.7.20261101T000000",
        "worker-0.70.20261101T00000",
    ]
    assert not any(path.exists() or Path(f"{path}.json").exists() for path in removed)
    assert len(list(folder.glob("*.json"))) == 6
    assert (folder / "mine.hprof.zst").exists()
    assert (folder / "jvm.7.20261101T000000.000000Z.hprof.zst").exists()


def test_a_verdict_goes_with_its_class_histogram(tmp_path: Path) -> None:
    for hour in range(2):
        stem = f"jvm.7.20261101T{hour:02}0000.000000Z"
        (tmp_path / f"{stem}.histogram.txt").write_bytes(bytes(10))
        (tmp_path / f"{stem}.verdict.json").write_bytes(bytes(1000))
        facts = json.dumps({"process": {"pid": 7, "start_ticks": 5}})
        (tmp_path / f"{stem}.histogram.txt.json").write_text(facts)
    assert remove_old(tmp_path, max_bytes=2500) == []
    assert len(remove_old(tmp_path, max_bytes=1500)) == 1  # its verdict counts
    assert [path.name[4:21] for path in tmp_path.glob("*")] == ["7.20261101T010000"] * 3


def test_all_together_take_no_more_than_allowed(folder: Path) -> None:
    each = 1000 + len(json.dumps({"process": {"pid": 7, "start_ticks": 5}}))
    removed = remove_old(folder, max_bytes=3 * each + 10)
    assert len(removed) == 5
    assert {path.name.split(".")[2][9:11] for path in removed} == {"00", "01", "02"}
    newest = snapshot(folder, 7, 9, size=10_000)
    assert newest not in remove_old(folder, max_bytes=1)
    assert newest.exists()
