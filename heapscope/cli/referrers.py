"""``heapscope referrers``: who refers to an object, or to all instances of a class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines
from heapscope.cli.common.arguments import Subject, dump_argument, graph_options, objects_of, subject_argument
from heapscope.cli.common.opened_heap import opened
from heapscope.cli.common.output import show, table_options
from heapscope.reporter.text import plural

_COLUMNS = (
    Column("level", "level"),
    Column("target_count", "referred\nto"),
    Column("referrer_count", "referrers"),
    Column("dominated_bytes", "dominated\nbytes", importance=2),
    Column("shallow_bytes", "shallow\nbytes", importance=4),
    Column("example", "example", importance=1, is_text=True),
    Column("class_name", "class", importance=3, is_text=True),
    Column("reference", "reference", is_text=True),
)


@click.command()
@dump_argument
@subject_argument
@click.option(
    "--levels",
    type=click.IntRange(1, 20),
    default=1,
    help="How many steps away from the object; 2 shows the referrers' referrers too.  [default: 1]",
)
@click.option("--no-subclasses", is_flag=True, help="The named classes only, not what extends them.")
@graph_options
@table_options(*_COLUMNS)
def referrers(
    dump: Path,
    subject: Subject,
    levels: int,
    no_subclasses: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """Who refers to one object of DUMP (0xADDRESS) or to the instances of a CLASS, grouped by class
    and field, level by level: incoming references. Each level has the referrers of the one before.

    "Referred to" is how many objects of the level before are referred to that way.

    \b
    heapscope referrers worker-3.hprof com.acme.Session
    """
    from heapscope.analysis.growth.snapshot import snapshot_of
    from heapscope.heap.retention.referrers import referrers_by_level

    with opened(dump, following) as heap:
        members = objects_of(heap, subject, subclasses=not no_subclasses)
        table = referrers_by_level(heap.graph, members.indices, levels)
        found = [snapshot_of(heap)]
        heading = [*snapshot_lines(found), f"{plural(len(members), 'object')} of {subject.text}"]
    show(
        Answer("referrers", table, _COLUMNS, found, rows_are=("reference", "references"), heading=heading),
        choice,
    )
