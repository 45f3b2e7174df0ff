"""``heapscope retained``: the exact retained set of a class or an object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, snapshot_lines, total
from heapscope.cli.common.arguments import Subject, dump_argument, graph_options, objects_of, subject_argument
from heapscope.cli.common.opened_heap import opened
from heapscope.cli.common.output import show, table_options
from heapscope.reporter.text import plural
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.heap.object_set import ObjectSet

_COLUMNS = (
    Column("instance_count", "instances"),
    Column("shallow_bytes", "shallow bytes"),
    Column("class_name", "class", is_text=True),
)
_JNI_GLOBAL = "JNI global"


@click.command()
@dump_argument
@subject_argument
@click.option(
    "--without-roots",
    metavar="KIND",
    multiple=True,
    help="Leave out GC roots of this kind ('JNI global'), and count the objects as held. Repeatable.",
)
@click.option("--no-subclasses", is_flag=True, help="The named classes only, not what extends them.")
@click.option(
    "--class-objects",
    is_flag=True,
    help="Add the class objects to the set, as the retained sizes of Eclipse MAT's histogram do.",
)
@graph_options
@table_options(*_COLUMNS)
def retained(
    dump: Path,
    subject: Subject,
    without_roots: tuple[str, ...],
    no_subclasses: bool,
    class_objects: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """The exact retained set of all instances of a CLASS (with subclasses), or of one object of DUMP:
    what would go if they went, by class. CLASS is a full name, a name without its package, or a glob.

    No dominator tree tells this: objects that are each a GC root, or that share what they hold, retain
    much more together than the sum of their own retained sizes.

    \b
    heapscope retained worker-3.hprof com.acme.Session
    """
    from heapscope.analysis.growth.snapshot import snapshot_of
    from heapscope.parser.tags import ROOT_KIND_NAMES

    for kind in without_roots:
        if kind not in ROOT_KIND_NAMES.values():
            raise click.BadOptionUsage(
                "without_roots",
                f"no GC root is of kind {kind!r}; kinds: {', '.join(ROOT_KIND_NAMES.values())}.",
            )
    with opened(dump, following) as heap:
        if subject.address is None:
            members = heap.objects(subject.text, not no_subclasses, class_objects=class_objects)
        else:
            members = objects_of(heap, subject)
        kept = members.retained(without_roots)
        table = kept.histogram()
        found = [snapshot_of(heap)]
        heading = [*snapshot_lines(found), *_summary(heap, members, kept, subject.text, without_roots)]
    show(
        Answer(
            "retained set",
            table,
            _COLUMNS,
            found,
            totals=total(table, "instance_count", "shallow_bytes"),
            heading=heading,
        ),
        choice,
    )


def _summary(
    heap: Heap, members: ObjectSet, kept: ObjectSet, name: str, without_roots: tuple[str, ...]
) -> list[str]:
    """The figures that matter, each with what it means."""
    whole = members.retained_bytes(without_roots)
    each = f", {format_bytes(whole / len(members))} each" if len(members) > 1 else ""
    without = f" without roots of kind {', '.join(without_roots)}" if without_roots else ""
    lines = [
        f"{plural(len(members), 'instance')} of {name}: {format_bytes(members.shallow_bytes)} shallow",
        f"retained set{without}: {plural(len(kept), 'object')}, "
        f"{format_bytes(whole)} ({whole:,} bytes){each}",
    ]
    if len(members) > 1:
        alone = members.dominated_bytes
        lines.append(f"in the dominator tree, one by one: {format_bytes(alone)} ({alone:,} bytes)")
    held_count = members.root_record_count(_JNI_GLOBAL)
    if held_count and not without_roots:
        other = members.retained_bytes([_JNI_GLOBAL])
        lines.append(
            f"{plural(held_count, 'root record')} of kind {_JNI_GLOBAL} on them; were there none of "
            f"that kind, they would retain {format_bytes(other)} ({other:,} bytes)"
        )
    return lines
