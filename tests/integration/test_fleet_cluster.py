"""A real Dask scheduler and two worker processes, dumps in a real HDFS and on a web server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import heapscope
from heapscope.errors import HeapscopeError
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.run import RunState, run_fleet
from heapscope.fleet.sources import Source, find_sources
from heapscope.fleet.task import Work, sketch_of
from tests.support import dask_cluster, hdfs, http_server
from tests.support.dask_cluster import Cluster
from tests.support.fleet import Worker, write_fleet, write_sidecar

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
CLASSES = "SELECT class_name, instance_count, shallow_bytes, retained_bytes FROM classes ORDER BY ALL"


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small dumps of two processes, one with a sidecar."""
    folder = tmp_path_factory.mktemp("dumps")
    first, *_ = write_fleet(folder, [Worker(f"h{i}", i, dump_count=2, session_count=5) for i in range(2)])
    write_sidecar(first, "h0", 7, role="worker")
    return folder


@pytest.fixture(scope="module")
def client_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process needs to speak ``hdfs://``; nothing where that cannot be had."""
    return {} if hdfs.missing_client() else hdfs.client_environment(tmp_path_factory.mktemp("libhdfs"))


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, client_environment: dict[str, str]
) -> Iterator[Cluster]:
    with dask_cluster.running(tmp_path_factory.mktemp("dask"), environment=client_environment) as found:
        with distributed.Client(found.address) as client:
            client.wait_for_workers(2, timeout=240)
        yield found


def sketches(folder: FleetFolder) -> dict[str, dict[str, bytes]]:
    return {
        identity: {path.stem: path.read_bytes() for path in (folder.path / identity).iterdir()}
        for identity in folder.identities()
    }


def made_here(sources: list[Source]) -> dict[str, dict[str, bytes]]:
    found = {}
    for source in sources:
        made = sketch_of(Work(source, False, "1.0"))
        assert isinstance(made, dict), made
        found[source.identity] = made
    return found


@pytest.mark.hdfs
def test_dumps_in_hdfs(
    cluster: Cluster,
    hdfs_cluster: hdfs.Cluster,
    client_environment: dict[str, str],
    dumps: Path,
    tmp_path: Path,
) -> None:
    """``hdfs://`` through libhdfs on the workers, ``webhdfs://`` here: the same tables as from the disk."""
    hdfs_cluster.put(dumps, "/dumps")
    command = [
        *("fleet", "run", hdfs_cluster.url("/dumps"), "-o", str(tmp_path / "hdfs")),
        *("--name", "{host}/{pid}-{number}.hprof", "--scheduler", cluster.address),
    ]

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "heapscope", *arguments],
            env={**os.environ, **client_environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    code, said = run(*command)
    assert code == 0, said
    assert "4 sketches in" in said
    for url, problem in (
        (hdfs_cluster.url("/nothing"), "there is no such file, folder or bucket"),
        ("hdfs://127.0.0.1:1/dumps", "the name node does not answer"),
    ):
        code, said = run("fleet", "run", url, "-o", str(tmp_path / "none"))
        assert (code, said.splitlines()[-1]) == (3, f"heapscope: {url}: {problem}")
    paths = [f"/dumps/h{host}/{host}-{number}.hprof" for host in range(2) for number in range(2)]
    fleet = heapscope.open_fleet(tmp_path / "hdfs")
    assert fleet.failures == []
    assert set(fleet.snapshots.source) == set(map(hdfs_cluster.url, paths))
    assert list(fleet.sql("SELECT role FROM snapshots WHERE role IS NOT NULL").role) == ["worker"]

    found = find_sources([hdfs_cluster.web_url("/dumps/**/*.hprof")])
    assert [each.url for each in found] == list(map(hdfs_cluster.web_url, paths))
    over_web = FleetFolder(tmp_path / "webhdfs", create=True)
    for identity, tables in made_here(found).items():
        over_web.add(identity, tables)
    on_disk = FleetFolder(tmp_path / "disk", create=True)
    for identity, tables in made_here(find_sources([str(dumps)])).items():
        on_disk.add(identity, tables)
    expected = heapscope.open_fleet(on_disk.path).sql(CLASSES)
    assert len(expected) > 50
    for each in (fleet, heapscope.open_fleet(over_web.path)):
        assert each.sql(CLASSES).equals(expected)


def test_a_worker_that_is_killed_while_it_reads_a_dump_loses_nothing(
    cluster: Cluster, dumps: Path, tmp_path: Path
) -> None:
    """The web server itself ends the worker that reads, when half of the dump is sent."""
    by_pid = {each.pid: each for each in cluster.workers}
    killed: list[int] = []

    def kill_reader(path: str, port: int) -> None:
        if not path.endswith("1-1.hprof") or killed:
            return
        for pid in by_pid:
            if any(each.laddr.port == port for each in psutil.Process(pid).net_connections()):
                by_pid[pid].kill()
                by_pid[pid].wait()
                killed.append(pid)

    with http_server.serving(dumps, kill_reader) as address:
        paths = sorted(str(each.relative_to(dumps)) for each in dumps.rglob("*.hprof"))
        sources = find_sources([f"{address}/{path}" for path in paths])
        folder = FleetFolder(tmp_path / "f", create=True)
        state = run_fleet(sources, folder, version="1.0", scheduler=cluster.address)
        assert state.failures == []
        assert len(killed) == 1
        assert sketches(folder) == made_here(sources)


def test_a_scheduler_that_goes_away_keeps_what_is_done(cluster: Cluster, dumps: Path, tmp_path: Path) -> None:
    """Last of all: afterwards there is no cluster."""
    sources = find_sources([str(dumps)])
    folder = FleetFolder(tmp_path / "f", create=True)

    def kill(state: RunState) -> None:
        if state.done_count == 1:
            cluster.scheduler.kill()
            cluster.scheduler.wait()

    with pytest.raises(HeapscopeError, match="the Dask scheduler has gone; what is done stays"):
        run_fleet(sources, folder, version="1.0", scheduler=cluster.address, watcher=kill)
    made, expected = sketches(folder), made_here(sources)
    assert 1 <= len(made) < len(sources)
    assert all(expected[identity] == tables for identity, tables in made.items())
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp", host="127.0.0.1"
    ) as other:
        state = run_fleet(sources, folder, version="1.0", scheduler=other.scheduler_address)
    assert state.known_count == len(made)
    assert sketches(folder) == expected
