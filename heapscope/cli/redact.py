"""``heapscope redact``: the same dump without its secrets."""

from __future__ import annotations

from pathlib import Path

import click

from heapscope.cli.common.arguments import DUMP
from heapscope.cli.common.progress import quiet_option, work
from heapscope.reporter.text import printable
from heapscope.units import format_bytes

_LEAST_KEY_BYTES = 16


@click.command()
@click.argument("dump", metavar="IN", type=DUMP)
@click.argument("copy", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--keep-strings",
    metavar="PATTERN",
    multiple=True,
    help="Strings that the glob matches as a whole stay as they are. Repeatable.",
)
@click.option(
    "--names",
    is_flag=True,
    help="Replace names of classes, fields, methods and source files by hashes, all but the JDK's.",
)
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Hash names with the secret in FILE: dumps redacted with one key can be compared. Without it the "
    "key is random and forgotten.",
)
@click.option(
    "--partial",
    is_flag=True,
    help="Copy a dump that was cut short up to its last whole record; OUT is cut, too.",
)
@quiet_option
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def redact(
    dump: Path,
    copy: Path,
    keep_strings: tuple[str, ...],
    names: bool,
    key: Path | None,
    partial: bool,
    force: bool,
) -> None:
    """Write a copy of the heap dump IN as OUT with the same objects, references, classes and sizes, but
    without values: arrays of primitives (all strings, the environment, the system properties, thread
    names), primitive fields and statics, class constants are zeroed, and of the dump's strings only
    names of classes, fields, methods and source files stay.

    OUT is compressed if it ends in .gz or .zst. Only its owner can read it.

    \b
    heapscope redact worker-3.hprof.gz worker-3-redacted.hprof.gz
    """
    from heapscope.parser.redaction.redact_file import redact_file

    if key is not None and not names:
        raise click.UsageError("--key needs --names.")
    secret = None if key is None else key.read_bytes()
    if secret is not None and len(secret.strip()) < _LEAST_KEY_BYTES:
        raise click.UsageError(f"--key: {key} is shorter than {_LEAST_KEY_BYTES} bytes: it could be guessed.")
    with work() as at:
        at.name(dump)
        redact_file(
            dump,
            copy,
            keep_strings=keep_strings,
            hide_names=names,
            key=secret,
            force=force,
            partial=partial,
            progress=at.progress,
        )
    click.echo(f"redacted: {printable(str(copy))}, {format_bytes(copy.stat().st_size)}")
