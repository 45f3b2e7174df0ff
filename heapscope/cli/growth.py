"""``heapscope growth``: what grows over many snapshots, how fast, how sure, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.analysis.growth.notes import NoteKind
from heapscope.cli.common.answer import TERMINAL_ROWS, Answer, Choice, Column, footer, snapshot_lines
from heapscope.cli.common.arguments import (
    dumps_argument,
    expanded,
    force_series_option,
    limit_option,
    reading_options,
    work_counts,
)
from heapscope.cli.common.output import show, table_options, write_lines
from heapscope.cli.common.progress import work
from heapscope.reporter.forecast import forecast_line
from heapscope.reporter.growth_notes import note_text
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_count, format_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth
    from heapscope.analysis.growth.statistics import Rate
    from heapscope.table import Table

_BY = ("class", "class+", "package", "loader", "path")
_PLURALS = {
    "class": "classes",
    "class+": "classes",
    "package": "packages",
    "loader": "loaders",
    "path": "paths",
}


_QUANTITIES = (
    ("instance_count", "instances"),
    ("shallow_bytes", "shallow bytes"),
    ("retained_bytes", "retained bytes"),
)
# What `_columns` may have: the unit is the hour, or one snapshot where their times are not known.
_SORTED_BY = (
    *(
        Column(f"{what}_{name}", f"{label}\n{head}")
        for what, label in _QUANTITIES
        for name, head in (
            ("per_hour", "per hour"),
            ("last", "last"),
            ("first", "first"),
            ("delta", "change"),
        )
    ),
    Column("verdict", "verdict"),
    Column("confidence", "confidence"),
    Column("name", "class"),
)
_ALSO_SORTED_BY = (
    *(
        Column(f"{what}_{name}", f"{label}\n{head}")
        for what, label in _QUANTITIES
        for name, head in (
            ("per_snapshot", "per snapshot"),
            ("per_operation", "per operation"),
            ("per_hour_low", "from"),
            ("per_hour_high", "to"),
            ("per_snapshot_low", "per snapshot low"),
            ("per_snapshot_high", "per snapshot high"),
        )
    ),
    *(Column("name", label) for label in ("package", "loader", "path")),
)
_WHOLE = {"too few": "seen twice"}
_WHY_NOT = {"too few": "was seen twice only", "steady": "is steady", "grows": "has no limit that is known"}
_WHY_NOT["perhaps grows"] = _WHY_NOT["grows"]


@click.command()
@dumps_argument
@click.option(
    "--by",
    type=click.Choice(_BY),
    default="class",
    help="'class+' counts subclasses too; 'path' is the shortest path from the GC roots.  [default: class]",
)
@click.option("--retained", is_flag=True, help="Follow references: retained sizes too.")
@limit_option
@click.option(
    "--work",
    "work_done",
    metavar="N,N,...",
    callback=work_counts,
    help="Operations done by the time of each DUMP; by default 'work_count' of the sidecars.",
)
@click.option(
    "--warm-up",
    metavar="N",
    type=int,
    help="First snapshots that rates leave out.  [default: found by itself]",
)
@click.option("--all", "everything", is_flag=True, help="Show also what does not grow.")
@force_series_option
@reading_options
@table_options(*_SORTED_BY, also=_ALSO_SORTED_BY)
def growth(
    dumps: tuple[Path, ...],
    by: Any,
    retained: bool,
    limit_bytes: int | None,
    work_done: tuple[float, ...] | None,
    warm_up: int | None,
    everything: bool,
    force_series: bool,
    reading: dict[str, Any],
    choice: Choice,
) -> None:
    """What grows over the DUMPS, the fastest first, with the range that the rate lies in.

    A class "grows" if it rises beyond chance (4 dumps at least), still does, and falls back little; of
    3 dumps it "perhaps" grows. Dumps of one process are compared; of several processes the one with
    most dumps is taken.

    \b
    heapscope growth worker-3-*.hprof.gz --limit 4G
    """
    from heapscope.analysis.snapshots import snapshots

    with work() as at:
        found = snapshots(
            expanded(dumps), at.progress, follows=retained or by in ("loader", "path"), **reading
        )
        found, left_out = (found, "") if force_series else found.of_one_process(at.progress, least=2)
        grown = found.growth(
            by, retained=retained, force_series=force_series, warm_up=warm_up, work=work_done,
            limit_bytes=limit_bytes, progress=at.progress,
        )  # fmt: skip
    notes = [left_out] if left_out else []
    table = grown.to_table(series=choice.format == "json")
    rows = [row for row, key in enumerate(grown.keys) if everything or key.may_grow or key.is_larger]
    sort = choice.sort
    if sort is not None and sort not in table.columns:
        sort = sort.replace("_per_hour", f"_per_{grown.unit}")  # "from" and "to" are of either unit
        if sort not in table.columns:
            raise click.UsageError(f"--sort {choice.sort}: these snapshots have no such column.")
        choice = replace(choice, sort=sort)
    answer = Answer(
        "growth",
        table.take(rows),
        _columns(grown, table),
        list(grown.snapshots),
        rows_are=(by.removesuffix("+"), _PLURALS[by]) if everything else _growing(by, grown),
        heading=[*snapshot_lines(grown.snapshots), *notes, *summary(grown)],
        notes=[*map(note_text, grown.notes)],
        facts=_facts(grown, notes),
    )
    if by == "path" and choice.format == "text":
        write_lines(_path_lines(answer, grown, rows, choice), choice)
    else:
        show(answer, choice)


def _path_lines(answer: Answer, grown: Growth, rows: Sequence[int], choice: Choice) -> list[str]:
    """A path is longer than any column of a table: paths are listed one below the other."""
    import sys

    limit = choice.rows
    if limit is None and choice.path is None and sys.stdout.isatty():
        limit = TERMINAL_ROWS
    shown = list(rows)[: limit or None]
    lines = [*answer.heading, ""]
    for row in shown:
        key = grown.keys[row]
        retained = key.retained or key.shallow
        rate = retained.per_snapshot if grown.axis.hours is None else retained.per_hour
        speed = f", {_with_range(rate)} per {grown.unit}" if rate else ""
        counts = " ".join([format_count(key.instance_counts[0]), "->", format_count(key.instance_counts[-1])])
        sizes = f"{format_bytes(retained.values[0])} -> {format_bytes(retained.values[-1])}"
        lines += [f"{key.verdict}: {counts} instances retain {sizes}{speed}", f"    {key.name}", ""]
    return [*lines, footer(answer, len(shown)), *answer.notes]


def _growing(by: str, grown: Growth) -> tuple[str, str]:
    what = {"class+": "class with its subclasses"}.get(by, by), _PLURALS[by]
    does = "that changed" if grown.axis.count - grown.axis.skip < 3 else "that may grow"
    does = does if not grown.growing else "that grows"
    return f"{what[0]} {does}", f"{what[1]} {does.replace('grows', 'grow')}"


def _columns(grown: Growth, table: Table) -> list[Column]:
    unit = grown.unit
    per = f"_per_{unit}"
    columns = [Column("verdict", "verdict", 1, is_text=True)]
    for what, label, importance in (
        ("instance_count", "instances", 2),
        ("shallow_bytes", "shallow bytes", 0),
        ("retained_bytes", "retained bytes", 0),
    ):
        if what == "retained_bytes" and grown.whole.retained is None:
            continue
        fastest = max(map(abs, table.column(f"{what}{per}")), default=0)
        digits = 0 if fastest >= 1000 else 1 if fastest >= 1 else 3
        columns += [
            Column(f"{what}_first", f"{label}\nfirst", importance + 4),
            Column(f"{what}_last", f"{label}\nlast", importance + 1 if what == "instance_count" else 4),
            Column(f"{what}{per}", f"{label}\nper {unit}", importance, is_signed=True, decimals=digits),
            Column(f"{what}{per}_low", f"{label}\nfrom", importance + 5, is_signed=True, decimals=digits),
            Column(f"{what}{per}_high", f"{label}\nto", importance + 5, is_signed=True, decimals=digits),
        ]
        if grown.axis.operations is not None:
            columns.append(
                Column(
                    f"{what}_per_operation",
                    f"{label}\nper operation",
                    importance + 3,
                    is_signed=True,
                    decimals=3,
                )
            )
    names = {"class": "class", "class+": "class", "package": "package", "loader": "loader", "path": "path"}
    return [*columns, Column("name", names[grown.by], is_text=True)]


def summary(grown: Growth) -> list[str]:
    """The whole heap in a line, each forecast in one, and how many grow."""
    whole = grown.whole.shallow
    lines = [f"whole heap, {_WHOLE.get(whole.verdict, whole.verdict)}: {_rate(grown)}"]
    if whole.since > grown.axis.skip:
        lines.append(
            f"so since {format_time(grown.snapshots[whole.since].captured_at)}, before that it was otherwise"
        )
    lines += [forecast_line(one, grown.snapshots[-1].captured_at) for one in grown.forecasts]
    is_told = any(note.kind in (NoteKind.NO_FORECAST, NoteKind.GARBAGE_GROWS) for note in grown.notes)
    if not grown.forecasts and grown.axis.hours is not None and not is_told:
        lines.append(f"no forecast: the heap {_WHY_NOT.get(whole.verdict, whole.verdict)}")
    chance = grown.expected_by_chance
    if grown.growing and grown.by == "class":
        count = len(grown.growing)
        lines.append(
            f"{plural(count, 'class', 'classes')} of {len(grown):,} grow{'s' * (count == 1)}; "
            f"by chance alone it would be {ceil(chance):,} at most"
        )
    return lines


def _rate(grown: Growth) -> str:
    whole = grown.whole.shallow
    rate = whole.per_snapshot if grown.axis.hours is None else whole.per_hour
    ends = f"{format_bytes(whole.values[0])} -> {format_bytes(whole.values[-1])}"
    if rate is None:
        return ends
    return f"{ends}, {_with_range(rate)} per {grown.unit}"


def _with_range(rate: Rate) -> str:
    text = format_bytes(rate.value, signed=True)
    if rate.low is None or rate.high is None:
        return text
    ends = f"{format_bytes(rate.low, signed=True)} to {format_bytes(rate.high, signed=True)}"
    return f"{text} ({ends}, {rate.confidence:.0%} sure)"


def _facts(grown: Growth, notes: Sequence[str]) -> dict[str, Any]:
    whole = {name: getattr(grown.whole, name) for name in ("verdict", "instance_counts", "shallow_bytes")}
    whole["shallow_bytes_rate"] = {
        unit: asdict(rate) if rate else None
        for unit, rate in (
            ("per_hour", grown.whole.shallow.per_hour),
            ("per_snapshot", grown.whole.shallow.per_snapshot),
        )
    }
    return {
        "by": grown.by,
        "warm_up": grown.axis.skip,
        "whole_heap": whole,
        "forecasts": [asdict(one) for one in grown.forecasts],
        "growing_count": len(grown.growing),
        "expected_by_chance": grown.expected_by_chance,
        "remarks": [*notes, *map(note_text, grown.notes)],
    }
