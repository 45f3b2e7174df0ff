"""Progress bars: on stderr, where stderr is a terminal, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from heapscope.cli.common.answer import shorten
from heapscope.cli.common.notebook_output import is_drawing
from heapscope.progress import Progress, no_progress, notebook_bar
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

COMPILING = "compiling heapscope's loops, once; this takes some seconds ..."
_NAME_WIDTH = 28


class Work:
    """What a command does with its files, as far as the user sees it."""

    def __init__(self, bars: Bars | None = None) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._label = ""
        self._shown: tuple[str, int] = "", 0

    @property
    def progress(self) -> Progress:
        """To be handed to the analysis."""
        return no_progress if self._bars is None else self._update

    def each(self, paths: Sequence[Path]) -> Iterator[Path]:
        """The paths, one after the other; the bars name the one that was taken last."""
        for place, path in enumerate(paths, 1):
            self.name(path, f" ({place} of {len(paths)})" if len(paths) > 1 else "")
            yield path

    def name(self, path: Path, place: str = "") -> None:
        """Name the file that is worked on from now on."""
        self._label = shorten(printable(path.name), _NAME_WIDTH) + place
        self._shown = "", 0

    def _update(self, phase: str, done: int, total: int) -> None:
        assert self._bars is not None
        if self._task is None or self._shown != (phase, total):
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(f"{phase} {self._label}", total=total)
            self._shown = phase, total
        self._bars.update(self._task, completed=done)


class _NotebookWork(Work):
    """In a notebook, whose bar is HTML."""

    def __init__(self, bar: Progress) -> None:
        super().__init__()
        self._bar = bar

    @property
    def progress(self) -> Progress:
        return lambda phase, done, total, /: self._bar(f"{phase} {self._label}", done, total)


@contextmanager
def work(*, compiles: bool = True) -> Iterator[Work]:
    """Show the progress of long work while it lasts, where stderr is a terminal or a notebook asked.

    ``compiles`` says whether the work needs heapscope's compiled loops.

    ::

        with work() as at:
            snapshots = heapscope.snapshots(at.each(paths), at.progress)
    """
    bar = notebook_bar() if is_drawing() else None
    if bar is not None:
        yield _NotebookWork(bar)
        return
    if not sys.stderr.isatty():
        yield Work()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from heapscope.machine_code import is_compiled

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if compiles and not is_compiled():
        console.print(COMPILING, style="dim")
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(20),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bars:
        yield Work(bars)
