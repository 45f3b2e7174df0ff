"""What the commands that follow references share: the open heap, and what they say of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.cli.progress import work
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.analysis.heap import Heap
    from heapscope.analysis.table import Table

_INDENT = 4


@contextmanager
def opened(dump: Path, following: dict[str, Any]) -> Iterator[Heap]:
    """A dump, open, with a progress bar for what is computed of it."""
    from heapscope.analysis.heap import open as open_heap

    with work() as at:
        at.name(dump)
        with open_heap(dump, at.progress, **following) as heap:
            yield heap


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
    """``object_id`` as people write it, ``object_index`` left out: it means nothing outside."""
    from heapscope.analysis.table import Table

    columns = {
        "address" if name == "object_id" else name: (
            [f"0x{value:x}" for value in table.column(name)] if name == "object_id" else values
        )
        for name, values in table.columns.items()
        if name != "object_index"
    }
    return Table(columns)


def folded(line: str) -> str:
    """A line that may hold text of the dump, as the terminal can hold it.

    Broken at its arrows, else between words; whole in a pipe.
    """
    line = printable(line)
    if not sys.stdout.isatty():
        return line
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    indent = " " * (len(line) - len(line.lstrip()) + _INDENT)
    rows, row = [], ""
    for piece in line.split(" -> "):
        joined = f"{row} -> {piece}" if row else piece
        if row and len(joined) > width:
            rows.append(f"{row} ->")
            row = indent + piece
        else:
            row = joined
    wrapped = (
        textwrap.wrap(row, width, subsequent_indent=indent, break_long_words=False, drop_whitespace=False)
        if len(row) > width
        else [row]
        for row in [*rows, row]
    )
    return "\n".join(piece.rstrip() for pieces in wrapped for piece in pieces)
