"""Java objects as Python values: strings, boxed values, enums, arrays, collections.

What has no Python form stays a `JavaObject`.  One `Decoder` decodes whatever one question asks
for: each object once, and not more in all than a heap of this size can honestly hold, so
that a hostile one, where everything contains everything, ends as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.objects import kernels
from heapscope.heap.objects.fields import class_chain, read_field
from heapscope.heap.objects.java_collections import CollectionKind, contents, is_collection
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.parser.tags import BasicType, SubRecordTag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

DEPTH = 8  # of collections inside collections that are decoded
_MAX_DEPTH = 64
# Elements that one question may decode: these, and as many for each object of the heap.
_FREE_ELEMENTS = 1_000_000
_ELEMENTS_PER_OBJECT = 4
# Below this many objects one after the other is faster than numpy.
_FEW = 16

_NUMBERS = {
    f"java.{name}"
    for name in (
        *("lang.Byte", "lang.Double", "lang.Float", "lang.Integer", "lang.Long", "lang.Short"),
        *("util.concurrent.atomic.AtomicInteger", "util.concurrent.atomic.AtomicLong"),
    )
}
_KINDS = {
    "java.lang.String": "string",
    "java.lang.Class": "class",
    "java.lang.Enum": "enum",
    "java.lang.Character": "character",
    "java.lang.Boolean": "boolean",
    "java.util.concurrent.atomic.AtomicBoolean": "boolean",  # an int inside
    "java.util.Optional": "optional",
    "java.util.OptionalDouble": "optional number",
    "java.util.OptionalInt": "optional number",
    "java.util.OptionalLong": "optional number",
    **dict.fromkeys(_NUMBERS, "number"),
}
_BOXED = frozenset({"boolean", "character", "number", "optional number"})
_PRIMITIVES = frozenset(kind.java_name for kind in BasicType if kind is not BasicType.OBJECT)


def decode(java_object: JavaObject, depth: int = DEPTH) -> Any:
    """See `JavaObject.value`."""
    return Decoder(java_object.graph).value(java_object, depth)


def read_strings(graph: HeapGraph, rows: NDArray[np.int64]) -> list[str | None]:
    """Texts of many ``java.lang.String``; see `JavaObject.text`.

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices; -1, and an object that is no string with an array, give None.
    """
    columns, buffer, width = graph.columns, graph.buffer, graph.identifier_bytes
    arrays = graph.indices_of(read_field(graph, rows, "value", is_optional=True).references())
    coder, first, count = (
        read_field(graph, rows, name, is_optional=True) for name in ("coder", "offset", "count")
    )
    offsets = np.full(rows.size, -1, np.int64)
    offsets[arrays >= 0] = columns.offsets[arrays[arrays >= 0]]
    found: list[str | None] = []
    view = buffer.data
    for offset, is_utf16, start, length, has_count in zip(
        offsets.tolist(), coder.bits.tolist(), first.bits.tolist(), count.bits.tolist(), count.types.tolist(),
        strict=True,
    ):  # fmt: skip
        if offset < 0 or view[offset] != SubRecordTag.PRIMITIVE_ARRAY_DUMP:
            found.append(None)
            continue
        head = offset + 1 + width + 4
        total, code = int.from_bytes(view[head : head + 4], "big"), view[head + 4]
        head += 5
        if code == BasicType.CHAR:
            if not has_count or start + length > total:
                start, length = 0, total
            found.append(
                bytes(view[head + 2 * start : head + 2 * (start + length)]).decode("utf-16-be", "replace")
            )
        elif code == BasicType.BYTE:
            raw = bytes(view[head : head + total])
            found.append(raw.decode("utf-16-le", "replace") if is_utf16 else raw.decode("latin-1"))
        else:
            found.append(None)
    return found


def string_arrays(graph: HeapGraph, strings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Object index of the array of each string, int64; -1 where the dump has none."""
    return graph.indices_of(read_field(graph, strings, "value", is_optional=True).references())


def array_offsets(graph: HeapGraph, strings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where in the dump the record of each string's array begins, int64; -1 where it has none."""
    arrays = string_arrays(graph, strings)
    return np.where(arrays >= 0, graph.columns.offsets[np.maximum(arrays, 0)].astype(np.int64), -1)


def ascii_places(graph: HeapGraph, strings: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the characters of each string begin in the dump, and how many there are.

    Returns
    -------
    starts, lengths : int64 arrays, shape (k,)
        The length is -1 where a string is not ASCII, or has no array.
    """
    offsets = array_offsets(graph, strings)
    coder = read_field(graph, strings, "coder", is_optional=True)
    # Up to JDK 8 there is no coder, and the array has two bytes for each character.
    is_wide = ((coder.types == 0) | (coder.bits != 0)).astype(np.uint8)
    lengths = np.empty(strings.size, np.int64)
    kernels.ascii_lengths(graph.buffer, offsets, is_wide, graph.identifier_bytes, lengths)
    return offsets + (1 + graph.identifier_bytes + 9), lengths


def have_words(graph: HeapGraph, rows: NDArray[np.int64], words: Sequence[str]) -> NDArray[np.bool_]:
    """Which of many strings may have one of some words, upper and lower case being one.

    What is said to have none has none; a text with characters beyond Latin-1 may.  Nothing is decoded.

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices; -1 for no object.
    words : sequence of str
        Of ASCII, in lower case.
    """
    offsets = array_offsets(graph, rows)
    is_wide = (read_field(graph, rows, "coder", is_optional=True).bits != 0).astype(np.uint8)
    firsts = np.zeros(256, np.uint8)
    firsts[[ord(case) for word in words for case in (word[0], word[0].upper())]] = 1
    found = np.zeros(rows.size, np.uint8)
    kernels.strings_with_words(
        graph.buffer, offsets, is_wide, graph.identifier_bytes,
        np.frombuffer("".join(words).encode("ascii"), np.uint8),
        np.array([0, *accumulate(map(len, words))], np.int64), firsts, found,
    )  # fmt: skip
    return found.astype(bool)


class Decoder:
    """Decodes objects of one heap; objects that share something share its Python value."""

    def __init__(self, graph: HeapGraph) -> None:
        self.graph = graph
        self._left = _FREE_ELEMENTS + _ELEMENTS_PER_OBJECT * graph.columns.class_index.size
        self._kinds: dict[int, str] = {}
        self._done: dict[tuple[int, int], Any] = {}
        self._open: set[int] = set()

    def value(self, java_object: JavaObject, depth: int = DEPTH) -> Any:
        """One object; see `JavaObject.value`."""
        kind = self._kind(java_object.class_index)
        if kind == "string":
            text = java_object.text()
            return java_object if text is None else text
        if kind in _BOXED:
            return _boxed(java_object, kind)
        if kind == "enum":
            name = java_object.follow("name")
            text = None if name is None else name.text()
            return java_object if text is None else text
        if kind == "class":
            return _class_name(java_object)
        if kind == "primitive array":
            return _array(java_object)
        if kind == "other" or depth <= 0:
            return java_object
        return self._container(java_object, kind, min(depth, _MAX_DEPTH))

    def values(self, object_ids: NDArray[np.uint64], depth: int = DEPTH) -> list[Any]:
        """Many objects, by identifier; None for null and for an identifier that leads nowhere."""
        if object_ids.size < _FEW:
            found = (object_or_none(self.graph, object_id) for object_id in object_ids.tolist())
            return [None if each is None else self.value(each, depth) for each in found]
        unique, places = np.unique(object_ids, return_inverse=True)
        rows = self.graph.indices_of(unique)
        values: list[Any] = [None] * unique.size
        there = np.nonzero(rows >= 0)[0]
        class_of = self.graph.columns.class_index[rows[there]]
        order = np.argsort(class_of, kind="stable")
        starts = np.nonzero(np.diff(class_of[order], prepend=-1))[0]
        for group in np.split(there[order], starts[1:]) if there.size else ():
            for place, value in zip(group.tolist(), self._of_one_class(rows[group], depth), strict=True):
                values[place] = value
        return [values[place] for place in places.tolist()]

    def _of_one_class(self, rows: NDArray[np.int64], depth: int) -> Iterator[Any]:
        graph, columns = self.graph, self.graph.columns
        kind = self._kind(int(columns.class_index[rows[0]]))
        objects = (JavaObject(graph, row) for row in rows.tolist())
        if kind == "number":
            column = read_field(graph, rows, "value", is_optional=True)
            if column.types.all():
                return iter(column.primitives().tolist())
        if kind not in ("string", "enum"):
            return (self.value(each, depth) for each in objects)
        strings = rows
        if kind == "enum":
            strings = graph.indices_of(read_field(graph, rows, "name", is_optional=True).references())
        texts = read_strings(graph, strings)
        return (each if text is None else text for each, text in zip(objects, texts, strict=True))

    def _kind(self, class_index: int) -> str:
        kind = self._kinds.get(class_index)
        if kind is None:
            kind = self._kinds[class_index] = _kind_of(self.graph, class_index)
        return kind

    def _container(self, java_object: JavaObject, kind: str, depth: int) -> Any:
        """An array of references, a collection or an Optional; itself where that cannot be."""
        row = java_object.index
        key = row, depth
        if key in self._done:
            return self._done[key]
        if row in self._open:  # it contains itself
            return java_object
        self._open.add(row)
        try:
            value = self._opened(java_object, kind, depth)
        finally:
            self._open.remove(row)
        self._done[key] = value
        return value

    def _opened(self, java_object: JavaObject, kind: str, depth: int) -> Any:
        if kind == "optional":
            inner = java_object.follow("value")
            return None if inner is None else self.value(inner, depth - 1)
        if kind == "array":
            ids = java_object.element_ids()
            self._left -= ids.size
            return java_object if self._left < 0 else self.values(ids, depth - 1)
        found = contents(java_object)
        if found is None:
            return java_object
        flat: list[int] = []
        for pair in found.items:
            self._left -= 1
            if self._left < 0:
                return java_object
            flat += pair
        decoded = np.array(flat, np.uint64)
        if found.kind is CollectionKind.LIST:
            return self.values(decoded[::2], depth - 1)
        keys = self._distinct(decoded[::2], depth - 1, must_hash=found.kind is CollectionKind.MAP)
        if found.kind is CollectionKind.SET:
            return keys if any(map(_is_unhashable, keys)) else set(keys)
        return dict(zip(keys, self.values(decoded[1::2], depth - 1), strict=True))

    def _distinct(self, object_ids: NDArray[np.uint64], depth: int, *, must_hash: bool) -> list[Any]:
        """Keys of a dict or elements of a set.

        Java's Integer 1, Long 1, Double 1.0 and true are four keys and Python's are one; so are two
        equal strings in an IdentityHashMap.  The first one is decoded, the others stay objects.
        """
        keys: list[Any] = []
        seen: set[Any] = set()
        for object_id, key in zip(object_ids.tolist(), self.values(object_ids, depth), strict=True):
            is_unhashable = _is_unhashable(key)
            if (is_unhashable and must_hash) or (not is_unhashable and key in seen):
                key, is_unhashable = object_or_none(self.graph, object_id), False
            if not is_unhashable:
                seen.add(key)
            keys.append(key)
        return keys


def _is_unhashable(value: object) -> bool:
    return isinstance(value, (dict, list, set, np.ndarray))


def _kind_of(graph: HeapGraph, class_index: int) -> str:
    java_class = graph.classes[class_index]
    if java_class.is_array:
        # "byte[]" is one of primitives, "byte[][]" one of references.
        return "primitive array" if java_class.name[:-2] in _PRIMITIVES else "array"
    names = (each.name for each in class_chain(graph, java_class))
    kind = next((_KINDS[name] for name in names if name in _KINDS), None)
    return kind or ("collection" if is_collection(graph, class_index) else "other")


def _boxed(java_object: JavaObject, kind: str) -> Any:
    value = java_object.get("value")
    if value is None:
        return java_object
    if kind == "optional number":
        return value if java_object.get("isPresent") else None
    if kind == "character":
        return chr(int(value)) if 0 <= value < 0x10000 else java_object
    return bool(value) if kind == "boolean" else value


def _class_name(java_object: JavaObject) -> Any:
    represented = java_object.represented_class
    if represented is not None:
        return represented.name
    # int.class and its like: HotSpot writes them as instances.
    name = java_object.follow("name")
    text = None if name is None else name.text()
    return java_object if text is None else text


def _array(java_object: JavaObject) -> Any:
    if not java_object.has_elements:
        return java_object
    elements = java_object.elements()
    if elements.dtype == np.int8:
        return elements.tobytes()
    if elements.dtype == np.uint16:
        return elements.astype("<u2").tobytes().decode("utf-16-le", "replace")
    return elements
