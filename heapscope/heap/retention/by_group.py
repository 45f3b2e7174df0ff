"""Who retains the graph, summed over classes, packages and class loaders.

The retained size of a group is the sum over its members that have no ancestor of the group in
the dominator tree, as Eclipse MAT sums: none is counted twice.  It is a lower bound of what the
members retain together, which `ObjectSet.retained_bytes` computes exactly.  With
``semantics="mat"`` the class object belongs to its class's members, as it does there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels as graph_kernels
from heapscope.heap.graph.dominators import child_lists
from heapscope.heap.graph.path_sums import class_row
from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.graph.subclasses import class_width
from heapscope.heap.objects.fields import read_field
from heapscope.heap.objects.java_object import object_or_none
from heapscope.heap.retention import kernels
from heapscope.secrets import mask_text
from heapscope.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

BOOT_LOADER = "<boot loader>"


@dataclass(frozen=True)
class Consumers:
    """Tables of ``name, instance_count, shallow_bytes, retained_bytes``, what retains most first.

    All objects of the dump count in the first two figures, those that the roots reach in the last.
    """

    by_class: Table
    by_package: Table
    by_loader: Table


def largest_of_classes(
    graph: HeapGraph, is_picked: NDArray[np.bool_], count: int, first: int = 0
) -> NDArray[np.int64]:
    """A page of the instances of some classes, what retains most first, ties by address.

    One pass over the heap, which makes no list of the instances.

    Parameters
    ----------
    is_picked : bool array, shape (c,)
        For each class of ``graph.classes`` whether it is one of them.
    count, first : int
        How many, and how many stand before them.
    """
    retained, class_index = graph.retained_units, graph.columns.class_index
    there = int(graph.class_totals[0][is_picked].sum())
    rows = np.empty(min(first + count, there), np.int64)
    kernels.largest_of_classes[class_width(class_index), "u4" if retained.dtype == np.uint32 else "u8"](
        class_index, is_picked.astype(np.uint8), retained, rows, np.empty(rows.size, np.uint64)
    )
    return rows[first:]


def find_consumers(graph: HeapGraph) -> Consumers:
    """Shallow and retained sizes summed over classes, packages and class loaders."""
    return graph.kept("consumers", lambda: _find_consumers(graph))


def _find_consumers(graph: HeapGraph) -> Consumers:
    class_names = [c.name for c in graph.classes]
    packages = [package_of(name) for name in class_names]
    loader_ids = [c.loader_id for c in graph.classes]
    loaders = loader_names(graph, loader_ids)
    of_loaders = [loaders[loader_id] for loader_id in loader_ids]
    names: list[list[str]] = []
    groups = np.full((len(class_names), 4), NO_OBJECT, np.uint32)
    first = 0
    for column, keys in enumerate((class_names, packages, of_loaders)):
        distinct = sorted(set(keys))
        rows = {name: first + row for row, name in enumerate(distinct)}
        groups[:, column] = [rows[name] for name in keys]
        names.append(distinct)
        first += len(distinct)
    columns = graph.columns
    totals = _retained(graph, groups, first, with_class_objects=True)
    if graph.options.semantics == "mat" and "java.lang.ClassLoader" in names[0]:
        from heapscope.heap.retention.mat import boot_loader_bytes

        boot = boot_loader_bytes(graph) // columns.unit_bytes
        totals[names[0].index("java.lang.ClassLoader")] += np.uint64(boot)
    counts, units = graph.class_totals
    tables = []
    for column, distinct in enumerate(names):
        whole = np.zeros((2, first), np.int64)
        np.add.at(whole[0], groups[:, column], counts)
        np.add.at(whole[1], groups[:, column], units.astype(np.int64) * columns.unit_bytes)
        rows = groups[:, column].min() + np.arange(len(distinct))
        rows = rows[(whole[0, rows] > 0) | (totals[rows] > 0)]
        table = Table(
            {
                "name": [distinct[row - int(groups[:, column].min())] for row in rows.tolist()],
                "instance_count": whole[0, rows],
                "shallow_bytes": whole[1, rows],
                "retained_bytes": totals[rows].astype(np.int64) * columns.unit_bytes,
            }
        )
        tables.append(table.sorted_by("retained_bytes", "shallow_bytes"))
    return Consumers(*tables)


def with_retained(histogram: Table, by_class: Table) -> Table:
    """A class histogram with a column ``retained_bytes``, by which it is sorted."""
    retained = dict(zip(by_class.column("name"), by_class.column("retained_bytes"), strict=True))
    sizes = np.array([retained.get(name, 0) for name in histogram.column("class_name")], np.int64)
    table = Table({**histogram.columns, "retained_bytes": sizes})
    return table.sorted_by("retained_bytes", "shallow_bytes")


def package_of(class_name: str) -> str:
    """``java.util`` of ``java.util.HashMap$Node[]``; ``<default>`` where there is none, of ``int[]`` too."""
    # A hidden class's name ends in a slash and its number.
    return class_name.partition("/")[0].rpartition(".")[0] or "<default>"


def loader_name(graph: HeapGraph, loader_id: int) -> str:
    """A class loader as people tell it: class, address, and its name where it has one, secrets masked."""
    return loader_names(graph, [loader_id])[loader_id]


def loader_names(graph: HeapGraph, loader_ids: Iterable[int]) -> dict[int, str]:
    """`loader_name` of many, by identifier; an application server has thousands."""
    ids = sorted(set(loader_ids) - {0})
    rows = graph.indices_of(np.array(ids, np.uint64))
    names = read_field(graph, rows, "name", is_optional=True).references()
    found = {0: BOOT_LOADER}
    for loader_id, row, name_id in zip(ids, rows.tolist(), names.tolist(), strict=True):
        if row < 0:
            found[loader_id] = f"<loader at 0x{loader_id:x}>"
            continue
        name = object_or_none(graph, name_id)
        text = name.text() if name is not None else None
        class_name = graph.classes[int(graph.columns.class_index[row])].name
        found[loader_id] = f"{class_name} 0x{loader_id:x}" + (f" '{mask_text(text)}'" if text else "")
    return found


def _retained(
    graph: HeapGraph, groups: NDArray[np.uint32], group_count: int, *, with_class_objects: bool = False
) -> NDArray[np.uint64]:
    """Units that each group retains; with Eclipse MAT's sets, class objects are of their class's group."""
    owners = np.empty(0, np.int64)
    if graph.options.semantics == "mat":
        owners = np.nonzero(graph.class_objects >= 0)[0]
        owners = owners[np.argsort(graph.class_objects[owners], kind="stable")]
    own_groups = np.full(owners.size, NO_OBJECT, np.uint32)
    if with_class_objects:
        own_groups = np.ascontiguousarray(groups[owners, 0])
    class_class = class_row(graph.classes)
    totals = np.zeros(group_count, np.uint64)
    sums = graph.path_sums
    if sums is not None:
        of_mirrors = np.full((owners.size, 4), NO_OBJECT, np.uint32)
        if class_class >= 0:
            of_mirrors[:, :3] = groups[class_class, :3]
        of_mirrors[:, 3] = own_groups
        kernels.retained_by_path(
            sums.parents, sums.labels, sums.pair_paths, sums.pair_labels, sums.pair_units,
            np.concatenate([groups, of_mirrors]), totals,
        )  # fmt: skip
        return totals
    class_index = graph.columns.class_index
    immediate, retained = graph.immediate_dominators, graph.retained_units
    children, siblings = child_lists(immediate)
    depths = np.zeros(group_count, np.int64)
    sizes = "u4" if retained.dtype == np.uint32 else "u8"
    kernels.retained_by_group[class_width(class_index), sizes](
        immediate, retained, class_index, groups,
        graph.class_objects[owners].astype(np.uint32), own_groups, class_class,
        children, siblings, depths, totals,
    )  # fmt: skip
    return totals


def group_totals(
    graph: HeapGraph, keys: Sequence[Sequence[str]], *, retained: bool = True
) -> dict[str, tuple[int, int, int]]:
    """Objects, shallow and retained bytes of groups of classes.

    Parameters
    ----------
    keys : sequence
        For each class of ``heap.classes`` the groups that it belongs to, each once.
    retained : bool
        Whether retained bytes are summed, which needs the reference graph; else they are 0.
    """
    columns, class_count = graph.columns, len(keys)
    counts, units = graph.class_totals
    rows = {name: row for row, name in enumerate(sorted({name for mine in keys for name in mine}))}
    whole = np.zeros((3, len(rows)), np.int64)
    deepest = max(map(len, keys), default=0)
    # The kernel tells three groups of a class apart at a time. What is the ancestor of one class at
    # some distance is another's at another, so a group keeps its column: counted from the far end.
    columns_of = np.full((class_count, -(-deepest // 3) * 3), NO_OBJECT, np.uint32)
    for place, mine in enumerate(keys):
        for column, name in enumerate(reversed(mine)):
            columns_of[place, column] = rows[name]
        at = [rows[name] for name in mine]
        whole[0, at] += counts[place]
        whole[1, at] += int(units[place])
    for first in range(0, columns_of.shape[1] if retained else 0, 3):
        groups = np.full((class_count, 4), NO_OBJECT, np.uint32)
        groups[:, :3] = columns_of[:, first : first + 3]
        whole[2] += _retained(graph, groups, len(rows)).astype(np.int64)
    whole[1:] *= columns.unit_bytes
    return {name: tuple(whole[:, row].tolist()) for name, row in rows.items() if whole[:, row].any()}


def dominated_bytes(graph: HeapGraph, members: NDArray[np.int64]) -> int:
    """What some objects retain in the dominator tree, added up; one below another counts with that one.

    A lower bound of their exact retained size, and never more than the heap: of a list each node retains all
    that follow, which a plain sum would count once for each node.

    Parameters
    ----------
    members : int64 array
        Object indices, distinct.
    """
    immediate, retained = graph.immediate_dominators, graph.retained_units
    flags = np.zeros((immediate.size // 64 + 1, graph_kernels.PLANES), np.uint64)
    indices = np.ascontiguousarray(members, np.uint32)
    graph_kernels.mark(indices, flags, graph_kernels.VISITED)
    nested = np.zeros(indices.size, np.uint8)
    kernels.mark_nested(immediate, indices, flags, nested)
    return int(retained[members[nested == 0]].sum(dtype=np.uint64)) * graph.columns.unit_bytes
