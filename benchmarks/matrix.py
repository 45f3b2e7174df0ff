"""The faults that a dump may meet, on real JVMs: how long the JVM stood still, what was left, what was said.

Run by ``python -m benchmarks.collector --matrix``.  Every row collects from a JVM with a thread that ticks
every 10 ms, through the command line, strikes at a moment that is seen in ``/proc``, and then asks the JVM
whether it serves.  A row is wrong where the JVM is dead, stood still for longer than the pause that was
allowed and the few seconds that ending a dump takes, or where something was left.  As root for the rows with
disks.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.hosts import Host, c_host, container_host, java_host, jpype_host
from tests.support.jvm import Jdk

LISTENS = "-XX:+StartAttachListener"
MAX_PAUSE_SECONDS = 15.0
# A JVM that gets EPIPE walks the rest of its heap (HotSpot 17).
ENDING_SECONDS = 20.0
_MIDDLE_BYTES = 8 << 20
COMMAND = (sys.executable, "-m", "heapscope")


@dataclass(slots=True)
class Row:
    """What came of one collection."""

    target: str
    fault: str
    stall: float
    code: int | None
    left: list[str]
    said: str
    is_alive: bool
    limit: float = MAX_PAUSE_SECONDS + ENDING_SECONDS

    @property
    def is_wrong(self) -> bool:
        """Whether a promise was broken."""
        return not self.is_alive or self.stall > self.limit or bool(self.left)

    def line(self) -> str:
        """One line of the table."""
        mark = "WRONG" if self.is_wrong else "ok"
        left = ", ".join(self.left) or "nothing left"
        head = f"  {mark:5} {self.target:22} {self.fault:34} {self.stall:6.2f} s  {left:13}"
        return f"{head} exit {self.code}: {self.said}"


@dataclass(slots=True)
class Helpers:
    """The processes of one collection, found by name below it; pids."""

    heapscope: int
    found: dict[str, int] = field(default_factory=dict)

    def look(self) -> dict[str, int]:
        """``watchdog``, ``read``, ``write``: those that are there now."""
        parents: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with suppress(OSError, IndexError):
                    text = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2]
                    parents.setdefault(int(text.split()[1]), []).append(int(name))
        self.found = {}
        for watchdog in parents.get(self.heapscope, []):
            self.found["watchdog"] = watchdog
            for child in parents.get(watchdog, []):
                with suppress(OSError):
                    comm = Path(f"/proc/{child}/comm").read_text().strip()
                    self.found[comm.removeprefix("heapscope-")] = child
        return self.found

    def read_bytes(self) -> int:
        """What the reader took so far; -1 where there is none."""
        reader = self.look().get("read")
        with suppress(OSError, AttributeError, TypeError):
            match = re.search(r"rchar: (\d+)", Path(f"/proc/{reader}/io").read_text())
            return int(match[1]) if match else -1
        return -1


Phase = Callable[[Helpers], bool]
PHASES: dict[str, Phase] = {
    "ready": lambda helpers: {"read", "write"} <= helpers.look().keys(),
    "middle": lambda helpers: helpers.read_bytes() > _MIDDLE_BYTES,
    "packing": lambda helpers: "write" in helpers.look() and "read" not in helpers.found,
}


def leftovers(folder: Path, heapscope: int) -> list[str]:
    """Names in the output and in /tmp that a process left and should not have; whole snapshots may stay."""
    ours = [path.name for path in Path("/tmp").glob(f"heapscope-{heapscope}-*-*")]
    hidden = [path.name for path in folder.glob(".*")] if folder.exists() else []
    return ours + hidden


def settled(folder: Path, heapscope: int, seconds: float = 20) -> list[str]:
    """Leftovers that do not go."""
    deadline = time.monotonic() + seconds
    while (left := leftovers(folder, heapscope)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def worst_stall(host: Host) -> float:
    """Seconds; a host with a SIGQUIT handler of its own prints a line when that runs."""
    try:
        return host.worst_stall() / 1000
    except ValueError:
        return float(host.line()) / 1000


def strike_row(
    host: Host,
    target: str,
    fault: str,
    folder: Path,
    *,
    phase: str = "",
    strike: Callable[[Helpers], object] = lambda helpers: None,
    mend: Callable[[], object] = lambda: None,
    words: Sequence[str] = (),
    limit: float = MAX_PAUSE_SECONDS + ENDING_SECONDS,
) -> Row:
    """Collect, strike in a phase, see whether the JVM serves, mend what was broken."""
    worst_stall(host)
    command = [
        *(*COMMAND, "collect", str(host.pid), "-o", str(folder)),
        *("--max-pause", f"{MAX_PAUSE_SECONDS:g}s", *words),
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    helpers = Helpers(child.pid)
    struck = not phase
    while not struck and child.poll() is None:
        if PHASES[phase](helpers):
            strike(helpers)
            struck = True
    began, is_alive, stall = time.monotonic(), False, 0.0
    with suppress(AssertionError):
        # It answers when it does not stand still; the dump may still be going on.
        deadline = began + limit + 60
        while time.monotonic() < deadline:
            stall = max(stall, worst_stall(host))
            is_alive = host.process.poll() is None
            if child.poll() is not None or (phase and time.monotonic() - began > limit):
                break
            time.sleep(0.05)
        time.sleep(0.05)
        stall = max(stall, worst_stall(host))
    mend()
    try:
        said, _ = child.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        child.kill()
        said, _ = child.communicate()
        said += "\nheapscope did not end"
    lines = [line for line in said.splitlines() if line.strip()] or ["nothing"]
    errors = [line for line in lines if line.startswith("heapscope: process") and "may take" not in line]
    last = errors[-1] if errors else lines[-1]
    return Row(
        target,
        fault if struck else f"{fault} (came too late)",
        stall,
        child.returncode,
        settled(folder, child.pid),
        last.replace(str(folder), "DIR")[:150],
        is_alive,
        limit,
    )


@contextmanager
def frozen_disk(folder: Path) -> Iterator[tuple[Path, Callable[[], None], Callable[[], None]]]:
    """An ext4 on a loop device, and how to freeze and to thaw it."""
    image, disk = folder / "image", folder / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(2 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(disk)], check=True)

    def freeze() -> None:
        subprocess.run(["fsfreeze", "-f", str(disk)], check=True)

    def thaw() -> None:
        subprocess.run(["fsfreeze", "-u", str(disk)], check=False, stderr=subprocess.DEVNULL)

    try:
        yield disk / "out", freeze, thaw
    finally:
        thaw()
        for _ in range(50):
            if not subprocess.run(["umount", str(disk)], check=False, capture_output=True).returncode:
                break
            time.sleep(0.2)
        image.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 8 MB in memory."""
    disk = folder / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def kill(name: str, sent: signal.Signals) -> Callable[[Helpers], None]:
    """A strike that sends a signal to a helper, or to heapscope itself."""

    def strike(helpers: Helpers) -> None:
        pid = helpers.heapscope if name == "heapscope" else helpers.look().get(name)
        if pid is not None:
            os.kill(pid, sent)

    return strike


def fault_rows(host: Host, target: str, folder: Path) -> Iterator[Row]:
    """Every fault, on one JVM that survives them all."""
    out = folder / "out"
    yield strike_row(host, target, "none", out)
    yield strike_row(host, target, "none, --redact", out, words=["--redact"])
    yield strike_row(host, target, "none, --no-stream", out, words=["--no-stream"])
    yield strike_row(host, target, "none, --buffer 8M", out, words=["--buffer", "8M"])
    shutil.rmtree(out, ignore_errors=True)
    for phase in PHASES:
        for name in ("heapscope", "watchdog", "read", "write"):
            if phase == "packing" and name == "read":
                continue
            for sent in (signal.SIGKILL, signal.SIGSTOP):
                if sent == signal.SIGSTOP and name in ("heapscope", "watchdog"):
                    continue  # they hold nothing that the JVM waits for; below, with a disk that hangs
                yield strike_row(
                    host,
                    target,
                    f"{sent.name} of {name}, {phase}",
                    out,
                    phase=phase,
                    strike=kill(name, sent),
                )
    shutil.rmtree(out, ignore_errors=True)
    yield strike_row(host, target, "a pause of 0.2 s allowed", out, words=["--max-pause", "0.2s"])
    yield strike_row(
        host,
        target,
        "the output folder is removed",
        out,
        phase="middle",
        strike=lambda helpers: shutil.rmtree(out, ignore_errors=True),
    )
    if os.geteuid():
        return
    with small_disk(folder) as disk:
        yield strike_row(host, target, "a disk of 8 MB", disk)
        yield strike_row(host, target, "a disk of 8 MB, --min-free 0", disk, words=["--min-free", "0"])
    for extra in ("", ", heapscope killed", ", watchdog stopped"):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name, frozen_disk(Path(name)) as made:
            yield frozen_row(host, target, extra, *made)


def frozen_row(
    host: Host, target: str, extra: str, out: Path, freeze: Callable[[], None], thaw: Callable[[], None]
) -> Row:
    """A disk that hangs in the middle; with another fault at the same time."""
    stopped: list[int] = []

    def strike(helpers: Helpers) -> None:
        freeze()
        if "killed" in extra:
            os.kill(helpers.heapscope, signal.SIGKILL)
        if "stopped" in extra and (pid := helpers.look().get("watchdog")):
            stopped.append(pid)
            os.kill(pid, signal.SIGSTOP)

    def mend() -> None:
        thaw()
        for pid in stopped:
            with suppress(OSError):
                os.kill(pid, signal.SIGCONT)

    fault = f"the disk hangs{extra}"
    words = ["--buffer", "16M"]
    return strike_row(host, target, fault, out, phase="middle", strike=strike, mend=mend, words=words)


def host_rows(jdk: Jdk, folder: Path) -> Iterator[Row]:
    """Every kind of host, with and without ``--allow-sigquit``; none may die, whatever is answered."""
    release = f"JDK {jdk.release}"
    kinds: dict[str, Callable[[], object]] = {
        "java": lambda: java_host(jdk, 2),
        "java, listening": lambda: java_host(jdk, 2, LISTENS),
        "java, -Xrs": lambda: java_host(jdk, 2, "-Xrs"),
        "java, attach disabled": lambda: java_host(jdk, 2, "-XX:+DisableAttachMechanism"),
        "java, disabled, no perf": lambda: java_host(
            jdk, 2, "-XX:+DisableAttachMechanism", "-XX:-UsePerfData"
        ),
        "jpype": lambda: jpype_host(jdk, 2),
        "C": lambda: c_host(jdk, "run", 2),
        "C, -Xrs": lambda: c_host(jdk, "run", 2, "-Xrs"),
        "C, own handler": lambda: c_host(jdk, "sigquit", 2),
        "C, SIGPIPE kills": lambda: c_host(jdk, "sigpipe", 2, LISTENS),
        "container": lambda: container_host(jdk, 2, LISTENS, is_rootless=False),
        "rootless container": lambda: container_host(jdk, 2, LISTENS, is_rootless=True),
    }
    for name, start in kinds.items():
        if "container" in name and os.geteuid():
            continue
        for words in ([], ["--allow-sigquit"]):
            with start() as host:  # type: ignore[attr-defined]
                fault = " ".join(["none", *words])
                yield strike_row(host, f"{release} {name}", fault, folder / "hosts", words=words)


def run(jdks: Sequence[Jdk], megabytes: int) -> int:
    """Print the table; how many rows are wrong."""
    wrong = count = 0
    for jdk in jdks:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
            sys.stdout.write(
                f"JDK {jdk.version}: target, fault, longest stall of a 10 ms ticker, leftovers, message\n"
            )
            with java_host(jdk, megabytes, LISTENS, "-XX:+UseSerialGC", "-Xmx1g") as host:
                for row in fault_rows(host, f"JDK {jdk.release} java", Path(name)):
                    sys.stdout.write(row.line() + "\n")
                    sys.stdout.flush()
                    wrong, count = wrong + row.is_wrong, count + 1
            for row in host_rows(jdk, Path(name)):
                sys.stdout.write(row.line() + "\n")
                sys.stdout.flush()
                wrong, count = wrong + row.is_wrong, count + 1
    sys.stdout.write(f"{count} rows, {wrong} wrong\n")
    return wrong
