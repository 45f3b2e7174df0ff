"""Griffe extension: types and defaults of parameters come from the signature, not from the docstring.

A docstring may say ``path : str or path-like`` and ``semantics, roots, soft : str``; as an expression the
first is a subtraction, and the second would lend the default of one parameter to all three.
"""

from __future__ import annotations

from typing import Any

import griffe


class Signatures(griffe.Extension):
    """Puts them right once the package is loaded."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called by griffe."""
        _visit(pkg)


def _visit(parent: griffe.Module | griffe.Class) -> None:
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
