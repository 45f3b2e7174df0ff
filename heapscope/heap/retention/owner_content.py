"""What is in the collections of a field: which class piles up there, and which objects of it."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin
from heapscope.heap.graph.subclasses import class_width
from heapscope.heap.retention import kernels
from heapscope.heap.retention.dominator_tree import marks_of
from heapscope.heap.retention.owner_paths import extends, origins_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_CONTENT_SAMPLES = 400  # elements whose classes say what piles up
_CONTENT_DEPTH = 8
_CONTENT_LOOKS = 4000  # objects that are looked at for it
_LAMBDA = "$$Lambda"
_CLIMBED = 64  # steps from an element up to its collection
_LEAP = 8  # steps after which the nodes of a list are left behind at once
_OPENED = (
    "java.lang.Thread",
    "java.lang.ClassLoader",
    "java.lang.Class",
    "java.lang.ThreadLocal$ThreadLocalMap",
    "java.lang.ThreadLocal$ThreadLocalMap$Entry[]",
    "java.lang.ThreadLocal$ThreadLocalMap$Entry",
)
# Packages whose classes are collections and their parts.
_COLLECTIONS = frozenset({"java.util", "java.util.concurrent", "java.lang.ref"})
# Beside a collection, not in it.
_ASIDE = ("java.lang.ref.ReferenceQueue", "java.lang.ref.Finalizer", "java.util.concurrent.locks.")
# Values that say nothing of what piles up: a map from names to sessions is one of sessions.
_PLAIN = frozenset(
    {
        *("java.lang.String", "java.lang.Integer", "java.lang.Long", "java.lang.Boolean", "java.lang.Object"),
        *("java.lang.Double", "java.lang.Float", "java.lang.Short", "java.lang.Character", "java.lang.Byte"),
        *("java.lang.Class", "byte[]", "char[]", "int[]", "long[]", "java.util.UUID", "java.util.Date"),
    }
)


def most_common_class(graph: HeapGraph, members: NDArray[np.int64]) -> str:
    """The class that most of some objects have."""
    return graph.classes[int(np.bincount(graph.columns.class_index[members]).argmax())].name


def opened_classes(graph: HeapGraph) -> NDArray[np.bool_]:
    """Classes whose objects only pass on what they hold, bool, shape (c,)."""
    return graph.kept(
        "opened classes", lambda: np.logical_or.reduce([extends(graph, name) for name in _OPENED])
    )


def content_class(graph: HeapGraph, containers: NDArray[np.int64]) -> str:
    """What piles up in some objects: the class whose instances retain most of those found first below them.

    Nodes, entries, arrays and collections of the JDK are looked through; strings and numbers count only where
    there is nothing else.

    Parameters
    ----------
    containers : int64 array
        Object indices.

    Returns
    -------
    str
        The program's class before a library's before the JDK's; empty where nothing is found.
    """
    origins, class_index, references = origins_of(graph), graph.columns.class_index, graph.references
    is_opened = opened_classes(graph)
    # What holds the collection is not in it, though its elements refer to it as the outer object does.
    holders = {each for index in containers.tolist() for each in graph.dominators.chain(index)}
    weights: dict[ClassOrigin, Counter[str]] = defaultdict(Counter)
    lambdas: Counter[str] = Counter()
    captured: dict[str, Counter[str]] = defaultdict(Counter)
    pending = deque((index, 0, "") for index in containers[:_CONTENT_SAMPLES].tolist())
    seen: set[int] = set()
    while pending and len(seen) < _CONTENT_LOOKS:
        at, depth, maker = pending.popleft()
        if at in seen or at in holders or (depth and is_opened[class_index[at]]):
            continue
        seen.add(at)
        name = graph.classes[int(class_index[at])].name
        if maker:
            captured[maker][name] += origins[int(class_index[at])] > ClassOrigin.JDK
            continue
        origin = ClassOrigin(int(origins[int(class_index[at])]))
        is_array = name.endswith("[]") and name not in _PLAIN
        if depth and not is_array and not (origin == ClassOrigin.JDK and is_structure(name)):
            weights[origin][name] += int(graph.retained_units[at]) + 1
            if _LAMBDA in name:
                lambdas[name] += 1
                pending += [(each, depth + 1, name) for each in references.outgoing(at).tolist()]
            if origin > ClassOrigin.JDK:
                continue
        if depth < _CONTENT_DEPTH and name not in _PLAIN and not name.startswith(_ASIDE):
            below = references.outgoing(at)
            step = max(1, below.size // _CONTENT_SAMPLES)
            pending += [(each, depth + 1, "") for each in below[::step].tolist()]
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        if weights[origin]:
            most = weights[origin].most_common(1)[0][0]
            # Lambdas that each hold an object of their own stand for those.
            inside = captured[most].most_common(1) if most in lambdas else []
            return inside[0][0] if inside and 2 * inside[0][1] >= lambdas[most] else most
    ordered = [name for name, _ in weights[ClassOrigin.JDK].most_common()]
    return next((name for name in ordered if name not in _PLAIN), ordered[0] if ordered else "")


def content_members(graph: HeapGraph, containers: NDArray[np.int64], class_name: str) -> NDArray[np.int64]:
    """The instances of a class that some objects hold: on their preferred path, or in their dominator tree.

    Parameters
    ----------
    containers : int64 array
        Object indices, ascending.
    class_name : str
        Subclasses do not count.

    Returns
    -------
    int64 array
        Object indices, strictly increasing.
    """
    is_it = np.array([c.name == class_name for c in graph.classes], bool)
    rows = graph.instances_of(is_it)
    found = np.zeros(rows.size, bool)
    for tree in (graph.owner_parents, graph.immediate_dominators):
        rest = np.nonzero(~found)[0]
        found[rest] = are_below(graph, tree, rows[rest], containers)
    return rows[found]


def are_below(
    graph: HeapGraph, tree: NDArray[np.uint32], rows: NDArray[np.int64], containers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which objects have one of the containers above them in a tree."""
    marks = marks_of(graph, containers)
    class_index = graph.columns.class_index
    # At most half full where one node of 64 is remembered.
    slots = 1 << max(4, (class_index.size // 32).bit_length())
    keys, firsts = np.zeros(slots, np.uint32), np.empty(slots, np.uint32)
    below = np.zeros(rows.size, np.uint8)
    kernels.mark_below[class_width(class_index)](
        tree, class_index, rows, marks, keys, firsts, np.zeros(1, np.int64), below, _CLIMBED, _LEAP
    )
    return below.astype(bool)


def is_structure(class_name: str) -> bool:
    """Whether a class of the JDK is a collection, or a part of one: ``HashMap``, ``LinkedList$Node``."""
    return class_name.rpartition(".")[0] in _COLLECTIONS and class_name not in _PLAIN
