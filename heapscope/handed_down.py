"""Calls from lower rooms to higher ones, without an import that goes up.

An open heap answers SQL though the engine stands above it, an object tells who refers to it though
paths stand above objects.  `heapscope.__init__` says which module answers; it is imported when it is first
asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_FINDERS: dict[str, Callable[[], Any]] = {}


def hand_down(what: str, find: Callable[[], Any]) -> None:
    """Say where something is found; ``find`` is called whenever it is asked for."""
    _FINDERS[what] = find


def handed_down(what: str) -> Any:
    """What was handed down under that name."""
    return _FINDERS[what]()
