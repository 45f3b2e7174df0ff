"""Which classes extend which, and which objects are of some classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.parser.records import JavaClass


def superclass_rows(classes: Sequence[JavaClass]) -> NDArray[np.int64]:
    """Row of the superclass of each class, int64, shape (c,); -1 where the dump has none."""
    rows: dict[int, int] = {}
    for row, java_class in enumerate(classes):
        rows.setdefault(java_class.class_id, row)
    return np.array([rows.get(c.super_id, -1) if c.super_id else -1 for c in classes], np.int64)


def extending(classes: Sequence[JavaClass], above: NDArray[np.int64], *class_names: str) -> NDArray[np.bool_]:
    """Which classes are, or extend, a class of one of some names; bool, shape (c,).

    Parameters
    ----------
    classes : sequence of JavaClass
    above : int64 array, shape (c,)
        `superclass_rows` of the classes.
    class_names : str
    """
    has_super = above >= 0
    found = np.array([c.name in class_names for c in classes], bool)
    while found.any():
        before = np.count_nonzero(found)
        found[has_super] |= found[above[has_super]]
        if np.count_nonzero(found) == before:
            break
    return found


def class_totals(
    class_index: NDArray[np.uint16] | NDArray[np.int32], size_units: NDArray[np.uint32], class_count: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Objects of each class, int64, and their size in units, uint64; both of shape (c,)."""
    counts, units = np.zeros(class_count, np.int64), np.zeros(class_count, np.uint64)
    kernels.class_totals[class_width(class_index)](class_index, size_units, counts, units)
    return counts, units


def instances_of(
    class_index: NDArray[np.uint16] | NDArray[np.int32],
    is_wanted: NDArray[np.bool_],
    counts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Objects of some classes, int64, ascending.

    Parameters
    ----------
    class_index : uint16 or int32 array, shape (n,)
    is_wanted : bool array, shape (c,)
        Which classes.
    counts : int64 array, shape (c,)
        Objects of each class.
    """
    count = int(counts[is_wanted].sum()) if is_wanted.any() else 0
    if not count:
        return np.empty(0, np.int64)
    mask = np.ascontiguousarray(is_wanted).view(np.uint8)
    found = np.empty(count + 1, np.int64)
    kernels.list_instances[class_width(class_index)](class_index, mask, found)
    return found[:count]


def class_width(class_index: NDArray[np.uint16] | NDArray[np.int32]) -> str:
    """The width of class indices, by which kernels are chosen."""
    return "u2" if class_index.dtype == np.uint16 else "i4"
