"""``heapscope diagnose``: what leaks, why, and what to do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import click

from heapscope.cli.arguments import dumps_argument, expanded, secrets_option
from heapscope.cli.output import SCHEMA_VERSION, Choice, describe, json_text, snapshot_facts, write
from heapscope.cli.progress import work

_WIDTH = 80
_MAX_WIDTH = 100


@click.command(short_help="What leaks, since when, why, and what to do.")
@dumps_argument
@click.option(
    "--known-leaks",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with known leaks of your own (TOML; CONTRIBUTING.md shows how). Repeatable.",
)
@click.option("--fail-on-leak", is_flag=True, help="Exit with 1 where a leak is found.")
@secrets_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON: exact values.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write there and not to stdout; .json names the format.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_context
def diagnose(
    context: click.Context,
    dumps: tuple[Path, ...],
    files: tuple[Path, ...],
    fail_on_leak: bool,
    show_secrets: bool,
    as_json: bool,
    output: Path | None,
    force: bool,
) -> None:
    """Say in plain words what leaks in a process, since when, how fast, what holds it, why, and what to do;
    how sure that is, and on what evidence. DUMPs are heap dumps or class histograms of one process, or a
    directory of them; one is enough for most known leaks, three show what else grows.

    \b
    heapscope diagnose worker-*.hprof.gz
    """
    from heapscope.analysis.diagnosis import diagnose as find
    from heapscope.analysis.known_leaks import load_catalogue
    from heapscope.analysis.snapshots import snapshots
    from heapscope.reporter.diagnosis import describe_diagnosis, plain_lines

    is_json = as_json or (output is not None and output.suffix.lower() == ".json")
    choice = Choice("json" if is_json else "text", path=output, force=force)
    choice.check()
    catalogue = load_catalogue(*files)
    with work() as at:
        found = snapshots(at.each(expanded(dumps)), at.progress)
        diagnosis = find(
            found,
            catalogue=catalogue,
            living_environment=living_environment(found[-1].path),
            progress=at.progress,
        )
    section = describe_diagnosis(diagnosis, show_secrets=show_secrets)
    if is_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "diagnosis",
            "snapshots": [snapshot_facts(each) for each in found],
            **asdict(section),
        }
        write(json_text(document), choice)
    else:
        is_terminal = output is None and sys.stdout.isatty()
        width = min(shutil.get_terminal_size().columns, _MAX_WIDTH) if is_terminal else _WIDTH
        lines = [*describe(found), "", *plain_lines(section, max(width, 40))]
        write("".join(f"{line}\n" for line in lines), choice)
    if fail_on_leak and diagnosis.is_leak:
        context.exit(1)


def living_environment(snapshot: Path) -> dict[str, str]:
    """Variables of the process that a snapshot was taken of, if it still lives and is the same one."""
    import socket

    from heapscope.analysis.sidecar import read_sidecar
    from heapscope.collector.processes import find

    sidecar = read_sidecar(snapshot)
    if sidecar is None or not sidecar.pid or sidecar.host != socket.gethostname():
        return {}
    living = find([sidecar.pid])
    is_same = bool(living) and living[0].start_ticks == sidecar.start_ticks
    return dict(living[0].environment) if is_same else {}
