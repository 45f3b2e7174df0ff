"""What a signature can look at: one snapshot, with its heap where it is a dump."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.analysis.leaks.known_leaks.schema import Subject
from heapscope.errors import ObjectNotFound
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.graph.reachability import SOFT
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.objects.environment import system_properties_of
from heapscope.heap.objects.field_paths import follow_path, split_path
from heapscope.heap.objects.java_collections import contents, static_reference
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.heap.retention.holders import Holder, MergedPaths
from heapscope.heap.retention.paths import merged_paths
from heapscope.parser.tags import ROOT_KIND_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_COMPARISON = re.compile(r"(>=|<=|>|<|!=)\s*(-?\d+(?:\.\d+)?)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "!=": operator.ne,
}
_MAX_CHAINS = 4096


Where = Sequence[tuple[str, str]]  # a path of fields, and what must be there


@dataclass(frozen=True, eq=False)
class SnapshotEvidence:
    """One snapshot, as signatures look at it; what is looked up twice is kept.

    Attributes
    ----------
    snapshot : Snapshot
    graph : HeapGraph or None
        None for a class histogram.
    superclasses : mapping
        Class name to superclass name, as far as the series knows them.
    environment : mapping
        Of the process; empty where nothing tells.
    properties : mapping or None
        System properties; None: those in the dump.
    """

    snapshot: Snapshot
    graph: HeapGraph | None
    superclasses: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] | None = None
    _merged: dict[bytes, MergedPaths] = field(default_factory=dict, init=False, repr=False)
    _names: dict[tuple[Any, ...], tuple[str, ...]] = field(default_factory=dict, init=False, repr=False)
    _subjects: dict[Subject, tuple[ObjectSet, int]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def histogram(self) -> dict[str, int]:
        """Instances by class name."""
        table = self.snapshot.histogram
        return dict(zip(table.column("class_name"), table.column("instance_count"), strict=True))

    @cached_property
    def system_properties(self) -> Mapping[str, str]:
        """System properties of the process; empty where nothing tells."""
        if self.properties is not None:
            return self.properties
        return system_properties_of(self.graph) if self.graph is not None else {}

    @cached_property
    def reachable_bytes(self) -> int:
        """Strongly and softly reachable bytes of the dump: the whole that shares are of, 1 at least."""
        rows = self._need_graph().reachability_table.rows()
        sizes: list[int] = [row["shallow_bytes"] for row in rows if row["category"] in ("strong", "soft")]
        return max(1, sum(sizes))

    def names(
        self, patterns: Sequence[str], without: Sequence[str] = (), *, exact: bool = False
    ) -> tuple[str, ...]:
        """Classes with instances that patterns pick, subclasses included but where ``exact`` is said."""
        key = (*patterns, None, *without, exact)
        if key not in self._names:  # many signatures ask for the same
            found: set[str] = set()
            for pattern in patterns:
                found.update(self._matching(pattern, exact=exact))
            for pattern in without if found else ():
                found -= set(self._matching(pattern))
            self._names[key] = tuple(sorted(found))
        return self._names[key]

    def _matching(self, pattern: str, *, exact: bool = False) -> tuple[str, ...]:
        return matching_classes(pattern, self.histogram, self.superclasses, subclasses=not exact)

    def count(self, patterns: Sequence[str], without: Sequence[str] = (), where: Where = ()) -> int | None:
        """Instances; None where a class histogram cannot tell."""
        names = self.names(patterns, without)
        if not names or not where:
            return sum(self.histogram[name] for name in names)
        return None if self.graph is None else len(self.objects(patterns, without, where))

    def objects(
        self, patterns: Sequence[str], without: Sequence[str] = (), where: Where = (), *, exact: bool = False
    ) -> ObjectSet:
        """Instances of a dump; the set is empty where there are none."""
        graph = self._need_graph()
        wanted = set(self.names(patterns, without, exact=exact))
        if not wanted:
            return ObjectSet(graph, np.empty(0, np.int64))
        is_wanted = np.array([c.name in wanted for c in graph.classes], bool)
        found = ObjectSet(graph, graph.instances_of(is_wanted))
        for path, pattern in where:
            found = ObjectSet(graph, found.indices[matches(self.values(found, path), pattern)])
        return found

    def values(self, objects: ObjectSet, path: str) -> list[Any]:
        """Decoded values at a path of fields, None where there is none; alternatives by ``|``."""
        found: list[Any] = [None] * len(objects)
        for way in path.split("|"):
            missing = [place for place, value in enumerate(found) if value is None]
            if not missing:
                break
            rest = ObjectSet(objects.graph, objects.indices[missing])
            try:
                decoded = rest.values(way).tolist()
            except ObjectNotFound:  # no class among them has such a field: another version
                continue
            for place, value in zip(missing, decoded, strict=True):
                found[place] = value
        return found

    def identities(self, objects: ObjectSet, path: str) -> list[Any]:
        """As `values`, but references stay apart by identity: an object index for each."""
        graph = objects.graph
        found = np.full(len(objects), -1, np.int64)
        for way in path.split("|"):
            left = np.nonzero(found < 0)[0]
            try:
                found[left] = follow_path(graph, objects.indices[left], split_path(way))
            except ObjectNotFound:
                continue
        if (found >= 0).any():
            return [index if index >= 0 else None for index in found.tolist()]
        return self.values(objects, path)

    def containers(self, location: str, of: Sequence[str] = ()) -> list[JavaObject]:
        """The collections at ``"a.B#field.field"``, or at ``"field.field"`` of the instances of classes.

        A class name may begin with ``*``, for libraries that were relocated (shaded) into another package;
        ``|`` stands between the places that it has in different versions.
        """
        found = {box.index: box for each in location.split("|") for box in self._containers(each, of)}
        return list(found.values())

    def _containers(self, location: str, of: Sequence[str]) -> list[JavaObject]:
        graph = self._need_graph()
        class_name, mark, path = location.partition("#")
        if mark:
            first, *rest = path.split(".")
            starts = (
                object_or_none(graph, static_reference(graph, each, first))
                for each in self._class_names(class_name)
            )
            ends = (start.follow(*rest) for start in starts if start is not None)
            return [end for end in ends if end is not None]
        members = self.objects(of)
        try:
            rows = follow_path(graph, members.indices, split_path(location))
        except ObjectNotFound:
            return []
        return [JavaObject(graph, row) for row in np.unique(rows[rows >= 0]).tolist()]

    def _class_names(self, pattern: str) -> tuple[str, ...]:
        """Names of loaded classes, with instances or without."""
        if not pattern.startswith("*"):
            return (pattern,)
        names = {java_class.name for java_class in self._need_graph().classes}
        return tuple(sorted(name for name in names if name.endswith(pattern[1:])))

    def rooted(self, kind: str, without: Sequence[str] = (), of: Sequence[str] = ()) -> tuple[ObjectSet, int]:
        """The objects of the one class with most GC root records of a kind, and those records.

        Parameters
        ----------
        without, of : sequence of str
            Patterns of classes that do not count, and of those that alone count.
        """
        graph = self._need_graph()
        tag = next(tag for tag, name in ROOT_KIND_NAMES.items() if name == kind)
        roots = graph.roots
        rows = roots.object_index[(roots.kinds == tag) & (roots.object_index >= 0)]
        classes = graph.columns.class_index[rows]
        # By name, so that no superclass is needed: a proxy of native code extends many things.
        is_left = np.array([_is_picked(c.name, of, without) for c in graph.classes], bool)
        rows, classes = rows[is_left[classes]], classes[is_left[classes]]
        if not rows.size:
            return ObjectSet(graph, np.empty(0, np.int64)), 0
        most = int(np.bincount(classes).argmax())
        members = rows[classes == most].astype(np.int64)
        return ObjectSet(graph, distinct(members)), int(members.size)

    def loader_of(self, entry: JavaObject) -> int | None:
        """Index of the class loader that an entry keeps: a loader itself, that of a class, else of its class.

        None for the loader of the JDK's own classes, which cannot go anyway.
        """
        graph = self._need_graph()
        if entry.index in self._loader_indices:
            return entry.index
        of = entry.represented_class or graph.classes[entry.class_index]
        found = int(graph.indices_of(np.array([of.loader_id], np.uint64))[0]) if of.loader_id else -1
        return found if found >= 0 else None

    @cached_property
    def _loader_indices(self) -> frozenset[int]:
        return frozenset(self.objects(["java.lang.ClassLoader"]).indices.tolist())

    def subject(self, subject: Subject) -> tuple[ObjectSet, int]:
        """The objects that a finding sizes, and how many pile up: of collections what is in them."""
        if subject not in self._subjects:  # each condition of a signature asks
            self._subjects[subject] = self._find(subject)
        return self._subjects[subject]

    def _find(self, subject: Subject) -> tuple[ObjectSet, int]:
        if subject.entries:
            found = self.containers(subject.entries, subject.of)
            indices = np.array(sorted({each.index for each in found}), np.int64)
            return ObjectSet(self._need_graph(), indices), sum(map(entry_count, found))
        if subject.roots:
            return self.rooted(subject.roots, subject.without, subject.of)
        objects = self.objects(subject.classes, subject.without, subject.where, exact=subject.exact)
        if subject.inside:
            objects &= self._in_collections(subject.inside, subject.of)
        if subject.outside:
            objects -= self._in_collections(subject.outside, subject.of)
        if not subject.garbage:
            objects = held(objects)
        return objects, len(objects)

    def _in_collections(self, location: str, of: Sequence[str]) -> ObjectSet:
        """What is in the collections at a place."""
        found = {each.index for box in self.containers(location, of) for each in entry_objects(box)}
        return ObjectSet(self._need_graph(), np.array(sorted(found), np.int64))

    def merged(self, objects: ObjectSet) -> MergedPaths:
        """Merged paths to the GC roots, computed once for a set."""
        key = objects.indices.tobytes()
        if key not in self._merged:
            self._merged[key] = merged_paths(objects.graph, objects.indices)
        return self._merged[key]

    def _need_graph(self) -> HeapGraph:
        assert self.graph is not None, "asked of a class histogram"
        return self.graph


def held(objects: ObjectSet) -> ObjectSet:
    """Those that are strongly or softly reachable: a dump of all objects has others, which are no leak.

    A partial dump may lack the GC roots that hold them, so there all are kept.
    """
    if not objects or objects.graph.coverage is not None:
        return objects
    return ObjectSet(objects.graph, objects.indices[objects.graph.categories[objects.indices] <= SOFT])


def _is_picked(name: str, of: Sequence[str], without: Sequence[str]) -> bool:
    is_meant = not of or any(fnmatchcase(name, pattern) for pattern in of)
    return is_meant and not any(fnmatchcase(name, pattern) for pattern in without)


# Where mutable sets and maps of Scala 2.13 and of 2.11 and 2.12 keep how many they have.
_SIZES = ("contentSize", "tableSize")


def entry_count(container: JavaObject) -> int:
    """Elements of a collection of the JDK, of a hash set or map of Scala, or of an array; else 0."""
    found = contents(container)
    if found is not None:
        return sum(1 for _ in found.items)
    sizes = (container.get(name) for name in _SIZES if container.class_name.startswith("scala."))
    number = next((size for size in sizes if isinstance(size, int)), 0)
    return max(number, int(np.count_nonzero(container.element_ids())))


def entry_objects(container: JavaObject) -> list[JavaObject]:
    """Keys, values and elements of a collection that are objects; what a weak key refers to as itself."""
    found = contents(container)
    ids = [i for pair in found.items for i in pair] if found is not None else container.element_ids().tolist()
    objects = (object_or_none(container.graph, each) for each in ids if each)
    return [each for each in objects if each is not None]


def matches(values: Sequence[Any], pattern: str) -> NDArray[np.bool_]:
    """Which values are what a signature says: a pattern, a comparison, or ``null``."""
    return np.array([_is(value, pattern) for value in values], bool)


def _is(value: Any, pattern: str) -> bool:
    if pattern == "null":
        return value is None
    if value is None:
        return False
    comparison = _COMPARISON.fullmatch(pattern)
    if comparison is not None:
        is_number = isinstance(value, (int, float))
        return is_number and _OPERATORS[comparison[1]](value, float(comparison[2]))
    return fnmatchcase(value.class_name if isinstance(value, JavaObject) else str(value), pattern)


def chains(paths: MergedPaths) -> list[tuple[str, int]]:
    """Each way from a GC root, its steps joined by arrows, and how many members it holds."""
    found: list[tuple[str, int]] = []
    pending: list[tuple[str, Holder]] = [(holder.label, holder) for holder in reversed(paths.holders)]
    while pending and len(found) < _MAX_CHAINS:
        text, holder = pending.pop()
        if not holder.children:
            found.append((text, holder.member_count))
        pending += [(f"{text} -> {child.label}", child) for child in reversed(holder.children)]
    return found
