"""One safe snapshot of a JVM: a heap dump streamed into a ``.hprof.zst``, or a class histogram.

A snapshot appears under its name when it is whole, with a JSON sidecar beside it, or not at all.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from heapscope.collector import attach
from heapscope.collector.limits import memory_limits
from heapscope.collector.processes import JvmProcess, find, get, start_ticks, survives_broken_pipe
from heapscope.collector.stream import GONE
from heapscope.errors import AttachRefused, CollectError, DumpFailed

DUMP_SECONDS = 900.0
STALL_SECONDS = 20.0
_CREATED = re.compile(r"Heap dump file created \[(\d+) bytes in ([\d.]+) secs\]")
_PREFIX = "heapscope-"
Kind = Literal["dump", "histogram"]


@dataclass(frozen=True, slots=True)
class Collected:
    """A snapshot that was taken: its file, its sidecar, and what the sidecar says."""

    path: Path
    sidecar: Path
    facts: dict[str, Any]


def collect(
    process: JvmProcess,
    folder: Path,
    *,
    kind: Kind = "dump",
    live: bool = True,
    allow_sigquit: bool = False,
    seconds: float = DUMP_SECONDS,
) -> Collected:
    """Take one snapshot of a JVM into ``folder``, which is made (0700) where it is missing.

    Parameters
    ----------
    live : bool
        Only what is reachable, after a full collection; else all objects.
    allow_sigquit : bool
        Whether a JVM without an attach socket may be sent one SIGQUIT.
    seconds : float
        Time limit; a dump that takes longer is given up, the JVM goes on.

    Raises
    ------
    AttachRefused, AttachTimeout
        As for `heapscope.collector.attach.jcmd`.
    DumpFailed
        The snapshot is not whole; nothing of it is left.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(process):
        _sweep(process)
        before, started = get(process.pid), datetime.now(UTC)
        limits = memory_limits(process.pid)
        suffix = "hprof.zst" if kind == "dump" else "histogram.txt"
        path = folder / f"{_label(process)}.{started:%Y%m%dT%H%M%S.%fZ}.{suffix}"
        part = folder / f".{path.name}.part"
        clock = time.monotonic()
        try:
            if kind == "dump":
                found = _stream(process, part, path, live, allow_sigquit, seconds)
            else:
                found = _histogram(process, part, path, live, allow_sigquit, seconds)
        finally:
            part.unlink(missing_ok=True)
        elapsed = time.monotonic() - clock
        # It may have ended since, or be a zombie; the snapshot is whole all the same.
        after = next((p for p in find([process.pid]) if p.start_ticks == process.start_ticks), None)
    facts = {
        "captured_at": started.isoformat(),
        "kind": kind,
        "method": "attach",
        "live": live,
        "host": socket.gethostname(),
        "elapsed_seconds": round(elapsed, 3),
        "file_bytes": path.stat().st_size,
        **found,
        "limits": limits,
        "process": asdict(before),
        "after": None
        if after is None
        else {"vsz_bytes": after.vsz_bytes, "rss_bytes": after.rss_bytes, "heap": asdict(after)["heap"]},
    }
    sidecar = path.with_name(path.name + ".json")
    fd = os.open(sidecar, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
    return Collected(path, sidecar, facts)


def _label(process: JvmProcess) -> str:
    role = re.sub(r"[^A-Za-z0-9_-]", "_", process.role) if process.role else "jvm"
    return (
        f"{role}-{process.task_index}.{process.pid}"
        if process.task_index is not None
        else f"{role}.{process.pid}"
    )


def _lock(process: JvmProcess) -> socket.socket:
    """One snapshot at a time per JVM: a name without a file, free as soon as its last holder ends."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0heapscope-{process.pid}-{process.start_ticks}")
    except OSError:
        lock.close()
        raise DumpFailed(
            f"process {process.pid}: another heapscope is taking a snapshot of it; wait for it"
        ) from None
    return lock


def _histogram(
    process: JvmProcess, part: Path, path: Path, live: bool, allow_sigquit: bool, seconds: float
) -> dict[str, Any]:
    command = "GC.class_histogram" + ("" if live else " -all")
    text = attach.jcmd(process, command, allow_sigquit=allow_sigquit, seconds=seconds)
    if not re.search(r"^Total\s+\d+\s+\d+", text, re.MULTILINE):
        raise DumpFailed(f"process {process.pid}: the class histogram has no Total line; try again")
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.rename(path)
    return {}


def _stream(
    process: JvmProcess, part: Path, path: Path, live: bool, allow_sigquit: bool, seconds: float
) -> dict[str, Any]:
    if not survives_broken_pipe(process):
        raise AttachRefused(
            f"process {process.pid}: it would not survive SIGPIPE if a reader died; use --kind histogram"
        )
    version = attach.jcmd(process, "VM.version", allow_sigquit=allow_sigquit, seconds=30)
    release = re.search(r"^JDK (\d+)", version, re.MULTILINE)
    if release is None or int(release[1]) < 11:
        raise AttachRefused(f"process {process.pid}: streaming needs JDK 11 or later; use --kind histogram")
    try:
        # Held open: /proc/PID/root is gone with the process, what lies in its /tmp is not.
        tmp = os.open(f"/proc/{process.pid}/root/tmp", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CollectError(f"process {process.pid}: its /tmp: {error.strerror}; run as root") from None
    inside = f"/tmp/{_PREFIX}{os.getpid()}-{start_ticks(os.getpid())}-{secrets.token_hex(4)}"
    outside = Path(f"/proc/self/fd/{tmp}/{Path(inside).name}")
    is_split = int(release[1]) >= 22
    watchdog: subprocess.Popen[bytes] | None = None
    try:
        _make_fifos(process, outside, is_split)
        job = {
            "fifo": f"{outside}/dump",
            "part": f"{outside}/dump.p0" if is_split else None,
            "output": str(part.absolute()),
            "seconds": seconds,
            "stall_seconds": STALL_SECONDS,
        }
        watchdog = subprocess.Popen(
            [sys.executable, "-m", "heapscope.collector.stream", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[tmp],
        )
        if _line(watchdog.stdout) != "ready":
            raise DumpFailed(f"process {process.pid}: the reader did not start; the JVM was not asked")
        options = ["-overwrite", *(["-parallel=1"] if is_split else []), *([] if live else ["-all"])]
        said = attach.jcmd(process, f"GC.heap_dump {' '.join(options)} {inside}/dump", seconds=seconds + 30)
        created = _CREATED.search(said)
        if created is None and watchdog.stdin is not None:
            # The JVM may never have opened the FIFO, and the reader would wait for ever.
            watchdog.stdin.close()
        answer = json.loads(_line(watchdog.stdout) or '{"problem": "the reader was killed"}')
        problem = str(answer.get("problem", ""))
        if created is None and problem in ("", GONE):
            problem = " ".join(said.split())[-300:] or "the JVM said nothing"
        if problem or created is None:
            raise DumpFailed(f"process {process.pid}: {problem}; no snapshot was kept, the JVM goes on")
        part.rename(path)
        return {"dump_bytes": answer["dump_bytes"], "pause_seconds_estimate": float(created[2])}
    finally:
        if watchdog is not None:
            for pipe in (watchdog.stdin, watchdog.stdout):
                if pipe is not None:
                    pipe.close()
            with suppress(subprocess.TimeoutExpired):
                watchdog.wait(10)
        shutil.rmtree(outside, ignore_errors=True)
        os.close(tmp)


def _line(pipe: IO[bytes] | None) -> str:
    return pipe.readline().decode().strip() if pipe is not None else ""


def _make_fifos(process: JvmProcess, outside: Path, is_split: bool) -> None:
    owner = Path(f"/proc/{process.pid}").stat()
    try:
        outside.mkdir(mode=0o700)
        for name in ["dump", "dump.p0"] if is_split else ["dump"]:
            os.mkfifo(outside / name, 0o600)
            if os.geteuid() == 0:
                os.chown(outside / name, owner.st_uid, owner.st_gid)
        if os.geteuid() == 0:
            os.chown(outside, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise CollectError(
            f"{outside}: {error.strerror}; run as the user of process {process.pid} or as root"
        ) from None


def _sweep(process: JvmProcess) -> None:
    """Remove what a heapscope that was killed left in the target's /tmp."""
    with suppress(OSError):
        for path in Path(f"/proc/{process.pid}/root/tmp").glob(f"{_PREFIX}*-*-*"):
            match = re.fullmatch(rf"{_PREFIX}(\d+)-(\d+)-[0-9a-f]{{8}}", path.name)
            if match is not None and start_ticks(int(match[1])) != int(match[2]):
                shutil.rmtree(path, ignore_errors=True)
