"""A dump that nobody keeps: counted once, in whatever order names come, as a file is counted."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope
from heapscope.errors import HprofError, TruncatedDump
from heapscope.heap.histogram import scan_histogram
from heapscope.parser.layout.layout import instance_bytes, possible_layouts
from heapscope.parser.scan_stream import _GUESS, scan_stream
from heapscope.parser.tags import HEADER_BYTES, RECORD_HEADER_BYTES, TINY_DUMP, RecordTag

SAMPLES = Path(__file__).parents[3] / "sample_dumps"
PIECE = 100_003


def names_last(data: bytes) -> bytes:
    """The same dump as JDK 22 and later stream it: objects first, then the names of their classes."""
    at = HEADER_BYTES
    heaps: list[bytes] = []
    others: list[bytes] = []
    while at < len(data):
        stop = at + RECORD_HEADER_BYTES + int.from_bytes(data[at + 5 : at + 9], "big")
        (heaps if data[at] == RecordTag.HEAP_DUMP_SEGMENT else others).append(data[at:stop])
        at = stop
    assert others[-1][0] == RecordTag.HEAP_DUMP_END
    return b"".join([data[:HEADER_BYTES], *heaps, *others])


def in_pieces(data: bytes) -> Iterator[memoryview]:
    for at in range(0, len(data), PIECE):
        yield memoryview(data[at : at + PIECE])


@pytest.mark.parametrize("order", ["names first", "names last"])
@pytest.mark.parametrize("name", ["leak-4", "jdk21-leak-1"])
def test_it_counts_what_a_file_counts(name: str, order: str) -> None:
    path = SAMPLES / f"{name}.hprof.gz"
    data = gzip.decompress(path.read_bytes())
    scan, is_exact = scan_stream("it", in_pieces(names_last(data) if order == "names last" else data))
    assert is_exact
    sizes = instance_bytes(scan.layout, scan.classes)
    with heapscope.open(path, use_index=False) as heap:
        assert list(scan_histogram(scan, sizes, lambda _: 0).rows()) == list(heap.histogram().rows())
        assert len(heap.histogram()) > 400


def test_the_layouts_of_hotspot_are_all_tried_once() -> None:
    found = [(each.array_bases, each.reference_bytes) for each in possible_layouts(_GUESS)]
    assert len(found) == len(set(found)) == 8
    # byte[], Object[] and references as measured: default, compact headers, wide references, both.
    seen = {
        (each.array_header_bytes, each.object_array_header_bytes, each.reference_bytes)
        for each in possible_layouts(_GUESS)
    }
    assert {(16, 16, 4), (12, 12, 4), (16, 16, 8), (12, 16, 8)} <= seen


def test_a_stream_that_ends_early_or_is_none_is_said() -> None:
    data = gzip.decompress((SAMPLES / "leak-1.hprof.gz").read_bytes())
    with pytest.raises(TruncatedDump, match="cut short"):
        scan_stream("it", in_pieces(data[:-1000]))
    with pytest.raises(HprofError):
        scan_stream("it", in_pieces(b"no dump at all" * 10))
    assert scan_stream("it", in_pieces(TINY_DUMP))[0].object_count == 1
