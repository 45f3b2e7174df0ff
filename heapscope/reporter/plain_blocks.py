"""Lines of plain text: labels, paragraphs, bullets and paths, wrapped to a width."""

from __future__ import annotations

import textwrap

_LABEL_WIDTH = 10


def labelled_lines(label: str, text: str, width: int) -> list[str]:
    """A label and its text, which hangs behind it."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"{label:{_LABEL_WIDTH}}",
        subsequent_indent=" " * _LABEL_WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )


def indented_lines(text: str, width: int) -> list[str]:
    """A paragraph; the lines of a numbered step hang behind its number."""
    hang = "     " if text[:1].isdigit() and text[1:2] == "." else "  "
    return textwrap.wrap(
        text,
        width,
        initial_indent="  ",
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def bullet_lines(text: str, width: int) -> list[str]:
    """A text behind a dash."""
    return textwrap.wrap(
        text,
        width,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def way_lines(text: str, width: int) -> list[str]:
    """A path from a GC root, broken at its arrows."""
    rows, row = [], "  "
    for place, piece in enumerate(text.split(" -> ")):
        joined = f"{row} -> {piece}" if place else row + piece
        if place and len(joined) > width:
            rows.append(f"{row} ->")
            row = f"      {piece}"
        else:
            row = joined
    return [*rows, row]
