"""Snapshots that are sent elsewhere: whole or absent there, and never lost here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heapscope.collector.remote import RemoteFolder, is_remote, local_folder
from heapscope.errors import CollectError, OutputFailed

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def store() -> Any:
    """fsspec's file system in memory, empty."""
    found = fsspec.filesystem("memory")
    found.store.clear()
    return found


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    snapshot, sidecar = tmp_path / "jvm.7.x.hprof.zst", tmp_path / "jvm.7.x.hprof.zst.json"
    snapshot.write_bytes(b"dump" * 1000)
    sidecar.write_text("{}")
    return snapshot, sidecar


def test_an_address_is_told_from_a_folder() -> None:
    assert is_remote("s3://bucket/x")
    assert not is_remote("dumps/s3")
    # fsspec would make them readable for all
    assert not is_remote("file:///var/dumps")
    assert local_folder("file:///var/dumps") == local_folder("/var/dumps") == Path("/var/dumps")


def test_a_store_that_cannot_be_written_is_found_out_before_anything(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = RemoteFolder("memory://bucket/run")
    remote.check()
    assert store.find("/") == []

    def refuse(self: Any, *words: Any, **options: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(store), "pipe_file", refuse)
    with pytest.raises(OutputFailed, match="Access Denied; no JVM was asked"):
        remote.check()


@pytest.mark.parametrize("is_store", [True, False])
def test_what_was_sent_is_there_whole_and_no_more_here(
    store: Any, files: tuple[Path, Path], is_store: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_store:
        monkeypatch.setattr("heapscope.collector.remote._WHOLE_BY_THEMSELVES", {"memory"})
    data = files[0].read_bytes()
    assert (
        RemoteFolder("memory://bucket/run/").send([files[1], files[0]])
        == "memory://bucket/run/jvm.7.x.hprof.zst"
    )
    assert sorted(store.find("/")) == [
        "/bucket/run/jvm.7.x.hprof.zst",
        "/bucket/run/jvm.7.x.hprof.zst.json",
    ]
    assert store.cat_file("/bucket/run/jvm.7.x.hprof.zst") == data
    assert not any(path.exists() for path in files)


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (ConnectionError("the network is gone"), CollectError, "gone; the snapshot is whole and stays at"),
        (KeyboardInterrupt("asked for"), KeyboardInterrupt, "asked for"),
    ],
)
def test_what_breaks_off_leaves_nothing_there_and_all_here(
    store: Any,
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    raised: type[BaseException],
    words: str,
) -> None:
    put = type(store).put_file

    def break_off(self: Any, source: str, target: str, **options: Any) -> None:
        put(self, source, target, **options)
        if not source.endswith(".json"):
            raise error

    monkeypatch.setattr(type(store), "put_file", break_off)
    with pytest.raises(raised, match=words):
        RemoteFolder("memory://bucket/run").send([files[1], files[0]])
    assert store.find("/") == []
    assert all(path.exists() for path in files)


def test_an_address_without_a_bucket_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapscope.collector.remote._WHOLE_BY_THEMSELVES", {"memory"})
    with pytest.raises(OutputFailed, match="it names no bucket"):
        RemoteFolder("memory://")


def test_an_address_that_nobody_knows_is_said_before_anything() -> None:
    with pytest.raises(OutputFailed, match="nosuch"):
        RemoteFolder("nosuch://bucket/x")
