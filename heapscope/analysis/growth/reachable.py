"""Snapshots that count only what the GC roots still reach: garbage in a dump is no growth."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.thresholds import SERIES_DUMPS
from heapscope.errors import HeapscopeError
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.graph.reachability import STRONG, UNREACHABLE
from heapscope.heap.object_set import ObjectSet
from heapscope.parser.tags import BasicType
from heapscope.progress import Progress, no_progress
from heapscope.table import Table

AnySeries = TypeVar("AnySeries", bound=Series)


def reachable_series(series: AnySeries, progress: Progress = no_progress) -> AnySeries | None:
    """The same snapshots, with histograms of what the GC roots reach.

    Parameters
    ----------
    series : Series
        Of one process.
    progress : Progress
        Told how far reading the dumps is; each is opened.

    Returns
    -------
    Series or None
        None where that cannot be told: not every snapshot is a whole dump that can still be read, one lacks
        GC roots, or there are more than `SERIES_DUMPS`.
    """
    if len(series) > SERIES_DUMPS or not all(each.kind == DUMP and each.coverage is None for each in series):
        return None
    with suppress(HeapscopeError, OSError):  # a dump may be gone by now
        kept = series.of_each_dump(lambda _, graph: reachable_histogram(graph), progress)
        found = [
            replace(each, histogram=table)
            for each, table in zip(series, kept, strict=True)
            if table is not None
        ]
        return series.with_snapshots(found) if len(found) == len(series) else None
    return None


def reachable_histogram(graph: HeapGraph) -> Table | None:
    """The class histogram of what the GC roots reach; None where the dump seems to lack roots."""
    if _lacks_roots(graph):
        return None
    return ObjectSet(graph, np.flatnonzero(graph.categories != UNREACHABLE)).histogram()


def kept_bytes(series: Series, progress: Progress = no_progress) -> list[int] | None:
    """What would still be there when memory runs out, in each dump: what the GC roots hold strongly.

    Parameters
    ----------
    series, progress
        As for `reachable_series`.

    Returns
    -------
    list of int or None
        None where that cannot be told, as there.
    """
    if len(series) > SERIES_DUMPS or not all(each.kind == DUMP and each.is_whole for each in series):
        return None
    found = []
    with suppress(HeapscopeError, OSError):  # a dump may be gone by now
        for each in series:
            heap = each.open(progress)
            if heap is None:
                return None
            with heap:
                graph = heap.graph
                if _lacks_roots(graph):
                    return None
                units = graph.columns.size_units.sum(where=graph.categories == STRONG, dtype=np.uint64)
                found.append(int(units) * graph.columns.unit_bytes)
        return found
    return None


def _lacks_roots(graph: HeapGraph) -> bool:
    """Whether a class of the program or a library, whose static fields hold something, seems to be garbage.

    A class goes with its loader, and that is rare.  Rather the writer of the dump left the roots of classes
    out, and what their fields hold is no garbage.
    """
    for java_class, index in zip(graph.classes, graph.class_objects.tolist(), strict=True):
        if index < 0 or graph.categories[index] != UNREACHABLE:
            continue
        holds = any(each.type == BasicType.OBJECT and each.value for each in java_class.statics)
        if holds and class_origin(java_class.name) != ClassOrigin.JDK:
            return True
    return False
