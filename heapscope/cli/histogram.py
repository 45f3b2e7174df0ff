"""``heapscope histogram``: instances and bytes of every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines, total
from heapscope.cli.common.arguments import dump_argument, graph_options
from heapscope.cli.common.opened_heap import opened
from heapscope.cli.common.output import show, table_options
from heapscope.cli.common.progress import work

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.parser.layout.vm_objects import VmObjects

_COLUMNS = (
    Column("instance_count", "instances"),
    Column("shallow_bytes", "shallow bytes"),
    Column("class_name", "class", is_text=True),
)
_RETAINED = Column("retained_bytes", "retained bytes")


def _notes(found: VmObjects | None) -> list[str]:
    """How sure the figures of --as-jvm are."""
    if found is None or not (found.filler_count or found.unsure_count):
        return []
    if found.unsure_count:
        return [
            f"the dump has garbage: {found.unsure_count:,} int[] that nothing refers to may be garbage or "
            f"the "
            f"JVM's {found.filler_name}, and all count as int[]"
        ]
    return [
        f"{found.filler_count:,} int[] that nothing refers to count as the JVM's {found.filler_name}: "
        f"exact in a "
        "dump of live objects, too many where some are garbage"
    ]


def _facts(found: VmObjects | None) -> dict[str, Any]:
    return {} if found is None else {"vm_objects": asdict(found)}


@click.command()
@dump_argument
@table_options(*_COLUMNS, _RETAINED)
@click.option(
    "--retained",
    is_flag=True,
    help="Also what the instances of each class retain in the dominator tree, and sort by that.",
)
@graph_options
@click.option(
    "--as-jvm",
    is_flag=True,
    help="Count what 'jcmd GC.class_histogram' counts: also class objects of classes that were never "
    "loaded, and filler arrays, which a dump hides.",
)
def histogram(dump: Path, choice: Choice, as_jvm: bool, retained: bool, following: dict[str, Any]) -> None:
    """Instances and shallow bytes of every class in DUMP, the largest first.

    \b
    heapscope histogram worker-3.hprof --top 20
    """
    from heapscope.analysis.growth.snapshot import read_snapshot, snapshot_of

    if choice.sort == "retained_bytes" and not retained:
        raise click.UsageError("--sort retained_bytes needs --retained.")
    if retained or following["semantics"] == "mat":
        if as_jvm:
            raise click.UsageError("--as-jvm does not go with --retained or --semantics mat.")
        with opened(dump, following) as heap:
            found: Sequence[Snapshot] = [snapshot_of(heap)]
            table = heap.retained_histogram() if retained else found[0].histogram
    else:
        with work() as at:
            at.name(dump)
            found = [read_snapshot(dump, at.progress, as_jvm=as_jvm, partial=following["partial"])]
        table = found[0].histogram
    show(
        Answer(
            "class histogram",
            table,
            (_RETAINED, *_COLUMNS) if retained else _COLUMNS,
            found,
            totals=total(table, "instance_count", "shallow_bytes"),
            heading=snapshot_lines(found),
            notes=_notes(found[0].vm_objects),
            facts=_facts(found[0].vm_objects),
        ),
        choice,
    )
