"""Dumps in an object store: S3's protocol spoken by moto, on loopback."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from heapscope.cli import main
from heapscope.errors import HeapscopeError
from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.run import run_fleet
from heapscope.fleet.sources import NamePattern, Source, find_sources
from heapscope.fleet.task import Work, sketch_of
from tests.support.dumps import DumpBuilder
from tests.support.fleet import Worker, write_fleet, write_sidecar
from tests.support.http_server import serving

distributed = pytest.importorskip("distributed")
server_of = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")
pytestmark = pytest.mark.filterwarnings("ignore")
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Store:
    """A bucket ``dumps``, and how often it says that it is asked too much.

    Attributes
    ----------
    system : s3fs.S3FileSystem
    slow_downs : int
        So many reads of each object are answered by 503 SlowDown first.
    refused : Counter
        How often that happened, by path.
    requests : list of str
        Method and path with query of each request.
    """

    system: Any
    slow_downs: int = 0

    def __post_init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.requests: list[str] = []
        self._lock = threading.Lock()

    def throttled(self, inner: Application) -> Application:
        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            with self._lock:
                self.requests.append(f"{method} {path}?{environ.get('QUERY_STRING', '')}")
                refuse = method == "GET" and path.endswith(".hprof") and self.refused[path] < self.slow_downs
                self.refused[path] += refuse
            if refuse:
                start_response("503 Slow Down", [("Content-Type", "application/xml")])
                return [SLOW_DOWN]
            return inner(environ, start_response)

        return answer


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    # The state of all servers in one process is one: what another test made is there.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    found = Store(system)
    server._server.app = found.throttled(server._server.app)
    system.mkdir("dumps")
    yield found
    s3fs.S3FileSystem.clear_instance_cache()
    # What moto keeps it keeps for all servers of a process.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    server.stop()


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four dumps of two processes, one with a sidecar."""
    folder = tmp_path_factory.mktemp("dumps")
    first, *_ = write_fleet(folder, [Worker(f"h{i}", i, dump_count=2, session_count=5) for i in range(2)])
    write_sidecar(first, "h0", 0, role="worker")
    return folder


def made(source: Source, tmp_path: Path) -> dict[str, bytes]:
    found = sketch_of(Work(source, False, "1.0", str(tmp_path)))
    assert isinstance(found, dict), found
    return found


def test_dumps_in_an_object_store(
    store: Store, dumps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same tables as from the disk, nothing left on the scratch disk; one is fetched when asked for."""
    store.system.put(str(dumps), "dumps/today", recursive=True)
    pattern = NamePattern("{host}/{pid}-{number}.hprof")
    found = find_sources(["s3://dumps/today/**/*.hprof"], pattern)
    assert [each.url for each in found] == [
        f"s3://dumps/today/h{host}/{host}-{number}.hprof" for host in range(2) for number in range(2)
    ]
    folder, scratch = FleetFolder(tmp_path / "f", create=True), tmp_path / "scratch"
    scratch.mkdir()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp",
        host="127.0.0.1",
    ) as cluster:  # fmt: skip
        state = run_fleet(found, folder, version="1.0", scheduler=cluster.scheduler_address, scratch=scratch)
    assert state.failures == []
    assert list(scratch.iterdir()) == []
    fleet = Fleet(folder.path)
    assert list(fleet.sql("SELECT role FROM snapshots WHERE role IS NOT NULL").role) == ["worker"]
    on_disk = FleetFolder(tmp_path / "disk", create=True)
    for source in find_sources([str(dumps)]):
        on_disk.add(source.identity, made(source, tmp_path))
    query = "SELECT class_name, instance_count, retained_bytes FROM classes ORDER BY ALL"
    assert fleet.sql(query).equals(Fleet(on_disk.path).sql(query))

    copies = tmp_path / "copies"
    assert main(["fleet", "open", str(folder.path), "h0", "-o", str(copies)]) == 0
    said = capsys.readouterr()
    assert f"heapscope explore {copies}/0-1.hprof" in said.out.splitlines()
    assert "--all fetches all 2" in said.err
    assert main(["fleet", "open", str(folder.path), "h0", "-o", str(copies), "--all"]) == 0
    assert sorted(each.name for each in copies.iterdir()) == ["0-0.hprof", "0-0.hprof.json", "0-1.hprof"]
    assert all(each.stat().st_mode & 0o077 == 0 for each in copies.iterdir())
    for name in ("0-0.hprof", "0-1.hprof"):
        assert (copies / name).read_bytes() == (dumps / "h0" / name).read_bytes()
    reads = [each for each in store.requests if each.startswith("GET /dumps/today/h0/0-1.hprof?")]
    assert len(reads) == 2  # by the worker and once here: what is there is not fetched again


def test_an_object_of_several_parts(store: Store, tmp_path: Path) -> None:
    d = DumpBuilder(timestamp_ms=1_780_000_000_000, jdk=17)
    d.cls("com.acme.Buffer", fields={"data": "byte[]"})
    buffer = d.instance("com.acme.Buffer", data=d.primitive_array("byte", bytes(11 << 20)))
    d.static("com.acme.Buffer", "LAST", "com.acme.Buffer", buffer)
    path = tmp_path / "large.hprof"
    path.write_bytes(d.dump().data)
    store.system.put_file(str(path), "dumps/large.hprof", chunksize=5 << 20)
    assert sum("partNumber=" in each for each in store.requests) == 3
    (source,) = find_sources(["s3://dumps"])
    assert source.version.strip('"').endswith("-3")  # the ETag of an object of three parts
    (local,) = find_sources([str(path)])
    assert made(source, tmp_path).keys() == made(local, tmp_path).keys()


def test_a_listing_of_several_pages(store: Store) -> None:
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    names = sorted(f"h{number % 7}/{number}-0.hprof" for number in range(1, 2203))
    for name in names:
        backend.put_object("dumps", name, b"x")
    found = find_sources(["s3://dumps/"])
    assert [each.url for each in found] == [f"s3://dumps/{name}" for name in names]
    pages = [each for each in store.requests if "list-type=2" in each]
    assert sum("continuation-token=" in each for each in pages) >= 2


def test_a_store_that_is_asked_too_much_is_asked_again(store: Store, dumps: Path, tmp_path: Path) -> None:
    """503 SlowDown: the client of the store waits and tries again; the sketch is the same."""
    store.system.put_file(str(dumps / "h1" / "1-0.hprof"), "dumps/1-0.hprof")
    (source,) = find_sources(["s3://dumps"])
    calm = made(source, tmp_path)
    store.slow_downs = 2
    assert made(source, tmp_path) == calm
    assert store.refused["/dumps/1-0.hprof"] == 2


def test_a_store_that_cannot_be_asked_is_said_in_one_line(
    store: Store,
    dumps: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without credentials, and while the store is away: botocore's errors are no OSError."""
    store.system.put_file(str(dumps / "h1" / "1-0.hprof"), "dumps/h1/1-0.hprof")
    folder = FleetFolder(tmp_path / "f", create=True)
    (source,) = find_sources(["s3://dumps"], NamePattern("{host}/{pid}-{number}.hprof"))
    folder.add(source.identity, made(source, tmp_path))
    commands = (
        ["fleet", "run", "s3://dumps/", "-o", str(tmp_path / "new")],
        ["fleet", "open", str(folder.path), "h1:1", "-o", str(tmp_path / "copies")],
    )

    def problems() -> list[str]:
        s3fs.S3FileSystem.clear_instance_cache()
        assert [main(each) for each in commands] == [3, 3]
        said = capsys.readouterr().err.splitlines()
        assert [each.partition(": ")[2].partition(":")[0] for each in said] == ["s3", "s3"], said
        return said

    with monkeypatch.context() as without:
        without.setenv("AWS_EC2_METADATA_DISABLED", "true")
        without.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            without.delenv(name)
        assert all("Unable to locate credentials" in each for each in problems())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert all("Could not connect to the endpoint" in each for each in problems())
    assert not (tmp_path / "new").exists()


def test_a_web_server_that_is_away_is_no_missing_file() -> None:
    with pytest.raises(HeapscopeError, match=r"Cannot connect to host 127\.0\.0\.1:1"):
        find_sources(["http://127.0.0.1:1/worker.hprof"])


def test_a_folder_of_a_web_server_stands_for_all_dumps_below_it(dumps: Path) -> None:
    """A web server calls its folders files; they end in a slash."""
    with serving(dumps) as address:
        found = find_sources([f"{address}/"], NamePattern("{host}/{pid}-{number}.hprof"))
    assert [(each.labels["host"], each.byte_count > 0) for each in found] == [
        ("h0", True), ("h0", True), ("h1", True), ("h1", True),
    ]  # fmt: skip
