"""``heapscope suspects``: what retains a large share of the heap."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Choice, snapshot_lines
from heapscope.cli.common.arguments import dump_argument, graph_options, secrets_option
from heapscope.cli.common.notebook_output import draw
from heapscope.cli.common.opened_heap import opened, reachability_lines
from heapscope.cli.common.output import document_options, json_text, snapshot_facts, write, write_lines

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.heap.retention.cut_arrays import CutArrays
    from heapscope.table import Table

_CONSUMERS = 5


@click.command()
@dump_argument
@click.option(
    "--share",
    type=click.FloatRange(0, 100, min_open=True),
    default=10.0,
    help="Least percentage of the reachable heap that a suspect retains.  [default: 10]",
)
@click.option(
    "--waste",
    is_flag=True,
    help="Also duplicate strings, empty and sparse collections, thread locals, and classes that "
    "several loaders loaded.",
)
@secrets_option
@graph_options
@document_options()
def suspects(
    dump: Path,
    share: float,
    waste: bool,
    show_secrets: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """Leak suspects of DUMP: objects that retain a large share of what is reachable, with the point
    where things pile up, and classes whose instances do so together; then memory outside of the heap
    that objects stand for, and the classes, packages and class loaders that retain most.

    \b
    heapscope suspects worker-3.hprof
    """
    from heapscope.analysis.growth.snapshot import snapshot_of
    from heapscope.analysis.leaks.resident import resident_memory
    from heapscope.heap.retention.cut_arrays import find_cut_arrays
    from heapscope.heap.retention.off_heap import find_off_heap
    from heapscope.heap.retention.suspects import describe_suspect, find_suspects
    from heapscope.reporter.off_heap import off_heap_lines

    with opened(dump, following) as heap:
        found = find_suspects(heap.graph, share / 100)
        snapshot = snapshot_of(heap)
        outside = find_off_heap(heap.graph)
        consumers = heap.consumers
        tables = {
            "class": consumers.by_class.head(_CONSUMERS),
            "package": consumers.by_package.head(_CONSUMERS),
            "loader": consumers.by_loader.head(_CONSUMERS),
        }
        reachable = reachability_lines(heap)
        implied = heap.roots.implied_count
        cut = find_cut_arrays(heap.graph) if waste else None
        wasted = _waste(heap, cut, show_secrets=show_secrets) if waste else {}
    resident = resident_memory(snapshot, outside)
    if choice.format == "json":
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "suspects",
            "snapshots": [snapshot_facts(snapshot)],
            "reachability": list(found.reachability.rows()),
            **({"implied_root_count": implied} if implied else {}),
            "reachable_bytes": found.reachable_bytes,
            "suspects": [asdict(suspect) for suspect in found],
            "off_heap": asdict(outside),
            "resident_memory": None if resident is None else asdict(resident),
            "consumers": {kind: list(table.rows()) for kind, table in tables.items()},
            **({} if cut is None else {"strings_cut_to_bytes": cut.kept_bytes}),
            **{name.replace(" ", "_"): list(table.rows()) for name, table in wasted.items()},
        }
        write(json_text(document), choice)
        return
    if choice.path is None and not waste and draw(found):
        return
    lines = [*snapshot_lines([snapshot]), *reachable, ""]
    if not len(found):
        lines.append(f"No object and no class retains {share:g} % of the reachable heap.")
    for number, suspect in enumerate(found, 1):
        first, *rest = describe_suspect(suspect)
        lines += [f"Suspect {number}: {first}", *(f"    {line}" for line in rest), ""]
    lines += ["", "Outside the heap:", *(f"  {line}" for line in off_heap_lines(outside, resident))]
    for kind, table in tables.items():
        lines += ["", f"Retained bytes by {kind}, with the number of instances:"]
        lines += [
            f"  {row['retained_bytes']:>15,}  {row['name']} ({row['instance_count']:,})"
            for row in table.rows()
        ]
    for name, table in wasted.items():
        lines += ["", f"{name.capitalize()}:"]
        said = [f"  {cut}"] if cut is not None and name == "duplicate strings" else []
        said += [f"  {_WASTE_LINES[name].format(**row)}" for row in table.rows()]
        lines += said or ["  none"]
    write_lines(lines, choice)


_WASTE_LINES = {
    "duplicate strings": "{wasted_bytes:>12,} bytes  {string_count:,} x {text!r}",
    "wasteful collections": "{wasted_bytes:>12,} bytes  {collection_count:,} x {kind} {class_name}",
    "thread locals": "{retained_bytes:>12,} bytes  {thread_name}: {value_class}",
    "duplicate classes": "{loader_count:>5,} loaders  {class_name}: {loaders}",
}


def _waste(heap: Heap, cut: CutArrays | None, *, show_secrets: bool) -> dict[str, Table]:
    from heapscope.heap.objects.secret_texts import masked_text
    from heapscope.heap.retention import waste

    has_texts = cut is None or cut.kept_bytes > 0
    strings = waste.duplicate_strings(heap.graph, _CONSUMERS).head(_CONSUMERS if has_texts else 0)
    locals_ = waste.thread_locals(heap.graph, _CONSUMERS)
    if not show_secrets:
        texts = [masked_text(heap.graph, 0, text) for text in strings.column("text")]
        strings = type(strings)({**strings.columns, "text": texts})
        threads = [masked_text(heap.graph, 0, name) for name in locals_.column("thread_name")]
        locals_ = type(locals_)({**locals_.columns, "thread_name": threads})
    return {
        "duplicate strings": strings,
        "wasteful collections": waste.wasteful_collections(heap.graph, _CONSUMERS),
        "thread locals": locals_,
        "duplicate classes": waste.duplicate_classes(heap.graph).head(_CONSUMERS),
    }
