"""Texts and names as SQL writes them."""

from __future__ import annotations


def sql_text(text: str) -> str:
    """A text: ``'it''s'``."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A name of a table or column: ``"java.lang.String"``."""
    return '"' + name.replace('"', '""') + '"'
