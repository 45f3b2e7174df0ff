"""Writes valid HPROF: for tests, and for dumps whose secrets were taken out.

Specification: see :mod:`heapscope.parser.tags`.  The writer keeps the bookkeeping
(lengths, interned strings, identifier size) and leaves every choice to its caller: order,
addresses, and how the heap is cut into records.  It streams; only a heap in one record of
known length is held back, in memory up to 64 MiB and then in a temporary file, because its
length comes first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, TypeAlias

from heapscope.parser.names import encode_modified_utf8
from heapscope.parser.tags import (
    FORMAT_VERSIONS,
    SUB_RECORD_BODIES,
    VALUE_FORMATS,
    BasicType,
    RecordTag,
    SubRecordTag,
)

Value: TypeAlias = int | float | bool | str  # str: one char
Bytes: TypeAlias = bytes | bytearray | memoryview

_U4_MAX = 0xFFFFFFFF
_SPOOL_BYTES = 64 << 20


class HeapLayout(Enum):
    """How the heap lies in top-level records."""

    ONE_RECORD = "HEAP_DUMP with its length"  # JDK 5; the length wraps past 4 GiB
    UNPATCHED = "HEAP_DUMP of length 0, to the end of the file"  # the writer could not seek
    SEGMENTS = "HEAP_DUMP_SEGMENT, HEAP_DUMP_END"  # JDK 6 and later, Android


class HprofWriter:
    """Writes one dump to a binary file; the header goes out at once.

    Parameters
    ----------
    file : binary file object
        Only ``write`` is used; it is neither flushed nor closed.  For a gzip dump pass a
        ``gzip.GzipFile(..., mtime=0)``.
    version : "1.0.1", "1.0.2" or "1.0.3"
    identifier_bytes : 4 or 8
    timestamp_ms : int
        Capture time, milliseconds since 1970 UTC.

    Attributes
    ----------
    microseconds : int
        Stamp of the records to come, microseconds since the header's time; modulo 2**32.
    """

    def __init__(
        self,
        file: BinaryIO | IO[bytes],
        *,
        version: str = "1.0.2",
        identifier_bytes: int = 8,
        timestamp_ms: int = 0,
    ) -> None:
        if version not in FORMAT_VERSIONS:
            raise ValueError(f"version {version!r} is none of {', '.join(FORMAT_VERSIONS)}")
        if identifier_bytes not in (4, 8):
            raise ValueError(f"identifiers of {identifier_bytes} bytes: only 4 and 8 are known")
        self.version = version
        self.identifier_bytes = identifier_bytes
        self.microseconds = 0
        self._id_format = "I" if identifier_bytes == 4 else "Q"
        self._file = file
        self._strings: dict[bytes, int] = {}
        self._next_string_id = 1
        self._layout: HeapLayout | None = None  # not None while the heap is being written
        self._segment_bytes = 0
        self._segment = bytearray()
        self._spool: IO[bytes] | None = None
        self._is_closed = False  # an unpatched record swallows everything after it
        header = f"JAVA PROFILE {version}".encode() + b"\0"
        file.write(header + struct.pack(">IQ", identifier_bytes, timestamp_ms))

    # -- top-level records -------------------------------------------------

    def record(self, tag: int, body: Bytes, *, length: int | None = None) -> None:
        """Write any top-level record.

        Parameters
        ----------
        tag : int
        body : bytes-like
        length : int, optional
            What the header says, the body's length by default; it may be wrong, to test readers.

        Raises
        ------
        ValueError
            Inside a heap in one record, or behind one of length 0.
        """
        if self._is_closed:
            raise ValueError("nothing can follow a HEAP_DUMP of length 0")
        if self._layout is HeapLayout.SEGMENTS:
            self._flush_segment()
        elif self._layout is not None:
            name = RecordTag(tag).name
            raise ValueError(f"a {name} record inside one HEAP_DUMP record: write it before the heap")
        self._write_record(tag, memoryview(body), length)

    def _write_record(self, tag: int, body: memoryview, length: int | None = None) -> None:
        claimed = body.nbytes if length is None else length
        self._file.write(struct.pack(">BII", tag, self.microseconds & _U4_MAX, claimed & _U4_MAX))
        self._file.write(body)

    def string(self, text: str | bytes) -> int:
        """Identifier of a text; the UTF8 record is written when the text is first seen.

        ``bytes`` are written as they are, ``str`` as modified UTF-8.
        """
        data = encode_modified_utf8(text) if isinstance(text, str) else bytes(text)
        string_id = self._strings.get(data)
        if string_id is None:
            string_id = self._next_string_id
            self.utf8(string_id, data)
        return string_id

    def utf8(self, string_id: int, data: bytes) -> None:
        """A UTF8 record with an identifier of the caller's choice."""
        self.record(RecordTag.UTF8, self._id(string_id) + data)
        self._strings.setdefault(data, string_id)
        self._next_string_id = max(self._next_string_id, string_id + 1)

    def load_class(
        self, class_serial: int, class_id: int, name: str | bytes | int, trace_serial: int = 0
    ) -> None:
        """A class: its two serials, its identifier, and its name as the JVM has it (``java/lang/String``)."""
        name_id = self._string_id(name)
        body = _u4(class_serial) + self._id(class_id) + _u4(trace_serial) + self._id(name_id)
        self.record(RecordTag.LOAD_CLASS, body)

    def unload_class(self, class_serial: int) -> None:
        """A class that was unloaded."""
        self.record(RecordTag.UNLOAD_CLASS, _u4(class_serial))

    def frame(
        self,
        frame_id: int,
        method: str | bytes | int,
        signature: str | bytes | int = "()V",
        source_file: str | bytes | int = 0,
        class_serial: int = 0,
        line: int = -1,
    ) -> None:
        """A stack frame.

        Parameters
        ----------
        frame_id : int
        method, signature, source_file : str, bytes or int
            Texts, or identifiers of strings.
        class_serial : int
            Of the class whose method it is, as `load_class` has it.
        line : int
            Above 0 the line; -1 unknown, -2 compiled method, -3 native method.
        """
        names = b"".join(self._id(self._string_id(name)) for name in (method, signature, source_file))
        body = self._id(frame_id) + names + struct.pack(">Ii", class_serial, line)
        self.record(RecordTag.FRAME, body)

    def trace(self, trace_serial: int, thread_serial: int, frame_ids: Sequence[int] = ()) -> None:
        """A stack trace: its serial, that of its thread, and its frames, the innermost first."""
        body = struct.pack(">III", trace_serial, thread_serial, len(frame_ids))
        self.record(RecordTag.TRACE, body + b"".join(map(self._id, frame_ids)))

    def start_thread(
        self,
        thread_serial: int,
        thread_id: int,
        name: str | bytes | int,
        group: str | bytes | int = "",
        parent_group: str | bytes | int = "",
        trace_serial: int = 0,
    ) -> None:
        """A thread that was started: its serial, its object, three texts, and its stack trace's serial."""
        names = b"".join(self._id(self._string_id(text)) for text in (name, group, parent_group))
        body = _u4(thread_serial) + self._id(thread_id) + _u4(trace_serial) + names
        self.record(RecordTag.START_THREAD, body)

    def end_thread(self, thread_serial: int) -> None:
        """A thread that ended."""
        self.record(RecordTag.END_THREAD, _u4(thread_serial))

    def heap_summary(
        self, live_bytes: int, live_count: int, allocated_bytes: int = 0, allocated_count: int = 0
    ) -> None:
        """Bytes and number of the objects in the heap, and of those that were ever allocated."""
        body = struct.pack(">IIQQ", live_bytes, live_count, allocated_bytes, allocated_count)
        self.record(RecordTag.HEAP_SUMMARY, body)

    def alloc_sites(
        self,
        sites: Iterable[tuple[int, int, int, int, int, int, int]] = (),
        *,
        flags: int = 0,
        cutoff_ratio: float = 0.0,
        totals: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:
        """Allocation sites.

        Parameters
        ----------
        sites : iterable of 7 int
            Array code (0 or a basic type), class serial, stack trace serial, live bytes, live
            instances, bytes allocated, instances allocated.
        flags : int
        cutoff_ratio : float
        totals : 4 int
            Live bytes, live instances, bytes allocated, instances allocated.
        """
        rows = list(sites)
        head = struct.pack(">HfIIQQI", flags, cutoff_ratio, *totals, len(rows))
        self.record(RecordTag.ALLOC_SITES, head + b"".join(struct.pack(">B6I", *row) for row in rows))

    def cpu_samples(self, samples: Iterable[tuple[int, int]] = (), *, total: int | None = None) -> None:
        """CPU samples as (number of samples, stack trace serial); ``total`` defaults to their sum."""
        rows = list(samples)
        count = sum(row[0] for row in rows) if total is None else total
        head = struct.pack(">II", count, len(rows))
        self.record(RecordTag.CPU_SAMPLES, head + b"".join(struct.pack(">II", *row) for row in rows))

    def control_settings(self, flags: int = 0, trace_depth: int = 0) -> None:
        """What the HPROF agent was told to do."""
        self.record(RecordTag.CONTROL_SETTINGS, struct.pack(">IH", flags, trace_depth))

    # -- the heap ----------------------------------------------------------

    @contextmanager
    def heap(
        self, layout: HeapLayout = HeapLayout.SEGMENTS, *, segment_bytes: int = 1 << 20, end: bool = True
    ) -> Iterator[HprofWriter]:
        """Inside the ``with`` block the sub-record methods write the heap.

        Parameters
        ----------
        layout : HeapLayout
        segment_bytes : int
            A segment is cut before the sub-record that would make it longer; a sub-record
            never spans two, so one that is longer by itself makes a longer segment.
        end : bool
            Whether HEAP_DUMP_END follows segments.

        With segments, top-level records (also the strings of classes written inside) may be
        interspersed: they cut the segment.

        Raises
        ------
        ValueError
            A heap is being written, or a heap of length 0 was.
        """
        if self._layout is not None:
            raise ValueError("the heap is being written already")
        if self._is_closed:
            raise ValueError("nothing can follow a HEAP_DUMP of length 0")
        self._layout, self._segment_bytes = layout, segment_bytes
        if layout is HeapLayout.UNPATCHED:
            self._write_record(RecordTag.HEAP_DUMP, memoryview(b""))
            self._is_closed = True
        elif layout is HeapLayout.ONE_RECORD:
            self._spool = SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 (closed below)
        try:
            yield self
            if layout is HeapLayout.SEGMENTS:
                self._flush_segment()
                if end:
                    self._write_record(RecordTag.HEAP_DUMP_END, memoryview(b""))
            elif self._spool is not None:
                self._write_spool(self._spool)
        finally:
            self._layout = None
            if self._spool is not None:
                self._spool.close()
                self._spool = None

    def sub_records(self, encoded: Bytes) -> None:
        """Whole sub-records that are bytes already, e.g. copied from another dump.

        Raises
        ------
        ValueError
            Outside of `heap`, or where they do not fit a segment.
        """
        if self._layout is None:
            raise ValueError("sub-records belong inside `with writer.heap():`")
        data = memoryview(encoded)
        if self._layout is HeapLayout.SEGMENTS:
            if self._segment and len(self._segment) + data.nbytes > self._segment_bytes:
                self._flush_segment()
            if len(self._segment) + data.nbytes > _U4_MAX:
                raise ValueError(f"sub-records of {data.nbytes:,} bytes do not fit a segment (4 GiB)")
            self._segment += data
        elif self._spool is not None:
            self._spool.write(data)
        else:
            self._file.write(data)

    def root(
        self,
        kind: SubRecordTag,
        object_id: int,
        *,
        thread_serial: int = 0,
        frame: int = 0,
        reference_id: int = 0,
    ) -> None:
        """A GC root of any kind.

        Parameters
        ----------
        kind : SubRecordTag
        object_id : int
        thread_serial : int
            Of JNI local, Java frame, native stack, thread block, thread object, JNI monitor.
        frame : int
            Frame number (-1: no frame) of JNI local, Java frame and JNI monitor; the stack
            trace serial of a thread object.
        reference_id : int
            The reference itself, of JNI global.

        Raises
        ------
        ValueError
            ``kind`` is no GC root.
        """
        plain, identifiers = SUB_RECORD_BODIES.get(kind, (0, 0))
        if not identifiers or kind is SubRecordTag.HEAP_DUMP_INFO:
            raise ValueError(f"{kind.name} is no GC root")
        body = bytes((kind,)) + self._id(object_id)
        body += self._id(reference_id) if kind is SubRecordTag.ROOT_JNI_GLOBAL else b""
        body += (_u4(thread_serial) + _u4(frame))[:plain]
        self.sub_records(body)

    def heap_info(self, heap_number: int, name: str | bytes | int) -> None:
        """Android: the objects that follow lie in this heap (``app``, ``zygote``, ``image``)."""
        name_id = self._string_id(name)
        self.sub_records(bytes((SubRecordTag.HEAP_DUMP_INFO,)) + _u4(heap_number) + self._id(name_id))

    def class_dump(
        self,
        class_id: int,
        super_id: int = 0,
        *,
        loader_id: int = 0,
        signers_id: int = 0,
        protection_domain_id: int = 0,
        instance_bytes: int = 0,
        constant_pool: Iterable[tuple[int, BasicType, Value]] = (),
        statics: Iterable[tuple[str | bytes | int, BasicType, Value]] = (),
        fields: Iterable[tuple[str | bytes | int, BasicType]] = (),
        trace_serial: int = 0,
    ) -> None:
        """A class.

        Parameters
        ----------
        class_id, super_id, loader_id, signers_id, protection_domain_id : int
            Identifiers of objects, 0 for none.
        instance_bytes : int
            What the record says that an instance takes, which is no shallow size.
        constant_pool : iterable of (index, type, value)
        statics : iterable of (name, type, value)
        fields : iterable of (name, type)
            Those that the class declares itself.
        trace_serial : int
        """
        pool = [
            struct.pack(">HB", index, kind) + self.value(kind, value) for index, kind, value in constant_pool
        ]
        named = [
            self._id(self._string_id(name)) + bytes((kind,)) + self.value(kind, value)
            for name, kind, value in statics
        ]
        own = [self._id(self._string_id(name)) + bytes((kind,)) for name, kind in fields]
        ids = (super_id, loader_id, signers_id, protection_domain_id, 0, 0)  # two are reserved
        parts = [bytes((SubRecordTag.CLASS_DUMP,)), self._id(class_id), _u4(trace_serial)]
        parts += [self._id(each) for each in ids]
        parts.append(_u4(instance_bytes))
        for entries in (pool, named, own):
            parts.append(struct.pack(">H", len(entries)))
            parts += entries
        self.sub_records(b"".join(parts))

    def instance(self, object_id: int, class_id: int, field_bytes: bytes, trace_serial: int = 0) -> None:
        """An object that is no array.

        Parameters
        ----------
        object_id, class_id : int
        field_bytes : bytes
            The values of its class's own fields, then of each superclass's.
        trace_serial : int
        """
        head = bytes((SubRecordTag.INSTANCE_DUMP,)) + self._id(object_id) + _u4(trace_serial)
        self.sub_records(head + self._id(class_id) + _u4(len(field_bytes)) + field_bytes)

    def object_array(
        self, object_id: int, array_class_id: int, element_ids: Sequence[int], trace_serial: int = 0
    ) -> None:
        """An array of references.

        Parameters
        ----------
        object_id, array_class_id : int
        element_ids : sequence of int
        trace_serial : int
        """
        head = bytes((SubRecordTag.OBJECT_ARRAY_DUMP,)) + self._id(object_id)
        head += struct.pack(">II", trace_serial, len(element_ids)) + self._id(array_class_id)
        self.sub_records(head + struct.pack(f">{len(element_ids)}{self._id_format}", *element_ids))

    def primitive_array(
        self,
        object_id: int,
        element_type: BasicType,
        elements: Bytes | Sequence[int] | Sequence[float] | Sequence[bool],
        trace_serial: int = 0,
    ) -> None:
        """An array of a primitive type.

        Parameters
        ----------
        object_id : int
        element_type : BasicType
        elements : bytes-like, or sequence of values
            Bytes are taken as the big-endian elements.
        trace_serial : int

        Raises
        ------
        ValueError
            The bytes are no whole number of elements.
        """
        code = VALUE_FORMATS[element_type]
        if isinstance(elements, bytes | bytearray | memoryview):
            data = bytes(elements)
        else:
            data = struct.pack(f">{len(elements)}{code}", *elements)
        count, rest = divmod(len(data), struct.calcsize(f">{code}"))
        if rest:
            raise ValueError(f"{len(data)} bytes are no whole number of {element_type.java_name} elements")
        head = bytes((SubRecordTag.PRIMITIVE_ARRAY_DUMP,)) + self._id(object_id)
        self.sub_records(head + struct.pack(">IIB", trace_serial, count, element_type) + data)

    def primitive_array_without_data(
        self, object_id: int, element_type: BasicType, length: int, trace_serial: int = 0
    ) -> None:
        """Android: an array whose elements, ``length`` of them, were not written; see `primitive_array`."""
        head = bytes((SubRecordTag.PRIMITIVE_ARRAY_NODATA,)) + self._id(object_id)
        self.sub_records(head + struct.pack(">IIB", trace_serial, length, element_type))

    def value(self, kind: BasicType, value: Value) -> bytes:
        """One value as the dump has it; a reference takes the identifier size, a char may be a str."""
        if kind is BasicType.OBJECT:
            return self._id(int(value))
        if kind is BasicType.CHAR and isinstance(value, str):
            value = ord(value)
        return struct.pack(">" + VALUE_FORMATS[kind], value)

    # -- bookkeeping -------------------------------------------------------

    def _id(self, identifier: int) -> bytes:
        return identifier.to_bytes(self.identifier_bytes, "big")

    def _string_id(self, name: str | bytes | int) -> int:
        return name if isinstance(name, int) else self.string(name)

    def _flush_segment(self) -> None:
        if self._segment:
            self._write_record(RecordTag.HEAP_DUMP_SEGMENT, memoryview(self._segment))
            self._segment = bytearray()

    def _write_spool(self, spool: IO[bytes]) -> None:
        length = spool.tell()  # past 4 GiB the u4 wraps, as the JDK's did
        spool.seek(0)
        self._write_record(RecordTag.HEAP_DUMP, memoryview(b""), length)
        while chunk := spool.read(1 << 20):
            self._file.write(chunk)


def _u4(number: int) -> bytes:
    return (number & _U4_MAX).to_bytes(4, "big")
