"""Sets of objects of a heap: select, follow fields, decode values, group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from heapscope.errors import ObjectNotFound
from heapscope.heap.graph.class_patterns import NO_CLASS_IS_NEAR, matching_classes, without_plus
from heapscope.heap.graph.index_sets import are_among, distinct, small_numbers
from heapscope.heap.histogram import sorted_histogram
from heapscope.heap.objects.field_paths import read_path
from heapscope.heap.objects.fields import FieldColumn
from heapscope.heap.objects.java_object import JavaObject, Value, object_or_none, shown
from heapscope.parser.generated_names import stable_name
from heapscope.parser.tags import ROOT_KIND_NAMES, BasicType
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.heap.retention.holders import MergedPaths

__all__ = ["JavaObject", "ObjectSet", "Value", "object_or_none"]


class ObjectSet(RichRepr):
    """Objects of a heap, in address order; ``len()`` is how many.

    A *path* names fields, one after the other: ``"ugi.subject"`` is the field ``subject`` of what
    the field ``ugi`` refers to; ``"attrs[id]"`` is what the map in ``attrs`` has under the key ``id``, of a
    list or an array ``"table[0]"`` an element; the empty path is the object itself.

    Sets of one heap combine with ``|``, ``&`` and ``-``; ``[3]`` is one object, ``[:10]`` a set, and so is
    ``[mask]`` of booleans: ``keys[keys.values("port") == 8020]``.

    Attributes
    ----------
    graph : HeapGraph
    indices : int64 array, shape (k,)
        Object indices, strictly increasing.
    """

    def __init__(self, graph: HeapGraph, indices: NDArray[np.int64] | Sequence[int]) -> None:
        self.graph = graph
        self.indices = np.asarray(indices, np.int64)
        self._kept: dict[tuple[str, ...], NDArray[np.uint64]] = {}  # retained sets, as bits

    def __len__(self) -> int:
        return int(self.indices.size)

    def __bool__(self) -> bool:
        return self.indices.size > 0

    def __iter__(self) -> Iterator[JavaObject]:
        for index in self.indices.tolist():
            yield JavaObject(self.graph, index)

    def __contains__(self, candidate: object) -> bool:
        if not isinstance(candidate, JavaObject) or candidate.graph is not self.graph:
            return False
        row = int(np.searchsorted(self.indices, candidate.index))
        return row < self.indices.size and int(self.indices[row]) == candidate.index

    @overload
    def __getitem__(self, key: int) -> JavaObject: ...
    @overload
    def __getitem__(self, key: slice | NDArray[np.bool_] | Sequence[bool]) -> ObjectSet: ...
    def __getitem__(self, key: int | slice | NDArray[np.bool_] | Sequence[bool]) -> JavaObject | ObjectSet:
        if isinstance(key, slice):
            return ObjectSet(self.graph, np.sort(self.indices[key]))
        if isinstance(key, (int, np.integer)):
            return JavaObject(self.graph, int(self.indices[key]))
        mask = np.asarray(key)
        if mask.dtype != np.bool_ or mask.shape != self.indices.shape:
            raise TypeError(
                f"a mask of {len(self):,} booleans picks from these objects, not {mask.dtype} of shape "
                f"{mask.shape}"
            )
        return self._picked(mask)

    def __or__(self, other: ObjectSet) -> ObjectSet:
        return ObjectSet(self.graph, distinct(np.concatenate([self.indices, self._same_graph(other)])))

    def __and__(self, other: ObjectSet) -> ObjectSet:
        return self._picked(are_among(self.indices, self._same_graph(other)))

    def __sub__(self, other: ObjectSet) -> ObjectSet:
        return self._picked(~are_among(self.indices, self._same_graph(other)))

    def _same_graph(self, other: ObjectSet) -> NDArray[np.int64]:
        if other.graph is not self.graph:
            raise ValueError("the sets are of two heaps; object indices mean nothing in the other one")
        return other.indices

    def sample(self, count: int, seed: int = 0) -> ObjectSet:
        """At most ``count`` of the objects, by chance, the same ones for the same seed."""
        count = min(count, len(self))
        picked = np.random.default_rng(seed).choice(self.indices, count, replace=False)
        return ObjectSet(self.graph, np.sort(picked))

    @property
    def shallow_bytes(self) -> int:
        """Shallow size of the objects together."""
        columns = self.graph.columns
        return int(columns.size_units[self.indices].sum(dtype=np.uint64)) * columns.unit_bytes

    @property
    def object_ids(self) -> NDArray[np.uint64]:
        """Identifiers, uint64, shape (k,)."""
        return self.graph.columns.addresses.ids_of(self.indices)

    def retained(self, without_roots: Sequence[str] = ()) -> ObjectSet:
        """The retained set: what would go if these objects went, themselves included.

        What is reachable from the GC roots, less what is still reachable when these objects are
        taken away, roots or not.

        Parameters
        ----------
        without_roots : sequence of str
            Kinds of GC roots that do not count (``"JNI global"``, see
            `heapscope.parser.tags.ROOT_KIND_NAMES`), while these objects do, whoever holds
            them: for leaks through native code, which keeps handles to what it lost.

        Raises
        ------
        ValueError
            There is no such kind of GC root.
        """
        from heapscope.heap.graph.reachability import indices_in

        return ObjectSet(self.graph, indices_in(self._retained_bits(tuple(without_roots))))

    def _retained_bits(self, without_roots: tuple[str, ...]) -> NDArray[np.uint64]:
        if without_roots not in self._kept:
            self._kept[without_roots] = self.graph.retained_set(self.indices, without_roots)
        return self._kept[without_roots]

    def retained_bytes(self, without_roots: Sequence[str] = ()) -> int:
        """Shallow size of the objects of `retained` together: the retained size of this set."""
        from heapscope.heap.graph.reachability import size_of

        columns = self.graph.columns
        bits = self._retained_bits(tuple(without_roots))
        size = size_of(bits, columns.size_units)[1] * columns.unit_bytes
        if self.graph.options.semantics == "mat":
            from heapscope.heap.retention.mat import boot_loader_lost

            return size + boot_loader_lost(self.graph, self.indices, bits)
        return size

    @property
    def is_retained_known(self) -> bool:
        """Whether `retained` was asked for before, so that it costs nothing."""
        return () in self._kept

    @property
    def dominated_bytes(self) -> int:
        """What each object retains in the dominator tree, added up; one inside another counts with that one.

        A lower bound of `retained_bytes`: it leaves out what several of the objects hold together.
        """
        from heapscope.heap.retention.by_group import dominated_bytes

        return dominated_bytes(self.graph, self.indices)

    def root_record_count(self, kind: str) -> int:
        """How many GC root records of a kind (``"JNI global"``) are on these objects."""
        roots = self.graph.roots
        tags = [tag for tag, name in ROOT_KIND_NAMES.items() if name == kind]
        on_kind = np.isin(roots.kinds, np.array(tags, roots.kinds.dtype))
        return int(are_among(roots.object_index[on_kind], self.indices).sum())

    def paths_to_gc_roots(self) -> MergedPaths:
        """All ways in which GC roots hold these objects, merged into one tree; ``print`` it.

        One object's single paths: `heapscope.heap.retention.paths.paths`.
        """
        from heapscope.heap.retention.paths import merged_paths

        return merged_paths(self.graph, self.indices)

    def referrers(self) -> ObjectSet:
        """All objects that refer to one of these, members too where they do."""
        from heapscope.heap.retention.referrers import referrers_of

        return ObjectSet(self.graph, referrers_of(self.graph, self.indices))

    def referrers_by_field(self) -> Table:
        """Who refers to these objects, by class and field; see `heapscope.heap.retention.referrers`."""
        from heapscope.heap.retention.referrers import referrers_by_field

        return referrers_by_field(self.graph, self.indices)

    def references(self) -> ObjectSet:
        """All objects that one of these refers to."""
        graph = self.graph.references
        starts, ends = graph.indptr[self.indices].astype(np.int64), graph.indptr[self.indices + 1]
        counts = ends.astype(np.int64) - starts
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        found = graph.indices[np.repeat(starts, counts) + within].astype(np.int64)
        # Class objects that are GC roots are not listed with each instance.
        classes = self.graph.class_objects[small_numbers(self.graph.columns.class_index[self.indices])]
        return ObjectSet(self.graph, distinct(np.concatenate([found, classes[classes >= 0]])))

    def dominated(self) -> ObjectSet:
        """What these objects immediately dominate."""
        from heapscope.heap.retention.dominator_tree import children_of

        return ObjectSet(self.graph, children_of(self.graph, self.indices))

    def histogram(self) -> Table:
        """The set by class: ``class_name, instance_count, shallow_bytes``, the largest first."""
        columns, classes = self.graph.columns, self.graph.classes
        class_of = columns.class_index[self.indices]
        counts = np.bincount(class_of, minlength=len(classes)).tolist()
        # Sums of whole numbers in float64 are exact up to 2**53.
        units = np.bincount(class_of, columns.size_units[self.indices], len(classes)).tolist()
        rows: dict[str, tuple[int, int]] = {}
        for java_class, count, size in zip(classes, counts, units, strict=True):
            if count:
                count_before, size_before = rows.get(java_class.name, (0, 0))
                rows[java_class.name] = count_before + count, size_before + int(size) * columns.unit_bytes
        return sorted_histogram((name, count, size) for name, (count, size) in rows.items())

    def class_counts(self) -> dict[str, int]:
        """Instances by class name, the most frequent first."""
        table = self.histogram()
        named = zip(table.column("class_name"), table.column("instance_count"), strict=True)
        return dict(sorted(named, key=lambda item: (-item[1], item[0])))

    def field(self, path: str) -> ObjectSet:
        """The objects that the fields at the end of a path refer to, each once.

        Null, and references to what the dump does not have, are left out.

        Raises
        ------
        ObjectNotFound
            No object on the way has a field of that name; the message names the nearest.
        ValueError
            The last field holds numbers; `values` reads it.
        """
        column = self._column(path)
        if column.types.any() and not column.has_references:
            kind = _type_name(column)
            raise ValueError(f"{path!r} is no reference but of type {kind}; values({path!r}) reads it")
        found = distinct(self.graph.indices_of(column.references()))
        return ObjectSet(self.graph, found[found >= 0])

    def values(self, path: str = "") -> NDArray[Any]:
        """What the fields at the end of a path hold, as Python values, in the order of the set.

        Parameters
        ----------
        path : str
            The empty path decodes the objects themselves.

        Returns
        -------
        array, shape (k,)
            Of a field that is a number or a boolean: in its dtype where each object has one;
            with NaN for missing ones where they are floating; else Python numbers and None.  A char is
            a str.  References: what `JavaObject.value` gives, None for null, for a reference that
            leads nowhere and where the way breaks.  Objects that share something share its value.

        Raises
        ------
        ObjectNotFound
            No object on the way has a field of that name; the message names the nearest.
        """
        return self._decoded(self._column(path))

    def to_frame(self, *paths: str) -> pd.DataFrame:
        """A row for each object: ``object_id, class_name, shallow_bytes``, and a column for each path.

        Values and errors as `values` has them.
        """
        import pandas as pd

        columns = self.graph.columns
        names = np.array([java_class.name for java_class in self.graph.classes] or [""], object)
        shallow = columns.size_units[self.indices].astype(np.int64) * columns.unit_bytes
        known = {
            "object_id": self.object_ids,
            "class_name": names[columns.class_index[self.indices]],
            "shallow_bytes": shallow,
        }
        return pd.DataFrame(known | {path: self.values(path) for path in paths})

    def where(self, path: str, wanted: Any) -> ObjectSet:
        """The objects whose value at the end of a path is the wanted one.

        Parameters
        ----------
        path : str
        wanted : value or callable
            Compared with `values`; a `JavaObject` by identity; None picks objects that have no
            value there.  A callable is asked with each value that is there: ``lambda text: "/" in text``.

        Raises
        ------
        ObjectNotFound
            No object on the way has a field of that name; the message names the nearest.
        """
        column = self._column(path)
        if isinstance(wanted, JavaObject):
            return self._picked(column.references() == np.uint64(wanted.object_id))
        is_there = column.types != 0
        is_reference = column.types == BasicType.OBJECT
        is_there[is_reference] = self.graph.indices_of(column.bits[is_reference]) >= 0
        if wanted is None:
            return self._picked(~is_there)
        rows = np.nonzero(is_there)[0]
        values = self._decoded(FieldColumn(column.types[rows], column.bits[rows])).tolist()
        picked = np.zeros(len(self), bool)
        picked[rows] = [
            bool(wanted(each)) if callable(wanted) else _is_equal(each, wanted) for each in values
        ]
        return self._picked(picked)

    def group_by(self, path: str, *, retained: bool = False) -> Table:
        """The set grouped by the value at the end of a path: ``value, object_count, shallow_bytes``.

        Numbers, strings, boxed values, enums and classes are grouped by value, other objects by
        identity (``value`` is the `JavaObject`), and what is missing or null under None.
        The most frequent first.

        Parameters
        ----------
        path : str
        retained : bool
            With a column ``retained_bytes``, the exact retained size of each group's objects together:
            a pass over the graph for each group.

        Raises
        ------
        ObjectNotFound
            No object on the way has a field of that name; the message names the nearest.
        """
        column, columns = self._column(path), self.graph.columns
        sizes = columns.size_units[self.indices].astype(np.int64) * columns.unit_bytes
        groups: dict[tuple[type, Any], tuple[Any, int, int]] = {}
        members: dict[tuple[type, Any], list[NDArray[np.int64]]] = {}
        for code in small_numbers(column.types):
            rows = np.nonzero(column.types == code)[0]
            bits, group_of, counts = np.unique(column.bits[rows], return_inverse=True, return_counts=True)
            bytes_of = np.zeros(bits.size, np.int64)
            np.add.at(bytes_of, group_of, sizes[rows])
            values = self._decoded(FieldColumn(np.full(bits.size, code, np.uint8), bits), depth=0)
            places = np.split(rows[np.argsort(group_of, kind="stable")], np.cumsum(counts)[:-1])
            for value, count, size, mine in zip(
                values.tolist(), counts.tolist(), bytes_of.tolist(), places, strict=True
            ):
                key = type(value), value if not isinstance(value, (np.ndarray, bytes)) else id(value)
                _, count_before, size_before = groups.get(key, (value, 0, 0))
                groups[key] = value, count_before + count, size_before + size
                members.setdefault(key, []).append(self.indices[mine])
        keys = sorted(groups, key=lambda key: (-groups[key][1], -groups[key][2], str(groups[key][0])))
        table: dict[str, Any] = {
            "value": [groups[key][0] for key in keys],
            "object_count": np.array([groups[key][1] for key in keys], np.int64),
            "shallow_bytes": np.array([groups[key][2] for key in keys], np.int64),
        }
        if retained:
            sets = (ObjectSet(self.graph, np.sort(np.concatenate(members[key]))) for key in keys)
            table["retained_bytes"] = np.array([each.retained_bytes() for each in sets], np.int64)
        return Table(table)

    def _column(self, path: str) -> FieldColumn:
        """The fields at the end of a path."""
        if not path:
            return FieldColumn(np.full(len(self), BasicType.OBJECT, np.uint8), self.object_ids)
        return read_path(self.graph, self.indices, path)

    def _decoded(self, column: FieldColumn, depth: int | None = None) -> NDArray[Any]:
        from heapscope.heap.objects.values import DEPTH, Decoder

        values = column.primitives()
        if column.has_references:
            rows = np.nonzero(column.types == BasicType.OBJECT)[0]
            decoded = Decoder(self.graph).values(column.bits[rows], DEPTH if depth is None else depth)
            # One by one: numpy would take lists of one length for rows of a matrix.
            for row, value in zip(rows.tolist(), decoded, strict=True):
                values[row] = value
        return values

    def _picked(self, is_picked: NDArray[np.bool_]) -> ObjectSet:
        return ObjectSet(self.graph, self.indices[is_picked])

    def __repr__(self) -> str:
        names = list(self.class_counts())
        what = shown(names[0]) if len(names) == 1 else f"{len(names)} classes"
        return f"<{len(self):,} objects of {what}, {self.shallow_bytes:,} bytes>"


def instances_of(
    graph: HeapGraph, class_name: str = "*", *, subclasses: bool = True, class_objects: bool = False
) -> ObjectSet:
    """The instances of a class; see `heapscope.heap.heap.Heap.objects`.

    Parameters
    ----------
    class_name : str
        A class name, a simple name or a glob (`heapscope.heap.graph.class_patterns`); or what several
        generated classes have in common (``com.acme.Bus$$Lambda``).
    subclasses : bool
        Whether instances of subclasses belong to the set.
    class_objects : bool
        Whether the class objects belong to it as well.

    Raises
    ------
    ObjectNotFound
        The dump has no such class; the message names the nearest.
    """
    is_picked = picked_classes(graph, class_name, subclasses=subclasses)
    rows = graph.instances_of(is_picked)
    if class_objects:
        rows = np.union1d(rows, graph.class_objects[is_picked & (graph.class_objects >= 0)])
    return ObjectSet(graph, rows)


def picked_classes(graph: HeapGraph, class_name: str, *, subclasses: bool) -> NDArray[np.bool_]:
    """Which of ``graph.classes`` a name means, as `instances_of` takes it; bool array, shape (c,).

    Raises
    ------
    ObjectNotFound
    """
    names = {c.name for c in graph.classes}
    class_name, subclasses = without_plus(class_name, subclasses)
    picked = set(matching_classes(class_name, names, graph.superclasses, subclasses=subclasses))
    if not picked:  # of generated classes answers about several snapshots name the stable part alone
        picked = {name for name in names if stable_name(name) == class_name}
    if not picked:
        raise ObjectNotFound(class_name, str(graph.path), names, NO_CLASS_IS_NEAR)
    return np.array([c.name in picked for c in graph.classes], bool)


def _type_name(column: FieldColumn) -> str:
    return BasicType(int(column.types[column.types != 0][0])).java_name


def _is_equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(wanted, np.ndarray):
        return np.array_equal(value, wanted)
    return bool(value == wanted)
