"""How long work says how far it is, without knowing who looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then, from any thread: ``done`` of ``total`` units of a named phase."""

    def __call__(self, phase: str, done: int, total: int, /) -> None: ...


def silent(phase: str, done: int, total: int, /) -> None:
    """Ignore progress; the default everywhere."""
