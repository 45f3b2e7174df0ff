"""Who runs a target, and files and sockets that are made as that user."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heapscope.collector import target_user
from heapscope.collector.target_user import Owner, connect, create, owner_of
from heapscope.errors import AttachRefused

US = Owner(os.geteuid(), os.getegid(), is_foreign=False)
NOBODY = Owner(65534, 65534, is_foreign=True)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    tmp_path.chmod(0o777)
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_this_process_is_ours() -> None:
    assert owner_of(os.getpid()) == US


def test_a_process_that_has_ended_is_nobodys() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(AttachRefused, match=f"process {ended.pid}: it has ended"):
        owner_of(ended.pid)


def test_only_root_acts_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert NOBODY.to_act_as == (65534, 65534)
    assert Owner(0, 0, is_foreign=True).to_act_as is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert NOBODY.to_act_as is None


def test_a_socket_in_a_deep_folder_is_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)  # a socket's address has at most 108 bytes
    deep.mkdir(parents=True)
    fd = os.open(deep, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{fd}/s")
        server.listen()
        with connect(US, fd, "s", 5.0) as connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4) == os.getpid().to_bytes(
                4, sys.byteorder
            )
    os.close(fd)


def test_no_socket_is_the_systems_error(folder: int) -> None:
    with pytest.raises(FileNotFoundError):
        connect(US, folder, "none", 5.0)


def test_a_file_is_made_once_and_one_that_is_there_stays(folder: int, tmp_path: Path) -> None:
    create(US, folder, "mark", 5.0)
    assert (tmp_path / "mark").stat().st_mode & 0o777 == 0o600
    (tmp_path / "mark").write_text("kept")
    create(US, folder, "mark", 5.0)
    assert (tmp_path / "mark").read_text() == "kept"


@needs_root
def test_the_helper_makes_files_of_another_user(folder: int, tmp_path: Path) -> None:
    create(NOBODY, folder, "mark", 30.0)
    assert ((tmp_path / "mark").stat().st_uid, (tmp_path / "mark").stat().st_gid) == (65534, 65534)
    assert os.geteuid() == 0


@needs_root
def test_the_helper_hands_over_its_connection(folder: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o777)
        server.listen()
        with connect(NOBODY, folder, "s", 30.0) as connection:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"hello")
                assert connection.recv(10) == b"hello"


@needs_root
def test_the_helper_tells_the_systems_error(folder: int, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PermissionError):
        create(NOBODY, folder, "mark", 30.0)
    tmp_path.chmod(0o777)
    with pytest.raises(FileNotFoundError):
        connect(NOBODY, folder, "none", 30.0)


def test_taking_nobodys_ids_changes_nothing() -> None:
    before = os.geteuid(), os.getegid()
    target_user.act_as(None)
    assert (os.geteuid(), os.getegid()) == before
