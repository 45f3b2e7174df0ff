"""How long work says how far it is, without knowing who looks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Called now and then, from any thread: ``done`` of ``total`` units of a named phase."""

    def __call__(self, phase: str, done: int, total: int, /) -> None: ...


class FileProgress(Protocol):
    """A `Progress` that says which file it is about."""

    def __call__(self, phase: str, done: int, total: int, /) -> None: ...

    def of_file(self, name: str, place: str = "") -> Progress:
        """The same, about another file; ``place``: " (2 of 6)"."""
        ...


def of_file(progress: Progress, name: str, place: str = "") -> Progress:
    """A progress of work on a file, by its name where the one who looks wants to know that."""
    of: Callable[[str, str], Progress] | None = getattr(progress, "of_file", None)
    return progress if of is None else of(name, place)


def default_progress(phase: str, done: int, total: int, /) -> None:
    """Show a bar in a notebook, nothing elsewhere: the default of what people call; see `Progress`."""
    shown = notebook_bar()
    if shown is not None:
        shown(phase, done, total)


def notebook_bar() -> Progress | None:
    """The progress bar of the notebook that we run in; None where it is none."""
    if "IPython" not in sys.modules:  # a notebook's kernel has long imported it
        return None
    from heapscope.notebook_progress import bar

    return bar()


def no_progress(phase: str, done: int, total: int, /) -> None:
    """Ignore progress: the default of what other functions call; see `Progress`."""
