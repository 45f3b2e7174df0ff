"""Files with several heaps, as the agent ``hprof`` of JDK 5 to 8 appends them."""

from __future__ import annotations

import struct
from collections.abc import Callable

from heapscope.parser.tags import HEADER_BYTES, RECORD_HEADER_BYTES, RecordTag
from heapscope.parser.writer import HeapLayout
from tests.support.dumps import DumpBuilder, build


def rows(count: int) -> Callable[[DumpBuilder], object]:
    """A heap with so many rows, all in one array that a root holds."""

    def fill(d: DumpBuilder) -> None:
        d.cls("com.acme.Row", fields={"id": "int"})
        made = [d.instance("com.acme.Row", id=i) for i in range(count)]
        d.root("JNI_GLOBAL", d.object_array("com.acme.Row[]", made))
        d.root("STICKY_CLASS", d.class_id("com.acme.Row"))

    return fill


def several_heaps(*counts: int, layout: HeapLayout = HeapLayout.ONE_RECORD, seconds: int = 0) -> bytes:
    """One file with a heap for each count, at the same addresses; ``seconds`` apart by their records."""
    version = "1.0.1" if layout is HeapLayout.ONE_RECORD else "1.0.2"
    parts = [build(rows(count), layout=layout, version=version, segment_bytes=400).data for count in counts]
    data = parts[0]
    for number, part in enumerate(parts[1:], 1):
        data += with_clock(part[HEADER_BYTES:], number * seconds * 1_000_000)
    return data


def with_clock(records: bytes, microseconds: int) -> bytes:
    """The same records at another time."""
    data, at = bytearray(records), 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at + 5)
        assert data[at] in {int(tag) for tag in RecordTag}
        struct.pack_into(">I", data, at + 1, microseconds % (1 << 32))
        at += RECORD_HEADER_BYTES + length
    return bytes(data)
