"""``--sort``: a column by the name that the header of its table shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from heapscope.cli.common.answer import Column

if TYPE_CHECKING:
    from heapscope.table import Table

    _NameType = click.ParamType[str]
else:
    _NameType = click.ParamType  # which is not generic in click 8.1

# Words of a header that say the unit of a column and not what it counts.
_UNITS = {"bytes", "b", "kb", "mb", "gb", "count", "seconds", "s"}


def label_of(column: Column) -> str:
    """What the header calls a column, on one line."""
    return " ".join(column.label.split())


class SortColumn(_NameType):
    """The name of a column: its header in any case, with or without the unit, or its name in JSON and CSV.

    Parameters
    ----------
    columns : sequence of Column
        An earlier one is taken where two have the same name but for the unit.
    is_open : bool
        Whether other names are left as they are, for the command to check.
    """

    name = "column"

    def __init__(self, columns: Sequence[Column], *, is_open: bool = False) -> None:
        self._columns = columns
        self._is_open = is_open
        self._names: dict[str, str] = {}
        for spell in (_spelled, _without_unit):  # a whole name outweighs one without its unit
            for column in columns:
                for text in (column.name, column.label):
                    self._names.setdefault(spell(text), column.name)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        """The name of the column in its table."""
        for spelled in (_spelled(str(value)), _without_unit(str(value))):
            if spelled and spelled in self._names:
                return self._names[spelled]
        if self._is_open:
            return str(value)
        labels = dict.fromkeys(label_of(column) for column in self._columns)
        self.fail(f"{value!r} is no column of this table: {', '.join(labels)}.", parameter, context)

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names without blanks, which need no quotes."""
        names = dict.fromkeys(column.name for column in self._columns)
        return [CompletionItem(name) for name in names if name.startswith(incomplete.lower())]


def sorted_table(table: Table, name: str) -> Table:
    """A table by one of its columns: figures downwards, texts upwards, what has no value last.

    A field may refer to anything: its figures are before its texts.
    """
    values = table.column(name)
    known = [row for row, value in enumerate(values) if value is not None]
    if all(isinstance(values[row], datetime) for row in known):
        known.sort(key=values.__getitem__)
    else:
        known.sort(key=lambda row: _rank(values[row]))
    return table.take([*known, *(row for row, value in enumerate(values) if value is None)])


def _rank(value: object) -> tuple[int, float, str]:
    return (0, -value, "") if isinstance(value, (int, float)) else (1, 0, str(value))


def _words(text: str) -> list[str]:
    return re.split(r"[\s_-]+", text.strip().lower())


def _spelled(text: str) -> str:
    return " ".join(_words(text))


def _without_unit(text: str) -> str:
    return " ".join(word for word in _words(text) if word not in _UNITS)
