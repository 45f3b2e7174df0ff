"""What is exported of a round, to whom, and from where it is refused."""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import urllib.request
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_metrics

from heapscope.cli.common.service_manager import heartbeat_seconds, notify
from heapscope.cli.watch import _Signals
from heapscope.cli.watch_metrics import (
    COUNTERS,
    GAUGES,
    ClassCounts,
    Metrics,
    parse_address,
    watched_counts,
)
from heapscope.errors import AttachTimeout, HeapscopeError, OutputFailed
from tests.unit.cli.conftest import Run
from tests.unit.collector.living import jvm_process
from tests.unit.collector.test_sample_file import sample

HISTOGRAM = """ num     #instances         #bytes  class name (module)
-------------------------------------------------------
   1:            40           4000  org.apache.hadoop.hdfs.DistributedFileSystem
   2:             3            300  org.apache.hadoop.fs.LocalFileSystem
   3:             7             70  javax.security.auth.Subject (java.base@17.0.15)
Total            50           4370
"""
WORKER = replace(
    jvm_process(), pid=7, start_ticks=99, role="worker", task_index=3, command=("java", "a.Main")
)
WORKER = replace(WORKER, container="0123456789ab", pod="trainer-0")
OTHER = replace(jvm_process(), pid=8, start_ticks=99, command=("python3", "/x/train\x1b.py", "--secret=1"))


def exported(metrics: Metrics) -> dict[tuple[str, str], tuple[float, dict[str, str]]]:
    """By name and pid: value and labels, as a scraper reads them over HTTP."""
    with metrics.serving(("127.0.0.1", 0)) as port:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Accept": "application/openmetrics-text"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            text = answer.read().decode()
    return {
        (one.name, one.labels.get("pid", "")): (one.value, one.labels)
        for family in open_metrics(text)  # type: ignore[no-untyped-call]
        for one in family.samples
    }


def test_every_figure_of_a_round_is_told_and_what_was_not_measured_is_left_out() -> None:
    metrics = Metrics(None, None)
    full = sample(5, role="worker", task_index=3, heap_rss_bytes=11, gc_seconds=0.5, gc_count=4)
    metrics.round([full, sample(5, pid=8)], [WORKER, OTHER])
    found = exported(metrics)
    value, labels = found["heapscope_resident_memory_bytes", "7"]
    assert value == 5
    where = {"container": "0123456789ab", "pod": "trainer-0"}
    assert labels == {"pid": "7", "role": "worker", "task": "3", "main_class": "a.Main", **where}
    assert found["heapscope_gc_seconds_total", "7"][0] == 0.5
    assert found["heapscope_heap_resident_bytes", "7"][0] == 11
    assert ("heapscope_heap_resident_bytes", "8") not in found
    # The script without what would change a terminal, and no arguments.
    assert found["heapscope_threads", "8"][1]["main_class"] == "train\\x1b.py"
    assert found["heapscope_watched_processes", ""][0] == 2
    assert {name for name, _ in found} >= {"heapscope_threads", "heapscope_last_round_timestamp_seconds"}


def test_what_is_not_measured_in_every_round_has_no_gaps() -> None:
    metrics = Metrics(None, None)
    for number, pages in ((1, 500), (2, None), (3, None)):
        metrics.round([sample(number, heap_rss_bytes=pages)], [WORKER])
    found = exported(metrics)
    assert found["heapscope_heap_resident_bytes", "7"][0] == 500
    assert found["heapscope_resident_memory_bytes", "7"][0] == 3


def test_a_process_that_has_ended_disappears() -> None:
    metrics = Metrics(None, None)
    metrics.round([sample(1), sample(1, pid=8)], [WORKER, OTHER])
    metrics.round([sample(2)], [WORKER])
    assert {pid for _, pid in exported(metrics)} == {"7", ""}


def test_every_column_that_is_a_size_or_a_count_is_exported() -> None:
    left_out = {"concurrent_gc_count", "heap_remapped_bytes"}
    wanted = {name for name in sample(1).__slots__ if name.endswith(("_bytes", "_count", "_seconds"))}
    assert {column for column, _ in (GAUGES | COUNTERS).values()} == wanted - left_out


def test_the_text_file_is_whole_and_readable_and_no_other_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "heapscope.prom"
    metrics = Metrics(path, None)
    for number in (1, 2):
        metrics.round([sample(number)], [WORKER])
        found = {one.name: one.value for family in text_metrics(path.read_text()) for one in family.samples}
        assert found["heapscope_resident_memory_bytes"] == number
    assert path.stat().st_mode & 0o044 == 0o044
    assert list(tmp_path.iterdir()) == [path]
    Metrics(path, None)
    path.write_text("# HELP node_x\n")
    with pytest.raises(OutputFailed, match="name another file"):
        Metrics(path, None)
    lost = Metrics(tmp_path / "none" / "x.prom", None)
    lost.round([sample(1)], [WORKER])  # the watch goes on
    assert isinstance(lost.problem, OutputFailed)


def test_an_address_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(HeapscopeError, match=f"--metrics 127.0.0.1:{port}: Address already in use"),
            Metrics(None, None).serving(("127.0.0.1", port)),
        ):
            pass


@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_service_manager_is_told(
    is_abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"@heapscope-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    notify("READY=1")  # nobody listens
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1) if is_abstract else name)
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_a_service_manager_hears_between_rounds_that_the_watch_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))

        def listen() -> None:
            heard.extend(manager.recv(100) for _ in range(3))
            os.kill(os.getpid(), signal.SIGTERM)

        with _Signals() as signals:
            listener = threading.Thread(target=listen)
            listener.start()
            assert signals.wait(3600, lambda: None)
            listener.join()
    assert heard == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    ("allowed", "pid", "seconds"),
    [("60000000", None, 30.0), ("60000000", "1", math.inf), ("0", None, math.inf), ("x", None, math.inf)],
)
def test_half_of_the_time_that_a_service_manager_allows(
    monkeypatch: pytest.MonkeyPatch, allowed: str, pid: str | None, seconds: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", allowed)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert heartbeat_seconds() == seconds


def test_classes_are_counted_with_their_known_subclasses() -> None:
    counts = watched_counts(HISTOGRAM)
    assert counts["org.apache.hadoop.fs.FileSystem"] == (43, 4300)
    assert counts["javax.security.auth.Subject"] == (7, 70)
    assert counts["org.apache.hadoop.hdfs.DFSClient"] == (0, 0)


def test_histograms_are_asked_for_now_and_then_and_waited_for_by_nobody() -> None:
    key = (7, 99)
    futures: list[Future[str]] = []

    def ask(command: str) -> dict[tuple[int, int], Future[str]]:
        assert command == "GC.class_histogram -all"
        futures.append(Future())
        return {key: futures[-1]}

    counts = ClassCounts(0.0, ask)
    metrics = Metrics(None, counts)
    for _ in range(3):
        metrics.round([sample(1)], [WORKER])
    assert len(futures) == 1  # the first is not answered yet
    futures[0].set_result(HISTOGRAM)
    metrics.round([sample(1)], [WORKER])
    assert counts.counts[key]["org.apache.hadoop.fs.FileSystem"] == (43, 4300)
    futures[1].set_exception(AttachTimeout("busy"))
    metrics.round([sample(1)], [WORKER])
    assert counts.counts[key]["org.apache.hadoop.fs.FileSystem"] == (43, 4300)
    counts.look(set())
    assert counts.counts == {}
    assert len(ClassCounts(3600.0, ask).counts) == 0


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), (":1", ("127.0.0.1", 1)), ("[::1]:2", ("::1", 2))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


def test_misuse_is_one_line(run: Run, tmp_path: Path) -> None:
    for words in (
        ("--metrics", "9464"),
        ("--metrics", "x:99999"),
        ("--histogram-every", "30m"),
        ("--textfile", "x.txt"),
    ):
        assert run("watch", *words).code == 2, words
