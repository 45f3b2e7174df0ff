"""``heapscope explain-log``: what logs say about memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice
from heapscope.cli.common.arguments import DUMP
from heapscope.cli.common.output import json_text, write
from heapscope.errors import HeapscopeError
from heapscope.files import new_file
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.analysis.leaks.logs import LogGroup

_WIDTH = 80
_MAX_WIDTH = 100


@click.command(short_help="What logs tell of memory: errors, OOM killer, jstack.")
@click.argument("files", metavar="FILE...", type=DUMP, nargs=-1, required=True)
@click.option(
    "--known-leaks",
    "own",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with known leaks of your own, whose log_patterns are looked for. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write there and not to stdout: text, or data (.json); .png is a chart over time beside the text.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def explain_log(
    files: tuple[Path, ...], own: tuple[Path, ...], as_json: bool, output: Path | None, force: bool
) -> None:
    """Count, date and explain what logs tell of memory: OutOfMemoryErrors with their stacks, jstack and
    Thread.print ("JNI global refs"), Hadoop at level DEBUG ("Creating FS"), hs_err files, and the lines of
    the Linux OOM killer. FILEs are text, plain or gzip.

    \b
    heapscope explain-log worker.log hs_err_pid4711.log
    """
    from heapscope.analysis.leaks.known_leaks import load_catalogue
    from heapscope.analysis.leaks.logs import summarise
    from heapscope.reporter.log_text import summary_lines

    ending = "" if output is None else output.suffix.lower()
    is_json = as_json or ending == ".json"
    choice = Choice("json" if is_json else "text", path=output, force=force)
    choice.check()
    summary = summarise(files, load_catalogue(*own))
    if ending == ".png":
        assert output is not None
        _write_chart(output, summary.groups, force)
        choice = Choice("json" if is_json else "text")  # the chart shows when; what and why is said in words
    if is_json:
        groups = [_facts(group) for group in summary.groups]
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "log summary",
            "files": [str(path) for path in summary.paths],
            "groups": groups,
            "known_leaks": [{"id": leak.id, "title": leak.title} for leak in summary.leaks],
        }
        write(json_text(document), choice)
        return
    is_terminal = choice.path is None and sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH) if is_terminal else _WIDTH
    write("".join(f"{line}\n" for line in summary_lines(summary, max(width, 40))), choice)
    if ending == ".png":
        click.echo(f"\nchart: {printable(str(output))}")


def _facts(group: LogGroup) -> dict[str, Any]:
    """A group as JSON has it."""
    from heapscope.reporter.log_meanings import meaning_of, title_of

    head = {"kind": group.kind, "title": title_of(group.kind), "meaning": meaning_of(group.kind)}
    return {**head, **asdict(group), "times": [each.isoformat() for each in group.times]}


def _write_chart(output: Path, groups: Sequence[LogGroup], force: bool) -> None:
    """A PNG that appears whole or not at all."""
    from heapscope.reporter.charts.logs import events_picture

    dated = [group for group in groups if len(group.times) > 1]
    if not dated:
        raise HeapscopeError("no two events of one kind have a date: there is nothing to draw over time")
    with new_file(output, force=force) as file:
        file.write(events_picture(dated))
