"""Leak suspects: what retains a large share of the graph, and where in it things pile up.

Two shapes, as in Eclipse MAT's report: one object that retains much, and a class whose many
instances retain much together though none does alone, each being held by several others or a
GC root itself.  The second is how native code leaks: a file system that libhdfs keeps a JNI
global reference to has no dominator but the virtual root.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph.reachability import size_of
from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.retention import kernels
from heapscope.heap.retention.paths import MergedPaths, Path, merged_paths, shortest_path
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.table import Table

# MAT's: a suspect retains a tenth of the heap; things pile up where a child retains less than 70 %
# of its parent.
SHARE = 0.1
DROP = 0.7
_MAX_STEPS = 10_000  # down a list; below that it is the list that piles up
_SHOWN = 5
# What is large in every small graph, and why: named as such, behind what may be a leak.
ORDINARY = {
    "java.util.zip.ZipFile$Source": "the directories of open archives: the class path, mostly",
    "jdk.internal.loader.ClassLoaders$AppClassLoader": "the classes of the application",
}


@dataclass(frozen=True, slots=True)
class Pile:
    """What an object immediately dominates, of one class."""

    class_name: str
    object_count: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class AccumulationPoint:
    """Where on the way down the dominator tree one heavy object becomes many."""

    object_id: int
    class_name: str
    shallow_bytes: int
    retained_bytes: int
    way: tuple[str, ...]  # classes from the suspect down to it
    piles: tuple[Pile, ...]  # what it dominates, by class, what retains most first


@dataclass(frozen=True, slots=True)
class Suspect(RichRepr):
    """Something that retains a large share of the heap.

    Attributes
    ----------
    kind : str
        ``"object"``: one object; ``"group"``: instances of one class that nothing else dominates.
    class_name : str
        Of a class object: ``"class a.B"``.
    object_ids : tuple of int
        Of the object, or of the first members of the group.
    instance_count : int
    retained_bytes : int
        Of an object by the dominator tree, of a group its exact retained set.
    dominated_bytes : int
        The sum of what the members retain one by one.
    share : float
        ``retained_bytes`` as a part of all that is reachable.
    root_kinds : dict
        Root records on the members, by kind.
    path : Path or None
        To the object.
    holders : MergedPaths or None
        Of the group's members.
    accumulation : AccumulationPoint or None
        For an object.
    """

    kind: str
    class_name: str
    object_ids: tuple[int, ...]
    instance_count: int
    retained_bytes: int
    dominated_bytes: int
    share: float
    root_kinds: dict[str, int]
    path: Path | None
    holders: MergedPaths | None
    accumulation: AccumulationPoint | None

    @property
    def ordinary(self) -> str:
        """Why it is no leak although it is large; empty where nothing says so."""
        return ORDINARY.get(self.class_name, "")


@dataclass(frozen=True, slots=True)
class Suspects(RichRepr):
    """Leak suspects of a heap: what retains most first, what is ordinary last.

    Attributes
    ----------
    reachable_bytes, reachable_count : int
        What the GC roots hold: the whole that shares are of.
    reachability : Table
        See `Heap.reachability`.
    suspects : tuple of Suspect
    share : float
        The least share of a suspect.
    """

    reachable_bytes: int
    reachable_count: int
    reachability: Table
    suspects: tuple[Suspect, ...]
    share: float

    def __len__(self) -> int:
        return len(self.suspects)

    def __iter__(self) -> Any:
        return iter(self.suspects)


def find_suspects(graph: HeapGraph, share: float = SHARE) -> Suspects:
    """Find what retains at least a share of all that is reachable.

    Parameters
    ----------
    share : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        The share is not between 0 and 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}; it lies between 0 and 1")
    tree, columns = graph.dominators, graph.columns
    top = tree.top_level
    units = tree.retained_units[top].astype(np.int64)
    whole = int(units.sum())
    least = max(1, share * whole)
    found: list[Suspect] = []
    is_large = units >= least
    if is_large.any():
        heaviest = np.empty(tree.immediate.size, np.uint32)
        width = "u4" if tree.retained_units.dtype == np.uint32 else "u8"
        kernels.heaviest_children[width](tree.immediate, tree.retained_units, heaviest)
        order = np.argsort(-units[is_large], kind="stable")
        for index in top[is_large][order].tolist():
            found.append(_object_suspect(graph, index, whole, heaviest))
    # Class objects are each a class of their own; together they are no suspect.
    rest, of_rest = top[~is_large], units[~is_large]
    is_class_object = np.isin(rest, graph.class_objects[graph.class_objects >= 0])
    rest, of_rest = rest[~is_class_object], of_rest[~is_class_object]
    classes = columns.class_index[rest]
    sums = np.bincount(classes, of_rest, len(graph.classes))
    for class_index in np.argsort(-sums, kind="stable").tolist():
        if sums[class_index] < least:
            break
        members = rest[classes == class_index]
        if members.size > 1:
            found.append(_group_suspect(graph, members, int(sums[class_index]), whole))
    found.sort(key=lambda suspect: (bool(suspect.ordinary), -suspect.retained_bytes))
    reached = np.count_nonzero(tree.immediate != NO_OBJECT)
    return Suspects(whole * columns.unit_bytes, int(reached), graph.reachability_table, tuple(found), share)


def _object_suspect(graph: HeapGraph, index: int, whole: int, heaviest: NDArray[np.uint32]) -> Suspect:
    tree = graph.dominators
    size = tree.retained_bytes_of(index)
    return Suspect(
        "object",
        _name(graph, index),
        (JavaObject(graph, index).object_id,),
        1,
        size,
        size,
        int(tree.retained_units[index]) / whole,
        _root_kinds(graph, np.array([index])),
        shortest_path(graph, index),
        None,
        _accumulation(graph, index, heaviest),
    )


def _group_suspect(graph: HeapGraph, members: NDArray[np.int64], units: int, whole: int) -> Suspect:
    columns = graph.columns
    _, exact = size_of(graph.retained_set(members), columns.size_units)
    return Suspect(
        "group",
        graph.classes[int(columns.class_index[members[0]])].name,
        tuple(columns.addresses.ids_of(members[:_SHOWN]).tolist()),
        int(members.size),
        exact * columns.unit_bytes,
        units * columns.unit_bytes,
        exact / whole,
        _root_kinds(graph, members),
        None,
        merged_paths(graph, members),
        None,
    )


def _root_kinds(graph: HeapGraph, members: NDArray[np.int64]) -> dict[str, int]:
    roots = graph.roots
    mine = np.isin(roots.object_index, members) & (roots.hangs_on < 0)
    return dict(Counter(ROOT_KIND_NAMES[kind] for kind in roots.kinds[mine].tolist()).most_common())


def _accumulation(graph: HeapGraph, index: int, heaviest: NDArray[np.uint32]) -> AccumulationPoint:
    tree, columns = graph.dominators, graph.columns
    way = [index]
    while len(way) < _MAX_STEPS:
        child = int(heaviest[way[-1]])
        if child == NO_OBJECT or tree.retained_units[child] < DROP * int(tree.retained_units[way[-1]]):
            break
        way.append(child)
    classes = columns.class_index[way]
    # A list's nodes each dominate the rest of it: its first node is where things pile up.
    while len(way) > 2 and classes[len(way) - 1] == classes[len(way) - 2]:
        way.pop()
    point = way[-1]
    below = np.nonzero(tree.immediate == np.uint32(point))[0]
    of_class = columns.class_index[below]
    counts = np.bincount(of_class, minlength=1)
    sums = np.bincount(of_class, tree.retained_units[below], 1)
    rows = np.argsort(-sums, kind="stable")[:_SHOWN].tolist()
    piles = tuple(
        Pile(graph.classes[row].name, int(counts[row]), int(sums[row]) * columns.unit_bytes)
        for row in rows
        if counts[row]
    )
    one = JavaObject(graph, point)
    return AccumulationPoint(
        one.object_id,
        _name(graph, point),
        one.shallow_bytes,
        tree.retained_bytes_of(point),
        tuple(_name(graph, step) for step in _without_runs(way, classes.tolist())),
        piles,
    )


def _without_runs(way: list[int], classes: list[int]) -> list[int]:
    """The way without repeated classes."""
    return [step for place, step in enumerate(way) if not place or classes[place] != classes[place - 1]]


def _name(graph: HeapGraph, index: int) -> str:
    one = JavaObject(graph, index)
    represented = one.represented_class
    return f"class {represented.name}" if represented is not None else one.class_name


def describe_suspect(suspect: Suspect) -> list[str]:
    """A suspect in plain words: what, how much, held by what, piled up where."""
    lines = []
    ordinary = [f"ordinary: {suspect.ordinary}"] if suspect.ordinary else []
    if suspect.kind == "group":
        lines.append(
            f"{suspect.instance_count:,} instances of {suspect.class_name} retain "
            f"{suspect.retained_bytes:,} bytes together, {suspect.share:.1%} of what is reachable; "
            "no single object retains them"
        )
        lines += ordinary
        if suspect.holders is not None:
            lines += [f"held: {line}" for line in suspect.holders.lines(4)]
        return lines
    lines.append(
        f"{suspect.class_name} 0x{suspect.object_ids[0]:x} retains {suspect.retained_bytes:,} bytes, "
        f"{suspect.share:.1%} of what is reachable"
    )
    lines += ordinary
    point = suspect.accumulation
    if point is not None:
        if point.object_id != suspect.object_ids[0]:
            lines.append(
                f"accumulated in {point.class_name} 0x{point.object_id:x}, {point.retained_bytes:,} bytes"
            )
            lines.append(f"on the way: {' -> '.join(point.way[:8])}")
        lines += [
            f"there: {pile.object_count:,} x {pile.class_name}, {pile.retained_bytes:,} bytes"
            for pile in point.piles
        ]
    if suspect.path is not None and len(suspect.path.steps) > 1:
        lines += [f"held: {line.strip()}" for line in suspect.path.lines()]
    elif suspect.root_kinds:
        lines.append(f"GC root: {', '.join(suspect.root_kinds)}")
    return lines
