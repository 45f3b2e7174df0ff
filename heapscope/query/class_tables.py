"""A class as a table: its instances, with declared and inherited fields as typed columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import ObjectNotFound
from heapscope.extras import arrow
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.objects.fields import FieldColumn, class_fields, read_field
from heapscope.heap.objects.secret_texts import secret_texts
from heapscope.heap.objects.values import read_strings
from heapscope.parser.tags import BasicType
from heapscope.query.columns import SqlColumn, SqlTable, with_nulls
from heapscope.query.heap_tables import HeapArrow
from heapscope.query.texts import storable, texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN = ("snapshot", "address", "class_name", "shallow_bytes", "retained_bytes", "array_length")
_TYPES = {
    BasicType.BOOLEAN: "BOOLEAN",
    BasicType.BYTE: "TINYINT",
    BasicType.CHAR: "VARCHAR",
    BasicType.DOUBLE: "DOUBLE",
    BasicType.FLOAT: "FLOAT",
    BasicType.INT: "INTEGER",
    BasicType.LONG: "BIGINT",
    BasicType.OBJECT: "UBIGINT",
    BasicType.SHORT: "SMALLINT",
}
_WHOLE = frozenset({"BIGINT", "INTEGER", "SMALLINT", "TINYINT"})
_DTYPES = {"BIGINT": "i8", "DOUBLE": "f8", "FLOAT": "f4", "INTEGER": "i4", "SMALLINT": "i2", "TINYINT": "i1"}
# Objects that are looked at to tell whether a field holds strings.
_SAMPLE = 20_000


@dataclass(frozen=True)
class ClassField:
    """A field of the classes of a table; ``declared_in`` is empty where no subclass hides it."""

    column: str
    name: str
    declared_in: str
    type: str


def class_table(arrays: Sequence[HeapArrow], name: str) -> list[SqlTable]:
    """The table of a class over several heaps, for each heap its part, with the same columns.

    Parameters
    ----------
    arrays : sequence of HeapArrow
    name : str
        A class name, a simple name or a glob; with ``+`` at the end subclasses as well.

    Raises
    ------
    ObjectNotFound
        No heap has such a class; the message names the nearest.
    """
    pattern = name.removesuffix("+")
    picked = [_classes_named(each, pattern, subclasses=name.endswith("+")) for each in arrays]
    if not any(picked):
        known = {class_name for each in arrays for class_name in each.class_names}
        raise ObjectNotFound(pattern, "these heaps" if len(arrays) > 1 else str(arrays[0].graph.path), known)
    fields = _fields(arrays, picked)
    return [_table(each, rows, fields) for each, rows in zip(arrays, picked, strict=True)]


def _classes_named(arrays: HeapArrow, pattern: str, *, subclasses: bool) -> list[int]:
    names = set(arrays.class_names)
    found = set(matching_classes(pattern, names, arrays.graph.superclasses, subclasses=subclasses))
    return [index for index, name in enumerate(arrays.class_names) if name in found]


def _fields(arrays: Sequence[HeapArrow], picked: Sequence[Sequence[int]]) -> list[ClassField]:
    """Columns of the fields, those of superclasses behind the class's own."""
    kinds: dict[tuple[str, str], set[BasicType]] = {}
    for each, indices in zip(arrays, picked, strict=True):
        for index in indices:
            fields = class_fields(each.graph, index)
            for place in fields.places:
                is_hidden = fields.by_name[place.name] is not place
                key = place.name, place.declared_in if is_hidden else ""
                kinds.setdefault(key, set()).add(place.type)
    found = []
    # DuckDB tells names apart by more than upper and lower case.
    taken = set(OWN)
    for (name, declared_in), types in kinds.items():
        column = name if not declared_in else f"{declared_in.rpartition('.')[2]}.{name}"
        if column.lower() in OWN:
            column += "_field"
        plain, number = column, 2
        while column.lower() in taken:
            column, number = f"{plain}_{number}", number + 1
        taken.add(column.lower())
        found.append(
            ClassField(column, name, declared_in, _type_of(arrays, picked, name, declared_in, types))
        )
    return found


def _type_of(
    arrays: Sequence[HeapArrow],
    picked: Sequence[Sequence[int]],
    name: str,
    declared_in: str,
    types: set[BasicType],
) -> str:
    """SQL type of a field: of references text where it holds strings, else an address."""
    names = {_TYPES[kind] for kind in types}
    if len(names) > 1:
        return "BIGINT" if names <= _WHOLE else "VARCHAR"
    (only,) = names
    if only != "UBIGINT":
        return only
    for each, indices in zip(arrays, picked, strict=True):
        if indices and _holds_strings(each, list(indices), name, declared_in):
            return "VARCHAR"
    return only


def _holds_strings(arrays: HeapArrow, indices: list[int], name: str, declared_in: str) -> bool:
    """Whether what a field refers to are strings, as far as a sample tells; else it is all addresses."""
    graph = arrays.graph
    rows = arrays.rows_of(indices)
    rows = rows[:: max(rows.size // _SAMPLE, 1)]
    column = read_field(graph, rows, name, is_optional=True, declared_in=declared_in or None)
    held = graph.indices_of(column.references())
    held = held[held >= 0]
    if not held.size:
        return False
    return bool(arrays.are_strings(held).all())


def _table(arrays: HeapArrow, indices: list[int], fields: Sequence[ClassField]) -> SqlTable:
    kept: list[NDArray[np.int64]] = []

    def rows() -> NDArray[np.int64]:
        if not kept:
            kept.append(arrays.rows_of(indices) if indices else np.empty(0, np.int64))
        return kept[0]

    graph = arrays.graph
    unit = graph.columns.unit_bytes
    own = [
        SqlColumn("address", "UBIGINT", lambda: arrays.addresses(rows())),
        SqlColumn("class_name", "VARCHAR", lambda: arrays.classes(rows())),
        SqlColumn("shallow_bytes", "BIGINT", lambda: arrays.shallow(rows()), unit),
        SqlColumn("retained_bytes", "BIGINT", lambda: arrays.retained(rows()), unit),
    ]
    if all(arrays.class_names[index].endswith("[]") for index in indices) and indices:
        own.append(SqlColumn("array_length", "INTEGER", lambda: arrow().array(arrays.lengths_of(rows()))))
    own += [_field_column(arrays, rows, field) for field in fields]
    return SqlTable(tuple(own), "shallow_bytes")


def _field_column(arrays: HeapArrow, rows: Any, field: ClassField) -> SqlColumn:
    def make() -> Any:
        column = read_field(
            arrays.graph, rows(), field.name, is_optional=True, declared_in=field.declared_in or None
        )
        return field_array(arrays, column, field.type, field.name)

    return SqlColumn(field.column, field.type, make)


def field_array(arrays: HeapArrow, column: FieldColumn, sql_type: str, name: str) -> Any:
    """A field of many objects as an Arrow array of an SQL type.

    Parameters
    ----------
    arrays : HeapArrow
    column : FieldColumn
    sql_type : str
        ``UBIGINT`` for references, which are null where they are so in Java; ``VARCHAR`` for texts,
        in which other objects than strings read ``0x7f00``.
    name : str
        Of the field: what is called after a secret is masked.
    """
    if sql_type == "UBIGINT":
        return with_nulls(column.references(), column.references() == 0)
    if sql_type == "BOOLEAN":
        return with_nulls(column.bits != 0, column.types == 0)
    if sql_type != "VARCHAR":
        values = np.zeros(column.bits.size, _DTYPES[sql_type])
        for code in np.unique(column.types[column.types != 0]).tolist():
            rows = column.types == code
            values[rows] = FieldColumn(column.types[rows], column.bits[rows]).primitives()
        return with_nulls(values, column.types == 0)
    return _texts(arrays, column, name)


def _texts(arrays: HeapArrow, column: FieldColumn, name: str) -> Any:
    graph, pa = arrays.graph, arrow()
    ids = column.references()
    rows = graph.indices_of(ids)
    holds_text = arrays.are_strings(rows)
    others = np.nonzero(
        ~holds_text & (column.types != 0) & ~((column.types == BasicType.OBJECT) & (ids == 0))
    )[0]
    if not others.size:
        return texts_of(graph, np.where(holds_text, rows, -1), show_secrets=arrays.show_secrets, name=name)
    texts = read_strings(graph, np.where(holds_text, rows, -1))
    if not arrays.show_secrets:
        texts = secret_texts(graph).mask(rows, texts, name)
    values = column.primitives()
    for place in others.tolist():
        is_address = column.types[place] == BasicType.OBJECT
        texts[place] = f"0x{int(ids[place]):x}" if is_address else str(values[place])
    return pa.array([storable(text) for text in texts], pa.string())
