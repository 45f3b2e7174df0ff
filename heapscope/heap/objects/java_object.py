"""One object of a heap, its fields read from the dump when asked."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from heapscope.handed_down import handed_down
from heapscope.heap.objects.fields import FieldPlace, class_fields
from heapscope.parser.tags import VALUE_BYTES, VALUE_FORMATS, BasicType, SubRecordTag
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.heap.objects.inspector import Inspection
    from heapscope.parser.records import JavaClass
    from heapscope.parser.segments import Columns

Value = int | float | bool
_ELEMENT_DTYPES = {4: "?", 5: ">u2", 6: ">f4", 7: ">f8", 8: "i1", 9: ">i2", 10: ">i4", 11: ">i8"}
_REPR_CHARACTERS = 60
_STRING = "java.lang.String"


class Reference(NamedTuple):
    """A reference: the field, element or static behind it, and the object at its other end."""

    field: str
    object: JavaObject


def title_of(one: JavaObject) -> str:
    """What an object is to people: the name of its class; of a class object ``class a.B``."""
    represented = one.represented_class
    return one.class_name if represented is None else f"class {represented.name}"


def _relations() -> Any:
    """`heapscope.heap.object_relations`, which knows what objects have to do with each other."""
    return handed_down("object relations")


def shown(text: str) -> str:
    """Text from a dump in one line, without what steers a terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


class JavaObject(RichRepr):
    """One object, read from the dump when asked.

    ::

        key = heap.objects("org.apache.hadoop.fs.FileSystem$Cache$Key")[0]
        key["scheme"], key.ugi.user["fullName"], key.retained_bytes, key.referrers()

    ``key["ugi"]`` is a field's value: strings, boxed values, enums and collections are decoded, other
    references are objects.  ``key.ugi`` is the same for names that this class does not use itself.
    Equal to another one where both are the same object of the same heap; `value` decodes it.
    """

    __slots__ = ("graph", "index")

    if TYPE_CHECKING:
        graph: HeapGraph
        index: int

    def __init__(self, graph: HeapGraph, index: int) -> None:
        self.graph = graph
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JavaObject) and self.graph is other.graph and self.index == other.index

    def __hash__(self) -> int:
        return hash(self.index)

    def __getitem__(self, path: str | int) -> Any:
        """A field, or what a path of fields leads to (``"ugi.attrs[id]"``); of an array an element.

        Raises
        ------
        ObjectNotFound
            There is no such field on the way; the message names the nearest.
        IndexError
            The array is not as long.
        """
        return _relations().item_of(self, path)

    def __getattr__(self, name: str) -> Any:
        # numpy, pandas and IPython ask every object for names that begin so.
        if name.startswith("_") or name in JavaObject.__slots__:
            raise AttributeError(name)
        if name not in class_fields(self.graph, self.class_index).by_name:
            raise AttributeError(
                f"{shown(self.class_name)} has no field {name!r}; its fields: "
                f"{', '.join(map(shown, class_fields(self.graph, self.class_index).by_name)) or 'none'}"
            )
        return self[name]

    def __dir__(self) -> list[str]:
        fields = class_fields(self.graph, self.class_index).by_name
        return sorted({each for each in (*super().__dir__(), *fields) if not each.startswith("_")})

    @property
    def retained_bytes(self) -> int:
        """Its retained size: what would go if it went; 0 for what nothing retains."""
        return self.graph.dominators.retained_bytes_of(self.index)

    def retained(self) -> Any:
        """The retained set as an `ObjectSet`: all that would go if it went, itself included."""
        return _relations().retained(self)

    def references(self) -> list[Reference]:
        """What it refers to: pairs of (field name, object)."""
        found: list[Reference] = _relations().references(self)
        return found

    def referrers(self, limit: int | None = None) -> list[Reference]:
        """Who refers to it: pairs of (field name, object), of ``limit`` objects at most."""
        found: list[Reference] = _relations().referrers(self, limit)
        return found

    def paths_to_gc_roots(self, count: int = 5) -> Any:
        """Paths from the GC roots to it, a list of `Path`: the shortest first, ``count`` at most."""
        return _relations().paths_of(self, count)

    @property
    def dominator(self) -> JavaObject | None:
        """The nearest object on every path to it; None where there is none."""
        found: JavaObject | None = _relations().dominator(self)
        return found

    def dominated(self) -> Any:
        """What it immediately dominates, an `ObjectSet`."""
        return _relations().dominated(self)

    @property
    def object_id(self) -> int:
        """The dump's identifier."""
        _, offset = self._record  # each begins with its tag and the identifier
        raw = self.graph.buffer[offset + 1 : offset + 1 + self.graph.identifier_bytes]
        return int.from_bytes(raw.tobytes(), "big")

    @property
    def class_index(self) -> int:
        """Row of its class in ``graph.classes``."""
        return int(self.graph.columns.class_index[self.index])

    @property
    def java_class(self) -> JavaClass:
        """Its class."""
        return self.graph.classes[self.class_index]

    @property
    def class_name(self) -> str:
        """Name of its class."""
        return self.java_class.name

    @property
    def represented_class(self) -> JavaClass | None:
        """The class that a class object stands for; None for another object."""
        is_class = self.record_tag == SubRecordTag.CLASS_DUMP
        return self.graph.classes.with_id(self.object_id) if is_class else None

    @property
    def shallow_bytes(self) -> int:
        """Its shallow size."""
        return int(self.graph.columns.size_units[self.index]) * self.graph.columns.unit_bytes

    @property
    def record_tag(self) -> int:
        """`SubRecordTag` of its record in the dump."""
        return self._record[0]

    @property
    def _record(self) -> tuple[int, int]:
        """(sub-record tag, offset) of its record."""
        offset = self.graph.columns.offset_of(self.index)
        return (int(self.graph.buffer[offset]) if offset >= 0 else 0), offset

    def _field_bytes(self) -> bytes:
        """Bytes of its fields, empty where it is no instance."""
        tag, offset = self._record
        if tag != SubRecordTag.INSTANCE_DUMP:
            return b""
        start = offset + 1 + 2 * self.graph.identifier_bytes + 8
        length = int.from_bytes(self.graph.buffer[start - 4 : start].tobytes(), "big")
        return self.graph.buffer[start : start + length].tobytes()

    def fields(self) -> dict[str, Value]:
        """Field values by name, own class first; references as identifiers, 0 is null.

        Of fields with one name in several classes the most derived class's is given.
        """
        values: dict[str, Value] = {}
        for place, value in self.field_values().items():
            values.setdefault(place.name, value)
        return values

    def field_values(self) -> dict[FieldPlace, Value]:
        """As `fields`, with every field: those of one name in several classes are told apart."""
        data = self._field_bytes()
        places = class_fields(self.graph, self.class_index).places if data else ()
        found = ((place, _value_at(data, place)) for place in places)
        return {place: value for place, value in found if value is not None}

    def get(self, name: str) -> Value | None:
        """Value of a field, None where the object has no such field."""
        place = class_fields(self.graph, self.class_index).by_name.get(name)
        return None if place is None else _value_at(self._field_bytes(), place)

    def reference_ids(self, *names: str) -> tuple[int, ...]:
        """Identifiers in reference fields; 0 for null, and where the object has no such field."""
        known = class_fields(self.graph, self.class_index).by_name
        data = self._field_bytes()
        found = []
        for name in names:
            place = known.get(name)
            is_there = place is not None and place.type == BasicType.OBJECT
            found.append(int(_value_at(data, place) or 0) if place is not None and is_there else 0)
        return tuple(found)

    def follow(self, *names: str) -> JavaObject | None:
        """The object reached over reference fields, None where the way breaks."""
        found: JavaObject | None = self
        for name in names:
            if found is None:
                return None
            found = object_or_none(self.graph, found.reference_ids(name)[0])
        return found

    def value(self, depth: int | None = None) -> Any:
        """The object as a Python value; itself where there is none.

        ================================== =====================================================
        String, Character, an enum, Class   str (an enum's name, a class's name)
        Integer ... Double, Atomic*         int, float, bool
        byte[], char[], other primitives    bytes, str, numpy array
        Object[], List, Queue, Collection   list
        Set                                 set; list where an element cannot be in a Python set
        Map                                 dict; a key that cannot be in one stays a `JavaObject`,
                                            as does a key that equals another one only in Python
        Optional                            what is in it, or None
        ================================== =====================================================

        Collections of the JDK 8 to 25 and what extends them.  One that contains itself, or that
        claims more than the heap holds, stays a `JavaObject` there.

        Parameters
        ----------
        depth : int, optional
            How many levels of collections in collections are decoded, 8 by default; 0 leaves
            them as they are.
        """
        from heapscope.heap.objects.values import DEPTH, decode

        return decode(self, DEPTH if depth is None else depth)

    def describe(self, *, elements: int = 32) -> Inspection:
        """Everything about the object that MAT's inspector shows; see `Inspection`.

        The first call of a heap computes its dominator tree, for the retained size.

        Parameters
        ----------
        elements : int
            At most so many elements of an array or a collection.
        """
        from heapscope.heap.objects.inspector import inspect

        return inspect(self, elements)

    @property
    def element_count(self) -> int:
        """Length of an array, 0 for another object."""
        tag, offset = self._record
        if tag not in (
            SubRecordTag.OBJECT_ARRAY_DUMP,
            SubRecordTag.PRIMITIVE_ARRAY_DUMP,
            SubRecordTag.PRIMITIVE_ARRAY_NODATA,
        ):
            return 0
        head = offset + 1 + self.graph.identifier_bytes + 4
        return int.from_bytes(self.graph.buffer[head : head + 4].tobytes(), "big")

    @property
    def has_elements(self) -> bool:
        """Whether it is an array whose elements the dump has (Android leaves some out)."""
        return self.record_tag in (SubRecordTag.OBJECT_ARRAY_DUMP, SubRecordTag.PRIMITIVE_ARRAY_DUMP)

    def element_ids(self, limit: int | None = None) -> NDArray[np.uint64]:
        """Identifiers in an object array, uint64, the first ``limit``; empty for another object."""
        tag, offset = self._record
        if tag != SubRecordTag.OBJECT_ARRAY_DUMP:
            return np.empty(0, np.uint64)
        width = self.graph.identifier_bytes
        count = self.element_count if limit is None else min(self.element_count, limit)
        start = offset + 1 + width + 4 + 4 + width
        raw = self.graph.buffer[start : start + count * width].tobytes()
        return np.frombuffer(raw, ">u8" if width == 8 else ">u4").astype(np.uint64)

    def elements(self, limit: int | None = None) -> NDArray[np.generic]:
        """Elements of a primitive array in native byte order, the first ``limit``; else empty."""
        tag, offset = self._record
        if tag != SubRecordTag.PRIMITIVE_ARRAY_DUMP:
            return np.empty(0, np.int8)
        head = offset + 1 + self.graph.identifier_bytes + 4
        count = self.element_count if limit is None else min(self.element_count, limit)
        code = int(self.graph.buffer[head + 4])
        raw = self.graph.buffer[head + 5 : head + 5 + count * VALUE_BYTES[code]].tobytes()
        values = np.frombuffer(raw, _ELEMENT_DTYPES[code])
        return values.astype(values.dtype.newbyteorder("="))

    def text(self) -> str | None:
        """Text of a ``java.lang.String``, None for another object.

        Up to JDK 8 (and on Android) ``value`` is a char[], perhaps with ``offset`` and ``count``;
        since JDK 9 (JEP 254) a byte[], Latin-1 or UTF-16 by ``coder``.
        """
        if self.class_name != _STRING:
            return None
        value = self.follow("value")
        if value is None:
            return None
        data = value.elements()
        if data.dtype == np.uint16:
            fields = self.fields()
            start, count = int(fields.get("offset", 0)), int(fields.get("count", data.size))
            if 0 <= start <= start + count <= data.size:
                data = data[start : start + count]
            return data.astype("<u2").tobytes().decode("utf-16-le", "replace")
        raw = data.tobytes()
        if not self.get("coder"):
            return raw.decode("latin-1")
        # UTF-16 in the byte order of the machine that wrote the dump, which JVMs of today's
        # servers (x86-64, AArch64) have little-endian.
        return raw.decode("utf-16-le", "replace")

    def __repr__(self) -> str:
        value = self.text() if self.class_name == _STRING else None
        tail = f" {value[:_REPR_CHARACTERS]!r}" if value is not None else ""
        return f"<{shown(self.class_name)} 0x{self.object_id:x}, {self.shallow_bytes:,} bytes{tail}>"


def _value_at(data: bytes, place: FieldPlace) -> Value | None:
    """A field in the bytes of an instance, None where they end before it."""
    raw = data[place.offset : place.offset + place.byte_count]
    if len(raw) < place.byte_count:
        return None
    if place.type == BasicType.OBJECT:
        return int.from_bytes(raw, "big")
    value: Value = struct.unpack(">" + VALUE_FORMATS[place.type], raw)[0]
    return value


def object_or_none(graph: HeapGraph, object_id: Value | None) -> JavaObject | None:
    """The object behind a reference; None for null, for no reference, and for one that leads nowhere."""
    if not isinstance(object_id, int) or not 0 < object_id < 2**64:
        return None
    row = _row_of(graph.columns, object_id)
    return None if row < 0 else JavaObject(graph, row)


def _row_of(columns: Columns, object_id: int) -> int:
    """As `AddressMap.indices_of`, for one identifier: a tenth of the time of a call of machine code."""
    addresses = columns.addresses
    if not addresses.table.shape[0]:
        ids = addresses.sorted_ids
        row = int(np.searchsorted(ids, np.uint64(object_id)))
        return row if row < ids.size and int(ids[row]) == object_id else -1
    low, shift, count = addresses.address_grid.tolist()
    place, rest = divmod(object_id - low, 1 << shift)
    if rest or not 0 <= place < count:
        return -1
    word, rank = addresses.table[place >> 6].tolist()
    bit = 1 << (place & 63)
    return rank + (word & (bit - 1)).bit_count() if word & bit else -1
