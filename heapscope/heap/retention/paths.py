"""Paths from the GC roots: who keeps an object, or all objects of a set, alive.

A path of one object is a shortest one. The paths of a set are merged into a tree of steps
``Class.field``: every member is counted below each way in which something holds it, so that
no holder hides behind a nearer one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.index_sets import are_among, distinct, small_numbers
from heapscope.heap.graph.reachability import CATEGORIES, avoiding, words_of
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.graph.subclasses import class_width
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.objects.threads import threads_of
from heapscope.heap.retention import kernels
from heapscope.heap.retention.edge_labels import StepRows, compose_paths, edge_labels, label_tree, labels
from heapscope.heap.retention.edge_names import names, simple_name
from heapscope.heap.retention.holders import Holder, MergedPaths
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag
from heapscope.plain import PlainDict
from heapscope.rich_repr import RichRepr
from heapscope.secrets import mask_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_MAX_STEPS = 120  # of a merged path; one of a million is no path to look at
_REST = "..."  # all steps behind those, but the last


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
        Of the thread on whose stack the root lies, what looks like a secret masked; empty for others.
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
        thread = f" of thread {self.thread_name!r}" if self.thread_name else ""
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
    parents, _ = avoiding(graph.references, graph.root_members, np.array([index]))
    sources, _ = graph.references.incoming(np.array([index]))
    found = [first]
    if len(first.steps) > 1 and root_kinds(graph, index):
        found.append(path_along(graph, [index]))
    entries = distinct(sources[(parents[sources] != NO_OBJECT) & (sources != index)]).tolist()
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
    return mask_text(next((t.name for t in threads_of(graph) if t.serial == int(serials[0])), ""))


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
    steps, of = StepRows(), edge_labels(graph)
    keys = _held_over(graph, members, steps)
    for text, held in _own_roots(graph, members):
        row = np.uint64(steps.step(0, of.row(text)))
        keys = np.concatenate([keys, (held.astype(np.uint64) << np.uint64(32)) | row])
    keys.sort()
    held = (keys >> np.uint64(32)).astype(np.uint32)
    rest = members[~are_among(members, held)]
    is_dominated = graph.immediate_dominators[rest] != NO_OBJECT
    lost = Counter(CATEGORIES[c] for c in graph.categories[rest[~is_dominated]].tolist())
    of_classes = small_numbers(graph.columns.class_index[members])
    class_names = {graph.classes[c].name for c in of_classes}
    only = simple_name(next(iter(class_names), ""))
    return MergedPaths(
        int(members.size),
        only if len(class_names) == 1 else f"{len(class_names)} classes",
        _holders(graph, keys, steps),
        int(is_dominated.sum()),
        dict(lost.most_common()),
    )


def _own_roots(graph: HeapGraph, members: NDArray[np.int64]) -> list[tuple[str, NDArray[np.int64]]]:
    """Members that are GC roots themselves, by kind."""
    roots = graph.roots
    own = (roots.hangs_on < 0) & (roots.kinds != SubRecordTag.UNREACHABLE)
    own[own] = are_among(roots.object_index[own], members)
    kinds = roots.kinds[own]
    of_kind = {kind: roots.object_index[own][kinds == kind] for kind in np.unique(kinds).tolist()}
    found = [(ROOT_KIND_NAMES[kind], held) for kind, held in of_kind.items()]
    for text, some in (("system class", roots.implied), (CLASS_VALUE, roots.class_values)):
        found.append((text, some[are_among(some, members)]))
    return [(text, held) for text, held in found if held.size]


def _held_over(graph: HeapGraph, members: NDArray[np.int64], steps: StepRows) -> NDArray[np.uint64]:
    """Member << 32 | row of ``steps`` for each reference to a member from what is reached without them."""
    references, class_index = graph.references, graph.columns.class_index
    parents, room = avoiding(references, graph.root_members, members)
    sources, targets = references.incoming(members)
    is_holder = parents[sources] != NO_OBJECT
    if not is_holder.all():
        sources, targets = sources[is_holder], targets[is_holder]
    keys = np.empty(sources.size, np.uint64)
    if not keys.size:
        return keys
    of = edge_labels(graph)
    ways = np.zeros(of.special.size, np.uint64)
    kernels.mark_ways(parents, sources, ways)
    label_tree(graph, parents, ways, room)
    is_wanted = np.zeros(parents.size, bool)
    is_wanted[sources] = True
    of_object = np.zeros(parents.size, np.uint32)
    compose_paths(
        graph,
        parents,
        words_of(is_wanted),
        room,
        of_object,
        steps,
        most_steps=_MAX_STEPS,
        rest=_REST,
    )
    of_pairs, _ = labels(graph, sources, targets)
    steps.fill(
        lambda rows, table, state: kernels.step_to_members[class_width(class_index)](
            sources, targets, of_pairs, class_index, of.special, of.mirrors, of_object, rows, table, keys,
            state,
        )
    )  # fmt: skip
    return keys


def _holders(graph: HeapGraph, keys: NDArray[np.uint64], steps: StepRows) -> tuple[Holder, ...]:
    """The steps over which members are held, as a tree; ``keys`` are sorted."""
    retained, texts = graph.retained_units, edge_labels(graph).texts
    rows = steps.rows[: len(steps)]
    counts, sums = np.zeros(len(steps), np.int64), np.zeros(len(steps), np.uint64)
    examples = np.zeros(len(steps), np.uint32)
    kernels.sum_by_step["u4" if retained.dtype == np.uint32 else "u8"](
        keys, rows, retained, np.full(len(steps), NO_OBJECT, np.uint32), counts, sums, examples
    )
    ids = graph.columns.addresses.ids_of(examples.astype(np.int64)).tolist()
    below: dict[int, list[Holder]] = defaultdict(list)
    # Those before come first, so from the last row on all that follow a step are known.
    for row in np.nonzero(counts)[0][::-1].tolist():
        inner = sorted(below.pop(row, []), key=lambda holder: (-holder.member_count, holder.label))
        holder = Holder(
            texts[int(rows[row, 1])],
            int(counts[row]),
            int(sums[row]) * graph.columns.unit_bytes,
            ids[row],
            tuple(inner),
        )
        below[int(rows[row, 0])].append(holder)
    return tuple(sorted(below[0], key=lambda holder: (-holder.member_count, holder.label)))
