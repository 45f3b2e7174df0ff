"""``heapscope diff``: what changed between two snapshots, or differs between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines, total
from heapscope.cli.common.arguments import (
    DUMP,
    TwoRuns,
    dumps_argument,
    expanded,
    force_series_option,
    reading_options,
)
from heapscope.cli.common.output import show, table_options
from heapscope.cli.common.progress import work
from heapscope.parser.numbered import split_number
from heapscope.reporter.growth_notes import note_text

if TYPE_CHECKING:
    from heapscope.analysis.growth.comparison import Comparison

_COLUMNS = (
    Column("instance_count_before", "instances\nbefore", 3),
    Column("instance_count_after", "instances\nafter", 2),
    Column("instance_count_delta", "instances\nchange", 0, is_signed=True),
    Column("shallow_bytes_before", "shallow bytes\nbefore", 3),
    Column("shallow_bytes_after", "shallow bytes\nafter", 2),
    Column("shallow_bytes_delta", "shallow bytes\nchange", 0, is_signed=True),
    Column("class_name", "class", is_text=True),
)
_SUMS = tuple(column.name for column in _COLUMNS[:-1])
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


@click.command(cls=TwoRuns)
@dumps_argument
@click.option(
    "--vs",
    metavar="DUMP...",
    type=DUMP,
    multiple=True,
    help="Dumps of another run: what grows in the first run and not in this one.",
)
@force_series_option
@reading_options
@table_options(*_COLUMNS)
def diff(
    dumps: tuple[Path, ...], vs: tuple[Path, ...], force_series: bool, reading: dict[str, Any], choice: Choice
) -> None:
    """Classes whose instances or bytes changed between two DUMPs, the largest growth first.

    With --vs two runs are compared, such as one that reads from HDFS and one that reads local files:
    classes that grow in one of them.

    \b
    heapscope diff before.hprof after.hprof
    heapscope diff hdfs-*.hprof --vs local-*.hprof
    """
    from heapscope.analysis.growth.snapshot_order import put_in_order
    from heapscope.analysis.snapshots import Snapshots, snapshots

    if vs:
        _diff_runs(dumps, vs, force_series, reading, choice)
        return
    if len(dumps) > 2 or (len(dumps) == 1 and not dumps[0].is_file()):
        raise click.UsageError(f"diff compares 2 dumps, {len(dumps)} given; --vs compares two runs of many.")
    with work() as at:
        found = snapshots(dumps, at.progress, directories=False, **reading)
    if len(found) != 2:  # one file may hold two class histograms
        raise click.UsageError(f"diff compares 2 dumps, {len(found)} given; --vs compares two runs of many.")
    # In order of time; asked for is the order of the command line.
    first = split_number(dumps[0])
    is_reversed = (found[0].path, found[0].number) != (first[0], first[1] or found[0].number)
    if len(dumps) == 2 and reading["order"] is None and not all(one.is_dated for one in found):
        given = put_in_order([*reversed(found)] if is_reversed else found, "given")
        found, is_reversed = Snapshots(given, raw_names=found.raw_names), False
    table = found.diff_table(-1, 0) if is_reversed else found.diff_table(0, -1)
    show(
        Answer(
            "diff",
            table,
            _COLUMNS,
            [found[-1], found[0]] if is_reversed else found,
            totals=total(table, *_SUMS),
            total_label="all that changed",
            rows_are=("class that changed", "classes that changed"),
            heading=snapshot_lines([found[-1], found[0]] if is_reversed else found),
            notes=["the second dump is the older one"] if is_reversed else [],
        ),
        choice,
    )


def _diff_runs(
    dumps: tuple[Path, ...], vs: tuple[Path, ...], force_series: bool, reading: dict[str, Any], choice: Choice
) -> None:
    """``diff A... --vs B...``."""
    from heapscope.analysis.snapshots import snapshots

    with work() as at:
        first = snapshots(expanded(dumps), at.progress, **reading)
        second = snapshots(expanded(vs), at.progress, **reading)
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
        f"{run}: {note_text(note)}"
        for run, grown in (("A", compared.first), ("B", compared.second))
        for note in grown.notes
    ]
