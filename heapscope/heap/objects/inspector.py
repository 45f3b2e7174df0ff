"""One object with everything about it: what Eclipse MAT's inspector shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, is_dataclass
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import ObjectNotFound
from heapscope.heap.objects.fields import class_chain, class_fields
from heapscope.heap.objects.java_collections import CollectionKind, contents
from heapscope.heap.objects.java_object import JavaObject, Value, object_or_none
from heapscope.parser.tags import ROOT_KIND_NAMES, BasicType, SubRecordTag

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.parser.records import JavaClass

ELEMENTS = 32  # shown where nobody asks for more or less
_MAX_TEXT_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Held:
    """A value, or an object that is referred to.

    Attributes
    ----------
    type : str
        ``"int"``, ``"Object"``, ...
    value : bool, int, float, str or None
        A number; of an object what `JavaObject.value` gives where that is a number or a text; None for
        null and for other objects.  Of a text the first 10,000 characters.
    object_id : int
        Of what is referred to, 0 for null and for a number.
    class_name : str
        Of what is referred to; empty for null, for a number, and where the dump has no such object.
    """

    type: str
    value: Value | str | None
    object_id: int = 0
    class_name: str = ""

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference, null or not."""
        return self.type == BasicType.OBJECT.java_name


@dataclass(frozen=True, slots=True)
class InspectedField:
    """A field of an object, or a static one of a class."""

    name: str
    declared_in: str
    held: Held


@dataclass(frozen=True, slots=True)
class Item:
    """An element of an array or of a collection.

    Attributes
    ----------
    key : Held or None
        Of an entry of a map.
    """

    position: int
    key: Held | None
    held: Held


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything about one object.

    Attributes
    ----------
    retained_bytes : int
        0 for what nothing retains: weakly reachable and unreachable objects.
    reachability : str
        ``"strong"``, ``"soft"``, ``"weak"`` or ``"unreachable"``.
    roots : dict
        Root records of each kind that name the object.
    loader : Held
        Defining loader; the null reference is the boot loader.  Of a class object that of the class
        it stands for, as are ``superclasses`` and ``statics``.
    represents : str
        Class that a class object stands for; empty for another object.
    superclasses : tuple of str
        Nearest first.
    text : str or None
        Of a string, a char[], a byte[]; of a boxed value, an enum or a class what it stands for.
    text_length : int
        Characters of the whole text; ``text`` has the first 10,000.
    shape : str
        ``"array"``, ``"list"``, ``"set"``, ``"map"``; empty where it is none of them.
    item_count : int or None
        Length of an array; of a collection what its own field ``size`` claims, None without one.
    items : tuple of Item
        The first ones.
    """

    object_id: int
    class_name: str
    shallow_bytes: int
    retained_bytes: int
    reachability: str
    roots: dict[str, int]
    loader: Held
    represents: str
    superclasses: tuple[str, ...]
    fields: tuple[InspectedField, ...]
    statics: tuple[InspectedField, ...]
    text: str | None
    text_length: int
    shape: str
    item_count: int | None
    items: tuple[Item, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain: dict[str, Any] = _plain(self)
        return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no word for it
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def find_object(graph: HeapGraph, address: int) -> JavaObject:
    """The object at an address.

    Raises
    ------
    ObjectNotFound
        There is none; the message names the nearest below and above.
    """
    row = graph.index_of(address)
    if row >= 0:
        return JavaObject(graph, row)
    ids = graph.columns.addresses.expanded()
    above = int(np.searchsorted(ids, np.uint64(address))) if 0 <= address < 2**64 else ids.size
    near = []
    for place, side in ((above - 1, "below"), (above, "above")):
        if 0 <= place < ids.size:
            found = JavaObject(graph, place)
            at, size = found.object_id, found.shallow_bytes
            away = abs(at - address)
            unit = "byte" if away == 1 else "bytes"
            near.append(f"0x{at:x} {found.class_name} ({size:,} bytes) is {away:,} {unit} {side}")
    raise ObjectNotFound(f"0x{address:x}", f"{graph.path}; {', '.join(near) or 'it has no objects'}")


def inspect(subject: JavaObject, limit: int = ELEMENTS) -> Inspection:
    """See `JavaObject.describe`."""
    graph = subject.graph
    represented = subject.represented_class
    described = represented or subject.java_class
    chain = class_chain(graph, described)
    text, length = _text(subject)
    shape, count, items = _items(subject, limit)
    return Inspection(
        object_id=subject.object_id,
        class_name=subject.class_name,
        shallow_bytes=subject.shallow_bytes,
        retained_bytes=graph.dominators.retained_bytes_of(subject.index),
        reachability=_category(graph, subject.index),
        roots=_roots(graph, subject.index),
        loader=_reference(graph, described.loader_id),
        represents="" if represented is None else represented.name,
        superclasses=tuple(each.name for each in chain[1:]),
        fields=_fields(subject),
        statics=() if represented is None else _statics(graph, represented),
        text=text,
        text_length=length,
        shape=shape,
        item_count=count,
        items=items,
    )


def field_at(subject: JavaObject, path: str) -> Held | None:
    """What a field at the end of a path holds (``"ugi.user.fullName"``); None where the way breaks.

    Parameters
    ----------
    path : str
        Names of fields, with points between them.
    """
    *steps, name = path.split(".")
    holder = subject.follow(*steps)
    if holder is None:
        return None
    place = class_fields(holder.graph, holder.class_index).by_name.get(name)
    value = holder.get(name)
    return None if place is None or value is None else _held(holder.graph, place.type, value)


def _category(graph: HeapGraph, row: int) -> str:
    from heapscope.heap.graph.reachability import CATEGORIES

    return CATEGORIES[int(graph.categories[row])]


def _roots(graph: HeapGraph, row: int) -> dict[str, int]:
    table = graph.roots
    kinds = table.kinds[table.object_index == row].tolist()
    return dict(Counter(ROOT_KIND_NAMES.get(kind, "unknown") for kind in kinds).most_common())


def _fields(subject: JavaObject) -> tuple[InspectedField, ...]:
    found = []
    values = subject.field_values()
    for place in class_fields(subject.graph, subject.class_index).places:
        value = values.get(place)
        if value is not None:
            held = _held(subject.graph, place.type, value)
            found.append(InspectedField(place.name, place.declared_in, held))
    return tuple(found)


def _statics(graph: HeapGraph, java_class: JavaClass) -> tuple[InspectedField, ...]:
    return tuple(
        InspectedField(static.name, java_class.name, _held(graph, static.type, static.value))
        for static in java_class.statics
    )


def _held(graph: HeapGraph, kind: BasicType, value: Value) -> Held:
    if kind == BasicType.OBJECT:
        return _reference(graph, int(value))
    if kind == BasicType.CHAR:
        return Held(kind.java_name, chr(int(value)))
    return Held(kind.java_name, value)


def _reference(graph: HeapGraph, object_id: int) -> Held:
    target = object_or_none(graph, object_id)
    if target is None:
        return Held(BasicType.OBJECT.java_name, None, object_id)
    value = None if target.element_count else target.value(depth=0)
    if isinstance(value, str):
        value = value[:_MAX_TEXT_CHARACTERS]
    is_plain = isinstance(value, (bool, int, float, str))
    return Held(BasicType.OBJECT.java_name, value if is_plain else None, object_id, target.class_name)


def _text(subject: JavaObject) -> tuple[str | None, int]:
    limit = _MAX_TEXT_CHARACTERS
    if subject.class_name in ("byte[]", "char[]") and subject.has_elements:
        raw = subject.elements(limit)
        encoding = "latin-1" if raw.dtype == np.int8 else "utf-16-le"
        data = raw.tobytes() if raw.dtype == np.int8 else raw.astype("<u2").tobytes()
        return data.decode(encoding, "replace"), subject.element_count
    if subject.element_count or subject.represented_class is not None:
        return None, 0
    value = subject.value(depth=0)
    if isinstance(value, (bool, int, float)):
        value = str(value).lower() if isinstance(value, bool) else str(value)
    return (value[:limit], len(value)) if isinstance(value, str) else (None, 0)


def _items(subject: JavaObject, limit: int) -> tuple[str, int | None, tuple[Item, ...]]:
    graph = subject.graph
    tag = subject.record_tag
    if tag in (SubRecordTag.PRIMITIVE_ARRAY_DUMP, SubRecordTag.PRIMITIVE_ARRAY_NODATA):
        kind = subject.class_name.removesuffix("[]")
        elements = subject.elements(limit)
        values = [chr(each) for each in elements.tolist()] if kind == "char" else elements.tolist()
        return (
            "array",
            subject.element_count,
            tuple(Item(place, None, Held(kind, value)) for place, value in enumerate(values)),
        )
    if tag == SubRecordTag.OBJECT_ARRAY_DUMP:
        ids = enumerate(subject.element_ids(limit).tolist())
        held = tuple(Item(place, None, _reference(graph, object_id)) for place, object_id in ids)
        return "array", subject.element_count, held
    inside = contents(subject)
    if inside is None:
        return "", None, ()
    is_map = inside.kind is CollectionKind.MAP
    items = tuple(
        Item(place, _reference(graph, first), _reference(graph, second))
        if is_map
        else Item(place, None, _reference(graph, first))
        for place, (first, second) in enumerate(islice(inside.items, max(limit, 0)))
    )
    count: int | None = len(items)
    if len(items) >= limit:
        # Counting a million entries would take seconds; a size that contradicts them is none.
        claimed = _claimed_size(subject)
        count = claimed if claimed is not None and claimed >= len(items) else None
    return inside.kind.value, count, items


def _claimed_size(collection: JavaObject) -> int | None:
    """What the field ``size`` of the collection inside says, or else that of the collection itself."""
    at = collection
    for _ in range(_MAX_WRAPPERS):
        inner = (found for name in _INSIDE if (found := at.follow(name)) is not None)
        found = next(inner, None)
        if found is None:
            break
        at = found
    if at.element_count:
        return at.element_count
    for place, value in at.field_values().items():
        if place.name in _SIZES and place.type in (BasicType.INT, BasicType.LONG):
            return int(value)
    return None


_MAX_WRAPPERS = 4
_INSIDE = ("map", "m", "c", "al", "q", "array")
_SIZES = ("size", "elementCount", "count", "baseCount")
