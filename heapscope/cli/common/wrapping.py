"""Sentences and paths broken to the width of the terminal; left whole in a pipe or a file."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

from heapscope.reporter.text import printable

_INDENT = 4
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[kMGTPE]?B|d|h|min|s)\b)")


def wrapped(line: str) -> str:
    """A line broken between words where stdout is a terminal, its indentation kept."""
    if not sys.stdout.isatty():
        return line
    width = max(40, shutil.get_terminal_size().columns)
    indent = line[: len(line) - len(line.lstrip())]
    glued = _BEFORE_UNIT.sub("\xa0", line.strip())  # a figure stays with its unit
    lines = textwrap.wrap(
        glued,
        width,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\xa0", " ")


def folded(line: str) -> str:
    """A line that may have text of the dump in it, broken to the width of the terminal.

    Broken at its arrows, else between words; whole in a pipe.
    """
    line = printable(line)
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    indent = " " * (len(line) - len(line.lstrip()) + _INDENT)
    rows, row = [], ""
    for piece in line.split(" -> "):
        joined = f"{row} -> {piece}" if row else piece
        if row and len(joined) + len(" ->") > width:
            rows.append(f"{row} ->")
            row = indent + piece
        else:
            row = joined
    wrapped = (
        textwrap.wrap(row, width, subsequent_indent=indent, break_long_words=False, drop_whitespace=False)
        if len(row) > width
        else [row]
        for row in [*rows, row]
    )
    return "\n".join(piece.rstrip() for pieces in wrapped for piece in pieces)
