"""``heapscope objects``: the instances of a class with their fields."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from heapscope.cli.common.answer import TERMINAL_ROWS, Answer, Choice, Column, snapshot_lines
from heapscope.cli.common.arguments import dump_argument, graph_options, secrets_option
from heapscope.cli.common.class_names import complete_class
from heapscope.cli.common.notebook_output import is_drawing
from heapscope.cli.common.opened_heap import opened_at
from heapscope.cli.common.output import show, table_options
from heapscope.cli.common.progress import work

_SIZES = (
    Column("retained_bytes", "retained\nbytes", importance=1),
    Column("shallow_bytes", "shallow\nbytes", importance=9),
    Column("address", "address", is_text=True),
)
_CLASS = Column("class_name", "class", is_text=True)


@click.command()
@dump_argument
@click.argument("class_name", metavar="CLASS", shell_complete=complete_class)
@click.option(
    "--fields", metavar="A,B.C", help="Paths of fields, one column each; attrs[id] is a key of a map."
)
@click.option(
    "--where",
    "conditions",
    metavar="'B.C=VALUE'",
    multiple=True,
    help="Only objects for which this holds; also with != < <= > >= and ~ for a glob. Repeatable.",
)
@click.option("--no-subclasses", is_flag=True, help="The named classes only, not what extends them.")
@secrets_option
@graph_options
@table_options(*_SIZES, _CLASS, others="a field that is shown")
def objects(
    dump: Path,
    class_name: str,
    fields: str | None,
    conditions: tuple[str, ...],
    no_subclasses: bool,
    show_secrets: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """The instances of a CLASS of DUMP with the values of their fields, what retains most first.

    Without --fields the fields of the class itself are shown. Strings, boxed values and enums read as their
    values; what may be secret is masked.

    \b
    heapscope objects worker-3.hprof com.acme.Session --top 10
    """
    from heapscope.analysis.growth.snapshot import snapshot_of
    from heapscope.heap.object_table import column_of, field_names, object_order, object_tables, where

    with ExitStack() as open_files:
        with work() as at:
            heap = open_files.enter_context(opened_at(at, dump, following))
            found = heap.objects(class_name, subclasses=not no_subclasses)
            for condition in conditions:
                found = where(found, condition)
            given = None if fields is None else [each.strip() for each in fields.split(",")]
            paths = field_names(found) if given is None else [each for each in given if each]
            limit = choice.rows
            if limit is None and choice.format == "text" and choice.path is None and sys.stdout.isatty():
                limit = TERMINAL_ROWS
            count = len(found)
            by = choice.sort or "retained_bytes"
            names = [column_of(path) for path in paths]
            if by not in (*(column.name for column in _SIZES), _CLASS.name, *names):
                raise click.UsageError(f"--sort {by}: it is no field that is shown: {', '.join(names)}.")
            order = object_order(found, by, show_secrets=show_secrets)[: limit or None]
            tables = object_tables(found, paths, order, show_secrets=show_secrets)
            table = next(tables)
            classes = set(found.histogram().column("class_name"))  # of those that are not shown as well
            snapshots = [snapshot_of(heap)]
            heading = snapshot_lines(snapshots)
        columns = (
            *_SIZES,
            *(Column(name, name, min(2 + place, 8), is_text=True) for place, name in enumerate(names)),
            _CLASS,
        )
        if len(classes) == 1 and paths and choice.format == "text" and not is_drawing():
            # The room is for the fields.
            heading.append(f"all are {classes.pop()}")
            columns = columns[:-1]
        notes = [] if order.size == count else [f"{count:,} objects in all; --top 0 shows them"]
        answer = Answer(
            "objects",
            table,
            columns,
            snapshots,
            rows_are=("object", "objects"),
            heading=heading,
            notes=notes,
            more=tables,
            row_count=order.size,
        )
        # The progress bar has gone; of millions of objects the rest is read as it is written.
        show(answer, replace(choice, sort=None, rows=None if choice.rows is None else 0))
