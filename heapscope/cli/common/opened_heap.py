"""What the commands that follow references share: the open heap, and what they say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.cli.common.progress import Work, work
from heapscope.reporter.text import plural
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.table import Table


@contextmanager
def opened(dump: Path, following: dict[str, Any]) -> Iterator[Heap]:
    """A dump, open, with a progress bar for what is computed of it."""
    with work() as at, opened_at(at, dump, following) as heap:
        yield heap


@contextmanager
def opened_at(at: Work, dump: Path, following: dict[str, Any]) -> Iterator[Heap]:
    """A dump, open; the progress bar may go before the dump is closed."""
    from heapscope.heap.opening import open as open_heap

    at.name(dump)
    with open_heap(dump, at.progress, follows=True, **following) as heap:
        yield heap


def reachability_lines(heap: Heap) -> list[str]:
    """How much is reachable, and what was taken for GC roots because the dump names none of the kind."""
    lines = [reachability_line(heap)]
    if heap.roots.implied_count:
        lines.append(implied_roots_line(heap.roots.implied_count))
    return lines


def implied_roots_line(count: int) -> str:
    """What is said of a dump without a system class among its GC roots."""
    return (
        f"no GC root record names a system class: the {plural(count, 'class', 'classes')} of the boot loader "
        "are taken for roots"
    )


def reachability_line(heap: Heap) -> str:
    """How many objects and bytes are strongly reachable, and how many are not."""
    words = {"strong": "strongly reachable", "soft": "only softly", "weak": "only weakly"}
    return "; ".join(
        f"{plural(row['object_count'], 'object')} {words.get(row['category'], row['category'])}, "
        f"{format_bytes(row['shallow_bytes'])}"
        for row in heap.reachability().rows()
        if row["object_count"]
    )


def with_addresses(table: Table) -> Table:
    """The table with addresses in place of ``object_id``, without ``object_index``, which only we use."""
    from heapscope.table import Table

    columns = {
        "address" if name == "object_id" else name: (
            [f"0x{value:x}" for value in table.column(name)] if name == "object_id" else values
        )
        for name, values in table.columns.items()
        if name != "object_index"
    }
    return Table(columns)
