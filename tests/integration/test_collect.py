"""Snapshots of real JVMs, and whatever can go wrong in the middle of one: the JVM serves, nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.collector import attach, dump, processes, watched_dump
from heapscope.collector.dump import collect
from heapscope.errors import CollectError, DumpFailed, OutputFailed
from tests.support.hosts import Host, java_host, left_in_tmp
from tests.support.jvm import Jvm, find_jdks, java, wait_until
from tests.support.killed_collect import kill_all_when_asked

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())
OPTIONS = ("-XX:+StartAttachListener", "-XX:+UseSerialGC")
# Half a second of dump and more: whatever happens when its first bytes are there happens in the middle.
MEGABYTES = 100


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
    return [*left_in_tmp(), *folder.glob(".*"), *folder.glob("*")]


def wait_until_clean(folder: Path) -> None:
    wait_until(lambda: not leftovers(folder), f"nothing is left: {leftovers(folder)}")


@dataclass
class Held:
    """A watchdog that stands still in the middle of a dump until it is told to go on."""

    folder: Path

    @property
    def is_reached(self) -> bool:
        """Whether the first megabyte of a stream was read, or a file is to be packed."""
        return (self.folder / "reached").exists()

    def go_on(self) -> None:
        """Let it finish."""
        (self.folder / "go").touch()

    @property
    def program(self) -> str:
        """Python code to run in place of the watchdog."""
        return f"""
import os, pathlib, time
from heapscope.collector import packer, reader, watchdog
folder, read, pack, seen = pathlib.Path({str(self.folder)!r}), reader._read_into, packer.pack_file, [0]

def hold():
    (folder / "reached").touch()
    while not (folder / "go").exists():
        time.sleep(0.002)

def read_into(fd, place):
    size = read(fd, place)
    seen[0] += size or 0
    if seen[0] > 1 << 20:
        hold()
    return size

def pack_file(*arguments):
    hold()
    return pack(*arguments)

reader._read_into, packer.pack_file = read_into, pack_file
watchdog.main()
"""


@pytest.fixture
def held(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found = Held(tmp_path_factory.mktemp("held"))
    monkeypatch.setattr(watched_dump, "WATCHDOG", (sys.executable, "-c", found.program))
    yield found
    found.go_on()


def is_file_begun() -> bool:
    """Whether bytes are in the file that a JVM writes."""
    try:
        return any(
            path.stat().st_size > 0 for path in Path("/tmp").glob(f"heapscope-{os.getpid()}-*-*/dump.hprof*")
        )
    except FileNotFoundError:
        return False


@contextmanager
def strike_when(holds: Callable[[], object], strike: Callable[[], object]) -> Iterator[None]:
    """Strike as soon as something holds of the dump that is taken within the block."""
    struck: list[bool] = []

    def wait() -> None:
        wait_until(holds, "the dump is in the middle")
        strike()
        struck.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert struck


@contextmanager
def in_the_middle(held: Held, strike: Callable[[], object]) -> Iterator[None]:
    """Strike when a dump is held in the middle, then let it go on."""

    def strike_and_go_on() -> None:
        strike()
        held.go_on()

    with strike_when(lambda: held.is_reached, strike_and_go_on):
        yield


def helpers() -> tuple[int, int, int]:
    """Watchdog, reader and writer of the dump that this process takes."""
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
    names = {
        Path(f"/proc/{pid}/comm").read_text().strip(): pid
        for pid, parent in found.items()
        if parent == watchdog
    }
    return watchdog, names["heapscope-read"], names["heapscope-write"]


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
    ("which", "signal_sent", "words"),
    [
        (1, signal.SIGKILL, "the reader was killed"),
        (1, signal.SIGSTOP, "the reader was stopped"),
        (2, signal.SIGKILL, "the writer was killed"),
        (2, signal.SIGSTOP, "the writer was stopped"),
    ],
)
def test_a_helper_that_dies_or_stops_leaves_the_jvm_alive(
    big: Host, held: Held, tmp_path: Path, which: int, signal_sent: signal.Signals, words: str
) -> None:
    with (
        in_the_middle(held, lambda: os.kill(helpers()[which], signal_sent)),
        pytest.raises(DumpFailed, match=words),
    ):
        collect(processes.get(big.pid), tmp_path)
    wait_until_clean(tmp_path)
    assert big.serves()


def test_a_watchdog_that_is_killed_takes_its_reader_along(big: Host, held: Held, tmp_path: Path) -> None:
    with (
        in_the_middle(held, lambda: os.kill(helpers()[0], signal.SIGKILL)),
        pytest.raises(DumpFailed, match="no snapshot was kept"),
    ):
        collect(processes.get(big.pid), tmp_path)
    wait_until_clean(tmp_path)
    assert big.serves()


@pytest.mark.skipif(not Path("/proc/self/timers").exists(), reason="this kernel does not show timers")
def test_the_kernel_ends_reader_and_watchdog_should_all_be_stopped(
    big: Host, held: Held, tmp_path: Path
) -> None:
    """Nobody of ours would run any more, and the JVM stand still in its write: each has set a timer."""
    timers: list[str] = []

    def look() -> None:
        timers.extend(Path(f"/proc/{pid}/timers").read_text() for pid in helpers())

    with in_the_middle(held, look):
        collect(processes.get(big.pid), tmp_path)
    watchdog, reader, writer = timers
    for text in (watchdog, reader):
        assert re.search(
            rf"^signal: {signal.SIGKILL:d}/.*\nnotify: signal/.*\nClockID: 1$", text, re.MULTILINE
        )
    assert writer == ""  # the JVM does not wait for it
    assert big.serves()


def test_a_reader_that_hangs_is_ended(big: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither dead nor stopped, it only does nothing, and the JVM stands still in its write."""
    hangs = (
        "import time; from heapscope.collector import reader, watchdog; "
        "reader._read_into = lambda fd, place: time.sleep(1000); watchdog.main()"
    )
    monkeypatch.setattr(watched_dump, "WATCHDOG", (sys.executable, "-c", hangs))
    monkeypatch.setattr(watched_dump, "STALL_SECONDS", 0.5)
    with pytest.raises(DumpFailed, match=r"the reader made no progress for 0\.5 s"):
        collect(processes.get(big.pid), tmp_path)
    wait_until_clean(tmp_path)
    assert big.serves()


def test_a_dump_that_takes_too_long_is_given_up(big: Host, tmp_path: Path) -> None:
    with pytest.raises(DumpFailed, match=r"took more than the 0\.01 s"):
        collect(processes.get(big.pid), tmp_path, max_pause_seconds=0.01)
    wait_until_clean(tmp_path)
    assert big.serves()


@pytest.mark.parametrize("mode", [(), ("--no-stream",)])
def test_heapscope_killed_in_the_middle_leaves_nothing(
    big: Host, held: Held, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    folder = tmp_path / "out"
    code = (
        "import sys; from heapscope.cli import main; from heapscope.collector import watched_dump; "
        "watched_dump.WATCHDOG = (sys.executable, '-c', sys.argv[1]); sys.exit(main(sys.argv[2:]))"
    )
    command = [sys.executable, "-c", code, held.program, "collect", str(big.pid), "-o", str(folder), *mode]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: held.is_reached, "the dump is in the middle")
    child.kill()
    held.go_on()
    assert child.wait() == -signal.SIGKILL
    wait_until_clean(folder)
    assert big.serves()


def test_a_jvm_killed_while_it_streams_leaves_nothing(mortal: Host, held: Held, tmp_path: Path) -> None:
    process = processes.get(mortal.pid)
    with in_the_middle(held, mortal.process.kill), pytest.raises(CollectError, match=str(mortal.pid)):
        collect(process, tmp_path)
    wait_until_clean(tmp_path)


def test_a_jvm_killed_while_it_writes_a_file_leaves_nothing(mortal: Host, tmp_path: Path) -> None:
    process = processes.get(mortal.pid)
    with (
        strike_when(is_file_begun, mortal.process.kill),
        pytest.raises(CollectError, match=str(mortal.pid)),
    ):
        collect(process, tmp_path, stream=False)
    wait_until_clean(tmp_path)


def test_one_snapshot_at_a_time(jvm: Jvm, tmp_path: Path) -> None:
    process = processes.get(jvm.pid)
    with dump._lock(process), pytest.raises(CollectError, match="another heapscope"):
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
        with pytest.raises(DumpFailed, match=r"No space left|File too large|would be left free"):
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


@contextmanager
def ext4(folder: Path) -> Iterator[Path]:
    """A disk that can be made to hang; skipped where this user may not mount one."""
    image, disk = folder / "image", folder / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    for command in (["mkfs.ext4", "-q", "-F", str(image)], ["mount", "-o", "loop", str(image), str(disk)]):
        if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip(f"{command[0]} does not work here: no disk that can be made to hang")
    try:
        yield disk
    finally:
        freeze(disk, "-u", check=False)
        wait_until(
            lambda: subprocess.run(["umount", str(disk)], capture_output=True).returncode == 0, "unmounted"
        )


def freeze(disk: Path, option: str = "-f", *, check: bool = True) -> None:
    subprocess.run(["fsfreeze", option, str(disk)], check=check, capture_output=True)


def test_a_disk_that_hangs_holds_no_jvm(
    big: Host, held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes to it hangs in the kernel, and no signal ends that; the JVM goes on meanwhile."""
    monkeypatch.setattr(watched_dump, "STALL_SECONDS", 1.0)
    with ext4(tmp_path) as disk:
        with (
            in_the_middle(held, lambda: freeze(disk)),
            pytest.raises(DumpFailed, match="its disk took nothing for 1 s"),
        ):
            collect(processes.get(big.pid), disk, buffer_bytes=8 << 20)
        assert big.serves()
        freeze(disk, "-u")
        wait_until(
            lambda: not [path for path in disk.iterdir() if path.name != "lost+found"], "all is removed"
        )
    assert big.serves()


def test_who_holds_the_fifo_holds_no_file(big: Host, held: Held, tmp_path: Path) -> None:
    seen: list[str] = []

    def look() -> None:
        folder = Path(f"/proc/{helpers()[1]}/fd")
        seen.extend(os.readlink(entry) for entry in folder.iterdir())

    with in_the_middle(held, look):
        collect(processes.get(big.pid), tmp_path)
    fifos = [name for name in seen if "dump.hprof" in name]
    assert fifos
    rest = [name for name in seen if name not in fifos]
    assert all(name == "/dev/null" or name.startswith(("pipe:", "socket:")) for name in rest), rest


@pytest.mark.parametrize("strike", ["remove", "kill"])
def test_what_happens_in_the_middle_is_named(
    big: Host, mortal: Host, held: Held, tmp_path: Path, strike: str
) -> None:
    folder = tmp_path / "out"
    host, words = (
        (big, "it was removed or moved while") if strike == "remove" else (mortal, "it ended while its heap")
    )
    with (
        in_the_middle(held, host.process.kill if strike == "kill" else lambda: shutil.rmtree(folder)),
        pytest.raises(DumpFailed, match=words),
    ):
        collect(processes.get(host.pid), folder)
    wait_until_clean(folder)
    assert big.serves()


def test_all_of_heapscope_killed_before_the_jvm_opens_its_fifos_does_not_freeze_it(
    big: Host, tmp_path: Path
) -> None:
    """What was asked for is in the socket; nobody is left when the JVM comes to it."""
    assert big.serves()
    kill_all_when_asked(big.pid, tmp_path, count=5)  # with watchdog, holder, reader and writer
    # It answers one request after the other: this one when it is done with the dump.
    assert "version" in attach.jcmd(processes.get(big.pid), "VM.version", seconds=30)
    assert big.serves()
    collect(processes.get(big.pid), tmp_path)  # and takes what was left away
    assert not left_in_tmp()
