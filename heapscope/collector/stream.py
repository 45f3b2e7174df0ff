"""The bytes of a heap dump on their way: followed from record to record, filtered, put in order.

A dump is walked by its top-level records (HPROF: tag u1, time u4, length u4) up to HEAP_DUMP_END: a stream
that ends elsewhere is no snapshot.

JDK 22 and later write two streams at once.  What comes last in the first, the names of classes, every reader
of dumps expects before the objects, which are in the second.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from heapscope.errors import DumpFailed

_MAGICS = (b"JAVA PROFILE 1.0.1\0", b"JAVA PROFILE 1.0.2\0")
_HEADER_BYTES = 31
_RECORD_BYTES = 9
_HEAP_DUMP_END = 0x2C
# Of the first stream, while the second is inside a record: a JVM writes names of classes there, a few MB.
_MAX_HELD_BYTES = 64 << 20


class Sink(Protocol):
    """Where the bytes of a dump go."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """What a dump flows through, or into, by name: the writer's process imports it.

    Attributes
    ----------
    factory : str
        ``module:function``; called with ``options`` it makes an object with ``feed(bytes) -> bytes`` and
        ``finish() -> bytes``, or a `heapscope.collector.answerer.Work`.  The collector does not care what it
        does.
    options : dict
        Plain values.
    """

    factory: str
    options: dict[str, Any] = field(default_factory=dict)

    def make(self, *more: object) -> Any:
        """Make the filter; slow work such as compiling is done when this returns."""
        module, _, name = self.factory.partition(":")
        return getattr(import_module(module), name)(self.options, *more)


class Records:
    """Splits a stream at the boundaries of top-level records, however it arrives in pieces.

    ``rest`` holds the bytes of a record head that is not whole yet, or a HEAP_DUMP_END kept back.
    """

    def __init__(self, *, has_header: bool) -> None:
        self.rest = b""
        self.whole_bytes = 0  # of what was given out last: up to the end of its last whole record
        self._left = 0
        self._has_header = has_header
        self._is_empty = True

    @property
    def is_between(self) -> bool:
        """Whether what was given out so far ends with a whole record."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """The bytes that may be written now.

        Raises
        ------
        DumpFailed
            The bytes are no heap dump, or go on behind its end.
        """
        if self.rest:
            data = self.rest + data
        self._is_empty &= not data
        at = whole = 0
        if self._has_header:
            if len(data) < _HEADER_BYTES:
                self.rest, self.whole_bytes = data, 0
                return b""
            if not data.startswith(_MAGICS):
                raise DumpFailed("what the JVM wrote is no heap dump")
            self._has_header, at = False, _HEADER_BYTES
        while True:
            step = min(self._left, len(data) - at)
            at, self._left = at + step, self._left - step
            if self._left:
                break
            whole = at
            if len(data) - at < _RECORD_BYTES:
                break
            if data[at] == _HEAP_DUMP_END:
                if len(data) - at > _RECORD_BYTES:
                    raise DumpFailed("bytes follow the end of the heap dump")
                break
            self._left = int.from_bytes(data[at + 5 : at + 9], "big")
            at += _RECORD_BYTES
        self.rest, self.whole_bytes = data[at:], whole
        return data[:at]

    def check_end(self, *, is_main: bool) -> None:
        """See that the stream ends where one may end.

        Raises
        ------
        DumpFailed
        """
        if is_main:
            is_end = len(self.rest) == _RECORD_BYTES and self.rest[0] == _HEAP_DUMP_END
            if self._is_empty:
                raise DumpFailed("the JVM wrote nothing")
            if self._left or not is_end:
                raise DumpFailed("the dump ends inside a record")
        elif self._left or self.rest:
            raise DumpFailed("a part of the dump ends inside a record")


class Single:
    """One stream of records, as it is."""

    def __init__(self, *, is_main: bool) -> None:
        self._records, self._is_main = Records(has_header=is_main), is_main

    def feed(self, stream: int, data: bytes) -> bytes:
        """What may be written of the stream after more bytes of it."""
        return self._records.feed(data)

    def finish(self) -> bytes:
        """What is left; the HEAP_DUMP_END of a main stream is not: the caller writes it last.

        Raises
        ------
        DumpFailed
            The stream does not end where one may end.
        """
        self._records.check_end(is_main=self._is_main)
        return b""


class Merged:
    """Streams of one dump in the order in which they come, taking turns where a record ends.

    Of the first, only whole records are given out: what the JVM flushes first may end inside one, and goes on
    only when all of the second was written.
    """

    def __init__(self) -> None:
        self._main, self._part = Records(has_header=True), Records(has_header=False)
        self._begun, self._whole = bytearray(), bytearray()
        self._early = b""  # a header that was written before the JVM's own came
        self._is_begun = False

    def feed(self, stream: int, data: bytes) -> bytes:
        """What may be written after more bytes of stream 0 or 1.

        Raises
        ------
        DumpFailed
            The bytes are no heap dump.
        """
        if stream == 0:
            out = self._main.feed(data)
            whole = self._main.whole_bytes
            if whole or self._main.is_between:
                self._whole += self._begun + out[:whole]
                self._begun = bytearray(out[whole:])
            else:
                self._begun += out
            if len(self._begun) + len(self._whole) > _MAX_HELD_BYTES:
                raise DumpFailed("the JVM writes its dump in an unknown order; collect it without a filter")
            return self._named() if self._part.is_between else b""
        out = self._part.feed(data)
        if out and not self._is_begun:
            self._is_begun, self._early = True, _header()
            out = self._early + out
        return out + self._named() if self._part.is_between else out

    def _named(self) -> bytes:
        """The whole records of the first stream; its header once."""
        out, self._whole = bytes(self._whole), bytearray()
        if out and self._early:
            out, self._early = _without_header(out, self._early), b""
        self._is_begun |= bool(out)
        return out

    def finish(self) -> bytes:
        """What is left, with the HEAP_DUMP_END.

        Raises
        ------
        DumpFailed
            A stream does not end where one may end.
        """
        self._main.check_end(is_main=True)
        self._part.check_end(is_main=False)
        return self._named() + self._main.rest


class Whole(Single):
    """The one stream of a dump, as it is, with its HEAP_DUMP_END."""

    def __init__(self) -> None:
        super().__init__(is_main=True)

    def finish(self) -> bytes:
        """The HEAP_DUMP_END.

        Raises
        ------
        DumpFailed
            The stream does not end where one may end.
        """
        return super().finish() + END


def in_order(streams: int) -> Merged | Whole:
    """What makes one stream of those of a dump: 1, or 2 of JDK 22 and later."""
    return Merged() if streams > 1 else Whole()


class Filtered:
    """Streams in one, and a filter behind."""

    def __init__(self, transform: Any, streams: int) -> None:
        self._ordered, self._transform = in_order(streams), transform

    def feed(self, stream: int, data: bytes) -> bytes:
        """What the filter has ready."""
        return bytes(self._transform.feed(self._ordered.feed(stream, data)))

    def finish(self) -> bytes:
        """What is left; the dump is whole."""
        rest: bytes = self._transform.feed(self._ordered.finish())
        return rest + bytes(self._transform.finish())


def _header() -> bytes:
    """As 64-bit JVMs begin a dump: identifiers of eight bytes, the time in milliseconds."""
    return _MAGICS[1] + struct.pack(">IQ", 8, int(time.time() * 1000))


def _without_header(out: bytes, early: bytes) -> bytes:
    """The first bytes of a dump behind their header, which may differ from ``early`` in the time alone."""
    if out[: _HEADER_BYTES - 8] != early[:-8]:
        raise DumpFailed("the header of the dump is not as 64-bit JVMs write it; collect it without a filter")
    return out[_HEADER_BYTES:]


END = struct.pack(">BII", _HEAP_DUMP_END, 0, 0)
