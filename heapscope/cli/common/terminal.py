"""Tables drawn on a terminal, by rich; only imported where stdout is one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from heapscope.cli.common.answer import (
    Answer,
    encodes,
    footer,
    shorten,
    text_rows,
)
from heapscope.cli.common.wrapping import broken
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.table import Table

_GAP = 2  # between columns: one of padding, one where the box would have its line
_NAME_WIDTH = 30  # below it columns are left out before names are shortened further


def draw(answer: Answer, shown: Table, console: Console | None = None) -> None:
    """Draw a table as wide as the terminal is, no wider.

    Parameters
    ----------
    answer : Answer
    shown : Table
        The rows to draw.
    console : rich.console.Console, optional
        For tests; the terminal by default.
    """
    console = console or Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    rows, totals = text_rows(answer, shown)
    kept, widths = _fitting_columns(answer, rows, totals, console.width)
    name_width = max(1, console.width - sum(width + _GAP for width in widths[:-1]))
    ellipsis = "…" if encodes("…", sys.stdout) else "..."
    for line in answer.heading:
        console.print(Text("\n".join(broken(printable(line), console.width))), soft_wrap=True)
    console.print()
    grid = Grid(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        pad_edge=False,
        show_footer=bool(totals),
    )
    for place, width in zip(kept, widths, strict=True):
        column = answer.columns[place]
        is_last = place == kept[-1]
        grid.add_column(
            Text(column.label),
            Text(totals[place]) if totals else "",
            justify="left" if column.is_text else "right",
            vertical="bottom",
            no_wrap=True,
            width=None if is_last else width,
            header_style="bold",
            footer_style="bold",
        )
    for row in rows:
        cells = [Text(row[place]) for place in kept]
        cells[-1] = Text(shorten(row[kept[-1]], name_width, ellipsis))
        grid.add_row(*cells)
    console.print(grid)
    console.print()
    console.print(Text(footer(answer, len(shown)), style="dim"))
    left_out = len(answer.columns) - len(kept)
    if left_out:
        plural = "columns" if left_out > 1 else "column"
        console.print(
            Text(f"{left_out} more {plural} in a wider terminal, with --csv or --json", style="dim")
        )
    for line in answer.notes:
        console.print(Text("\n".join(broken(printable(line), console.width)), style="dim"), soft_wrap=True)


def _fitting_columns(
    answer: Answer, rows: Sequence[Sequence[str]], totals: Sequence[str], width: int
) -> tuple[list[int], list[int]]:
    """Columns that fit into ``width`` beside names of a readable length, and how wide each is."""
    heads = [column.label.split("\n") for column in answer.columns]
    widths = [
        max(
            map(
                cell_len, [*heads[place], *(row[place] for row in rows), *([totals[place]] if totals else [])]
            )
        )
        for place in range(len(answer.columns))
    ]
    kept = list(range(len(answer.columns)))
    while sum(widths[place] + _GAP for place in kept[:-1]) + min(widths[-1], _NAME_WIDTH) > width:
        droppable = [place for place in kept if answer.columns[place].importance]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda place: (answer.columns[place].importance, place)))
    return kept, [widths[place] for place in kept]
