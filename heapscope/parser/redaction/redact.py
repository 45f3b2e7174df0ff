"""The same dump without its secrets.

Graph, classes and sizes stay; zeroed are elements of primitive arrays (so every string, the
environment, the system properties, thread names), primitive fields and statics, and class
constants.  Of the UTF8 records only names in use are kept, of classes, fields, methods and source
files; all others are left out: HotSpot writes its whole symbol table, string literals included.  What values
stay is listed in `heapscope.parser.redaction.names`.

`Redactor` is a filter for a stream, so that secrets need never touch a disk.  UTF8 records come first
in a dump, and what they are used for last; so the filter holds back what comes before the first object,
and where a name is found to be in use only later, its record follows later.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heapscope.errors import CorruptRecord, NeedsClasses, TruncatedDump
from heapscope.parser import kernels
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import infer_layout
from heapscope.parser.records import Header, parse_header, read_record_head, u4_at
from heapscope.parser.redaction.kernels import (
    FIRST_OBJECT,
    HEAP_NAME,
    IS_WAITING,
    MET_CLASS,
    NEED_CLASS,
    WIPES,
    redact,
)
from heapscope.parser.redaction.names import NameHider, is_jdk, is_layout, keeps_field, keeps_static
from heapscope.parser.redaction.tables import Names, SpanTable
from heapscope.parser.segment_counts import raise_corrupt
from heapscope.parser.tags import (
    HEADER_BYTES,
    MAGIC_PREFIX,
    RECORD_BODIES,
    RECORD_HEADER_BYTES,
    TINY_DUMP,
    TRACE_HEAD_BYTES,
    VALUE_BYTES,
    BasicType,
    RecordTag,
    SubRecordTag,
    class_head_bytes,
    instance_class_offset,
    instance_head_bytes,
    instance_length_offset,
    record_body_bytes,
)

_GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")
_HELD_BYTES = 1 << 28  # held back before the first object, no more
_TEXT_BYTES = 1 << 12  # longer arrays are no strings to keep
_MAX_DATA_BYTES = 1 << 24  # of an instance of a class whose superclass is missing
_MAX_RECORD_BYTES = 1 << 26
_NO_END = 1 << 62
_TWO_PASSES = "; a stream cannot be redacted then, but the file can: heapscope redact"
_TAGS = frozenset(int(tag) for tag in RecordTag)
_HEAP = (RecordTag.HEAP_DUMP, RecordTag.HEAP_DUMP_SEGMENT)
# Lists of numbers: bytes up to the items, the last four of which count them; bytes and identifiers of one.
_LISTS = {
    RecordTag.TRACE: (TRACE_HEAD_BYTES, 0, 1),
    RecordTag.ALLOC_SITES: (34, 25, 0),
    RecordTag.CPU_SAMPLES: (8, 8, 0),
}


@dataclass
class _Class:
    super_id: int
    fields: list[tuple[int, bool]]  # width in bytes, whether the value stays


class Redactor:
    """A filter that takes the secrets out of a dump that flows through it.

    ::

        redactor = Redactor()
        for block in blocks:
            out.write(redactor.feed(block))
        out.write(redactor.finish())

    Parameters
    ----------
    keep_strings : sequence of str
        Globs; strings that one of them matches as a whole stay as they are.
    hide_names : bool
        Whether names of classes, fields, methods and source files become keyed hashes, the JDK's aside.
    key : bytes
        Of the hashes: dumps redacted with one key can be compared.  Needed with ``hide_names``.
    path : str
        What errors call the stream.
    allow_cut : bool
        Whether a dump may end inside a record: the copy then ends where the last whole one did.
    """

    def __init__(
        self,
        *,
        keep_strings: Sequence[str] = (),
        hide_names: bool = False,
        key: bytes = b"",
        path: str = "the dump",
        allow_cut: bool = False,
    ) -> None:
        if hide_names and not key:
            raise ValueError("names are hidden with a key: pass one, random or kept for later dumps")
        self._path = path
        self._allow_cut = allow_cut
        self._keep = re.compile("|".join(map(translate, keep_strings))) if keep_strings else None
        self._hider = NameHider(key) if hide_names else None
        self.has_late_names = False  # given out behind the class that uses them: not every reader likes it
        self._names = Names()
        self._classes: dict[int, _Class] = {}
        self._has_learned = self._is_learning = False
        self._text_spans = np.zeros((1 << 12, 2), np.int64)
        self._begin()

    def _begin(self) -> None:
        """The state before the first byte; what was learned stays."""
        self._rest = b""
        self._base = 0  # of `_rest` in the dump
        self._header: Header | None = None
        self._heap_stop = -1  # of the heap record we are in, as an offset in the dump; -1: in none
        self._skip, self._wipes = 0, False  # bytes of an array that goes on, and whether they are zeroed
        self._head = b""
        self._held: list[bytes] | None = []  # what came before the first object, but the header
        self._held_bytes = 0
        self._state = np.zeros(kernels.STATE, np.int64)
        self._rows = SpanTable()

    def learn(self, blocks: Iterable[bytes | memoryview]) -> None:
        """Read the whole dump beforehand: its classes may then come after their objects.

        Parameters
        ----------
        blocks : iterable of bytes-like
        """
        self._is_learning = True
        for block in blocks:
            self.feed(block)
        self._begin()
        self._is_learning, self._has_learned = False, True

    def feed(self, data: bytes | memoryview) -> bytes:
        """What is ready of the redacted dump after more bytes of the dump.

        Raises
        ------
        HprofError
            The bytes are no dump, or `NeedsClasses`.
        """
        out: list[bytes] = []
        buffer = np.empty(len(self._rest) + len(data), np.uint8)
        buffer[: len(self._rest)] = np.frombuffer(self._rest, np.uint8)
        buffer[len(self._rest) :] = np.frombuffer(data, np.uint8)
        done = self._work(buffer, out)
        self._rest = buffer[done:].tobytes()
        self._base += done
        return b"".join(out)

    def finish(self) -> bytes:
        """The rest of the redacted dump.

        Raises
        ------
        TruncatedDump
            The dump ends inside a record.
        """
        is_open_ended = self._heap_stop == _NO_END
        is_whole = is_open_ended or self._heap_stop in (-1, self._base)
        is_whole &= not self._rest and not self._skip
        if self._header is None or not (is_whole or self._allow_cut):
            raise TruncatedDump(
                self._path, self._base, "the dump ends inside a record; it was cut short, take it again"
            )
        out: list[bytes] = []
        self._release(out)
        self._add_names(out)
        if self.has_late_names and is_open_ended:
            raise NeedsClasses(self._path, None, f"names follow their last place{_TWO_PASSES}")
        return b"".join(out)

    # --- the row of records ---

    def _work(self, buffer: NDArray[np.uint8], out: list[bytes]) -> int:
        """Redact what is whole in ``buffer``; how many bytes that was."""
        position = 0
        if self._header is None:
            if buffer.size < HEADER_BYTES:
                if buffer.size:
                    _check_magic(buffer.tobytes(), self._path)
                return 0
            self._head = buffer[:HEADER_BYTES].tobytes()
            self._header = parse_header(self._head, self._path)
            self._width = self._header.identifier_bytes
            self._id = struct.Struct(">Q" if self._width == 8 else ">I")
            self._constants = kernel_constants(self._width, _GUESS)
            position = HEADER_BYTES
        while True:
            if self._skip:
                step = min(self._skip, buffer.size - position)
                if self._wipes:
                    buffer[position : position + step] = 0
                self._put(out, buffer, position, position + step)
                self._skip -= step
                position += step
                if self._skip:
                    return position
            if self._heap_stop == self._base + position:
                self._heap_stop = -1
            moved = (
                self._heap(buffer, position, out)
                if self._heap_stop >= 0
                else self._record(buffer, position, out)
            )
            if moved < 0:
                return position
            position += moved

    def _put(self, out: list[bytes], buffer: NDArray[np.uint8], start: int, stop: int) -> None:
        if self._is_learning or stop <= start:
            return
        piece = buffer[start:stop].tobytes()
        if self._held is None:
            out.append(piece)
            return
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > _HELD_BYTES:
            self._release(out)

    def _release(self, out: list[bytes]) -> None:
        """Give out the names that are in use by now, and what was held back."""
        if self._held is None or self._is_learning:
            return
        out += [self._head, *self._names.wanted(self._id, self._hider), *self._held]
        self._held = None

    def _add_names(self, out: list[bytes]) -> None:
        """Between two records: names that came into use since the last time."""
        late = self._names.wanted(self._id, self._hider)
        self.has_late_names |= bool(late)
        out += late

    def _record(self, buffer: NDArray[np.uint8], position: int, out: list[bytes]) -> int:
        """A top-level record, or a run of UTF8 records; its bytes, -1 where it is not whole yet."""
        body = position + RECORD_HEADER_BYTES
        if buffer.size < body:
            return -1
        head = buffer[position:body].tobytes()
        tag, length = read_record_head(head)
        if tag == RecordTag.UTF8 and (run := self._names.read(buffer, position, self._width)):
            return run
        where = self._base + position
        if self._held is None and not self._is_learning:
            self._add_names(out)
        if tag in _HEAP:
            is_open_ended = tag == RecordTag.HEAP_DUMP and length == 0
            self._heap_stop = _NO_END if is_open_ended else where + RECORD_HEADER_BYTES + length
            self._put(out, buffer, position, body)
            return RECORD_HEADER_BYTES
        if tag not in _TAGS:
            raise CorruptRecord(self._path, where, f"record tag 0x{tag:02x} is unknown; the dump is damaged")
        if length > _MAX_RECORD_BYTES:
            raise CorruptRecord(
                self._path, where, f"record 0x{tag:02x} claims {length:,} bytes; the dump is damaged"
            )
        if body + length > buffer.size:
            return -1
        exact = length
        if tag in RECORD_BODIES:
            exact = record_body_bytes(RecordTag(tag), self._width)
        elif tag in _LISTS and length < _LISTS[RecordTag(tag)][0]:
            exact = 0
        elif tag in _LISTS:
            start, plain, identifiers = _LISTS[RecordTag(tag)]
            count = u4_at(buffer, body + start - 4)
            exact = min(length, start + count * (plain + identifiers * self._width))
        if length < exact:
            raise CorruptRecord(
                self._path, where, f"record 0x{tag:02x} has {length} bytes, {exact} are needed"
            )
        buffer[body + exact : body + length] = 0  # nothing is meant to be there
        self._names.note(tag, buffer[body : body + length].tobytes(), self._id)
        if tag != RecordTag.UTF8:
            self._put(out, buffer, position, body + length)
        return RECORD_HEADER_BYTES + length

    # --- the heap ---

    def _heap(self, buffer: NDArray[np.uint8], position: int, out: list[bytes]) -> int:
        """Sub-records; how many bytes, -1 where the next is not whole yet."""
        stop = self._heap_stop - self._base
        state = self._state
        state[IS_WAITING] = self._held is not None and not self._is_learning
        text_bytes = _TEXT_BYTES if self._keep is not None and not self._is_learning else -1
        status = redact(
            buffer, position, stop, self._constants, self._rows.table, self._rows.spans,
            text_bytes, self._text_spans, state,
        )  # fmt: skip
        reached = int(state[kernels.POSITION])
        if self._keep is not None and not self._is_learning:
            self._judge(buffer, int(state[kernels.LISTED]))
        self._put(out, buffer, position, min(reached, buffer.size))
        if reached > buffer.size:
            self._skip, self._wipes = reached - buffer.size, bool(state[WIPES])
            return buffer.size - position
        if status in (kernels.OK, kernels.NEED_TABLE):
            return reached - position
        if status == kernels.NEED_BYTES:
            return reached - position or -1
        if status == FIRST_OBJECT:
            self._release(out)
            return reached - position
        if status == NEED_CLASS:
            self._add_class(buffer, reached)
            return reached - position
        end = reached
        if status == MET_CLASS:
            end = self._class_dump(buffer, reached, min(stop, buffer.size), is_last=stop <= buffer.size)
        elif status == HEAP_NAME:
            end = reached + 5 + self._width
            if end > stop:
                raise_corrupt(self._path, self._base + reached, kernels.OVERRUN, int(buffer[reached]))
            if end <= buffer.size:
                (name_id,) = self._id.unpack(buffer[reached + 5 : end].tobytes())
                self._names.use(name_id, "heap", is_public=True)
        elif self._heap_stop == _NO_END and buffer[reached] == RecordTag.HEAP_DUMP_END:
            self._heap_stop = self._base + reached
            return reached - position
        else:
            raise_corrupt(self._path, self._base + reached, status, int(buffer[reached]))
        if end == reached or end > buffer.size:
            return reached - position or -1
        self._put(out, buffer, reached, end)
        return end - position

    def _judge(self, buffer: NDArray[np.uint8], count: int) -> None:
        """Zero the texts that are not to be kept; half of them are no text at all."""
        assert self._keep is not None
        for start, stop in self._text_spans[:count].tolist():
            raw = buffer[start : abs(stop)].tobytes()
            if stop < 0:
                texts = [raw.decode("utf-16-be", "replace")]
            else:
                texts = [
                    raw.decode("latin-1"),
                    raw.decode("utf-16-le", "replace") if len(raw) % 2 == 0 else "",
                ]
            if not any(text and self._keep.match(text) for text in texts):
                buffer[start : abs(stop)] = 0

    def _class_dump(self, buffer: NDArray[np.uint8], start: int, limit: int, *, is_last: bool) -> int:
        """Zero the values of a class; where it ends, ``start`` where more bytes are needed."""
        data = buffer[start:limit].tobytes()
        try:
            end, found = self._read_class(data, buffer, start)
        except (IndexError, struct.error):
            if is_last:
                raise_corrupt(self._path, self._base + start, kernels.OVERRUN, SubRecordTag.CLASS_DUMP)
            return start
        except KeyError:
            raise_corrupt(self._path, self._base + start, kernels.BAD_TYPE, SubRecordTag.CLASS_DUMP)
        (class_id,) = self._id.unpack_from(data, 1)
        self._classes.setdefault(class_id, found)
        return start + end

    def _read_class(self, data: bytes, buffer: NDArray[np.uint8], start: int) -> tuple[int, _Class]:
        width, id_at = self._width, self._id.unpack_from
        (class_id,), (super_id,) = id_at(data, 1), id_at(data, 5 + width)
        name = self._names.class_name(class_id)
        is_public = is_jdk(name)
        p = class_head_bytes(width)
        wipe = [(5 + 5 * width, 5 + 7 * width)]  # two identifiers that are reserved
        for _ in range(data[p] << 8 | data[p + 1]):  # constants: u2 index, u1 type, value
            p += 2
            size = self._value_bytes(data[p + 2])
            if data[p + 2] != BasicType.OBJECT:
                wipe.append((p + 3, p + 3 + size))
            p += 1 + size
        p += 2
        used: list[int] = []
        statics: list[tuple[int, int]] = []
        count, p = data[p] << 8 | data[p + 1], p + 2
        for _ in range(count):  # statics: id name, u1 type, value
            (name_id,) = id_at(data, p)
            used.append(name_id)
            kind = data[p + width]
            size = self._value_bytes(kind)
            p += width + 1
            if kind != BasicType.OBJECT and not keeps_static(name, self._names.text(name_id)):
                statics.append((p, p + size))
            p += size
        if name or not is_layout([data[begin:end] for begin, end in statics]):
            wipe += statics
        count, p = data[p] << 8 | data[p + 1], p + 2
        fields = []
        for _ in range(count):  # fields: id name, u1 type
            (name_id,) = id_at(data, p)
            used.append(name_id)
            kind = data[p + width]
            is_kept = kind == BasicType.OBJECT or keeps_field(name, self._names.text(name_id))
            fields.append((self._value_bytes(kind), is_kept))
            p += width + 1
        if p > len(data):
            raise IndexError
        for begin, end in wipe:
            buffer[start + begin : start + end] = 0
        for name_id in used:
            self._names.use(name_id, "field", is_public=is_public)
        return p, _Class(super_id, fields)

    def _value_bytes(self, kind: int) -> int:
        return self._width if kind == BasicType.OBJECT else VALUE_BYTES[kind]

    def _add_class(self, buffer: NDArray[np.uint8], position: int) -> None:
        """Where an instance of a class met for the first time has values to zero."""
        head = buffer[position : position + instance_head_bytes(self._width)].tobytes()
        (class_id,) = self._id.unpack_from(head, instance_class_offset(self._width))
        length = u4_at(buffer, position + instance_length_offset(self._width))
        where = self._base + position
        if not class_id:
            raise_corrupt(self._path, where, kernels.BAD_CLASS, SubRecordTag.INSTANCE_DUMP)
        wipes: list[list[int]] = []
        at, current, seen = 0, class_id, set()
        while current in self._classes and current not in seen:
            seen.add(current)
            for size, is_kept in self._classes[current].fields:
                if not is_kept:
                    if wipes and sum(wipes[-1]) == at:
                        wipes[-1][1] += size
                    else:
                        wipes.append([at, size])
                at += size
            current = self._classes[current].super_id
        if not self._is_learning and current and not self._has_learned:
            raise NeedsClasses(self._path, where, f"an object comes before its class{_TWO_PASSES}")
        is_whole = current == 0
        if self._is_learning:
            wipes = []
        elif at > length or (is_whole and at != length) or (not is_whole and length > _MAX_DATA_BYTES):
            raise CorruptRecord(
                self._path,
                where,
                f"an instance of {length:,} bytes of a class that declares {at:,}; the dump is damaged",
            )
        elif at < length:
            wipes.append([at, length - at])  # fields of a superclass that is not in the dump
        self._rows.add(class_id, wipes, length)


def stream_filter(options: Mapping[str, Any]) -> Redactor:
    """A redactor from plain values, for a process that gets its job as JSON.

    Parameters
    ----------
    options : mapping
        ``keep_strings`` (list of globs), ``hide_names`` (bool), ``key`` (hexadecimal), ``path``; or none.
    """
    # A JVM stands still while it is read: what is compiled is compiled before.
    warm = Redactor()
    warm.feed(TINY_DUMP)
    warm.finish()
    return Redactor(
        keep_strings=tuple(options.get("keep_strings", ())),
        hide_names=bool(options.get("hide_names", False)),
        key=bytes.fromhex(options.get("key", "")),
        path=str(options.get("path", "the dump")),
    )


def _check_magic(data: bytes, path: str) -> None:
    """An early end for what is no dump: a stream may go on for hours."""
    if not data.startswith(MAGIC_PREFIX[: len(data)]):
        parse_header(data, path)
