"""Labels of references, ``HashMap$Node.value``: of many at once, and of the paths that they make up.

A label is that of a class and a place in its records, so it is made once for each of those, and not for each
reference; see `heapscope.heap.retention.edge_names` for what it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels as graph_kernels
from heapscope.heap.graph.reachability import indices_in
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.graph.subclasses import class_width
from heapscope.heap.objects.fields import class_fields
from heapscope.heap.retention import kernels
from heapscope.heap.retention.edge_names import CLASS, UNKNOWN, first_label, simple_name
from heapscope.parser.tags import BasicType, instance_head_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_BATCH = 1 << 20  # references that are labelled at a time
_FIRST_ROOM = 1 << 12


@dataclass
class EdgeLabels:
    """What tells the labels of a heap's references.

    Attributes
    ----------
    texts : list of str
        Row 0 is empty.
    slot_starts : int64 array, shape (c + 1,)
    slots : int64 array, shape (s,)
        Instances of class c have references so many bytes behind the beginning of their record, from
        ``slot_starts[c]`` to ``slot_starts[c + 1]``, in the order of the record.
    slot_labels : uint32 array, shape (s,)
        Row in ``texts``.
    of_class : uint32 array, shape (c, 4)
        Rows in ``texts``, 0 for none; see `kernels.ELEMENT_COLUMN` and those beside it.
    special : uint64 array, shape (n // 64 + 1,)
        A bit for each class object, and each thread with a stack: their references are labelled one by one.
    mirrors : uint32 array
        Class objects, ascending.
    mirror_classes : int64 array
        The class of each.
    """

    texts: list[str]
    slot_starts: NDArray[np.int64]
    slots: NDArray[np.int64]
    slot_labels: NDArray[np.uint32]
    of_class: NDArray[np.uint32]
    special: NDArray[np.uint64]
    mirrors: NDArray[np.uint32]
    mirror_classes: NDArray[np.int64]
    _rows: dict[str, int] = field(repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def row(self, text: str) -> int:
        """Row of a text in ``texts``, new where it was not there."""
        with self._lock:  # several threads may ask one heap
            found = self._rows.setdefault(text, len(self.texts))
            if found == len(self.texts):
                self.texts.append(text)
        return found


def edge_labels(graph: HeapGraph) -> EdgeLabels:
    """What tells the labels of references; made once for a heap."""
    return graph.kept("edge labels", lambda: _make(graph))


def _make(graph: HeapGraph) -> EdgeLabels:
    head, classes = instance_head_bytes(graph.identifier_bytes), graph.classes
    rows = {"": 0}
    slots: list[int] = []
    slot_labels: list[int] = []
    counts = np.zeros(len(classes), np.int64)
    of_class = np.zeros((len(classes), kernels.LABEL_COLUMNS), np.uint32)
    for index in np.nonzero(graph.class_totals[0])[0].tolist():
        name = simple_name(classes[index].name)
        if classes[index].is_array:
            of_class[index, kernels.ELEMENT_COLUMN] = rows.setdefault(name, len(rows))
            continue
        for column, what in ((kernels.CLASS_COLUMN, CLASS), (kernels.UNKNOWN_COLUMN, UNKNOWN)):
            of_class[index, column] = rows.setdefault(f"{name} {what}", len(rows))
        for place in class_fields(graph, index).places:
            if place.type == BasicType.OBJECT:
                counts[index] += 1
                slots.append(head + place.offset)
                slot_labels.append(rows.setdefault(f"{name}.{place.name}", len(rows)))
    special = np.zeros(graph.columns.class_index.size // 64 + 1, np.uint64)
    has_object = np.nonzero(graph.class_objects >= 0)[0]
    mirror_classes = has_object[np.argsort(graph.class_objects[has_object], kind="stable")]
    mirrors = graph.class_objects[mirror_classes].astype(np.uint32)
    threads = np.unique(graph.roots.hangs_on[graph.roots.hangs_on >= 0])
    own = np.concatenate([mirrors.astype(np.int64), threads])
    np.bitwise_or.at(special, own >> 6, np.uint64(1) << (own & 63).astype(np.uint64))
    return EdgeLabels(
        list(rows),
        np.array([0, *accumulate(counts.tolist())], np.int64),
        np.array(slots, np.int64),
        np.array(slot_labels, np.uint32),
        of_class,
        special,
        mirrors,
        mirror_classes,
        rows,
    )


def labels(
    graph: HeapGraph, sources: NDArray[np.uint32], targets: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], list[str]]:
    """The first of `edge_names.names` for each of many pairs, with the holder's class.

    ``HashMap$Node.value``; elements are not told apart (``Object[] []`` reads ``Object[]``), statics read
    ``FileSystem.CACHE (static)``.

    Parameters
    ----------
    sources, targets : uint32 arrays, shape (k,)
        Object indices; each source refers to its target.

    Returns
    -------
    rows : uint32 array, shape (k,)
        Row in the second.
    texts : list of str
        Of all references of the heap.
    """
    found = np.empty(sources.size, np.uint32)
    for first in range(0, sources.size, _BATCH):
        part = slice(first, first + _BATCH)
        _label(graph, sources[part], targets[part], found[part])
    return found, edge_labels(graph).texts


def _label(
    graph: HeapGraph, sources: NDArray[np.uint32], targets: NDArray[np.uint32], found: NDArray[np.uint32]
) -> None:
    of, columns = edge_labels(graph), graph.columns
    addresses = columns.addresses
    kernels.label_pairs[class_width(columns.class_index)](
        graph.buffer, np.ascontiguousarray(sources, np.uint32), np.ascontiguousarray(targets, np.uint32),
        columns.offsets_of(sources.astype(np.int64)), columns.class_index, of.slot_starts, of.slots,
        of.slot_labels, of.of_class, graph.class_objects, of.special, addresses.address_grid,
        addresses.table, addresses.sorted_ids, graph.identifier_bytes, found,
    )  # fmt: skip
    # Class objects differ from each other, and stacks of threads are none of their record: few.
    places = np.nonzero(found == 0)[0]
    ids = addresses.ids_of(targets[places].astype(np.int64))
    for place, target_id in zip(places.tolist(), ids.tolist(), strict=True):
        found[place] = of.row(first_label(graph, int(sources[place]), int(targets[place]), target_id))


def label_tree(
    graph: HeapGraph,
    parents: NDArray[np.uint32],
    wanted: NDArray[np.uint64],
    found: NDArray[np.uint32],
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Label how objects are held by the object before them in a tree.

    Parameters
    ----------
    parents : uint32 array, shape (n,)
        The object before each.
    wanted : uint64 array, shape (n // 64 + 1,)
        A bit for each object that is to be labelled; where a path begins there is nothing to label.
    found : uint32 array, shape (n,)
        Rows in ``texts`` are written here.
    progress : callable
        Told how many objects are done.
    """
    step = _BATCH // 64
    for first in range(0, wanted.size, step):
        progress(64 * first)
        targets = indices_in(wanted[first : first + step]) + 64 * first
        targets = targets[parents[targets] < VIRTUAL_ROOT]
        if targets.size:
            rows = np.empty(targets.size, np.uint32)
            _label(graph, parents[targets], targets.astype(np.uint32), rows)
            found[targets] = rows


class StepRows:
    """Paths of labelled steps, each a row: the row of the path before, a label, a class.

    Attributes
    ----------
    rows : uint32 array, shape (room, 4)
        Row before, label, class or class object (0 where those are not told apart), steps; row 0 is the
        empty path, and those before come first.
    """

    def __init__(self) -> None:
        self.rows = np.zeros((_FIRST_ROOM, 4), np.uint32)
        self._table = np.full(2 * _FIRST_ROOM, graph_kernels.NOTHING, np.uint32)
        self._count = 1

    def __len__(self) -> int:
        return self._count

    def fill(
        self, kernel: Callable[[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]], int]
    ) -> None:
        """Call what makes rows until it has no more: with rows, their table and where it stands."""
        state = np.zeros(graph_kernels.STATE, np.int64)
        state[graph_kernels.TREE] = self._count
        while kernel(self.rows, self._table, state):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
            self._table = np.empty(2 * len(self.rows), np.uint32)
            kernels.fill_table(self.rows, int(state[graph_kernels.TREE]), self._table)
        self._count = int(state[graph_kernels.TREE])

    def step(self, before: int, label: int) -> int:
        """Row of a path and one more step; made where it is new."""
        mine = (self.rows[: self._count, 0] == before) & (self.rows[: self._count, 1] == label)
        mine[0] = False
        found = np.nonzero(mine & (self.rows[: self._count, 2] == 0))[0]
        if found.size:
            return int(found[0])
        if self._count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
        row, self._count = self._count, self._count + 1
        self.rows[row] = before, label, 0, int(self.rows[before, 3]) + 1
        # Whatever makes rows after this one looks for them here.
        self._table = np.empty(2 * len(self.rows), np.uint32)
        kernels.fill_table(self.rows, self._count, self._table)
        return row


def compose_paths(
    graph: HeapGraph,
    parents: NDArray[np.uint32],
    wanted: NDArray[np.uint64],
    of_edges: NDArray[np.uint32],
    of_object: NDArray[np.uint32],
    steps: StepRows,
    *,
    most_steps: int,
    rest: str = "",
    tells_classes: bool = False,
) -> None:
    """The path to objects as rows of steps.

    From an object to the next of its class is no step: the nodes of a list are one.

    Parameters
    ----------
    parents : uint32 array, shape (n,)
        The object before each on its path.
    wanted : uint64 array, shape (n // 64 + 1,)
        A bit for each object whose path is asked for.
    of_edges : uint32 array, shape (n,)
        How each is held by the one before it, as `label_tree` tells; where a path begins, how that is called.
    of_object : uint32 array, shape (n,)
        Zeros; the row of the path to each is written here, plus one.
    steps : StepRows
        Gets new rows.
    most_steps : int
        A path of more steps ends there.
    rest : str
        Label of one step more for all that follow; empty: none.
    tells_classes : bool
        Whether steps are told apart by the class of what they lead to, and a path begins with a step.
    """
    of, class_index = edge_labels(graph), graph.columns.class_index
    rest_label = of.row(rest)
    stack = np.empty(parents.size, np.uint32)  # address space: a real path has some pages
    steps.fill(
        lambda rows, table, state: kernels.compose_paths[class_width(class_index)](
            parents, wanted, of_edges, class_index, of.special, of.mirrors,
            len(graph.classes) if tells_classes else 0, most_steps, rest_label, of_object,
            stack, rows, table, state,
        )
    )  # fmt: skip
