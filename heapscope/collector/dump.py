"""One safe snapshot of a JVM: a heap dump into a ``.hprof.zst``, a class histogram, or a verdict without a
dump.

A snapshot appears under its name when it is whole, with a JSON sidecar beside it, or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from heapscope.collector import target_folder
from heapscope.collector.channel import JvmChannel, Method, open_channel
from heapscope.collector.expectation import expected_pause_seconds, longer_pause
from heapscope.collector.part_file import PartFile, open_part, sweep_parts
from heapscope.collector.processes import JvmProcess, find, get, survives_broken_pipe
from heapscope.collector.sidecar import jvm_options, sidecar_facts
from heapscope.collector.stream import Filter
from heapscope.collector.watched_dump import NoFifoError, dump_through_watchdog
from heapscope.errors import (
    AttachRefused,
    AttachTimeout,
    CollectError,
    DumpFailed,
    OutputExists,
    OutputFailed,
)
from heapscope.files import new_file
from heapscope.units import format_duration

# A pause that a service survives.
MAX_PAUSE_SECONDS = 30.0
# A class histogram takes so much of the time of a dump (1.38 GB: 3.1 of 9.7 s on 17, 2.2 of 5.1 s on 25).
_HISTOGRAM_SHARE = 0.45
_FIRST_RELEASE_TO_STREAM = 11
Kind = Literal["dump", "histogram", "verdict"]
FileKind = Literal["dump", "histogram"]
_HISTOGRAM = "histogram.txt"
_SUFFIXES: dict[Kind, str] = {"dump": "hprof.zst", "histogram": _HISTOGRAM, "verdict": _HISTOGRAM}
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Collected:
    """A snapshot that was taken: its file, its sidecar, and what the sidecar says; of a verdict also that."""

    path: Path
    sidecar: Path
    facts: dict[str, Any]
    verdict: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All of them, the snapshot last."""
        return [*([] if self.verdict is None else [self.verdict]), self.sidecar, self.path]


def ignore_notice(message: str) -> None:
    """Drop a notice: what `collect` does where the caller does not listen."""


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """What kind of snapshot is taken, and how.

    Attributes
    ----------
    kind : {"dump", "histogram", "verdict"}
    live : bool
        Only what is reachable, after a full collection; else all objects.
    stream : bool
        Whether a dump may flow through a FIFO.
    through : Filter or None
        What a dump flows through on its way: what it takes out is on no disk, so there is no file mode then.
    into : Filter or None
        What takes in the dump of a verdict.
    max_pause_seconds : float
        A dump that makes the JVM stand still for longer is ended; a class histogram is waited for so long.
    buffer_bytes : int or None
        Memory for the dump before it is written; None for `default_buffer_bytes`.
    min_free_bytes : int or None
        What stays free on the output's disk; None for a tenth of it, 1 GiB at most.
    notice : callable (str) -> None
        Told, in one line, when another way than the usual one is taken.
    work_count : int or None
        Operations that the process has done so far, for the sidecar.
    """

    kind: Kind = "dump"
    live: bool = True
    stream: bool = True
    through: Filter | None = None
    into: Filter | None = None
    max_pause_seconds: float = MAX_PAUSE_SECONDS
    buffer_bytes: int | None = None
    min_free_bytes: int | None = None
    notice: Notice = ignore_notice
    work_count: int | None = None


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
    into: Filter | None = None,
    max_pause_seconds: float = MAX_PAUSE_SECONDS,
    buffer_bytes: int | None = None,
    min_free_bytes: int | None = None,
    notice: Notice = ignore_notice,
    work_count: int | None = None,
) -> Collected:
    """Take one snapshot of a JVM into ``folder``, which is made (0700) where it is missing.

    Parameters
    ----------
    process : JvmProcess
        As it was found; a later process with its pid is refused.
    folder : Path
        Where the snapshot and its sidecar go.
    kind : {"dump", "histogram", "verdict"}
        A heap dump, the cheaper class histogram, or what a dump says without the dump: a class histogram and
        a verdict in JSON.
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
    into : Filter, optional
        What takes in the dump of a verdict and answers: `heapscope.collector.answerer.Work`.  Its options get
        the ``name`` of the snapshot and the ``folder``.
    max_pause_seconds : float
        A dump that makes the JVM stand still for longer is ended, the JVM goes on.  A class histogram cannot
        be ended: it is waited for so long, and then nothing is kept.
    buffer_bytes : int, optional
        Memory for the dump before it is written; by default 1 GiB, an eighth of what is free at most.
    min_free_bytes : int, optional
        What stays free on the disk of ``folder``; by default a tenth of it, 1 GiB at most.
    notice : callable (str) -> None
        Told, in one line, when another way than the usual one is taken.
    work_count : int, optional
        Operations that the process has done so far; rates are per operation where all sidecars have it.

    Raises
    ------
    AttachRefused, AttachTimeout
        As for `heapscope.collector.attach.jcmd`.
    CollectError
        The method cannot be used, or the dump cannot be streamed though it has to be.
    DumpFailed
        The snapshot is not whole; nothing of it is left.
    OSError
        ``folder`` cannot be made or written to.
    """

    def channel() -> JvmChannel:
        return open_channel(process, method, allow_sigquit=allow_sigquit, notice=notice)

    options = SnapshotOptions(
        kind=kind,
        live=live,
        stream=stream,
        through=through,
        into=into,
        max_pause_seconds=max_pause_seconds,
        buffer_bytes=buffer_bytes,
        min_free_bytes=min_free_bytes,
        notice=notice,
        work_count=work_count,
    )
    return take(process, folder, channel, options)


def take(
    process: JvmProcess, folder: Path, channel_of: Callable[[], JvmChannel], options: SnapshotOptions
) -> Collected:
    """`collect` through a channel that is opened under the lock of the JVM.

    Parameters
    ----------
    process : JvmProcess
    folder : Path
        Where the snapshot and its sidecar go.
    channel_of : callable () -> JvmChannel
        Called once, when no other heapscope takes a snapshot of this JVM.
    options : SnapshotOptions

    Raises
    ------
    CollectError
        As for `collect`, and what ``channel_of`` raises.
    OSError
        ``folder`` cannot be made or written to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(process):
        if target_folder.sweep([process]):
            options.notice(
                f"process {process.pid}: removed what a killed heapscope left in its /tmp; a JVM that stood "
                "still there goes on"
            )
        sweep_parts(folder, tuple(_SUFFIXES.values()))
        channel = channel_of()
        before, started = get(process.pid), datetime.now(UTC)
        name = f"{_label(process)}.{started:%Y%m%dT%H%M%S.%fZ}"
        path = folder / f"{name}.{_SUFFIXES[options.kind]}"
        known = {
            "captured_at": started.isoformat(),
            "kind": options.kind,
            "method": channel.method,
            "live": options.live,
            "redacted": options.through is not None and options.kind == "dump",
            "host": socket.gethostname(),
            **({} if options.work_count is None else {"work_count": options.work_count}),
        }
        options_of_jvm = jvm_options(channel)
        clock = time.monotonic()
        with open_part(path) as output:
            if options.kind == "histogram":
                found = _histogram(before, channel, output, options)
            elif options.kind == "verdict":
                so_far = {**known, **sidecar_facts(before, None), "jvm_options": options_of_jvm}
                found = _verdict(before, channel, output, options, name, so_far)
            else:
                found = _dump(before, channel, output, options)
        elapsed = time.monotonic() - clock
        # It may have ended since, or be a zombie; the snapshot is whole all the same.
        after = next((p for p in find([process.pid]) if p.start_ticks == process.start_ticks), None)
    answer = found.pop("answer", None)
    facts = {
        **known,
        "elapsed_seconds": round(elapsed, 3),
        "file_bytes": path.stat().st_size,
        **found,
        **sidecar_facts(before, after),
        "jvm_options": options_of_jvm,
    }
    verdict = None if answer is None else folder / f"{name}.verdict.json"
    taken = Collected(path, path.with_name(path.name + ".json"), facts, verdict)
    written = [path]
    try:
        if verdict is not None:
            _write_json(verdict, answer)
            written.append(verdict)
        _write_json(taken.sidecar, facts)
    except (OutputExists, OutputFailed) as error:
        for each in written:
            each.unlink(missing_ok=True)  # without all of them nobody knows what the snapshot is of
        raise DumpFailed(f"{error}; no snapshot was kept") from None
    return taken


def _write_json(path: Path, facts: object) -> None:
    with new_file(path) as file:
        file.write(json.dumps(facts, indent=2).encode())


def _label(process: JvmProcess) -> str:
    role = process.role or "jvm"
    return (
        f"{role}-{process.task_index}.{process.pid}"
        if process.task_index is not None
        else f"{role}.{process.pid}"
    )


def _lock(process: JvmProcess) -> BinaryIO:
    """A lock for one snapshot at a time per JVM, free as soon as its holder ends.

    It lies on the process's own ``/proc/PID/maps``: whatever the network or mount namespace, and nobody who
    may not look into the process can take it.
    """
    path = Path(f"/proc/{process.pid}/maps")
    try:
        lock = path.open("rb", buffering=0)
    except OSError as error:
        raise AttachRefused(f"process {process.pid}: {path}: {error.strerror}; has it ended?") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise CollectError(
            f"process {process.pid}: another heapscope is taking a snapshot of it; wait for it"
        ) from None
    return lock


def _histogram(
    process: JvmProcess, channel: JvmChannel, output: PartFile, options: SnapshotOptions
) -> dict[str, Any]:
    limit = options.max_pause_seconds
    expected = _HISTOGRAM_SHARE * expected_pause_seconds(process, channel.release)
    if expected > limit:
        options.notice(
            f"process {process.pid}: its class histogram may take {format_duration(expected)}, and is waited "
            f"for {format_duration(limit)} (--max-pause)"
        )
    clock = time.monotonic()
    try:
        text = channel.ask("GC.class_histogram" + ("" if options.live else " -all"), limit)
    except AttachTimeout as error:
        raise AttachTimeout(
            f"{error}, or pass --max-pause to wait for longer; no snapshot was kept, and a JVM that counts "
            "cannot be told to end"
        ) from None
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
    process: JvmProcess, channel: JvmChannel, output: PartFile, options: SnapshotOptions
) -> dict[str, Any]:
    """Through a FIFO if that can work, else as a file."""
    why = why_no_stream(process, channel) if options.stream else ""
    if options.stream and not why:
        _warn_of_pause(process, channel, options)
        try:
            return dump_through_watchdog(process, channel, output, options, {}, is_streamed=True)
        except NoFifoError as error:
            why = f"no FIFO can be made in its /tmp ({error})"
    if options.through is not None:
        raise CollectError(
            f"process {process.pid}: its dump cannot be streamed ({why or 'as told'}), and as a file it "
            "would hold what is to be taken out; collect it without that and redact the file"
        )
    pause = expected_pause_seconds(process, channel.release)
    if pause > options.max_pause_seconds:
        raise CollectError(
            f"process {process.pid}: its dump may take {format_duration(pause)}, and one that is written as "
            f"a file{f' ({why})' if why else ''} cannot be ended; "
            f"{longer_pause(pause)}"
        )
    if why:
        options.notice(f"process {process.pid}: its dump is written as a file and then packed: {why}")
    return dump_through_watchdog(process, channel, output, options, {}, is_streamed=False)


def _verdict(
    process: JvmProcess,
    channel: JvmChannel,
    output: PartFile,
    options: SnapshotOptions,
    name: str,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Through a FIFO, or not at all: as a file the dump would be on a disk."""
    if options.into is None:
        raise CollectError(f"process {process.pid}: nothing was named that takes in its dump")
    why = why_no_stream(process, channel) if options.stream else "as told"
    if not why:
        _warn_of_pause(process, channel, options)
        about = {"name": name, "folder": str(output.path.parent)}
        into = replace(options.into, options={**options.into.options, **about})
        try:
            return dump_through_watchdog(
                process, channel, output, replace(options, into=into), facts, is_streamed=True
            )
        except NoFifoError as error:
            why = f"no FIFO can be made in its /tmp ({error})"
    raise CollectError(
        f"process {process.pid}: its dump cannot be streamed ({why}), and as a file it would be on a disk; "
        "collect it with --kind dump, or --kind histogram"
    )


def _warn_of_pause(process: JvmProcess, channel: JvmChannel, options: SnapshotOptions) -> None:
    pause = expected_pause_seconds(process, channel.release)
    if pause > options.max_pause_seconds:
        options.notice(
            f"process {process.pid}: its dump may take {format_duration(pause)} and is ended after "
            f"{format_duration(options.max_pause_seconds)} (--max-pause)"
        )


def why_no_stream(process: JvmProcess, channel: JvmChannel) -> str:
    """Why a JVM cannot dump into a FIFO; empty where it can."""
    if channel.why_no_stream:
        return channel.why_no_stream
    if channel.release < _FIRST_RELEASE_TO_STREAM:
        return f"JDK {channel.release} cannot write into a FIFO"
    if not survives_broken_pipe(process):
        return "it would not survive a SIGPIPE if the reader died"
    return ""
