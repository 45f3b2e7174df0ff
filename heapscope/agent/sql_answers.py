"""The answer of a query in SQL; without values it has no column and no function that would tell one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from heapscope.agent.answer import Answer
from heapscope.agent.disclosure import Disclosure
from heapscope.agent.workspace import Workspace
from heapscope.errors import HeapscopeError, QueryError
from heapscope.progress import Progress
from heapscope.query.catalogue import TABLES
from heapscope.query.class_tables import OWN
from heapscope.query.columns import SqlTable
from heapscope.query.session import Session
from heapscope.query.sources import heap_session, snapshots_session
from heapscope.reporter.text import plural

_ROWS = 200  # of one answer; there is no room for more
# Columns that hold what the program put there, or name a thread; of classes all but references do.
_VALUES = {
    "environment": ("value",),
    "findings": ("title", "owner", "held_by", "why"),
    "loaders": ("name",),
    "processes": ("vm_name", "user_name", "os_name", "command"),
    "properties": ("value",),
    "snapshots": ("path",),
    "strings": ("text",),
    "threads": ("name",),
}
# What tells a text; the path names threads.
_TELLING = ("field", "path_to_root", "text")


class NamesOnly(Session):
    """A session whose queries cannot read a value: the columns and functions that hold one are not there."""

    def _tables_of(self, name: str) -> list[SqlTable]:
        tables = super()._tables_of(name)
        if name.lower() in self.types:
            hidden = _VALUES.get(name.lower(), ())
            return [
                replace(each, columns=tuple(one for one in each.columns if one.name not in hidden))
                for each in tables
            ]
        return [
            replace(
                each,
                columns=tuple(one for one in each.columns if one.name in OWN or one.type == "UBIGINT"),
            )
            for each in tables
        ]

    def _engine(self, taken: int = 0) -> Any:
        connection = super()._engine(taken)
        for name in _TELLING:
            connection.execute(f"DROP MACRO {name}")
            connection.remove_function(f"_{name}")
        return connection


def _restricted(session: Session, names: Sequence[str], may: Disclosure) -> Session:
    """The session over snapshots with the names that clients use, and without values unless they are said."""
    parts = [replace(part, name=name) for part, name in zip(session.parts, names, strict=True)]
    if may.values:
        return Session(parts, TABLES, session.memory)
    types = {
        table: {name: kind for name, kind in columns.items() if name not in _VALUES.get(table, ())}
        for table, columns in TABLES.items()
    }
    return NamesOnly(parts, types, session.memory)


def sql(
    work: Workspace, progress: Progress, query: str, snapshots: Sequence[str] = (), offset: int = 0
) -> Answer:
    """The rows of a query over one heap, or over several snapshots."""
    names: list[str] = []
    rows: list[dict[str, Any]] = []
    is_cut = False
    with (
        _session(work, progress, snapshots) as (session, of),
        _told_of_values(work.disclosure),
        session.stream(query) as reader,
    ):
        names = list(reader.schema.names)
        addresses = [str(kind) == "uint64" for kind in reader.schema.types]
        left = offset
        for batch in reader:
            if left >= batch.num_rows:
                left -= batch.num_rows
                continue
            piece = batch.slice(left, _ROWS + 1 - len(rows))
            left = 0
            columns = [piece.column(place).to_pylist() for place in range(piece.num_columns)]
            rows += [_row(work.disclosure, names, addresses, cells) for cells in zip(*columns, strict=True)]
            if len(rows) > _ROWS:
                rows, is_cut = rows[:_ROWS], True
                break
    notes = [f"over {of}"]
    if not work.disclosure.values:
        notes.append("columns and functions with values are left out; --show-values of the server has them")
    if is_cut:
        notes.append("there are more rows than were read: group, sort or LIMIT, or ask with an offset")
    return Answer(
        f"{plural(len(rows), 'row')}{' and more' if is_cut else ''} of {', '.join(names)}",
        data={"rows": rows},
        rows="rows",
        offset=offset,
        total=offset + len(rows) + is_cut,
        notes=[
            *notes,
            *([] if rows else [f"tables: {', '.join(sorted(TABLES))}, and every class in quotes"]),
        ],
    )


@contextmanager
def _told_of_values(may: Disclosure) -> Iterator[None]:
    """A mistake in a query may be that it asks for a value."""
    try:
        yield
    except QueryError as error:
        more = "" if may.values else "; columns and functions with values are left out (--show-values)"
        raise HeapscopeError(f"{error}{more}") from None


@contextmanager
def _session(work: Workspace, progress: Progress, snapshots: Sequence[str]) -> Iterator[tuple[Session, str]]:
    """A session over the snapshots that are named; over the latest heap dump where none is."""
    if len(snapshots) < 2 and not (snapshots and work.scope.resolve(snapshots[0]).is_dir()):
        with work.heap(snapshots[0] if snapshots else "", progress) as heap:
            name = work.scope.name_of(heap.path)
            yield _restricted(heap_session(heap), [name], work.disclosure), name
        return
    series = work.series(snapshots, progress)
    with snapshots_session(series, progress=progress) as session:
        names = [work.name(each) for each in series]
        yield _restricted(session, names, work.disclosure), plural(len(series), "snapshot")


def _row(
    may: Disclosure, names: Sequence[str], addresses: Sequence[bool], cells: Sequence[Any]
) -> dict[str, Any]:
    return {
        name: _cell(may, cell, is_address=is_address)
        for name, is_address, cell in zip(names, addresses, cells, strict=True)
    }


def _cell(may: Disclosure, cell: Any, *, is_address: bool) -> Any:
    if is_address and isinstance(cell, int):
        return f"0x{cell:x}"
    if isinstance(cell, str):
        return may.name(cell)
    if isinstance(cell, (bool, int, float)) or cell is None:
        return cell
    if isinstance(cell, Decimal):  # a sum of whole numbers
        return int(cell) if cell == int(cell) else float(cell)
    if isinstance(cell, list):
        return [_cell(may, each, is_address=False) for each in cell[:20]]
    return may.name(str(cell))
