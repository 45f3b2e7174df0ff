"""``heapscope dominators``: what retains most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines
from heapscope.cli.common.arguments import Subject, dump_argument, graph_options, objects_of
from heapscope.cli.common.opened_heap import opened, reachability_lines, with_addresses
from heapscope.cli.common.output import show, table_options

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.table import Table

_OBJECTS = (
    Column("retained_bytes", "retained bytes"),
    Column("shallow_bytes", "shallow bytes", importance=1),
    Column("address", "address", is_text=True),
    Column("class_name", "class", is_text=True),
)
_GROUPS = (
    Column("retained_bytes", "retained bytes"),
    Column("instance_count", "instances"),
    Column("shallow_bytes", "shallow bytes", importance=1),
    Column("name", "name", is_text=True),
)
_PLURALS = {"class": "classes", "package": "packages", "loader": "loaders"}
_DEFAULT_ROWS = 20


@click.command()
@dump_argument
@click.option("--of", metavar="0xADDRESS", help="What this object immediately dominates.")
@click.option(
    "--by",
    type=click.Choice(["object", *_PLURALS]),
    default="object",
    help="What is summed up.  [default: object]",
)
@graph_options
@table_options(*_OBJECTS, _GROUPS[1], _GROUPS[3])
def dominators(dump: Path, of: str | None, by: str, following: dict[str, Any], choice: Choice) -> None:
    """Objects of DUMP by retained size: what would go if the object went. An object is listed
    where no other one retains it; --of goes a step down the dominator tree.

    Sums by class, package or loader leave out members that another member retains.

    \b
    heapscope dominators worker-3.hprof --by package
    """
    if of is not None and by != "object":
        raise click.UsageError("--of and --by exclude each other.")
    address = None if of is None else _address(of)
    from heapscope.analysis.growth.snapshot import snapshot_of

    count = choice.rows if choice.rows is not None else _DEFAULT_ROWS
    with opened(dump, following) as heap:
        tree = heap.dominators()
        if by != "object":
            table = getattr(heap.consumers, f"by_{by}")
            rows_are = by, _PLURALS[by]
        else:
            # Sorted by something else, the first are not among those that retain most.
            count = 0 if choice.sort not in (None, "retained_bytes") else count
            if address is None:
                table = tree.top(count or tree.top_level.size)
            else:
                table = tree.children(objects_of(heap, Subject("", address))[0].index, count or None)
            table = _with_classes(heap, table, in_text=choice.format == "text")
            rows_are = "object", "objects"
        found = [snapshot_of(heap)]
        heading = [*snapshot_lines(found), *reachability_lines(heap)]
    columns = _OBJECTS if by == "object" else _GROUPS
    show(Answer("dominators", table, columns, found, rows_are=rows_are, heading=heading), choice)


def _with_classes(heap: Heap, table: Table, *, in_text: bool) -> Table:
    """Which class each class object stands for: in a text behind its name, else in a column."""
    from heapscope.heap.objects.java_object import JavaObject

    found = [JavaObject(heap.graph, row).represented_class for row in table.column("object_index")]
    columns = dict(with_addresses(table).columns)
    if in_text:
        columns["class_name"] = [
            name if represented is None else f"{represented.name} (class)"
            for name, represented in zip(table.column("class_name"), found, strict=True)
        ]
    else:
        columns["represents"] = ["" if represented is None else represented.name for represented in found]
    return type(table)(columns)


def _address(text: str) -> int:
    try:
        return int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        raise click.BadOptionUsage("of", f"--of: {text!r} is no address; write 0xfd8cf3c8.") from None
