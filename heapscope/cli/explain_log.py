"""``heapscope explain-log``: what logs say about memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice
from heapscope.cli.common.exit_codes import FOUND
from heapscope.cli.common.output import document_options, json_text, write
from heapscope.cli.common.progress import quiet_option, work
from heapscope.errors import HeapscopeError
from heapscope.files import new_file
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.analysis.logs.summary import LogGroup, LogSummary

_WIDTH = 80
_MAX_WIDTH = 100


@click.command()
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--known-leaks",
    "own",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with known leaks of your own, whose log_patterns are looked for. Repeatable.",
)
@click.option(
    "--fail-on-kill",
    is_flag=True,
    help="End with exit code 1 if the text says that a process was ended because of its memory.",
)
@quiet_option
@document_options(
    "Write JSON.",
    "Write there and not to stdout: text, or data (.json); .png is a chart over time beside the text.",
    pictures=(".png",),
)
def explain_log(
    files: tuple[Path, ...],
    own: tuple[Path, ...],
    fail_on_kill: bool,
    choice: Choice,
) -> None:
    """Count, date and explain what logs tell of memory: OutOfMemoryErrors with their stacks, heap dumps that
    were written or failed, processes that the kernel, YARN, Kubernetes, Docker, Cloud Foundry, systemd,
    Slurm or a service wrapper ended for their memory, GC logs, hs_err files, thread dumps ("JNI global
    refs"), Hadoop at level DEBUG ("Creating FS").

    FILEs are text, plain or gzip, JSON lines too; - is standard input.

    \b
    heapscope explain-log worker.log hs_err_pid4711.log
    kubectl logs --previous POD | heapscope explain-log -
    """
    from heapscope.analysis.leaks.known_leaks import load_catalogue
    from heapscope.analysis.logs.summary import summarise
    from heapscope.reporter.log_text import summary_lines

    if files.count(Path("-")) > 1:
        raise click.UsageError("- is standard input, which can be read once.")
    output = choice.path
    is_json = choice.format == "json"
    is_chart = output is not None and output.suffix.lower() == ".png"
    with work(compiles=False) as at:
        summary = summarise(files, load_catalogue(*own), at.name, at.progress)
    if output is not None and is_chart:
        _write_chart(output, summary.groups, choice.force)
        choice = Choice("json" if is_json else "text")  # the chart shows when; what and why is said in words
    if is_json:
        write(_json(summary), choice)
    else:
        is_terminal = choice.path is None and sys.stdout.isatty()
        width = min(shutil.get_terminal_size().columns, _MAX_WIDTH) if is_terminal else _WIDTH
        write("".join(f"{line}\n" for line in summary_lines(summary, max(width, 40))), choice)
        if is_chart:
            click.echo(f"\nchart: {printable(str(output))}")
    if fail_on_kill and summary.kill_count:
        raise click.exceptions.Exit(FOUND)


def _json(summary: LogSummary) -> str:
    from heapscope.analysis.logs.catalogue import log_kinds
    from heapscope.reporter.log_text import group_facts

    return json_text(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "log summary",
            "files": [str(path) for path in summary.paths],
            "kill_count": summary.kill_count,
            "groups": [group_facts(group) for group in summary.groups],
            "known_leaks": [{"id": leak.id, "title": leak.title} for leak in summary.leaks],
            "next": [{"what": what, "command": command} for what, command in summary.next_steps()],
            "looked_for": list(log_kinds()),
        }
    )


def _write_chart(output: Path, groups: Sequence[LogGroup], force: bool) -> None:
    """A PNG that appears whole or not at all."""
    from heapscope.reporter.charts.logs import events_picture

    if not groups:
        raise HeapscopeError("none of the events that heapscope knows is in the text: nothing to draw")
    with new_file(output, force=force) as file:
        file.write(events_picture(groups))
