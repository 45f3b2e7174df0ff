"""Real JVMs that grow in every way, and the verdict on each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from heapscope.analysis.memory.history import WatchHistory
from heapscope.analysis.memory.samples import read_samples, watched_processes
from heapscope.analysis.memory.verdict import MemoryVerdict
from heapscope.cli import main
from heapscope.collector import memory, pages, processes
from heapscope.collector.sample_file import SampleFile
from heapscope.collector.watch import Watch
from heapscope.errors import JvmNotFound
from tests.support import embedding
from tests.support.jvm import Jvm, find_jdks, java, wait_until

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())
COLLECTORS = ["Serial", "Parallel", "G1", "Z", "Shenandoah"]
TRACKED = "-XX:NativeMemoryTracking=summary"
LISTENING = "-XX:+StartAttachListener"


def grow(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "grown\n"


def verdict_of(process: subprocess.Popen[str], steps: int = 8, minutes: float = 2.0) -> MemoryVerdict:
    """What a watch says of a process that grows between samples, as if they were so many minutes apart."""
    watcher, history = Watch([process.pid]), WatchHistory()
    grow(process)  # what the first step touches is no growth
    for number in range(steps + 1):
        (found,) = watcher.sample(walk_all=True)
        moment = datetime(2026, 11, 25, tzinfo=UTC) + number * timedelta(minutes=minutes)
        history.add([asdict(found) | {"captured_at": moment.isoformat()}])
        if number < steps:
            grow(process)
    watcher.close()
    return history[found.pid, found.start_ticks].verdict()


@contextmanager
def embedded(release: int, kind: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with a JVM inside."""
    libjvm = find_jdks()[release].home / "lib/server/libjvm.so"
    process = subprocess.Popen(
        [sys.executable, embedding.__file__, str(libjvm), kind, "-Xmx64m", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("kind", "cause", "confidence"),
    [
        ("heap", "java heap", "high"),
        ("garbage", "garbage", "medium"),  # the whole heap is never collected
        ("classes", "class loaders", "high"),
        ("direct", "direct buffers", "high"),
        ("threads", "threads", "high"),
        ("nothing", "steady", "high"),
    ],
)
def test_what_grew_is_named(release: int, kind: str, cause: str, confidence: str) -> None:
    # G1 keeps its young generation small enough here for old one and garbage to be told apart.
    with java(find_jdks()[release], "Growth", TRACKED, LISTENING, arguments=[kind], heap="512m") as jvm:
        # Some collections must have told garbage from what is held.
        found = verdict_of(jvm.process, steps=24 if kind == "garbage" else 8)
    assert found.cause == cause, found
    assert found.growers[0].confidence == confidence, found


@pytest.mark.parametrize("release", RELEASES)
def test_the_jvm_says_what_grew_since_the_baseline(release: int) -> None:
    options = [TRACKED, LISTENING]
    with java(find_jdks()[release], "Growth", *options, arguments=["direct"], heap="512m") as jvm:
        watcher = Watch([jvm.pid], nmt_baseline=True)
        (first,) = watcher.sample()
        assert first.nmt_other_bytes is not None
        for _ in range(3):
            grow(jvm.process)
        ((key, growth),) = watcher.native_memory_growth().items()
        watcher.close()
    assert key == (first.pid, first.start_ticks)
    assert growth["Other"] == pytest.approx(30 << 20, rel=0.1)


def test_a_second_is_sure_of_nothing() -> None:
    with java(
        find_jdks()[RELEASES[0]], "Growth", TRACKED, LISTENING, arguments=["direct"], heap="512m"
    ) as jvm:
        found = verdict_of(jvm.process, minutes=0.01)
    assert (found.cause, found.confidence) == ("direct buffers", "low")


@pytest.mark.parametrize("options", [[TRACKED, LISTENING], []], ids=["tracked", "untracked"])
@pytest.mark.parametrize("kind", ["malloc", "arenas"])
def test_what_the_host_program_leaks_is_not_blamed_on_java(kind: str, options: list[str]) -> None:
    with embedded(RELEASES[0], kind, *options) as process:
        assert processes.get(process.pid).is_embedded
        found = verdict_of(process)
    # Without tracking it could be Java's Unsafe memory.
    in_main = "native malloc" if options else "malloc"
    assert found.cause == (in_main if kind == "malloc" else "malloc arenas"), found
    assert found.growth_bytes == pytest.approx(70e6, rel=0.3)
    assert (found.confidence == "low") == (not options)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_range_of_the_heap_is_found_without_contact(release: int, collector: str) -> None:
    options = [f"-XX:+Use{collector}GC", LISTENING]
    # 1 GiB is the length of the space for classes, too.
    with java(find_jdks()[release], "Growth", *options, arguments=["nothing"], heap="1g") as jvm:
        maps = Path(f"/proc/{jvm.pid}/maps").read_text()
        heap = processes.get(jvm.pid).heap
        assert heap is not None
        assert heap.max_bytes == pytest.approx(1 << 30, abs=64)
        probe = memory.Probe(processes.get(jvm.pid))
        sample = probe.sample("", "")
        probe.close()
        assert sample is not None
        assert sample.heap_rss_bytes is not None
        found = pages.heap_range(pages.mappings(maps), heap.max_bytes, 1 << 17)
        said = pages.heap_range_of(jvm.jcmd("GC.heap_info"))
        if collector != "Z":
            assert found == said
        assert found is not None


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("collector", ["G1", "Z"])
def test_the_heaps_pages_are_those_that_smaps_counts(release: int, collector: str) -> None:
    options = [f"-XX:+Use{collector}GC", "-XX:+AlwaysPreTouch"]
    with java(find_jdks()[release], "Growth", *options, arguments=["nothing"], heap="64m") as jvm:
        found = pages.mappings(Path(f"/proc/{jvm.pid}/maps").read_text())
        bounds = pages.heap_range(found, 64 << 20)
        assert bounds is not None
        (use,) = pages.look(jvm.pid, [pages.heap_mappings(found, bounds)])
        smaps = Path(f"/proc/{jvm.pid}/smaps").read_text()
    # ZGC of JDK 17 maps its heap three times: what is really there is the share.
    figure = "Pss" if collector == "Z" else "Rss"
    parts = re.findall(rf"^([0-9a-f]+)-[0-9a-f]+ .*?^{figure}: +(\d+) kB", smaps, re.MULTILINE | re.DOTALL)
    expected = sum(int(kib) << 10 for start, kib in parts if bounds[0] <= int(start, 16) < bounds[1])
    assert expected > 0
    assert use.resident_bytes == pytest.approx(expected, rel=0.02)


def test_without_counters_the_heap_is_asked_for_once() -> None:
    with java(find_jdks()[RELEASES[0]], "Growth", "-XX:-UsePerfData", LISTENING, arguments=["heap"]) as jvm:
        probe = memory.Probe(processes.get(jvm.pid))
        asked = 0
        while probe.is_to_be_asked and asked < 2:
            probe.ask()
            asked += 1
        assert asked == 1
        sample = probe.sample("", "")
        assert sample is not None
        assert sample.heap_used_bytes is None
        assert sample.heap_rss_bytes is not None
        assert 0 < sample.heap_rss_bytes < sample.rss_bytes


def test_targets_come_and_go() -> None:
    with java(find_jdks()[RELEASES[0]], "Growth", arguments=["heap", "--job_name=late"]) as first:
        watcher = Watch(role="late")
        assert [sample.pid for sample in watcher.sample()] == [first.pid]
        with java(find_jdks()[RELEASES[0]], "Growth", arguments=["heap", "--job_name=late"]) as second:
            assert {sample.pid for sample in watcher.sample()} == {first.pid, second.pid}
            first.process.kill()
            first.process.wait()
            assert [sample.pid for sample in watcher.sample()] == [second.pid]
            assert not watcher.is_over
            watcher.close()


def test_a_jvm_that_is_started_late_is_found(tmp_path: Path) -> None:
    libjvm = find_jdks()[RELEASES[0]].home / "lib/server/libjvm.so"
    code = (
        "import sys, ctypes; ctypes.CDLL(sys.argv[1]); print('mapped', flush=True); sys.stdin.readline()\n"
        "from tests.support.embedding import create_jvm\n"
        "create_jvm(sys.argv[1], ['-Xmx16m']); print('started', flush=True); sys.stdin.readline()"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code, str(libjvm)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert host.stdin is not None
    assert host.stdout is not None
    try:
        assert host.stdout.readline() == "mapped\n"
        with pytest.raises(JvmNotFound, match="heapscope ps"):
            Watch([host.pid])
        watcher = Watch(role=None)
        assert host.pid not in {process.pid for process in watcher.processes}
        host.stdin.write("\n")
        host.stdin.flush()
        assert host.stdout.readline() == "started\n"
        wait_until(lambda: host.pid in {sample.pid for sample in watcher.sample()}, "it is found")
        watcher.close()
    finally:
        host.kill()
        host.communicate()


@pytest.fixture
def growing() -> Iterator[Jvm]:
    arguments = ["heap", "--job_name=worker", "--task_index=1"]
    with java(find_jdks()[RELEASES[0]], "Growth", arguments=arguments, heap="256m") as jvm:
        yield jvm


def _with_signals() -> None:
    """Let signals end the child: what nohup or a shell starts in the background ignores them."""
    for ending in (signal.SIGHUP, signal.SIGINT):
        signal.signal(ending, signal.SIG_DFL)


def start_watch(folder: Path, *words: str, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", "-c", f'{before} exec "$0" "$@"', sys.executable, "-m", "heapscope", "watch", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=_with_signals,
    )


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_kill_loses_nothing_and_a_restart_appends(growing: Jvm, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"watch.{suffix}"
    words = [str(growing.pid), "--every", "0.1s", "-o", path.name]
    watch = start_watch(tmp_path, *words)
    assert watch.stdout is not None
    printed = [watch.stdout.readline() for _ in range(4)]
    assert all("worker:1" in line for line in printed)
    watch.kill()
    watch.communicate()
    kept = len(read_samples([path]))
    assert kept >= 4
    grow(growing.process)
    watch = start_watch(tmp_path, *words, "--for", "0.5s")
    out, _ = watch.communicate(timeout=30)
    assert watch.returncode == 0
    samples = read_samples([path])
    assert kept < len(samples) <= kept + 6  # rounds that a busy machine misses are left out
    (process,) = watched_processes(samples)
    assert (process.pid, process.role, process.task_index) == (growing.pid, "worker", 1)
    assert "\n    confidence " in out
    assert out.splitlines()[-1].startswith("pages were looked at ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name]


def test_verdicts_on_demand_and_at_the_end(growing: Jvm, tmp_path: Path) -> None:
    watch = start_watch(tmp_path, str(growing.pid), "--every", "0.1s")
    assert watch.stdout is not None
    for _ in range(6):
        watch.stdout.readline()
    watch.send_signal(signal.SIGUSR1)
    line = watch.stdout.readline()
    while "steady" not in line:
        line = watch.stdout.readline()
    assert line == f"worker:1 (pid {growing.pid}): steady, nothing grew\n"
    for _ in range(8):
        grow(growing.process)
        watch.stdout.readline()
    watch.send_signal(signal.SIGTERM)
    out, _ = watch.communicate(timeout=30)
    assert watch.returncode == 0
    assert f"worker:1 (pid {growing.pid}): the Java heap grows\n" in out


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGINT])
def test_a_full_disk_ends_neither_the_watch_nor_its_verdict(
    growing: Jvm, tmp_path: Path, ending: signal.Signals
) -> None:
    # No file may grow beyond 2 or 4 KiB, by the shell's unit: a few rounds.
    watch = start_watch(tmp_path, str(growing.pid), "--every", "0.05s", "-o", "w.csv", before="ulimit -f 4;")
    assert watch.stdout is not None
    line = watch.stdout.readline()
    while "the watch goes on" not in line:
        assert line
        line = watch.stdout.readline()
    assert line.startswith("heapscope: w.csv: cannot be written: File too large")
    kept = len(read_samples(tmp_path / "w.csv"))
    for _ in range(4):
        assert "rss" in watch.stdout.readline()
    watch.send_signal(ending)
    out, _ = watch.communicate(timeout=60)
    assert "    confidence " in out
    assert re.search(r"w\.csv: cannot be written: \d+ rounds were not written: File too large", out)
    assert watch.returncode == 3
    # A later round of fewer digits may just fit.
    assert len(read_samples(tmp_path / "w.csv")) in (kept, kept + 1)
    assert kept >= 4


def test_a_watch_of_a_process_ends_with_it(growing: Jvm, tmp_path: Path) -> None:
    watch = start_watch(tmp_path, str(growing.pid), "--every", "0.1s")
    assert watch.stdout is not None
    watch.stdout.readline()
    growing.process.kill()
    growing.process.wait()
    watch.communicate(timeout=30)
    assert watch.returncode == 0


def test_plot_draws_and_says(growing: Jvm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv, picture = tmp_path / "w.csv", tmp_path / "w.png"
    watcher, file = Watch([growing.pid]), SampleFile(csv)
    for _ in range(5):
        file.append(watcher.sample())
    file.close()
    watcher.close()
    assert main(["plot", str(csv), "-o", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    # What samples of some milliseconds say depends on the moment; that they are judged does not.
    said = capsys.readouterr().out
    assert f"(pid {growing.pid}): " in said
    assert "confidence" in said
    assert main(["plot", str(csv), "-o", str(picture)]) == 3
    assert "--force" in capsys.readouterr().err
