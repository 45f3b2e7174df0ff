"""Class histograms: of a dump that was counted, as the JVM has it, as Eclipse MAT has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.retention.mat import CLASS_LOADER, boot_loader_bytes
from heapscope.parser.layout.layout import mirror_bytes, stack_chunk_classes
from heapscope.parser.names import CLASS
from heapscope.parser.records import unnamed_class
from heapscope.parser.tags import BasicType
from heapscope.table import Table

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.parser.layout.vm_objects import VmObjects
    from heapscope.parser.scan import HeapScan


def census_of(
    histogram: Table, superclasses: dict[str, str], patterns: Sequence[str], *, subclasses: bool = True
) -> Table:
    """Instances of watched classes in a histogram; see `Heap.census`."""
    rows = {row["class_name"]: row for row in histogram.rows()}
    picked = [matching_classes(p, rows, superclasses, subclasses=subclasses) for p in patterns]
    return Table(
        {
            "class_name": list(patterns),
            "instance_count": [sum(rows[name]["instance_count"] for name in names) for names in picked],
            "shallow_bytes": [sum(rows[name]["shallow_bytes"] for name in names) for names in picked],
            "class_count": [len(names) for names in picked],
        }
    )


def sorted_histogram(rows: Iterable[tuple[str, int, int]]) -> Table:
    """Histogram table from (class name, instances, bytes); the largest first, then by name."""
    ordered = sorted(rows, key=lambda row: (-row[2], row[0]))
    return Table(
        {
            "class_name": [row[0] for row in ordered],
            "instance_count": np.array([row[1] for row in ordered], np.int64),
            "shallow_bytes": np.array([row[2] for row in ordered], np.int64),
        }
    )


def jvm_histogram(table: Table, hidden: VmObjects) -> Table:
    """A dump's histogram with what the JVM counts and a dump hides."""
    rows = {name: (count, size) for name, count, size in zip(*table.columns.values(), strict=True)}
    for name, count, size in (
        (CLASS, hidden.unloaded_count, hidden.unloaded_bytes),
        ("int[]", -hidden.filler_count, -hidden.filler_bytes),
        (hidden.filler_name, hidden.filler_count, hidden.filler_bytes),
    ):
        if count:
            before = rows.get(name, (0, 0))
            rows[name] = before[0] + count, before[1] + size
    return sorted_histogram((name, int(c), int(b)) for name, (c, b) in rows.items() if c)


def scan_histogram(scan: HeapScan, sizes_of: Mapping[int, int], bytes_of: Callable[[int], int]) -> Table:
    """The class histogram of a dump that was counted.

    Parameters
    ----------
    sizes_of : mapping
        Bytes of an instance, by class identifier.
    bytes_of : callable
        Bytes of all instances of a class whose instances differ in size, by its identifier.
    """
    counts: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = defaultdict(int)
    classes = scan.classes
    varying = {i for i in stack_chunk_classes(classes) if scan.instance_counts.get(i)}
    for class_id, count in scan.instance_counts.items():
        if class_id in classes:
            name = classes[class_id].name
        else:
            name = unnamed_class(class_id) + ("[]" if class_id in scan.array_bytes else "")
        counts[name] += count
        if class_id in scan.array_bytes:
            sizes[name] += scan.array_bytes[class_id]
        elif class_id in varying:
            sizes[name] += bytes_of(class_id)
        else:
            sizes[name] += count * sizes_of.get(class_id, 0)
    for code in np.nonzero(scan.primitive_counts)[0].tolist():
        name = f"{BasicType(code).java_name}[]"
        counts[name] += int(scan.primitive_counts[code])
        sizes[name] += int(scan.primitive_bytes[code])
    mirrors = mirror_bytes(scan.layout, classes)
    dumped = [mirrors[class_id] for class_id, c in classes.items() if c.is_dumped]
    if dumped:
        counts[CLASS] += len(dumped)
        sizes[CLASS] += sum(dumped)
    return sorted_histogram((name, counts[name], sizes[name]) for name in counts)


def mat_histogram(graph: HeapGraph) -> Table:
    """The class histogram as MAT has it: reachable objects only, with the boot loader."""
    columns = graph.columns
    n = columns.size_units.size
    is_reached = np.unpackbits(graph.followed().view(np.uint8), count=n, bitorder="little").astype(bool)
    of_class = columns.class_index[is_reached]
    units = columns.size_units[is_reached].astype(np.float64)  # exact up to 2**53
    counts = np.bincount(of_class, minlength=len(graph.classes)).tolist()
    sizes = np.bincount(of_class, weights=units, minlength=len(graph.classes)).tolist()
    rows: dict[str, tuple[int, int]] = {}
    for java_class, count, size in zip(graph.classes, counts, sizes, strict=True):
        before = rows.get(java_class.name, (0, 0))
        if count:
            rows[java_class.name] = before[0] + count, before[1] + int(size) * columns.unit_bytes
    loader_bytes = boot_loader_bytes(graph)
    if loader_bytes:
        before = rows.get(CLASS_LOADER, (0, 0))
        rows[CLASS_LOADER] = before[0] + 1, before[1] + loader_bytes
    return sorted_histogram((name, count, size) for name, (count, size) in rows.items())
