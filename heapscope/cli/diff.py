"""``heapscope diff`` and ``heapscope trend``: what changed between snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines, total
from heapscope.cli.common.arguments import (
    DUMP,
    TwoRuns,
    class_option,
    dumps_argument,
    expanded,
    force_series_option,
    partial_option,
    subclasses_option,
)
from heapscope.cli.common.output import show, table_options
from heapscope.cli.common.progress import work
from heapscope.cli.common.wrapping import wrapped
from heapscope.reporter.growth_notes import note_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heapscope.analysis.growth.comparison import Comparison
    from heapscope.analysis.growth.tables import ClassGrowth
    from heapscope.table import Table

_DIFF_COLUMNS = (
    Column("instance_count_before", "instances\nbefore", 3),
    Column("instance_count_after", "instances\nafter", 2),
    Column("instance_count_delta", "instances\nchange", 0, is_signed=True),
    Column("shallow_bytes_before", "shallow bytes\nbefore", 3),
    Column("shallow_bytes_after", "shallow bytes\nafter", 2),
    Column("shallow_bytes_delta", "shallow bytes\nchange", 0, is_signed=True),
    Column("class_name", "class", is_text=True),
)
_TREND_COLUMNS = (
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
_DIFF_SUMS = tuple(column.name for column in _DIFF_COLUMNS[:-1])
_TREND_SUMS = tuple(column.name for column in _TREND_COLUMNS[:-2])


_RUNS_COLUMNS = (
    Column("outcome", "grows", 1, is_text=True),
    Column("instance_count_a_first", "instances A\nfirst", 3),
    Column("instance_count_a_last", "instances A\nlast", 0),
    Column("instance_count_a_rate", "instances A\nrate", 4, is_signed=True, decimals=1),
    Column("instance_count_b_first", "instances B\nfirst", 3),
    Column("instance_count_b_last", "instances B\nlast", 0),
    Column("instance_count_b_rate", "instances B\nrate", 4, is_signed=True, decimals=1),
    Column("shallow_bytes_a_delta", "shallow bytes A\nchange", 2, is_signed=True),
    Column("shallow_bytes_b_delta", "shallow bytes B\nchange", 2, is_signed=True),
    Column("name", "class", is_text=True),
)


@click.command(cls=TwoRuns, short_help="Classes that changed between two dumps, or two runs.")
@dumps_argument
@click.option(
    "--vs",
    metavar="DUMP...",
    type=DUMP,
    multiple=True,
    help="Dumps of another run: what grows in the first run and not in this one.",
)
@force_series_option
@partial_option
@table_options(
    "shallow_bytes_delta",
    "instance_count_delta",
    "shallow_bytes_after",
    "instance_count_after",
    "shallow_bytes_before",
    "instance_count_before",
    "class_name",
)
def diff(
    dumps: tuple[Path, ...], vs: tuple[Path, ...], force_series: bool, partial: bool, choice: Choice
) -> None:
    """Classes whose instances or bytes changed between two DUMPs, the largest growth first.

    With --vs two runs are compared, such as one that reads from HDFS and one that reads local files:
    classes that grow in one of them.

    \b
    heapscope diff before.hprof after.hprof
    heapscope diff hdfs-*.hprof --vs local-*.hprof
    """
    from heapscope.analysis.snapshots import snapshots

    if vs:
        _diff_runs(dumps, vs, force_series, partial, choice)
        return
    if len(dumps) != 2:
        raise click.UsageError(f"diff compares 2 dumps, {len(dumps)} given; --vs compares two runs of many.")
    before, after = dumps
    with work() as at:
        found = snapshots(at.each([before, after]), at.progress, directories=False, partial=partial)
    # In order of time; asked for is the order of the command line.
    is_reversed = found[0].path != before
    table = found.diff_table(-1, 0) if is_reversed else found.diff_table(0, -1)
    show(
        Answer(
            "diff",
            table,
            _DIFF_COLUMNS,
            [found[-1], found[0]] if is_reversed else found,
            totals=total(table, *_DIFF_SUMS),
            total_label="all that changed",
            rows_are=("class that changed", "classes that changed"),
            heading=snapshot_lines([found[-1], found[0]] if is_reversed else found),
            notes=["the second dump is the older one"] if is_reversed else [],
        ),
        choice,
    )


def _diff_runs(
    dumps: tuple[Path, ...], vs: tuple[Path, ...], force_series: bool, partial: bool, choice: Choice
) -> None:
    """``diff A... --vs B...``."""
    from heapscope.analysis.snapshots import snapshots

    with work() as at:
        first = snapshots(at.each(expanded(dumps)), at.progress, partial=partial)
        second = snapshots(at.each(expanded(vs)), at.progress, partial=partial)
        compared = first.compare(second, force_series=force_series)
    if choice.sort is not None:
        raise click.UsageError("--sort is for two dumps; two runs come in the order of growth.")
    unit = compared.classes[0].unit if compared.classes else "hour"
    show(
        Answer(
            "diff of runs",
            compared.to_table(),
            _RUNS_COLUMNS,
            [*first, *second],
            rows_are=("class that grows in a run", "classes that grow in a run"),
            heading=["A:", *snapshot_lines(first), "B:", *snapshot_lines(second)],
            notes=[f"rates are per {unit}", *_notes(compared)],
        ),
        choice,
    )


def _notes(compared: Comparison) -> list[str]:
    return [
        line
        for run, grown in (("A", compared.first), ("B", compared.second))
        for note in grown.notes
        for line in wrapped(f"{run}: {note_text(note)}").split("\n")
    ]


@click.command(short_help="Growth of every class over all dumps.")
@dumps_argument
@class_option
@subclasses_option
@force_series_option
@partial_option
@table_options(
    "shallow_bytes_per_snapshot",
    "instance_count_per_snapshot",
    "shallow_bytes_delta",
    "instance_count_delta",
    "shallow_bytes_last",
    "instance_count_last",
    "shallow_bytes_first",
    "instance_count_first",
    "is_growing",
    "class_name",
)
def trend(
    dumps: tuple[Path, ...],
    patterns: tuple[str, ...],
    no_subclasses: bool,
    force_series: bool,
    partial: bool,
    choice: Choice,
) -> None:
    """How classes grew from the first DUMP to the last, the largest growth in bytes first.

    A class "grows" if its instances never became fewer and are more in the end. With --class each
    PATTERN is one row, the classes that it names and their subclasses taken together.
    """
    from heapscope.analysis.snapshots import snapshots

    if no_subclasses and not patterns:
        raise click.UsageError("--no-subclasses needs --class.")
    with work() as at:
        found = snapshots(at.each(expanded(dumps)), at.progress, partial=partial)
        found, left_out = (found, "") if force_series else found.of_one_process(at.progress)
    everything = found.trend_table()
    growth = found.watched(patterns, subclasses=not no_subclasses) if patterns else []
    show(
        Answer(
            "trend",
            _growth_table(growth) if patterns else everything,
            _TREND_COLUMNS,
            found,
            totals={} if patterns else total(everything, *_TREND_SUMS),
            rows_are=("pattern", "patterns") if patterns else ("class", "classes"),
            heading=snapshot_lines(found),
            notes=wrapped(left_out).split("\n") if left_out else [],
        ),
        choice,
    )


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
