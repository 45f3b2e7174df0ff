"""``heapscope report``: the incident page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from heapscope.cli.common.arguments import (
    allow_absent_option,
    check_names,
    class_option,
    dumps_argument,
    expanded,
    force_series_option,
    limit_option,
    reading_options,
    secrets_option,
)
from heapscope.cli.common.progress import work
from heapscope.cli.common.wrapping import wrapped
from heapscope.files import check_free
from heapscope.reporter.text import printable

_SUFFIXES = (".html", ".md", ".json", ".pdf")


@click.command()
@dumps_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="Page (.html), paper (.pdf), ticket body with pictures beside it (.md), or data (.json).",
)
@class_option
@allow_absent_option
@secrets_option
@limit_option
@force_series_option
@reading_options
@click.option("--notes", "with_notes", is_flag=True, help="Show the notes that were written in 'explore'.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def report(
    dumps: tuple[Path, ...],
    output: Path,
    patterns: tuple[str, ...],
    allow_absent: bool,
    show_secrets: bool,
    limit_bytes: int | None,
    force_series: bool,
    reading: dict[str, Any],
    with_notes: bool,
    force: bool,
) -> None:
    """Write what grew between the DUMPs as a page, and print its verdict.

    \b
    heapscope report worker-*.hprof.gz -o incident.html
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise click.BadOptionUsage("output", f"-o needs a name that ends in {', '.join(_SUFFIXES)}.")
    check_free(output, force)  # before any work is done
    from heapscope.analysis.snapshots import snapshots
    from heapscope.reporter.render import write_report

    with work() as at:
        found = snapshots(expanded(dumps), at.progress, follows=True, **reading)
        check_names(found, patterns, allow_absent=allow_absent)
        if output.suffix.lower() == ".html" and not force_series and len(found.processes(at.progress)) > 1:
            from heapscope.reporter.overview import headline, write_overview

            pages = write_overview(
                found,
                output,
                patterns=patterns,
                force=force,
                show_secrets=show_secrets,
                limit_bytes=limit_bytes,
                with_notes=with_notes,
                progress=at.progress,
            )
            lines = [headline(pages)[1], *(f"{page.label}: {page.incident.headline}" for page in pages)]
            lines += ["", f"report: {printable(str(output))}, and for each process"]
            lines += [f"  {printable(str(page.path))}" for page in pages]
            click.echo("\n".join(wrapped(line) for line in lines))
            return
        incident = write_report(
            found,
            output,
            patterns=patterns,
            force=force,
            show_secrets=show_secrets,
            force_series=force_series,
            limit_bytes=limit_bytes,
            with_notes=with_notes,
            progress=at.progress,
        )
    for line in (incident.headline, *incident.verdict):
        click.echo(wrapped(line))
    click.echo(f"\nreport: {printable(str(output))}")
