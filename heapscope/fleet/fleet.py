"""`Fleet`: the sketches of many dumps as tables; what `heapscope.open_fleet` returns."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heapscope.errors import QueryError
from heapscope.extras import shut_progress_bar, sql_engine
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.schema import TABLES
from heapscope.query.answer import QueryAnswer
from heapscope.query.mistakes import missing_table, nearest, query_error
from heapscope.query.quoting import sql_text
from heapscope.query.session import one_statement

if TYPE_CHECKING:
    import pandas as pd

    from heapscope.fleet.folder import Failure

_TYPES = {name: {"snapshot": "VARCHAR", **columns} for name, columns in TABLES.items()}


class Fleet:
    """The sketches of many dumps.

    ::

        fleet = heapscope.open_fleet("fleet")
        fleet.snapshots
        fleet.sql("SELECT host, sum(shallow_bytes) FROM snapshots GROUP BY 1 ORDER BY 2 DESC")

    Each table of `heapscope.fleet.schema` is an attribute: a DataFrame, read anew each time.

    Parameters
    ----------
    path : str or path-like
        The folder that ``heapscope fleet run`` wrote.

    Raises
    ------
    HeapscopeError
        It is no such folder, or of another version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._folder = FleetFolder(Path(path))
        self.path = self._folder.path

    @property
    def table_names(self) -> tuple[str, ...]:
        """What queries can read."""
        return tuple(TABLES)

    @property
    def failures(self) -> list[Failure]:
        """Files that could not be read, with the reason."""
        return self._folder.failures()

    def __len__(self) -> int:
        """How many files have a sketch."""
        return len(self._folder.identities())

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name not in TABLES:
            raise AttributeError(f"a fleet has no table {name!r}; it has {', '.join(TABLES)}")
        return self.sql(
            f"SELECT * FROM {name} ORDER BY ALL" if name == "snapshots" else f"SELECT * FROM {name}"
        )

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *TABLES})

    def __repr__(self) -> str:
        return f"<fleet of {len(self):,} files at {self.path}, {len(self.failures):,} that cannot be read>"

    def sql(
        self, query: str, *, to: Literal["pandas", "arrow"] = "pandas", memory: int | None = None
    ) -> pd.DataFrame | Any:
        """Answer a query in SQL, of DuckDB's dialect, over all sketches.

        Parameters
        ----------
        query : str
            One SELECT.
        to : str
            ``"pandas"``: a DataFrame; ``"arrow"``: a ``pyarrow.Table``.
        memory : int, optional
            No more bytes than these for the query.

        Raises
        ------
        QueryError, MissingDependency
        """
        found = self.answer(query, memory=memory)
        return found.to_arrow() if to == "arrow" else found.to_frame()

    def answer(self, query: str, *, memory: int | None = None) -> QueryAnswer:
        """`sql` as a `QueryAnswer`."""
        text = one_statement(query)
        duckdb = sql_engine()
        connection = self._engine(text, memory)
        try:
            relation = connection.sql(text)
            types = tuple(str(each) for each in relation.types)
            return QueryAnswer(relation.to_arrow_table(), types)
        except duckdb.Error as error:
            name = missing_table(str(error))
            if name is not None:
                raise QueryError(
                    f"there is no table {name!r}; there are {', '.join(TABLES)}",
                    None,
                    None,
                    nearest(name, TABLES),
                ) from None
            raise query_error(query, str(error), _TYPES) from None
        finally:
            connection.close()

    def _engine(self, query: str, memory: int | None) -> Any:
        """An engine that reads the folder and nothing else, with the tables that a query mentions."""
        config = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
        }
        if memory is not None:
            config["memory_limit"] = f"{memory}B"
        connection = sql_engine().connect(":memory:", config=config)
        # What a relation reads must stay readable; all else is shut off.
        connection.execute(f"SET allowed_directories = [{sql_text(f'{self.path.resolve()}/')}]")
        connection.execute("SET enable_external_access = false")
        is_empty = not self._folder.identities()
        # Each table costs a look at all its files.
        mentioned = set(re.findall(r"\w+", query.lower()))
        for name, columns in _TYPES.items():
            if name not in mentioned:
                continue
            if is_empty:
                nothing = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
                made = f"SELECT {nothing} WHERE false"
            else:
                files = sql_text(str(self.path.resolve() / "*" / f"{name}.parquet"))
                made = f"SELECT {', '.join(columns)} FROM read_parquet({files})"
            connection.execute(f"CREATE VIEW {name} AS {made}")
        connection.execute("SET TimeZone = 'UTC'")
        shut_progress_bar(connection)
        connection.execute("SET lock_configuration = true")
        return connection


def open_fleet(path: str | os.PathLike[str]) -> Fleet:
    """Open the folder that ``heapscope fleet run`` wrote.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    HeapscopeError
        It is no such folder, or of another version.
    """
    return Fleet(path)
