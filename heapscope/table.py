"""A small frozen table: what analysis gives to the command line, to reports and to pandas.

The command line must answer before pandas is imported; people in notebooks want a
DataFrame.  Both get the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.plain import plain
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    import pandas as pd


_ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True, repr=False)
class Table(RichRepr):
    """Named columns of one length.

    Parameters
    ----------
    columns : mapping of str to sequence
        Lists or one-dimensional numpy arrays.

    Raises
    ------
    ValueError
        The columns differ in length.
    """

    columns: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")

    def __repr__(self) -> str:
        return f"<table of {len(self):,} rows: {', '.join(self.names)}>"

    def __str__(self) -> str:
        text: str = self.head(_ROWS_SHOWN).to_frame().to_string(index=False)
        return text if len(self) <= _ROWS_SHOWN else f"{text}\n... {len(self):,} rows"

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.columns)

    def column(self, name: str) -> list[Any]:
        """One column as plain Python values."""
        values = self.columns[name]
        return values.tolist() if isinstance(values, np.ndarray) else list(values)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict of plain Python values."""
        names = self.names
        for values in zip(*(self.column(name) for name in names), strict=True):
            yield dict(zip(names, values, strict=True))

    def take(self, rows: Sequence[int]) -> Table:
        """The rows at these positions, in this order."""
        return Table(
            {
                name: values[np.asarray(rows, np.int64)]
                if isinstance(values, np.ndarray)
                else [values[row] for row in rows]
                for name, values in self.columns.items()
            }
        )

    def sorted_by(self, *names: str, descending: bool = True) -> Table:
        """Sorted by columns, the first one first; ties keep their order."""
        order = list(range(len(self)))
        for name in reversed(names):
            values = self.column(name)
            order.sort(key=values.__getitem__, reverse=descending)
        return self.take(order)

    def head(self, count: int) -> Table:
        """The first rows."""
        return Table({name: values[:count] for name, values in self.columns.items()})

    def to_dict(self) -> dict[str, list[Any]]:
        """Each column as a list of plain values, for JSON; texts that may be secret are masked."""
        return {name: plain(self.column(name)) for name in self.names}

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, for notebooks."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))
