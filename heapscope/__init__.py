"""heapscope: heap dumps of a leaking JVM in, what grew out.

::

    import heapscope

    with heapscope.open("worker-3.hprof") as heap:
        heap.class_histogram()
    snapshots = heapscope.snapshots(["monday.hprof", "tuesday.hprof.gz", "wednesday-histo.txt"])
    snapshots.trend()
    heapscope.report(snapshots, "incident.html")

The rooms, imports going only down::

    errors, units, progress, cache, files, secrets, extras, machine_code   what every room shares
    collector                        process -> dump file
    parser                           dump file -> records and columns
    analysis                         heap -> answers
    query                            SQL over heaps
    fleet                            many dumps -> sketches, on Dask; cohorts
    reporter                         answers -> HTML, Markdown, JSON
    cli, agent, testing              the command line, MCP tools, the pytest plugin; no analysis inside

Public is what `__all__` names.  Everything loads at first use, so that ``import heapscope``
and ``heapscope --help`` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from heapscope.handed_down import hand_down
from heapscope.rich_repr import set_renderer

__version__ = "0.2.0"

if TYPE_CHECKING:
    from heapscope.analysis.diagnosis import diagnose
    from heapscope.analysis.growth.growth import Growth
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.analysis.leaks.findings import Diagnosis, Finding
    from heapscope.analysis.memory.samples import read_samples, watched_processes
    from heapscope.analysis.snapshots import Snapshots, snapshots
    from heapscope.cli.magic import load_ipython_extension, unload_ipython_extension
    from heapscope.collector.embedded import collect_self
    from heapscope.errors import (
        AmbiguousName,
        AttachRefused,
        AttachTimeout,
        CollectError,
        CommandFailed,
        CorruptRecord,
        DifferentProcesses,
        DumpFailed,
        GrowthExceeded,
        HeapscopeError,
        HistogramError,
        HprofError,
        JvmNotFound,
        KnownLeaksError,
        MissingDependency,
        NeedsClasses,
        NoDemo,
        NoSuchHeap,
        NotHprof,
        ObjectNotFound,
        OutputExists,
        OutputFailed,
        QueryError,
        SampleError,
        TruncatedDump,
        UnsupportedFormat,
    )
    from heapscope.fleet.fleet import Fleet, open_fleet
    from heapscope.heap.heap import Heap
    from heapscope.heap.object_set import JavaObject, ObjectSet
    from heapscope.heap.opening import open
    from heapscope.heap.watched_classes import WATCHED_CLASSES
    from heapscope.reporter.bundle import write_bundle as bundle
    from heapscope.reporter.charts.memory import memory_figure
    from heapscope.reporter.render import write_report as report
    from heapscope.testing.growth import watching_growth

__all__ = [
    "WATCHED_CLASSES",
    "AmbiguousName",
    "AttachRefused",
    "AttachTimeout",
    "CollectError",
    "CommandFailed",
    "CorruptRecord",
    "Diagnosis",
    "DifferentProcesses",
    "DumpFailed",
    "Finding",
    "Fleet",
    "Growth",
    "GrowthExceeded",
    "Heap",
    "HeapscopeError",
    "HistogramError",
    "HprofError",
    "JavaObject",
    "JvmNotFound",
    "KnownLeaksError",
    "MissingDependency",
    "NeedsClasses",
    "NoDemo",
    "NoSuchHeap",
    "NotHprof",
    "ObjectNotFound",
    "ObjectSet",
    "OutputExists",
    "OutputFailed",
    "QueryError",
    "SampleError",
    "Snapshot",
    "Snapshots",
    "TruncatedDump",
    "UnsupportedFormat",
    "__version__",
    "bundle",
    "collect_self",
    "diagnose",
    "load_ipython_extension",
    "memory_figure",
    "open",
    "open_fleet",
    "read_samples",
    "report",
    "snapshots",
    "unload_ipython_extension",
    "watched_processes",
    "watching_growth",
]

# Where a name lives that is not in heapscope.errors: module, name there.
_HOMES = {
    "Diagnosis": ("heapscope.analysis.leaks.findings", "Diagnosis"),
    "Finding": ("heapscope.analysis.leaks.findings", "Finding"),
    "Fleet": ("heapscope.fleet.fleet", "Fleet"),
    "Growth": ("heapscope.analysis.growth.growth", "Growth"),
    "Heap": ("heapscope.heap.heap", "Heap"),
    "JavaObject": ("heapscope.heap.object_set", "JavaObject"),
    "ObjectSet": ("heapscope.heap.object_set", "ObjectSet"),
    "Snapshot": ("heapscope.analysis.growth.snapshot", "Snapshot"),
    "Snapshots": ("heapscope.analysis.snapshots", "Snapshots"),
    "WATCHED_CLASSES": ("heapscope.heap.watched_classes", "WATCHED_CLASSES"),
    "bundle": ("heapscope.reporter.bundle", "write_bundle"),
    "collect_self": ("heapscope.collector.embedded", "collect_self"),
    "diagnose": ("heapscope.analysis.diagnosis", "diagnose"),
    "load_ipython_extension": ("heapscope.cli.magic", "load_ipython_extension"),
    "memory_figure": ("heapscope.reporter.charts.memory", "memory_figure"),
    "open": ("heapscope.heap.opening", "open"),
    "open_fleet": ("heapscope.fleet.fleet", "open_fleet"),
    "read_samples": ("heapscope.analysis.memory.samples", "read_samples"),
    "report": ("heapscope.reporter.render", "write_report"),
    "snapshots": ("heapscope.analysis.snapshots", "snapshots"),
    "unload_ipython_extension": ("heapscope.cli.magic", "unload_ipython_extension"),
    "watched_processes": ("heapscope.analysis.memory.samples", "watched_processes"),
    "watching_growth": ("heapscope.testing.growth", "watching_growth"),
}


def _draw(thing: object) -> str | None:
    """The card of an answer in a notebook; the reporter is imported when the first is drawn."""
    html: str | None = import_module("heapscope.reporter.notebook.cards").html_of(thing)
    return html


set_renderer(_draw)
hand_down("object relations", lambda: import_module("heapscope.heap.object_relations"))
hand_down("explorer", lambda: import_module("heapscope.explorer.notebook"))
hand_down("query engine", lambda: import_module("heapscope.query.facade"))


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES.get(name, ("heapscope.errors", name))
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
