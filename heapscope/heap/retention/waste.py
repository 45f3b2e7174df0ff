"""What holds nothing new: duplicate strings, empty collections, classes loaded twice; thread locals."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.index_sets import are_among, distinct
from heapscope.heap.objects.fields import numbers_at, read_field
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.heap.objects.threads import threads_of
from heapscope.heap.objects.values import string_arrays
from heapscope.heap.retention import kernels
from heapscope.heap.retention.by_group import loader_name
from heapscope.parser.tags import VALUE_BYTES
from heapscope.progress import Progress, no_progress
from heapscope.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_TEXT_CHARACTERS = 80
_SPARSE = 3  # fuller than a third is as collections grow
_SPARSE_SLOTS = 16
_STEPS = 5  # of comparing texts, that progress tells
# Class -> (field with its array, field with its size, array slots an entry takes).
_COLLECTIONS = {
    "java.util.HashMap": ("table", "size", 1),
    "java.util.LinkedHashMap": ("table", "size", 1),
    "java.util.WeakHashMap": ("table", "size", 1),
    "java.util.IdentityHashMap": ("table", "size", 2),
    "java.util.Hashtable": ("table", "count", 1),
    "java.util.concurrent.ConcurrentHashMap": ("table", "baseCount", 1),
    "java.util.ArrayList": ("elementData", "size", 1),
    "java.util.Vector": ("elementData", "elementCount", 1),
    "java.util.Stack": ("elementData", "elementCount", 1),
    "java.util.PriorityQueue": ("queue", "size", 1),
}
_HIDDEN = ("/0x", "$$Lambda", "LambdaForm$")


def _rows_of(graph: HeapGraph, class_name: str) -> NDArray[np.int64]:
    """Instances of the classes of a name, subclasses left out; empty where there is none."""
    is_it = np.array([c.name == class_name for c in graph.classes], bool)
    return graph.instances_of(is_it)


def duplicate_strings(graph: HeapGraph, count: int = 20, progress: Progress = no_progress) -> Table:
    """Texts that several strings hold.

    Parameters
    ----------
    count : int
        How many texts at most.
    progress : Progress
        Told how far it is.

    Returns
    -------
    Table
        ``text, string_count, array_count, wasted_bytes``: what the second and every further
        String of a text takes, and every array beyond the first; the most wasteful first.
        A text is cut after 80 characters.
    """
    progress("comparing texts", 0, _STEPS)
    strings = _rows_of(graph, "java.lang.String")
    columns = graph.columns
    arrays = string_arrays(graph, strings)
    coders = read_field(graph, strings, "coder", is_optional=True).bits
    progress("comparing texts", 1, _STEPS)
    strings, coders, arrays = strings[arrays >= 0], coders[arrays >= 0], arrays[arrays >= 0]
    hashes, lengths = np.empty(strings.size, np.uint64), np.empty(strings.size, np.int64)
    widths = np.zeros(12, np.int64)
    widths[list(VALUE_BYTES)] = list(VALUE_BYTES.values())
    offsets = columns.offsets[arrays].astype(np.int64)
    progress("comparing texts", 2, _STEPS)
    kernels.hash_arrays(
        graph.buffer, offsets, np.ascontiguousarray(coders), graph.identifier_bytes, widths, hashes, lengths
    )
    keep = lengths >= 0
    strings, arrays, hashes = strings[keep], arrays[keep], hashes[keep]
    progress("comparing texts", 3, _STEPS)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    progress("comparing texts", 4, _STEPS)
    starts = np.nonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))[0] if hashes.size else order
    counts = np.diff(np.append(starts, hashes.size))
    several = counts > 1
    starts, counts = starts[several], counts[several]
    units = columns.size_units
    # With all arrays taken to be distinct first: no text can waste more than that.
    firsts = order[starts]
    bound = (counts - 1) * (units[strings[firsts]].astype(np.int64) + units[arrays[firsts]])
    rows: list[tuple[str, int, int, int]] = []
    for place in np.argsort(-bound, kind="stable").tolist():
        if len(rows) >= count and bound[place] * columns.unit_bytes <= sorted(row[3] for row in rows)[-count]:
            break
        members = order[starts[place] : starts[place] + counts[place]]
        rows.append(_duplicate(graph, strings[members], arrays[members]))
    rows = sorted((row for row in rows if row[1] > 1), key=lambda row: (-row[3], row[0]))[:count]
    return Table(
        {
            "text": [row[0] for row in rows],
            "string_count": np.array([row[1] for row in rows], np.int64),
            "array_count": np.array([row[2] for row in rows], np.int64),
            "wasted_bytes": np.array([row[3] for row in rows], np.int64),
        }
    )


def _duplicate(
    graph: HeapGraph, strings: NDArray[np.int64], arrays: NDArray[np.int64]
) -> tuple[str, int, int, int]:
    """Text, strings, arrays and wasted bytes of one group, which is compared byte for byte."""
    columns = graph.columns
    rows = distinct(arrays)
    offsets = columns.offsets[rows].astype(np.int64)
    width = graph.identifier_bytes
    head = 1 + width + 9
    first = JavaObject(graph, int(rows[0]))
    size = int(first.elements().nbytes)
    content = graph.buffer[offsets[0] + head : offsets[0] + head + size]
    is_same = np.ones(rows.size, bool)
    for begin in range(0, size, 64):  # in pieces: a group may have a million members
        left = np.nonzero(is_same)[0]
        piece = content[begin : begin + 64]
        places = offsets[left][:, None] + (head + begin + np.arange(piece.size))
        is_same[left] = (graph.buffer[np.minimum(places, graph.buffer.size - 1)] == piece).all(axis=1)
    rows = rows[is_same]
    strings = strings[are_among(arrays, rows)]
    units = columns.size_units
    wasted = (strings.size - 1) * int(units[strings[0]]) + (rows.size - 1) * int(units[rows[0]])
    text = JavaObject(graph, int(strings[0])).text() or ""
    return text[:_TEXT_CHARACTERS], int(strings.size), int(rows.size), wasted * columns.unit_bytes


def wasteful_collections(graph: HeapGraph, count: int = 20) -> Table:
    """Collections whose array is empty, or filled to less than a third.

    Returns
    -------
    Table
        ``class_name, kind, collection_count, wasted_bytes``; kind is ``empty`` or ``sparse``,
        wasted are the slots without an entry; the most wasteful first.
    """
    rows: list[tuple[str, str, int, int]] = []
    for class_name, (array_field, size_field, slots) in _COLLECTIONS.items():
        members = _rows_of(graph, class_name)
        if not members.size:
            continue
        arrays = graph.indices_of(read_field(graph, members, array_field, is_optional=True).references())
        sizes = read_field(graph, members, size_field, is_optional=True).bits.astype(np.int64)
        has_array = arrays >= 0
        arrays, sizes = arrays[has_array], sizes[has_array] * slots
        _, inverse, holders = np.unique(arrays, return_inverse=True, return_counts=True)
        is_own = holders[inverse] == 1  # the array that all empty lists share is nobody's
        arrays, sizes = arrays[is_own], sizes[is_own]
        lengths = _lengths(graph, arrays)
        free = np.maximum(lengths - sizes, 0) * graph.layout.reference_bytes
        is_empty = (sizes == 0) & (lengths > 0)
        is_sparse = ~is_empty & (lengths >= _SPARSE_SLOTS) & (sizes * _SPARSE < lengths)
        for kind, chosen in (("empty", is_empty), ("sparse", is_sparse)):
            if chosen.any():
                rows.append((class_name, kind, int(chosen.sum()), int(free[chosen].sum())))
    rows.sort(key=lambda row: (-row[3], row[0]))
    return Table(
        {
            "class_name": [row[0] for row in rows[:count]],
            "kind": [row[1] for row in rows[:count]],
            "collection_count": np.array([row[2] for row in rows[:count]], np.int64),
            "wasted_bytes": np.array([row[3] for row in rows[:count]], np.int64),
        }
    )


def _lengths(graph: HeapGraph, arrays: NDArray[np.int64]) -> NDArray[np.int64]:
    """Elements of arrays, int64."""
    at = graph.columns.offsets[arrays].astype(np.int64) + 1 + graph.identifier_bytes + 4
    return numbers_at(graph.buffer, at, 4).astype(np.int64)


def thread_locals(graph: HeapGraph, count: int = 20) -> Table:
    """Values of thread locals, what retains most first.

    Returns
    -------
    Table
        ``thread_name, key_class, value_class, retained_bytes, object_id``; the identifier is the
        value's.  A key that was collected has no class.
    """
    tree = graph.dominators
    rows: list[tuple[str, str, str, int, int]] = []
    for thread in threads_of(graph):
        owner = object_or_none(graph, thread.object_id)
        for name in ("threadLocals", "inheritableThreadLocals") if owner is not None else ():
            assert owner is not None
            table = owner.follow(name, "table")
            for entry_id in table.element_ids().tolist() if table is not None else ():
                entry = object_or_none(graph, entry_id)
                value = entry.follow("value") if entry is not None else None
                if entry is None or value is None:
                    continue
                key = entry.follow("referent")
                rows.append(
                    (
                        thread.name,
                        key.class_name if key is not None else "",
                        value.class_name,
                        tree.retained_bytes_of(value.index),
                        value.object_id,
                    )
                )
    rows.sort(key=lambda row: (-row[3], row[0], row[4]))
    rows = rows[:count]
    return Table(
        {
            "thread_name": [row[0] for row in rows],
            "key_class": [row[1] for row in rows],
            "value_class": [row[2] for row in rows],
            "retained_bytes": np.array([row[3] for row in rows], np.int64),
            "object_id": np.array([row[4] for row in rows], np.uint64),
        }
    )


def duplicate_classes(graph: HeapGraph) -> Table:
    """Classes of one name that several loaders loaded.

    Returns
    -------
    Table
        ``class_name, loader_count, instance_count, loaders``, most loaders first; hidden classes,
        of lambdas say, are left out.
    """
    counts, _ = graph.class_totals
    loaders: dict[str, set[int]] = defaultdict(set)
    instances: dict[str, int] = defaultdict(int)
    for java_class, count in zip(graph.classes, counts.tolist(), strict=True):
        if java_class.is_dumped and not any(mark in java_class.name for mark in _HIDDEN):
            loaders[java_class.name].add(java_class.loader_id)
            instances[java_class.name] += count
    names = sorted((n for n in loaders if len(loaders[n]) > 1), key=lambda n: (-len(loaders[n]), n))
    return Table(
        {
            "class_name": names,
            "loader_count": np.array([len(loaders[n]) for n in names], np.int64),
            "instance_count": np.array([instances[n] for n in names], np.int64),
            "loaders": [
                ", ".join(loader_name(graph, i) for i in sorted(loaders[n])[:3])
                + (", ..." if len(loaders[n]) > 3 else "")
                for n in names
            ],
        }
    )
