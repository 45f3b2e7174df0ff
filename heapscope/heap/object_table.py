"""A set of objects as a table of addresses, sizes and field values, and conditions written as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heapscope.errors import HeapscopeError, ObjectNotFound
from heapscope.heap.object_set import JavaObject, ObjectSet
from heapscope.heap.objects.field_paths import read_path, split_path
from heapscope.heap.objects.fields import class_fields
from heapscope.heap.objects.secret_texts import secret_texts
from heapscope.heap.objects.values import Decoder
from heapscope.parser.tags import BasicType
from heapscope.table import Table

PIECE_ROWS = 1 << 16
_SIZES = ("retained_bytes", "shallow_bytes")
_OWN = ("address", *_SIZES, "class_name")
_CONDITION = re.compile(
    r"\s*(?P<path>[^=!<>~]+?)\s*(?P<sign>!=|<=|>=|=|<|>|~)\s*(?P<value>.*?)\s*", re.DOTALL
)
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def where(objects: ObjectSet, condition: str) -> ObjectSet:
    """The objects of a set for which a condition holds: ``"ugi.user.fullName=trainer"``.

    Parameters
    ----------
    objects : ObjectSet
    condition : str
        A path of fields, a sign (``= != < <= > >= ~``) and a value: a number, ``true``, ``false``, ``null``,
        an address ``0x7f00`` or a text, in quotes or not; behind ``~`` a glob.

    Raises
    ------
    HeapscopeError
        It is no condition.
    ObjectNotFound
        No object has such a field.
    """
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        raise HeapscopeError(
            f"{condition!r} is no condition; write a field, a sign of = != < <= > >= ~ and a value: "
            "'user.name=trainer'"
        )
    path, sign, value = parts["path"], parts["sign"], parts["value"]
    if value == "null" and sign in ("=", "!="):
        empty = objects.where(path, None)
        return empty if sign == "=" else objects - empty
    if sign == "!=":
        return objects - objects.where(path, _holds("=", value))
    return objects.where(path, _holds(sign, value))


def _holds(sign: str, value: str) -> Callable[[Any], bool]:
    text = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    if sign == "~":
        glob = re.compile(translate(text))
        return lambda each: glob.match(_text(each)) is not None
    compare = _SIGNS[sign]
    number = _number(value)

    def holds(each: Any) -> bool:
        if isinstance(each, JavaObject):
            return sign == "=" and number is not None and each.object_id == number
        if isinstance(each, (bool, np.bool_)):
            return compare(_text(each), text)
        if isinstance(each, (int, float, np.number)):
            return number is not None and compare(each, number)
        return compare(_text(each), text)

    return holds


def _number(value: str) -> float | int | None:
    try:
        return int(value, 0)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, JavaObject):
        return f"{value.class_name} 0x{value.object_id:x}"
    return str(value)


def field_names(objects: ObjectSet) -> list[str]:
    """Fields that the classes of the objects have, each name once, a class's own first."""
    graph = objects.graph
    names: dict[str, None] = {}
    for index in np.unique(graph.columns.class_index[objects.indices]).tolist():
        names.update(dict.fromkeys(class_fields(graph, index).by_name))
    return list(names)


def column_of(path: str) -> str:
    """What the column of a path is called: ``address_field`` of a field ``address``, as in SQL."""
    return f"{path}_field" if path in _OWN else path


def _path_of(column: str) -> str:
    path = column.removesuffix("_field")
    return path if column_of(path) == column else column


def object_order(
    objects: ObjectSet, by: str = "retained_bytes", *, show_secrets: bool = False
) -> NDArray[np.int64]:
    """Places of the objects in the order of a column, int64, shape (k,).

    Parameters
    ----------
    objects : ObjectSet
    by : str
        ``"retained_bytes"`` or ``"shallow_bytes"``, the largest first; ``"address"``; ``"class_name"``; or a
        column of a path of fields, figures first and the largest first, then texts, null last. What is equal
        there is in the order of retained size.
    show_secrets : bool
        Whether texts that may be secret are ordered as they are.

    Raises
    ------
    ObjectNotFound
        No object on the way has a field of that name.
    """
    graph = objects.graph
    if by == "address":
        return np.arange(len(objects))
    units = graph.columns.size_units if by == "shallow_bytes" else graph.retained_units
    order = np.argsort(-units[objects.indices].astype(np.int64), kind="stable")
    if by in _SIZES:
        return order
    if by == "class_name":
        places = {name: place for place, name in enumerate(sorted({each.name for each in graph.classes}))}
        ranks = np.array([places[each.name] for each in graph.classes], np.int64)
        of_class = graph.columns.class_index[objects.indices[order]]
        return order[np.argsort(ranks[of_class], kind="stable")]
    values: list[Any] = []
    path, known = _path_of(by), set[str]()
    for start in range(0, len(objects), PIECE_ROWS):
        values += _column(objects, objects[start : start + PIECE_ROWS], path, show_secrets, known)
    return np.array(sorted(order.tolist(), key=lambda place: _rank(values[place])), np.int64)


def _rank(value: object) -> tuple[int, float, str]:
    if value is None:
        return 2, 0, ""
    return (0, -value, "") if isinstance(value, (int, float)) else (1, 0, str(value))


def object_tables(
    objects: ObjectSet, paths: Sequence[str], order: NDArray[np.int64], *, show_secrets: bool = False
) -> Iterator[Table]:
    """A row for each object: ``address, shallow_bytes, retained_bytes``, the paths, ``class_name``.

    The rows come `PIECE_ROWS` at a time, one table at least: of millions of objects no more are held.  A
    path's column is named by `column_of`.

    Parameters
    ----------
    objects : ObjectSet
    paths : sequence of str
        Numbers and booleans stay what they are; strings, boxed values and enums are texts; other objects
        read ``java.util.HashMap 0x7f00``; None is null.
    order : int64 array
        Places in the set, as `object_order` gives them; objects that it leaves out are not even read.
    show_secrets : bool
        Whether texts that may be secret are shown as they are.

    Raises
    ------
    ObjectNotFound
        No object on the way has a field of that name.
    """
    known: set[str] = set()
    for start in range(0, max(order.size, 1), PIECE_ROWS):
        yield _table(objects, paths, order[start : start + PIECE_ROWS], show_secrets, known)


def _table(
    objects: ObjectSet, paths: Sequence[str], order: NDArray[np.int64], show_secrets: bool, known: set[str]
) -> Table:
    graph, columns = objects.graph, objects.graph.columns
    picked = np.sort(order)  # read in the order of the file
    few = ObjectSet(graph, objects.indices[picked])
    rows = few.indices
    retained = graph.retained_units[rows].astype(np.int64) * columns.unit_bytes
    names = [java_class.name for java_class in graph.classes]
    table = Table(
        {
            "address": [f"0x{each:x}" for each in few.object_ids.tolist()],
            "shallow_bytes": columns.size_units[rows].astype(np.int64) * columns.unit_bytes,
            "retained_bytes": retained,
            **{column_of(path): _column(objects, few, path, show_secrets, known) for path in paths},
            "class_name": [names[index] for index in columns.class_index[rows].tolist()],
        }
    )
    return table.take(np.searchsorted(picked, order).tolist())


def _column(objects: ObjectSet, few: ObjectSet, path: str, show_secrets: bool, known: set[str]) -> list[Any]:
    """What is at the end of a path from a few of some objects; null where only others have such a field.

    ``known`` keeps the paths that others have: all objects are looked at once, not for each few.
    """
    try:
        return _values(few, path, show_secrets)
    except ObjectNotFound:
        if path not in known:
            read_path(objects.graph, objects.indices, path)  # raises where none of them has it
            known.add(path)
        return [None] * len(few)


def _values(objects: ObjectSet, path: str, show_secrets: bool) -> list[Any]:
    graph = objects.graph
    column = read_path(graph, objects.indices, path)
    values: list[Any] = column.primitives().tolist()
    places = np.nonzero(column.types == BasicType.OBJECT)[0]
    decoded = Decoder(graph).values(column.bits[places], 0)
    targets = graph.indices_of(column.bits[places])
    for place, value in zip(places.tolist(), decoded, strict=True):
        values[place] = value if value is None or isinstance(value, (bool, int, float)) else _shown(value)
    if not show_secrets:
        texts = [values[place] if isinstance(values[place], str) else None for place in places.tolist()]
        is_object = [isinstance(value, JavaObject) for value in decoded]
        masked = secret_texts(graph).mask(targets, texts, split_path(path)[-1].strip("[]'\""))
        for place, text, keep in zip(places.tolist(), masked, is_object, strict=True):
            if text is not None and not keep:
                values[place] = text
    return values


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"[{value.size:,}]"
    if isinstance(value, bytes):
        return f"[{len(value):,}]"
    return _text(value)
