"""Runs over a fleet on real Dask: the same bytes whatever happens on the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import psutil
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heapscope.errors import HeapscopeError
from heapscope.fleet import task
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.run import RunState, run_fleet
from heapscope.fleet.sources import Source, find_sources
from heapscope.fleet.task import Work, estimated_bytes, sketch_of
from tests.support.fleet import Worker, write_fleet

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small dumps."""
    folder = tmp_path_factory.mktemp("dumps")
    write_fleet(folder, [Worker(f"h{i}", i, dump_count=2, session_count=5) for i in range(3)])
    return folder


@pytest.fixture(scope="module")
def sources(dumps: Path) -> list[Source]:
    return find_sources([str(dumps)])


@pytest.fixture(scope="module")
def expected(sources: list[Source]) -> dict[str, dict[str, bytes]]:
    """The sketches as one process makes them, one after the other."""
    found = {}
    for source in sources:
        made = sketch_of(Work(source, False, "1.0"))
        assert isinstance(made, dict)
        found[source.identity] = made
    return found


def in_threads(count: int) -> Any:
    """A cluster that is there already: a scheduler and workers, in threads of this process."""
    return distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        protocol="tcp",
        host="127.0.0.1",
    )


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with in_threads(2) as cluster:
        yield cluster.scheduler_address


def bytes_of(folder: FleetFolder) -> dict[str, dict[str, bytes]]:
    return {
        identity: {path.stem: path.read_bytes() for path in (folder.path / identity).iterdir()}
        for identity in folder.identities()
    }


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.permutations(range(6)), st.integers(0, 6))
def test_any_order_and_any_interruption_end_in_the_same_bytes(
    scheduler: str,
    sources: list[Source],
    expected: dict[str, dict[str, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int],
    stop_after: int,
) -> None:
    folder = FleetFolder(tmp_path_factory.mktemp("out") / "f", create=True)

    def stop(state: RunState) -> None:
        if state.done_count == stop_after:
            raise KeyboardInterrupt

    shuffled = [sources[place] for place in order]
    with pytest.raises(KeyboardInterrupt):
        run_fleet(shuffled, folder, version="1.0", scheduler=scheduler, watcher=stop)
    assert len(folder.identities()) == stop_after
    assert all(bytes_of(folder)[each] == expected[each] for each in folder.identities())
    state = run_fleet(sources, folder, version="1.0", scheduler=scheduler)
    assert (state.known_count, state.done_count) == (stop_after, 6 - stop_after)
    assert bytes_of(folder) == expected


def test_a_worker_that_is_killed_loses_nothing(
    sources: list[Source],
    expected: dict[str, dict[str, bytes]],
    dumps: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Two processes of this machine; one is killed when the first sketch is there.

    Ctrl-C, which a terminal sends to workers too, is the command's own affair: they say nothing.
    """
    broken = dumps / "broken.hprof"
    broken.write_bytes((dumps / "h0" / "0-0.hprof").read_bytes()[:300])
    killed: list[int] = []

    def kill(state: RunState) -> None:
        if state.done_count == 1 and not killed:
            workers = [each for each in psutil.Process().children(recursive=True) if is_worker(each)]
            killed.append(workers[0].pid)
            for each in workers:
                os.kill(each.pid, signal.SIGINT)
            os.kill(workers[0].pid, signal.SIGKILL)

    folder = FleetFolder(tmp_path / "f", create=True)
    all_of_them = find_sources([str(dumps)])
    try:
        state = run_fleet(all_of_them, folder, version="1.0", workers=2, watcher=kill)
    finally:
        broken.unlink()
    assert killed
    assert "Traceback" not in capfd.readouterr().err
    assert bytes_of(folder) == expected
    (failure,) = state.failures
    assert failure.source == str(broken)
    assert folder.failures() == [failure]


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is one of Dask's own: multiprocessing's helper is none."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_source_that_is_away_is_listed_and_read_when_it_is_back(
    scheduler: str, sources: list[Source], dumps: Path, tmp_path: Path
) -> None:
    folder = FleetFolder(tmp_path / "f", create=True)
    path = Path(sources[0].url)
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        state = run_fleet(sources[:2], folder, version="1.0", scheduler=scheduler)
    finally:
        away.rename(path)
    assert [each.source for each in state.failures] == [str(path)]
    assert state.failures[0].problem == "No such file or directory; it was there when the run began"
    again = run_fleet(sources[:2], folder, version="1.0", scheduler=scheduler)
    assert (again.known_count, again.failures, folder.failures()) == (1, [], [])


@pytest.mark.parametrize("count", [1, 4])
def test_the_same_bytes_for_any_number_of_workers(
    sources: list[Source], expected: dict[str, dict[str, bytes]], tmp_path: Path, count: int
) -> None:
    folder = FleetFolder(tmp_path / "f", create=True)
    with in_threads(count) as cluster:
        run_fleet(sources[::-1], folder, version="1.0", scheduler=cluster.scheduler_address)
    assert bytes_of(folder) == expected


class Unreliable(LocalFileSystem):  # type: ignore[misc]
    """The disk under another name; every file fails so often before it can be had."""

    protocol = "unreliable"
    local_file = False
    failures_left: ClassVar[Counter[str]] = Counter()
    problem: ClassVar[Exception] = OSError(errno.EIO, "the store is away")

    def get_file(self, path1: str, path2: str, *arguments: Any, **named: Any) -> None:
        name = Path(path1).name
        if self.failures_left[name] > 0:
            self.failures_left[name] -= 1
            raise self.problem
        super().get_file(path1, path2, *arguments, **named)


@pytest.fixture
def unreliable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Pauses that workers made; none is waited for."""
    pauses: list[float] = []
    monkeypatch.setattr("heapscope.fleet.task.time.sleep", pauses.append)
    fsspec.register_implementation("unreliable", Unreliable, clobber=True)
    task._tried.clear()
    yield pauses
    Unreliable.failures_left.clear()


@pytest.mark.parametrize(
    "problem", [OSError(errno.EIO, "the store is away"), RuntimeError("the store is away")]
)
def test_what_fails_for_a_while_is_tried_again_after_growing_pauses(
    scheduler: str,
    dumps: Path,
    tmp_path: Path,
    unreliable: list[float],
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
) -> None:
    """Whatever the library of a protocol raises: the errors of botocore are no OSError."""
    monkeypatch.setattr(Unreliable, "problem", problem)
    found = find_sources([f"unreliable://{dumps}/h0"])
    Unreliable.failures_left.update({"0-0.hprof": 3, "0-1.hprof": 4})
    folder = FleetFolder(tmp_path / "f", create=True)
    state = run_fleet(found, folder, version="1.0", scheduler=scheduler)
    assert [each.problem for each in state.failures] == ["the store is away (tried 4 times)"]
    assert state.failures[0].source.endswith("0-1.hprof")
    assert len(folder.identities()) == 1
    assert len(unreliable) == 7
    for least, pause in zip((0.5, 0.5, 1, 1, 2, 2, 4), sorted(unreliable), strict=True):
        assert least <= pause <= 2 * least
    assert run_fleet(found, folder, version="1.0", scheduler=scheduler).failures == []


def test_a_full_scratch_disk_is_named_and_nothing_stays_on_it(
    scheduler: str, dumps: Path, tmp_path: Path, unreliable: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full before the copy begins, and full in the middle of it."""
    found = find_sources([f"unreliable://{dumps}/h0"])[:1]
    folder = FleetFolder(tmp_path / "f", create=True)
    with small_disk(tmp_path) as disk:
        state = run_fleet(found, folder, version="1.0", scheduler=scheduler, scratch=disk)
        assert f"the scratch folder {disk} has" in state.failures[0].problem
        assert "must leave 67.1 MB to others" in state.failures[0].problem
        monkeypatch.setattr(task, "_LEFT_FREE_BYTES", -1 << 40)
        state = run_fleet(found, folder, version="1.0", scheduler=scheduler, scratch=disk)
        assert f"the scratch folder {disk} is full; --scratch names another" in state.failures[0].problem
        assert list(disk.iterdir()) == []
    assert folder.identities() == set()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 4 kB."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_scheduler_answers(sources: list[Source], tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path / "f", create=True)
    with pytest.raises(HeapscopeError, match="no Dask scheduler answers"):
        run_fleet(sources, folder, version="1.0", scheduler="tcp://127.0.0.1:1")


def test_a_packed_dump_is_reckoned_with_what_it_inflates_to() -> None:
    plain, packed = (estimated_bytes(Source(f"a.hprof{end}", 1 << 30, "")) for end in ("", ".zst"))
    assert plain > 1.6 * (1 << 30)
    assert packed > 6 * plain
