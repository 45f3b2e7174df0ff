"""Snapshots in object stores: whole there, or absent there and whole here."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from heapscope.cli import main
from heapscope.collector.remote import RemoteFolder
from heapscope.errors import CollectError, OutputFailed
from tests.support import hdfs
from tests.support.jvm import find_jdks, java
from tests.support.object_stores import BUCKET, Store, azure, google, has_azurite, s3

pytestmark = [pytest.mark.jvm, pytest.mark.filterwarnings("ignore")]
OPTIONS = ("-XX:+StartAttachListener", "-XX:+UseSerialGC")
LARGE = 24 << 20  # several blocks of the libraries that send in such
MIDDLE = 8 << 20


def _has(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


@pytest.fixture(
    scope="module",
    params=[
        "s3",
        pytest.param("gs", marks=pytest.mark.object_stores),
        pytest.param("az", marks=pytest.mark.object_stores),
    ],
)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "s3":
        if not _has("moto", "s3fs"):
            pytest.skip("no s3fs, or no moto")
        with s3() as found:
            yield found
    elif request.param == "gs":
        if not _has("gcsfs", "gcp_storage_emulator"):
            pytest.skip("no gcsfs, or no gcp-storage-emulator (pip)")
        with google() as found:
            yield found
    else:
        if not _has("adlfs") or not has_azurite():
            pytest.skip("no adlfs (pip), or no azurite (npm)")
        with azure(tmp_path_factory.mktemp("azurite")) as found:
            yield found


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where snapshots wait until they are sent."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_snapshot_is_whole_there_and_gone_here(
    store: Store, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with java(find_jdks()[min(find_jdks())], "Zoo", *OPTIONS) as jvm:
        code = main(["collect", str(jvm.pid), "-o", f"{store.url}/jvm"])
        said = capsys.readouterr()
        assert code == 0, said.err
    address = said.out.partition(": ")[0]
    files = {name: size for name, size in store.files().items() if "/jvm/" in name}
    (snapshot,) = [name for name in files if name.endswith(".hprof.zst")]
    assert address.partition("://")[2] == snapshot
    assert set(files) == {snapshot, f"{snapshot}.json"}
    facts = json.loads(store.system().cat_file(f"{snapshot}.json"))
    assert files[snapshot] == facts["file_bytes"] > 100_000
    assert list(temporary.glob("heapscope-to-send-*")) == []


def written(folder: Path, name: str) -> list[Path]:
    """A large snapshot that is to be sent, with its sidecar, the snapshot last."""
    folder.mkdir()
    snapshot = folder / f"{name}.hprof.zst"
    snapshot.write_bytes(os.urandom(LARGE))
    sidecar = folder / f"{name}.hprof.zst.json"
    sidecar.write_text("{}")
    return [sidecar, snapshot]


def test_a_large_one_is_sent_in_parts(store: Store, tmp_path: Path) -> None:
    files = written(tmp_path / "out", "large")
    data = files[-1].read_bytes()
    assert RemoteFolder(store.url).send(files) == f"{store.url}/large.hprof.zst"
    assert store.system().cat_file(f"{BUCKET}/run/large.hprof.zst") == data
    assert list((tmp_path / "out").iterdir()) == []


def test_one_that_breaks_off_is_absent_there_and_whole_here(store: Store, tmp_path: Path) -> None:
    """The network fails in the middle of the dump, each time that it is tried; small requests pass."""
    files = written(tmp_path / "out", "broken")
    before, data = store.files(), files[-1].read_bytes()
    store.proxy.most_bytes = MIDDLE
    try:
        with pytest.raises(CollectError, match=r"the snapshot is whole and stays at .*broken\.hprof\.zst"):
            RemoteFolder(store.url).send(files)
    finally:
        store.proxy.most_bytes = None
    assert store.proxy.broken
    assert store.files() == before
    assert files[-1].read_bytes() == data
    assert RemoteFolder(store.url).send(files)  # when the network is back
    assert f"{BUCKET}/run/broken.hprof.zst" in store.files()


@pytest.mark.hdfs
def test_a_snapshot_gets_its_name_in_hdfs_when_it_is_whole(
    hdfs_cluster: hdfs.Cluster, tmp_path: Path
) -> None:
    """There are folders there, and a file is seen while it is written: it is renamed."""
    files = written(tmp_path / "out", "jvm.7")
    data = files[-1].read_bytes()
    remote = RemoteFolder(hdfs_cluster.web_url("/snapshots/today"))
    remote.check()
    remote.send(files)
    assert sorted(remote._system.find("/snapshots")) == [
        f"/snapshots/today/jvm.7.hprof.zst{ending}" for ending in ("", ".json")
    ]
    assert remote._system.cat_file("/snapshots/today/jvm.7.hprof.zst") == data
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bucket_that_is_not_there_costs_no_pause(store: Store) -> None:
    with pytest.raises(OutputFailed, match="no JVM was asked"):
        RemoteFolder(store.url.replace(BUCKET, "no-such-bucket")).check()
