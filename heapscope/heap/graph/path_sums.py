"""What objects retain, summed by the classes above them in the dominator tree and their own.

A class path is the classes of the dominators of an object, each once, from the top on.  A heap has some
thousand of them, whatever its size, and they tell for any grouping of classes which objects have none of
their group above them: `heapscope.heap.retention.by_group` sums those up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels
from heapscope.parser.names import CLASS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.parser.records import JavaClass

_FIRST_ROOM = 1 << 14
_MAX_PAIRS = 1 << 20  # 45 MB; trees of objects of many classes have more


@dataclass(frozen=True)
class PathSums:
    """Retained sizes by class path, and by the class of an object below it.

    A label is a class, or the class object of one: the number of classes, and its place among ``mirrors``.

    Attributes
    ----------
    parents : uint32 array, shape (p,)
        The path without its last label; 0 is the empty path.
    labels : int32 array, shape (p,)
        The last label of each path.
    pair_paths : uint32 array, shape (k,)
        The path above objects ...
    pair_labels : int32 array, shape (k,)
        ... of one label.
    pair_units : uint64 array, shape (k,)
        What those objects retain, added up one by one.
    """

    parents: NDArray[np.uint32]
    labels: NDArray[np.int32]
    pair_paths: NDArray[np.uint32]
    pair_labels: NDArray[np.int32]
    pair_units: NDArray[np.uint64]

    @staticmethod
    def names() -> list[str]:
        """Names of the arrays."""
        return [each.name for each in fields(PathSums)]


@dataclass(frozen=True)
class ClassLabels:
    """The labels of objects.

    Attributes
    ----------
    class_index : uint16 or int32 array, shape (n,)
    class_count : int
    class_class : int
        Row of ``java.lang.Class``, see `class_row`.
    mirrors : uint32 array
        Class objects with a label of their own, ascending.
    """

    class_index: NDArray[np.uint16] | NDArray[np.int32]
    class_count: int
    class_class: int
    mirrors: NDArray[np.uint32]


def class_row(classes: Sequence[JavaClass]) -> int:
    """Row of ``java.lang.Class``, -1 where there is none."""
    return next((row for row, c in enumerate(classes) if c.name == CLASS and c.loader_id == 0), -1)


def sum_paths(
    order: NDArray[np.uint32],
    dominators: NDArray[np.uint32],
    retained: NDArray[np.uint32] | NDArray[np.uint64],
    of_objects: ClassLabels,
    path_of: NDArray[np.uint32],
) -> PathSums | None:
    """Sum up a dominator tree by number, as `heapscope.heap.graph.dominators.dominate` has it.

    Parameters
    ----------
    order, dominators, retained : arrays of shape (r,)
        Object, immediate dominator and retained size of each number.
    of_objects : ClassLabels
    path_of : uint32 array, shape (r,)
        Is written over.

    Returns
    -------
    PathSums or None
        None where there are too many class paths.
    """
    path_of[:1] = 0
    state = np.zeros(kernels.STATE, np.int64)
    state[kernels.NEXT] = state[kernels.TREE] = 1
    room = _FIRST_ROOM
    parents, labels = np.zeros(room, np.uint32), np.full(room, -1, np.int32)
    pair_paths, pair_labels = np.zeros(room, np.uint32), np.zeros(room, np.int32)
    pair_next, pair_units = np.zeros(room, np.uint32), np.zeros(room, np.uint64)
    width = "u2" if of_objects.class_index.dtype == np.uint16 else "i4"
    kernel = kernels.sum_paths[width, "u4" if retained.dtype == np.uint32 else "u8"]
    while kernel(
        order, dominators, retained, of_objects.class_index, of_objects.mirrors,
        of_objects.class_class, of_objects.class_count, path_of,
        np.zeros(4 * room, np.uint64), np.empty(4 * room, np.uint32),
        parents, labels, pair_paths, pair_labels, pair_next, pair_units, state,
    ):  # fmt: skip
        room *= 4
        if room > _MAX_PAIRS:
            return None
        grown = [
            np.concatenate([each, np.zeros(room - each.size, each.dtype)])
            for each in (parents, labels, pair_paths, pair_labels, pair_next, pair_units)
        ]
        parents, labels, pair_paths, pair_labels, pair_next, pair_units = grown
    paths, pairs = int(state[kernels.TREE]), int(state[kernels.PAIRS])
    return PathSums(
        parents[:paths].copy(),
        labels[:paths].copy(),
        pair_paths[:pairs].copy(),
        pair_labels[:pairs].copy(),
        pair_units[:pairs].copy(),
    )
