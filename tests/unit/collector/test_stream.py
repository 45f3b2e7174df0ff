"""Dumps on their way: walked by their records however they arrive, in order, whole or refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heapscope.collector.stream import END, Filtered, Merged, Records, Single
from heapscope.errors import DumpFailed

HEADER = b"JAVA PROFILE 1.0.2\0" + bytes(4) + bytes(8)


def record(tag: int, body: bytes) -> bytes:
    return struct.pack(">BII", tag, 0, len(body)) + body


DUMP = HEADER + record(1, b"name") + record(0x1C, b"x" * 5000) + record(0x1C, b"") + END


@given(st.lists(st.integers(1, 60), max_size=40))
def test_pieces_of_any_size_give_the_same_bytes(sizes: list[int]) -> None:
    records, at, out = Records(has_header=True), 0, b""
    for size in [*sizes, len(DUMP)]:
        out += records.feed(DUMP[at : at + size])
        at += size
    records.check_end(is_main=True)
    assert out + records.rest == DUMP


@pytest.mark.parametrize("cut", [0, 10, len(HEADER), len(HEADER) + 5, 300, len(DUMP) - 9, len(DUMP) - 1])
def test_a_stream_that_ends_early_is_refused(cut: int) -> None:
    single = Single(is_main=True)
    single.feed(0, DUMP[:cut])
    with pytest.raises(DumpFailed, match="ends inside a record" if cut else "wrote nothing"):
        single.finish()


@pytest.mark.parametrize(
    ("data", "words"), [(b"\x7fELF" + DUMP, "no heap dump"), (DUMP + b"tail bytes", "bytes follow the end")]
)
def test_what_is_no_dump_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DumpFailed, match=words):
        Single(is_main=True).feed(0, data)


NAMES = HEADER + record(1, b"name" * 20)
OBJECTS = record(0x1C, b"y" * 100_000)
LATE = record(1, b"late")


@pytest.mark.parametrize("cut", [len(NAMES), len(NAMES) + 3, len(NAMES) + 9, len(NAMES) + 11])
def test_a_first_flush_that_ends_inside_a_record_holds_nothing_else_back(cut: int) -> None:
    """As JDK 22 and later write: of the first stream 1 MiB, then all of the second, then the rest."""
    merged, main = Merged(), NAMES + LATE + END
    assert merged.feed(0, main[:cut]) == NAMES
    out = b"".join(merged.feed(1, OBJECTS[at : at + 10_000]) for at in range(0, len(OBJECTS), 10_000))
    assert out == OBJECTS
    assert merged.feed(0, main[cut:]) + merged.finish() == LATE + END


def test_a_stream_waits_while_the_other_is_inside_a_record() -> None:
    merged = Merged()
    assert merged.feed(0, NAMES) == NAMES
    assert merged.feed(1, OBJECTS[:500]) == OBJECTS[:500]
    assert merged.feed(0, LATE + END) == b""
    assert merged.feed(1, OBJECTS[500:]) + merged.finish() == OBJECTS[500:] + LATE + END


def test_a_first_stream_that_never_ends_its_record_is_refused() -> None:
    merged, size = Merged(), 65 << 20
    merged.feed(0, NAMES + struct.pack(">BII", 0x1C, 0, 2 * size))
    with pytest.raises(DumpFailed, match="unknown order"):
        merged.feed(0, bytes(size))


@pytest.mark.parametrize("magic", [b"JAVA PROFILE 1.0.2\0", b"JAVA PROFILE 1.0.1\0"])
def test_objects_before_the_header_get_one(magic: bytes) -> None:
    """A JVM with few names holds its header back until the objects are written."""
    merged, header = Merged(), magic + struct.pack(">IQ", 8, 77)
    out = merged.feed(1, OBJECTS)
    assert (out[:19], out[31:]) == (b"JAVA PROFILE 1.0.2\0", OBJECTS)
    if b"1.0.1" in magic:
        with pytest.raises(DumpFailed, match="header of the dump"):
            merged.feed(0, header + LATE + END)
        return
    assert merged.feed(0, header + LATE + END) + merged.finish() == LATE + END


def test_an_array_larger_than_what_is_held_goes_through_a_filter() -> None:
    """Up to JDK 21 there is one stream, whose order is known, however long a record is."""

    class Same:
        def feed(self, data: bytes) -> bytes:
            return data

        def finish(self) -> bytes:
            return b""

    head = HEADER + b"\x1c" + (0).to_bytes(4, "big") + (80 << 20).to_bytes(4, "big")
    filtered, size = Filtered(Same(), 1), len(head)
    assert filtered.feed(0, head) == head
    for _ in range(80):
        size += len(filtered.feed(0, bytes(1 << 20)))
    assert filtered.feed(0, END) == b""
    assert filtered.finish() == END
    assert size == len(head) + (80 << 20)
