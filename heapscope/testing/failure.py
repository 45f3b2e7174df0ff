"""What a test that leaves too much in the heap is told: figures, what holds the objects, a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.diagnosis import diagnose
from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import HeapscopeError
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.opening import open as open_heap
from heapscope.parser.generated_names import stable_name
from heapscope.reporter.advice import command
from heapscope.reporter.diagnosis import describe_diagnosis, plain_lines
from heapscope.reporter.text import plural, printable
from heapscope.testing.limits import Exceeded
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap

_CLASSES = 5
_HOLDERS = 4


def failure_text(dump: Callable[[], Path], found: Sequence[Exceeded]) -> str:
    """The text of the failure.

    Parameters
    ----------
    dump : callable () -> Path
        Takes a heap dump, which stays.
    found : sequence of Exceeded
        One at least.
    """
    lines = [line for each in found for line in _figures(each)]
    try:
        path = dump()
        lines += _of_dump(path, found)
    except HeapscopeError as error:  # the growth is what failed: what explains it may fail as well
        lines += ["", f"no heap dump: {error}"]
    return "\n".join(map(printable, lines))


def _figures(each: Exceeded) -> list[str]:
    more = each.after - each.before
    allowed = "none is allowed" if each.limit.most == 0 else f"{format_count(each.limit.most)} allowed"
    lines = [
        f"{plural(more, 'more live instance')} of {each.limit.pattern} than before, {allowed}: "
        f"{format_count(each.before)} -> {format_count(each.after)}"
    ]
    shown = each.classes[:_CLASSES]
    lines += [f"    {name} {format_count(before)} -> {format_count(after)}" for name, before, after in shown]
    if len(each.classes) > len(shown):
        lines.append(f"    and {plural(len(each.classes) - len(shown), 'more class', 'more classes')}")
    return lines


def _of_dump(path: Path, found: Sequence[Exceeded]) -> list[str]:
    lines = []
    with open_heap(path) as heap:
        # Two limits on one class have one answer.
        for held in dict.fromkeys(tuple(_held(heap, each)) for each in found):
            lines += ["", *held]
        diagnosis = diagnose(Snapshots([snapshot_of(heap)]), opened=heap)
    if diagnosis.is_leak:
        lines += ["", *plain_lines(describe_diagnosis(diagnosis))]
    else:
        lines += ["", "It is no known leak."]
    return [*lines, "", f"The heap dump: {path}", f"    {command('suspects', path)}"]


def _held(heap: Heap, each: Exceeded) -> list[str]:
    """What holds the instances of classes that have more than before; which of them are new nobody knows."""
    grown = {name for name, before, after in each.classes if after > before}
    graph = heap.graph
    rows = [place for place, one in enumerate(graph.classes) if stable_name(one.name) in grown]
    members = ObjectSet(graph, np.nonzero(np.isin(graph.columns.class_index, rows))[0])
    if not members:
        return [f"the heap dump, taken a moment later, has no instance of {', '.join(sorted(grown))}"]
    size = format_bytes(members.retained_bytes())
    of = next(iter(grown)) if len(grown) == 1 else f"{len(grown)} classes"
    verb = "retains" if len(members) == 1 else "retain"
    return [
        f"{plural(len(members), 'instance')} of {of}, old and new, {verb} {size}, held by:",
        *(f"    {line}" for line in members.paths_to_gc_roots().lines(_HOLDERS)),
    ]
