"""heapscope: heap dumps of a leaking JVM in, what grew out.

::

    import heapscope

    with heapscope.open("worker-3.hprof") as heap:
        heap.class_histogram()
    snapshots = heapscope.snapshots(["monday.hprof", "tuesday.hprof.gz", "wednesday-histo.txt"])
    snapshots.trend()
    heapscope.report(snapshots, "incident.html")

The rooms, imports going only down::

    errors, units, progress, cache, files, machine_code   what every room shares
    collector                        process -> dump file
    parser                           dump file -> records and columns
    analysis                         heap -> answers
    reporter                         answers -> HTML, Markdown, JSON
    cli                              the command line; no analysis inside

Public is what `__all__` names.  Everything loads at first use, so that ``import heapscope``
and ``heapscope --help`` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from heapscope.analysis.census import WATCHED_CLASSES
    from heapscope.analysis.diagnosis import diagnose
    from heapscope.analysis.heap import Heap, open
    from heapscope.analysis.snapshots import Snapshot, Snapshots, snapshots
    from heapscope.collector.embedded import collect_self
    from heapscope.errors import (
        AttachRefused,
        AttachTimeout,
        CollectError,
        CorruptRecord,
        DifferentProcesses,
        DumpFailed,
        HeapscopeError,
        HistogramError,
        HprofError,
        JvmNotFound,
        KnownLeaksError,
        MissingDependency,
        NeedsClasses,
        NoDemo,
        NotHprof,
        ObjectNotFound,
        OutputExists,
        OutputFailed,
        SampleError,
        TruncatedDump,
        UnsupportedFormat,
    )
    from heapscope.reporter.render import write_report as report

__all__ = [
    "WATCHED_CLASSES",
    "AttachRefused",
    "AttachTimeout",
    "CollectError",
    "CorruptRecord",
    "DifferentProcesses",
    "DumpFailed",
    "Heap",
    "HeapscopeError",
    "HistogramError",
    "HprofError",
    "JvmNotFound",
    "KnownLeaksError",
    "MissingDependency",
    "NeedsClasses",
    "NoDemo",
    "NotHprof",
    "ObjectNotFound",
    "OutputExists",
    "OutputFailed",
    "SampleError",
    "Snapshot",
    "Snapshots",
    "TruncatedDump",
    "UnsupportedFormat",
    "__version__",
    "collect_self",
    "diagnose",
    "open",
    "report",
    "snapshots",
]

# Where a name lives that is not in heapscope.errors: module, name there.
_HOMES = {
    "Heap": ("heapscope.analysis.heap", "Heap"),
    "Snapshot": ("heapscope.analysis.snapshots", "Snapshot"),
    "Snapshots": ("heapscope.analysis.snapshots", "Snapshots"),
    "WATCHED_CLASSES": ("heapscope.analysis.census", "WATCHED_CLASSES"),
    "collect_self": ("heapscope.collector.embedded", "collect_self"),
    "diagnose": ("heapscope.analysis.diagnosis", "diagnose"),
    "open": ("heapscope.analysis.heap", "open"),
    "report": ("heapscope.reporter.render", "write_report"),
    "snapshots": ("heapscope.analysis.snapshots", "snapshots"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES.get(name, ("heapscope.errors", name))
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
