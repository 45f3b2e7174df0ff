"""Lets the JVM go on, whatever happens to heapscope, to a disk, or to the processes that take its dump.

The JVM waits while its dump is read, so a reader that stops would freeze it for good.  Hence a *watchdog*
runs beside heapscope.  It makes the FIFOs, and starts two processes:

- the *reader* (`heapscope.collector.reader`) holds the FIFO and does nothing but read, into memory;
- the *writer* (`heapscope.collector.packer`) takes the dump out of memory, walks its records and writes it.

The watchdog ends the dump when heapscope is gone, when the pause that is allowed is over, when the reader is
stopped or nothing is read while bytes wait, or when the writer fails.  A JVM whose reader is gone gets
EPIPE, ends the dump with an error and goes on.

Should the watchdog be stopped as well, the kernel ends both when the pause is over
(`heapscope.collector.deadline`).

The watchdog waits for nothing without a limit.  What may hang with a disk, even in the kernel, is done by
child processes that it can leave behind: all writing, and all removing of files.

In file mode there is no reader: the watchdog waits for heapscope's message, then has the file packed.

Everything in the target's file system is done with the target's effective ids.  Whatever happens, its
folder there and an output that heapscope has not renamed are removed.  It writes lines on standard output:
``ready``, then JSON, ``{"dump_bytes": ...}`` or ``{"problem": ...}``.  It reads on standard input one byte,
`JVM_DONE` or `JVM_FAILED`, when the JVM has answered heapscope; the end of the input means that heapscope has
ended.
"""

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from heapscope.collector import packer, reader, target_folder
from heapscope.collector.answerer import Answerer
from heapscope.collector.attach_reasons import as_whom
from heapscope.collector.buffer import SlotBuffer
from heapscope.collector.child import Child, apart, end_with_parent
from heapscope.collector.deadline import Deadline
from heapscope.collector.holder import Holder
from heapscope.collector.job import Job
from heapscope.collector.part_file import unlink_in
from heapscope.collector.reader import Status
from heapscope.collector.stream import Filter
from heapscope.collector.target_user import act_as
from heapscope.errors import HeapscopeError
from heapscope.units import format_bytes

JVM_DONE, JVM_FAILED = b".", b"!"
# Who starts a watchdog blocks these until it has learnt to ignore them.
NOT_FOR_US = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GONE = "heapscope is gone"
NO_WORD = "the JVM wrote no dump"
_MAYBE_MEMORY = "; the kernel does that where memory runs out, and a smaller --buffer needs less"
NO_FIFO = "no FIFO"
_TICK_SECONDS = 0.2
_GRACE_SECONDS = 1.0
_RELEASE_SECONDS = 0.05
# A writer that does nothing for so long, when the JVM goes on: fsync of a dump on a slow disk takes a while.
_WRITER_SECONDS = 120.0
# An analysis says how far it is; some of its steps take a while, and so does compiling them.
_ANALYSIS_SECONDS = 900.0
# The reader ends by itself so much later than the watchdog would end it.
_READER_SECONDS = 2.0
_READER_NICE = -20
# How long heapscope waits for the two to be ready, who may have loops to compile (44 s beside busy programs):
# the JVM is not asked before.  And when the kernel ends a watchdog that was stopped.
START_SECONDS = 300.0
_KERNEL_SECONDS = 10.0


class _Heapscope:
    """What was read on standard input: heapscope's message, and whether heapscope has ended."""

    def __init__(self) -> None:
        self.message = b""
        self.is_gone = False

    def listen(self, seconds: float | None, *others: int) -> list[int]:
        """Wait for input, at most so long; None: until there is some.  Others that can be read, as well."""
        ready = select.select([*([] if self.is_gone else [0]), *others], [], [], seconds)[0]
        if 0 in ready:
            ready.remove(0)
            byte = os.read(0, 1)
            self.message, self.is_gone = byte or self.message, not byte
        return ready


def _say(line: bytes) -> None:
    with suppress(OSError):  # heapscope is gone
        os.write(1, line)


def _answer(**facts: object) -> None:
    _say((json.dumps(facts) + "\n").encode())


def _tell(fd: int, **facts: object) -> None:
    os.write(fd, (json.dumps(facts) + "\n").encode())


def _written(job: Job, answer_fd: int, pack: Callable[[], dict[str, object]]) -> int:
    """Run what a writer does, and tell how it went."""
    try:
        facts = pack()
    except OSError as error:
        facts = {"problem": f"{error.filename or Path(job.output).parent}: {error.strerror}"}
    except HeapscopeError as error:
        facts = {"problem": str(error)}
    _tell(answer_fd, **facts)
    return 0


class _Dump:
    """A streamed dump: its two processes and what is known of them."""

    def __init__(self, job: Job, heapscope: _Heapscope, guards: Sequence[int], kernel: Deadline) -> None:
        self._job, self._heapscope, self._guards = job, heapscope, guards
        self._status, buffer = Status(), SlotBuffer(job.buffer_bytes)
        self._control, theirs = socket.socketpair()
        self._answers, answer_fd = os.pipe()
        self._writer = Child(
            "heapscope-write",
            lambda: self._write(buffer, answer_fd),
            keep=(buffer.filled_out, buffer.freed_in, answer_fd, job.output_fd, job.facts_fd),
        )
        self._reader = Child(
            "heapscope-read",
            lambda: self._read(buffer, theirs),
            keep=(buffer.filled_in, buffer.freed_out, theirs.fileno(), *guards),
        )
        buffer.keep()
        theirs.close()
        os.close(answer_fd)
        self._open = {self._control.fileno(), self._answers}
        self._said = b""
        self._result: dict[str, object] | None = None
        self._is_reader_ready = self._is_writer_ready = False
        self._deadline = 0.0
        self._kernel = kernel
        self._is_told = False
        self._seen, self._since = (0, 0), time.monotonic()

    def _write(self, buffer: SlotBuffer, answer_fd: int) -> int:
        act_as(None)
        end_with_parent()  # forgotten where the ids change

        def answer(into: Filter) -> dict[str, object]:
            facts = json.loads(os.pread(self._job.facts_fd, os.fstat(self._job.facts_fd).st_size, 0))
            streams, disk = len(self._guards), self._job.disk
            work = Answerer(buffer, streams, into, facts, self._job.output_fd, disk, self._status)
            _tell(answer_fd, ready=True)
            return work.run()

        def pack() -> dict[str, object]:
            if self._job.into is not None:
                return answer(self._job.into)
            work = packer.Packer(
                buffer,
                len(self._guards),
                self._job.through,
                self._job.output_fd,
                self._job.disk,
                self._job.expected_bytes,
                self._status,
            )
            _tell(answer_fd, ready=True)
            return {"dump_bytes": work.pack(), "way": work.way}

        return _written(self._job, answer_fd, pack)

    def _read(self, buffer: SlotBuffer, control: socket.socket) -> int:
        os.chdir("/")
        kernel = Deadline()
        kernel.set(time.monotonic() + START_SECONDS + self._job.seconds + _KERNEL_SECONDS)
        # The JVM waits for it, and it runs only where the JVM has written.
        act_as(None)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _READER_NICE)
        act_as(self._job.owner)
        end_with_parent()  # forgotten where the ids change
        fifos = reader.open_fifos(self._guards)
        held = reader.open_held(self._guards[1]) if len(self._guards) > 1 else -1
        for guard in self._guards:
            os.close(guard)
        buffer.populate(max(1, self._job.expected_bytes))
        control.send(reader.OPENED)
        return reader.read_fifos(fifos, held, buffer, self._status, control, kernel)

    def watch(self) -> dict[str, object]:
        """Wait until the dump is written, or end it where it cannot or must not go on; the answer."""
        while True:
            self._listen()
            problem = self._problem()
            if problem:
                # The JVM first.
                self._reader.kill(_GRACE_SECONDS)
                is_hung = not self._writer.kill(_GRACE_SECONDS)
                return {"problem": problem, **_hung(is_hung)}
            if self._result is not None and self._reader.code() is not None:
                return self._result
            if not self._deadline and self._is_reader_ready and self._is_writer_ready:
                self._deadline = time.monotonic() + self._job.seconds
                self._status.deadline_milliseconds = int((self._deadline + _READER_SECONDS) * 1000)
                # Its reader goes with it, and so does the name of the FIFO.
                self._kernel.set(self._deadline + _KERNEL_SECONDS)
                _say(b"ready\n")
            if self._reader.code() is not None:
                self._kernel.clear()  # the JVM waits for nothing more
            elif self._heapscope.message == JVM_DONE and not self._is_told:
                self._is_told = True
                with suppress(OSError):
                    self._control.send(reader.JVM_IS_DONE)

    def _listen(self) -> None:
        fds = [child.pidfd for child in (self._reader, self._writer) if child.code() is None]
        ready = self._heapscope.listen(_TICK_SECONDS, *fds, *self._open)
        if self._answers in ready:
            piece = os.read(self._answers, 1 << 16)
            if not piece:
                self._open.discard(self._answers)
            *lines, self._said = (self._said + piece).split(b"\n")
            for facts in map(json.loads, lines):
                self._is_writer_ready = True
                self._result = facts if "ready" not in facts else None
        if self._control.fileno() in ready:
            try:
                said = self._control.recv(1)
            except ConnectionResetError:
                said = b""  # it has ended before it read what it was told
            if not said:
                self._open.discard(self._control.fileno())
            elif said == reader.OPENED:
                self._is_reader_ready = True
            else:
                is_done = apart(lambda: _put_empty_file(self._job.fifos[1]))
                with suppress(OSError):
                    self._control.send(reader.PART_IS_EMPTY if is_done else b"!")

    def _problem(self) -> str:
        """Why the dump has to end now; empty where it may go on."""
        job, status, now = self._job, self._status, time.monotonic()
        if (self._reader.code() or 0) < 0:
            return f"the reader was killed{_MAYBE_MEMORY}"
        if self._result is not None and "problem" in self._result:
            return str(self._result["problem"])
        if self._heapscope.is_gone:
            return GONE
        if self._heapscope.message == JVM_FAILED:
            return NO_WORD
        read, written = self._reader.code(), self._writer.code()
        too_long = f"it took more than the {job.seconds:g} s that --max-pause allows"
        if read not in (None, reader.DONE, reader.NO_WRITER):
            return {
                reader.TIME_IS_UP: too_long,
                reader.NO_EMPTY_FILE: f"its {job.folder} was out of reach",
            }.get(read or 0, "the reader failed")
        if written is not None and self._result is None and self._answers not in self._open:
            return f"the writer was killed{_MAYBE_MEMORY}" if written < 0 else "the writer failed"
        if read is None and self._reader.is_stopped():
            return "the reader was stopped"
        if self._writer.is_stopped():
            return "the writer was stopped"
        if read is None and self._deadline and now > self._deadline:
            return too_long
        moved = status.read_bytes, status.written_bytes
        if moved != self._seen:
            self._seen, self._since = moved, now
        finishing = _WRITER_SECONDS if job.into is None else _ANALYSIS_SECONDS
        limit = job.stall_seconds if read is None else finishing
        if now - self._since <= limit or (read is None and not bytes_wait(self._guards)):
            return ""
        folder = Path(job.output).parent
        if job.into is not None and (read is not None or status.is_full):
            return f"its analysis made no progress for {limit:g} s"
        if read is not None or status.is_full:
            return f"{folder}: its disk took nothing for {limit:g} s"
        return f"the reader made no progress for {limit:g} s"


def _hung(is_hung: bool) -> dict[str, object]:
    """Part of an answer: a disk holds the writer, and will hold whoever touches the output."""
    return {"is_hung": True} if is_hung else {}


def _put_empty_file(part: Path) -> None:
    """Let an empty file take the name of a FIFO the JVM has open."""
    empty = part.with_name(part.name + ".empty")
    os.close(os.open(empty, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    empty.rename(part)


def _pack(job: Job, heapscope: _Heapscope) -> None:
    """File mode: wait until heapscope says that the JVM is done, and pack what it wrote."""
    _say(b"ready\n")
    heapscope.listen(None)
    if heapscope.message != JVM_DONE:
        _answer(problem=GONE if heapscope.is_gone else NO_WORD)
        return
    status = Status()
    answers, answer_fd = os.pipe()

    def on_progress(size: int) -> None:
        status.written_bytes += size

    def pack() -> dict[str, object]:
        total = packer.pack_file(job.inside / job.name, job.output_fd, job.disk, on_progress)
        return {"dump_bytes": total, "way": "file"}

    writer = Child(
        "heapscope-write", lambda: _written(job, answer_fd, pack), keep=(job.root, job.output_fd, answer_fd)
    )
    os.close(answer_fd)
    seen, since = 0, time.monotonic()
    problem = ""
    while writer.code() is None and not problem:
        heapscope.listen(_TICK_SECONDS, writer.pidfd)
        if status.written_bytes != seen:
            seen, since = status.written_bytes, time.monotonic()
        if heapscope.is_gone:
            problem = GONE
        elif time.monotonic() - since > _WRITER_SECONDS:
            problem = f"{Path(job.output).parent}: its disk took nothing for {_WRITER_SECONDS:g} s"
    is_hung = not writer.kill(_GRACE_SECONDS)
    # The bytes are on disk twice now: free those of the target first.
    _remove(job)
    said = b"" if is_hung else os.read(answers, 1 << 16)
    if problem or not said:
        _answer(problem=problem or f"the writer was killed{_MAYBE_MEMORY}", **_hung(is_hung))
    else:
        _answer(**json.loads(said))


def _release(job: Job, guards: Sequence[int], heapscope: _Heapscope, kernel: Deadline) -> None:
    """Release a JVM that opens a FIFO whose reader has ended, until it has answered heapscope.

    It would wait in ``open`` for ever.  The FIFO is opened here for both directions and closed again, so the
    JVM's write fails with EPIPE.  Where heapscope has ended nobody gets the JVM's answer, so it is given some
    time instead.  Should this process be stopped meanwhile, the kernel ends it.
    """
    deadline = None
    while not heapscope.message and (deadline is None or time.monotonic() < deadline):
        # A JVM may answer long after its pause was over: who waits for it is not ended as long as it looks.
        kernel.set(time.monotonic() + _KERNEL_SECONDS)
        reader.release_openers(guards)
        heapscope.listen(_RELEASE_SECONDS)
        if heapscope.is_gone and deadline is None:
            deadline = time.monotonic() + _GRACE_SECONDS
    kernel.clear()
    if heapscope.message:
        return
    # A JVM that has looked up the name but not yet opened the FIFO must still find a reader.
    held = reader.open_both_ways(guards)
    _remove(job)
    time.sleep(_TICK_SECONDS)
    for fd in held:
        os.close(fd)


def _remove(job: Job) -> None:
    """Remove the folder in the target, again where the JVM creates a file there meanwhile."""

    def remove() -> None:
        deadline = time.monotonic() + _GRACE_SECONDS
        while job.inside.exists() and time.monotonic() < deadline:
            shutil.rmtree(job.inside, ignore_errors=True)

    apart(remove)


def bytes_wait(guards: Sequence[int]) -> bool:
    """Whether there are bytes in one of the FIFOs, whatever has their names by now.

    Parameters
    ----------
    guards : sequence of int
        Open paths (``O_PATH``): who holds one is no reader, so the JVM still sees the reader end.
    """
    for guard in guards:
        with suppress(OSError):
            fd = os.open(f"/proc/self/fd/{guard}", os.O_RDONLY | os.O_NONBLOCK)
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
        guards = [os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in job.fifos]
    except OSError as error:
        _answer(problem=NO_FIFO, reason=error.strerror)
        return
    holder, kernel = None, Deadline()
    if job.is_linked:
        with suppress(OSError):  # the FIFOs have their names
            holder = Holder(job.fifos, guards, job.owner)
    try:
        try:
            dump = _Dump(job, heapscope, guards, kernel)
        except (OSError, OverflowError) as error:
            if isinstance(error, OverflowError) or error.errno == errno.ENOMEM:
                _answer(problem=f"{format_bytes(job.buffer_bytes)} of memory for --buffer: {error}")
            else:
                _answer(problem=f"the processes that take the dump cannot be started: {error.strerror}")
            return
        _answer(**dump.watch())
    finally:
        if holder is not None:
            holder.end()
        _release(job, guards, heapscope, kernel)


def main() -> None:
    """Watchdog of one dump; the job is JSON in the first argument."""
    job = Job.from_json(sys.argv[1])
    # Who ends a service, or all that is called heapscope, asks each of its processes.  Those that go with the
    # watchdog ignore it as well: a JVM that opens a FIFO when all are gone waits for ever.  heapscope itself
    # ends, and the dump is ended in order.
    for number in (*NOT_FOR_US, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, NOT_FOR_US)
    try:
        act_as(job.owner)
        try:
            job.inside.mkdir(mode=0o700)
        except OSError as error:
            _answer(problem=f"its folder for the dump: {error.strerror}; {as_whom()}")
        else:
            target_folder.lock(job.inside)
            heapscope = _Heapscope()
            (_stream if job.is_streamed else _pack)(job, heapscope)
            _remove(job)
            while not heapscope.is_gone:
                heapscope.listen(None)
    finally:
        _remove(job)
        act_as(None)
        # heapscope renames a whole dump before it ends; what still has its hidden name is not whole.
        apart(lambda: unlink_in(job.output_folder_fd, Path(job.output).name))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:  # no descriptor is left, say; heapscope removes what is there
        raise SystemExit(f"heapscope: watchdog: {error.strerror}") from None
