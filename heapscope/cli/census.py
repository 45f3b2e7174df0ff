"""``heapscope census``: the watched classes in each snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines
from heapscope.cli.common.arguments import (
    allow_absent_option,
    check_names,
    class_option,
    dumps_argument,
    expanded,
    reading_options,
    subclasses_option,
    watched,
)
from heapscope.cli.common.output import show, table_options
from heapscope.cli.common.progress import work

_COLUMNS = (
    Column("snapshot", "snapshot", is_text=True),
    Column("instance_count", "instances"),
    Column("shallow_bytes", "shallow bytes"),
    Column("class_name", "class", is_text=True),
)


@click.command()
@dumps_argument
@class_option
@subclasses_option
@allow_absent_option
@reading_options
@table_options(*_COLUMNS, Column("captured_at", "captured at"))
def census(
    dumps: tuple[Path, ...],
    patterns: tuple[str, ...],
    no_subclasses: bool,
    allow_absent: bool,
    reading: dict[str, Any],
    choice: Choice,
) -> None:
    """Instances and shallow bytes of watched classes and their subclasses, in each DUMP.

    Without --class: FileSystem, UserGroupInformation, Subject, FileSystem$Cache$Key, DFSClient and
    Configuration, which one leaked libhdfs connect adds to.

    \b
    heapscope census worker-*.hprof.gz --class 'com.acme.*'
    """
    from heapscope.analysis.snapshots import snapshots

    with work() as at:
        found = snapshots(expanded(dumps), at.progress, **reading)
    check_names(found, patterns, allow_absent=allow_absent)
    table = found.census_table(watched(patterns), subclasses=not no_subclasses)
    show(
        Answer("census", table, _COLUMNS, found, rows_are=("row", "rows"), heading=snapshot_lines(found)),
        choice,
    )
