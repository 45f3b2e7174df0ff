"""Answers drawn as HTML where a notebook shows what a command says; text everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

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
    remember(thing)
    return True


def remember(thing: object) -> None:
    """Keep what a command has shown or printed, if answers are drawn: ``df = %heapscope ...`` gives it."""
    drawn = _drawn.get()
    if drawn is not None:
        drawn.append(thing)


def draw_answer(answer: Answer, shown: Table) -> None:
    """Draw the rows of a whole answer that are shown, and what belongs together in one cell.

    Names are first, as people read; on a terminal they are last, where they may be of any length.
    """
    from heapscope.reporter.notebook.html import card, escaped, grid, name_cell, number_cell, text_cell

    display = _display.get()
    assert display is not None
    rows, totals = text_rows(answer, shown)
    merged = _merged(answer)
    heads = [answer.columns[-1].label, *(label for label, _ in merged)]
    cells = []
    for row in [*rows, *([totals] if totals else [])]:
        made = [name_cell(row[-1])]
        for _, places in merged:
            if answer.columns[places.first].is_text:
                made.append(text_cell(row[places.first]))
            else:
                made.append(number_cell(*_lines_of(answer, places, row)))
        cells.append(made)
    lines = "".join(f"<div>{escaped(line)}</div>" for line in answer.heading)
    notes = "; ".join([footer(answer, len(shown)), *answer.notes])
    display(card("", "", lines + grid(heads, cells, notes)))
    remember(answer.table)


class _Places(NamedTuple):
    """Columns that are drawn as one: a figure, or the first and the last; below it the rate and its range."""

    first: int
    last: int | None = None
    rate: int | None = None
    ends: tuple[int, int] | None = None


def _merged(answer: Answer) -> list[tuple[str, _Places]]:
    """The columns but the last, each with its head; ``x_first``, ``x_last``, ``x_per_hour`` are one."""
    columns = answer.columns[:-1]
    at = {column.name: place for place, column in enumerate(columns)}
    inner: set[int] = set()
    found = []
    for place, column in enumerate(columns):
        if place in inner:
            continue
        label = column.label.replace("\n", " ")
        stem = column.name.removesuffix("_first")
        last = at.get(f"{stem}_last") if stem != column.name else None
        rate = next((at[name] for name in _rates(stem) if name in at), None) if last is not None else None
        ranged = column.name if rate is None else columns[rate].name
        low, high = at.get(f"{ranged}_low"), at.get(f"{ranged}_high")
        ends = None if low is None or high is None else (low, high)
        inner |= {other for other in (last, rate, *(ends or ())) if other is not None}
        name = label.removesuffix(" first") if last is not None else label
        found.append((name, _Places(place, last, rate, ends)))
    return found


def _rates(stem: str) -> tuple[str, str]:
    return f"{stem}_per_hour", f"{stem}_per_snapshot"


def _lines_of(answer: Answer, places: _Places, row: Sequence[str]) -> list[str]:
    figure = row[places.first]
    if places.last is not None and (figure or row[places.last]):
        figure = f"{figure} → {row[places.last]}"
    lines = [figure]
    if places.rate is not None and row[places.rate]:
        unit = answer.columns[places.rate].label.rpartition("\n")[2]
        lines.append(f"{row[places.rate]} {unit}")
    if places.ends is not None and all(row[place] for place in places.ends):
        lines.append(" to ".join(row[place] for place in places.ends))
    return lines
