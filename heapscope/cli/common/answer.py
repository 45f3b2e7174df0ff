"""An answer before it is shown: a table with what is said around it, and its cells as text.

How it gets to a terminal, a notebook, a pipe or a file is the business of `heapscope.cli.common.output`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from heapscope.analysis.growth.time_source import FILE_TIME, GUESSED, INTERVALS, ORDERED, READ_TIME
from heapscope.errors import OutputFailed
from heapscope.files import check_free
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes, format_count, format_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.table import Table

SCHEMA_VERSION = 1
# Names of files that nobody opens as text.
_NO_TEXT = frozenset({".png", ".svg", ".pdf", ".jpg", ".jpeg", ".gif", ".webp", ".html", ".htm"})
TERMINAL_ROWS = 30


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options of a table ask for; ``rows`` is None where they do not say, 0 for all."""

    format: Literal["text", "json", "csv"] = "text"
    rows: int | None = None
    sort: str | None = None
    path: Path | None = None
    force: bool = False

    def check(self, *pictures: str) -> None:
        """Refuse an output that exists, or whose name promises a picture, before any work is done.

        Parameters
        ----------
        *pictures : str
            Endings of pictures that the command can draw: ``".png"``.

        Raises
        ------
        OutputExists, OutputFailed
        """
        if self.path is None:
            return
        ending = self.path.suffix.lower()
        if ending in _NO_TEXT and ending not in pictures:
            draws = f", or a chart to a name that ends in {', '.join(pictures)}" if pictures else ""
            raise OutputFailed(
                self.path, f"this command writes text, or data to a name that ends in .json{draws}"
            )
        check_free(self.path, self.force)


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a table is shown as text.

    ``importance`` orders what a narrow terminal leaves out: 0 always stays, 9 goes first.
    """

    name: str
    label: str
    importance: int = 0
    is_signed: bool = False
    is_text: bool = False
    decimals: int = 0  # of a fraction; JSON and CSV have all of them
    unit: int = 1  # the text shows the value in so many of them: 10**6 for megabytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A table with all that is said around it.

    Attributes
    ----------
    kind : str
        "class histogram", "census", "diff", "trend" ...
    table : Table
        All rows, in their natural order; of a long answer the first ones.
    columns : sequence of Column
        What the text shows, the last one being text: names, of any length.
    snapshots : sequence of Snapshot
        Where the rows come from.
    totals : mapping of str to number
        Sums by column; empty where summing makes no sense.
    total_label : str
        What the sums are of.
    rows_are : pair of str
        Singular and plural for the footer: "class", "classes".
    heading, notes : sequence of str
        Lines above and below the text.
    facts : mapping
        What JSON says beside the rows.
    more : iterable of Table
        The rows after those of ``table``, made as they are written; ``table`` is not empty then.
    row_count : int, optional
        Rows in all, where ``table`` has not all of them.
    """

    kind: str
    table: Table
    columns: Sequence[Column]
    snapshots: Sequence[Snapshot]
    totals: Mapping[str, int | float] = field(default_factory=dict)
    total_label: str = "total"
    rows_are: tuple[str, str] = ("class", "classes")
    heading: Sequence[str] = ()
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    more: Iterable[Table] = ()
    row_count: int | None = None

    def count(self) -> int:
        """Rows in all."""
        return len(self.table) if self.row_count is None else self.row_count


def snapshot_lines(snapshots: Iterable[Snapshot]) -> list[str]:
    """A line for each snapshot: what it is, when it was taken, how much it holds."""
    found = list(snapshots)
    width = max((len(snapshot.name) for snapshot in found), default=0)
    lines = []
    for snapshot in found:
        lines.append(
            f"{snapshot.name:{width}}  {captured_text(snapshot)}  "
            f"{format_count(snapshot.object_count)} objects, {format_bytes(snapshot.shallow_bytes)}"
        )
        if snapshot.coverage is not None:
            summary, *rest = snapshot.coverage.lines()
            lines += [f"  {summary}", *(f"    {line}" for line in rest)]
        if (note := beside_line(snapshot)) is not None and len(found) == 1:
            lines.append(f"  {note}")
        if snapshot.is_cut:
            lines.append("  incomplete: no Total line, so the text may be cut and classes may be missing")
    return lines


def beside_line(snapshot: Snapshot) -> str | None:
    """What else its file holds; None where it holds nothing else."""
    if snapshot.of_count == 1:
        return None
    what = "heaps" if snapshot.kind == "heap dump" else "class histograms"
    which = "the last" if snapshot.number == snapshot.of_count else f"number {snapshot.number:,}"
    return f"{which} of {snapshot.of_count:,} {what} in this file; --heap N takes another"


def captured_text(snapshot: Snapshot, *, always_source: bool = False) -> str:
    """When it was taken, and how that is known where nobody wrote it down, or always."""
    source = snapshot.captured_at_source
    if source in ORDERED:
        return f"undated ({source})"
    is_shown = always_source or source in (FILE_TIME, READ_TIME, INTERVALS, *GUESSED)
    return format_time(snapshot.captured_at) + (f" ({source})" if is_shown else "")


def total(table: Table, *names: str) -> dict[str, int | float]:
    """Sums of columns."""
    return {name: sum(table.column(name)) for name in names}


def text_cell(value: object, column: Column) -> str:
    """One cell as text: thousands are separated, changes have a sign."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        value = value if column.unit == 1 else value / column.unit
        text = f"{value:,d}" if isinstance(value, int) else f"{value:,.{column.decimals}f}"
        return f"+{text}" if column.is_signed and value > 0 else text
    if isinstance(value, datetime):
        return format_time(value)
    return printable(str(value))


def text_rows(answer: Answer, shown: Table) -> tuple[list[list[str]], list[str]]:
    """Cells of the rows, and of the line of totals (empty where there is none)."""
    rows = [[text_cell(row[column.name], column) for column in answer.columns] for row in shown.rows()]
    if not answer.totals:
        return rows, []
    totals = [
        text_cell(answer.totals[column.name], column) if column.name in answer.totals else ""
        for column in answer.columns
    ]
    totals[-1] = answer.total_label
    return rows, totals


def footer(answer: Answer, shown: int) -> str:
    """``30 of 793 classes; --top 0 shows all``."""
    everything = plural(answer.count(), *answer.rows_are)
    if shown == answer.count():
        return everything
    return f"{shown:,} of {everything}; --top 0 shows all"


def shorten(name: str, width: int, ellipsis: str = "…") -> str:
    """The end of a name, which tells more than its beginning: ``…fs.FileSystem$Cache$Key``.

    Parameters
    ----------
    name : str
    width : int
        Characters at most.
    ellipsis : str
        What stands for the part that is left out.
    """
    if len(name) <= width:
        return name
    return ellipsis + name[len(name) - width + len(ellipsis) :] if width > len(ellipsis) else ellipsis[:width]


def encodes(text: str, stream: TextIO) -> bool:
    """Whether a stream can write these characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
