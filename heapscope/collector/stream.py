"""A heap dump that flows through a FIFO into a compressed file, and a watchdog beside it.

The JVM stands still while it dumps, so a reader that stops would freeze it for good.  Hence two
processes, started by `heapscope.collector.dump` as ``python -m heapscope.collector.stream``:

- the *reader* reads, compresses, and walks the top-level records (HPROF: tag u1, time u4, length u4);
- the *watchdog*, its parent, outlives heapscope.  It kills the reader when heapscope is gone, when the
  reader is stopped or makes no progress while bytes wait, or when time is up.  A JVM whose reader
  is gone gets EPIPE, ends the dump with an error and goes on.

Since JDK 22 a dump is written as ``NAME`` and ``NAME.p0``, which the JVM then appends to ``NAME``.  Both
are FIFOs; at the first byte an empty file takes the second's name, so that nothing is appended twice, and
its records go into the file as they come, the closing HEAP_DUMP_END of ``NAME`` last.
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
from pathlib import Path
from typing import Any, BinaryIO

from heapscope.errors import DumpFailed

_MAGICS = (b"JAVA PROFILE 1.0.1\0", b"JAVA PROFILE 1.0.2\0")
_HEADER_BYTES = 31
_RECORD_BYTES = 9
_HEAP_DUMP_END = 0x2C
_READ_BYTES = 1 << 20
_TICK_SECONDS = 0.2
_GRACE_SECONDS = 1.0
GONE = "heapscope is gone"
_F_SETPIPE_SZ = 1031


class Records:
    """Splits a stream at the boundaries of top-level records, however it arrives in pieces.

    ``rest`` holds the bytes of a record head that is not whole yet, or a HEAP_DUMP_END kept back.
    """

    def __init__(self, *, has_header: bool) -> None:
        self.rest = b""
        self.is_ended = False
        self._left = 0
        self._has_header = has_header

    @property
    def is_between(self) -> bool:
        """Whether what was given out so far ends with a whole record."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """What may be written now.

        Raises
        ------
        DumpFailed
            The bytes are no heap dump, or go on behind its end.
        """
        data = self.rest + data
        at = 0
        if self._has_header:
            if len(data) < _HEADER_BYTES:
                self.rest = data
                return b""
            if not data.startswith(_MAGICS):
                raise DumpFailed("what the JVM wrote is no heap dump")
            self._has_header, at = False, _HEADER_BYTES
        while True:
            step = min(self._left, len(data) - at)
            at, self._left = at + step, self._left - step
            if self._left or len(data) - at < _RECORD_BYTES:
                break
            if self.is_ended or data[at] == _HEAP_DUMP_END:
                if self.is_ended or len(data) - at > _RECORD_BYTES:
                    raise DumpFailed("bytes follow the end of the heap dump")
                break
            self._left = int.from_bytes(data[at + 5 : at + 9], "big")
            at += _RECORD_BYTES
        self.rest = data[at:] if not self._left else b""
        return data[:at]

    @property
    def ends_whole(self) -> bool:
        """Whether the stream has come to its HEAP_DUMP_END and nothing else."""
        return self._left == 0 and len(self.rest) == _RECORD_BYTES and self.rest[0] == _HEAP_DUMP_END


def read_fifos(main: Path, part: Path | None, output: BinaryIO, progress: mmap.mmap) -> int:
    """Read a dump from its FIFOs into ``output`` until the JVM has closed them; the bytes of the dump.

    Raises
    ------
    DumpFailed
        The stream does not end with a HEAP_DUMP_END record.
    """
    poll = select.poll()
    fds = {}
    for path in [main] if part is None else [main, part]:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with suppress(OSError):
            fcntl.fcntl(fd, _F_SETPIPE_SZ, _READ_BYTES)
        fds[fd] = Records(has_header=path == main)
        poll.register(fd, select.POLLIN)
    # Without a writer of ours the JVM would wait for one when it opens an empty part to append it.
    held = os.open(part, os.O_WRONLY | os.O_NONBLOCK) if part is not None else -1
    os.write(1, b"ready\n")
    waiting = dict.fromkeys(fds, b"")
    current, total = next(iter(fds)), 0
    main_fd, is_open = current, True
    while is_open:
        for fd, _ in poll.poll():
            piece = _read_some(fd)
            if not piece:
                is_open = is_open and fd != main_fd
                continue
            if fd != main_fd and part is not None:
                _put_empty_file(part)
                part = None
            waiting[fd] += piece
        if not is_open:
            for fd in fds:
                while piece := _read_some(fd):
                    waiting[fd] += piece
        # Two streams take turns where a record ends.
        for _ in range(2):
            out = fds[current].feed(waiting[current])
            waiting[current] = b""
            if out:
                output.write(out)
                total += len(out)
                progress[:8] = struct.pack("q", total)
            if fds[current].is_between:
                current = next((fd for fd in fds if fd != current), current)
    if held >= 0:
        os.close(held)
    if not fds[main_fd].ends_whole or not all(r.is_between for r in fds.values()):
        raise DumpFailed("the dump ends inside a record")
    if any(records.rest for fd, records in fds.items() if fd != main_fd):
        raise DumpFailed("a part of the dump ends inside a record")
    output.write(fds[main_fd].rest)
    return total + _RECORD_BYTES


def _read_some(fd: int) -> bytes:
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return b""


def _put_empty_file(part: Path) -> None:
    """Let an empty file take the name of a FIFO the JVM has open."""
    owner = part.stat()
    empty = part.with_name(part.name + ".empty")
    os.close(os.open(empty, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if os.geteuid() == 0:
        os.chown(empty, owner.st_uid, owner.st_gid)
    empty.rename(part)


def _reader(job: dict[str, Any], progress: mmap.mmap) -> int:
    import zstandard

    path = Path(job["output"])
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    answer: dict[str, Any]
    try:
        with open(fd, "wb") as raw:
            with zstandard.ZstdCompressor(level=1, write_checksum=True).stream_writer(
                raw, closefd=False
            ) as packed:
                total = read_fifos(
                    Path(job["fifo"]), Path(job["part"]) if job["part"] else None, packed, progress
                )
            raw.flush()
            os.fsync(raw.fileno())
        answer = {"dump_bytes": total}
    except (OSError, DumpFailed) as error:
        answer = {"problem": f"{path.parent}: {error.strerror}" if isinstance(error, OSError) else str(error)}
    os.write(1, (json.dumps(answer) + "\n").encode())
    return 0


def _watch(reader: int, job: dict[str, Any], progress: mmap.mmap) -> None:
    """Wait for the reader, or kill it."""
    deadline = time.monotonic() + job["seconds"]
    seen, since = b"", time.monotonic()
    while os.waitpid(reader, os.WNOHANG)[0] == 0:
        problem = ""
        now = time.monotonic()
        if progress[:8] != seen:
            seen, since = progress[:8], now
        state = Path(f"/proc/{reader}/stat").read_text().rpartition(")")[2].split()[0]
        if select.select([0], [], [], _TICK_SECONDS)[0] and not os.read(0, 1):
            problem = GONE
        elif state in "Tt":
            problem = "the reader was stopped"
        elif now > deadline:
            problem = f"it took more than {job['seconds']:g} s"
        elif now - since > job["stall_seconds"] and _bytes_wait(job):
            problem = f"the reader made no progress for {job['stall_seconds']:g} s"
        if problem:
            os.kill(reader, signal.SIGKILL)
            os.waitpid(reader, 0)
            with suppress(OSError):
                os.write(1, (json.dumps({"problem": problem}) + "\n").encode())
            return


def _release(job: dict[str, Any]) -> None:
    """Let a JVM that comes to a FIFO without its reader pass, until heapscope is done or gone.

    It would wait in ``open`` for ever; opened for both ways and closed, the FIFO gives it EPIPE.
    """
    grace = time.monotonic() + _GRACE_SECONDS
    is_listening = True
    while is_listening or time.monotonic() < grace:
        for name in (job["fifo"], job["part"]):
            with suppress(OSError, TypeError):
                os.close(os.open(name, os.O_RDWR | os.O_NONBLOCK))
        if not is_listening:
            time.sleep(0.05)
        elif select.select([0], [], [], 0.05)[0] and not os.read(0, 1):
            is_listening = False
            if not _is_awaited(job):
                return


def _is_awaited(job: dict[str, Any]) -> bool:
    """Whether heapscope ended before it had the snapshot: the JVM may still be on its way."""
    return Path(job["output"]).exists()


def _bytes_wait(job: dict[str, Any]) -> bool:
    for name in (job["fifo"], job["part"]):
        with suppress(OSError, TypeError):
            fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
            try:
                count = array.array("i", [0])
                fcntl.ioctl(fd, termios.FIONREAD, count)
                if count[0]:
                    return True
            finally:
                os.close(fd)
    return False


def main() -> None:
    """Watchdog and reader of one dump; the job is JSON in the first argument, answers are lines of JSON."""
    job = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    progress = mmap.mmap(-1, mmap.PAGESIZE)
    watchdog = os.getpid()
    reader = os.fork()
    if reader == 0:
        # If even the watchdog is killed, the reader goes with it and the JVM goes on.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os._exit(1 if os.getppid() != watchdog else _reader(job, progress))
    try:
        _watch(reader, job, progress)
    finally:
        # heapscope renames a whole dump into place; where it is gone, nothing may stay.
        _release(job)
        shutil.rmtree(Path(job["fifo"]).parent, ignore_errors=True)
        Path(job["output"]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
