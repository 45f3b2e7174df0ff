"""``heapscope sql``: a query over one dump or many."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cli.common.answer import Answer, Choice, Column, encodes, shorten
from heapscope.cli.common.arguments import graph_options, secrets_option, size_of_option
from heapscope.cli.common.output import plain_text, show, table_options
from heapscope.cli.common.progress import quiet_option, work
from heapscope.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heapscope.query.answer import QueryAnswer
    from heapscope.query.session import Session
    from heapscope.table import Table

_LEAST_WIDTH = 24
_NUMBERS = ("INT", "FLOAT", "DOUBLE", "DECIMAL")


@click.command()
@click.argument("dumps_and_query", metavar="DUMP... [QUERY]", nargs=-1, required=True)
@click.option(
    "-f", "--file", "query_file", type=click.File(encoding="utf-8"), metavar="FILE",
    help="Read QUERY from there, - is standard input.",
)  # fmt: skip
@click.option(
    "--memory",
    metavar="SIZE",
    callback=size_of_option,
    help="No more memory for the query: 4G is 4 GiB.  [default: half of what is free]",
)
@click.option("--parquet", metavar="FILE", type=click.Path(path_type=Path), help="Write a Parquet file.")
@quiet_option
@secrets_option
@graph_options
@table_options()
def sql(
    dumps_and_query: tuple[str, ...],
    query_file: Any,
    memory: int | None,
    parquet: Path | None,
    show_secrets: bool,
    following: dict[str, Any],
    choice: Choice,
) -> None:
    """Answer QUERY, one SELECT of DuckDB's SQL, over all DUMPs. Without QUERY a prompt asks for queries,
    with history and completion; in a pipe they are read from standard input.

    Tables: snapshots, processes, classes, objects, refs, gc_roots, threads, frames, locals, strings,
    environment, properties, loaders, findings, growth, each with a column "snapshot"; and each class in
    double quotes, with + at its end with its subclasses. Functions: class_of, text, field, path_to_root,
    retained, retained_set, retained_set_bytes, dominates. Addresses read 0x7f00.

    \b
    heapscope sql leak.hprof 'SELECT class_name, count(*) FROM objects GROUP BY 1'
    heapscope sql *.hprof 'SELECT snapshot, count(*) FROM "a.Session+" GROUP BY 1'
    """
    dumps, query = _split(dumps_and_query)
    if query_file is not None:
        if query is not None:
            raise click.UsageError("QUERY and --file exclude each other.")
        query = query_file.read()
    elif query is None and not sys.stdin.isatty():
        query = sys.stdin.read()
    answer = None
    with _session(dumps, following, memory, show_secrets, is_prompt=query is None) as session:
        if query is None:
            from heapscope.cli.sql_prompt import run_prompt

            run_prompt(session, lambda each: show_answer(each, choice))
        elif parquet is not None:
            from heapscope.query.export import write_answer

            write_answer(session, query, parquet, force=choice.force)
        else:
            answer = session.run(query)
    if answer is not None:  # the progress bar has gone
        show_answer(answer, choice)


def _split(arguments: tuple[str, ...]) -> tuple[list[Path], str | None]:
    """Dumps, and the query: the last argument, where it is no file and there is one before it."""
    last = arguments[-1]
    is_query = not last.strip() or any(c.isspace() for c in last.strip()) or not Path(last).exists()
    if len(arguments) > 1 and is_query:
        return [Path(each) for each in arguments[:-1]], last
    return [Path(each) for each in arguments], None


@contextmanager
def _session(
    dumps: list[Path],
    following: dict[str, Any],
    memory: int | None,
    show_secrets: bool,
    *,
    is_prompt: bool,
) -> Iterator[Session]:
    from heapscope.extras import sql_engine
    from heapscope.query.sources import opened_session

    sql_engine()  # a missing library is said before dumps are read
    with ExitStack() as stack:
        progress, paths = no_progress, iter(dumps)
        if not is_prompt:  # where a bar would stand in the line that is typed
            at = stack.enter_context(work())
            progress, paths = at.progress, at.each(dumps)
        yield stack.enter_context(
            opened_session(paths, following, memory=memory, show_secrets=show_secrets, progress=progress)
        )


def show_answer(answer: QueryAnswer, choice: Choice) -> None:
    """Write the rows the way the options ask for."""
    tables = answer.to_tables()
    if choice.format == "text" and choice.path is None and sys.stdout.isatty():
        tables = map(_narrowed, tables)
    show(_answer(answer, tables), choice)


def plain_rows(answer: QueryAnswer) -> str:
    """The rows as plain text: names of the columns, then a line each."""
    return plain_text(_answer(answer, answer.to_tables())).rsplit("\n\n", 1)[0]


def _answer(answer: QueryAnswer, tables: Iterator[Table]) -> Answer:
    table, types = next(tables), answer.types
    columns = [
        Column(name, name, min(place, 9), is_text=kind == "UBIGINT" or not any(n in kind for n in _NUMBERS))
        for place, (name, kind) in enumerate(zip(table.names, types, strict=True))
    ]
    facts = {"types": dict(zip(table.names, types, strict=True))}
    return Answer(
        "query", table, columns, (), rows_are=("row", "rows"), facts=facts, more=tables, row_count=len(answer)
    )


def _narrowed(table: Table) -> Table:
    """Texts of half the terminal's width at most, so that no column takes all of it."""
    import shutil

    width = max(shutil.get_terminal_size().columns // 2, _LEAST_WIDTH)
    ellipsis = "…" if encodes("…", sys.stdout) else "..."
    return type(table)(
        {
            name: [
                shorten(value, width, ellipsis) if isinstance(value, str) else value
                for value in table.column(name)
            ]
            for name in table.names
        }
    )
