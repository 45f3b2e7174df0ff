"""Sentences and paths broken to the width of the terminal; left whole in a pipe or a file."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence

from heapscope.reporter.text import printable

_INDENT = 4
_LEAST_WIDTH = 40
# A line does not end behind so few characters: "at" and "50 x" stay with the name that follows.
_STUB = 8
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[kMGTPE]?B|d|h|min|s|ms)\b)")
# Where a name or a path that is longer than a line is broken: behind one of the first, else of the others.
_JOINTS = (re.compile(r"(?<=[:;,])(?!\d)"), re.compile(r"(?<=[./$_=&])(?!java:)"))
# A label or a figure with a gap behind it, which the next lines stand below.
_HEAD = re.compile(r"\s*\S(?:.*?\S)??\s{2,}(?=\S)")
_GLUE = "\xa0"


def wrapped(line: str) -> str:
    """A line broken between words where stdout is a terminal, its indentation kept.

    An arrow stays with what it leads to, a figure with its unit; only a word that is longer than a line is
    broken inside.
    """
    if not sys.stdout.isatty():
        return line
    return "\n".join(broken(line, max(_LEAST_WIDTH, shutil.get_terminal_size().columns)))


def folded(line: str) -> str:
    """The same of a line that may have text of the dump in it."""
    return wrapped(printable(line))


def broken(line: str, width: int, indent: int | None = None) -> list[str]:
    """A line as lines of no more than ``width`` characters.

    Parameters
    ----------
    line : str
    width : int
    indent : int, optional
        Blanks before each line but the first; by default four more than the line begins with.
    """
    if len(line) <= width:
        return [line]
    head = _HEAD.match(line)
    if head is not None and head.end() <= width // 2 and indent is None:
        first, indent = head[0], head.end()
    else:
        first = line[: len(line) - len(line.lstrip())]
    more = " " * (len(first) + _INDENT if indent is None else indent)
    glued = _BEFORE_UNIT.sub(_GLUE, line[len(first) :].strip()).replace(" -> ", f" ->{_GLUE}")
    return [row.replace(_GLUE, " ").rstrip() for row in _filled(glued.split(" "), first, more, width)]


def _filled(words: Sequence[str], first: str, more: str, width: int) -> list[str]:
    rows, row, begins = [], first, len(first)
    for word in words:
        joint = " " if len(row) > begins else ""
        if len(row) + len(joint) + len(word) <= width:
            row += joint + word
            continue
        if len(more) + len(word) <= width and len(row) - begins > _STUB:
            rows.append(row)
            row, begins = more + word, len(more)
            continue
        if len(row) - begins > _STUB:
            rows.append(row)
            row, begins, joint = more, len(more), ""
        row += joint
        for piece in _pieces(word, width - len(more)):
            if len(row) + len(piece) > width:
                rows.append(row.rstrip())
                row, begins = more, len(more)
            row += piece
    return [*rows, row]


def _pieces(word: str, room: int) -> list[str]:
    """A word in pieces that fit, broken behind dots, slashes and the like where it has some."""
    room = max(room, 1)
    pieces = [word]
    for joints in _JOINTS:
        pieces = [
            part for piece in pieces for part in (joints.split(piece) if len(piece) > room else [piece])
        ]
    return [piece[start : start + room] for piece in pieces for start in range(0, len(piece), room)]
