"""A set of objects as a table of addresses, sizes and field values, and conditions written as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from typing import Any

import numpy as np

from heapscope.errors import HeapscopeError
from heapscope.heap.object_set import JavaObject, ObjectSet
from heapscope.heap.objects.field_paths import read_path, split_path
from heapscope.heap.objects.fields import class_fields
from heapscope.heap.objects.secret_texts import secret_texts
from heapscope.heap.objects.values import Decoder
from heapscope.parser.tags import BasicType
from heapscope.table import Table

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


def object_table(
    objects: ObjectSet,
    paths: Sequence[str],
    *,
    by: str = "retained_bytes",
    limit: int | None = None,
    show_secrets: bool = False,
) -> Table:
    """A row for each object: ``address, shallow_bytes, retained_bytes``, the paths, ``class_name``.

    Parameters
    ----------
    objects : ObjectSet
    paths : sequence of str
        Numbers and booleans stay what they are; strings, boxed values and enums are texts; other objects
        read ``java.util.HashMap 0x7f00``; None is null.
    by : str
        The order: ``"retained_bytes"`` or ``"shallow_bytes"``, the largest first, or ``"address"``.
    limit : int, optional
        No more rows than these; the others are not even read.
    show_secrets : bool
        Whether texts that may be secret are shown as they are.

    Raises
    ------
    ObjectNotFound
        No object on the way has a field of that name.
    """
    graph = objects.graph
    columns = graph.columns
    units = graph.retained_units if by == "retained_bytes" else columns.size_units
    order = np.arange(len(objects))
    if by != "address":
        order = np.argsort(-units[objects.indices].astype(np.int64), kind="stable")
    picked = np.sort(order[:limit])
    objects = ObjectSet(graph, objects.indices[picked])
    rows = objects.indices
    retained = graph.retained_units[rows].astype(np.int64) * columns.unit_bytes
    names = [java_class.name for java_class in graph.classes]
    table = Table(
        {
            "address": [f"0x{each:x}" for each in objects.object_ids.tolist()],
            "shallow_bytes": columns.size_units[rows].astype(np.int64) * columns.unit_bytes,
            "retained_bytes": retained,
            **{path: _values(objects, path, show_secrets) for path in paths},
            "class_name": [names[index] for index in columns.class_index[rows].tolist()],
        }
    )
    return table.take(np.searchsorted(picked, order[:limit]).tolist())


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
