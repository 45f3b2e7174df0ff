"""Answers shown to people and to programs: text, JSON, CSV; on stdout or in a new file.

Text on a terminal is drawn by rich and fits its width: class names are shortened from the
left, then whole columns left out, figures never cut.  In a pipe it is plain: every column,
full names, one row a line, no colour, and rich is not even imported.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from heapscope.cli.common.answer import (
    SCHEMA_VERSION,
    TERMINAL_ROWS,
    Answer,
    Choice,
    Column,
    footer,
    text_rows,
)
from heapscope.cli.common.notebook_output import draw_answer, is_drawing
from heapscope.cli.common.sorting import SortColumn, label_of, sorted_table
from heapscope.cli.common.wrapping import folded
from heapscope.files import new_file
from heapscope.reporter.text import printable
from heapscope.units import iso_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.table import Table

_PIECE = 1 << 15
_PAGES = (".html", ".htm", ".md", ".pdf", ".csv")  # names that promise another format than JSON
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"; the wide forms too).
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def document_options(
    json_help: str = "Write JSON: exact values.",
    output_help: str = "Write there and not to stdout; .json names the format.",
    pictures: Sequence[str] = (),
) -> Callable[[_Command], _Command]:
    """Options of an answer that is text or JSON; the command gets them as ``choice``, a `Choice`.

    ``pictures`` are endings of names to which the command writes pages or pictures: ``".png"``.
    """

    def decorate(command: _Command) -> _Command:
        @wraps(command)
        def with_choice(
            *arguments: Any, as_json: bool, output: Path | None, force: bool, **named: Any
        ) -> Any:
            ending = "" if output is None else output.suffix.lower()
            if as_json and ending in (*pictures, *_PAGES):
                raise click.UsageError(
                    f"--json and -o {output} ask for different formats; leave out --json, or name a .json."
                )
            is_json = as_json or ending == ".json"
            choice = Choice("json" if is_json else "text", path=output, force=force)
            choice.check(*pictures)
            return command(*arguments, choice=choice, **named)

        taken = _force_option(with_choice)
        for option in (
            _output_option(output_help),
            click.option("--json", "as_json", is_flag=True, help=json_help),
        ):
            taken = option(taken)
        return taken  # type: ignore[return-value]  # the options are gone, `choice` has come

    return decorate


def _output_option(text: str) -> Callable[[Any], Any]:
    return click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help=text)


_force_option = click.option("--force", is_flag=True, help="Overwrite FILE.")


def table_options(
    *columns: Column, also: Sequence[Column] = (), others: str = ""
) -> Callable[[_Command], _Command]:
    """Options every table has; the command gets them as ``choice``, a `Choice`.

    The command raises `click.UsageError` where ``--json`` and ``--csv`` are both given.

    Parameters
    ----------
    columns : Column
        What the table may be sorted by, as its header names them; without any there is no ``--sort``.
    also : sequence of Column
        What it may be sorted by as well, and ``--help`` does not list.
    others : str
        What else ``--sort`` may name, which the command checks: "a field".
    """
    named = SortColumn([*columns, *also], is_open=bool(others))
    listed = ", ".join(
        [*dict.fromkeys(label_of(column) for column in columns), *([others] if others else [])]
    )
    sort_option = [
        click.option(
            "--sort",
            type=named,
            metavar="COLUMN",
            help="A column by the name in the header, with or without its unit; figures sort downwards, "
            f"names upwards. COLUMN: {listed}.",
        )
    ]
    sort_option = sort_option if columns else []

    def decorate(command: _Command) -> _Command:
        @wraps(command)
        def with_choice(
            *arguments: Any,
            as_json: bool,
            as_csv: bool,
            top: int | None,
            output: Path | None,
            force: bool,
            sort: str | None = None,
            **named: Any,
        ) -> Any:
            if as_json and as_csv:
                raise click.UsageError("--json and --csv exclude each other.")
            suffix = "" if output is None else output.suffix.lower()
            is_json = as_json or (suffix == ".json" and not as_csv)
            is_csv = as_csv or (suffix == ".csv" and not as_json)
            choice = Choice("json" if is_json else "csv" if is_csv else "text", top, sort, output, force)
            choice.check()
            return command(*arguments, choice=choice, **named)

        for option in reversed(
            (
                click.option("--json", "as_json", is_flag=True, help="Write JSON: exact values, ISO times."),
                click.option("--csv", "as_csv", is_flag=True, help="Write CSV with a heading."),
                click.option(
                    "--top",
                    metavar="N",
                    type=int,
                    callback=_not_negative,
                    help=f"Rows to show, 0 for all.  [default: {TERMINAL_ROWS} on a terminal, else all]",
                ),
                *sort_option,
                _output_option("Write there and not to stdout; .json and .csv name the format."),
                _force_option,
            )
        ):
            with_choice = option(with_choice)
        return with_choice  # type: ignore[return-value]  # the options are gone, `choice` has come

    return decorate


def _not_negative(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    # click.IntRange would do it, and add "[x>=0]" to the help.
    if value is not None and value < 0:
        raise click.BadParameter(f"{value} is below 0.", context, parameter)
    return value


def show(answer: Answer, choice: Choice) -> None:
    """Write a table the way the options ask for; what is not drawn is written as it is made."""
    if choice.sort is not None:
        answer = _whole(answer)
        answer = replace(answer, table=sorted_table(answer.table, choice.sort))
    is_terminal = choice.path is None and sys.stdout.isatty()
    is_drawn = choice.path is None and is_drawing()
    limit = choice.rows
    if limit is None and choice.format == "text" and (is_terminal or is_drawn):
        limit = TERMINAL_ROWS
    if choice.format == "json":
        write(_json_pieces(answer, limit), choice)
    elif choice.format == "csv":
        write(_csv_pieces(answer, limit), choice)
    elif is_drawn or is_terminal:
        if is_drawn or not limit or limit > len(answer.table):
            answer = _whole(answer)
        shown = answer.table.head(limit) if limit else answer.table
        if is_drawn:
            draw_answer(answer, shown)
        else:
            from heapscope.cli.common.terminal import draw

            draw(answer, shown)
    else:
        write(_plain_pieces(answer, limit), choice)


def write(text: str | Iterable[str], choice: Choice) -> None:
    """Text, or pieces of one, to stdout, or to a new file that appears whole or not at all.

    Raises
    ------
    OutputExists, OutputFailed
    """
    pieces = [text] if isinstance(text, str) else text
    if choice.path is None:
        for piece in pieces:
            # In parts: with PYTHONUNBUFFERED Python takes a short write, to a full disk or a closed
            # pipe, for a whole one; only the next write fails.
            for start in range(0, len(piece), _PIECE):
                sys.stdout.write(piece[start : start + _PIECE])
        return
    with new_file(choice.path, force=choice.force) as file:
        for piece in pieces:
            file.write(piece.encode("utf-8", "backslashreplace"))


def write_lines(lines: Iterable[str], choice: Choice) -> None:
    """Lines that may have text of the dump in them, as wide as the terminal where they go to one.

    Raises
    ------
    OutputExists, OutputFailed
    """
    shown = folded if choice.path is None else printable
    write("".join(f"{shown(line)}\n" for line in lines), choice)


def json_text(document: Mapping[str, Any]) -> str:
    """A JSON document as text; ASCII only, so that it has no control characters for a terminal."""
    return json.dumps(document, indent=2, default=_json_value) + "\n"


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    """What a snapshot is, for JSON."""
    return {
        "name": snapshot.name,
        "path": str(snapshot.path),
        "kind": snapshot.kind,
        "captured_at": snapshot.captured_at,
        "captured_at_source": snapshot.captured_at_source,
        "object_count": snapshot.object_count,
        "shallow_bytes": snapshot.shallow_bytes,
        **({} if snapshot.of_count == 1 else {"number": snapshot.number, "of_count": snapshot.of_count}),
        **({} if snapshot.coverage is None else {"partial": snapshot.coverage.to_dict()}),
        **({"incomplete": True} if snapshot.is_cut else {}),
    }


def _json_value(value: object) -> str:
    if isinstance(value, datetime):
        return iso_time(value)
    raise TypeError(f"no JSON form of {type(value).__name__}")


def _whole(answer: Answer) -> Answer:
    """An answer with all its rows in its table."""
    from heapscope.table import Table

    pieces = [answer.table, *answer.more]
    if len(pieces) == 1:
        return answer
    columns = {name: [*chain(*(each.column(name) for each in pieces))] for name in answer.table.names}
    return replace(answer, table=Table(columns), more=())


def _pieces(answer: Answer, limit: int | None) -> Iterator[Table]:
    """The first rows, or all; one table at least."""
    left = limit or answer.count()
    for piece in chain([answer.table], answer.more):
        yield piece.head(left)
        left -= len(piece)
        if left <= 0:
            return


def _json_pieces(answer: Answer, limit: int | None) -> Iterator[str]:
    document = json_text(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": answer.kind,
            "snapshots": [snapshot_facts(snapshot) for snapshot in answer.snapshots],
            **answer.facts,
            "row_count": answer.count(),
            "totals": dict(answer.totals),
            "rows": [],
        }
    )
    head, end = document.removesuffix("[]\n}\n") + "[", "]\n}\n"
    yield head
    is_first = True
    for piece in _pieces(answer, limit):
        rows = json.dumps({"rows": list(piece.rows())}, indent=2, default=_json_value)
        rows = rows[rows.index("[") + 1 : rows.rindex("]")]
        if len(piece):
            yield ("" if is_first else ",") + rows.rstrip()
            is_first = False
    yield end if is_first else f"\n  {end}"


def _with_share(shown: Table, snapshots: Sequence[Snapshot]) -> Table:
    """Add the share that was read to each row of a table of partial dumps: CSV has no other place."""
    from heapscope.table import Table

    columns = dict(shown.columns)
    parts = [snapshot.coverage for snapshot in snapshots if snapshot.coverage is not None]
    if parts:
        name = "read_share" if all(part.is_end_known for part in parts) else "read_share_at_most"
        columns[name] = [min(part.share for part in parts)] * len(shown)
    if any(snapshot.is_cut for snapshot in snapshots):
        columns["is_complete"] = [False] * len(shown)
    return Table(columns)


def _csv_pieces(answer: Answer, limit: int | None) -> Iterator[str]:
    import csv

    has_heading = False
    for piece in _pieces(answer, limit):
        shown = _with_share(piece, answer.snapshots)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not has_heading:
            writer.writerow(shown.names)
            has_heading = True
        writer.writerows([_csv_cell(value) for value in row.values()] for row in shown.rows())
        yield text.getvalue()


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return _json_value(value)
    guard = "'" if str(value).startswith(_FORMULA_STARTS) else ""
    return guard + printable(str(value))


def plain_text(answer: Answer) -> str:
    """Every column, full names, one row a line: for pipes."""
    return "".join(_plain_pieces(answer, None))


def _plain_pieces(answer: Answer, limit: int | None) -> Iterator[str]:
    """The text of `plain_text`; the rows of the first piece say how wide the columns are.

    A wider cell of a later row moves the rest of its row to the right.
    """
    heads = [column.label.replace("\n", " ") for column in answer.columns]
    widths: list[int] = []
    count = 0
    totals: list[str] = []

    def joined(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if column.is_text else cell.rjust(width)
            for cell, width, column in zip(cells, widths, answer.columns, strict=True)
        ]
        return "  ".join(aligned).rstrip()

    for piece in _pieces(answer, limit):
        rows, totals = text_rows(answer, piece)
        count += len(rows)
        if not widths:
            lines = [heads, *rows, *([totals] if totals else [])]
            widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
            above = [*map(printable, answer.heading), *([""] if answer.heading else []), joined(heads)]
            yield "".join(f"{line}\n" for line in above)
        yield "".join(f"{joined(row)}\n" for row in rows)
    below = [*([joined(totals)] if totals else []), "", footer(answer, count)]
    yield "".join(f"{line}\n" for line in [*below, *map(printable, answer.notes)])
