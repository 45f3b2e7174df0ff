"""Paths from the GC roots: who keeps an object, or all objects of a set, alive.

A path of one object is a shortest one. The paths of a set are merged into a tree of steps
``Class.field``: every member is counted below each way in which something holds it, so that
no holder hides behind a nearer one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph.reachability import CATEGORIES, avoiding
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.objects.threads import threads_of
from heapscope.heap.retention.edge_names import are_class_objects, labels, names, simple_name
from heapscope.heap.retention.holders import Holder, MergedPaths
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag
from heapscope.plain import PlainDict
from heapscope.rich_repr import RichRepr
from heapscope.secrets import mask_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_MAX_STEPS = 120  # of a merged path; a list of a million nodes is no path to look at
_MAX_NODES = 1 << 22  # of lists; to find the first node of each of so many takes seconds
LONG = "..."


@dataclass(frozen=True, slots=True)
class PathStep:
    """An object on a path, and how it holds the next one."""

    object_index: int
    object_id: int
    class_name: str  # of a class object: "class a.B"
    references: tuple[str, ...]  # names by which it holds the next; empty for the last
    shallow_bytes: int
    retained_bytes: int
    strength: str  # how the step to the next is: "strong", "soft", "weak", "phantom" or "final"


@dataclass(frozen=True, slots=True, repr=False)
class Path(PlainDict, RichRepr):
    """A path from a GC root to an object.

    Attributes
    ----------
    root_kinds : dict
        Kinds of the root records of the first object, with their number.
    thread_name : str
        Of the thread on whose stack the root lies; empty for others.
    steps : tuple of PathStep
        From the root to the object.
    strength : str
        How the object is reached over it, as `Heap.reachability` names it.
    """

    root_kinds: dict[str, int]
    thread_name: str
    steps: tuple[PathStep, ...]
    strength: str

    def __repr__(self) -> str:
        if not self.steps:
            return "<path without steps>"
        ends = f"from {self.steps[0].class_name} to {self.steps[-1].class_name}"
        return f"<path of {len(self.steps):,} steps {ends}, {self.strength}>"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The path as text, a line each: the root, then each object with how it is held; secrets masked."""
        root = ", ".join(
            f"{kind} x {count:,}" if count > 1 else kind for kind, count in self.root_kinds.items()
        )
        thread = f" of thread {mask_text(self.thread_name)!r}" if self.thread_name else ""
        found = [f"GC root: {root or 'none'}{thread}"]
        held_by = ""
        for step in self.steps:
            found.append(f"  {held_by}{step.class_name} 0x{step.object_id:x}")
            if step.references:
                by = " = ".join(step.references[:3])
                held_by = f".{by} -> " if step.strength == "strong" else f".{by} ({step.strength}) -> "
        return found


def root_kinds(graph: HeapGraph, index: int) -> dict[str, int]:
    """Kinds of an object's root records that make it a root, with their number; most frequent first."""
    roots = graph.roots
    mine = (roots.object_index == index) & (roots.hangs_on < 0) & (roots.kinds != SubRecordTag.UNREACHABLE)
    counts = Counter(ROOT_KIND_NAMES[kind] for kind in roots.kinds[mine].tolist())
    if not counts and index in roots.implied:
        return {"system class": 1}
    if not counts and index in roots.class_values:
        return {CLASS_VALUE: 1}
    return dict(counts.most_common())


def shortest_path(graph: HeapGraph, index: int) -> Path | None:
    """A shortest path to an object over references of the best strength there is.

    Returns
    -------
    Path or None
        None where the GC roots do not reach the object at all.
    """
    return _path(graph, index, graph.reachability.parents)


def paths(graph: HeapGraph, index: int, count: int = 5) -> list[Path]:
    """Paths to an object, the shortest first; each enters it from another object, or is its own root.

    Parameters
    ----------
    count : int
        No more than so many.
    """
    first = shortest_path(graph, index)
    if first is None or count <= 1:
        return [first] if first else []
    parents = avoiding(graph.references, graph.root_members, np.array([index]))
    sources, _ = graph.references.incoming(np.array([index]))
    found = [first]
    if len(first.steps) > 1 and root_kinds(graph, index):
        found.append(path_along(graph, [index]))
    entries = np.unique(sources[(parents[sources] != NO_OBJECT) & (sources != index)]).tolist()
    others = [_walk_up(parents, entry) for entry in entries]
    for chain in sorted(others, key=len):
        if len(found) >= count:
            break
        path = path_along(graph, [*chain, index])
        if [step.object_index for step in path.steps] != [step.object_index for step in first.steps]:
            found.append(path)
    return found[:count]


def _path(graph: HeapGraph, index: int, parents: NDArray[np.uint32]) -> Path | None:
    if int(parents[index]) == NO_OBJECT:
        return None
    return path_along(graph, _walk_up(parents, index))


def _walk_up(parents: NDArray[np.uint32], index: int) -> list[int]:
    """From the root to an object."""
    chain = [index]
    while int(parents[chain[-1]]) < VIRTUAL_ROOT:
        chain.append(int(parents[chain[-1]]))
    return chain[::-1]


def path_along(graph: HeapGraph, chain: list[int]) -> Path:
    """The path over given objects, from the GC root on.

    Parameters
    ----------
    chain : list of int
        Object indices; each refers to the next.
    """
    referents = graph.references.referents
    kinds = {1: "soft", 2: "weak", 3: "phantom", 4: "final"}
    steps = []
    dominators = graph.dominators
    for place, index in enumerate(chain):
        one = JavaObject(graph, index)
        references: tuple[str, ...] = ()
        strength = "strong"
        if place + 1 < len(chain):
            references = tuple(names(graph, index, chain[place + 1]))
            at = int(np.searchsorted(referents.sources, np.uint32(index)))
            is_referent = (
                at < referents.sources.size
                and int(referents.sources[at]) == index
                and int(referents.targets[at]) == chain[place + 1]
            )
            if is_referent and set(references) == {"referent"}:
                strength = kinds[int(referents.kinds[at])]
        steps.append(
            PathStep(
                index,
                one.object_id,
                title_of(one),
                references,
                one.shallow_bytes,
                dominators.retained_bytes_of(index),
                strength,
            )
        )
    return Path(
        root_kinds(graph, chain[0]),
        _thread_name(graph, chain[0]),
        tuple(steps),
        CATEGORIES[int(graph.categories[chain[-1]])],
    )


def _thread_name(graph: HeapGraph, index: int) -> str:
    """Name of the thread an object is, or on whose stack it lies as a root."""
    roots = graph.columns.roots
    mine = (graph.roots.object_index == index) & (graph.roots.hangs_on < 0) & (roots.thread_serials > 0)
    serials = roots.thread_serials[mine]
    if not serials.size:
        return ""
    return next((t.name for t in threads_of(graph) if t.serial == int(serials[0])), "")


def merged_paths(graph: HeapGraph, members: NDArray[np.int64]) -> MergedPaths:
    """All ways in which the members of a set are held, merged where their labels are the same.

    A member's holders are its own GC root records, and every object that refers to it and
    would be reachable without the members; each is followed along a shortest path to a root
    that avoids the members.

    Parameters
    ----------
    members : int64 array
        Object indices, strictly increasing.
    """
    dominators, references = graph.dominators, graph.references
    parents = avoiding(references, graph.root_members, members)
    sources, targets = references.incoming(members)
    is_holder = parents[sources] != NO_OBJECT
    sources, targets = sources[is_holder].astype(np.int64), targets[is_holder].astype(np.int64)
    sequences = _LabelSequences(graph, parents)
    tree = _Tree()
    for sequence, held in _grouped(sequences.of_pairs(sources, targets), targets):
        tree.add(sequences.steps_of(sequence), held)
    roots = graph.roots
    own = (roots.hangs_on < 0) & (roots.kinds != SubRecordTag.UNREACHABLE)
    places = np.searchsorted(members, roots.object_index)  # np.isin would hash all members
    own &= places < members.size
    own[own] = members[places[own]] == roots.object_index[own]
    for kind, held in _grouped(roots.kinds[own].astype(np.int64), roots.object_index[own]):
        tree.add([ROOT_KIND_NAMES[kind]], held)
    implied = np.intersect1d(roots.implied, members)
    if implied.size:
        tree.add(["system class"], implied)
    of_classes = np.intersect1d(roots.class_values, members)
    if of_classes.size:
        tree.add([CLASS_VALUE], of_classes)
    rest = np.setdiff1d(members, tree.members(), assume_unique=True)
    is_dominated = dominators.immediate[rest] != NO_OBJECT
    lost = Counter(CATEGORIES[c] for c in graph.categories[rest[~is_dominated]].tolist())
    class_names = {graph.classes[c].name for c in np.unique(graph.columns.class_index[members]).tolist()}
    only = simple_name(next(iter(class_names), ""))
    return MergedPaths(
        int(members.size),
        only if len(class_names) == 1 else f"{len(class_names)} classes",
        tree.holders(graph),
        int(is_dominated.sum()),
        dict(lost.most_common()),
    )


def _grouped(keys: NDArray[np.int64], objects: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    """The distinct objects of each key, ascending."""
    order = np.lexsort((objects, keys))
    keys, objects = keys[order], objects[order]
    is_new = np.ones(keys.size, bool)
    is_new[1:] = (keys[1:] != keys[:-1]) | (objects[1:] != objects[:-1])
    keys, objects = keys[is_new], objects[is_new]
    starts = np.nonzero(np.diff(keys, prepend=-1))[0]
    return list(zip(keys[starts].tolist(), np.split(objects, starts[1:]), strict=True)) if keys.size else []


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Values without repetition, ascending; numpy's own unique hashes, four times as slowly."""
    ordered = np.sort(values)
    is_new = np.ones(ordered.size, bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    found: NDArray[np.int64] = ordered[is_new]
    return found


def _past_lists(parents: NDArray[np.uint32], graph: HeapGraph) -> NDArray[np.uint32]:
    """Parents in a tree, but of each node of a list its first node; as they are where nodes are too many."""
    class_index = graph.columns.class_index
    has_parent = np.nonzero(parents < VIRTUAL_ROOT)[0]
    above = parents[has_parent]
    rows = has_parent[class_index[above] == class_index[has_parent]]
    if not 0 < rows.size <= _MAX_NODES:
        return parents
    above = parents[rows]
    place = np.minimum(np.searchsorted(rows, above), rows.size - 1)
    place = np.where(rows[place] == above, place, np.arange(rows.size))
    while True:
        further = place[place]
        if (further == place).all():
            break
        place = further
    found = parents.copy()
    found[rows] = parents[rows[place]]
    return found


class _LabelSequences:
    """Interned sequences of step labels: each is (the sequence before it, a label)."""

    def __init__(self, graph: HeapGraph, parents: NDArray[np.uint32]) -> None:
        self._graph = graph
        self._parents = parents
        self._labels: dict[str, int] = {}
        self._sequences: list[tuple[int, int]] = [(-1, -1)]  # 0 is the empty one
        self._ids: dict[tuple[int, int], int] = {(-1, -1): 0}

    def of_pairs(self, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sequence of the path to each source and on to its target, int64, shape (k,)."""
        if not sources.size:
            return np.empty(0, np.int64)
        # Up: the objects of each level, each once. Down: their sequences from those above.
        levels = self._levels_above(sources)
        if len(levels) == _MAX_STEPS:  # long lists: past their nodes at once
            self._parents = _past_lists(self._parents, self._graph)
            levels = self._levels_above(sources)
        sequence = np.zeros(levels[-1].size, np.int64)
        if (self._parents[levels[-1]] < VIRTUAL_ROOT).any():
            cut = self._parents[levels[-1]] < VIRTUAL_ROOT
            sequence[cut] = self._intern(0, LONG)
        for upper, lower in zip(levels[::-1], levels[-2::-1], strict=False):
            parent = self._parents[lower]
            has_parent = parent < VIRTUAL_ROOT
            below = np.zeros(lower.size, np.int64)
            at = np.searchsorted(upper, parent[has_parent])
            below[has_parent] = self._extended(
                sequence[at], parent[has_parent].astype(np.int64), lower[has_parent]
            )
            sequence = below
        at = np.searchsorted(levels[0], sources)
        return self._extended(sequence[at], sources, targets)

    def _levels_above(self, sources: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        levels = [_distinct(sources)]
        while len(levels) < _MAX_STEPS:
            above = self._parents[levels[-1]]
            nodes = _distinct(above[above < VIRTUAL_ROOT].astype(np.int64))
            if not nodes.size:
                break
            levels.append(nodes)
        return levels

    def _extended(
        self, sequence: NDArray[np.int64], sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        if not sources.size:
            return sequence
        codes, texts = labels(self._graph, sources, targets)
        # From a node to the next of its kind is no step of its own: the bucket's chain, the list.
        class_index = self._graph.columns.class_index
        is_link = class_index[sources] == class_index[targets]
        is_link &= ~are_class_objects(self._graph, sources)
        codes = np.where(is_link, -1, codes)
        width = len(texts) + 1
        keys, inverse = np.unique(sequence * width + codes + 1, return_inverse=True)
        ids = []
        for key in keys.tolist():
            before, code = divmod(key, width)
            ids.append(self._intern(before, texts[code - 1]) if code else before)
        found: NDArray[np.int64] = np.array(ids, np.int64)[inverse]
        return found

    def _intern(self, sequence: int, label: str) -> int:
        key = sequence, self._labels.setdefault(label, len(self._labels))
        if key not in self._ids:
            self._ids[key] = len(self._sequences)
            self._sequences.append(key)
        return self._ids[key]

    def steps_of(self, sequence: int) -> list[str]:
        """Labels of a sequence, from the root on."""
        texts = list(self._labels)
        found = []
        while sequence:
            sequence, label = self._sequences[sequence]
            found.append(texts[label])
        return found[::-1]


@dataclass
class _Node:
    ending: NDArray[np.int64]  # members whose path ends here
    below: dict[str, _Node]


class _Tree:
    """Merges sequences that begin alike; every node knows the members below it."""

    def __init__(self) -> None:
        self._root = _Node(np.empty(0, np.int64), {})
        self._members: list[NDArray[np.int64]] = []

    def add(self, steps: list[str], members: NDArray[np.int64]) -> None:
        at = self._root
        for step in steps:
            at = at.below.setdefault(step, _Node(np.empty(0, np.int64), {}))
        at.ending = _distinct(np.concatenate([at.ending, members])) if at.ending.size else members
        self._members.append(members)

    def members(self) -> NDArray[np.int64]:
        """All that were added, ascending."""
        return _distinct(np.concatenate(self._members)) if self._members else np.empty(0, np.int64)

    def holders(self, graph: HeapGraph) -> tuple[Holder, ...]:
        units, unit = graph.dominators.retained_units, graph.columns.unit_bytes
        return tuple(holder for holder, _ in _held(self._root, units, unit, graph))


def _held(
    node: _Node, units: NDArray[Any], unit: int, graph: HeapGraph
) -> list[tuple[Holder, NDArray[np.int64]]]:
    """Each child with the members below it, most members first; sequences are no longer than `_MAX_STEPS`."""
    found = []
    for label, child in node.below.items():
        inner = _held(child, units, unit, graph)
        parts = [members for _, members in inner] + ([child.ending] if child.ending.size else [])
        members = parts[0] if len(parts) == 1 else _distinct(np.concatenate(parts))
        holder = Holder(
            label,
            int(members.size),
            int(units[members].sum(dtype=np.uint64)) * unit,
            JavaObject(graph, int(members[0])).object_id,
            tuple(holder for holder, _ in inner),
        )
        found.append((holder, members))
    return sorted(found, key=lambda item: (-item[0].member_count, item[0].label))
