"""What Eclipse MAT shows and no other reading of a dump would: for ``semantics="mat"``.

Source: Eclipse MAT 1.17, ``org.eclipse.mat.hprof`` (HprofParserHandlerImpl) and
``org.eclipse.mat.parser`` (GarbageCleaner, ClassImpl), read for its rules.

- Shallow sizes by `heapscope.parser.layout.layout.mat_layout`; a class object is as large as its statics.
- All referents are followed; signers and protection domains are not.
- Objects that nothing reaches do not count.
- The boot loader is an object at address 0, an instance of ``java.lang.ClassLoader`` that all
  classes of its refer to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.histogram import sorted_histogram
from heapscope.parser.layout.layout import instance_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import Graph
    from heapscope.heap.heap import Heap
    from heapscope.table import Table

_CLASS_LOADER = "java.lang.ClassLoader"


def boot_loader_bytes(heap: Heap, reached: NDArray[np.uint64] | None = None) -> int:
    """Shallow size of MAT's boot loader object, 0 where no reachable class refers to it.

    Parameters
    ----------
    reached : uint64 array, optional
        Bits of the objects to look at; all that the roots reach by default.
    """
    graph: Graph = heap.graph
    loader = heap.classes.named(_CLASS_LOADER)
    if loader is None:
        return 0
    bits = graph.followed() if reached is None else reached
    boot = np.array([c.is_dumped and c.loader_id == 0 for c in heap.classes], bool)
    objects = heap.class_objects[boot & (heap.class_objects >= 0)]
    is_reached = (bits[objects >> 6] >> (objects & 63).astype(np.uint64)) & np.uint64(1)
    if not is_reached.any():
        return 0
    return instance_bytes(graph.layout, {c.class_id: c for c in heap.classes if c.is_dumped})[loader.class_id]


def boot_loader_lost(heap: Heap, members: NDArray[np.int64], retained: NDArray[np.uint64]) -> int:
    """What MAT's boot loader object adds to a retained set: its size, or 0.

    It is a member where the class object of ``java.lang.ClassLoader`` is one, so that the members
    are all of that class; else it goes when the last class object that refers to it goes.
    """
    whole = boot_loader_bytes(heap)
    loaders = [i for i, c in enumerate(heap.classes) if c.name == _CLASS_LOADER and c.loader_id == 0]
    if np.isin(heap.class_objects[loaders], members).any():
        return whole
    return whole - boot_loader_bytes(heap, heap.graph.followed() & ~retained)


def mat_histogram(heap: Heap) -> Table:
    """The class histogram as MAT has it: reachable objects only, with the boot loader."""
    columns = heap.columns
    n = columns.size_units.size
    is_reached = np.unpackbits(heap.graph.followed().view(np.uint8), count=n, bitorder="little").astype(bool)
    of_class = columns.class_index[is_reached]
    units = columns.size_units[is_reached].astype(np.float64)  # exact up to 2**53
    counts = np.bincount(of_class, minlength=len(heap.classes)).tolist()
    sizes = np.bincount(of_class, weights=units, minlength=len(heap.classes)).tolist()
    rows: dict[str, tuple[int, int]] = {}
    for java_class, count, size in zip(heap.classes, counts, sizes, strict=True):
        before = rows.get(java_class.name, (0, 0))
        if count:
            rows[java_class.name] = before[0] + count, before[1] + int(size) * columns.unit_bytes
    loader_bytes = boot_loader_bytes(heap)
    if loader_bytes:
        before = rows.get(_CLASS_LOADER, (0, 0))
        rows[_CLASS_LOADER] = before[0] + 1, before[1] + loader_bytes
    return sorted_histogram((name, count, size) for name, (count, size) in rows.items())
