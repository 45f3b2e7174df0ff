"""A look at a process before a snapshot is taken of it: nothing is sent to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from heapscope.collector import target_folder
from heapscope.collector.disk import Disk
from heapscope.collector.expectation import (
    Expectation,
    existing_folder,
    expected_dump_bytes,
    expected_pause_seconds,
    longer_pause,
    measured_rate,
)
from heapscope.collector.holder import can_link
from heapscope.collector.processes import JvmProcess, survives_broken_pipe
from heapscope.errors import CollectError
from heapscope.units import format_bytes, format_duration

_FIRST_RELEASE_TO_STREAM = 11
# It opens its FIFOs when all of its threads stand still.
_FIRST_RELEASE_TO_SPLIT = 22
# A compressed dump takes a third to a half of its bytes (measured on heaps of random bytes, the worst kind).
_COMPRESSED_SHARE = 0.5


def expect(
    process: JvmProcess,
    folder: Path | None,
    *,
    stream: bool = True,
    allow_sigquit: bool = False,
    max_pause_seconds: float,
    min_free_bytes: int | None = None,
) -> Expectation:
    """What a dump of a process would take, and what could go wrong.

    Parameters
    ----------
    process : JvmProcess
    folder : Path or None
        Where the snapshot would go; it need not be there yet.
    stream, allow_sigquit, max_pause_seconds, min_free_bytes
        As for `heapscope.collector.dump.collect`.
    """
    release = process.release
    refusals, warnings = _attaching(process, allow_sigquit)
    why_file = _why_file(process, release, stream)
    if not why_file and not 0 < release < _FIRST_RELEASE_TO_SPLIT and not can_link(process.pid):
        warnings.append(
            "it has pids, users or powers of its own: if all of heapscope is killed at once by SIGKILL "
            "before it opens its pipe, it stands still until heapscope watch looks at it, or the next "
            "collect of it"
        )
    way = "through a pipe" if not why_file else f"as a file in its /tmp or /var/tmp ({why_file})"
    if why_file:
        refusals += _room_in_target(process, release, min_free_bytes)
    rate = None if folder is None else measured_rate(process, folder)
    pause = expected_pause_seconds(process, release, rate)
    most = expected_dump_bytes(process)
    likely = min(most, int(1.45 * process.heap.used_bytes)) if process.heap else most
    if process.heap is None:
        warnings.append("its heap's size is not known (no hsperfdata): sizes follow from its resident memory")
    if pause > max_pause_seconds:
        limit = format_duration(max_pause_seconds)
        (refusals if why_file else warnings).append(
            f"it may stand still for longer than {limit}: "
            + (
                "a dump to a file cannot be ended"
                if why_file
                else "the dump is then ended and nothing is kept"
            )
            + f"; {longer_pause(pause)}"
        )
    spare = None
    if folder is not None:
        spare, words = _room(folder, likely, min_free_bytes)
        warnings += words
    return Expectation(
        way,
        not why_file,
        likely,
        most,
        pause,
        rate is not None,
        spare,
        tuple(refusals),
        tuple(warnings),
    )


def _attaching(process: JvmProcess, allow_sigquit: bool) -> tuple[list[str], list[str]]:
    if process.attach == "no":
        return [process.attach_reason], []
    if process.attach == "signal":
        return ([], [process.attach_reason]) if allow_sigquit else ([process.attach_reason], [])
    return [], []


def _why_file(process: JvmProcess, release: int, stream: bool) -> str:
    if not stream:
        return "--no-stream"
    if 0 < release < _FIRST_RELEASE_TO_STREAM:
        return f"JDK {release} cannot write into a pipe"
    return "" if survives_broken_pipe(process) else "it would not survive a SIGPIPE"


def _room_in_target(process: JvmProcess, release: int, min_free_bytes: int | None) -> list[str]:
    try:
        _, fd = target_folder.room_for_file(process, release, min_free_bytes)
    except CollectError as error:
        return [str(error).removeprefix(f"process {process.pid}: ")]
    os.close(fd)
    return []


def _room(folder: Path, dump_bytes: int, min_free_bytes: int | None) -> tuple[int | None, Sequence[str]]:
    place = existing_folder(folder)
    with suppress(OSError):
        fd = os.open(place, os.O_RDONLY)
        try:
            disk = Disk(place, fd, min_free_bytes)
            spare = disk.left_bytes()
        finally:
            os.close(fd)
        need = int(_COMPRESSED_SHARE * dump_bytes)
        if spare < need:
            return spare, [
                f"{place} has {format_bytes(max(0, spare))} to spare beside the "
                f"{format_bytes(disk.min_free_bytes)} that stay free; the dump may need {format_bytes(need)}"
            ]
        return spare, []
    return None, [f"{place} cannot be looked at"]
