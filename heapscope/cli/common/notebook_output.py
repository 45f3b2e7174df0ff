"""Answers drawn as HTML where a notebook shows what a command says; text everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from heapscope.cli.common.answer import Answer, footer, text_rows

if TYPE_CHECKING:
    from heapscope.table import Table

_drawn: ContextVar[list[object] | None] = ContextVar("drawn", default=None)
_display: ContextVar[Callable[[str], None] | None] = ContextVar("display", default=None)


@contextmanager
def drawing(display: Callable[[str], None]) -> Iterator[list[object]]:
    """Answers are drawn with ``display``, which shows HTML, while the block runs; gives what was drawn."""
    drawn: list[object] = []
    token, other = _display.set(display), _drawn.set(drawn)
    try:
        yield drawn
    finally:
        _display.reset(token)
        _drawn.reset(other)


def is_drawing() -> bool:
    """Whether answers are drawn."""
    return _display.get() is not None


def draw(thing: object) -> bool:
    """Draw an answer if answers are drawn and it has a card; returns whether it was drawn."""
    display = _display.get()
    if display is None:
        return False
    from heapscope.reporter.notebook.cards import html_of

    html = html_of(thing)
    if html is None:
        return False
    display(html)
    _remember(thing)
    return True


def _remember(thing: object) -> None:
    drawn = _drawn.get()
    if drawn is not None:
        drawn.append(thing)


def draw_answer(answer: Answer, shown: Table) -> None:
    """Draw a table, with all that its text has."""
    from heapscope.reporter.notebook.html import card, escaped, grid, name_cell, number_cell, text_cell

    display = _display.get()
    assert display is not None
    rows, totals = text_rows(answer, shown)
    # Names first, as people read; on a terminal they are last, where they may be of any length.
    order = [len(answer.columns) - 1, *range(len(answer.columns) - 1)]
    cells = []
    for row in [*rows, *([totals] if totals else [])]:
        cells.append(
            [
                name_cell(row[place])
                if place == order[0]
                else (text_cell if answer.columns[place].is_text else number_cell)(row[place])
                for place in order
            ]
        )
    heads = [answer.columns[place].label.replace("\n", " ") for place in order]
    lines = "".join(f"<div>{escaped(line)}</div>" for line in answer.heading)
    notes = "; ".join([footer(answer, shown), *answer.notes])
    display(card("", "", lines + grid(heads, cells, notes)))
    _remember(answer.table)
