"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

# Existence is not checked here: the parser's errors say more, and end in exit code 3.
DUMP = click.Path(path_type=Path)

dump_argument = click.argument("dump", type=DUMP)
dumps_argument = click.argument("dumps", metavar="DUMP...", type=DUMP, nargs=-1, required=True)

class_option = click.option(
    "--class",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    help="A class by its full name, by its name without the package, or by a glob with * and ?. Repeatable.",
)
subclasses_option = click.option(
    "--no-subclasses", is_flag=True, help="Count the named classes only, not what extends them."
)
secrets_option = click.option(
    "--show-secrets", is_flag=True, help="Show values of variables and properties that may be secret."
)


def watched(patterns: Sequence[str]) -> Sequence[str]:
    """The patterns asked for, or the classes of the libhdfs leak."""
    from heapscope.analysis.census import WATCHED_CLASSES

    return patterns or WATCHED_CLASSES
