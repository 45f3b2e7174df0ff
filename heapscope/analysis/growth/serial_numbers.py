"""How many objects of a class were made, by the numbers that they carry.

Orders, requests and sessions often have a number, one after the other.  Where each object that piled up
before a cure carries the next number, the numbers of those that are there after it tell how many were made
since, although hardly any of them is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.thresholds import MIN_EXPECTED, MIN_SNAPSHOTS, ONE_FOR_ONE, SERIES_DUMPS
from heapscope.errors import HeapscopeError, ObjectNotFound
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.object_set import instances_of
from heapscope.heap.objects.fields import class_fields, read_field
from heapscope.heap.objects.values import read_strings
from heapscope.parser.tags import BasicType
from heapscope.progress import Progress, no_progress

_MOST = 100_000  # instances whose fields are read: chosen, some tenths of a second
_NUMBER = re.compile(r"(.*?)(\d{1,15})\D*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers that a field has in the instances of one dump."""

    count: int
    is_unique: bool
    highest: int


def made(before: Series, after: Series, class_name: str, progress: Progress = no_progress) -> int:
    """How many instances of a class were made from the first snapshot after to the last, at least.

    Parameters
    ----------
    before, after : Series
        Each of one process; each dump is opened.
    class_name : str
        As the series call it.

    Returns
    -------
    int
        0 where nothing tells: no field whose numbers rise one for one with the instances before, each number
        once, or too few dumps.
    """
    runs = [_numbers_of(series, class_name, progress) for series in (before, after)]
    fields = {name for numbers in runs[0] for name in numbers}
    return max((_made(*([each.get(name) for each in run] for run in runs)) for name in fields), default=0)


def _made(before: Sequence[_Numbers | None], after: Sequence[_Numbers | None]) -> int:
    known = [one for one in before if one is not None]
    if len(known) < len(before) or len(known) < MIN_SNAPSHOTS or not all(one.is_unique for one in known):
        return 0
    for one, other in pairwise(known):
        more = other.count - one.count
        if more < MIN_EXPECTED or abs(other.highest - one.highest - more) > ONE_FOR_ONE * more:
            return 0
    highest = [one.highest for one in after if one is not None and one.is_unique]
    if len(highest) < MIN_SNAPSHOTS or highest != sorted(highest):
        return 0
    return highest[-1] - highest[0]


def _numbers_of(series: Series, class_name: str, progress: Progress) -> list[dict[str, _Numbers]]:
    """For each dump the fields that have a number; empty where one is no dump, or they are many."""
    if len(series) > SERIES_DUMPS or not all(each.kind == DUMP for each in series):
        return []
    with suppress(HeapscopeError, OSError):  # a dump may be gone by now
        return [_of(each, series, class_name, progress) for each in series]
    return []


def _of(snapshot: Snapshot, series: Series, class_name: str, progress: Progress) -> dict[str, _Numbers]:
    heap = snapshot.open(progress)
    if heap is None:
        return {}
    with heap:
        names = {each.name for each in heap.graph.classes if series.name_of(each.name) == class_name}
        if len(names) != 1:
            return {}
        with suppress(ObjectNotFound):
            rows = instances_of(heap.graph, names.pop(), subclasses=False).indices
            if 0 < rows.size <= _MOST:
                return dict(_fields(heap.graph, rows))
    return {}


def _fields(graph: HeapGraph, rows: NDArray[np.int64]) -> Iterator[tuple[str, _Numbers]]:
    for place in class_fields(graph, int(graph.columns.class_index[rows[0]])).places:
        column = read_field(graph, rows, place.name, is_optional=True, declared_in=place.declared_in)
        if place.type in (BasicType.INT, BasicType.LONG):
            values = column.bits.astype(np.uint32 if place.type == BasicType.INT else np.uint64)
            numbers = values.view(np.int32 if place.type == BasicType.INT else np.int64).tolist()
        elif place.type == BasicType.OBJECT:
            found = _in_texts(read_strings(graph, graph.indices_of(column.references())))
            if found is None:
                continue
            numbers = found
        else:
            continue
        yield place.name, _Numbers(len(numbers), len(set(numbers)) == len(numbers), max(numbers))


def _in_texts(texts: Sequence[str | None]) -> list[int] | None:
    """The last number in each text, where all texts are the same in front of it; else None."""
    found, front = [], None
    for text in texts:
        match = _NUMBER.fullmatch(text) if text is not None and len(text) < 200 else None
        if match is None or front not in (None, match[1]):
            return None
        front = match[1]
        found.append(int(match[2]))
    return found
