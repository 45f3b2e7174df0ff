"""What is in the collections of a field: which class piles up there, and which objects of it."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph import kernels as graph_kernels
from heapscope.heap.graph.class_origin import ClassOrigin
from heapscope.heap.retention import kernels
from heapscope.heap.retention.owner_paths import extends, origins_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_CONTENT_SAMPLES = 400  # elements whose classes say what piles up
_CONTENT_DEPTH = 8
_CONTENT_LOOKS = 4000  # objects that are looked at for it
_LAMBDA = "$$Lambda"
# What collections of programs and libraries extend.
_EXTENDED = ("java.util.AbstractCollection", "java.util.AbstractMap", "java.util.Dictionary")
_TASKS = ("java.util.concurrent.FutureTask", "java.util.concurrent.CompletableFuture", "java.util.TimerTask")
_FULL = 8  # elements of each collection of a class that is opened, at least: chosen
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
    is_opened, is_collection = opened_classes(graph), _collection_classes(graph)
    is_carrier = carrier_classes(graph)
    collections = {graph.classes[row].name for row in np.nonzero(is_collection)[0].tolist()}
    # What holds the collection is not in it, though its elements refer to it as the outer object does.
    holders = {each for index in containers.tolist() for each in graph.dominators.chain(index)}
    weights: dict[ClassOrigin, Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
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
            counts[name] += 1
            if origin > ClassOrigin.JDK and not is_collection[class_index[at]]:
                continue
        elif depth and is_carrier[class_index[at]]:
            weights[origin][name] += int(graph.retained_units[at]) + 1
            counts[name] += 1
        if depth < _CONTENT_DEPTH and name not in _PLAIN and not name.startswith(_ASIDE):
            below = references.outgoing(at)
            step = max(1, below.size // _CONTENT_SAMPLES)
            pending += [(each, depth + 1, "") for each in below[::step].tolist()]
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        if weights[origin]:
            most = _outnumbering(weights[origin].most_common(), counts, collections)
            # Lambdas that each hold an object of their own stand for those.
            inside = captured[most].most_common(1) if most in lambdas else []
            return inside[0][0] if inside and 2 * inside[0][1] >= lambdas[most] else most
    ordered = [name for name, _ in weights[ClassOrigin.JDK].most_common()]
    telling = [name for name in ordered if name not in _PLAIN]
    # What many elements share, as tasks their thread group, does not pile up.
    many = max((counts[name] for name in telling), default=0) / _FULL
    return next((name for name in telling if counts[name] >= many), ordered[0] if ordered else "")


def _collection_classes(graph: HeapGraph) -> NDArray[np.bool_]:
    """Classes that extend a collection of the JDK, bool, shape (c,)."""
    return graph.kept(
        "collection classes", lambda: np.logical_or.reduce([extends(graph, name) for name in _EXTENDED])
    )


def carrier_classes(graph: HeapGraph) -> NDArray[np.bool_]:
    """Classes of the collections' packages that are no collections, bool, shape (c,).

    A task or a reference is opened for what it stands for; where that is gone, or is nothing of the
    program's, it is what piles up itself.
    """

    def find() -> NDArray[np.bool_]:
        tasks = np.logical_or.reduce([extends(graph, name) for name in _TASKS])
        is_collection = _collection_classes(graph)
        return np.array(
            [
                bool(tasks[row])
                or (
                    is_structure(each.name)
                    and "$" not in each.name
                    and not is_collection[row]
                    and not each.name.endswith(("[]", "CopyOnWriteArrayList"))
                )
                for row, each in enumerate(graph.classes)
            ],
            bool,
        )

    return graph.kept("carrier classes", find)


def _outnumbering(weights: list[tuple[str, int]], counts: Counter[str], collections: set[str]) -> str:
    """The class that weighs most; of a class of collections, what these are full of.

    A map of users is opened as a map of the JDK is.  An object that is a map of its own attributes is not:
    there are hardly more objects in it than such objects.
    """
    most = weights[0][0]
    inner = next((name for name, _ in weights if name not in collections), "")
    return inner if most in collections and counts[inner] >= _FULL * counts[most] else most


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
        found[rest] = are_below(tree, rows[rest], containers)
    return rows[found]


def are_below(
    tree: NDArray[np.uint32], rows: NDArray[np.int64], containers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which objects have one of the containers above them in a tree, however far; bool, shape (k,)."""
    flags = np.zeros((tree.size // 64 + 1, graph_kernels.PLANES), np.uint64)
    graph_kernels.mark(containers.astype(np.uint32), flags, graph_kernels.VISITED)
    below = np.zeros(rows.size, np.uint8)
    kernels.mark_nested(tree, rows.astype(np.uint32), flags, below)
    return below.astype(bool)


def is_structure(class_name: str) -> bool:
    """Whether a class of the JDK is a collection, or a part of one: ``HashMap``, ``LinkedList$Node``."""
    return class_name.rpartition(".")[0] in _COLLECTIONS and class_name not in _PLAIN
