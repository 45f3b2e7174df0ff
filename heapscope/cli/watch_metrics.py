"""What ``heapscope watch`` measures as metrics: OpenMetrics over HTTP, or a file for node_exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from heapscope import extras
from heapscope.errors import HeapscopeError, OutputFailed

if TYPE_CHECKING:
    from heapscope.collector.memory import Sample
    from heapscope.collector.processes import JvmProcess

_FIRST_BYTES = b"# HELP heapscope_"
LABELS = ("pid", "role", "task", "main_class", "container", "pod")
# Metric without its prefix: column of a sample, and what it is.
GAUGES = {
    "virtual_memory_bytes": ("vsz_bytes", "Virtual size of the process."),
    "resident_memory_bytes": ("rss_bytes", "Resident size of the process."),
    "proportional_memory_bytes": ("pss_bytes", "Resident bytes, shared pages by share; of small processes."),
    "file_memory_bytes": ("file_rss_bytes", "Resident pages of files: libraries, mapped files."),
    "shared_memory_bytes": ("shared_rss_bytes", "Resident pages that are shared with others: /dev/shm."),
    "swap_bytes": ("swap_bytes", "What of the process is swapped out."),
    "heap_resident_bytes": ("heap_rss_bytes", "Resident bytes inside the Java heap's address range."),
    "heap_swap_bytes": ("heap_swap_bytes", "What of the Java heap's address range is swapped out."),
    "heap_used_bytes": ("heap_used_bytes", "Java heap in use, garbage included."),
    "heap_committed_bytes": ("heap_committed_bytes", "Java heap that the JVM has committed."),
    "heap_max_bytes": ("heap_max_bytes", "What the Java heap may become (-Xmx)."),
    "old_generation_after_gc_bytes": ("old_after_gc_bytes", "Old generation as the last collection left it."),
    "metaspace_committed_bytes": ("metaspace_bytes", "Metaspace that the JVM has committed."),
    "malloc_main_arena_bytes": ("malloc_rss_bytes", "glibc's main arena (brk)."),
    "malloc_other_arenas_bytes": ("arena_rss_bytes", "glibc's other arenas."),
    "native_memory_other_bytes": (
        "nmt_other_bytes",
        "Native memory tracking: direct buffers and Unsafe memory.",
    ),
    "native_memory_bytes": ("nmt_native_bytes", "Native memory tracking: all but the Java heap."),
    "threads": ("thread_count", "Threads of the process, native ones too."),
    "loaded_classes": ("class_count", "Classes that are loaded."),
}
COUNTERS = {
    "gc_collections": ("gc_count", "Collections since the JVM started."),
    "gc_full_collections": ("full_gc_count", "Collections of the whole heap since the JVM started."),
    "gc_seconds": ("gc_seconds", "Time in collections since the JVM started."),
}
CLASS_GAUGES = {
    "class_instances": "Instances of a watched class.",
    "class_shallow_bytes": "Their shallow size.",
}


@dataclass(slots=True)
class Snapshot:
    """What is exported: the last round, and the last class counts of each process that is in it.

    Attributes
    ----------
    samples : sequence of Sample
    labels : mapping
        By pid and start time, values of `LABELS`.
    counts : mapping
        By pid and start time, then by class: instances and shallow bytes.
    """

    samples: Sequence[Sample] = ()
    labels: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    counts: Mapping[tuple[int, int], Mapping[str, tuple[int, int]]] = field(default_factory=dict)


class Exporter:
    """Serves the last round; what `show` was given is told until the next.

    Raises
    ------
    MissingDependency
        Without the prometheus-client library.
    """

    def __init__(self) -> None:
        self._library = extras.prometheus_client()
        self._last = Snapshot()
        self._registry = self._library.CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def update(self, snapshot: Snapshot) -> None:
        """Replace what is exported: processes that have ended disappear."""
        self._last = snapshot

    def collect(self) -> Iterator[Any]:
        """The metrics, as prometheus-client's registry asks for them."""
        core, last = self._library.core, self._last
        keyed = [(sample, last.labels[sample.pid, sample.start_ticks]) for sample in last.samples]
        for family, metrics in ((core.GaugeMetricFamily, GAUGES), (core.CounterMetricFamily, COUNTERS)):
            for name, (column, text) in metrics.items():
                metric = family(f"heapscope_{name}", text, labels=LABELS)
                for sample, labels in keyed:
                    value = getattr(sample, column)
                    if value is not None:
                        metric.add_metric(labels, value)
                yield metric
        for place, (name, text) in enumerate(CLASS_GAUGES.items()):
            metric = core.GaugeMetricFamily(f"heapscope_{name}", text, labels=(*LABELS, "class"))
            for sample, labels in keyed:
                for class_name, figures in last.counts.get((sample.pid, sample.start_ticks), {}).items():
                    metric.add_metric((*labels, class_name), figures[place])
            yield metric
        when = core.GaugeMetricFamily("heapscope_last_round_timestamp_seconds", "When was sampled last.")
        if last.samples:
            when.add_metric((), datetime.fromisoformat(last.samples[0].captured_at).timestamp())
        yield when
        yield core.GaugeMetricFamily(
            "heapscope_watched_processes", "JVMs in the last round.", len(last.samples)
        )

    @contextmanager
    def serving(self, host: str, port: int) -> Iterator[int]:
        """Answer HTTP requests while the block runs; the port, which the system picks for 0.

        Raises
        ------
        HeapscopeError
            The address cannot be listened at.
        """
        try:
            server, thread = self._library.start_http_server(port, host, self._registry)
        except (OSError, OverflowError) as error:
            raise HeapscopeError(
                f"--metrics {host}:{port}: {getattr(error, 'strerror', None) or error}; name another address"
            ) from None
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def write(self, path: Path) -> None:
        """Write a file for node_exporter's textfile collector: whole, and readable for its user.

        Raises
        ------
        OutputFailed
        """
        try:
            self._library.write_to_textfile(str(path), self._registry)
        except OSError as error:
            raise OutputFailed(path, error.strerror or str(error)) from None


class ClassCounts:
    """Instances of watched classes, from class histograms that are taken now and then while a watch goes on.

    Parameters
    ----------
    every : float
        Seconds between two histograms of one process.
    ask : callable (command) -> dict
        Asks all watched JVMs: by pid and start time, the answer to come.
    """

    def __init__(self, every: float, ask: Callable[[str], dict[tuple[int, int], Future[str]]]) -> None:
        self._every, self._ask = every, ask
        self._next = 0.0
        self._waiting: dict[tuple[int, int], Future[str]] = {}
        self.counts: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}

    def look(self, living: set[tuple[int, int]]) -> None:
        """Take in what was answered, and ask where it is time; nothing is waited for."""
        for key, answer in list(self._waiting.items()):
            if answer.done():
                del self._waiting[key]
                with suppress(HeapscopeError, OSError):
                    self.counts[key] = watched_counts(answer.result())
        self.counts = {key: counts for key, counts in self.counts.items() if key in living}
        if monotonic() >= self._next and not self._waiting:
            self._next = monotonic() + self._every
            # Without a collection: a pause of a third, and garbage counts as well.
            self._waiting = self._ask("GC.class_histogram -all")


def _check_ours(path: Path) -> None:
    """Refuse to overwrite a file that is none of ours.

    Raises
    ------
    OutputFailed
    """
    try:
        with open(path, "rb") as file:
            head = file.read(len(_FIRST_BYTES))
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputFailed(path, error.strerror or str(error)) from None
    if head and head != _FIRST_BYTES:
        raise OutputFailed(path, "it exists and is not of 'heapscope watch --textfile'; name another file")


def watched_counts(text: str) -> dict[str, tuple[int, int]]:
    """Instances and shallow bytes of each watched class, its known subclasses included, from a histogram."""
    from heapscope.heap.graph.class_patterns import matching_classes
    from heapscope.heap.watched_classes import KNOWN_SUPERCLASSES, WATCHED_CLASSES
    from heapscope.parser.texts.class_histogram import parse_histogram

    found = parse_histogram(text.encode(), "class histogram")
    rows = dict(
        zip(found.class_names, zip(found.instance_counts, found.shallow_bytes, strict=True), strict=True)
    )
    counts = {}
    for name in WATCHED_CLASSES:
        members = [rows[each] for each in matching_classes(name, rows, KNOWN_SUPERCLASSES) if each in rows]
        counts[name] = sum(count for count, _ in members), sum(size for _, size in members)
    return counts


def labels_of(process: JvmProcess) -> tuple[str, ...]:
    """Values of `LABELS` of one process."""
    from heapscope.collector.processes import program_of
    from heapscope.reporter.text import printable

    index = "" if process.task_index is None else str(process.task_index)
    program = printable(program_of(process.command))
    return str(process.pid), process.role or "", index, program, process.container, process.pod


def parse_address(text: str) -> tuple[str, int]:
    """``127.0.0.1:9464`` or ``[::1]:9464``: host and port; ``:9464`` is this machine only.

    Raises
    ------
    ValueError
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError("an address is HOST:PORT, 127.0.0.1:9464 say")
    return host.strip("[]") or "127.0.0.1", int(port)


class Metrics:
    """The exporter of one watch, with its labels and class counts.

    Parameters
    ----------
    textfile : Path or None
        Written after each round.
    counts : ClassCounts or None
    """

    def __init__(self, textfile: Path | None, counts: ClassCounts | None) -> None:
        self._exporter = Exporter()
        if textfile is not None:
            _check_ours(textfile)
        self._textfile = textfile
        self._counts = counts
        self._labels: dict[tuple[int, int], tuple[str, ...]] = {}
        self._known: dict[tuple[int, int], dict[str, Any]] = {}
        self.problem: OutputFailed | None = None

    def serving(self, address: tuple[str, int]) -> AbstractContextManager[int]:
        """As `Exporter.serving`."""
        return self._exporter.serving(*address)

    def round(self, samples: list[Sample], processes: Sequence[JvmProcess]) -> None:
        """Export a round."""
        present = {(process.pid, process.start_ticks): process for process in processes}
        self._labels = {key: self._labels.get(key) or labels_of(process) for key, process in present.items()}
        told = [
            self._completed(sample) for sample in samples if (sample.pid, sample.start_ticks) in self._labels
        ]
        self._known = {key: known for key, known in self._known.items() if key in self._labels}
        if self._counts is not None:
            self._counts.look(set(present))
        counts = {} if self._counts is None else self._counts.counts
        self._exporter.update(Snapshot(told, self._labels, counts))
        if self._textfile is not None:
            try:
                self._exporter.write(self._textfile)
                self.problem = None
            except OutputFailed as problem:
                self.problem = problem

    def _completed(self, sample: Sample) -> Sample:
        """A sample with the last known value of what is not measured in every round: a gauge has no gaps."""
        known = self._known.setdefault((sample.pid, sample.start_ticks), {})
        columns = {column for column, _ in GAUGES.values()}
        known |= {name: value for name in columns if (value := getattr(sample, name)) is not None}
        return replace(sample, **known)
