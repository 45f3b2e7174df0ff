"""``heapscope collect``: snapshots of running JVMs, once, on a schedule, or when memory says so."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from heapscope.cli.common.arguments import size_of_option
from heapscope.cli.common.durations import duration
from heapscope.cli.common.exit_codes import FOUND
from heapscope.collector.remote import RemoteFolder, is_remote, local_folder
from heapscope.errors import CollectError, DumpFailed, JvmNotFound
from heapscope.reporter.text import printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.collector.channel import Method
    from heapscope.collector.processes import JvmProcess


# Named, not imported: the process that reads the dump imports it.
_REDACTOR = "heapscope.parser.redaction.redact:stream_filter"
_JUDGE = "heapscope.reporter.stream_verdict:stream_verdict"
_Kind = Literal["dump", "histogram", "verdict"]
_NAMES: dict[_Kind, str] = {"dump": "heap dump", "histogram": "class histogram", "verdict": "verdict"}


@dataclass(frozen=True, slots=True)
class _Settings:
    """How snapshots are taken, and where they go."""

    output: Path
    remote: RemoteFolder | None
    kind: _Kind
    live: bool
    method: Method | None
    stream: bool
    allow_sigquit: bool
    redact: bool
    work_count: int | None
    max_pause_seconds: float
    buffer_bytes: int | None
    min_free_bytes: int | None
    memory_bytes: int | None
    keep: int | None
    max_bytes: int | None
    then: str | None


@click.command()
@click.argument("pids", metavar="PID...", type=click.IntRange(1), nargs=-1)
@click.option("--role", metavar="NAME", help="All TensorFlow processes of this role, also new ones.")
@click.option(
    "--kind",
    type=click.Choice(["dump", "histogram", "verdict"]),
    default="dump",
    show_default=True,
    help="What to take. A verdict is what a dump says, and no dump: a class histogram and a diagnosis, and "
    "nothing of the heap gets on a disk.",
)
@click.option("--live/--all", default=True, help="Reachable after a full GC, or all.  [default: live]")
@click.option("--every", callback=duration, metavar="TIME", help="Between snapshots: 30s, 10m, 1h.")
@click.option(
    "--count", type=click.IntRange(1), help="Snapshots of each JVM.  [default: 1; 3 with --trigger]"
)
@click.option(
    "--trigger",
    "triggers",
    metavar="CONDITION",
    multiple=True,
    help="Watch, and collect when 'rss>8G' or 'old-growth>200M/h': a class histogram first, dumps after, "
    "--every 1m at most. Repeatable.",
)
@click.option("--for", "seconds", callback=duration, metavar="TIME", help="With --trigger: watch so long.")
@click.option(
    "--method",
    type=click.Choice(["attach", "jmap", "jcmd", "embedded"]),
    help="How to ask: our client, a JDK's tool, or from inside.  [default: attach, jcmd if only that works]",
)
@click.option("--no-stream", is_flag=True, help="The JVM writes a file in its /tmp, which is then packed.")
@click.option(
    "--redact", is_flag=True, help="Take values out of dumps in the stream: no secret gets on a disk."
)
@click.option(
    "--work",
    "work_count",
    metavar="N",
    type=click.IntRange(0),
    help="Operations that the processes have done so far; growth is then judged per operation.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Take nothing: say what a dump would take, and what could go wrong. Nothing is sent to the JVM.",
)
@click.option(
    "--max-pause",
    "max_pause_seconds",
    callback=duration,
    metavar="TIME",
    default="30s",
    show_default=True,
    help="End a streamed dump that makes the JVM stand still for longer; wait so long for a class histogram.",
)
@click.option(
    "--buffer",
    "buffer_bytes",
    callback=size_of_option,
    metavar="SIZE",
    help="Memory for a dump on its way.  [default: 1G, an eighth of what is free at most]",
)
@click.option(
    "--min-free",
    "min_free_bytes",
    callback=size_of_option,
    metavar="SIZE",
    help="Leave so much of the disk free.  [default: a tenth of it, 1G at most]",
)
@click.option(
    "--memory",
    "memory_bytes",
    callback=size_of_option,
    metavar="SIZE",
    help="With --kind verdict: for the dump and its analysis; where it does not fit there is only the class "
    "histogram.  [default: a quarter of what is free, 4G at most]",
)
@click.option("--keep", metavar="N", type=click.IntRange(1), help="The newest N of each JVM stay in DIR.")
@click.option(
    "--max-bytes",
    "max_bytes",
    callback=size_of_option,
    metavar="SIZE",
    help="The oldest snapshots in DIR go when all together take more.",
)
@click.option(
    "--then",
    metavar="COMMAND",
    help="Run by sh after each snapshot; HEAPSCOPE_SNAPSHOT and HEAPSCOPE_SIDECAR name its files.",
)
@click.option("--allow-sigquit", is_flag=True, help="A JVM without an attach socket may get one SIGQUIT.")
@click.option(
    "-o",
    "--output",
    metavar="DIR|URL",
    type=click.Path(file_okay=False),
    help="Made where it is missing; s3://bucket/prefix and the like with the extra 'remote'.  "
    "[required, but for --check]",
)
def collect(
    pids: tuple[int, ...],
    role: str | None,
    kind: _Kind,
    live: bool,
    every: float | None,
    count: int | None,
    triggers: tuple[str, ...],
    seconds: float | None,
    method: Method | None,
    no_stream: bool,
    redact: bool,
    work_count: int | None,
    check: bool,
    max_pause_seconds: float,
    buffer_bytes: int | None,
    min_free_bytes: int | None,
    memory_bytes: int | None,
    keep: int | None,
    max_bytes: int | None,
    then: str | None,
    allow_sigquit: bool,
    output: str | None,
) -> None:
    """Snapshots of the JVMs in processes PID..., into DIR. A dump flows from the JVM into a .hprof.zst there;
    nothing is written to the target's disk. Where that cannot work, or with --no-stream, the JVM writes a
    file, if there is room, which is packed and removed. A snapshot is whole or absent, with a JSON sidecar.

    The JVM stands still while it writes a dump, for --max-pause at most; a class histogram takes a third
    to a half of the time of a dump. --check says beforehand how long it may take.

    \b
    heapscope collect 4711 --every 10m --count 4 -o dumps
    heapscope collect --role worker --trigger 'rss>8G' -o dumps
    """
    if not pids and role is None:
        raise click.UsageError("No process is named: give a PID ('heapscope ps' lists them), or --role NAME.")
    if pids and role is not None:
        raise click.UsageError("Name processes by PID, or by --role, not both.")
    if check:
        is_elsewhere = output is None or is_remote(output) or kind == "verdict"
        place = None if is_elsewhere or output is None else local_folder(output)
        _check(pids, role, place, not no_stream, allow_sigquit, max_pause_seconds, min_free_bytes)
        return
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    if is_remote(output) and (keep is not None or max_bytes is not None):
        raise click.UsageError("--keep and --max-bytes are for a folder here; an object store has rules.")
    if seconds is not None and not triggers:
        raise click.UsageError("--for needs --trigger.")
    if work_count is not None and (triggers or (count or 1) > 1):
        raise click.UsageError(
            "--work is the count of one moment: it goes with one snapshot of each process."
        )
    if redact and no_stream:
        raise click.UsageError("--redact works in a stream: the file of --no-stream would hold the secrets.")
    if kind == "verdict" and (no_stream or redact):
        raise click.UsageError(
            "--kind verdict works in a stream, and keeps nothing of the dump: it goes without "
            + ("--no-stream." if no_stream else "--redact.")
        )
    if memory_bytes is not None and kind != "verdict":
        raise click.UsageError("--memory goes with --kind verdict.")
    if not triggers and count is not None and count > 1 and every is None:
        raise click.UsageError("--count needs --every.")
    if not triggers and every is not None and count is None:
        raise click.UsageError("--every needs --count: how many snapshots to take.")
    remote = _remote(output) if is_remote(output) else None
    settings = _Settings(
        output=local_folder(output)
        if remote is None
        else Path(tempfile.mkdtemp(prefix="heapscope-to-send-")),
        remote=remote,
        kind=kind,
        live=live,
        method=method,
        stream=not no_stream,
        allow_sigquit=allow_sigquit,
        redact=redact,
        work_count=work_count,
        max_pause_seconds=max_pause_seconds,
        buffer_bytes=buffer_bytes,
        min_free_bytes=min_free_bytes,
        memory_bytes=memory_bytes,
        keep=keep,
        max_bytes=max_bytes,
        then=then,
    )
    try:
        if triggers:
            problem = _collect_when(triggers, pids, role, every, count, seconds, settings)
        else:
            problem = _collect_at(pids, role, every, count or 1, settings)
    finally:
        if remote is not None:
            with suppress(OSError):  # what could not be sent stays
                settings.output.rmdir()
    if problem is not None:
        raise DumpFailed(f"{output}: not all went well; what failed is named above")


def _remote(output: str) -> RemoteFolder:
    if output.startswith("memory:"):
        raise click.UsageError("memory:// ends with this program, and what is in it: name another store.")
    remote = RemoteFolder(output)
    remote.check()
    # Who is asked to end while a snapshot is being sent removes what was sent, and says what stays.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    return remote


def _check(
    pids: tuple[int, ...],
    role: str | None,
    output: Path | None,
    stream: bool,
    allow_sigquit: bool,
    max_pause_seconds: float,
    min_free_bytes: int | None,
) -> None:
    from heapscope.cli.collect_check import check_process

    targets, problem = _targets(pids, role, None)
    is_fine = True
    for process in targets:
        is_fine &= check_process(
            process,
            output,
            stream=stream,
            allow_sigquit=allow_sigquit,
            max_pause_seconds=max_pause_seconds,
            min_free_bytes=min_free_bytes,
        )
    if problem is not None:
        raise JvmNotFound("not every process was found; the lines above name those that were not")
    if not is_fine:
        raise click.exceptions.Exit(FOUND)


def _collect_at(
    pids: tuple[int, ...], role: str | None, every: float | None, count: int, settings: _Settings
) -> CollectError | None:
    from heapscope.collector.processes import is_running

    problem: CollectError | None = None
    start = time.monotonic()
    for number in range(count):
        if number and every is not None:
            time.sleep(max(0.0, start + number * every - time.monotonic()))
        # One process that ended or refuses must not cost the snapshots of the others.
        targets, problem = _targets(pids, role, problem)
        for process in targets:
            try:
                _collect(process, settings)
            except CollectError as error:
                reported = _report(error)
                # Of a role, workers come and go.
                problem = reported if role is None or is_running(process) else problem
    return problem


def _collect_when(
    triggers: tuple[str, ...],
    pids: tuple[int, ...],
    role: str | None,
    every: float | None,
    count: int | None,
    seconds: float | None,
    settings: _Settings,
) -> CollectError | None:
    from heapscope.cli.triggered import DEFAULT_COUNT, DEFAULT_EVERY, collect_when
    from heapscope.collector.trigger import parse_trigger

    try:
        parsed = [parse_trigger(text) for text in triggers]
    except CollectError as error:
        raise click.BadOptionUsage("trigger", f"--trigger: {error}") from None

    def take(process: JvmProcess, due: Literal["dump", "histogram"]) -> None:
        # Nobody may be at the terminal any more to answer a question.
        kind = "histogram" if due == "histogram" else settings.kind
        _collect(process, replace(settings, kind=kind), may_ask=False)

    def arm(process: JvmProcess) -> None:
        from heapscope.cli.collect_check import warn_of

        warn_of(
            process,
            None if settings.kind == "verdict" else settings.output,  # which needs no room for a dump
            stream=settings.stream,
            allow_sigquit=settings.allow_sigquit,
            max_pause_seconds=settings.max_pause_seconds,
            min_free_bytes=settings.min_free_bytes,
        )

    return collect_when(
        parsed,
        take,
        arm,
        pids=pids,
        role=role,
        count=count or DEFAULT_COUNT,
        every=every or DEFAULT_EVERY,
        seconds=seconds,
        what=_NAMES[settings.kind],
    )


def _targets(
    pids: tuple[int, ...], role: str | None, problem: CollectError | None
) -> tuple[list[JvmProcess], CollectError | None]:
    from heapscope.collector import processes

    if role is not None:
        found = [process for process in processes.find() if process.role == role]
        if not found:
            problem = _report(JvmNotFound(f"no process with a JVM has the role {role!r}; see 'heapscope ps'"))
        return found, problem
    found = []
    for pid in pids:
        try:
            found.append(processes.get(pid))
        except JvmNotFound as error:
            problem = _report(error)
    return found, problem


def _report(error: CollectError) -> CollectError:
    sys.stderr.write(f"heapscope: {printable(str(error))}\n")
    return error


def _collect(process: JvmProcess, settings: _Settings, *, may_ask: bool = True) -> None:
    from heapscope.cli.collect_then import run_then
    from heapscope.collector.buffer import default_memory_bytes
    from heapscope.collector.dump import collect as take
    from heapscope.collector.retention import remove_old
    from heapscope.collector.stream import Filter

    allow_sigquit = settings.allow_sigquit
    if process.attach == "signal" and not allow_sigquit and may_ask and _is_terminal():
        allow_sigquit = click.confirm(
            f"process {process.pid} has no attach socket; send it one SIGQUIT? That kills a program that "
            "handles SIGQUIT itself (-XX:+StartAttachListener makes it needless)",
            default=False,
            err=True,
        )
    taken = take(
        process,
        settings.output,
        kind=settings.kind,
        live=settings.live,
        method=settings.method,
        stream=settings.stream,
        allow_sigquit=allow_sigquit,
        work_count=settings.work_count,
        max_pause_seconds=settings.max_pause_seconds,
        buffer_bytes=settings.buffer_bytes,
        min_free_bytes=settings.min_free_bytes,
        through=Filter(_REDACTOR) if settings.redact and settings.kind == "dump" else None,
        into=Filter(_JUDGE, {"memory_bytes": settings.memory_bytes or default_memory_bytes()})
        if settings.kind == "verdict"
        else None,
        notice=lambda line: click.echo(printable(f"heapscope: {line}"), err=True),
    )
    told = format_bytes(taken.facts["file_bytes"])
    if settings.kind != "histogram":
        told += f" of {format_bytes(taken.facts['dump_bytes'])}, JVM paused about " + (
            f"{taken.facts['pause_seconds_estimate']:.2g} s"
        )
    if taken.verdict is not None:
        told += f"; {_verdict_of(taken.verdict)}"
    name = str(taken.path)
    if settings.remote is not None:
        try:
            name = settings.remote.send(taken.files)
        except (KeyboardInterrupt, SystemExit):
            sys.stderr.write(
                printable(f"heapscope: not sent; the snapshot is whole and stays at {name}") + "\n"
            )
            raise
    sys.stdout.write(printable(f"{name}: {told}") + "\n")
    sys.stdout.flush()
    if settings.keep is not None or settings.max_bytes is not None:
        for old in remove_old(settings.output, keep=settings.keep, max_bytes=settings.max_bytes):
            sys.stdout.write(printable(f"{old}: removed, an older snapshot") + "\n")
        sys.stdout.flush()
    if settings.then is not None:
        run_then(settings.then, taken, None if settings.remote is None else name)


def _verdict_of(path: Path) -> str:
    """What a verdict says, in one line."""
    found = json.loads(path.read_text())
    if found["diagnosis"] is None:
        return f"class histogram only: {found['left_out']}"
    return str(found["diagnosis"]["headline"])


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
