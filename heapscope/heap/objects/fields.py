"""Fields of objects, read for many objects at once.

A field lies at one place in all instances of a class: rows are grouped by class, and each
group's bytes are gathered from the mapped dump by numpy.  Nothing here loops over objects.

Format of an instance (`heapscope.parser.tags`): u1 0x21, id, u4, id class, u4 n, n bytes: the
class's own fields, then its superclass's, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.errors import ObjectNotFound
from heapscope.heap.objects import kernels
from heapscope.parser.tags import VALUE_BYTES, VALUE_FORMATS, BasicType, SubRecordTag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.parser.records import JavaClass

_NAMES_SHOWN = 12
_MANY = 2048  # objects for which a compiled loop is worth its loading
# Type code -> how its big-endian bytes are in native numpy terms; a char is an uint16 there.
_DTYPES = {code: np.dtype("u2" if fmt == "H" else fmt) for code, fmt in VALUE_FORMATS.items()}


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where a field lies in the field bytes of an instance."""

    name: str
    type: BasicType
    offset: int  # bytes from the first field's
    byte_count: int
    declared_in: str  # class name


@dataclass(frozen=True, slots=True)
class ClassFields:
    """All instance fields of a class.

    Attributes
    ----------
    places : tuple of FieldPlace
        In the dump's order: own fields, then each superclass's.
    by_name : dict
        Of fields with one name in several classes the most derived class's.
    """

    places: tuple[FieldPlace, ...]
    by_name: dict[str, FieldPlace]


def class_chain(graph: HeapGraph, java_class: JavaClass) -> list[JavaClass]:
    """A class and its superclasses, as far as the dump has them; ends where a chain loops."""
    chain: list[JavaClass] = []
    seen: set[int] = set()
    current: JavaClass | None = java_class
    while current is not None and current.class_id not in seen:
        seen.add(current.class_id)
        chain.append(current)
        current = graph.classes.with_id(current.super_id) if current.super_id else None
    return chain


def class_fields(graph: HeapGraph, class_index: int) -> ClassFields:
    """Fields of the class in a row of ``graph.classes``."""
    of_heap: dict[int, ClassFields] = graph.kept("class fields", dict)
    found = of_heap.get(class_index)
    if found is None:
        places, offset = [], 0
        for java_class in class_chain(graph, graph.classes[class_index]):
            for field in java_class.fields:
                size = graph.identifier_bytes if field.type == BasicType.OBJECT else VALUE_BYTES[field.type]
                places.append(FieldPlace(field.name, field.type, offset, size, java_class.name))
                offset += size
        found = ClassFields(tuple(places), {place.name: place for place in reversed(places)})
        of_heap[class_index] = found
    return found


@dataclass(frozen=True)
class FieldColumn:
    """A field of many objects; arrays of shape (k,).

    Attributes
    ----------
    types : uint8
        `BasicType` of the field in that row's object; 0 where the object has no such field.
    bits : uint64
        The value's bytes as an unsigned number; of a reference the identifier.
    """

    types: NDArray[np.uint8]
    bits: NDArray[np.uint64]

    @property
    def has_references(self) -> bool:
        """Whether any row is a reference."""
        return bool(np.any(self.types == BasicType.OBJECT))

    def references(self) -> NDArray[np.uint64]:
        """Identifiers, uint64, shape (k,); 0 where the row is no reference."""
        return np.where(self.types == BasicType.OBJECT, self.bits, np.uint64(0))

    def primitives(self) -> NDArray[Any]:
        """Values of the rows that are primitives, shape (k,), references and missing ones as None.

        Of one dtype where every row has a value of one type, float with NaN for missing ones where
        all that are there are of one floating type, else of Python objects.  A char is a str.
        """
        kinds = [code for code in np.unique(self.types).tolist() if code]
        if len(kinds) == 1 and kinds[0] != BasicType.OBJECT:
            values = _converted(self.bits, kinds[0])
            missing = self.types == 0
            if not missing.any():
                return values
            if values.dtype.kind == "f":
                values[missing] = np.nan
                return values
        mixed = np.full(self.bits.size, None, object)
        for code in kinds:
            if code != BasicType.OBJECT:
                rows = np.nonzero(self.types == code)[0]
                mixed[rows] = _converted(self.bits[rows], code).astype(object)
        return mixed


def _converted(bits: NDArray[np.uint64], code: int) -> NDArray[Any]:
    if code == BasicType.CHAR:
        chars: NDArray[Any] = _all_chars()[bits.astype(np.uint16)]
        return chars
    if code == BasicType.BOOLEAN:
        is_true: NDArray[Any] = bits != 0
        return is_true
    dtype = _DTYPES[code]
    values: NDArray[Any] = bits.astype(f"u{dtype.itemsize}").view(dtype)
    return values


@cache
def _all_chars() -> NDArray[Any]:
    # Python objects: numpy's own one-character strings would make "" of the character 0.
    return np.array([chr(code) for code in range(0x10000)], object)


def read_field(
    graph: HeapGraph,
    rows: NDArray[np.int64],
    name: str,
    *,
    is_optional: bool = False,
    declared_in: str | None = None,
) -> FieldColumn:
    """A field of many objects.

    Parameters
    ----------
    rows : int64 array, shape (k,)
        Object indices, -1 for no object.
    name : str
        Field name.
    is_optional : bool
        Whether classes without the field are fine, all of them even.
    declared_in : str, optional
        The class that declares it, where a subclass hides it behind a field of that name.

    Raises
    ------
    ObjectNotFound
        There are objects, and the class of none of them has such a field.
    """
    types = np.zeros(rows.size, np.uint8)
    bits = np.zeros(rows.size, np.uint64)
    places = np.nonzero(rows >= 0)[0]
    if not places.size:
        return FieldColumn(types, bits)
    columns = graph.columns
    class_of = columns.class_index[rows[places]]
    groups = [places]
    if (class_of != class_of[0]).any():
        order = np.argsort(class_of, kind="stable")
        starts = np.nonzero(np.diff(class_of[order], prepend=-1))[0]
        groups = np.split(places[order], starts[1:])
    is_known = False
    for group in groups:
        fields = class_fields(graph, int(columns.class_index[rows[group[0]]]))
        if declared_in is None:
            place = fields.by_name.get(name)
        else:
            mine = (p for p in fields.places if p.name == name and p.declared_in == declared_in)
            place = next(mine, None)
        if place is not None:
            is_known = True
            offsets = columns.offsets_of(rows[group])
            there, found = _gather(graph, offsets, place)
            types[group[there]] = place.type
            bits[group[there]] = found
    if not is_known and not is_optional:
        raise _no_such_field(graph, name, np.unique(class_of))
    return FieldColumn(types, bits)


def _gather(
    graph: HeapGraph, offsets: NDArray[np.int64], place: FieldPlace
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Which of the records have the field, and its bytes as numbers."""
    buffer, width = graph.buffer, graph.identifier_bytes
    if offsets.size >= _MANY:
        is_there, bits = np.empty(offsets.size, np.uint8), np.empty(offsets.size, np.uint64)
        starts = np.ascontiguousarray(offsets, np.int64)
        kernels.read_numbers(buffer, starts, width, place.offset, place.byte_count, is_there, bits)
        there = np.nonzero(is_there)[0]
        return there, bits[there]
    length_at = offsets + (1 + width + 4 + width)
    start = length_at + (4 + place.offset)
    is_inside = (offsets >= 0) & (start + place.byte_count <= buffer.size)
    there = np.nonzero(is_inside)[0]
    if there.size:
        lengths = numbers_at(buffer, length_at[there], 4)
        is_instance = buffer[offsets[there]] == SubRecordTag.INSTANCE_DUMP
        there = there[is_instance & (lengths >= place.offset + place.byte_count)]
    return there, numbers_at(buffer, start[there], place.byte_count)


def numbers_at(buffer: NDArray[np.uint8], starts: NDArray[np.int64], size: int) -> NDArray[np.uint64]:
    """Big-endian unsigned numbers of ``size`` bytes at positions that lie inside ``buffer``."""
    if not starts.size:
        return np.empty(0, np.uint64)
    # A number begins at every byte of this view: four times as fast as gathering single bytes.
    view: NDArray[Any] = np.ndarray((buffer.size - size + 1,), f">u{size}", buffer, strides=(1,))
    return view[starts].astype(np.uint64)


def _no_such_field(graph: HeapGraph, name: str, class_indices: NDArray[Any]) -> ObjectNotFound:
    names: dict[str, None] = {}
    for index in class_indices.tolist():
        names.update(dict.fromkeys(class_fields(graph, index).by_name))
    what = graph.classes[int(class_indices[0])].name
    if class_indices.size > 1:
        what += f" and {class_indices.size - 1:,} more"
    shown = ", ".join(list(names)[:_NAMES_SHOWN]) or "none"
    if len(names) > _NAMES_SHOWN:
        shown += ", ..."
    return ObjectNotFound(name, f"the fields of {what} ({shown})", names)
