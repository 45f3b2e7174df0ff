"""Tables of objects and references: views of the arrays of the index."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.extras import arrow
from heapscope.heap.graph.reachability import CATEGORIES
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.objects.fields import numbers_at
from heapscope.heap.retention.by_group import group_totals, loader_names
from heapscope.heap.retention.reference_names import name_references
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.query.catalogue import TABLES
from heapscope.query.columns import SqlColumn, SqlTable, arrow_type, dictionary, small_table, with_nulls
from heapscope.query.texts import string_lengths, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

STRING = "java.lang.String"
ALL = slice(None)
Rows = slice | np.ndarray[Any, Any]


class HeapArrow:
    """Arrow arrays over one heap.

    Parameters
    ----------
    graph : HeapGraph
    show_secrets : bool
        Whether texts that may be secret are shown as they are.
    """

    def __init__(self, graph: HeapGraph, show_secrets: bool = False) -> None:
        self.graph = graph
        self.show_secrets = show_secrets

    @cached_property
    def class_names(self) -> list[str]:
        """Name of each class."""
        return [java_class.name for java_class in self.graph.classes]

    def rows_of(self, class_indices: list[int]) -> NDArray[np.int64]:
        """Instances of some classes, ascending."""
        is_picked = np.zeros(len(self.graph.classes), bool)
        is_picked[class_indices] = True
        return self.graph.instances_of(is_picked)

    def are_strings(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some object indices are strings; -1 is none."""
        is_string = np.array([name == STRING for name in self.class_names], bool)
        found: NDArray[np.bool_] = is_string[self.graph.columns.class_index[np.maximum(rows, 0)]]
        return found & (rows >= 0)

    @cached_property
    def strings(self) -> NDArray[np.int64]:
        """All strings, ascending."""
        return self.rows_of([i for i, name in enumerate(self.class_names) if name == STRING])

    def prepare(self) -> None:
        """Make what columns are made of, before several threads ask for it: none of them may do so twice."""
        graph = self.graph
        _ = graph.references, graph.retained_units, graph.categories, graph.columns.offsets, self.strings

    def forget(self) -> None:
        """Let go of what was made for a query and takes much memory."""
        self.__dict__.pop("_ids", None)

    @property
    def kept_bytes(self) -> int:
        """Bytes of that."""
        ids = self.__dict__.get("_ids")
        return 0 if ids is None else int(ids.nbytes)

    @cached_property
    def _ids(self) -> NDArray[np.uint64]:
        return self.graph.columns.addresses.expanded()

    # --- objects ---

    def addresses(self, rows: Rows = ALL) -> Any:
        """Addresses of objects."""
        few = self.graph.columns.class_index.size // 4
        if isinstance(rows, np.ndarray) and rows.size < few and "_ids" not in self.__dict__:
            return arrow().array(self.graph.columns.addresses.ids_of(rows))
        return arrow().array(self._ids[rows])

    def classes(self, rows: Rows = ALL) -> Any:
        """Class names, as a dictionary over ``class_index``."""
        return dictionary(self.graph.columns.class_index[rows], self.class_names)

    def shallow(self, rows: Rows = ALL) -> Any:
        """Shallow sizes in units."""
        return arrow().array(self.graph.columns.size_units[rows])

    def retained(self, rows: Rows = ALL) -> Any:
        """Retained sizes in units."""
        return arrow().array(self.graph.retained_units[rows])

    def dominators(self, rows: Rows = ALL) -> Any:
        """Address of the immediate dominator, null for what no other object dominates."""
        immediate = self.graph.immediate_dominators[rows]
        is_null = immediate >= VIRTUAL_ROOT
        ids = self._ids
        return with_nulls(ids[np.where(is_null, 0, immediate)] if immediate.size else ids[:0], is_null)

    def reachability(self, rows: Rows = ALL) -> Any:
        """How the GC roots reach each object."""
        return dictionary(self.graph.categories[rows], list(CATEGORIES))

    def array_lengths(self, rows: slice = ALL) -> Any:
        """Elements of arrays, null for other objects."""
        class_index = self.graph.columns.class_index
        is_array = self._is_array_class[class_index[rows]]
        places = np.nonzero(is_array)[0]
        lengths = np.zeros(is_array.size, np.int32)
        lengths[places] = self.lengths_of(places + rows.indices(class_index.size)[0])
        return with_nulls(lengths, ~is_array)

    @cached_property
    def _is_array_class(self) -> NDArray[np.bool_]:
        return np.array([name.endswith("[]") for name in self.class_names], bool)

    def lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Elements of some arrays."""
        graph = self.graph
        offsets = graph.columns.offsets[rows].astype(np.int64) + (1 + graph.identifier_bytes + 4)
        return numbers_at(graph.buffer, offsets, 4).astype(np.int32)

    # --- references ---

    def _of_sources(self, values: NDArray[Any], rows: slice) -> NDArray[Any]:
        """What each reference's source has of some values of objects."""
        indptr = self.graph.references.indptr
        first, last, _ = rows.indices(self.graph.references.indices.size)
        if first >= last:
            return values[:0]
        # With a key of another type numpy would convert the whole array first.
        begin = int(np.searchsorted(indptr, indptr.dtype.type(first), side="right")) - 1
        end = int(np.searchsorted(indptr, indptr.dtype.type(last), side="left"))
        bounds = indptr[begin : end + 1].astype(np.int64)
        return np.repeat(values[begin:end], np.diff(bounds.clip(first, last)))

    def sources(self, rows: slice = ALL) -> Any:
        """Address of what refers, for each reference."""
        return arrow().array(self._of_sources(self._ids, rows))

    def targets(self, rows: slice = ALL) -> Any:
        """Address of what is referred to."""
        return arrow().array(self._ids[self.graph.references.indices[rows]])

    def source_classes(self, rows: slice = ALL) -> Any:
        """Class of what refers."""
        return dictionary(self._of_sources(self.graph.columns.class_index, rows), self.class_names)

    def target_classes(self, rows: slice = ALL) -> Any:
        """Class of what is referred to."""
        codes = self.graph.columns.class_index[self.graph.references.indices[rows]]
        return dictionary(codes, self.class_names)

    def reference_names(self) -> Any:
        """Field by which it refers."""
        codes, names = name_references(self.graph)
        return dictionary(codes, names)


def heap_tables(arrays: HeapArrow) -> dict[str, SqlTable]:
    """The tables ``objects``, ``refs``, ``classes``, ``gc_roots``, ``strings`` and ``loaders``."""
    graph = arrays.graph
    # Asked for each time: an index that proves to be broken is made anew, and its arrays with it.
    unit = graph.columns.unit_bytes
    return {
        "objects": SqlTable(
            (
                SqlColumn("address", "UBIGINT", arrays.addresses),
                SqlColumn("class_name", "VARCHAR", arrays.classes, is_view=True),
                SqlColumn("shallow_bytes", "BIGINT", arrays.shallow, unit, is_view=True),
                SqlColumn("retained_bytes", "BIGINT", arrays.retained, unit, is_view=True),
                SqlColumn("dominator", "UBIGINT", arrays.dominators),
                SqlColumn("reachability", "VARCHAR", arrays.reachability, is_view=True),
                SqlColumn("array_length", "INTEGER", arrays.array_lengths),
            ),
            "shallow_bytes",
            lambda: int(graph.columns.class_index.size),
        ),
        "refs": SqlTable(
            (
                SqlColumn("source", "UBIGINT", arrays.sources),
                SqlColumn("target", "UBIGINT", arrays.targets),
                SqlColumn("field", "VARCHAR", arrays.reference_names, is_whole=True),
                SqlColumn("source_class", "VARCHAR", arrays.source_classes),
                SqlColumn("target_class", "VARCHAR", arrays.target_classes),
            ),
            "target_class",
            lambda: int(graph.references.indices.size),
        ),
        "classes": _classes(arrays),
        "gc_roots": _gc_roots(arrays),
        "strings": _strings(arrays),
        "loaders": _loaders(arrays),
    }


def _strings(arrays: HeapArrow) -> SqlTable:
    graph, unit = arrays.graph, arrays.graph.columns.unit_bytes

    def texts(rows: NDArray[np.int64]) -> Any:
        return texts_of(graph, rows, show_secrets=arrays.show_secrets)

    def of_strings(make: Callable[[NDArray[np.int64]], Any]) -> Callable[..., Any]:
        return lambda rows=ALL: make(arrays.strings[rows])

    return SqlTable(
        (
            SqlColumn("address", "UBIGINT", of_strings(arrays.addresses)),
            SqlColumn("text", "VARCHAR", of_strings(texts)),
            SqlColumn("length", "INTEGER", of_strings(lambda rows: string_lengths(graph, rows))),
            SqlColumn("shallow_bytes", "BIGINT", of_strings(arrays.shallow), unit),
            SqlColumn("retained_bytes", "BIGINT", of_strings(arrays.retained), unit),
        ),
        "shallow_bytes",
        lambda: int(arrays.strings.size),
    )


def _classes(arrays: HeapArrow) -> SqlTable:
    graph = arrays.graph
    classes = graph.classes
    class_index = graph.columns.class_index

    def counts() -> Any:
        return arrow().array(np.bincount(class_index, minlength=len(classes)).astype(np.int64))

    def shallow() -> Any:
        # Sums of whole numbers in float64 are exact up to 2**53.
        units = np.bincount(class_index, graph.columns.size_units, len(classes))
        return arrow().array(units.astype(np.int64))

    def retained() -> Any:
        totals = group_totals(graph, [[str(row)] for row in range(len(classes))])
        return arrow().array([totals.get(str(row), (0, 0, 0))[2] for row in range(len(classes))])

    def super_names() -> list[str | None]:
        found = (classes.with_id(c.super_id) if c.super_id else None for c in classes)
        return [None if c is None else c.name for c in found]

    def array(values: list[Any], sql_type: str) -> Any:
        return arrow().array(values, arrow_type(sql_type))

    return SqlTable(
        (
            SqlColumn("class_name", "VARCHAR", lambda: array(arrays.class_names, "VARCHAR")),
            SqlColumn("super_name", "VARCHAR", lambda: array(super_names(), "VARCHAR")),
            SqlColumn("address", "UBIGINT", lambda: array([c.class_id or None for c in classes], "UBIGINT")),
            SqlColumn("loader", "UBIGINT", lambda: array([c.loader_id or None for c in classes], "UBIGINT")),
            SqlColumn("instance_count", "BIGINT", counts),
            SqlColumn("shallow_bytes", "BIGINT", shallow, graph.columns.unit_bytes),
            SqlColumn("retained_bytes", "BIGINT", retained),
        ),
        "class_name",
    )


def _gc_roots(arrays: HeapArrow) -> SqlTable:
    graph = arrays.graph
    roots = graph.columns.roots
    kinds = sorted(ROOT_KIND_NAMES)

    def classes() -> Any:
        at = graph.roots.object_index
        codes = np.where(at >= 0, graph.columns.class_index[np.maximum(at, 0)], len(arrays.class_names))
        return dictionary(codes.astype(np.int32), [*arrays.class_names, ""])

    def kind() -> Any:
        codes = np.searchsorted(kinds, roots.kinds).astype(np.int8)
        return dictionary(codes, [ROOT_KIND_NAMES[tag] for tag in kinds])

    def frames() -> Any:
        frames = roots.frame_numbers.astype(np.int32)
        return with_nulls(frames, frames < 0)

    def serials() -> Any:
        return with_nulls(roots.thread_serials.astype(np.int64), roots.thread_serials == 0)

    return SqlTable(
        (
            SqlColumn("kind", "VARCHAR", kind),
            SqlColumn("address", "UBIGINT", lambda: arrow().array(roots.object_ids)),
            SqlColumn("class_name", "VARCHAR", classes),
            SqlColumn("thread_serial", "BIGINT", serials),
            SqlColumn("frame_number", "INTEGER", frames),
        ),
        "address",
    )


def _loaders(arrays: HeapArrow) -> SqlTable:
    graph = arrays.graph

    def rows() -> list[tuple[Any, ...]]:
        ids = [java_class.loader_id for java_class in graph.classes]
        totals = group_totals(graph, [[str(loader_id)] for loader_id in ids])
        names = loader_names(graph, ids)
        found: list[tuple[Any, ...]] = []
        for loader_id in sorted(set(ids)):
            index = graph.index_of(loader_id) if loader_id else -1
            of_class = arrays.class_names[int(graph.columns.class_index[index])] if index >= 0 else None
            objects, shallow, retained = totals.get(str(loader_id), (0, 0, 0))
            found.append(
                (
                    loader_id or None,
                    names[loader_id],
                    of_class,
                    ids.count(loader_id),
                    objects,
                    shallow,
                    retained,
                )
            )
        return found

    return small_table(TABLES["loaders"], rows)
