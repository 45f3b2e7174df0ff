"""Sentences as wide as a terminal is, no wider; as they are everywhere else."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

_BEFORE_UNIT = re.compile(r"(?<=\d) (?=[kMGTPE]?B\b)")


def folded(line: str) -> str:
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
