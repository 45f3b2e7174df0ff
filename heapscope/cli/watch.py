"""``heapscope watch`` and ``heapscope plot``: memory of JVM processes over time, and what grew."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import click

from heapscope.cli.common.durations import duration
from heapscope.cli.common.wrapping import wrapped
from heapscope.files import check_free
from heapscope.reporter.text import printable
from heapscope.units import format_bytes

if TYPE_CHECKING:
    from heapscope.analysis.memory.history import ProcessHistory, WatchHistory
    from heapscope.analysis.memory.samples import WatchedProcess
    from heapscope.collector.memory import Sample


class _View(Protocol):
    def show(self, samples: list[Sample], history: WatchHistory) -> None: ...


@click.command(short_help="Memory of JVM processes over time, and what grew.")
@click.argument("pids", metavar="[PID...]", type=click.IntRange(1), nargs=-1)
@click.option("--role", metavar="NAME", help="Only TensorFlow processes of this role, also new ones.")
@click.option(
    "--every", callback=duration, default="30s", show_default=True, metavar="TIME", help="Between samples."
)
@click.option(
    "--for", "seconds", callback=duration, metavar="TIME", help="End after 30m, 6h; else at Ctrl-C."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append the samples to a .parquet, .csv or .jsonl.",
)
def watch(
    pids: tuple[int, ...], role: str | None, every: float, seconds: float | None, output: Path | None
) -> None:
    """Sample the memory of the JVMs in processes PID..., of a role, or of all of them, also of those that
    start later. No process is signalled, stopped or slowed down.

    It ends with what grew in each process: Java heap, garbage, class loaders, threads, direct buffers, native
    memory. SIGUSR1 prints that in between.

    \b
    heapscope watch --role worker --every 30s --for 6h -o watch.csv
    """
    if pids and role:
        raise click.UsageError("Name processes by PID, or by --role, not both.")
    from heapscope.analysis.memory.history import WatchHistory
    from heapscope.collector.sample_file import SampleFile
    from heapscope.collector.watch import Watch, ticks

    watcher = Watch(pids, role)
    history = WatchHistory()
    with ExitStack() as stack:
        stack.callback(watcher.close)
        file = None if output is None else SampleFile(output)
        if file is not None:
            stack.callback(file.close)
        signals = stack.enter_context(_Signals())
        view = _view(stack)

        def wait(remaining: float) -> bool:
            return signals.wait(remaining, lambda: _say(_verdicts(history.processes)))

        for _ in ticks(every, seconds, wait):
            samples = watcher.sample()
            if file is not None:
                file.append(samples)
            history.add(map(asdict, samples))
            view.show(samples, history)
            if watcher.is_over:
                break
    _say(_verdicts(history.processes))


@click.command(short_help="Chart what 'watch' wrote, and say what grew.")
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="PICTURE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .png, .svg or .pdf.  [default: FILE's name with .png]",
)
@click.option("--force", is_flag=True, help="Overwrite PICTURE.")
def plot(files: tuple[Path, ...], output: Path | None, force: bool) -> None:
    """Draw the memory of every process in FILE..., which 'heapscope watch' wrote: resident size, how much
    of it lies in the Java heap, the old generation after GC; and print what grew.
    """
    picture = output or Path(files[0].with_suffix(".png").name)
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise click.BadOptionUsage("output", "-o needs a name that ends in .png, .svg or .pdf.")
    check_free(picture, force)
    from heapscope.analysis.memory.samples import read_samples, watched_processes
    from heapscope.reporter.charts.memory import write_picture

    found = watched_processes(read_samples(files))
    write_picture(found, picture, force=force)
    _say(_verdicts(found))
    sys.stdout.write(f"\n{printable(str(picture))}\n")


def _verdicts(found: Iterable[WatchedProcess | ProcessHistory]) -> list[str]:
    from heapscope.reporter.memory_text import describe_verdict

    lines = [line for process in found for line in describe_verdict(process.verdict(), process.name)]
    return lines or ["no process with a JVM was seen"]


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{wrapped(printable(line))}\n" for line in lines))
    sys.stdout.flush()


def _view(stack: ExitStack) -> _View:
    if not sys.stdout.isatty():
        return _Lines()
    from heapscope.cli.watch_screen import Screen

    return stack.enter_context(Screen())


class _Lines:
    """A line for each sample: for pipes and log files."""

    def show(self, samples: list[Sample], history: WatchHistory) -> None:
        lines = []
        for sample in samples:
            seen = history[sample.pid, sample.start_ticks]
            parts = [f"rss {format_bytes(sample.rss_bytes)} ({format_bytes(seen.rss_change, signed=True)})"]
            for label, value in (
                ("in heap", sample.heap_rss_bytes),
                ("old after gc", sample.old_after_gc_bytes),
            ):
                if value is not None:
                    parts.append(f"{label} {format_bytes(value)}")
            parts.append(f"threads {sample.thread_count}")
            clock = datetime.fromisoformat(sample.captured_at).astimezone().strftime("%H:%M:%S")
            lines.append(f"{clock}  {seen.name}  {', '.join(parts)}")
        _say(lines or [f"{time.strftime('%H:%M:%S')}  no process with a JVM yet"])


class _Signals:
    """SIGINT and SIGTERM end the watch as its time does; SIGUSR1 asks for the verdict."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._is_over = self._is_asked = False

    def __enter__(self) -> _Signals:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        self._before = {number: signal.signal(number, self._caught) for number in numbers}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, seconds: float, answer: Callable[[], None]) -> bool:
        """Sleep and call ``answer`` when it is asked for; whether the watch is to end."""
        deadline = time.monotonic() + seconds
        while not self._is_over:
            self._woken.wait(max(0.0, deadline - time.monotonic()))
            self._woken.clear()
            if self._is_asked:
                self._is_asked = False
                answer()
            if time.monotonic() >= deadline:
                break
        return self._is_over

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self._is_asked = True
        else:
            self._is_over = True
        self._woken.set()
