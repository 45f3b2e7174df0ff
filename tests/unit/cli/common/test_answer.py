"""Answers and their cells as text."""

from __future__ import annotations

from heapscope.cli.common.answer import shorten


def test_shorten_keeps_the_end() -> None:
    assert shorten("java.lang.String", 16) == "java.lang.String"
    assert shorten("java.lang.String", 10) == "…ng.String"
    assert shorten("java.lang.String", 10, "...") == "....String"
    assert shorten("java.lang.String", 1) == "…"
