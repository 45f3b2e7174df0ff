"""Griffe extension: docstrings as they are written here, made ready for Markdown.

- Types and defaults of parameters come from the signature.  A docstring may say ``path : str or path-like``
  and ``semantics, roots, soft : str``; as an expression the first is a subtraction, and the second would lend
  the default of one parameter to all three.
- What reStructuredText writes its own way becomes Markdown: tables between lines of ``=``, and ``::``.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class Signatures(griffe.Extension):
    """Puts them right once the package is loaded."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called by griffe."""
        _visit(pkg)


def as_markdown(text: str) -> str:
    """Simple tables and literal blocks of reStructuredText as Markdown has them."""
    text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
    return re.sub(r"^=+ +=+\n(.*?)^=+ +=+$", _table, text, flags=re.MULTILINE | re.DOTALL)


def _table(match: re.Match[str]) -> str:
    """A table of two columns without a heading; a row goes on where its first column is empty."""
    width = match[0].index(" ")
    rows: list[list[str]] = []
    for line in match[1].splitlines():
        name, rest = line[:width].strip(), line[width:].strip()
        if name:
            rows.append([name, rest])
        else:
            rows[-1][1] += f" {rest}"
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)])


def _visit(parent: griffe.Module | griffe.Class) -> None:
    if parent.docstring is not None:
        parent.docstring.value = as_markdown(parent.docstring.value)
    for member in parent.members.values():
        if isinstance(member, griffe.Alias):
            continue
        if isinstance(member, griffe.Module | griffe.Class):
            _visit(member)
        if isinstance(member, griffe.Class | griffe.Function) and member.docstring is not None:
            _put_right(member, member.docstring)


def _put_right(documented: griffe.Class | griffe.Function, docstring: griffe.Docstring) -> None:
    known = {parameter.name: parameter for parameter in documented.parameters}
    for section in docstring.parsed:
        if section.kind is not griffe.DocstringSectionKind.parameters:
            continue
        for described in section.value:
            parameter = known.get(described.name)
            if parameter is not None:
                described.annotation, described.value = parameter.annotation, parameter.default
