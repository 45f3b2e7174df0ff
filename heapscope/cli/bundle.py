"""``heapscope bundle``: the whole incident in one zip."""

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
    reading_options,
)
from heapscope.cli.common.progress import work
from heapscope.cli.common.wrapping import wrapped
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes


@click.command()
@dumps_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="A .zip; only its owner can read it.",
)
@click.option("--dumps", "with_dumps", is_flag=True, help="Pack redacted copies of the dumps as well.")
@class_option
@allow_absent_option
@reading_options
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def bundle(
    dumps: tuple[Path, ...],
    output: Path,
    with_dumps: bool,
    patterns: tuple[str, ...],
    allow_absent: bool,
    reading: dict[str, Any],
    force: bool,
) -> None:
    """Pack what 'report' writes of the DUMPs (HTML, Markdown with its pictures, JSON, PDF if WeasyPrint is
    installed) with the sidecars of 'collect', a manifest and SHA-256 checksums into one zip. Values that
    may be secret are masked; dumps are packed only with --dumps, and only redacted.

    \b
    heapscope bundle worker-3/ -o incident.zip
    """
    if output.suffix.lower() != ".zip":
        raise click.BadOptionUsage("output", "-o needs a name that ends in .zip.")
    from heapscope.analysis.snapshots import snapshots
    from heapscope.files import check_free
    from heapscope.parser.redaction.redact_file import redact_file
    from heapscope.reporter.bundle import write_bundle

    check_free(output, force)  # before any work is done
    with work() as at:
        found = snapshots(expanded(dumps), at.progress, follows=True, **reading)
        check_names(found, patterns, allow_absent=allow_absent)
        made = write_bundle(
            found,
            output,
            patterns=patterns,
            redact=redact_file if with_dumps else None,
            force=force,
            progress=at.progress,
        )
    click.echo(wrapped(made.headline))
    click.echo(f"\nbundle: {printable(str(output))}, {format_bytes(output.stat().st_size)}")
    for role in dict.fromkeys(file.role for file in made.files):
        size = sum(file.file_bytes for file in made.files if file.role == role)
        count = sum(file.role == role for file in made.files)
        click.echo(f"  {plural(count, role)}, {format_bytes(size)}")
    for line in made.left_out:
        click.echo(wrapped(f"  without {line}"))
