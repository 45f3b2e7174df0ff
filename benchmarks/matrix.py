"""The faults that a dump may meet, on real JVMs: how long the JVM stood still, what was left, what was said.

Run by ``python -m benchmarks.collector --matrix``.  Every row collects from a JVM with a thread that ticks
every 10 ms, through the command line, strikes at a moment that is seen in ``/proc``, and then asks the JVM
whether it serves.  A row is wrong where the JVM is dead, stood still for longer than the pause that was
allowed and the few seconds that ending a dump takes, where something was left, a snapshot without its sidecar
too, or where heapscope showed a traceback or did not end.  All faults meet one JVM, some of them each of the
kinds of `benchmarks.targets`; dumps, verdicts and class histograms.  As root for the rows with disks,
containers and limits.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.targets import Target, targets_of
from tests.support.hosts import Host, java_host
from tests.support.jvm import Jdk

LISTENS = "-XX:+StartAttachListener"
MAX_PAUSE_SECONDS = 15.0
# A JVM that gets EPIPE walks the rest of its heap (HotSpot 17).
ENDING_SECONDS = 20.0
_MIDDLE_BYTES = 8 << 20
_DID_NOT_END = "heapscope did not end"
COMMAND = (sys.executable, "-m", "heapscope")
VERDICT = ("--kind", "verdict")


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
    is_to_live: bool = True
    ratio: float | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether a promise was broken."""
        is_dead = self.is_to_live and not self.is_alive
        is_rude = "Traceback" in self.said or _DID_NOT_END in self.said
        return is_dead or self.stall > self.limit or bool(self.left) or is_rude

    def line(self) -> str:
        """One line of the table."""
        mark = "WRONG" if self.is_wrong else "ok"
        left = ", ".join(self.left) or "nothing left"
        if self.ratio is not None:
            left += f", {self.ratio:.2f} x jcmd"
        dead = "" if self.is_alive or not self.is_to_live else "DEAD "
        head = f"  {mark:5} {self.target:30} {self.fault:34} {self.stall:6.2f} s  {dead}{left:13}"
        return f"{head} exit {self.code}: {self.said}"


@dataclass(slots=True)
class Helpers:
    """The processes of one collection, found by name below it: pids now, and all names there were so far."""

    heapscope: int
    found: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def look(self) -> dict[str, int]:
        """``watchdog``, ``read``, ``write``, ``judge``: those that are there now."""
        parents: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with suppress(OSError, IndexError):
                    text = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2]
                    parents.setdefault(int(text.split()[1]), []).append(int(name))
        self.found = {}
        for watchdog in parents.get(self.heapscope, []):
            self.found["watchdog"] = watchdog
            below = parents.get(watchdog, [])
            for child in (*below, *(each for pid in below for each in parents.get(pid, []))):
                with suppress(OSError):
                    comm = Path(f"/proc/{child}/comm").read_text().strip()
                    self.found[comm.removeprefix("heapscope-")] = child
        self.seen |= self.found.keys()
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
    # The writer is started before the reader.
    "packing": lambda helpers: (
        "write" in helpers.look() and "read" in helpers.seen and "read" not in helpers.found
    ),
    "judging": lambda helpers: "judge" in helpers.look(),
}
_PHASES_OF_A_DUMP = ("ready", "middle", "packing")


def leftovers(folder: Path, heapscope: int) -> list[str]:
    """Names in the output and in /tmp that a process left and should not have; whole snapshots may stay."""
    ours = [path.name for path in Path("/tmp").glob(f"heapscope-{heapscope}-*-*")]
    hidden = [path.name for path in folder.glob(".*")]
    taken = [path for ending in ("hprof.zst", "histogram.txt") for path in folder.glob(f"*.{ending}")]
    alone = [path.name for path in taken if not path.with_name(path.name + ".json").exists()]
    alone += [
        path.name
        for path in folder.glob("*.verdict.json")
        if not path.with_name(path.name.replace("verdict.json", "histogram.txt")).exists()
    ]
    return ours + hidden + alone


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
    sleeps: bool = False,
    is_to_live: bool = True,
) -> Row:
    """Collect, strike in a phase, see whether the JVM serves, mend what was broken.

    Of a JVM that ``sleeps``, or that is not to live, nothing is asked before heapscope has ended and all is
    mended.
    """
    if not sleeps:
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
    if sleeps or not is_to_live:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=120)
        mend()
        with suppress(AssertionError, OSError):
            began = time.monotonic()
            worst_stall(host)
            stall = time.monotonic() - began
            is_alive = host.process.poll() is None
            time.sleep(0.2)  # the ticker has to wake up before it can tell: the next row is not to blame
            worst_stall(host)
    with suppress(AssertionError):
        if sleeps or not is_to_live:
            raise AssertionError
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
        said += f"\n{_DID_NOT_END}"
    lines = [line for line in said.splitlines() if line.strip()] or ["nothing"]
    # What was said before, and at the end of all, is less than why.
    less = ("may take", "what failed is named above")
    errors = [
        line for line in lines if line.startswith("heapscope: ") and not any(word in line for word in less)
    ]
    last = errors[-1] if errors and _DID_NOT_END not in said else lines[-1]
    if "Traceback" in said:
        last = f"Traceback: {lines[-1]}"
    return Row(
        target,
        fault if struck else f"{fault} (came too late)",
        stall,
        child.returncode,
        settled(folder, child.pid),
        last.replace(str(folder), "DIR")[:150],
        is_alive,
        limit,
        is_to_live,
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


def jcmd_stall(host: Host, folder: Path, looks: int = 3) -> float:
    """The longest stall of ``jcmd GC.heap_dump`` to a file, the median of some; seconds."""
    found = []
    for _ in range(looks):
        worst_stall(host)
        path = folder / "jcmd.hprof"
        subprocess.run(["jcmd", str(host.pid), "GC.heap_dump", str(path)], check=True, capture_output=True)
        time.sleep(0.1)  # the ticker has to wake up before it can tell
        found.append(worst_stall(host))
        path.unlink()
    return statistics.median(found)


def fault_rows(host: Host, target: str, folder: Path) -> Iterator[Row]:
    """Every fault, on one JVM that survives them all."""
    out = folder / "out"
    measure = jcmd_stall(host, folder) if shutil.which("jcmd") else None
    for fault in ("", "--redact", "--no-stream", "--buffer 8M"):
        row = strike_row(
            host, target, ", ".join(["none", fault] if fault else ["none"]), out, words=fault.split()
        )
        row.ratio = row.stall / measure if measure else None
        yield row
    shutil.rmtree(out, ignore_errors=True)
    for phase in _PHASES_OF_A_DUMP:
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
    yield from verdict_rows(host, target, out)
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
        yield strike_row(host, target, "a verdict on a disk of 8 MB", disk, words=VERDICT)
    for extra in ("", ", heapscope killed", ", watchdog stopped"):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name, frozen_disk(Path(name)) as made:
            yield frozen_row(host, target, extra, *made)


def verdict_rows(
    host: Host, target: str, out: Path, words: Sequence[str] = (), *, is_short: bool = False
) -> Iterator[Row]:
    """A verdict without a dump, and a class histogram: with their own faults, all or the ones that differ."""
    verdict = [*VERDICT, *words]
    yield strike_row(host, target, "none, histogram", out, words=["--kind", "histogram", *words])
    yield strike_row(host, target, "none, verdict", out, words=verdict)
    small = [*verdict, "--memory", "8M"]
    yield strike_row(host, target, "none, verdict, --memory 8M", out, words=small)
    strikes = [
        (name, sent, "middle")
        for name, sent in _STRIKES
        if not is_short or (name, sent) == ("write", signal.SIGKILL)
    ]
    strikes += [
        (name, sent, "judging")
        for name in ("judge", *(() if is_short else ("write", "watchdog", "heapscope")))
        for sent in (signal.SIGKILL, signal.SIGSTOP)
        if sent == signal.SIGKILL or name in ("judge", "write")
    ]
    for name, sent, phase in strikes:
        fault = f"verdict, {sent.name} of {name}, {phase}"
        yield strike_row(host, target, fault, out, phase=phase, strike=kill(name, sent), words=verdict)
    shutil.rmtree(out, ignore_errors=True)


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


# What strikes every kind of target: a fault, its phase, and whom which signal is sent to.
_STRIKES = (
    ("heapscope", signal.SIGKILL),
    ("watchdog", signal.SIGKILL),
    ("read", signal.SIGKILL),
    ("read", signal.SIGSTOP),
    ("write", signal.SIGKILL),
    ("write", signal.SIGSTOP),
)


# Those that are stopped as well, which takes a minute each: an answer is waited for.
_STOPPED = ("java, listening", "C", "container")


def stopped_rows(host: Host, name: str, out: Path, words: Sequence[str]) -> Iterator[Row]:
    """The target is stopped, and runs again once heapscope has ended."""
    for phase in ("ready", "middle"):
        yield strike_row(
            host,
            name,
            f"SIGSTOP of the target, {phase}",
            out,
            phase=phase,
            strike=lambda helpers: os.kill(host.pid, signal.SIGSTOP),
            mend=lambda: os.kill(host.pid, signal.SIGCONT),
            words=words,
            sleeps=True,
        )


def target_rows(target: Target, jdk: Jdk, folder: Path) -> Iterator[Row]:
    """One kind of target, with and without ``--allow-sigquit``; none may die, whatever is answered."""
    name, out = f"JDK {jdk.release} {target.name}", folder / "targets"
    with target.start(jdk) as host:
        # It sleeps until it is woken, which is once: all other faults would meet a plain JVM.
        if target.wake is not None:
            wake = partial(target.wake, host)
            yield strike_row(host, name, "none", out, words=target.words, mend=wake, sleeps=True)
            return
        for words in ([], ["--allow-sigquit"]):
            row = strike_row(host, name, " ".join(["none", *words]), out, words=[*words, *target.words])
            yield row
        if row.code:  # it is refused in any case
            return
        words = ["--allow-sigquit", *target.words]
        for helper, sent in _STRIKES:
            fault, struck = f"{sent.name} of {helper}, middle", kill(helper, sent)
            yield strike_row(host, name, fault, out, phase="middle", strike=struck, words=words)
        short = [*words, "--max-pause", "0.05s"]
        yield strike_row(host, name, "a pause of 0.05 s allowed", out, words=short)
        if "--no-stream" not in words:
            yield from verdict_rows(host, name, out, words, is_short=target.name not in _STOPPED)
        if target.name in _STOPPED:
            yield from stopped_rows(host, name, out, words)
        yield strike_row(host, name, "none, after all these", out, words=words)
        yield strike_row(
            host,
            name,
            "SIGKILL of the target, middle",
            out,
            phase="middle",
            strike=lambda helpers: os.kill(host.pid, signal.SIGKILL),
            words=words,
            is_to_live=False,
        )


def rows(jdk: Jdk, megabytes: int, only: str) -> Iterator[Row]:
    """All rows of one JDK; of the targets only those whose names match a regular expression."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        if not only:
            with java_host(jdk, megabytes, LISTENS, "-XX:+UseSerialGC", "-Xmx1g") as host:
                yield from fault_rows(host, f"JDK {jdk.release} java", Path(name))
        for target in targets_of(jdk):
            if re.search(only, target.name):
                yield from target_rows(target, jdk, Path(name))


def run(jdks: Sequence[Jdk], megabytes: int, only: str = "") -> int:
    """Print the table; how many rows are wrong."""
    wrong = count = 0
    for jdk in jdks:
        sys.stdout.write(
            f"JDK {jdk.version}: target, fault, seconds until it serves again, leftovers, message\n"
        )
        for row in rows(jdk, megabytes, only):
            sys.stdout.write(row.line() + "\n")
            sys.stdout.flush()
            wrong, count = wrong + row.is_wrong, count + 1
    sys.stdout.write(f"{count} rows, {wrong} wrong\n")
    return wrong
