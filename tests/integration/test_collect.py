"""Snapshots of real JVMs, and whatever can go wrong in the middle of one: the JVM serves, nothing is left."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.collector import dump, processes
from heapscope.collector.dump import collect
from heapscope.errors import CollectError, DumpFailed, OutputFailed
from tests.support.hosts import Host, java_host
from tests.support.jvm import Jvm, find_jdks, java

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())
OPTIONS = ("-XX:+StartAttachListener", "-XX:+UseSerialGC")
# Half a second of dump and more: whatever happens when its first bytes are there happens in the middle.
MEGABYTES = 100
_WAIT_SECONDS = 30


@pytest.fixture(params=RELEASES)
def jvm(request: pytest.FixtureRequest) -> Iterator[Jvm]:
    with java(find_jdks()[request.param], "Zoo", *OPTIONS) as found:
        yield found


@pytest.fixture(scope="module", params=RELEASES)
def big(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A JVM that survives test after test; the next one could not be done if it did not."""
    with java_host(find_jdks()[request.param], MEGABYTES, *OPTIONS) as found:
        yield found


@pytest.fixture
def mortal() -> Iterator[Host]:
    with java_host(find_jdks()[RELEASES[0]], MEGABYTES, *OPTIONS) as found:
        yield found


def leftovers(folder: Path) -> list[Path]:
    """All that is in a folder, and what heapscope has in /tmp."""
    ours = [
        path for path in Path("/tmp").glob("heapscope-*") if re.fullmatch(r"heapscope-\d+-\d+-\w+", path.name)
    ]
    return [*ours, *folder.glob(".*"), *folder.glob("*")]


def wait_until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {_WAIT_SECONDS} s until {what}"
        time.sleep(0.002)


def wait_until_clean(folder: Path) -> None:
    wait_until(lambda: not leftovers(folder), f"nothing is left: {leftovers(folder)}")


def is_in_the_middle(folder: Path) -> bool:
    """Whether bytes of a dump have arrived, in the output or in the file that the JVM writes."""
    try:
        return any(
            path.stat().st_size > 0
            for path in [*folder.glob(".*.part"), *Path("/tmp").glob("heapscope-*-*-*/dump.hprof*")]
            if path.is_file()
        )
    except FileNotFoundError:
        return False


@contextmanager
def in_the_middle(folder: Path, blow: Callable[[], object]) -> Iterator[None]:
    """Strike when the first bytes of the dump that is taken within the block are there."""
    struck: list[bool] = []

    def strike() -> None:
        wait_until(lambda: is_in_the_middle(folder), "the dump begins")
        blow()
        struck.append(True)

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert struck


def helpers() -> tuple[int, int]:
    """Watchdog and reader of the dump that this process takes."""
    found = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if b"heapscope.collector.watchdog" in command or b"watchdog.main()" in command:
            found[pid] = parent
    (watchdog,) = [pid for pid, parent in found.items() if parent == os.getpid()]
    (reader,) = [pid for pid, parent in found.items() if parent == watchdog]
    return watchdog, reader


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
    assert "version" in jvm.jcmd("VM.version")


def test_the_command_line_collects_and_reports(
    jvm: Jvm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "out")
    assert main(["collect", str(jvm.pid), "-o", folder, "--every", "0.2s", "--count", "2"]) == 0
    assert main(["collect", str(jvm.pid), "-o", folder, "--kind", "histogram"]) == 0
    assert main(["trend", folder, "--json"]) == 0
    out = capsys.readouterr().out
    assert len(json.loads(out[out.index("\n{") :])["snapshots"]) == 3


@pytest.mark.parametrize(
    ("signal_sent", "words"), [(signal.SIGKILL, "the reader was killed"), (signal.SIGSTOP, "was stopped")]
)
def test_a_reader_that_dies_or_stops_leaves_the_jvm_alive(
    big: Host, tmp_path: Path, signal_sent: signal.Signals, words: str
) -> None:
    with (
        in_the_middle(tmp_path, lambda: os.kill(helpers()[1], signal_sent)),
        pytest.raises(DumpFailed, match=words),
    ):
        collect(processes.get(big.pid), tmp_path)
    wait_until_clean(tmp_path)
    assert big.serves()


def test_a_watchdog_that_is_killed_takes_its_reader_along(big: Host, tmp_path: Path) -> None:
    with (
        in_the_middle(tmp_path, lambda: os.kill(helpers()[0], signal.SIGKILL)),
        pytest.raises(DumpFailed, match="no snapshot was kept"),
    ):
        collect(processes.get(big.pid), tmp_path)
    wait_until_clean(tmp_path)
    assert big.serves()


def test_a_reader_that_hangs_is_ended(big: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither dead nor stopped, it only does nothing, and the JVM stands still in its write."""
    hangs = (
        "import time; from heapscope.collector import stream, watchdog; "
        "stream._read_some = lambda fd: time.sleep(1000); watchdog.main()"
    )
    monkeypatch.setattr(dump, "_WATCHDOG", (sys.executable, "-c", hangs))
    monkeypatch.setattr(dump, "STALL_SECONDS", 0.5)
    big.worst_stall()
    with pytest.raises(DumpFailed, match=r"the reader made no progress for 0\.5 s"):
        collect(processes.get(big.pid), tmp_path)
    wait_until_clean(tmp_path)
    assert 300 < big.worst_stall() < 10_000  # it did stand still, and was let go


def test_a_dump_that_takes_too_long_is_given_up(big: Host, tmp_path: Path) -> None:
    with pytest.raises(DumpFailed, match=r"took more than 0\.01 s"):
        collect(processes.get(big.pid), tmp_path, seconds=0.01)
    wait_until_clean(tmp_path)
    assert big.serves()


@pytest.mark.parametrize("mode", [(), ("--no-stream",)])
def test_heapscope_killed_in_the_middle_leaves_nothing(
    big: Host, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "heapscope", "collect", str(big.pid), "-o", str(folder), *mode]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: is_in_the_middle(folder), "the dump begins")
    child.kill()
    assert child.wait() == -signal.SIGKILL
    wait_until_clean(folder)
    assert big.serves()


@pytest.mark.parametrize("stream", [True, False])
def test_a_jvm_killed_while_it_dumps_leaves_nothing(mortal: Host, tmp_path: Path, stream: bool) -> None:
    process = processes.get(mortal.pid)
    with in_the_middle(tmp_path, mortal.process.kill), pytest.raises(CollectError, match=str(mortal.pid)):
        collect(process, tmp_path, stream=stream)
    wait_until_clean(tmp_path)


def test_one_snapshot_at_a_time(jvm: Jvm, tmp_path: Path) -> None:
    process = processes.get(jvm.pid)
    with dump._lock(process), pytest.raises(DumpFailed, match="another heapscope"):
        collect(process, tmp_path)


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A disk of 2 MB; where this user may not mount one, a limit of 2 MB on files stands in for it."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not is_mounted:
        import resource

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, before[1]))
    try:
        yield disk
    finally:
        if is_mounted:
            subprocess.run(["umount", str(disk)], check=True)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("stream", [True, False])
def test_a_full_disk_is_named_and_leaves_nothing(big: Host, tmp_path: Path, stream: bool) -> None:
    with full_disk(tmp_path) as disk:
        with pytest.raises(DumpFailed, match=r"No space left|File too large"):
            collect(processes.get(big.pid), disk, stream=stream)
        wait_until_clean(disk)
    assert big.serves()


def test_a_sidecar_that_cannot_be_written_takes_its_snapshot_with_it(
    jvm: Jvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OutputFailed(path, "No space left on device")

    monkeypatch.setattr("heapscope.collector.dump.new_file", full)
    with pytest.raises(DumpFailed, match=r"json.*No space left.*no snapshot was kept"):
        collect(processes.get(jvm.pid), tmp_path, kind="histogram")
    wait_until_clean(tmp_path)


def test_a_part_that_was_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / ".x.hprof.zst.part"
    lock = fcntl.flock
    swept: list[int] = []

    def sweep_first(fd: int, operation: int) -> None:
        if not swept:
            swept.append(fd)
            part.unlink()
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    fd = dump._locked(part)
    assert os.fstat(fd).st_nlink == 1
    assert part.exists()
    os.close(fd)
