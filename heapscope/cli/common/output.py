"""Answers shown to people and to programs: text, JSON, CSV; on stdout or in a new file.

Text on a terminal is drawn by rich and fits its width: class names are shortened from the
left, then whole columns left out, figures never cut.  In a pipe it is plain: every column,
full names, one row a line, no colour, and rich is not even imported.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import wraps
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
    """Write a table the way the options ask for."""
    table = answer.table
    if choice.sort is not None:
        table = sorted_table(table, choice.sort)
    is_terminal = choice.path is None and sys.stdout.isatty()
    is_drawn = choice.path is None and is_drawing()
    limit = choice.rows
    if limit is None and choice.format == "text" and (is_terminal or is_drawn):
        limit = TERMINAL_ROWS
    shown = table.head(limit) if limit else table
    if choice.format == "json":
        write(_json_text(answer, shown), choice)
    elif choice.format == "csv":
        write(_csv_text(_with_share(shown, answer.snapshots)), choice)
    elif is_drawn:
        draw_answer(answer, shown)
    elif is_terminal:
        from heapscope.cli.common.terminal import draw

        draw(answer, shown)
    else:
        write(plain_text(answer, shown), choice)


def write(text: str, choice: Choice) -> None:
    """Text to stdout, or to a new file that appears whole or not at all.

    Raises
    ------
    OutputExists, OutputFailed
    """
    if choice.path is None:
        # In pieces: with PYTHONUNBUFFERED Python takes a short write, to a full disk or a closed
        # pipe, for a whole one; only the next write fails.
        for start in range(0, len(text), _PIECE):
            sys.stdout.write(text[start : start + _PIECE])
        return
    with new_file(choice.path, force=choice.force) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


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


def _json_text(answer: Answer, shown: Table) -> str:
    return json_text(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": answer.kind,
            "snapshots": [snapshot_facts(snapshot) for snapshot in answer.snapshots],
            **answer.facts,
            "row_count": len(answer.table),
            "totals": dict(answer.totals),
            "rows": list(shown.rows()),
        }
    )


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


def _csv_text(shown: Table) -> str:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(shown.names)
    writer.writerows([_csv_cell(value) for value in row.values()] for row in shown.rows())
    return text.getvalue()


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


def plain_text(answer: Answer, shown: Table) -> str:
    """Every column, full names, one row a line: for pipes."""
    rows, totals = text_rows(answer, shown)
    heads = [column.label.replace("\n", " ") for column in answer.columns]
    lines = [heads, *rows, *([totals] if totals else [])]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]

    def joined(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if column.is_text else cell.rjust(width)
            for cell, width, column in zip(cells, widths, answer.columns, strict=True)
        ]
        return "  ".join(aligned).rstrip()

    text: list[str] = [*map(printable, answer.heading), *([""] if answer.heading else [])]
    text += map(joined, lines)
    text += ["", footer(answer, shown), *map(printable, answer.notes)]
    return "\n".join(text) + "\n"
