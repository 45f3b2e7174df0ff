"""Heaps that stay open between the questions of one execution, with what was computed of them.

Each of some twenty commands about a program opens the same dumps; most of the benchmark's time went there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from heapscope.heap.heap import Heap

_states: dict[tuple[Any, ...], dict[str, Any]] = {}


def share_heaps() -> None:
    """From now on a `Heap` of a dump that was opened before has the state of that one, and none closes."""
    begin = Heap.__init__

    def shared(self: Heap, path: Any, progress: Any = None, options: Any = None, **how: Any) -> None:
        found = Path(path).stat()
        key = (Path(path).resolve(), found.st_size, found.st_mtime_ns, options, *sorted(how.items()))
        if key not in _states:
            begin(self, path, *([] if progress is None else [progress, options]), **how)
            _states[key] = self.__dict__
        self.__dict__ = _states[key]

    Heap.__init__ = shared  # type: ignore[method-assign]
    Heap.close = lambda self: None  # type: ignore[method-assign]


def forget_heaps(dumps: Iterable[Path] | None = None) -> None:
    """Let heaps go: those of some dumps, by default all."""
    gone = None if dumps is None else {dump.resolve() for dump in dumps}
    for key in [key for key in _states if gone is None or key[0] in gone]:
        state = _states.pop(key)
        state["_graph"] = None
        state["_source"].close()
