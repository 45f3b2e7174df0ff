"""How far long work is, on stderr: a bar on a terminal, elsewhere a line after 5 s and then every 30 s.

``--quiet``, or ``HEAPSCOPE_QUIET`` in the environment, says nothing of it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from heapscope.cli.common.answer import shorten
from heapscope.cli.common.notebook_output import is_drawing
from heapscope.progress import Progress, no_progress, notebook_bar
from heapscope.reporter.text import printable
from heapscope.units import format_duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

COMPILING = "compiling heapscope's loops, once; this takes up to a minute ..."
FIRST_SECONDS, NEXT_SECONDS = 5.0, 30.0
QUIET_VARIABLE = "HEAPSCOPE_QUIET"
_QUIET = "heapscope.quiet"
_NAME_WIDTH = 28
_LEAST_NAME_WIDTH = 8
_BESIDE_NAME = 60  # phase, place, bar, share and time left
_LEAST_SHARE = 0.01  # below it nothing can be said of the time left
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _be_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[_QUIET] = True


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_be_quiet,
    help="Do not say on stderr how far the work is.",
)


def is_quiet() -> bool:
    """Whether nothing is to be said of progress."""
    context = click.get_current_context(silent=True)
    return bool(os.environ.get(QUIET_VARIABLE) or (context is not None and context.meta.get(_QUIET)))


class Work:
    """What a command does with its files, as far as the user sees it; a `heapscope.progress.FileProgress`."""

    def __init__(self, bars: Bars | None = None) -> None:
        self._bars = bars
        room = _NAME_WIDTH if bars is None else bars.console.width - _BESIDE_NAME
        self._name_width = max(_LEAST_NAME_WIDTH, min(_NAME_WIDTH, room))
        self._task: TaskID | None = None
        self._label = ""
        self._shown: tuple[str, int] = "", 0
        self._lock = threading.RLock()  # several files may be worked on side by side

    @property
    def progress(self) -> Progress:
        """To be handed to the analysis."""
        return no_progress if self._bars is None else self

    def each(self, paths: Sequence[Path]) -> Iterator[Path]:
        """The paths, one after the other; the bars name the one that was taken last."""
        for place, path in enumerate(paths, 1):
            self.name(path, f" ({place} of {len(paths)})" if len(paths) > 1 else "")
            yield path

    def name(self, path: Path, place: str = "") -> None:
        """Name the file that is worked on from now on."""
        self._begin(self.labelled(path.name, place))

    def labelled(self, name: str, place: str) -> str:
        """What a file is called here."""
        return shorten(printable(name), self._name_width) + place

    def of_file(self, name: str, place: str = "") -> Progress:
        """See `heapscope.progress.FileProgress`."""
        label = self.labelled(name, place)

        def told(phase: str, done: int, total: int, /) -> None:
            with self._lock:
                if label != self._label:
                    self._begin(label)
                self(phase, done, total)

        return told

    def _begin(self, label: str) -> None:
        self._label = label
        self._shown = "", 0

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        """See `heapscope.progress.Progress`."""
        assert self._bars is not None
        with self._lock:
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
        return self

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        self._bar(f"{phase} {self._label}", done, total)


class _ToldWork(Work):
    """Where stderr is no terminal: a line now and then.

    Parameters
    ----------
    wait : callable (seconds) -> bool
        Waits so long, or until the work is done; returns whether it is.
    clock : callable () -> float
        Seconds since some moment.
    """

    def __init__(self, wait: Callable[[float], bool], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._wait, self._clock = wait, clock
        self._began = clock()
        self._state: tuple[str, float, int, int] = "", self._began, 0, 0  # phase, its begin, done, total

    @property
    def progress(self) -> Progress:
        return self

    def labelled(self, name: str, place: str) -> str:
        return printable(name) + place

    def _begin(self, label: str) -> None:
        self._label = label
        self._state = "", self._clock(), 0, 0

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        named = f"{phase} {self._label}".rstrip()
        known, began, _, _ = self._state
        self._state = named, began if known == named else self._clock(), done, total

    def tell(self) -> None:
        """Say how far it is, until it is done."""
        seconds = FIRST_SECONDS
        while not self._wait(seconds):
            sys.stderr.write(f"heapscope: {self.line()}\n")
            sys.stderr.flush()
            seconds = NEXT_SECONDS

    def line(self) -> str:
        """Phase, file, share, and the time that is left of the phase."""
        phase, began, done, total = self._state
        now = self._clock()
        if not phase or not done or done >= total:
            # Between two phases nothing tells how long the next one takes.
            where = f" on {self._label}" if self._label else ""
            why = ": compiling heapscope's loops, once" if _is_compiling() else ""
            return f"at work{where} for {format_duration(round(now - self._began))}{why}"
        share = done / total
        if share < _LEAST_SHARE:
            return f"{phase}: {share:.0%}"
        left = round((now - began) * (1 - share) / share)
        return f"{phase}: {share:.0%}, about {format_duration(left)} left of this step"


def _is_compiling() -> bool:
    """Whether this process compiles a loop; without importing what would."""
    machine_code = sys.modules.get("heapscope.machine_code")
    return machine_code is not None and bool(machine_code.is_compiling())


@contextmanager
def _told() -> Iterator[Work]:
    done = threading.Event()
    told = _ToldWork(done.wait)
    teller = threading.Thread(target=told.tell, name="progress", daemon=True)
    teller.start()
    try:
        yield told
    finally:
        done.set()
        teller.join()


@contextmanager
def work(*, compiles: bool = True) -> Iterator[Work]:
    """Show the progress of long work while it lasts: a bar on a terminal and in a notebook, else lines.

    ``compiles`` says whether the work needs heapscope's compiled loops.

    ::

        with work() as at:
            snapshots = heapscope.snapshots(at.each(paths), at.progress)
    """
    bar = notebook_bar() if is_drawing() else None
    if bar is not None:
        yield _NotebookWork(bar)
        return
    if is_quiet():
        yield Work()
        return
    if not sys.stderr.isatty():
        with _told() as told:
            yield told
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
