"""Reads a heap dump, and lets the JVM go on whatever happens to heapscope or to the reader.

The JVM waits while its dump is read, so a reader that stops would freeze it for good.  Hence
``python -m heapscope.collector.watchdog JOB`` runs beside heapscope and becomes two processes:

- the *reader* reads, walks the records and compresses (`heapscope.collector.stream`);
- the *watchdog*, its parent, makes the FIFOs and kills the reader when heapscope is gone, when the reader
  is stopped or makes no progress while bytes wait, or when time is up.  A JVM whose reader is gone gets
  EPIPE, ends the dump with an error and goes on.

In file mode there is no reader: the watchdog waits for heapscope's message, then packs the file itself.

Everything in the target's file system is done with the target's effective ids.  Whatever happens, its
folder there and an output that heapscope has not renamed are removed.  It writes lines on standard output:
``ready``, then JSON, ``{"dump_bytes": ...}`` or ``{"problem": ...}``.  It reads on standard input one byte,
`JVM_DONE` or `JVM_FAILED`, when the JVM has answered heapscope; the end of the input means that heapscope has
ended.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import json
import mmap
import os
import select
import shutil
import signal
import struct
import sys
import termios
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from heapscope.collector.stream import END, Filter, Filtered, compressed, join, pack_file, read_fifos
from heapscope.collector.target_user import act_as
from heapscope.errors import DumpFailed, HeapscopeError

JVM_DONE, JVM_FAILED = b".", b"!"
GONE = "heapscope is gone"
NO_WORD = "the JVM wrote no dump"
NO_FIFO = "no FIFO"
_TICK_SECONDS = 0.2
_GRACE_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when its parent ends
_RELEASE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """One dump.

    Attributes
    ----------
    root, folder, name : int, str, str
        An open directory of the target, the folder to make in it, and the dump's name in that.
    is_streamed, is_split : bool
        Through a FIFO; and through a second one, as JDK 22 and later write.
    owner : (int, int) or None
        Effective user and group to take for all that is done there.
    output, output_fd : str, int
        The file to fill, made by heapscope, which holds a lock on it.
    seconds, stall_seconds : float
        Limits of the whole dump, and of a reader that does nothing though bytes wait.
    part_fd : int
        A nameless file beside the output for the part of a dump that is split; -1 where there is none.
    through : Filter or None
        What the dump flows through before it is written; only of a stream.
    """

    root: int
    folder: str
    name: str
    is_streamed: bool
    is_split: bool
    owner: tuple[int, int] | None
    output: str
    output_fd: int
    seconds: float
    stall_seconds: float
    part_fd: int = -1
    through: Filter | None = None

    @property
    def inside(self) -> Path:
        """The folder, by way of the open directory: the target may be gone with its ``/proc/PID/root``."""
        return Path(f"/proc/self/fd/{self.root}/{self.folder}")

    @property
    def fifos(self) -> list[Path]:
        """Those that the JVM opens."""
        names = [self.name, f"{self.name}.p0"] if self.is_split else [self.name]
        return [self.inside / name for name in names] if self.is_streamed else []

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """From the command line."""
        facts = json.loads(text)
        through = facts.pop("through")
        return cls(**facts, through=None if through is None else Filter(**through))


class _Heapscope:
    """What was read on standard input: heapscope's message, and whether heapscope has ended."""

    def __init__(self) -> None:
        self.message = b""
        self.is_gone = False

    def listen(self, seconds: float | None) -> None:
        """Wait for input, at most so long; None: until there is some."""
        if self.is_gone:
            time.sleep(seconds or 0)
        elif select.select([0], [], [], seconds)[0]:
            byte = os.read(0, 1)
            self.message, self.is_gone = byte or self.message, not byte


def _answer(**facts: object) -> None:
    with suppress(OSError):
        os.write(1, (json.dumps(facts) + "\n").encode())


def _reader(job: Job, progress: mmap.mmap) -> int:
    def on_progress(total: int) -> None:
        progress[:8] = struct.pack("q", total)

    try:
        fifos = job.fifos[0], job.fifos[1] if job.is_split else None
        if job.is_split and job.through is None:
            # Three zstd frames, one behind the other: the head, the part, the end.
            with compressed(job.output_fd) as head, compressed(job.part_fd) as part:
                total = read_fifos(*fifos, head, on_progress, part)
            join(job.part_fd, job.output_fd)
            with compressed(job.output_fd) as end:
                end.write(END)
            _answer(dump_bytes=total)
            return 0
        with compressed(job.output_fd) as packed:
            if job.through is None:
                total = read_fifos(*fifos, packed, on_progress)
            else:
                filtered = Filtered(packed, job.through.make())  # compiles; the JVM must not wait for it
                total = read_fifos(*fifos, filtered, on_progress)
                filtered.finish()
        _answer(dump_bytes=total)
    except OSError as error:
        _answer(problem=f"{Path(job.output).parent}: {error.strerror}")
    except HeapscopeError as error:
        _answer(problem=str(error))
    return 0


def _pack(job: Job, heapscope: _Heapscope) -> None:
    """File mode: wait until heapscope says that the JVM is done, and pack what it wrote."""
    os.write(1, b"ready\n")
    heapscope.listen(None)
    if heapscope.message != JVM_DONE:
        return

    def on_progress(total: int) -> None:
        heapscope.listen(0)
        if heapscope.is_gone:
            raise DumpFailed(GONE)

    try:
        with compressed(job.output_fd) as packed:
            total = pack_file(job.inside / job.name, packed, on_progress)
        # The bytes are on disk twice now: free those of the target first.
        _remove(job)
        _answer(dump_bytes=total)
    except OSError as error:
        _answer(problem=f"{error.filename or Path(job.output).parent}: {error.strerror}")
    except DumpFailed as error:
        _answer(problem=str(error))


def _watch(reader: int, job: Job, heapscope: _Heapscope, progress: mmap.mmap) -> None:
    """Wait until the reader ends; kill it where it cannot or must not go on."""
    deadline = time.monotonic() + job.seconds
    seen, since = b"", time.monotonic()
    while True:
        # Before the reader is looked at: the JVM may have failed because the reader died.
        heapscope.listen(_TICK_SECONDS)
        ended, status = os.waitpid(reader, os.WNOHANG)
        if ended:
            if status:
                _answer(problem="the reader was killed")
            return
        problem = ""
        now = time.monotonic()
        if progress[:8] != seen:
            seen, since = progress[:8], now
        if heapscope.is_gone:
            problem = GONE
        elif heapscope.message == JVM_FAILED:
            problem = NO_WORD
        elif _state(reader) in ("T", "t"):
            problem = "the reader was stopped"
        elif now > deadline:
            problem = f"it took more than {job.seconds:g} s"
        elif now - since > job.stall_seconds and _bytes_wait(job):
            problem = f"the reader made no progress for {job.stall_seconds:g} s"
        if problem:
            os.kill(reader, signal.SIGKILL)
            os.waitpid(reader, 0)
            _answer(problem=problem)
            return


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _release(job: Job, heapscope: _Heapscope) -> None:
    """Release a JVM that opens a FIFO whose reader has ended, until it has answered heapscope.

    It would wait in ``open`` for ever.  The FIFO is opened here for both directions and closed again, so the
    JVM's write fails with EPIPE.  Where heapscope has ended nobody gets the JVM's answer, so it is given some
    time instead.
    """
    deadline = None
    while not heapscope.message and (deadline is None or time.monotonic() < deadline):
        for fd in _opened(job):
            os.close(fd)
        heapscope.listen(_RELEASE_SECONDS)
        if heapscope.is_gone and deadline is None:
            deadline = time.monotonic() + _GRACE_SECONDS
    if heapscope.message:
        return
    # A JVM that has looked up the name but not yet opened the FIFO must still find a reader.
    held = _opened(job)
    _remove(job)
    time.sleep(_TICK_SECONDS)
    for fd in held:
        os.close(fd)


def _remove(job: Job) -> None:
    """Remove the folder in the target, again where the JVM creates a file there meanwhile."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while job.inside.exists() and time.monotonic() < deadline:
        shutil.rmtree(job.inside, ignore_errors=True)


def _opened(job: Job) -> list[int]:
    found = []
    for path in job.fifos:
        with suppress(OSError):
            found.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    return found


def _bytes_wait(job: Job) -> bool:
    for path in job.fifos:
        with suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                count = array.array("i", [0])
                fcntl.ioctl(fd, termios.FIONREAD, count)
                if count[0]:
                    return True
            finally:
                os.close(fd)
    return False


def _stream(job: Job, heapscope: _Heapscope) -> None:
    try:
        for path in job.fifos:
            os.mkfifo(path, 0o600)
    except OSError as error:
        _answer(problem=NO_FIFO, reason=error.strerror)
        return
    progress = mmap.mmap(-1, mmap.PAGESIZE)
    watchdog = os.getpid()
    reader = os.fork()
    if reader == 0:
        # If even the watchdog is killed, the reader goes with it and the JVM goes on.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os._exit(1 if os.getppid() != watchdog else _reader(job, progress))
    try:
        _watch(reader, job, heapscope, progress)
    finally:
        _release(job, heapscope)


def main() -> None:
    """Watchdog and reader of one dump; the job is JSON in the first argument."""
    job = Job.from_json(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        act_as(job.owner)
        try:
            job.inside.mkdir(mode=0o700)
        except OSError as error:
            _answer(problem=f"its folder for the dump: {error.strerror}; run as its user or as root")
        else:
            heapscope = _Heapscope()
            (_stream if job.is_streamed else _pack)(job, heapscope)
            _remove(job)
            while not heapscope.is_gone:
                heapscope.listen(None)
    finally:
        _remove(job)
        act_as(None)
        # heapscope renames a whole dump before it ends; what still has its hidden name is not whole.
        Path(job.output).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
