"""What is found in a broken dump: ranges of whole sub-records, and the gaps between them.

All cuts and many damages are in ``tests/property/test_partial.py``; here is what the module itself says.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from heapscope.errors import HprofError
from heapscope.parser.broken.salvage import DUPLICATE, Salvage, salvage, without_duplicates
from heapscope.parser.layout.layout import infer_layout
from heapscope.parser.source import Source
from heapscope.progress import no_progress
from tests.support.dumps import DumpBuilder
from tests.support.oracle import read_oracle

GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


def heap(segment_bytes: int = 1 << 20) -> bytes:
    d = DumpBuilder(segment_bytes=segment_bytes)
    d.cls("a.Node", fields={"next": "a.Node", "n": "int"})
    last = 0
    for number in range(40):
        last = d.instance("a.Node", next=last, n=number)
    d.root("JNI_GLOBAL", last)
    return d.dump().data


def saved(tmp_path: Path, data: bytes) -> Salvage:
    path = tmp_path / "d.hprof"
    path.write_bytes(data)
    with Source(path, partial=True) as source:
        return salvage(source, GUESS, no_progress)


def test_a_whole_dump_has_no_gap(tmp_path: Path) -> None:
    data = heap()
    found = saved(tmp_path, data)
    naive = read_oracle(data)
    assert found.gaps == []
    assert found.is_end_known
    assert found.expected_bytes == len(data) == found.top_level.dump_bytes
    assert found.object_count == len(naive.object_classes) + len(naive.classes)


def test_a_cut_dump_knows_how_long_its_record_was_to_be(tmp_path: Path) -> None:
    data = heap()
    found = saved(tmp_path, data[:-200])
    assert not found.is_end_known
    assert found.expected_bytes == len(data) - 9  # its end behind the record's is not known
    assert [gap.offset + gap.length for gap in found.gaps] == [len(data) - 200]
    assert found.top_level.segments[-1][1] == found.gaps[0].offset


def test_ranges_and_gaps_fill_the_heap(tmp_path: Path) -> None:
    data = bytearray(heap())
    whole = saved(tmp_path, bytes(data))
    (span,) = whole.top_level.segments
    at = span[0] + (span[1] - span[0]) // 2
    data[at : at + 60] = b"\xff" * 60
    found = saved(tmp_path, bytes(data))
    places = sorted(
        [*found.top_level.segments, *((gap.offset, gap.offset + gap.length) for gap in found.gaps)]
    )
    assert places[0][0] == span[0]
    assert places[-1][1] == span[1]
    assert all(one[1] == other[0] for one, other in pairwise(places))
    lost = whole.object_count - found.object_count
    assert 1 <= lost <= 4
    assert "% of it read" in str(found)


def test_top_level_records_go_on_behind_a_damaged_one(tmp_path: Path) -> None:
    data = bytearray(heap(segment_bytes=300))
    starts = []
    at = 31
    while at < len(data):
        starts.append(at)
        at += 9 + int.from_bytes(data[at + 5 : at + 9], "big")
    data[starts[2]] = 0x77
    found = saved(tmp_path, bytes(data))
    assert [(gap.offset, gap.offset + gap.length) for gap in found.gaps] == [(starts[2], starts[3])]
    assert found.is_end_known


def test_without_a_header_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "d.hprof"
    path.write_bytes(b"JAVA PROFILE 1.0.2\0\0\0")
    with Source(path, partial=True) as source, pytest.raises(HprofError):
        salvage(source, GUESS, no_progress)


def test_later_objects_at_one_address_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "d.hprof"
    path.write_bytes(heap())
    with Source(path, partial=True) as source:
        found = salvage(source, GUESS, no_progress)
        ((start, stop),) = found.top_level.segments
        once = [(start, stop, found.object_count, 0)]
        assert without_duplicates(source, 8, GUESS, once) is None
        twice = without_duplicates(source, 8, GUESS, once * 2)
    assert twice is not None
    ranges, gaps = twice
    assert ranges[0] == (start, stop)
    # Of the second reading roots are left, which may be there twice.
    assert all(gap.problem == DUPLICATE for gap in gaps)
    left = sum(end - begin for begin, end in ranges[1:]) + sum(gap.length for gap in gaps)
    assert left == stop - start
