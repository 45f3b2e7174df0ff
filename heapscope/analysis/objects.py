"""Objects of a heap: sets of them, and one at a time with its fields decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser.tags import VALUE_BYTES, VALUE_FORMATS, BasicType, SubRecordTag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.analysis.heap import Heap
    from heapscope.parser.records import JavaClass
    from heapscope.parser.segments import Columns

Value = int | float | bool
_ELEMENT_DTYPES = {4: "?", 5: ">u2", 6: ">f4", 7: ">f8", 8: "i1", 9: ">i2", 10: ">i4", 11: ">i8"}


class ObjectSet:
    """Objects of a heap, in address order; ``len()`` is how many.

    Attributes
    ----------
    heap : Heap
    indices : int64 array, shape (k,)
        Object indices, strictly increasing.
    """

    def __init__(self, heap: Heap, indices: NDArray[np.int64]) -> None:
        self.heap = heap
        self.indices = indices

    def __len__(self) -> int:
        return int(self.indices.size)

    def __bool__(self) -> bool:
        return self.indices.size > 0

    def __iter__(self) -> Iterator[JavaObject]:
        for index in self.indices.tolist():
            yield JavaObject(self.heap, index, self.heap.columns)

    @property
    def shallow_bytes(self) -> int:
        """Shallow size of the objects together."""
        columns = self.heap.columns
        return int(columns.size_units[self.indices].sum(dtype=np.uint64)) * columns.unit_bytes

    @property
    def object_ids(self) -> NDArray[np.uint64]:
        """Identifiers, uint64, shape (k,)."""
        return self.heap.columns.object_ids[self.indices]

    def class_counts(self) -> dict[str, int]:
        """Instances by class name, the most frequent first."""
        counts = np.bincount(self.heap.columns.class_index[self.indices])
        named: dict[str, int] = {}
        for row in np.nonzero(counts)[0].tolist():
            name = _class_at(self.heap, row).name
            named[name] = named.get(name, 0) + int(counts[row])
        return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))

    def __repr__(self) -> str:
        names = list(self.class_counts())
        what = names[0] if len(names) == 1 else f"{len(names)} classes"
        return f"<{len(self):,} objects of {what}, {self.shallow_bytes:,} bytes>"


def _class_at(heap: Heap, class_index: int) -> JavaClass:
    return heap.classes[class_index]


class JavaObject:
    """One object, read from the dump when asked."""

    __slots__ = ("_columns", "heap", "index")

    def __init__(self, heap: Heap, index: int, columns: Columns) -> None:
        self.heap = heap
        self.index = index
        # Given, not asked of the heap: sizes of stack chunks are read while columns are made.
        self._columns = columns

    @property
    def object_id(self) -> int:
        """The dump's identifier."""
        return int(self._columns.object_ids[self.index])

    @property
    def java_class(self) -> JavaClass:
        """Its class."""
        return _class_at(self.heap, int(self._columns.class_index[self.index]))

    @property
    def class_name(self) -> str:
        """Name of its class."""
        return self.java_class.name

    @property
    def shallow_bytes(self) -> int:
        """Its shallow size."""
        return int(self._columns.size_units[self.index]) * self._columns.unit_bytes

    @property
    def _record(self) -> tuple[int, int]:
        """(sub-record tag, offset) of its record."""
        offset = int(self._columns.offsets[self.index])
        return (int(self.heap.buffer[offset]) if offset >= 0 else 0), offset

    def fields(self) -> dict[str, Value]:
        """Field values by name, own class first; references as identifiers, 0 is null.

        Of fields with one name in several classes the most derived class's is given.
        """
        tag, offset = self._record
        values: dict[str, Value] = {}
        if tag != SubRecordTag.INSTANCE_DUMP:
            return values
        width = self.heap.identifier_bytes
        start = offset + 1 + 2 * width + 8
        length = int.from_bytes(self.heap.buffer[start - 4 : start].tobytes(), "big")
        data = self.heap.buffer[start : start + length].tobytes()
        position = 0
        seen: set[int] = set()
        current: JavaClass | None = self.java_class
        while current is not None and current.class_id not in seen:
            seen.add(current.class_id)
            for field in current.fields:
                size = width if field.type == BasicType.OBJECT else VALUE_BYTES[field.type]
                raw = data[position : position + size]
                position += size
                if len(raw) == size:
                    values.setdefault(field.name, _decode(field.type, raw))
            current = self.heap.classes.with_id(current.super_id) if current.super_id else None
        return values

    def get(self, name: str) -> Value | None:
        """Value of a field, None where the object has no such field."""
        return self.fields().get(name)

    def follow(self, *names: str) -> JavaObject | None:
        """The object reached over reference fields, None where the way breaks."""
        found: JavaObject | None = self
        for name in names:
            if found is None:
                return None
            found = object_or_none(self.heap, found.get(name), self._columns)
        return found

    def element_ids(self) -> NDArray[np.uint64]:
        """Identifiers in an object array, uint64; empty for another object."""
        tag, offset = self._record
        if tag != SubRecordTag.OBJECT_ARRAY_DUMP:
            return np.empty(0, np.uint64)
        width = self.heap.identifier_bytes
        head = offset + 1 + width + 4
        count = int.from_bytes(self.heap.buffer[head : head + 4].tobytes(), "big")
        start = head + 4 + width
        raw = self.heap.buffer[start : start + count * width].tobytes()
        return np.frombuffer(raw, ">u8" if width == 8 else ">u4").astype(np.uint64)

    def elements(self) -> NDArray[np.generic]:
        """Elements of a primitive array in native byte order; empty for another object."""
        tag, offset = self._record
        if tag != SubRecordTag.PRIMITIVE_ARRAY_DUMP:
            return np.empty(0, np.int8)
        head = offset + 1 + self.heap.identifier_bytes + 4
        count = int.from_bytes(self.heap.buffer[head : head + 4].tobytes(), "big")
        code = int(self.heap.buffer[head + 4])
        raw = self.heap.buffer[head + 5 : head + 5 + count * VALUE_BYTES[code]].tobytes()
        values = np.frombuffer(raw, _ELEMENT_DTYPES[code])
        return values.astype(values.dtype.newbyteorder("="))

    def text(self) -> str | None:
        """Text of a ``java.lang.String``, None for another object.

        Up to JDK 8 (and on Android) ``value`` is a char[], perhaps with ``offset`` and ``count``;
        since JDK 9 (JEP 254) a byte[], Latin-1 or UTF-16 by ``coder``.
        """
        if self.class_name != "java.lang.String":
            return None
        fields = self.fields()
        value = object_or_none(self.heap, fields.get("value"), self._columns)
        if value is None:
            return None
        data = value.elements()
        if data.dtype == np.uint16:
            start, count = int(fields.get("offset", 0)), int(fields.get("count", data.size))
            if 0 <= start <= start + count <= data.size:
                data = data[start : start + count]
            return data.astype("<u2").tobytes().decode("utf-16-le", "replace")
        raw = data.tobytes()
        if fields.get("coder", 0) == 0:
            return raw.decode("latin-1")
        # UTF-16 in the byte order of the machine that wrote the dump, which JVMs of today's
        # servers (x86-64, AArch64) have little-endian.
        return raw.decode("utf-16-le", "replace")

    def __repr__(self) -> str:
        text = self.text()
        tail = f" {text[:60]!r}" if text is not None else ""
        return f"<{self.class_name} 0x{self.object_id:x}, {self.shallow_bytes:,} bytes{tail}>"


def _decode(code: BasicType, raw: bytes) -> Value:
    if code == BasicType.OBJECT:
        return int.from_bytes(raw, "big")
    value: Value = struct.unpack(">" + VALUE_FORMATS[code], raw)[0]
    return value


def object_or_none(heap: Heap, object_id: Value | None, columns: Columns | None = None) -> JavaObject | None:
    """The object behind a reference; None for null, for no reference, and for one that leads nowhere."""
    if not isinstance(object_id, int) or not object_id:
        return None
    columns = columns or heap.columns
    row = int(np.searchsorted(columns.object_ids, np.uint64(object_id)))
    if row == columns.object_ids.size or int(columns.object_ids[row]) != object_id:
        return None
    return JavaObject(heap, row, columns)
