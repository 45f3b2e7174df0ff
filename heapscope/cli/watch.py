"""``heapscope watch`` and ``heapscope plot``: memory of JVM processes over time, and what grew."""

from __future__ import annotations

import math
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import click

from heapscope.cli.common.durations import duration
from heapscope.cli.common.service_manager import heartbeat_seconds, notify
from heapscope.cli.common.wrapping import wrapped
from heapscope.cli.ps import unseen
from heapscope.cli.triggered import say_swept
from heapscope.errors import OutputFailed
from heapscope.files import check_free
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes, format_duration

if TYPE_CHECKING:
    from heapscope.analysis.memory.history import ProcessHistory, WatchHistory
    from heapscope.analysis.memory.samples import WatchedProcess
    from heapscope.cli.watch_metrics import Metrics
    from heapscope.collector.memory import Sample
    from heapscope.collector.sample_file import SampleFile
    from heapscope.collector.watch import Watch


class _View(Protocol):
    def show(self, samples: list[Sample], history: WatchHistory) -> None: ...


# A class histogram of a large heap takes seconds; the watch goes on meanwhile.
_HISTOGRAM_SECONDS = 60.0
_CHART_LABEL = 26  # beside the line of a chart: its indentation, and "1.00 GB to 1.04 GB"


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    from heapscope.cli.watch_metrics import parse_address

    if value is None:
        return None
    try:
        return parse_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command()
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
@click.option(
    "--metrics",
    callback=_address,
    metavar="ADDR:PORT",
    help="Serve the last round as OpenMetrics, at http://127.0.0.1:9464/metrics say.",
)
@click.option(
    "--textfile",
    metavar="FILE.prom",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the last round for node_exporter's textfile collector.",
)
@click.option(
    "--histogram-every",
    callback=duration,
    metavar="TIME",
    help="Take class histograms every 30m for the metrics: counts of watched classes. Each is a short pause.",
)
@click.option(
    "--nmt-baseline",
    is_flag=True,
    help="Show at the end what native memory tracking saw grow since the start.",
)
@click.option(
    "--smaps/--no-smaps",
    "pages",
    default=True,
    help="Look which pages are resident, for the Java heap's part.  [default: smaps]",
)
def watch(
    pids: tuple[int, ...],
    role: str | None,
    every: float,
    seconds: float | None,
    output: Path | None,
    metrics: tuple[str, int] | None,
    textfile: Path | None,
    histogram_every: float | None,
    nmt_baseline: bool,
    pages: bool,
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
    if histogram_every and not (metrics or textfile):
        raise click.UsageError(
            "--histogram-every counts classes for --metrics or --textfile: name one of them."
        )
    if textfile is not None and textfile.suffix != ".prom":
        raise click.UsageError("node_exporter reads files that end in .prom: give --textfile such a name.")
    from heapscope.analysis.memory.history import WatchHistory
    from heapscope.collector.sample_file import SampleFile
    from heapscope.collector.watch import Watch, ticks

    watcher = Watch(pids, role, with_pages=pages, nmt_baseline=nmt_baseline)
    history = WatchHistory()
    with ExitStack() as stack:
        stack.callback(watcher.close)
        store = _Store(None if output is None else stack.enter_context(closing(SampleFile(output))))
        exporter = None
        if metrics or textfile:
            exporter = _exporter(watcher, stack, metrics, textfile, histogram_every)
        signals = stack.enter_context(_Signals())
        notify("READY=1")

        def tell() -> None:
            _say(_verdicts(history.processes, history.dropped_count))

        with signals.after_hang_up(), _view() as view:
            for _ in ticks(every, seconds, lambda remaining: signals.wait(remaining, tell)):
                samples = watcher.sample()
                with signals.after_hang_up():
                    say_swept(watcher)
                store.append(samples)
                if exporter is not None:
                    exporter.round(samples, watcher.processes)
                notify(f"WATCHDOG=1\nSTATUS={plural(len(samples), 'JVM')} watched")
                history.add(map(asdict, samples), _programs(watcher))
                with signals.after_hang_up():
                    view.show(samples, history)
                if watcher.is_over:
                    break
        notify("STOPPING=1")
        with signals.after_hang_up():
            tell()
            _say(_growth_since_baseline(watcher) if nmt_baseline else ())
            _say(_cost(watcher))
        store.check()
        if exporter is not None and exporter.problem is not None:
            raise exporter.problem


@click.command()
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

    \b
    heapscope plot watch.csv -o watch.png
    """
    picture = output or Path(files[0].with_suffix(".png").name)
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise click.BadOptionUsage("output", "-o needs a name that ends in .png, .svg or .pdf.")
    check_free(picture, force)
    from heapscope.analysis.memory.samples import read_samples, watched_processes
    from heapscope.reporter.charts.memory import write_picture

    found = watched_processes(read_samples(files))
    write_picture(found, picture, force=force)
    _say(_verdicts(found) if not sys.stdout.isatty() else _drawn_verdicts(found))
    sys.stdout.write(f"\n{printable(str(picture))}\n")


def _programs(watcher: Watch) -> dict[tuple[int, int], str]:
    """Main class or script of each process that is watched."""
    from heapscope.collector.processes import program_of

    return {(each.pid, each.start_ticks): program_of(each.command) for each in watcher.processes}


def _exporter(
    watcher: Watch,
    stack: ExitStack,
    metrics: tuple[str, int] | None,
    textfile: Path | None,
    every: float | None,
) -> Metrics:
    from heapscope.cli.watch_metrics import ClassCounts, Metrics

    counts = (
        ClassCounts(every, lambda command: watcher.ask_all(command, _HISTOGRAM_SECONDS)) if every else None
    )
    exporter = Metrics(textfile, counts)
    if metrics is not None:
        port = stack.enter_context(exporter.serving(metrics))
        host = f"[{metrics[0]}]" if ":" in metrics[0] else metrics[0]
        sys.stderr.write(f"metrics: http://{host}:{port}/metrics\n")
    return exporter


def _verdicts(found: Iterable[WatchedProcess | ProcessHistory], dropped_count: int = 0) -> list[str]:
    from heapscope.reporter.memory_text import describe_verdict

    lines = [line for process in found for line in describe_verdict(process.verdict(), process.name)]
    if dropped_count:
        lines.append(f"{plural(dropped_count, 'more process', 'more processes')} ended before these")
    return lines or ["no process with a JVM was seen", *unseen()]


def _drawn_verdicts(found: Sequence[WatchedProcess]) -> list[str]:
    """The verdicts, each with a line of the resident size over time, as wide as the terminal allows."""
    from heapscope.cli.common.sparkline import blocks, sparkline

    width = max(10, min(60, shutil.get_terminal_size().columns - _CHART_LABEL))
    lines = []
    for process in found:
        values = [float(value) for value in process.samples["rss_bytes"]]
        first, *rest = _verdicts([process])
        ends = f"{format_bytes(values[0])} to {format_bytes(values[-1])}"
        lines += [first, f"    {sparkline(values, width, blocks())} {ends}", *rest]
    return lines or _verdicts(found)


def _growth_since_baseline(watcher: Watch) -> list[str]:
    """What native memory tracking says, in categories that changed by a megabyte or more."""
    lines = []
    for (pid, _), growth in sorted(watcher.native_memory_growth().items()):
        ordered = sorted(growth.items(), key=lambda item: -item[1])
        parts = [f"{name} {format_bytes(size, signed=True)}" for name, size in ordered if abs(size) >= 1e6]
        lines.append(f"pid {pid}: native memory since the baseline: {', '.join(parts) or 'nothing grew'}")
    return lines or ["no JVM with -XX:NativeMemoryTracking=summary took a baseline and answered at the end"]


def _cost(watcher: Watch) -> list[str]:
    """What looking at pages has cost: the one thing that a watched process could feel."""
    walks = watcher.walks
    if not walks.count:
        return []
    return [
        f"pages were looked at {plural(walks.count, 'time')}: {format_duration(walks.seconds)} of processor, "
        f"{1000 * walks.longest:.0f} ms at most (--no-smaps leaves it out)"
    ]


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{wrapped(printable(line))}\n" for line in lines))
    sys.stdout.flush()


@contextmanager
def _view() -> Iterator[_View]:
    if not sys.stdout.isatty():
        yield _Lines()
        return
    from heapscope.cli.watch_screen import Screen

    with Screen() as screen:
        yield screen


class _Store:
    """The file of samples, if there is one: a disk that is full does not end the watch, nor its verdict."""

    def __init__(self, file: SampleFile | None) -> None:
        self._file = file
        self._missed = 0
        self._problem: OutputFailed | None = None

    def append(self, samples: list[Sample]) -> None:
        """Write a round; where that fails, say so once and go on."""
        if self._file is None:
            return
        try:
            self._file.append(samples)
        except OutputFailed as problem:
            if not self._missed:
                sys.stderr.write(f"heapscope: {printable(str(problem))}; the watch goes on\n")
            self._missed += 1
            self._problem = problem

    def check(self) -> None:
        """Raise what went wrong, now that the verdict is told."""
        if self._file is not None and self._problem is not None:
            missed = plural(self._missed, "round was", "rounds were")
            raise OutputFailed(self._file.path, f"{missed} not written: {self._problem.problem}")


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
    """SIGINT, SIGTERM and SIGHUP end the watch as its time does; SIGUSR1 asks for the verdict."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._is_over = self._is_asked = self._is_hung_up = False
        self._heartbeat = heartbeat_seconds()

    def __enter__(self) -> _Signals:
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._caught) for number in numbers}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, seconds: float, answer: Callable[[], None]) -> bool:
        """Sleep and call ``answer`` when it is asked for; whether the watch is to end."""
        deadline = time.monotonic() + seconds
        while not self._is_over:
            # Rounds may be further apart than a service manager's patience.
            self._woken.wait(min(max(0.0, deadline - time.monotonic()), self._heartbeat))
            self._woken.clear()
            if self._heartbeat < math.inf:
                notify("WATCHDOG=1")
            if self._is_asked:
                self._is_asked = False
                answer()
            if time.monotonic() >= deadline:
                break
        return self._is_over

    @contextmanager
    def after_hang_up(self) -> Iterator[None]:
        """What is printed once the terminal is gone is lost; a pipe or a file still gets it."""
        try:
            yield
        except OSError:
            if not self._is_hung_up:
                raise

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self._is_asked = True
        else:
            self._is_over = True
            self._is_hung_up |= number == signal.SIGHUP
        self._woken.set()
