"""A heap dump that a watchdog guards: the JVM is asked, and what the watchdog says of the dump decides."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any, Protocol

from heapscope.collector import target_folder
from heapscope.collector.attach import has_ended
from heapscope.collector.buffer import default_buffer_bytes
from heapscope.collector.channel import JvmChannel, created_seconds
from heapscope.collector.child import is_ready
from heapscope.collector.expectation import expected_dump_bytes
from heapscope.collector.holder import can_link
from heapscope.collector.job import Job
from heapscope.collector.part_file import PartFile
from heapscope.collector.processes import JvmProcess
from heapscope.collector.reader import release_openers_of
from heapscope.collector.stream import Filter
from heapscope.collector.target_user import owner_of
from heapscope.collector.watchdog import JVM_DONE, JVM_FAILED, NO_FIFO, NO_WORD, NOT_FOR_US, START_SECONDS
from heapscope.errors import CollectError, DumpFailed
from heapscope.isolated_python import isolated_code, isolated_python

STALL_SECONDS = 10.0
WATCHDOG = isolated_python("heapscope.collector.watchdog")
_END_SECONDS = 60.0
# Removes a folder; whoever waits for it leaves it behind where the target's disk hangs.
_REMOVE = isolated_code("import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)")
_DISK_SECONDS = 5.0
# After the pause that is allowed HotSpot still walks the rest of the heap: it gets so much longer to answer.
_ANSWER_SECONDS = 60.0
# The file of file mode cannot be ended from outside.
_FILE_SECONDS = 900.0
# The watchdog sees to it that a writer goes on; compressing a large dump beside busy programs takes its time.
_PACK_SECONDS = 86400.0
# A process that is killed takes a while to give back the memory of a large heap.
_ENDING_SECONDS = 1.0
_FIRST_RELEASE_TO_SPLIT = 22
# What HotSpotDiagnosticMXBean writes has to end like this.
_NAME = "dump.hprof"


class DumpOptions(Protocol):
    """What a dump needs to know of `heapscope.collector.dump.SnapshotOptions`."""

    @property
    def live(self) -> bool: ...
    @property
    def through(self) -> Filter | None: ...
    @property
    def into(self) -> Filter | None: ...
    @property
    def max_pause_seconds(self) -> float: ...
    @property
    def buffer_bytes(self) -> int | None: ...
    @property
    def min_free_bytes(self) -> int | None: ...


class NoFifoError(DumpFailed):
    """The file system does not support FIFOs; the JVM was not asked."""


def dump_through_watchdog(
    process: JvmProcess,
    channel: JvmChannel,
    output: PartFile,
    options: DumpOptions,
    facts: Mapping[str, Any],
    *,
    is_streamed: bool,
) -> dict[str, Any]:
    """Have a JVM dump its heap into ``output``, which gets its name when it is whole.

    Parameters
    ----------
    process : JvmProcess
    channel : JvmChannel
    output : PartFile
    options : SnapshotOptions
    facts : mapping
        What is known of the process, for ``options.into``.
    is_streamed : bool
        Through a FIFO; else the JVM writes a file.

    Returns
    -------
    dict
        ``mode``, ``way``, ``dump_bytes`` and ``pause_seconds_estimate``, for the sidecar; ``answer`` where
        there are ``options.into``.

    Raises
    ------
    NoFifoError
        The JVM was not asked.
    CollectError
        It was not asked, or refuses.
    DumpFailed
        The dump is not whole; nothing of it is left.
    """
    owner = owner_of(process.pid).to_act_as
    ours = target_folder.folder_name(secrets.token_hex(4))
    is_split = channel.release >= _FIRST_RELEASE_TO_SPLIT
    with ExitStack() as stack:
        folder, root = (
            ("/tmp", target_folder.open_root(process, "/tmp"))
            if is_streamed
            else target_folder.room_for_file(process, channel.release, options.min_free_bytes)
        )
        stack.callback(os.close, root)
        facts_fd = -1
        if options.into is not None:
            # Not on a command line, which everybody may read, and which has an end.
            facts_fd = os.memfd_create("heapscope-facts")
            stack.callback(os.close, facts_fd)
            os.write(facts_fd, json.dumps(facts).encode())
        job = Job(
            root=root,
            folder=ours,
            name=_NAME,
            is_streamed=is_streamed,
            is_split=is_split,
            is_linked=is_streamed and can_link(process.pid),
            owner=owner,
            output=str(output.part.absolute()),
            output_fd=output.fd,
            output_folder_fd=output.folder_fd,
            seconds=options.max_pause_seconds,
            stall_seconds=STALL_SECONDS,
            buffer_bytes=default_buffer_bytes() if options.buffer_bytes is None else options.buffer_bytes,
            min_free_bytes=options.min_free_bytes,
            expected_bytes=expected_dump_bytes(process),
            through=options.through,
            into=options.into,
            facts_fd=facts_fd,
        )
        watchdog = stack.enter_context(_watchdog(job))
        _wait_until_ready(process, watchdog)
        words = [
            *(["-overwrite"] if is_streamed else []),
            *(["-parallel=1"] if is_split else []),
            *([] if options.live else ["-all"]),
        ]
        command = " ".join(["GC.heap_dump", *words, f"{folder}/{ours}/{_NAME}"])
        clock = time.monotonic()
        limit = options.max_pause_seconds + _ANSWER_SECONDS if is_streamed else _FILE_SECONDS
        try:
            with _released_if_alone(watchdog, job):
                said = channel.ask(command, limit)
        except CollectError as error:
            raise _why_no_answer(process, watchdog, output, error) from None
        asked = time.monotonic() - clock
        pause = created_seconds(said)
        answer: dict[str, Any] = {}
        if is_streamed or pause is not None:
            # A reader may still wait for a JVM that failed before it came to the FIFO.
            answer = _final_answer(watchdog, JVM_DONE if pause is not None else JVM_FAILED, output)
        problem = str(answer.get("problem", ""))
        if pause is None and problem in ("", NO_WORD):
            if _ends(process):
                raise _ended(process)
            problem = " ".join(said.split())[-300:] or "the JVM said nothing"
        if problem or pause is None:
            raise DumpFailed(f"process {process.pid}: {problem}; no snapshot was kept, the JVM goes on")
        output.keep()
        return {
            "mode": "stream" if is_streamed else "file",
            "way": answer["way"],
            "dump_bytes": answer["dump_bytes"],
            "pause_seconds_estimate": pause or round(asked, 3),
            **({"answer": answer["answer"]} if options.into is not None else {}),
        }


def _why_no_answer(
    process: JvmProcess, watchdog: subprocess.Popen[bytes], output: PartFile, error: CollectError
) -> CollectError:
    """What to say where the JVM did not answer: that it has ended, or why the watchdog ended the dump."""
    problem = str(_final_answer(watchdog, JVM_FAILED, output).get("problem", NO_WORD))
    if has_ended(process):
        return _ended(process)
    if problem == NO_WORD:
        return error
    return DumpFailed(f"process {process.pid}: {problem}; no snapshot was kept ({error})")


def _ends(process: JvmProcess) -> bool:
    """Whether a process ends: its connections are closed a moment before it is seen to have ended."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        return True
    try:
        return is_ready(pidfd, _ENDING_SECONDS) or has_ended(process)
    finally:
        os.close(pidfd)


def _ended(process: JvmProcess) -> DumpFailed:
    return DumpFailed(
        f"process {process.pid}: it ended while its heap was dumped, killed or by itself; "
        "no snapshot was kept"
    )


@contextmanager
def _watchdog(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """The watchdog of a dump, started; it ends when its pipes are closed."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_US)
    try:
        watchdog = subprocess.Popen(
            [*WATCHDOG, job.to_json()],
            bufsize=0,  # what a buffer has read already, `select` does not see
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[
                job.root,
                job.output_fd,
                job.output_folder_fd,
                *([] if job.facts_fd < 0 else [job.facts_fd]),
            ],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield watchdog
    finally:
        for pipe in (watchdog.stdin, watchdog.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            watchdog.wait(_END_SECONDS)
        if watchdog.returncode:  # it was killed, or could not: nobody else removes it
            with suppress(subprocess.TimeoutExpired, OSError):
                subprocess.Popen([*_REMOVE, str(job.inside)], pass_fds=[job.root]).wait(_DISK_SECONDS)


@contextmanager
def _released_if_alone(watchdog: subprocess.Popen[bytes], job: Job) -> Iterator[None]:
    """Release the JVM from here for as long as it is asked, if the watchdog is killed.

    Its reader has ended with it; a JVM that opens a FIFO only then would wait for ever, and all its threads
    with it.
    """
    is_answered = threading.Event()

    def guard() -> None:
        pidfd = os.pidfd_open(watchdog.pid)
        try:
            while not is_answered.wait(0.05):
                if is_ready(pidfd, 0):
                    release_openers_of(job.fifos)
        finally:
            os.close(pidfd)

    if not job.is_streamed:
        yield
        return
    thread = threading.Thread(target=guard, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_answered.set()
        thread.join(_DISK_SECONDS)


def _wait_until_ready(process: JvmProcess, watchdog: subprocess.Popen[bytes]) -> None:
    said = _line(watchdog.stdout, START_SECONDS)
    if said == "ready":
        return
    answer = json.loads(said) if said.startswith("{") else {}
    if answer.get("problem") == NO_FIFO:
        raise NoFifoError(str(answer.get("reason")))
    raise CollectError(
        f"process {process.pid}: {answer.get('problem', 'the reader did not start')}; the JVM was not asked"
    )


def _final_answer(watchdog: subprocess.Popen[bytes], message: bytes, output: PartFile) -> dict[str, Any]:
    """Tell the watchdog whether the JVM has written its dump; the watchdog's answer."""
    assert watchdog.stdin is not None
    with suppress(OSError):
        watchdog.stdin.write(message)
        watchdog.stdin.flush()
    said = _line(watchdog.stdout, _PACK_SECONDS)
    found: dict[str, Any] = json.loads(said or '{"problem": "the watchdog was killed"}')
    if found.get("is_hung"):
        # Whoever touches its name now hangs as well; a process that the watchdog leaves behind removes it.
        output.leave()
    return found


def _line(pipe: IO[bytes] | None, seconds: float) -> str:
    """The next line, which is written at once; empty where none comes in time."""
    if pipe is None or not is_ready(pipe.fileno(), seconds):
        return ""
    return pipe.readline().decode().strip()
