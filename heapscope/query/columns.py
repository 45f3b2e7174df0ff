"""Tables as queries see them: columns that are made when a query reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heapscope.extras import arrow

# SQL type -> how pyarrow calls it; what a column is cast to, so that an empty one has the same type.
SQL_TYPES = {
    "BIGINT": "int64",
    "BOOLEAN": "bool_",
    "DOUBLE": "float64",
    "FLOAT": "float32",
    "INTEGER": "int32",
    "SMALLINT": "int16",
    "TIMESTAMPTZ": "timestamp",
    "TINYINT": "int8",
    "UBIGINT": "uint64",
    "VARCHAR": "string",
}
_BYTES = {"BIGINT": 4, "INTEGER": 4, "UBIGINT": 8, "VARCHAR": 2}  # a size in units, a code of a dictionary


def arrow_type(sql_type: str) -> Any:
    """The Arrow type of a type of `SQL_TYPES`."""
    pa = arrow()
    name = SQL_TYPES[sql_type]
    return pa.timestamp("us", "UTC") if name == "timestamp" else getattr(pa, name)()


@dataclass(frozen=True)
class SqlColumn:
    """A column of a table of one snapshot.

    Attributes
    ----------
    name : str
    type : str
        One of `SQL_TYPES`.  ``UBIGINT`` is an address, and nothing else is.
    make : callable
        Its values as an Arrow array, called where a query reads the column; of a table that can be made in
        parts it takes a slice of the rows.
    times : int
        What the values are multiplied with: sizes are kept in units.
    is_view : bool
        Whether the values are the index's own, so that they take no memory.
    is_whole : bool
        Whether only all values together can be made, though the table can be made in parts.
    """

    name: str
    type: str
    make: Callable[..., Any]
    times: int = 1
    is_view: bool = False
    is_whole: bool = False

    @property
    def least_bytes(self) -> int:
        """Bytes that each value takes at least."""
        return _BYTES.get(self.type, 1)

    def arrow_type(self) -> Any:
        """The column's type where it has no values."""
        return arrow_type(self.type)

    def expression(self, raw: str) -> str:
        """SQL that makes the column of what `make` gave under the name ``raw``."""
        if self.times == 1:
            return f'CAST("{raw}" AS {self.type})'
        return f'CAST("{raw}" AS BIGINT) * {self.times}'


@dataclass(frozen=True)
class SqlTable:
    """A table of one snapshot.

    Attributes
    ----------
    columns : tuple of SqlColumn
        As ``SELECT *`` shows them.
    cheapest : str
        The column that ``count(*)`` reads.
    row_count : callable, optional
        How many rows there are, of a table that can be made in parts.
    """

    columns: tuple[SqlColumn, ...]
    cheapest: str
    row_count: Callable[[], int] | None = None

    def types(self) -> dict[str, str]:
        """SQL type of each column by name."""
        return {column.name: column.type for column in self.columns}


def small_table(types: dict[str, str], rows: Callable[[], list[tuple[Any, ...]]]) -> SqlTable:
    """A table whose rows are Python values, made together when a query reads any of its columns.

    Parameters
    ----------
    types : dict of str to str
        SQL type of each column by name.
    rows : callable
    """
    kept: list[list[tuple[Any, ...]]] = []

    def column(place: int, name: str, sql_type: str) -> SqlColumn:
        def make() -> Any:
            if not kept:
                kept.append(rows())
            return arrow().array([row[place] for row in kept[0]], arrow_type(sql_type))

        return SqlColumn(name, sql_type, make)

    columns = tuple(column(place, name, kind) for place, (name, kind) in enumerate(types.items()))
    return SqlTable(columns, columns[0].name)


def dictionary(codes: NDArray[Any], names: list[str]) -> Any:
    """Names by code, without a copy of the codes, which must be valid."""
    pa = arrow()
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names or [""], pa.string()), safe=False)


def with_nulls(values: NDArray[Any], is_null: NDArray[np.bool_]) -> Any:
    """An Arrow array of numbers, null where there is none."""
    return arrow().array(values, mask=is_null)
