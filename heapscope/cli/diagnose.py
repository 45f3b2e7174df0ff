"""``heapscope diagnose``: what leaks, why, and what to do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice, snapshot_lines
from heapscope.cli.common.arguments import (
    dumps_argument,
    expanded,
    force_series_option,
    limit_option,
    reading_options,
    secrets_option,
)
from heapscope.cli.common.notebook_output import draw, is_drawing
from heapscope.cli.common.output import document_options, json_text, snapshot_facts, write
from heapscope.cli.common.progress import work

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.analysis.snapshots import Snapshots

_WIDTH = 80
_MAX_WIDTH = 100


@click.command()
@dumps_argument
@click.option(
    "--known-leaks",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with known leaks of your own (TOML; docs/how-to/add-a-known-leak.md shows how). Repeatable.",
)
@click.option("--fail-on-leak", is_flag=True, help="Exit with 1 where a leak is found.")
@limit_option
@force_series_option
@reading_options
@secrets_option
@document_options()
@click.pass_context
def diagnose(
    context: click.Context,
    dumps: tuple[Path, ...],
    files: tuple[Path, ...],
    fail_on_leak: bool,
    limit_bytes: int | None,
    force_series: bool,
    reading: dict[str, Any],
    show_secrets: bool,
    choice: Choice,
) -> None:
    """Say in plain words what leaks in a process, since when, how fast, what holds it, why, and what to do;
    how sure that is, and on what evidence. DUMPs are heap dumps or class histograms, or a directory of
    them; each process is diagnosed by itself. One dump is enough for most known leaks, four show what
    else grows.

    \b
    heapscope diagnose worker-*.hprof.gz
    """
    from heapscope.analysis.diagnosis import diagnose as find
    from heapscope.analysis.leaks.known_leaks import load_catalogue
    from heapscope.analysis.snapshots import snapshots
    from heapscope.reporter.diagnosis import describe_diagnosis, plain_lines

    catalogue = load_catalogue(*files)
    with work() as at:
        found = snapshots(expanded(dumps), at.progress, follows=True, **reading)
        diagnoses = [
            (
                each,
                find(
                    each,
                    catalogue=catalogue,
                    living_environment=living_environment(each[-1]),
                    force_series=True,
                    limit_bytes=limit_bytes,
                    progress=at.progress,
                ),
            )
            for each in _series(found, force_series)
        ]
    sections = [(each, describe_diagnosis(one, show_secrets=show_secrets)) for each, one in diagnoses]
    if choice.format == "json":
        processes = [
            {"snapshots": [snapshot_facts(each) for each in series], **asdict(section)}
            for series, section in sections
        ]
        head = {"schema_version": SCHEMA_VERSION, "kind": "diagnosis"}
        write(json_text({**head, "processes": processes}), choice)
    elif choice.path is None and not show_secrets and is_drawing():
        for _, diagnosis in diagnoses:
            draw(diagnosis)
    else:
        is_terminal = choice.path is None and sys.stdout.isatty()
        width = min(shutil.get_terminal_size().columns, _MAX_WIDTH) if is_terminal else _WIDTH
        pages = [
            "\n".join([*snapshot_lines(series), "", *plain_lines(section, max(width, 40))])
            for series, section in sections
        ]
        write(f"\n\n{'-' * width}\n\n".join(pages) + "\n", choice)
    if fail_on_leak and any(one.is_leak for _, one in diagnoses):
        context.exit(1)


def _series(found: Snapshots, force_series: bool) -> list[Snapshots]:
    """The snapshots of each process by themselves."""
    if force_series or len(found) < 2:
        return [found]
    return [found.at(process.members) for process in found.processes()]


def living_environment(snapshot: Snapshot) -> dict[str, str]:
    """Variables of the process that a snapshot was taken of, if it still lives and is the same one."""
    import socket

    from heapscope.analysis.growth.sidecar import number_in
    from heapscope.collector.processes import find

    pid = number_in(snapshot.sidecar, "process", "pid")
    if pid is None or snapshot.sidecar.get("host") != socket.gethostname():
        return {}
    living = find([pid])
    is_same = bool(living) and living[0].start_ticks == number_in(snapshot.sidecar, "process", "start_ticks")
    return dict(living[0].environment) if is_same else {}
