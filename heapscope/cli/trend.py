"""``heapscope trend``: how every class grew over all snapshots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines, total
from heapscope.cli.common.arguments import (
    allow_absent_option,
    check_names,
    class_option,
    dumps_argument,
    expanded,
    force_series_option,
    reading_options,
    subclasses_option,
)
from heapscope.cli.common.output import show, table_options
from heapscope.cli.common.progress import work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heapscope.analysis.growth.tables import ClassGrowth
    from heapscope.table import Table

_COLUMNS = (
    Column("instance_count_first", "instances\nfirst", 4),
    Column("instance_count_last", "instances\nlast", 1),
    Column("instance_count_delta", "instances\nchange", 3, is_signed=True),
    Column("instance_count_per_snapshot", "instances\nper snapshot", 0, is_signed=True, decimals=1),
    Column("shallow_bytes_first", "shallow bytes\nfirst", 4),
    Column("shallow_bytes_last", "shallow bytes\nlast", 2),
    Column("shallow_bytes_delta", "shallow bytes\nchange", 3, is_signed=True),
    Column("shallow_bytes_per_snapshot", "shallow bytes\nper snapshot", 0, is_signed=True),
    Column("is_growing", "grows", is_text=True),
    Column("class_name", "class", is_text=True),
)
_COURSE = Column("course", "bytes\nover time", 2, is_text=True)
_COURSE_WIDTH = 12
_SUMS = tuple(column.name for column in _COLUMNS[:-2])


@click.command()
@dumps_argument
@class_option
@subclasses_option
@force_series_option
@allow_absent_option
@reading_options
@table_options(*_COLUMNS)
def trend(
    dumps: tuple[Path, ...],
    patterns: tuple[str, ...],
    no_subclasses: bool,
    force_series: bool,
    allow_absent: bool,
    reading: dict[str, Any],
    choice: Choice,
) -> None:
    """How classes grew from the first DUMP to the last, the largest growth in bytes first.

    A class "grows" if it rises beyond chance (4 DUMPs at least), or in every step of 3; two DUMPs cannot
    tell. With --class each PATTERN is one row, the classes that it names and their subclasses taken together.

    \b
    heapscope trend worker-*.hprof.gz --class 'com.acme.*'
    """
    from heapscope.analysis.snapshots import snapshots

    if no_subclasses and not patterns:
        raise click.UsageError("--no-subclasses needs --class.")
    with work() as at:
        found = snapshots(expanded(dumps), at.progress, **reading)
        found, left_out = (found, "") if force_series else found.of_one_process(at.progress, least=2)
    found = found.each_moment_once()  # a dump and the text beside it
    check_names(found, patterns, allow_absent=allow_absent)
    everything = found.trend_table()
    growth = found.watched(patterns, subclasses=not no_subclasses) if patterns else []
    table = _growth_table(growth) if patterns else everything
    columns: Sequence[Column] = _COLUMNS
    if choice.format == "text" and choice.path is None and sys.stdout.isatty() and len(found) > 2:
        sizes = (
            {each.class_name: each.shallow_bytes for each in growth}
            if patterns
            else {name: values[1] for name, values in found.by_class.items()}
        )
        table, columns = _drawn(table, sizes), (*columns[:-1], _COURSE, columns[-1])
    show(
        Answer(
            "trend",
            table,
            columns,
            found,
            totals={} if patterns else total(everything, *_SUMS),
            rows_are=("pattern", "patterns") if patterns else ("class", "classes"),
            heading=snapshot_lines(found),
            notes=[left_out] if left_out else [],
        ),
        choice,
    )


def _drawn(table: Table, sizes: Mapping[str, Sequence[int]]) -> Table:
    """The table with the bytes of each class over time, for a terminal."""
    from heapscope.cli.common.sparkline import blocks, sparkline

    bars = blocks()
    lines = [sparkline(sizes[name], _COURSE_WIDTH, bars) for name in table.column("class_name")]
    return type(table)({**table.columns, _COURSE.name: lines})


def _growth_table(growth: Sequence[ClassGrowth]) -> Table:
    """The columns of `Snapshots.trend_table` for patterns."""
    from heapscope.table import Table

    return Table(
        {
            "class_name": [one.class_name for one in growth],
            "instance_count_first": [one.instance_counts[0] for one in growth],
            "instance_count_last": [one.instance_counts[-1] for one in growth],
            "instance_count_delta": [one.instance_count_delta for one in growth],
            "instance_count_per_snapshot": [one.instance_count_per_snapshot for one in growth],
            "shallow_bytes_first": [one.shallow_bytes[0] for one in growth],
            "shallow_bytes_last": [one.shallow_bytes[-1] for one in growth],
            "shallow_bytes_delta": [one.shallow_bytes_delta for one in growth],
            "shallow_bytes_per_snapshot": [one.shallow_bytes_per_snapshot for one in growth],
            "is_growing": [one.is_growing for one in growth],
        }
    )
