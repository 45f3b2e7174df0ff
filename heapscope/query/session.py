"""A query, answered: which tables it names, what of them it reads, and the engine's answer.

A query is looked at twice.  First it is planned over empty tables: that finds every mistake in it, and the
plan says which columns it reads.  Only these are then made, and the query runs.  Each column has a
name of its own in the raw tables (``h_TABLE_SNAPSHOT_COLUMN``), so that the plan's text tells; a
column that the plan does not read stands in the view as NULL.

Every query has an engine of its own, in memory, that can neither read nor write a file, load an
extension or change its own settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heapscope.errors import ObjectNotFound, QueryError
from heapscope.extras import arrow, shut_progress_bar, sql_engine
from heapscope.memory_limits import free_memory
from heapscope.query.answer import QueryAnswer
from heapscope.query.class_tables import class_table
from heapscope.query.columns import SqlTable
from heapscope.query.functions import add_functions
from heapscope.query.mistakes import missing_table, nearest, query_error
from heapscope.query.quoting import sql_name, sql_text
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.query.heap_tables import HeapArrow

_RAW = re.compile(r"\bh_(\d+)_(\d+)_(\d+)\b")
# On a line of its own, so that places in the query's first line are right.
_EXPLAIN = "EXPLAIN (FORMAT JSON)\n"
_KEPT_BYTES = 1 << 30  # of columns that were made, for the next query
_LEAST_MEMORY = 64 << 20


@dataclass
class Part:
    """One snapshot: its name, its tables, and its heap (None of a class histogram)."""

    name: str
    tables: dict[str, SqlTable]
    heap: HeapArrow | None = None


@dataclass
class Session:
    """Answers queries over one snapshot or several.

    Parameters
    ----------
    parts : sequence of Part
        In order of time.
    types : dict
        Of each table the SQL type of each column, whether a snapshot has that table or not.
    memory : int, optional
        No more bytes than these for a query; half of what the machine has free by default.
    kept_bytes : int
        Columns are kept for the next query as long as they take no more than this.
    """

    parts: Sequence[Part]
    types: dict[str, dict[str, str]]
    memory: int | None = None
    kept_bytes: int = _KEPT_BYTES
    _kept: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    _class_tables: dict[str, list[SqlTable]] = field(default_factory=dict)

    def class_names(self) -> list[str]:
        """Names of all classes, sorted."""
        return sorted({name for part in self.parts if part.heap for name in part.heap.class_names})

    def run(self, query: str) -> QueryAnswer:
        """Answer a query.

        Parameters
        ----------
        query : str
            One SELECT in DuckDB's SQL; also FROM, WITH, DESCRIBE, SUMMARIZE, SHOW and EXPLAIN.

        Raises
        ------
        QueryError
            It is no query, or names what is not there; or the memory does not suffice.
        MissingDependency
        """
        names, reads = self._plan(query)
        taken = self._read(names, reads)
        connection = self._engine(taken)
        try:
            self._make(connection, names, reads)
            with _translated(query, self):
                relation = connection.sql(one_statement(query))
                if relation is None:  # EXPLAIN
                    lines = [line for row in connection.fetchall() for line in str(row[-1]).splitlines()]
                    return QueryAnswer(arrow().table({"plan": lines}), ("VARCHAR",))
                return QueryAnswer(
                    self._collected(relation, taken), tuple(str(kind) for kind in relation.types)
                )
        finally:
            connection.close()
            self._forget()

    @contextmanager
    def stream(self, query: str) -> Iterator[Any]:
        """As `run`, as a reader of Arrow record batches: for answers larger than the memory."""
        names, reads = self._plan(query)
        connection = self._engine(self._read(names, reads))
        try:
            self._make(connection, names, reads)
            with _translated(query, self):
                yield connection.sql(one_statement(query)).to_arrow_reader()
        finally:
            connection.close()
            self._forget()

    def _collected(self, relation: Any, taken: int) -> Any:
        """The rows, as long as they fit into the memory beside the columns that they are made of."""
        reader = relation.to_arrow_reader()
        left = max(_LEAST_MEMORY, self._memory() - taken)
        batches, size = [], 0
        for batch in reader:
            size += batch.nbytes
            if size > left:
                beside = f" beside the {format_bytes(taken)} that it reads" if taken else ""
                raise QueryError(
                    f"the answer takes more than {format_bytes(left)}{beside}; add LIMIT, write it to a "
                    "Parquet file, or pass more with --memory"
                )
            batches.append(batch)
        return arrow().Table.from_batches(batches, reader.schema)

    # --- what a query reads ---

    def _plan(self, query: str) -> tuple[list[str], set[tuple[int, int, int]]]:
        """Tables that a query names, and what it reads of them: (table, snapshot, column)."""
        statement = one_statement(query)
        connection = self._engine()
        try:
            names = self._named_tables(connection, query)
            while True:
                for place, name in enumerate(names):
                    self._define(connection, place, name, None)
                try:
                    with _translated(query, self, _EXPLAIN):
                        kind = sql_engine().extract_statements(query)[0].type.name
                        plan = connection.execute(
                            statement if kind == "EXPLAIN" else f"{_EXPLAIN}{statement}"
                        ).fetchall()
                    break
                except _UnknownTableError as error:
                    names.append(self._resolve(error.name, query))
                    connection.close()
                    connection = self._engine()
        finally:
            connection.close()
        found = {tuple(map(int, each)) for each in _RAW.findall(str(plan))}
        return names, found  # type: ignore[return-value]  # three numbers each

    def _named_tables(self, connection: Any, query: str) -> list[str]:
        """Tables that the query names, as far as the engine tells before it knows them."""
        duckdb = sql_engine()
        try:
            named = sorted(connection.get_table_names(query))
        except duckdb.Error:  # a join USING a column: which, is known only with the tables
            named = []
        found = [name for name in named if name.lower() in self.types or self._is_class(name)]
        return found or list(self.types)  # for SHOW TABLES

    def _is_class(self, name: str) -> bool:
        try:
            self._tables_of(name)
        except ObjectNotFound:
            return False
        return True

    def _resolve(self, name: str, query: str) -> str:
        if name.lower() in self.types:
            return name
        try:
            self._tables_of(name)
        except ObjectNotFound:
            near = nearest(name.removesuffix("+"), [*self.types, *self.class_names()])
            near = [each if each in self.types else f'"{each}"' for each in near]
            line, column = _place_of(query, name)
            raise QueryError(f"there is no table and no class {name!r}", line, column, near) from None
        return name

    def _tables_of(self, name: str) -> list[SqlTable]:
        """The part of each snapshot of a table; a snapshot without it has None of its columns."""
        if name.lower() in self.types:
            empty = SqlTable((), "")
            return [part.tables.get(name.lower(), empty) for part in self.parts]
        if name not in self._class_tables:
            heaps = [part.heap for part in self.parts if part.heap is not None]
            if not heaps:
                raise ObjectNotFound(name, "class histograms", ())
            tables = iter(class_table(heaps, name))
            self._class_tables[name] = [
                SqlTable((), "") if part.heap is None else next(tables) for part in self.parts
            ]
        return self._class_tables[name]

    # --- tables for the engine ---

    def _define(
        self, connection: Any, place: int, name: str, reads: set[tuple[int, int, int]] | None
    ) -> None:
        """Make a table known; empty without ``reads``, else with the columns that are read."""
        pa = arrow()
        pieces = []
        parts = self._tables_of(name)
        for number, (part, table) in enumerate(zip(self.parts, parts, strict=True)):
            if not table.columns:
                continue
            raw: dict[str, Any] = {}
            shown = []
            for at, column in enumerate(table.columns):
                token = f"h_{place}_{number}_{at}"
                is_read = reads is None or (place, number, at) in reads
                if is_read:
                    made = (
                        pa.array([], column.arrow_type())
                        if reads is None
                        else self._made(name, number, table, column.name)
                    )
                    # The first is what count(*) reads.
                    raw = {token: made, **raw} if column.name == table.cheapest else {**raw, token: made}
                value = column.expression(token) if is_read else f"CAST(NULL AS {column.type})"
                shown.append(f"{value} AS {sql_name(column.name)}")
            if not raw:
                continue
            connection.register(f"_raw_{place}_{number}", pa.table(raw))
            pieces.append(
                f"SELECT {sql_text(part.name)} AS snapshot, {', '.join(shown)} FROM _raw_{place}_{number}"
            )
        if not pieces:
            types = self._types_of(name, parts)
            nothing = [f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in types.items()]
            pieces = [f"SELECT CAST(NULL AS VARCHAR) AS snapshot, {', '.join(nothing)} WHERE false"]
        connection.execute(f"CREATE OR REPLACE VIEW {sql_name(name)} AS {' UNION ALL '.join(pieces)}")

    def _types_of(self, name: str, parts: Sequence[SqlTable]) -> dict[str, str]:
        if name.lower() in self.types:
            return self.types[name.lower()]
        return next(table.types() for table in parts if table.columns)

    def _make(self, connection: Any, names: list[str], reads: set[tuple[int, int, int]]) -> None:
        for place, name in enumerate(names):
            self._define(connection, place, name, reads)

    def _read(self, names: list[str], reads: set[tuple[int, int, int]]) -> int:
        """Make the columns that a query reads; the bytes that they take.

        Raises
        ------
        QueryError
            They take more than the query may.
        """
        memory, taken = self._memory(), 0
        for place, number, at in sorted(reads):
            table = self._tables_of(names[place])[number]
            column = table.columns[at]
            if column.is_view:
                continue
            rows = 0 if table.row_count is None else table.row_count()
            if taken + rows * column.least_bytes <= memory:
                taken += self._made(names[place], number, table, column.name).nbytes
            else:
                taken += rows * column.least_bytes
            if taken > memory:
                self.forget()
                raise QueryError(
                    f"the columns that the query reads take {format_bytes(taken)} and more, and it may take "
                    f"{format_bytes(memory)}; read fewer of them, or pass more with --memory"
                )
        return taken

    def _made(self, name: str, number: int, table: SqlTable, column_name: str) -> Any:
        """A column's values, made or kept."""
        key = name, number, column_name
        if key not in self._kept:
            column = next(column for column in table.columns if column.name == column_name)
            self._kept[key] = column.make()
        return self._kept[key]

    def forget(self) -> None:
        """Let go of the columns that were made."""
        self._kept.clear()
        for part in self.parts:
            if part.heap is not None:
                part.heap.forget()

    def _forget(self) -> None:
        """Keep what was made only as long as it is little."""
        made = sum(each.nbytes for each in self._kept.values())
        made += sum(part.heap.kept_bytes for part in self.parts if part.heap is not None)
        if made > min(self.kept_bytes, self._memory() // 4):
            self.forget()

    def _memory(self) -> int:
        return max(_LEAST_MEMORY, self.memory or default_memory())

    def _engine(self, taken: int = 0) -> Any:
        """A new engine, in memory and shut off from everything else; it may take what is not taken yet."""
        connection = sql_engine().connect(
            ":memory:",
            config={
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "python_enable_replacements": "false",
                "temp_directory": "",
                "memory_limit": f"{max(_LEAST_MEMORY, self._memory() - taken)}B",
            },
        )
        add_functions(connection, [part.heap for part in self.parts], [part.name for part in self.parts])
        shut_progress_bar(connection)
        connection.execute("SET lock_configuration = true")
        return connection


class _UnknownTableError(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


@contextmanager
def _translated(query: str, session: Session, prefix: str = "") -> Iterator[None]:
    """Errors of the engine as `QueryError`."""
    duckdb = sql_engine()
    try:
        yield
    except duckdb.Error as error:
        name = missing_table(str(error))
        if name is not None:
            raise _UnknownTableError(name) from None
        raise query_error(query, str(error), session.types, prefix) from None


def one_statement(query: str) -> str:
    """The query, if it is one and only reads.

    Raises
    ------
    QueryError
    """
    duckdb = sql_engine()
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise query_error(query, str(error), {}) from None
    if len(statements) != 1:
        what = "there is no query" if not statements else f"these are {len(statements)} statements"
        raise QueryError(f"{what}; write one SELECT")
    kind = statements[0].type.name
    if kind not in ("SELECT", "EXPLAIN"):
        raise QueryError(f"{kind} is not a query, and queries only read; write a SELECT")
    return query.rstrip().rstrip(";")


def _place_of(query: str, name: str) -> tuple[int | None, int | None]:
    at = query.find(name)
    if at < 0:
        return None, None
    return query.count("\n", 0, at) + 1, at - query.rfind("\n", 0, at)


def default_memory() -> int:
    """Half of what the machine, or the container that this runs in, has free, in bytes."""
    free = free_memory()
    return (4 << 30) if free is None else free // 2
