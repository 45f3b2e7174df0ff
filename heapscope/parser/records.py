"""Top-level records of a dump: header, strings, classes, stack traces.

Format: see `heapscope.parser.tags`.  Strings and stack traces are decoded on demand; the
records themselves stay bytes in one array, the mapped file or a copy of its small parts.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from heapscope.errors import CorruptRecord, NotHprof, TruncatedDump, UnsupportedFormat
from heapscope.parser import kernels
from heapscope.parser.names import decode_modified_utf8, java_name
from heapscope.parser.tags import (
    FORMAT_VERSIONS,
    HEADER_BYTES,
    MAGIC_PREFIX,
    RECORD_HEADER_BYTES,
    RECORD_LENGTH_OFFSET,
    TRACE_HEAD_BYTES,
    VALUE_FORMATS,
    BasicType,
    RecordTag,
    record_body_bytes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


_UNNAMED = "<class at 0x"


@dataclass(frozen=True, slots=True)
class Header:
    """The dump's first bytes."""

    version: str  # "1.0.1", "1.0.2" or "1.0.3"
    identifier_bytes: int  # 4 or 8
    timestamp_ms: int  # capture time, milliseconds since 1970 UTC


@dataclass(frozen=True, slots=True)
class Field:
    """An instance field that a class declares itself."""

    name: str
    type: BasicType


@dataclass(frozen=True, slots=True)
class StaticField:
    """A static field and its value; the identifier where the type is OBJECT."""

    name: str
    type: BasicType
    value: int | float | bool


@dataclass(frozen=True, slots=True, repr=False)
class JavaClass:
    """A class of the dump; ``offset`` -1 and no fields where only LOAD_CLASS names it."""

    class_id: int
    name: str  # as in Java source: java.util.HashMap$Node, byte[], java.lang.Object[][]
    super_id: int
    loader_id: int
    signers_id: int
    protection_domain_id: int
    declared_bytes: int  # CLASS_DUMP's "instance size", which is no shallow size
    fields: tuple[Field, ...]  # own fields, in the dump's order
    statics: tuple[StaticField, ...]
    offset: int
    constant_ids: tuple[
        int, ...
    ] = ()  # objects in its constant pool: agents list them, HotSpot's own dumps not

    def __repr__(self) -> str:
        own = f"{len(self.fields)} fields, {len(self.statics)} statics"
        return f"<class {self.name} 0x{self.class_id:x}: {own}>"

    @property
    def is_dumped(self) -> bool:
        """Whether a CLASS_DUMP describes it."""
        return self.offset >= 0

    @property
    def is_named(self) -> bool:
        """Whether the dump has its name."""
        return not self.name.startswith(_UNNAMED)

    @property
    def is_array(self) -> bool:
        """Whether its instances are arrays."""
        return self.name.endswith("[]")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack trace."""

    method: str
    signature: str
    source_file: str
    class_name: str
    line: int  # > 0 the line, 0 none, -1 unknown, -2 compiled, -3 native

    def __str__(self) -> str:
        where = self.source_file or "Unknown Source"
        if self.line > 0:
            where += f":{self.line}"
        elif self.line == -3:
            where = "Native Method"
        return f"{self.class_name}.{self.method}({where})"


def parse_header(data: bytes, path: str | os.PathLike[str]) -> Header:
    """Header from a dump's first `HEADER_BYTES` bytes.

    Raises
    ------
    NotHprof, UnsupportedFormat, TruncatedDump
    """
    if not data.startswith(MAGIC_PREFIX[: len(data)]):
        raise NotHprof(path, 0, "no heap dump inside: it should begin with 'JAVA PROFILE 1.0.x'")
    if len(data) < HEADER_BYTES:
        raise TruncatedDump(
            path,
            len(data),
            f"the header takes {HEADER_BYTES} bytes, {len(data)} are there; "
            "the dump was cut short, take it again",
        )
    version, end = data[13:18].decode("latin-1"), data[18]
    if version not in FORMAT_VERSIONS or end != 0:
        raise UnsupportedFormat(
            path,
            13,
            f"heap dump format {data[13:19]!r} is unknown; heapscope reads {', '.join(FORMAT_VERSIONS)}",
        )
    identifier_bytes, timestamp_ms = struct.unpack_from(">IQ", data, 19)
    if identifier_bytes not in (4, 8):
        raise CorruptRecord(
            path, 19, f"identifiers of {identifier_bytes:,} bytes; 4 or 8 are possible, the header is damaged"
        )
    return Header(version, identifier_bytes, timestamp_ms)


def read_record_head(head: bytes) -> tuple[int, int]:
    """Tag and body length of a top-level record from its first `RECORD_HEADER_BYTES` bytes."""
    return head[0], int.from_bytes(head[RECORD_LENGTH_OFFSET:RECORD_HEADER_BYTES], "big")


def u4_at(data: NDArray[np.uint8], position: int) -> int:
    """The big-endian unsigned integer of four bytes at a position that lies inside ``data``."""
    return int.from_bytes(data[position : position + 4].tobytes(), "big")


class RecordList:
    """The top-level records but the heap: where each is, in one array of bytes.

    Attributes
    ----------
    blob : uint8 array
        What ``starts`` points into.
    tags : uint8 array, shape (n,)
    starts, lengths : int64 arrays, shape (n,)
        Body of each record in ``blob``.
    """

    def __init__(
        self,
        blob: NDArray[np.uint8],
        tags: NDArray[np.uint8],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        identifier_bytes: int,
        path: str,
    ) -> None:
        self.blob = blob
        self.tags = tags
        self.starts = starts
        self.lengths = lengths
        self._id = identifier_bytes
        self._path = path
        self._string_ids: NDArray[np.uint64] | None = None

    def rows(self, tag: RecordTag, at_least: int) -> NDArray[np.int64]:
        """Rows of the records with ``tag``, in order.

        Raises
        ------
        CorruptRecord
            A body is shorter than ``at_least`` bytes.
        """
        rows = np.nonzero(self.tags == tag)[0]
        short = rows[self.lengths[rows] < at_least]
        if short.size:
            raise CorruptRecord(
                self._path,
                None,
                f"a {tag.name} record has {int(self.lengths[short[0]])} bytes, at least {at_least} are "
                "needed; the dump is damaged, take it again",
            )
        return rows

    def bodies(self, tag: RecordTag, at_least: int) -> Iterator[bytes]:
        """Body of every record with ``tag``, in order; errors as `rows` has them."""
        for row in self.rows(tag, at_least):
            start = int(self.starts[row])
            yield self.blob[start : start + int(self.lengths[row])].tobytes()

    def _index_strings(self) -> NDArray[np.uint64]:
        rows = np.nonzero((self.tags == RecordTag.UTF8) & (self.lengths >= self._id))[0]
        positions = self.starts[rows]
        ids = self.ids_at(positions)
        order = np.argsort(ids, kind="stable")
        self._string_starts = positions[order] + self._id
        self._string_lengths = self.lengths[rows][order] - self._id
        self._string_ids = ids[order]
        return self._string_ids

    def strings(self, string_ids: NDArray[np.uint64]) -> list[str | None]:
        """Texts of UTF8 records, None where the dump has none of an identifier."""
        ids = self._string_ids if self._string_ids is not None else self._index_strings()
        if ids.size == 0:
            return [None] * string_ids.size
        rows = np.minimum(np.searchsorted(ids, string_ids), ids.size - 1)
        starts = np.where(ids[rows] == string_ids, self._string_starts[rows], -1).tolist()
        lengths = self._string_lengths[rows].tolist()
        view = self.blob.data
        return [
            None if start < 0 else decode_modified_utf8(bytes(view[start : start + length]))
            for start, length in zip(starts, lengths, strict=True)
        ]

    def string(self, string_id: int) -> str | None:
        """Text of a UTF8 record, None where the dump has none of that identifier."""
        ids = self._string_ids if self._string_ids is not None else self._index_strings()
        row = int(ids.searchsorted(np.uint64(string_id)))
        if row == ids.size or int(ids[row]) != string_id:
            return None
        start = int(self._string_starts[row])
        return decode_modified_utf8(bytes(self.blob.data[start : start + int(self._string_lengths[row])]))

    def ids_at(self, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Identifiers at positions of ``blob`` that lie inside its records."""
        ids = np.empty(positions.size, np.uint64)
        kernels.read_ids(self.blob, positions, self._id, ids)
        return ids


@dataclass(frozen=True)
class ClassNames:
    """What the LOAD_CLASS records say."""

    by_id: dict[int, str]  # class identifier -> Java source name
    by_serial: dict[int, int]  # class serial -> class identifier


def read_class_names(records: RecordList, identifier_bytes: int) -> ClassNames:
    """Class names from LOAD_CLASS and UTF8 records.

    Raises
    ------
    CorruptRecord
        A record is too short.
    """
    rows = records.rows(RecordTag.LOAD_CLASS, record_body_bytes(RecordTag.LOAD_CLASS, identifier_bytes))
    starts = records.starts[rows]
    class_ids = records.ids_at(starts + 4).tolist()
    texts = records.strings(records.ids_at(starts + 8 + identifier_bytes))
    by_id: dict[int, str] = {}
    by_serial: dict[int, int] = {}
    for start, class_id, text in zip(starts.tolist(), class_ids, texts, strict=True):
        by_id.setdefault(class_id, unnamed_class(class_id) if text is None else java_name(text))
        by_serial.setdefault(u4_at(records.blob, start), class_id)
    return ClassNames(by_id, by_serial)


def unnamed_class(class_id: int) -> str:
    """How a class without a name is called."""
    return f"{_UNNAMED}{class_id:x}>"


_TYPES = {int(t): t for t in BasicType}


@dataclass
class ClassReader:
    """Decodes CLASS_DUMP sub-records whose bounds a kernel has checked."""

    identifier_bytes: int
    records: RecordList
    names: ClassNames
    _texts: dict[int, str] = field(default_factory=dict)
    _fields: dict[bytes, Field] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unit = "Q" if self.identifier_bytes == 8 else "I"
        self._id_format = struct.Struct(">" + unit)
        # id class, u4 stack trace serial, six ids (super, loader, signers, protection
        # domain, two reserved), u4 instance size, u2 constant pool size
        self._head = struct.Struct(f">x{unit}I6{unit}IH")
        self._values = {code: struct.Struct(">" + form) for code, form in VALUE_FORMATS.items()}
        self._values[BasicType.OBJECT] = self._id_format

    def _text(self, string_id: int) -> str:
        text = self._texts.get(string_id)
        if text is None:
            found = self.records.string(string_id)
            text = self._texts[string_id] = f"<name 0x{string_id:x}>" if found is None else found
        return text

    def read(self, data: bytes, offset: int) -> JavaClass:
        """The class in ``data`` (from its tag on), which stood at ``offset`` in the dump."""
        width = self.identifier_bytes
        head = self._head.unpack_from(data)
        class_id, _, super_id, loader_id, signers_id, domain_id, _, _, declared, constants = head
        p = self._head.size
        constant_ids: list[int] = []
        for _ in range(constants):
            code = data[p + 2]
            if code == BasicType.OBJECT:
                constant_ids += self._id_format.unpack_from(data, p + 3)
            p += 3 + self._values[code].size
        count = data[p] << 8 | data[p + 1]
        p += 2
        statics = []
        from_id = self._id_format.unpack_from
        for _ in range(count):
            (name_id,) = from_id(data, p)
            code = data[p + width]
            reader = self._values[code]
            (value,) = reader.unpack_from(data, p + width + 1)
            statics.append(StaticField(self._text(name_id), _TYPES[code], value))
            p += width + 1 + reader.size
        count = data[p] << 8 | data[p + 1]
        p += 2
        fields = []
        for _ in range(count):
            # Many classes share names such as "size": one Field serves them all.
            key = data[p : p + width + 1]
            known = self._fields.get(key)
            if known is None:
                known = self._fields[key] = Field(self._text(from_id(key)[0]), _TYPES[key[width]])
            fields.append(known)
            p += width + 1
        name = self.names.by_id.get(class_id)
        return JavaClass(
            class_id=class_id,
            name=unnamed_class(class_id) if name is None else name,
            super_id=super_id,
            loader_id=loader_id,
            signers_id=signers_id,
            protection_domain_id=domain_id,
            declared_bytes=declared,
            fields=tuple(fields),
            statics=tuple(statics),
            offset=offset,
            constant_ids=tuple(constant_ids),
        )


def loaded_class(class_id: int, name: str) -> JavaClass:
    """A class that LOAD_CLASS names and no CLASS_DUMP describes."""
    return JavaClass(
        class_id=class_id,
        name=name,
        super_id=0,
        loader_id=0,
        signers_id=0,
        protection_domain_id=0,
        declared_bytes=0,
        fields=(),
        statics=(),
        offset=-1,
    )


class StackTraces:
    """Stack traces by serial, decoded from FRAME and TRACE records on first use."""

    def __init__(self, records: RecordList, names: ClassNames, identifier_bytes: int) -> None:
        self._records = records
        self._names = names
        unit = "Q" if identifier_bytes == 8 else "I"
        self._unit = unit
        frame = struct.Struct(f">4{unit}Ii")
        self._frames = {
            values[0]: values[1:]
            for body in records.bodies(RecordTag.FRAME, frame.size)
            for values in (frame.unpack_from(body),)
        }
        self._traces: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._of_thread: dict[int, int] = {}
        for body in records.bodies(RecordTag.TRACE, TRACE_HEAD_BYTES):
            serial, thread_serial, count = struct.unpack_from(">III", body)
            count = min(count, (len(body) - TRACE_HEAD_BYTES) // identifier_bytes)
            self._traces[serial] = (
                thread_serial,
                struct.unpack_from(f">{count}{unit}", body, TRACE_HEAD_BYTES),
            )
            if thread_serial:
                self._of_thread[thread_serial] = serial

    def frames(self, trace_serial: int, thread_serial: int = 0) -> tuple[Frame, ...]:
        """Frames of a trace, the innermost first; empty for an unknown serial.

        With ``thread_serial``, a trace that belongs to another thread is not taken: the
        serviceability agent (``jhsdb``) gives all threads trace 1, and the trace its thread.
        """
        owner, frame_ids = self._traces.get(trace_serial, (0, ()))
        if thread_serial and owner != thread_serial and thread_serial in self._of_thread:
            _, frame_ids = self._traces[self._of_thread[thread_serial]]
        return tuple(self._frame(frame_id) for frame_id in frame_ids if frame_id in self._frames)

    def _frame(self, frame_id: int) -> Frame:
        method, signature, source, class_serial, line = self._frames[frame_id]
        class_id = self._names.by_serial.get(class_serial, 0)
        text = self._records.string
        return Frame(
            text(method) or "<unknown>",
            text(signature) or "",
            text(source) or "",
            self._names.by_id.get(class_id, "<unknown>"),
            line,
        )
