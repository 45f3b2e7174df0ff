"""Folders of a target: opened without leaving it, judged before anything is written."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from heapscope.collector import target_folder
from heapscope.collector.disk import Disk
from heapscope.errors import CollectError
from tests.unit.collector.living import jvm_process


def test_a_link_is_not_followed_out_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc")
    us = jvm_process()
    os.close(target_folder.open_root(us, str(tmp_path / "folder")))
    with pytest.raises(CollectError, match=r"Not a directory|symbolic links"):
        target_folder.open_root(us, str(tmp_path / "link"))
    with pytest.raises(CollectError, match=r"root may not either|its user, or as root"):
        target_folder.open_root(us, str(tmp_path / "link" / "ssl"))


def test_only_folders_of_the_dead_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_folder, "_FOLDERS", (str(tmp_path),))
    dead, living = (
        tmp_path / f"heapscope-{2**22}-1-0123abcd",
        tmp_path / target_folder.folder_name("0123abcd"),
    )
    others = tmp_path / "heapscope-notes-of-mine"
    for folder in (dead, living, others):
        folder.mkdir()
        (folder / "dump").write_bytes(b"x")
    os.mkfifo(dead / "dump.hprof")
    # As a JVM would, when heapscope and all its helpers were killed before it opened the FIFO.
    waiting = threading.Thread(target=lambda: os.close(os.open(dead / "dump.hprof", os.O_WRONLY)))
    waiting.start()
    while "partner" not in Path(f"/proc/self/task/{waiting.native_id}/wchan").read_text():
        time.sleep(0.001)
    us = jvm_process()
    assert target_folder.left_in([us, us]) == [us.pid]  # processes share a /tmp
    assert dead.exists()
    assert target_folder.sweep([us, us]) == [us.pid]
    waiting.join()
    assert sorted(tmp_path.iterdir()) == sorted([living, others])
    assert target_folder.sweep([us]) == target_folder.left_in([us]) == []


def test_a_folder_of_a_heapscope_in_another_pid_namespace_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pid means nothing here, or another process; it holds a lock."""
    monkeypatch.setattr(target_folder, "_FOLDERS", (str(tmp_path),))
    theirs = tmp_path / f"heapscope-{2**22}-1-0123abcd"
    theirs.mkdir()
    os.mkfifo(theirs / "dump.hprof")
    lock = target_folder.lock(theirs)
    assert target_folder.sweep([jvm_process()]) == target_folder.left_in([jvm_process()]) == []
    os.close(lock)
    assert target_folder.sweep([jvm_process()]) == [os.getpid()]
    assert list(tmp_path.iterdir()) == []


def test_a_strangers_deep_folder_named_like_ours_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_folder, "_FOLDERS", (str(tmp_path),))
    dead = tmp_path / f"heapscope-{2**22}-1-00000001"
    dead.mkdir()
    deep = tmp_path / f"heapscope-{2**22}-1-00000000"
    deep.mkdir()
    fd = os.open(deep, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    try:
        target_folder.sweep([jvm_process()])
        assert not dead.exists()
        assert deep.exists()  # it holds what no heapscope makes
    finally:
        for _ in range(1500):  # pytest's own clean-up would meet the same depth
            above = os.open("..", os.O_RDONLY, dir_fd=fd)
            os.rmdir("d", dir_fd=above)
            os.close(fd)
            fd = above
        os.close(fd)


@pytest.mark.parametrize(("release", "factor"), [(17, 1), (22, 2), (0, 2)])
def test_room_is_asked_for_the_worst(
    release: int, factor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_folder, "_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(target_folder, "_is_memory", lambda process, fd: False)
    monkeypatch.setattr(Disk, "left_bytes", lambda disk: 1450 * factor - 1)
    with pytest.raises(CollectError, match=r"make room, or use --kind histogram"):
        target_folder.room_for_file(jvm_process(), release)
    monkeypatch.setattr(Disk, "left_bytes", lambda disk: 1450 * factor)
    name, fd = target_folder.room_for_file(jvm_process(), release)
    os.close(fd)
    assert name == str(tmp_path)
