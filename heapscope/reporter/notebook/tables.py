"""Cards of tables."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from heapscope.reporter.notebook.html import (
    card,
    grid,
    name_cell,
    number_cell,
    text_cell,
)
from heapscope.reporter.text import plural, shorten
from heapscope.units import format_count, format_time

if TYPE_CHECKING:
    from heapscope.table import Table

_ROWS = 20
_MAX_CELL = 120


def table_card(table: Table) -> str:
    """The first rows of a table."""
    names = table.names
    rows = [tuple(_cell(name, value) for name, value in row.items()) for row in table.head(_ROWS).rows()]
    rest = len(table) - len(rows)
    note = f"and {plural(rest, 'more row')}; .to_frame() is a DataFrame of all" if rest > 0 else ""
    return card("", "", grid([name.replace("_", " ") for name in names], rows, note))


def _cell(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return text_cell("yes" if value else "no")
    if name == "object_id" and isinstance(value, int):
        return name_cell(f"0x{value:x}")
    if isinstance(value, (int, float)):
        return number_cell(format_count(value) if value == value else "")
    if isinstance(value, datetime):
        return text_cell(format_time(value))
    if name.endswith("class_name") or name == "name":
        return name_cell(str(value))
    return text_cell(shorten("" if value is None else str(value), _MAX_CELL))
