"""What is in the collections of a field: which class piles up there, and which objects of it."""

from __future__ import annotations

from collections import Counter, defaultdict
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
_CONTENT_LOOKS = 1000  # objects that are looked at for it at each depth
_LAMBDA = "$$Lambda"
# What collections of programs and libraries extend.
_EXTENDED = ("java.util.AbstractCollection", "java.util.AbstractMap", "java.util.Dictionary")
_TASKS = ("java.util.concurrent.FutureTask", "java.util.concurrent.CompletableFuture", "java.util.TimerTask")
_FULL = 8  # elements of each collection of a class that is opened, at least: chosen
_NEARLY_EACH = 0.9  # elements for each node of a library
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
    seen = _Seen(graph, containers)
    level = [(index, False) for index in containers[:_CONTENT_SAMPLES].tolist()]
    chance = np.random.default_rng(0)  # the same sample each time
    for depth in range(_CONTENT_DEPTH + 1):
        if len(level) > _CONTENT_LOOKS:
            level = [level[i] for i in np.sort(chance.permutation(len(level))[:_CONTENT_LOOKS]).tolist()]
        level = [below for at, is_inside in level for below in seen.look(at, depth, is_inside=is_inside)]
    return seen.content


class _Seen:
    """What was found in some objects, by class."""

    def __init__(self, graph: HeapGraph, containers: NDArray[np.int64]) -> None:
        self._graph, self._class_index = graph, graph.columns.class_index
        self._origins, self._is_opened = origins_of(graph), opened_classes(graph)
        self._is_collection, self._is_carrier = _collection_classes(graph), carrier_classes(graph)
        # What holds the collection is not in it, though its elements refer to it as the outer object does.
        self._seen = {each for index in containers.tolist() for each in graph.dominators.chain(index)}
        self._seen -= set(containers.tolist())
        self._weights: dict[ClassOrigin, Counter[str]] = defaultdict(Counter)
        self._counts: Counter[str] = Counter()
        self._captured: dict[str, Counter[str]] = defaultdict(Counter)  # by each class of lambdas
        self._in_library: Counter[str] = Counter()  # the program's classes in objects of libraries

    def look(self, at: int, depth: int, *, is_inside: bool) -> list[tuple[int, bool]]:
        """Count an object; what is looked at next, and whether that is inside of a library's object."""
        row = int(self._class_index[at])
        if at in self._seen or (depth and self._is_opened[row]):
            return []
        self._seen.add(at)
        name, origin = self._graph.classes[row].name, ClassOrigin(int(self._origins[row]))
        if is_inside:  # only the program's classes count there
            if origin == ClassOrigin.PROGRAM:
                self._in_library[name] += 1
                return []
        elif depth and (self._is_carrier[row] or not _is_passed(name, origin)):
            self._weights[origin][name] += int(self._graph.retained_units[at]) + 1
            self._counts[name] += 1
            if origin == ClassOrigin.PROGRAM and not self._is_collection[row]:
                if _LAMBDA in name:
                    self._look_into_lambda(at, name)
                return []
            is_inside = origin == ClassOrigin.LIBRARY
        if name in _PLAIN or name.startswith(_ASIDE):
            return []
        below = self._graph.references.outgoing(at)
        step = max(1, below.size // _CONTENT_SAMPLES)
        return [(each, is_inside) for each in below[::step].tolist()]

    def _look_into_lambda(self, at: int, name: str) -> None:
        for each in self._graph.references.outgoing(at).tolist():
            row = int(self._class_index[each])
            if each not in self._seen and not self._is_opened[row]:
                self._seen.add(each)  # what they share counts once
                is_own = self._origins[row] > ClassOrigin.JDK
                self._captured[name][self._graph.classes[row].name] += bool(is_own)

    @property
    def content(self) -> str:
        """What piles up; empty where nothing was found."""
        for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
            if self._weights[origin]:
                return self._own_content(origin)
        ordered = [name for name, _ in self._weights[ClassOrigin.JDK].most_common()]
        telling = [name for name in ordered if name not in _PLAIN]
        # What many elements share, as tasks their thread group, does not pile up.
        many = max((self._counts[name] for name in telling), default=0) / _FULL
        return next((name for name in telling if self._counts[name] >= many), ordered[0] if ordered else "")

    def _own_content(self, origin: ClassOrigin) -> str:
        ordered = self._weights[origin].most_common()
        most = ordered[0][0]
        collections = {self._graph.classes[row].name for row in np.nonzero(self._is_collection)[0].tolist()}
        if most in collections:
            # A map of users is opened as a map of the JDK is.  An object that is a map of its own attributes
            # is not: there are hardly more objects in it than such objects.
            inner = next((name for name, _ in ordered if name not in collections), "")
            most = inner if self._counts[inner] >= _FULL * self._counts[most] else most
        if origin == ClassOrigin.LIBRARY and self._in_library:
            # The nodes of a library's cache hold one element each.
            inner, count = self._in_library.most_common(1)[0]
            return inner if count >= _NEARLY_EACH * self._counts[most] else most
        # Lambdas that each hold an object of their own stand for those.
        captured = self._captured[most].most_common(1)
        return captured[0][0] if captured and 2 * captured[0][1] >= self._counts[most] else most


def _is_passed(class_name: str, origin: ClassOrigin) -> bool:
    """Whether objects of a class are only passed through: arrays, the JDK's collections and their parts."""
    is_array = class_name.endswith("[]") and class_name not in _PLAIN
    return is_array or (origin == ClassOrigin.JDK and is_structure(class_name))


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
