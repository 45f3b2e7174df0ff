"""``heapscope collect --check``: what a dump would take, before anything is sent to the JVM."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from heapscope.cli.common.wrapping import wrapped
from heapscope.reporter.text import printable
from heapscope.units import format_bytes, format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from heapscope.collector.processes import JvmProcess


def check_process(
    process: JvmProcess,
    folder: Path | None,
    *,
    stream: bool,
    allow_sigquit: bool,
    max_pause_seconds: float,
    min_free_bytes: int | None,
) -> bool:
    """Print what a dump of a process would take; whether it would not be refused.

    Parameters
    ----------
    process, folder, stream, allow_sigquit, max_pause_seconds, min_free_bytes
        As for `heapscope.collector.preflight.expect`.
    """
    from heapscope.collector.preflight import expect
    from heapscope.collector.processes import program_of

    found = expect(
        process,
        folder,
        stream=stream,
        allow_sigquit=allow_sigquit,
        max_pause_seconds=max_pause_seconds,
        min_free_bytes=min_free_bytes,
    )
    version = f", JDK {process.jvm_version}" if process.jvm_version else ""
    heap = process.heap
    of_heap = "" if heap is None else f" (heap {format_bytes(heap.used_bytes)} used)"
    source = "at its own rate before" if found.is_measured else "at a usual rate, beside busy programs"
    lines = [
        f"process {process.pid}, {process.role or program_of(process.command) or '?'}{version}",
        f"  way      {found.way}",
        f"  dump     about {format_bytes(found.dump_bytes)}, at most {format_bytes(found.most_bytes)}"
        + of_heap,
        f"  pause    about {format_duration(found.pause_seconds)} {source}; "
        + (f"ended after {format_duration(max_pause_seconds)}" if found.can_be_ended else "cannot be ended"),
    ]
    if found.spare_bytes is not None:
        lines.append(f"  disk     {format_bytes(max(0, found.spare_bytes))} to spare")
    lines += [f"  refused  {reason}" for reason in found.refusals]
    lines += [f"  beware   {warning}" for warning in found.warnings]
    if not found.refusals and not found.warnings:
        lines.append("  nothing speaks against it")
    for line in lines:
        sys.stdout.write(wrapped(printable(line)) + "\n")
    sys.stdout.flush()
    return not found.refusals


def warn_of(
    process: JvmProcess,
    folder: Path | None,
    *,
    stream: bool,
    allow_sigquit: bool,
    max_pause_seconds: float,
    min_free_bytes: int | None,
) -> None:
    """Print what could go wrong with a later snapshot; parameters as for `check_process`."""
    from heapscope.collector.preflight import expect

    found = expect(
        process,
        folder,
        stream=stream,
        allow_sigquit=allow_sigquit,
        max_pause_seconds=max_pause_seconds,
        min_free_bytes=min_free_bytes,
    )
    for reason in found.refusals:
        sys.stderr.write(printable(f"heapscope: process {process.pid}: would be refused: {reason}") + "\n")
    for warning in found.warnings:
        sys.stderr.write(printable(f"heapscope: process {process.pid}: beware: {warning}") + "\n")
