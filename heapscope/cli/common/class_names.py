"""Class names of the dump on the line, for the completion of a shell: of its index, or none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

# What may stand unquoted in a shell but for the dollar; a dump may call a class anything.
_PLAIN = re.compile(r"[\w.$\[\]/-]+")
_MOST = 500


def complete_class(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names that begin so; of the last part too, where no package is begun.

    The dump is neither opened nor analysed: a dump without an index has no names.
    """
    if not incomplete:
        return []
    names = {name for dump in _dumps(context) for name in _class_names(dump, context)}
    found = {name for name in names if name.startswith(incomplete)}
    if "." not in incomplete:
        found |= {last for name in names if (last := name.rpartition(".")[2]).startswith(incomplete)}
    plain = sorted(name for name in found if _PLAIN.fullmatch(name))
    return [CompletionItem(_escaped(name)) for name in plain[:_MOST]]


def _dumps(context: click.Context) -> Iterator[Path]:
    for name in ("dump", "dumps"):
        given = context.params.get(name) or ()
        yield from map(Path, [given] if isinstance(given, (str, os.PathLike)) else given)
    # Before an option without its value click leaves arguments where they were.
    yield from map(Path, context.args)


def _class_names(dump: Path, context: click.Context) -> list[str]:
    from heapscope.heap.graph.index_file import indexed_class_names

    options = {
        name: context.params.get(name) or default
        for name, default in (("semantics", "jvm"), ("roots", "mat"), ("soft", "strong"))
    }
    return indexed_class_names(dump, options, context.params.get("index_dir"))


def _escaped(name: str) -> str:
    """zsh and fish quote what they insert; bash inserts it as it is."""
    is_bash = os.environ.get("_HEAPSCOPE_COMPLETE", "").startswith("bash")
    return name.replace("$", "\\$") if is_bash else name
