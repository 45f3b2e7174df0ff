"""``heapscope histogram``: instances and bytes of every class."""

from __future__ import annotations

from pathlib import Path

import click

from heapscope.cli.arguments import dump_argument
from heapscope.cli.output import Answer, Choice, Column, describe, show, table_options, total
from heapscope.cli.progress import work

_COLUMNS = (
    Column("instance_count", "instances"),
    Column("shallow_bytes", "shallow bytes"),
    Column("class_name", "class", is_text=True),
)


@click.command(short_help="Instances and shallow bytes of every class in one dump.")
@dump_argument
@table_options("shallow_bytes", "instance_count", "class_name")
@click.option(
    "--as-jvm",
    is_flag=True,
    help="Count what 'jcmd GC.class_histogram' counts: also class objects of classes that were never "
    "loaded, and filler arrays, which a dump hides.",
)
def histogram(dump: Path, choice: Choice, as_jvm: bool) -> None:
    """Instances and shallow bytes of every class in DUMP, the largest first."""
    from heapscope.analysis.snapshots import snapshots

    with work() as at:
        found = snapshots(at.each([dump]), at.progress, as_jvm=as_jvm)
    table = found[0].histogram
    show(
        Answer(
            "class histogram",
            table,
            _COLUMNS,
            found,
            totals=total(table, "instance_count", "shallow_bytes"),
            heading=describe(found),
        ),
        choice,
    )
