"""Snapshots of real JVMs through a FIFO, and whatever can go wrong: the JVM lives, nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.collector import attach, processes
from heapscope.collector.dump import collect
from heapscope.errors import DumpFailed
from tests.support.jvm import Jvm, find_jdks, java

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())


@pytest.fixture(params=RELEASES)
def jvm(request: pytest.FixtureRequest) -> Iterator[Jvm]:
    with java(find_jdks()[request.param], "Zoo", "-XX:+StartAttachListener", "-XX:+UseSerialGC") as found:
        yield found


def leftovers(folder: Path) -> list[Path]:
    fifos = [
        path for path in Path("/tmp").glob("heapscope-*") if re.fullmatch(r"heapscope-\d+-\d+-\w+", path.name)
    ]
    return [*fifos, *folder.glob(".*"), *folder.glob("*")]


def wait_until_clean(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while leftovers(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert leftovers(folder) == []


def serves(jvm: Jvm) -> bool:
    return "version" in attach.jcmd(processes.get(jvm.pid), "VM.version", seconds=30)


def children() -> list[int]:
    """Readers: grandchildren of this process that stream a dump."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            grandparent = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if b"heapscope.collector.watchdog" in command and grandparent == os.getpid():
            found.append(pid)
    return found


def test_a_streamed_dump_counts_what_the_jvm_counts(jvm: Jvm, tmp_path: Path) -> None:
    jvm.class_histogram()
    truth = tmp_path / "truth.hprof"
    jvm.quiet_dump(truth)
    taken = collect(processes.get(jvm.pid), tmp_path / "out")
    with heapscope.open(taken.path) as streamed, heapscope.open(truth) as written:
        ours = dict(streamed.class_histogram()[["class_name", "instance_count"]].itertuples(index=False))
        theirs = dict(written.class_histogram()[["class_name", "instance_count"]].itertuples(index=False))
        assert {name for name in ours if ours[name] != theirs.get(name)} == set()
    assert taken.path.stat().st_mode & 0o777 == 0o600
    assert taken.path.parent.stat().st_mode & 0o777 == 0o700
    facts = json.loads(taken.sidecar.read_text())
    assert facts["process"]["pid"] == jvm.pid
    assert facts["dump_bytes"] == pytest.approx(truth.stat().st_size, rel=0.01)
    shutil.rmtree(tmp_path / "out")
    truth.unlink()
    wait_until_clean(tmp_path)
    assert serves(jvm)


def test_the_command_line_collects_and_reports(
    jvm: Jvm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "out")
    assert main(["collect", str(jvm.pid), "-o", folder, "--every", "0.2s", "--count", "2"]) == 0
    assert main(["collect", str(jvm.pid), "-o", folder, "--kind", "histogram"]) == 0
    assert main(["trend", folder, "--json"]) == 0
    out = capsys.readouterr().out
    assert len(json.loads(out[out.index("\n{") :])["snapshots"]) == 3


@pytest.mark.parametrize("signal_sent", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_that_dies_or_stops_leaves_the_jvm_alive(
    jvm: Jvm, tmp_path: Path, signal_sent: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = attach.jcmd

    def ask_after_the_blow(process: processes.JvmProcess, command: str, **options: float) -> str:
        if command.startswith("GC.heap_dump"):
            (reader,) = children()
            os.kill(reader, signal_sent)
        return ask(process, command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(attach, "jcmd", ask_after_the_blow)
    with pytest.raises(DumpFailed):
        collect(processes.get(jvm.pid), tmp_path)
    monkeypatch.undo()
    wait_until_clean(tmp_path)
    assert serves(jvm)


def test_a_jvm_killed_while_it_dumps_leaves_nothing(jvm: Jvm, tmp_path: Path) -> None:
    process = processes.get(jvm.pid)
    jvm.process.send_signal(signal.SIGSTOP)
    jvm.process.send_signal(signal.SIGCONT)
    killer = threading.Timer(0.12, jvm.process.kill)
    killer.start()
    try:
        collect(process, tmp_path)
    except heapscope.CollectError:
        wait_until_clean(tmp_path)
    killer.join()


def test_heapscope_killed_in_the_middle_leaves_nothing(jvm: Jvm, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heapscope", "collect", str(jvm.pid), "-o", str(tmp_path / "out")]
    for delay in (0.1, 0.25, 0.3, 0.35):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        child.kill()
        child.wait()
        time.sleep(0.7)
        assert serves(jvm)
        assert [
            path for path in leftovers(tmp_path / "out") if path.name.startswith((".", "heapscope-"))
        ] == []


def test_one_snapshot_at_a_time(jvm: Jvm, tmp_path: Path) -> None:
    from heapscope.collector.dump import _lock

    process = processes.get(jvm.pid)
    with _lock(process), pytest.raises(DumpFailed, match="another heapscope"):
        collect(process, tmp_path)


def test_a_full_disk_is_named_and_leaves_nothing(jvm: Jvm, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        disk = Path("/dev/full")  # no right to mount: the next best is a folder that cannot be made
        with pytest.raises(OSError, match="full"):
            collect(processes.get(jvm.pid), disk)
        return
    try:
        with pytest.raises(DumpFailed, match="No space left"):
            collect(processes.get(jvm.pid), disk)
        wait_until_clean(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert serves(jvm)


def test_a_trigger_takes_a_histogram_then_dumps_and_stops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with java(
        find_jdks()[RELEASES[0]], "Growth", "-XX:+StartAttachListener", arguments=["heap"], heap="256m"
    ) as jvm:
        folder = tmp_path / "out"
        words = ["collect", str(jvm.pid), "-o", str(folder), "--every", "0.2s"]
        assert main([*words, "--trigger", "rss>900G", "--for", "0.5s"]) == 0
        assert not folder.exists()
        grower = threading.Thread(target=_grow, args=(jvm, 8))
        grower.start()
        assert main([*words, "--trigger", "rss>80M", "--count", "3"]) == 0
        grower.join()
        names = sorted(path.name for path in folder.glob("jvm.*") if path.suffix != ".json")
        assert [name.partition("Z.")[2] for name in names] == ["histogram.txt", "hprof.zst", "hprof.zst"]
        out = capsys.readouterr().out
        assert re.search(r"process \d+: rss [\d.]+ MB \(rss>80M\): a class histogram\n", out)
        assert serves(jvm)


def _grow(jvm: Jvm, steps: int) -> None:
    assert jvm.process.stdin is not None
    for _ in range(steps):
        time.sleep(0.1)
        jvm.process.stdin.write("\n")
        jvm.process.stdin.flush()


def test_a_trigger_that_is_none_is_said_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "1", "-o", str(tmp_path / "out")]
    assert main([*words, "--trigger", "ram>8G"]) == 2
    assert "metrics: rss" in capsys.readouterr().err
    assert main([*words, "--for", "1h"]) == 2
    assert list(tmp_path.iterdir()) == []
