"""``heapscope paths``: what keeps an object, or all instances of a class, alive."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice, snapshot_lines
from heapscope.cli.common.arguments import Subject, dump_argument, graph_options, objects_of, subject_argument
from heapscope.cli.common.notebook_output import draw, is_drawing
from heapscope.cli.common.opened_heap import opened
from heapscope.cli.common.output import document_options, json_text, snapshot_facts, write, write_lines
from heapscope.reporter.text import plural

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.heap.heap import Heap


@click.command()
@dump_argument
@subject_argument
@click.option("--count", type=click.IntRange(1), default=3, help="Paths to one object.  [default: 3]")
@click.option(
    "--branches",
    type=click.IntRange(1),
    default=8,
    help="Branches at each fork.  [default: 8]",
)
@click.option("--no-subclasses", is_flag=True, help="The named classes only, not what extends them.")
@graph_options
@document_options("Write JSON: all branches, exact values.")
def paths(
    dump: Path,
    subject: Subject,
    count: int,
    branches: int,
    no_subclasses: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """Paths from the GC roots of DUMP to one object (0xADDRESS), the shortest first; or, for a CLASS, the
    paths to all its instances merged into a tree of steps Class.field, each with how many
    instances are held that way. An instance that several hold is counted under each.

    \b
    heapscope paths worker-3.hprof com.acme.Session
    """
    from heapscope.analysis.growth.snapshot import snapshot_of

    is_json = choice.format == "json"
    with opened(dump, following) as heap:
        members = objects_of(heap, subject, subclasses=not no_subclasses)
        if choice.path is None and not is_json and subject.address is None and is_drawing():
            draw(members.paths_to_gc_roots())
            return
        snapshot = snapshot_of(heap)
        if subject.address is not None:
            said = _one(heap, int(members.indices[0]), count, snapshot, is_json)
        else:
            said = _merged(heap, members.indices, subject.text, branches, snapshot, is_json)
    if isinstance(said, str):
        write(said, choice)
    else:
        write_lines(said, choice)


def _one(heap: Heap, index: int, count: int, snapshot: Snapshot, is_json: bool) -> str | list[str]:
    from heapscope.heap.retention import paths as analysis

    found = analysis.paths(heap.graph, index, count)
    if is_json:
        return json_text(_document(snapshot, {"paths": [asdict(path) for path in found]}))
    lines = snapshot_lines([snapshot])
    if not found:
        lines += ["", "unreachable: no GC root leads to it"]
    for path in found:
        if path.strength != "strong":
            lines += ["", f"only {path.strength}ly reachable"]
        lines += ["", *path.lines()]
    return lines


def _merged(
    heap: Heap, members: Any, name: str, branches: int, snapshot: Snapshot, is_json: bool
) -> str | list[str]:
    from heapscope.heap.retention.paths import merged_paths

    found = merged_paths(heap.graph, members)
    if is_json:
        return json_text(_document(snapshot, {"merged_paths": asdict(found)}))
    lines = [*snapshot_lines([snapshot]), f"{plural(found.member_count, 'instance')} of {name}, held by:", ""]
    return [*lines, *found.lines(branches)]


def _document(snapshot: Snapshot, rest: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "paths",
        "snapshots": [snapshot_facts(snapshot)],
        **rest,
    }
