"""Cards of a heap, of a snapshot and of snapshots in time: totals, the largest classes, what grew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heapscope.reporter.notebook.html import (
    bar,
    card,
    ends,
    figures,
    grid,
    hint,
    name_cell,
    number_cell,
    sparkline,
    text_cell,
)
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_count, format_duration, format_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.analysis.snapshots import Snapshots
    from heapscope.heap.heap import Heap
    from heapscope.table import Table

_ROWS = 8
_SNAPSHOT_ROWS = 20


def heap_card(heap: Heap) -> str:
    """A heap dump: its totals and its largest classes."""
    histogram = heap.histogram()
    layout = heap.layout
    coverage = heap.coverage
    part = "" if coverage is None else f" · {coverage.summary}"
    under = (
        f"heap dump · captured {format_time(heap.captured_at)} · HPROF {heap.format_version}, "
        f"{heap.identifier_bytes}-byte identifiers · sizes {layout.confidence}{part}"
    )
    totals = figures(
        (format_count(heap.object_count), "objects"),
        (format_bytes(heap.shallow_bytes), "shallow size"),
        (format_count(len(heap.classes)), "classes"),
        (format_count(sum(heap.root_counts().values())), "GC root records"),
    )
    body = totals + _classes(histogram, "Largest classes")
    more = hint("heap.suspects()", "heap.objects('a.B')", "heap.class_histogram()", "heap.dominators().top()")
    return card(heap.path.name, under, body + more)


def _classes(histogram: Table, title: str) -> str:
    whole = max(sum(histogram.column("shallow_bytes")), 1)
    rows = [
        (
            name_cell(row["class_name"]),
            number_cell(format_count(row["instance_count"])),
            number_cell(format_bytes(row["shallow_bytes"])),
            bar(row["shallow_bytes"] / whole),
        )
        for row in histogram.head(_ROWS).rows()
    ]
    rest = len(histogram) - len(rows)
    note = f"and {plural(rest, 'more class', 'more classes')}" if rest > 0 else ""
    return grid((title, "instances", "shallow size", "share"), rows, note)


def snapshot_card(snapshot: Snapshot) -> str:
    """One snapshot: its totals and its largest classes."""
    under = f"{snapshot.kind} · captured {format_time(snapshot.captured_at)} ({snapshot.captured_at_source})"
    totals = figures(
        (format_count(snapshot.object_count), "objects"),
        (format_bytes(snapshot.shallow_bytes), "shallow size"),
        (format_count(len(snapshot.histogram)), "classes with instances"),
    )
    return card(snapshot.name, under, totals + _classes(snapshot.histogram, "Largest classes"))


def snapshots_card(snapshots: Snapshots) -> str:
    """Snapshots in time: a row each, and the classes that grow."""
    if not len(snapshots):
        return card("No snapshots", "", "")
    first, last = snapshots[0], snapshots[-1]
    seconds = (last.captured_at - first.captured_at).total_seconds()
    under = f"from {format_time(first.captured_at)}" + (
        f", over {format_duration(seconds)}" if seconds > 0 else ""
    )
    rows = []
    shown = ends(range(len(snapshots)), _SNAPSHOT_ROWS)
    for place in shown:
        one = snapshots[place]
        before = snapshots[place - 1] if place else None
        change = "" if before is None else format_bytes(one.shallow_bytes - before.shallow_bytes, signed=True)
        rows.append(
            (
                name_cell(one.name),
                text_cell(one.kind if one.is_whole else f"{one.kind}, partial"),
                text_cell(format_time(one.captured_at)),
                number_cell(format_count(one.object_count)),
                number_cell(format_bytes(one.shallow_bytes)),
                number_cell(change),
            )
        )
    left_out = len(snapshots) - len(rows)
    note = f"{plural(left_out, 'more')} between them".replace("mores", "more") if left_out else ""
    body = grid(("Snapshot", "kind", "captured", "objects", "shallow size", "change"), rows, note)
    if len(snapshots) > 1:
        body = _growth_line(snapshots) + body + _grown(snapshots)
    more = hint("snapshots.trend()", "snapshots.diff()", "snapshots.census()")
    return card(plural(len(snapshots), "snapshot"), under, body + more)


def _growth_line(snapshots: Snapshots) -> str:
    sizes = [snapshot.shallow_bytes for snapshot in snapshots]
    counts = [snapshot.object_count for snapshot in snapshots]
    return figures(
        (format_bytes(sizes[-1] - sizes[0], signed=True), "shallow size", sparkline(sizes)),
        (format_count(counts[-1] - counts[0], signed=True), "objects", sparkline(counts)),
    )


def _grown(snapshots: Snapshots) -> str:
    """The classes that grow, or perhaps do; the fastest in bytes first."""
    growing = [row for row in snapshots.trend_table().rows() if row["is_growing"]]
    rows = [
        (
            name_cell(row["class_name"]),
            number_cell(
                f"{format_count(row['instance_count_first'])} → {format_count(row['instance_count_last'])}"
            ),
            number_cell(format_count(row["instance_count_per_snapshot"], signed=True)),
            number_cell(format_bytes(row["shallow_bytes_delta"], signed=True)),
        )
        for row in growing[:5]
    ]
    if not rows:
        return ""
    rest = len(growing) - len(rows)
    note = f"and {plural(rest, 'more class', 'more classes')} that grow" if rest > 0 else ""
    return grid(("Grows", "instances", "per snapshot", "shallow size"), rows, note)
