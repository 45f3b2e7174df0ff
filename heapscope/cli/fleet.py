"""``heapscope fleet``: many dumps to sketches, and what they have in common."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope import __version__
from heapscope.cli.common.answer import Choice
from heapscope.cli.common.arguments import partial_option
from heapscope.cli.common.exit_codes import FAILED, FOUND, TOO_EARLY
from heapscope.cli.common.output import document_options, write, write_lines
from heapscope.cli.common.progress import is_quiet, quiet_option, work
from heapscope.cli.common.wrapping import wrapped
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes, format_duration

if TYPE_CHECKING:
    from heapscope.fleet.run import RunState, Watcher

_FAILURES_SHOWN = 10


@click.group()
def fleet() -> None:
    """Hundreds of dumps, from where they lie: which processes leak, and what tells them from the others.

    \b
    heapscope fleet run s3://dumps -o fleet --name '{host}/{pid}-{time}.hprof.gz'
    heapscope fleet report fleet -o fleet.html
    """


@fleet.command(short_help="Dumps to sketches.")
@click.argument("sources", metavar="SOURCES...", nargs=-1, required=True)
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
    help="Folder of the sketches; one that is there already goes on.",
)  # fmt: skip
@click.option(
    "--name", "pattern", metavar="PATTERN",
    help="What the path of a file says: '{cluster}/{host}/{pid}-{time}.hprof.zst'. host, pid, role, task, "
    "pod and user are used for what they are; other names are labels that cohorts are looked for in.",
)  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, tcp://... [default: this machine]")
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1),
    help="Processes on this machine. [default: as many as cores and memory allow]",
)  # fmt: skip
@click.option(
    "--scratch", metavar="DIR", type=click.Path(path_type=Path),
    help="Where workers copy remote files to, one at a time. [default: Dask's own folder]",
)  # fmt: skip
@quiet_option
@partial_option
def run(
    sources: tuple[str, ...],
    output: Path,
    pattern: str | None,
    scheduler: str | None,
    workers: int | None,
    scratch: Path | None,
    partial: bool,
) -> None:
    """Reduce each dump and each class histogram of SOURCES to a small sketch in DIR.

    SOURCES are files, folders, patterns, and addresses of any file system of fsspec (s3://, hdfs://,
    webhdfs://, gs://, az://). What has a sketch already is left out: run it again after a failure, or when
    there are more dumps. Exit code 3 where a file could not be read; all others are there.
    """
    from heapscope.fleet.folder import FleetFolder
    from heapscope.fleet.run import run_fleet
    from heapscope.fleet.sources import NamePattern, find_sources

    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is for this machine; a scheduler has its own.")
    name = None if pattern is None else NamePattern(pattern)
    found = find_sources(sources, name)
    if name is not None and not any(each.labels for each in found):
        raise click.UsageError(f"--name {pattern!r} fits none of {len(found):,} paths: {found[0].url}")
    folder = FleetFolder(output, create=True)
    with _bar() as watcher:
        state = run_fleet(
            found, folder, version=__version__, scheduler=scheduler, workers=workers, partial=partial,
            scratch=scratch, watcher=watcher,
        )  # fmt: skip
    _tell(state, output)
    unnamed = sum(not each.labels for each in found) if name is not None else 0
    if unnamed:
        click.echo(f"--name fits all but {plural(unnamed, 'path')}", err=True)
    if state.failures:
        raise click.exceptions.Exit(FAILED)


def _tell(state: RunState, output: Path) -> None:
    made = state.done_count - len(state.failures)
    known = f", {state.known_count:,} known before" if state.known_count else ""
    seconds = max(state.seconds, 1e-9)
    pace = (
        f"; {format_bytes(state.done_bytes)} in {format_duration(state.seconds)}, "
        f"{format_bytes(state.done_bytes / seconds)}/s"
        if state.done_count
        else ""
    )
    click.echo(f"{plural(made, 'sketch', 'sketches')} in {output}{known}{pace}", err=True)
    for failure in state.failures[:_FAILURES_SHOWN]:
        click.echo(printable(f"not read: {failure.source}: {failure.problem}"), err=True)
    more = len(state.failures) - _FAILURES_SHOWN
    if more > 0:
        click.echo(f"and {more:,} more; 'heapscope fleet report' lists all", err=True)


@contextmanager
def _bar() -> Iterator[Watcher]:
    """A bar with dumps, bytes, rate and time left where stderr is a terminal; else a line now and then."""
    if is_quiet() or not sys.stderr.isatty():
        with work(compiles=False) as at:
            # One phase: the time that is left is reckoned from the beginning of it.
            yield lambda state: at.progress(
                f"reading {plural(state.total_count, 'dump')}", state.done_bytes, state.total_bytes
            )
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    bars = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(16), DownloadColumn(),
        TransferSpeedColumn(), TimeRemainingColumn(), console=console, transient=True,
    )  # fmt: skip
    tasks: list[Any] = []
    shown: set[str] = set()

    def watch(state: RunState) -> None:
        if state.dashboard and state.dashboard not in shown:
            shown.add(state.dashboard)
            console.print(f"Dask's dashboard: {state.dashboard}")
        words = f"{state.done_count:,} of {state.total_count:,} dumps"
        if not tasks:
            tasks.append(bars.add_task(words, total=state.total_bytes))
        bars.update(tasks[0], description=words, completed=state.done_bytes)

    with bars:
        yield watch


_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@fleet.command(short_help="Which processes leak, by cause, and what they have in common.")
@_folder
@quiet_option
@document_options(
    "Write JSON to standard output.",
    "A .html, .md, .json or .pdf. [default: text on standard output]",
    pictures=(".html", ".pdf"),
)
def report(folder: Path, choice: Choice) -> None:
    """Say which processes of the sketches in DIR leak, grouped by cause, how fast, and when each ends; and
    what tells them from the healthy: variables, options, properties, library versions, host, role, labels.

    A process is called leaking or healthy from three snapshots on; a known leak that one dump shows is named
    from one. What tells groups apart is tested (Fisher, Mann-Whitney, Benjamini-Hochberg): at most 5 % of
    what is named is chance.
    """
    from heapscope.fleet.fleet import open_fleet
    from heapscope.fleet.verdict import judge_fleet
    from heapscope.reporter.fleet import (
        check_report,
        render_fleet_json,
        render_fleet_markdown,
        write_fleet_report,
    )
    from heapscope.reporter.fleet_words import headline
    from heapscope.reporter.text import printable

    output = choice.path
    if output is not None and choice.format == "text":
        check_report(output, choice.force)
    with work(compiles=False) as at:
        verdict = judge_fleet(open_fleet(folder), at.progress)
    if choice.format == "json":
        write(render_fleet_json(verdict), choice)
    elif output is None:
        for line in render_fleet_markdown(verdict).splitlines():
            # Rows of tables and commands stay whole, to be copied.
            click.echo(line if line.startswith(("|", "    ")) else wrapped(line))
    if output is not None:
        if choice.format == "text":
            write_fleet_report(verdict, output, force=choice.force)
        click.echo(f"{headline(verdict)}\n\nreport: {printable(str(output))}")


@fleet.command("open", short_help="The dumps of one process, and the commands that look into them.")
@_folder
@click.argument("process", metavar="PROCESS")
@click.option(
    "-o", "--output", metavar="FOLDER", type=click.Path(path_type=Path), default=Path(),
    help="Where copies of remote dumps go. [default: here]",
)  # fmt: skip
@click.option("--all", "is_all", is_flag=True, help="Fetch all of its dumps, not the last alone.")
@quiet_option
def open_process(folder: Path, process: str, output: Path, is_all: bool) -> None:
    """Fetch the last dump of a process, and say which commands show it: the explorer, the report.

    PROCESS is a label as the report has it, or a part that no other label has. Dumps that are on this
    machine stay where they are; copies of others are kept in FOLDER, and not fetched twice.

    \b
    heapscope fleet open fleet worker-3:4711 -o dumps
    """
    from heapscope.fleet.fetching import fetch_files, pick_process
    from heapscope.fleet.fleet import open_fleet
    from heapscope.fleet.processes import find_fleet_processes
    from heapscope.fleet.sources import is_remote_address

    with work(compiles=False) as at:
        found = pick_process(find_fleet_processes(open_fleet(folder), at.progress), process)
        by_snapshot = dict(zip(found.snapshots, found.sources, strict=True))
        last = by_snapshot.get(found.last_dump, found.sources[-1])
        every = list(dict.fromkeys(found.sources))
        has_all = is_all or not any(map(is_remote_address, every))
        paths = fetch_files(every if has_all else [last], output, at.progress)
    command = "heapscope"
    click.echo(printable(f"{found.label}: {found.status}, {plural(len(every), 'file')}"))
    if found.last_dump in by_snapshot:
        of_last = paths[every.index(last)] if has_all else paths[0]
        click.echo(shlex.join([command, "explore", str(of_last)]))
    name = re.sub(r"[^\w.-]+", "-", found.label).strip("-")
    click.echo(shlex.join([command, "diagnose", *map(str, paths)]))
    click.echo(shlex.join([command, "report", *map(str, paths), "-o", f"{name}.html"]))
    if not has_all and len(every) > 1:
        click.echo(f"--all fetches all {len(every)}: reports and diagnoses tell more of several.", err=True)


@fleet.command(short_help="Two cohorts named by hand: does one leak more?")
@_folder
@click.option(
    "--a", metavar="COHORT", required=True, help="The one in question: 'role=worker and env.X is set'."
)
@click.option("--b", metavar="COHORT", help="What it is held against. [default: all others]")
@quiet_option
@document_options()
def compare(folder: Path, a: str, b: str | None, choice: Choice) -> None:
    """Hold the processes of one cohort against those of another: canary against baseline, before against
    after an upgrade.

    A cohort is an expression of NAME=VALUE, !=, <, <=, >, >=, NAME is set, NAME is not set, and, or, not and
    parentheses. Names: host, pod, role, pid, label, status, cause, heap_bytes, snapshots, time, env.X,
    property.X, jar.X (its version), option.X, label.X (of --name); * stands for any text.

    Exit code 0: A leaks and grows no more than B; 1: it does; 4: too few to tell.
    """
    from heapscope.fleet.fleet import open_fleet
    from heapscope.fleet.verdict import compare_fleet
    from heapscope.reporter.fleet import comparison_json, comparison_text

    with work(compiles=False) as at:
        found = compare_fleet(open_fleet(folder), a, b, at.progress)
    if choice.format == "json":
        write(comparison_json(found), choice)
    else:
        write_lines(comparison_text(found).splitlines(), choice)
    if found.is_worse:
        raise click.exceptions.Exit(FOUND)
    if not found.can_tell:
        raise click.exceptions.Exit(TOO_EARLY)
