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

from heapscope.parser.layout.layout import instance_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

CLASS_LOADER = "java.lang.ClassLoader"


def boot_loader_bytes(graph: HeapGraph, reached: NDArray[np.uint64] | None = None) -> int:
    """Shallow size of MAT's boot loader object, 0 where no reachable class refers to it.

    Parameters
    ----------
    reached : uint64 array, optional
        Bits of the objects to look at; all that the roots reach by default.
    """
    loader = graph.classes.named(CLASS_LOADER)
    if loader is None:
        return 0
    bits = graph.followed() if reached is None else reached
    boot = np.array([c.is_dumped and c.loader_id == 0 for c in graph.classes], bool)
    objects = graph.class_objects[boot & (graph.class_objects >= 0)]
    is_reached = (bits[objects >> 6] >> (objects & 63).astype(np.uint64)) & np.uint64(1)
    if not is_reached.any():
        return 0
    return instance_bytes(graph.layout, {c.class_id: c for c in graph.classes if c.is_dumped})[
        loader.class_id
    ]


def boot_loader_lost(graph: HeapGraph, members: NDArray[np.int64], retained: NDArray[np.uint64]) -> int:
    """What MAT's boot loader object adds to a retained set: its size, or 0.

    It is a member where the class object of ``java.lang.ClassLoader`` is one, so that the members
    are all of that class; else it goes when the last class object that refers to it goes.
    """
    whole = boot_loader_bytes(graph)
    loaders = [i for i, c in enumerate(graph.classes) if c.name == CLASS_LOADER and c.loader_id == 0]
    if np.isin(graph.class_objects[loaders], members).any():
        return whole
    return whole - boot_loader_bytes(graph, graph.followed() & ~retained)
