"""A naive HPROF reader to hold the real one against.

Written from the specification alone (``manual.html`` of the JDK 8 HPROF agent, HotSpot's
``heapDumper.cpp``, Android's ``hprof.cc``).  It shares no code with ``heapscope.parser``: one
byte at a time, dictionaries, no cleverness.  Slow on purpose.
"""

from __future__ import annotations

import gzip
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

Value = int | float | bool

PRIMITIVES = {4: "boolean", 5: "char", 6: "float", 7: "double", 8: "byte", 9: "short", 10: "int", 11: "long"}
SIZES = {4: 1, 5: 2, 6: 4, 7: 8, 8: 1, 9: 2, 10: 4, 11: 8}
FORMATS = {4: ">?", 5: ">H", 6: ">f", 7: ">d", 8: ">b", 9: ">h", 10: ">i", 11: ">q"}
LETTERS = {"Z": 4, "C": 5, "F": 6, "D": 7, "B": 8, "S": 9, "I": 10, "J": 11}


@dataclass
class OracleClass:
    class_id: int
    name: str
    super_id: int
    loader_id: int
    signers_id: int
    protection_domain_id: int
    declared_bytes: int
    statics: list[tuple[str, int, Value]]  # name, type code, value
    fields: list[tuple[str, int]]  # name, type code
    constant_ids: list[int]  # objects in the constant pool


@dataclass
class OracleRoot:
    tag: int
    object_id: int
    thread_serial: int | None
    frame: int | None  # as u4; of a thread object: the stack trace serial


@dataclass
class OracleHeap:
    version: str
    identifier_bytes: int
    timestamp_ms: int
    names: dict[int, str] = field(default_factory=dict)  # UTF8 records
    loaded: dict[int, str] = field(default_factory=dict)  # LOAD_CLASS: class id -> name
    classes: dict[int, OracleClass] = field(default_factory=dict)
    instances: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # id -> class id, bytes
    object_arrays: dict[int, tuple[int, list[int]]] = field(default_factory=dict)  # id -> class id, ids
    primitive_arrays: dict[int, tuple[int, int, bytes | None]] = field(default_factory=dict)  # type, n, data
    roots: list[OracleRoot] = field(default_factory=list)
    traces: dict[int, tuple[int, list[int]]] = field(default_factory=dict)  # serial -> thread, frame ids
    frames: dict[int, tuple[str, str, str, int, int]] = field(default_factory=dict)
    heap_infos: list[tuple[int, str]] = field(default_factory=list)
    record_counts: Counter[int] = field(default_factory=Counter)

    def class_name(self, class_id: int) -> str:
        """Java source name of a class, loaded with or without a CLASS_DUMP."""
        return self.loaded[class_id]

    @property
    def object_classes(self) -> dict[int, str]:
        """Class name of every object; class objects are not among them."""
        names = {object_id: self.class_name(class_id) for object_id, (class_id, _) in self.instances.items()}
        names |= {object_id: self.class_name(row[0]) for object_id, row in self.object_arrays.items()}
        names |= {object_id: PRIMITIVES[row[0]] + "[]" for object_id, row in self.primitive_arrays.items()}
        return names

    @property
    def instance_counts(self) -> Counter[str]:
        """Objects of each class; arrays count as their array class, class objects are left out."""
        return Counter(self.object_classes.values())

    @property
    def element_totals(self) -> Counter[str]:
        """Elements of all arrays of each array class."""
        totals: Counter[str] = Counter()
        for class_id, ids in self.object_arrays.values():
            totals[self.class_name(class_id)] += len(ids)
        for code, count, _ in self.primitive_arrays.values():
            totals[PRIMITIVES[code] + "[]"] += count
        return totals

    def field_values(self, object_id: int) -> list[tuple[str, int, Value]]:
        """Fields of an instance (name, type code, value): own class first, then each superclass."""
        class_id, data = self.instances[object_id]
        rows: list[tuple[str, int, Value]] = []
        at = 0
        while class_id:
            declared = self.classes[class_id]
            for name, code in declared.fields:
                size = self.identifier_bytes if code == 2 else SIZES[code]
                rows.append((name, code, _value(code, data[at : at + size])))
                at += size
            class_id = declared.super_id
        assert at == len(data), f"object 0x{object_id:x}: {len(data)} bytes, fields take {at}"
        return rows

    def references(self, object_id: int) -> list[int]:
        """Ids an object refers to, in order; with zeros, without its class."""
        if object_id in self.object_arrays:
            return list(self.object_arrays[object_id][1])
        if object_id in self.instances:
            return [int(value) for _, code, value in self.field_values(object_id) if code == 2]
        if object_id in self.classes:
            return [int(value) for _, code, value in self.classes[object_id].statics if code == 2]
        return []

    def string(self, object_id: int) -> str:
        """Text of a java.lang.String."""
        values = {name: value for name, _, value in self.field_values(object_id)}
        code, count, data = self.primitive_arrays[int(values["value"])]
        assert data is not None
        if code == 5:
            first = int(values.get("offset", 0))
            count = int(values.get("count", count))
            return data[2 * first : 2 * (first + count)].decode("utf-16-be", "surrogatepass")
        if values["coder"] == 0:
            return data.decode("latin-1")
        return data.decode("utf-16-le", "surrogatepass")


class _Bytes:
    def __init__(self, data: bytes, at: int, end: int, identifier_bytes: int) -> None:
        self.data, self.at, self.end, self.identifier_bytes = data, at, end, identifier_bytes

    def take(self, count: int) -> bytes:
        if self.at + count > self.end:
            raise ValueError(f"cut short at {self.at}: {count} bytes wanted, {self.end - self.at} there")
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def unsigned(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def u1(self) -> int:
        return self.unsigned(1)

    def u2(self) -> int:
        return self.unsigned(2)

    def u4(self) -> int:
        return self.unsigned(4)

    def identifier(self) -> int:
        return self.unsigned(self.identifier_bytes)

    def value(self, code: int) -> Value:
        return _value(code, self.take(self.identifier_bytes if code == 2 else SIZES[code]))


def _value(code: int, data: bytes) -> Value:
    if code == 2:
        return int.from_bytes(data, "big")
    value: Value = struct.unpack(FORMATS[code], data)[0]
    return value


def source_name(name: str) -> str:
    """``[Ljava/lang/String;`` -> ``java.lang.String[]``; for well-formed names only."""
    dimensions = len(name) - len(name.lstrip("["))
    element = name[dimensions:]
    if dimensions and element in LETTERS:
        element = PRIMITIVES[LETTERS[element]]
    elif dimensions:
        element = element[1:-1]
    hidden = re.search(r"[+/]0x[0-9a-f]+(\[\])*$", element)
    if hidden:
        element = element[: hidden.start()].replace("/", ".") + "/" + hidden[0][1:]
    else:
        element = element.replace("/", ".")
    return element + "[]" * dimensions


def read_oracle(source: bytes | Path, *, partial: bool = False) -> OracleHeap:
    """Read a dump, plain or gzip.  Raises ValueError at whatever is wrong.

    With ``partial`` reading ends where the bytes do: what was whole before is there.
    """
    data = source.read_bytes() if isinstance(source, Path) else source
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:17] != b"JAVA PROFILE 1.0." or data[18:19] != b"\0":
        raise ValueError("no HPROF")
    identifier_bytes = int.from_bytes(data[19:23], "big")
    if identifier_bytes not in (4, 8):
        raise ValueError(f"identifiers of {identifier_bytes} bytes")
    heap = OracleHeap(data[13:18].decode(), identifier_bytes, int.from_bytes(data[23:31], "big"))
    file = _Bytes(data, 31, len(data), identifier_bytes)
    while file.at < file.end:
        if partial and file.end - file.at < 9:
            break
        tag, _, length = file.u1(), file.u4(), file.u4()
        heap.record_counts[tag] += 1
        left = file.end - file.at
        if tag == 0x0C and (length == 0 or (length < left and (left - length) % 2**32 == 0)):
            length = left
        if length > left and not partial:
            raise ValueError(f"record {tag:#x} at {file.at - 9} claims {length} bytes, {left} are there")
        body = _Bytes(data, file.at, file.at + min(length, left), identifier_bytes)
        file.at += body.end - body.at
        try:
            _read_record(heap, tag, body)
        except ValueError:
            if not partial:
                raise
            break
    for class_id, each in heap.classes.items():  # names may come after the class
        each.name = heap.loaded.get(class_id, "")
    return heap


def _read_record(heap: OracleHeap, tag: int, body: _Bytes) -> None:
    if tag == 0x01:
        name_id = body.identifier()
        heap.names[name_id] = body.take(body.end - body.at).decode("utf-8", "replace")
    elif tag == 0x02:
        body.u4()
        class_id = body.identifier()
        body.u4()
        heap.loaded[class_id] = source_name(heap.names[body.identifier()])
    elif tag == 0x04:
        frame_id = body.identifier()
        method, signature, source = (heap.names.get(body.identifier(), "") for _ in range(3))
        heap.frames[frame_id] = (method, signature, source, body.u4(), struct.unpack(">i", body.take(4))[0])
    elif tag == 0x05:
        serial, thread, count = body.u4(), body.u4(), body.u4()
        heap.traces[serial] = (thread, [body.identifier() for _ in range(count)])
    elif tag in (0x0C, 0x1C):
        while body.at < body.end:
            _read_sub_record(heap, body)


def _read_sub_record(heap: OracleHeap, body: _Bytes) -> None:
    tag = body.u1()
    if tag in (0xFF, 0x05, 0x07, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x90):
        heap.roots.append(OracleRoot(tag, body.identifier(), None, None))
    elif tag == 0x01:
        heap.roots.append(OracleRoot(tag, body.identifier(), None, None))
        body.identifier()
    elif tag in (0x02, 0x03, 0x08, 0x8E):
        heap.roots.append(OracleRoot(tag, body.identifier(), body.u4(), body.u4()))
    elif tag in (0x04, 0x06):
        heap.roots.append(OracleRoot(tag, body.identifier(), body.u4(), None))
    elif tag == 0x20:
        _read_class(heap, body)
    elif tag == 0x21:
        object_id, _, class_id, count = body.identifier(), body.u4(), body.identifier(), body.u4()
        heap.instances[object_id] = (class_id, body.take(count))
    elif tag == 0x22:
        object_id, _, count, class_id = body.identifier(), body.u4(), body.u4(), body.identifier()
        heap.object_arrays[object_id] = (class_id, [body.identifier() for _ in range(count)])
    elif tag == 0x23:
        object_id, _, count, code = body.identifier(), body.u4(), body.u4(), body.u1()
        heap.primitive_arrays[object_id] = (code, count, body.take(count * SIZES[code]))
    elif tag == 0xC3:
        object_id, _, count, code = body.identifier(), body.u4(), body.u4(), body.u1()
        heap.primitive_arrays[object_id] = (code, count, None)
    elif tag == 0xFE:
        heap.heap_infos.append((body.u4(), heap.names[body.identifier()]))
    else:
        raise ValueError(f"sub-record {tag:#x} at {body.at - 1}")


def _read_class(heap: OracleHeap, body: _Bytes) -> None:
    class_id, _ = body.identifier(), body.u4()
    super_id, loader_id, signers_id, domain_id = (body.identifier() for _ in range(4))
    body.identifier()
    body.identifier()
    declared_bytes = body.u4()
    constant_ids = []
    for _ in range(body.u2()):
        body.u2()
        code = body.u1()
        value = body.value(code)
        if code == 2:
            constant_ids.append(int(value))
    statics = []
    for _ in range(body.u2()):
        name_id, code = body.identifier(), body.u1()
        statics.append((heap.names.get(name_id, ""), code, body.value(code)))
    fields = []
    for _ in range(body.u2()):
        name_id, code = body.identifier(), body.u1()
        fields.append((heap.names.get(name_id, ""), code))
    heap.classes[class_id] = OracleClass(
        class_id,
        "",
        super_id,
        loader_id,
        signers_id,
        domain_id,
        declared_bytes,
        statics,
        fields,
        constant_ids,
    )
