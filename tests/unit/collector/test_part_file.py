"""The file that becomes a snapshot: kept whole, or gone; what nobody locks is swept."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from heapscope.collector.part_file import open_part, sweep_parts
from heapscope.errors import DumpFailed


def test_what_is_kept_gets_its_name_and_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "jvm.1.hprof.zst"
    with open_part(path) as output:
        os.write(output.fd, b"whole")
        assert not path.exists()
        output.keep()
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_kept_is_removed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), open_part(tmp_path / "jvm.1.hprof.zst"):
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_folder_that_is_moved_keeps_nothing_of_ours(tmp_path: Path, is_replaced: bool) -> None:
    """By a link to another folder too, which gets nothing."""
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for each in (folder, elsewhere):
        each.mkdir()
    with open_part(folder / "jvm.1.hprof.zst") as output:
        os.write(output.fd, b"whole")
        folder.rename(tmp_path / "moved")
        if is_replaced:
            folder.symlink_to(elsewhere)
        with pytest.raises(DumpFailed, match="was removed or moved while the snapshot was taken"):
            output.keep()
    assert [*(tmp_path / "moved").iterdir(), *elsewhere.iterdir()] == []


def test_only_parts_of_snapshots_that_nobody_fills_are_swept(tmp_path: Path) -> None:
    left = tmp_path / ".jvm.1.hprof.zst.part"
    of_a_watch = tmp_path / ".watch.parquet.part"
    for path in (left, of_a_watch):
        path.write_bytes(b"half")
    with open_part(tmp_path / "jvm.2.hprof.zst") as living:
        sweep_parts(tmp_path, ["hprof.zst", "histogram.txt"])
        assert sorted(tmp_path.iterdir()) == sorted([living.part, of_a_watch])


def test_a_part_that_was_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    swept: list[int] = []

    def sweep_first(fd: int, operation: int) -> None:
        if not swept:
            swept.append(fd)
            (tmp_path / ".jvm.1.hprof.zst.part").unlink()
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    with open_part(tmp_path / "jvm.1.hprof.zst") as output:
        assert os.fstat(output.fd).st_nlink == 1
        output.keep()
    assert swept
    assert (tmp_path / "jvm.1.hprof.zst").exists()
