"""One safe snapshot of a JVM: a heap dump into a ``.hprof.zst``, or a class histogram.

A snapshot appears under its name when it is whole, with a JSON sidecar beside it, or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from heapscope.collector import target_folder
from heapscope.collector.channel import Method, Voice, created_seconds, find_voice
from heapscope.collector.processes import JvmProcess, find, get, survives_broken_pipe
from heapscope.collector.sidecar import facts_of, jvm_options
from heapscope.collector.stream import Filter
from heapscope.collector.target_user import owner_of
from heapscope.collector.watchdog import JVM_DONE, JVM_FAILED, NO_FIFO, NO_WORD, Job
from heapscope.errors import CollectError, DumpFailed, OutputExists, OutputFailed
from heapscope.files import new_file

DUMP_SECONDS = 900.0
STALL_SECONDS = 20.0
_START_SECONDS = 60.0
_WATCHDOG = (sys.executable, "-m", "heapscope.collector.watchdog")
_FIRST_TO_STREAM = 11
_FIRST_TO_SPLIT = 22
Kind = Literal["dump", "histogram"]
_SUFFIXES: dict[Kind, str] = {"dump": "hprof.zst", "histogram": "histogram.txt"}
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Collected:
    """A snapshot that was taken: its file, its sidecar, and what the sidecar says."""

    path: Path
    sidecar: Path
    facts: dict[str, Any]


def no_messages(message: str) -> None:
    """Say nothing."""


def collect(
    process: JvmProcess,
    folder: Path,
    *,
    kind: Kind = "dump",
    live: bool = True,
    method: Method | None = None,
    stream: bool = True,
    allow_sigquit: bool = False,
    through: Filter | None = None,
    seconds: float = DUMP_SECONDS,
    notice: Notice = no_messages,
) -> Collected:
    """Take one snapshot of a JVM into ``folder``, which is made (0700) where it is missing.

    Parameters
    ----------
    live : bool
        Only what is reachable, after a full collection; else all objects.
    method : {"attach", "jmap", "jcmd"}, optional
        How the JVM is asked.  By default our own client, or ``jcmd`` where only that is understood.
    stream : bool
        A dump flows through a FIFO where that can work; else the JVM writes a file into its own file
        system, if there is room, which is then packed and removed.
    allow_sigquit : bool
        Whether a JVM without an attach socket may be sent one SIGQUIT.
    through : Filter, optional
        What a dump flows through on its way: what it takes out is on no disk, so there is no file mode then.
    seconds : float
        Time limit; a dump that takes longer is given up, the JVM goes on.
    notice : callable (str) -> None
        Told, in one line, when another way than the usual one is taken.

    Raises
    ------
    AttachRefused, AttachTimeout
        As for `heapscope.collector.attach.jcmd`.
    DumpFailed
        The snapshot is not whole; nothing of it is left.
    """

    def voice() -> Voice:
        return find_voice(process, method, allow_sigquit=allow_sigquit, notice=notice)

    return take(
        process,
        folder,
        voice,
        kind=kind,
        live=live,
        stream=stream,
        through=through,
        seconds=seconds,
        notice=notice,
    )


def take(
    process: JvmProcess,
    folder: Path,
    voice_of: Callable[[], Voice],
    *,
    kind: Kind,
    live: bool,
    stream: bool,
    through: Filter | None = None,
    seconds: float,
    notice: Notice,
) -> Collected:
    """`collect` with a voice that is found under the lock of the JVM."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(process):
        target_folder.sweep(process)
        _sweep_parts(folder)
        voice = voice_of()
        before, started = get(process.pid), datetime.now(UTC)
        path = folder / f"{_label(process)}.{started:%Y%m%dT%H%M%S.%fZ}.{_SUFFIXES[kind]}"
        options = jvm_options(voice)
        clock = time.monotonic()
        with _part(path) as output:
            if kind == "dump":
                found = _dump(
                    before,
                    voice,
                    output,
                    live=live,
                    stream=stream,
                    through=through,
                    seconds=seconds,
                    notice=notice,
                )
            else:
                found = _histogram(process, voice, output, live, seconds)
        elapsed = time.monotonic() - clock
        # It may have ended since, or be a zombie; the snapshot is whole all the same.
        after = next((p for p in find([process.pid]) if p.start_ticks == process.start_ticks), None)
    facts = {
        "captured_at": started.isoformat(),
        "kind": kind,
        "method": voice.method,
        "live": live,
        "redacted": through is not None and kind == "dump",
        "host": socket.gethostname(),
        "elapsed_seconds": round(elapsed, 3),
        "file_bytes": path.stat().st_size,
        **found,
        **facts_of(before, after),
        "jvm_options": options,
    }
    sidecar = path.with_name(path.name + ".json")
    try:
        with new_file(sidecar) as file:
            file.write(json.dumps(facts, indent=2).encode())
    except (OutputExists, OutputFailed) as error:
        path.unlink(missing_ok=True)  # nobody could tell what it is of
        raise DumpFailed(f"{error}; no snapshot was kept") from None
    return Collected(path, sidecar, facts)


def _label(process: JvmProcess) -> str:
    role = process.role or "jvm"
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


@dataclass(frozen=True, slots=True)
class _Output:
    """The file that becomes the snapshot, open and locked: `_sweep_parts` leaves it alone."""

    part: Path
    path: Path
    fd: int

    def keep(self) -> None:
        """Give it its name: it is whole."""
        self.part.rename(self.path)


@contextmanager
def _part(path: Path) -> Iterator[_Output]:
    part = path.with_name(f".{path.name}.part")
    fd = _locked(part)
    try:
        yield _Output(part, path, fd)
    finally:
        part.unlink(missing_ok=True)
        os.close(fd)


def _locked(part: Path) -> int:
    """A new file, locked; made anew where another heapscope swept it before it was locked."""
    while True:
        fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)


def _sweep_parts(folder: Path) -> None:
    """Remove what a heapscope left that was killed together with its watchdog: parts nobody has locked."""
    # By name: a watch may just be writing another kind of file here.
    for part in (part for suffix in _SUFFIXES.values() for part in folder.glob(f".*.{suffix}.part")):
        with suppress(OSError):
            fd = os.open(part, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink(missing_ok=True)
            finally:
                os.close(fd)


def _histogram(
    process: JvmProcess, voice: Voice, output: _Output, live: bool, seconds: float
) -> dict[str, Any]:
    clock = time.monotonic()
    text = voice.ask("GC.class_histogram" + ("" if live else " -all"), seconds)
    pause = time.monotonic() - clock
    if not re.search(r"^Total\s+\d+\s+\d+", text, re.MULTILINE):
        raise DumpFailed(f"process {process.pid}: the class histogram has no Total line; try again")
    try:
        with open(output.fd, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        os.fsync(output.fd)
    except OSError as error:
        raise DumpFailed(f"{output.part.parent}: {error.strerror}; no snapshot was kept") from None
    output.keep()
    return {"pause_seconds_estimate": round(pause, 3)}


def _dump(
    process: JvmProcess,
    voice: Voice,
    output: _Output,
    *,
    live: bool,
    stream: bool,
    through: Filter | None,
    seconds: float,
    notice: Notice,
) -> dict[str, Any]:
    why = _why_no_stream(process, voice) if stream else ""
    if stream and not why:
        try:
            return _through_watchdog(process, voice, output, live, seconds, is_streamed=True, through=through)
        except _NoFifoError as error:
            why = f"no FIFO can be made in its /tmp ({error})"
    if through is not None:
        raise CollectError(
            f"process {process.pid}: its dump cannot be streamed ({why or 'as told'}), and as a file it "
            "would hold what is to be taken out; collect it without that and redact the file"
        )
    if why:
        notice(f"process {process.pid}: its dump is written as a file and then packed: {why}")
    return _through_watchdog(process, voice, output, live, seconds, is_streamed=False)


def _why_no_stream(process: JvmProcess, voice: Voice) -> str:
    if voice.why_no_stream:
        return voice.why_no_stream
    if voice.release < _FIRST_TO_STREAM:
        return f"JDK {voice.release} cannot write into a FIFO"
    if not survives_broken_pipe(process):
        return "it would not survive a SIGPIPE if the reader died"
    return ""


class _NoFifoError(DumpFailed):
    """The file system takes no FIFO; the JVM was not asked."""


def _through_watchdog(
    process: JvmProcess,
    voice: Voice,
    output: _Output,
    live: bool,
    seconds: float,
    *,
    is_streamed: bool,
    through: Filter | None = None,
) -> dict[str, Any]:
    owner = owner_of(process.pid).to_act_as
    ours = target_folder.folder_name(secrets.token_hex(4))
    is_split = voice.release >= _FIRST_TO_SPLIT
    needs_part = is_streamed and is_split and through is None
    # What HotSpotDiagnosticMXBean writes has to end like this.
    name = "dump.hprof"
    with ExitStack() as stack:
        folder, root = (
            ("/tmp", target_folder.open_root(process, "/tmp"))
            if is_streamed
            else target_folder.room_for_file(process, voice.release)
        )
        stack.callback(os.close, root)
        # Without a name: nothing of it is left whatever happens.
        beside = stack.enter_context(tempfile.TemporaryFile(dir=output.part.parent)) if needs_part else None
        job = Job(
            root=root,
            folder=ours,
            name=name,
            is_streamed=is_streamed,
            is_split=is_split,
            owner=owner,
            output=str(output.part.absolute()),
            output_fd=output.fd,
            seconds=seconds,
            stall_seconds=STALL_SECONDS,
            part_fd=-1 if beside is None else beside.fileno(),
            through=through,
        )
        # In case the watchdog is killed itself.
        stack.callback(shutil.rmtree, job.inside, ignore_errors=True)
        watchdog = stack.enter_context(_watchdog(job))
        _wait_until_ready(process, watchdog)
        options = [
            *(["-overwrite"] if is_streamed else []),
            *(["-parallel=1"] if is_split else []),
            *([] if live else ["-all"]),
        ]
        command = " ".join(["GC.heap_dump", *options, f"{folder}/{ours}/{name}"])
        clock = time.monotonic()
        said = voice.ask(command, seconds + 30)
        asked = time.monotonic() - clock
        pause = created_seconds(said)
        answer: dict[str, Any] = {}
        if is_streamed or pause is not None:
            # A reader may still wait for a JVM that failed before it came to the FIFO.
            answer = _last_word(watchdog, JVM_DONE if pause is not None else JVM_FAILED, seconds)
        problem = str(answer.get("problem", ""))
        if pause is None and problem in ("", NO_WORD):
            problem = " ".join(said.split())[-300:] or "the JVM said nothing"
        if problem or pause is None:
            raise DumpFailed(f"process {process.pid}: {problem}; no snapshot was kept, the JVM goes on")
        output.keep()
        return {
            "mode": "stream" if is_streamed else "file",
            "dump_bytes": answer["dump_bytes"],
            "pause_seconds_estimate": pause or round(asked, 3),
        }


@contextmanager
def _watchdog(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """The process beside a dump; it ends when its pipes are closed."""
    watchdog = subprocess.Popen(
        [*_WATCHDOG, job.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        pass_fds=[fd for fd in (job.root, job.output_fd, job.part_fd) if fd >= 0],
    )
    try:
        yield watchdog
    finally:
        for pipe in (watchdog.stdin, watchdog.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            watchdog.wait(10)


def _wait_until_ready(process: JvmProcess, watchdog: subprocess.Popen[bytes]) -> None:
    said = _line(watchdog.stdout, _START_SECONDS)
    if said == "ready":
        return
    answer = json.loads(said) if said.startswith("{") else {}
    if answer.get("problem") == NO_FIFO:
        raise _NoFifoError(str(answer.get("reason")))
    raise CollectError(
        f"process {process.pid}: {answer.get('problem', 'the reader did not start')}; the JVM was not asked"
    )


def _last_word(watchdog: subprocess.Popen[bytes], word: bytes, seconds: float) -> dict[str, Any]:
    """Tell the watchdog that the JVM has answered; what it says then."""
    assert watchdog.stdin is not None
    with suppress(OSError):
        watchdog.stdin.write(word)
        watchdog.stdin.flush()
    said = _line(watchdog.stdout, seconds)
    found: dict[str, Any] = json.loads(said or '{"problem": "the watchdog does not answer"}')
    return found


def _line(pipe: IO[bytes] | None, seconds: float) -> str:
    """One of its lines, which are written whole; nothing where none comes in time."""
    if pipe is None or not select.select([pipe], [], [], seconds)[0]:
        return ""
    return pipe.readline().decode().strip()
