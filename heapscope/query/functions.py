"""Functions of queries over one object or a list of objects, by address.

============================== =======================================================================
``class_of(address)``          class name
``text(address)``              text of a string, a boxed value, an enum, a class, a char[]; else null
``field(address, 'a.b.c')``    what fields lead to, as text; another object reads ``0x7f00``
``path_to_root(address)``      a shortest path from a GC root, a line for each object
``retained(address)``          retained size in bytes
``retained_set(list)``         addresses of all that would go if these objects went, exactly
``retained_set_bytes(list)``   their shallow size together: the retained size of the set
``dominates(a, b)``            whether every path from the GC roots to ``b`` goes through ``a``
============================== =======================================================================

Over several snapshots each takes the name of a snapshot behind its other arguments: an address means
another object in another dump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import HeapscopeError
from heapscope.extras import arrow
from heapscope.heap.graph.reachability import indices_in, size_of
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.objects.field_paths import follow_path, read_step, split_path
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.objects.secret_texts import secret_texts
from heapscope.heap.objects.values import read_strings
from heapscope.heap.retention.paths import shortest_path
from heapscope.query.class_tables import field_array
from heapscope.query.heap_tables import HeapArrow
from heapscope.query.quoting import sql_text
from heapscope.query.texts import storable

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Name -> SQL types of the arguments, of the result.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "class_of": (("UBIGINT",), "VARCHAR"),
    "dominates": (("UBIGINT", "UBIGINT"), "BOOLEAN"),
    "field": (("UBIGINT", "VARCHAR"), "VARCHAR"),
    "path_to_root": (("UBIGINT",), "VARCHAR[]"),
    "retained": (("UBIGINT",), "BIGINT"),
    "retained_set": (("UBIGINT[]",), "UBIGINT[]"),
    "retained_set_bytes": (("UBIGINT[]",), "BIGINT"),
    "text": (("UBIGINT",), "VARCHAR"),
}
_PARAMETERS = {"dominates": ("a", "b"), "field": ("address", "path")}


class HeapFunctions:
    """The functions of queries over one heap; each takes and gives Arrow arrays."""

    def __init__(self, arrays: HeapArrow) -> None:
        self._arrays = arrays
        self._graph = arrays.graph

    def class_of(self, addresses: Any) -> Any:
        """Class name of each address."""
        rows = self._rows(addresses)
        names = np.array([*self._arrays.class_names, None], object)
        codes = np.full(rows.size, -1, np.int64)
        codes[rows >= 0] = self._graph.columns.class_index[rows[rows >= 0]]
        return arrow().array(names[codes], arrow().string())

    def text(self, addresses: Any) -> Any:
        """Text of each address."""
        return arrow().array(self._texts(self._rows(addresses)), arrow().string())

    def field(self, addresses: Any, paths: Any) -> Any:
        """What fields lead to, as text."""
        rows = self._rows(addresses)
        wanted = np.array(paths.to_pylist(), object)
        found = np.full(rows.size, None, object)
        for path in {each for each in wanted.tolist() if each}:
            places = np.nonzero((wanted == path) & (rows >= 0))[0]
            *way, last = split_path(path)
            at = follow_path(self._graph, rows[places], way)
            column = read_step(self._graph, at, last)
            targets = self._graph.indices_of(column.references())
            texts = np.array(field_array(self._arrays, column, "VARCHAR", last).to_pylist(), object)
            # Boxed values and enums read as what they stand for.
            boxed = np.nonzero(targets >= 0)[0]
            spoken = self._texts(targets[boxed], last)
            for place, text in zip(boxed.tolist(), spoken, strict=True):
                if text is not None:
                    texts[place] = text
            found[places] = texts
        return arrow().array(found.tolist(), arrow().string())

    def path_to_root(self, addresses: Any) -> Any:
        """A shortest path from a GC root to each address."""
        found: list[list[str] | None] = []
        for row in self._rows(addresses).tolist():
            path = shortest_path(self._graph, row) if row >= 0 else None
            found.append(None if path is None else [str(storable(line)) for line in path.lines()])
        return arrow().array(found, arrow().list_(arrow().string()))

    def retained(self, addresses: Any) -> Any:
        """Retained size of each address."""
        rows = self._rows(addresses)
        units = self._graph.retained_units[np.maximum(rows, 0)].astype(np.int64)
        units[self._graph.immediate_dominators[np.maximum(rows, 0)] == NO_OBJECT] = 0
        return arrow().array(units * self._graph.columns.unit_bytes, mask=rows < 0)

    def retained_set(self, lists: Any) -> Any:
        """Addresses of the retained set of each list."""
        ids = self._graph.columns.addresses.ids_of
        found = [None if bits is None else ids(indices_in(bits)).tolist() for bits in self._sets(lists)]
        return arrow().array(found, arrow().list_(arrow().uint64()))

    def retained_set_bytes(self, lists: Any) -> Any:
        """Retained size of each list."""
        columns = self._graph.columns
        found = [
            None if bits is None else size_of(bits, columns.size_units)[1] * columns.unit_bytes
            for bits in self._sets(lists)
        ]
        return arrow().array(found, arrow().int64())

    def dominates(self, above: Any, below: Any) -> Any:
        """Whether each object is on every path to another one."""
        first, at = self._rows(above), self._rows(below)
        is_null = (first < 0) | (at < 0)
        found = (first == at) & ~is_null
        immediate = self._graph.immediate_dominators
        open_rows = np.nonzero(~is_null & ~found)[0]
        at = at.copy()
        while open_rows.size:
            up = immediate[at[open_rows]]
            found[open_rows] = up == first[open_rows]
            is_over = (up >= VIRTUAL_ROOT) | found[open_rows]
            at[open_rows] = np.where(up >= VIRTUAL_ROOT, 0, up)
            open_rows = open_rows[~is_over]
        return arrow().array(found, mask=is_null)

    def _sets(self, lists: Any) -> list[NDArray[np.uint64] | None]:
        found: list[NDArray[np.uint64] | None] = []
        for each in lists.to_pylist():
            ids = np.array([one for one in each or () if one is not None], np.uint64)
            rows = np.unique(self._graph.indices_of(ids))
            found.append(None if each is None else self._graph.retained_set(rows[rows >= 0]))
        return found

    def _rows(self, addresses: Any) -> NDArray[np.int64]:
        """Object index of each address, -1 where there is none."""
        values = addresses.fill_null(0) if addresses.null_count else addresses
        return self._graph.indices_of(np.asarray(values.to_numpy(zero_copy_only=False), np.uint64))

    def _texts(self, rows: NDArray[np.int64], name: str = "") -> list[str | None]:
        """What objects stand for, None for what stands for nothing."""
        graph = self._graph
        strings = self._arrays.are_strings(rows)
        texts = read_strings(graph, np.where(strings, rows, -1))
        others: dict[int, str | None] = {}
        for place in np.nonzero(~strings & (rows >= 0))[0].tolist():
            row = int(rows[place])
            if row not in others:
                value = JavaObject(graph, row).value(0)
                is_plain = isinstance(value, (str, bool, int, float))
                others[row] = _java_text(value) if is_plain else None
            texts[place] = others[row]
        if not self._arrays.show_secrets:
            texts = secret_texts(graph).mask(rows, texts, name)
        return [storable(text) for text in texts]


def _java_text(value: str | bool | int | float) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def add_functions(connection: Any, heaps: Sequence[HeapArrow | None], names: Sequence[str]) -> None:
    """Make the functions known to a connection.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    heaps : sequence of HeapArrow or None
        None for a snapshot without objects, a class histogram.
    names : sequence of str
        Name of each snapshot.
    """
    functions = [None if each is None else HeapFunctions(each) for each in heaps]
    numbers = " ".join(f"WHEN {sql_text(name)} THEN {place}" for place, name in enumerate(names))
    for name, (types, result) in FUNCTIONS.items():
        connection.create_function(
            f"_{name}", _over_snapshots(functions, name), [*types, "INTEGER"], result, type="arrow",
            null_handling="special",
        )  # fmt: skip
        parameters = list(_PARAMETERS.get(name, ("addresses" if types[0] == "UBIGINT[]" else "address",)))
        given = ", ".join(f"CAST({each} AS {kind})" for each, kind in zip(parameters, types, strict=True))
        arguments = ", ".join(parameters)
        only = "0" if len(names) == 1 else "-1"
        number = f"CAST(CASE snapshot {numbers} ELSE -2 END AS INTEGER)"
        connection.execute(
            f"CREATE MACRO {name}({arguments}) AS _{name}({given}, CAST({only} AS INTEGER)), "
            f"({arguments}, snapshot) AS _{name}({given}, {number})"
        )


def _over_snapshots(functions: Sequence[HeapFunctions | None], name: str) -> Callable[..., Any]:
    """A function whose last argument tells which heap each row is of."""

    def call(*arguments: Any) -> Any:
        pa = arrow()
        *values, numbers = (
            each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in arguments
        )
        which = np.asarray(numbers.fill_null(-2).to_numpy(zero_copy_only=False), np.int64)
        distinct = np.unique(which).tolist()
        parts, places = [], []
        for number in distinct:
            rows = np.nonzero(which == number)[0]
            mine = values if len(distinct) == 1 else [each.take(pa.array(rows)) for each in values]
            parts.append(_called(functions, number, name, mine))
            places.append(rows)
        if len(parts) == 1:
            return parts[0]
        return pa.concat_arrays(parts).take(pa.array(np.argsort(np.concatenate(places), kind="stable")))

    if len(FUNCTIONS[name][0]) == 1:  # the engine reads the number of arguments from the signature
        return lambda first, number: call(first, number)
    return lambda first, second, number: call(first, second, number)


def _called(functions: Sequence[HeapFunctions | None], number: int, name: str, values: list[Any]) -> Any:
    if number == -1:
        raise HeapscopeError(
            f"{name}() is asked of several snapshots, and an address means another object in each; "
            f"name the snapshot as its last argument: {name}(..., snapshot)"
        )
    if number < 0:
        raise HeapscopeError(f"{name}() names a snapshot that there is not; SELECT snapshot FROM snapshots")
    heap = functions[number]
    if heap is None:
        raise HeapscopeError(f"{name}() needs a heap dump; a class histogram has no objects")
    return getattr(heap, name)(*values)
