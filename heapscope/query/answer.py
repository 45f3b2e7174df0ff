"""The answer to a query: a table for pandas, for Arrow, and for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from heapscope.extras import arrow
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd

_SUM = "HUGEINT"
_INT64 = 1 << 63
PIECE_ROWS = 1 << 16


@dataclass(frozen=True, repr=False)
class QueryAnswer(RichRepr):
    """Rows that a query gave.

    Attributes
    ----------
    raw : pyarrow.Table
        As the engine gave it.
    types : tuple of str
        SQL type of each column; ``UBIGINT`` is an address.
    """

    raw: Any
    types: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<answer of {len(self):,} rows: {', '.join(self.names)}>"

    def __str__(self) -> str:
        return str(self.to_table()) if len(self) else repr(self)

    def to_dict(self) -> dict[str, Any]:
        """Rows of plain values; addresses as text."""
        return {"columns": self.names, "rows": [list(row.values()) for row in self.to_table().rows()]}

    def __len__(self) -> int:
        return int(self.raw.num_rows)

    @property
    def names(self) -> list[str]:
        """Names of the columns; two may be the same."""
        return list(self.raw.column_names)

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``; sums of whole numbers are int64 where they fit, else decimal."""
        pa = arrow()
        columns = []
        for place, kind in enumerate(self.types):
            column = self.raw.column(place)
            if kind == _SUM:
                low_high = pa.compute.min_max(column).as_py()
                fits = all(each is None or -_INT64 <= each < _INT64 for each in low_high.values())
                column = column.cast(pa.int64()) if fits else column
            columns.append(column)
        return pa.Table.from_arrays(columns, names=self.names)

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame; whole numbers of which some are null are of pandas's own nullable types."""
        import pandas as pd

        table = self.to_arrow()
        nullable = {
            pa_type(): dtype()
            for pa_type, dtype in (
                (arrow().int8, pd.Int8Dtype),
                (arrow().int16, pd.Int16Dtype),
                (arrow().int32, pd.Int32Dtype),
                (arrow().int64, pd.Int64Dtype),
                (arrow().uint64, pd.UInt64Dtype),
            )
        }
        frame: pd.DataFrame = table.to_pandas()
        for place, column in enumerate(table.columns):
            if column.null_count and column.type in nullable:
                # Floats would round addresses.
                frame.isetitem(place, column.to_pandas(types_mapper=nullable.get))
        return frame

    def to_tables(self) -> Iterator[Table]:
        """As `to_table`, some ten thousand rows at a time, for answers of millions; one table at least."""
        for start in range(0, max(len(self), 1), PIECE_ROWS):
            yield QueryAnswer(self.raw.slice(start, PIECE_ROWS), self.types).to_table()

    def to_table(self) -> Table:
        """Plain Python values; addresses as text, ``0x7f00``."""
        columns: dict[str, list[Any]] = {}
        table = self.to_arrow()
        for place, (name, kind) in enumerate(zip(self.names, self.types, strict=True)):
            values = [_plain(value, kind) for value in table.column(place).to_pylist()]
            number, unique = 2, name
            while unique in columns:
                unique, number = f"{name}_{number}", number + 1
            columns[unique] = values
        return Table(columns)


def _plain(value: Any, kind: str) -> Any:
    """A value that JSON and people can read."""
    if kind == "UBIGINT" and value is not None:
        return f"0x{value:x}"
    if isinstance(value, list):
        return [_plain(each, kind.removesuffix("[]")) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each, "") for name, each in value.items()}
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, (str, bool, int, float, datetime, type(None))) else str(value)
