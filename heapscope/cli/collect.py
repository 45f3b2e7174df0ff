"""``heapscope collect``: snapshots of running JVMs, once or on a schedule."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from heapscope.errors import CollectError, DumpFailed, JvmNotFound
from heapscope.reporter.text import printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.collector.processes import JvmProcess
    from heapscope.collector.voice import Method

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no duration such as 30s, 10m or 6h.", context, parameter)
    return float(match[1]) * _SECONDS[match[2] or "s"]


@click.command(short_help="Heap dumps and class histograms of running JVMs.")
@click.argument("pids", metavar="PID...", type=click.IntRange(1), nargs=-1)
@click.option("--role", metavar="NAME", help="All TensorFlow processes of this role, also new ones.")
@click.option(
    "--kind",
    type=click.Choice(["dump", "histogram"]),
    default="dump",
    show_default=True,
    help="What to take.",
)
@click.option("--live/--all", default=True, help="Reachable after a full GC, or all.  [default: live]")
@click.option("--every", callback=_duration, metavar="TIME", help="Between snapshots: 30s, 10m, 1h.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="Snapshots of each JVM.")
@click.option(
    "--method",
    type=click.Choice(["attach", "jmap", "jcmd", "embedded"]),
    help="How to ask: our client, a JDK's tool, or from inside.  [default: attach, jcmd if only that works]",
)
@click.option("--no-stream", is_flag=True, help="The JVM writes a file in its /tmp, which is then packed.")
@click.option("--allow-sigquit", is_flag=True, help="A JVM without an attach socket may get one SIGQUIT.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Made where it is missing.",
)
def collect(
    pids: tuple[int, ...],
    role: str | None,
    kind: Literal["dump", "histogram"],
    live: bool,
    every: float | None,
    count: int,
    method: Method | None,
    no_stream: bool,
    allow_sigquit: bool,
    output: Path,
) -> None:
    """Snapshots of the JVMs in processes PID..., into DIR. A dump flows from the JVM into a .hprof.zst there;
    nothing is written to the target's disk. Where that cannot work, or with --no-stream, the JVM writes a
    file, if there is room, which is packed and removed. A snapshot is whole or absent, with a JSON sidecar.

    The JVM stands still while it writes a dump; a class histogram takes a tenth of that.
    """
    if bool(pids) == bool(role):
        raise click.UsageError("Name processes by PID, or by --role, not both.")
    if count > 1 and every is None:
        raise click.UsageError("--count needs --every.")
    problem: CollectError | None = None
    start = time.monotonic()
    for place in range(count):
        if place and every is not None:
            time.sleep(max(0.0, start + place * every - time.monotonic()))
        # One process that ended or refuses must not cost the snapshots of the others.
        targets, problem = _targets(pids, role, problem)
        for process in targets:
            try:
                _collect(process, output, kind, live, method, not no_stream, allow_sigquit)
            except CollectError as error:
                sys.stderr.write(f"heapscope: {printable(str(error))}\n")
                problem = error
    if problem is not None:
        raise DumpFailed(f"{output}: not every snapshot was taken; what failed is named above")


def _targets(
    pids: tuple[int, ...], role: str | None, problem: CollectError | None
) -> tuple[list[JvmProcess], CollectError | None]:
    from heapscope.collector import processes

    if role is not None:
        found = [process for process in processes.find() if process.role == role]
        if not found:
            problem = JvmNotFound(f"no process with a JVM has the role {role!r}; see 'heapscope ps'")
            sys.stderr.write(f"heapscope: {printable(str(problem))}\n")
        return found, problem
    found = []
    for pid in pids:
        try:
            found.append(processes.get(pid))
        except JvmNotFound as error:
            sys.stderr.write(f"heapscope: {printable(str(error))}\n")
            problem = error
    return found, problem


def _collect(
    process: JvmProcess,
    output: Path,
    kind: Literal["dump", "histogram"],
    live: bool,
    method: Method | None,
    stream: bool,
    allow_sigquit: bool,
) -> None:
    from heapscope.collector.dump import collect as take

    if process.attach == "signal" and not allow_sigquit and sys.stdin.isatty() and sys.stderr.isatty():
        allow_sigquit = click.confirm(
            f"process {process.pid} has no attach socket; send it one SIGQUIT? That kills a program that "
            "handles SIGQUIT itself (-XX:+StartAttachListener makes it needless)",
            default=False,
            err=True,
        )
    taken = take(
        process,
        output,
        kind=kind,
        live=live,
        method=method,
        stream=stream,
        allow_sigquit=allow_sigquit,
        notice=lambda line: click.echo(printable(f"heapscope: {line}"), err=True),
    )
    size = format_bytes(taken.facts["file_bytes"])
    if kind == "dump":
        size += f" of {format_bytes(taken.facts['dump_bytes'])}, JVM paused about " + (
            f"{taken.facts['pause_seconds_estimate']:.2g} s"
        )
    sys.stdout.write(printable(f"{taken.path}: {size}") + "\n")
    sys.stdout.flush()
