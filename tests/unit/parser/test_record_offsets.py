"""Where records begin: of all objects, and of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.parser import record_offsets
from heapscope.parser.record_offsets import RecordFinder, find_offsets
from heapscope.parser.segments import map_addresses
from heapscope.parser.tags import is_object_tag
from tests.support.dumps import DumpBuilder, build
from tests.unit.parser.small import nodes, scanned


def far_apart(d: DumpBuilder) -> None:
    nodes(d)
    d.instance("a.Node", at=0x7F00_0000_0000_0000)


@pytest.mark.parametrize("kept_objects", [0, 1 << 20])
@pytest.mark.parametrize(("heap", "width"), [(nodes, 4), (nodes, 8), (far_apart, 8)])
def test_an_object_stands_where_it_is_said_to(
    tmp_path: Path, heap: object, width: int, kept_objects: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_offsets, "_KEPT_OBJECTS", kept_objects)
    data = build(heap, identifier_bytes=width, segment_bytes=200).save(tmp_path / "d.hprof")  # type: ignore[arg-type]
    raw = data.read_bytes()
    with scanned(data) as (source, found):
        addresses = map_addresses(source, found)
        offsets = find_offsets(source, found, addresses).tolist()
        finder = RecordFinder(source, found)
        for row, (object_id, offset) in enumerate(zip(addresses.object_ids.tolist(), offsets, strict=True)):
            assert is_object_tag(raw[offset])
            assert raw[offset + 1 : offset + 1 + width] == object_id.to_bytes(width, "big")
            # Segments are known by their lowest and highest address, where there is a bitmap.
            has_ranges = bool(addresses.segment_ranges.size)
            assert finder.find(addresses, row) == (offset if has_ranges else None)


def test_after_some_segments_a_pass_over_all_is_cheaper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_offsets, "_LEAST_BYTES", 1)
    monkeypatch.setattr(record_offsets, "_PART", 1 << 30)
    data = build(nodes, segment_bytes=200).save(tmp_path / "d.hprof")
    with scanned(data) as (source, found):
        assert found.segment_starts.size > 1
        addresses = map_addresses(source, found)
        finder = RecordFinder(source, found)
        offsets = find_offsets(source, found, addresses).tolist()
        answers = [finder.find(addresses, row) for row in range(len(offsets))]
    assert answers[0] == offsets[0]
    assert None in answers
    assert {a for a, b in zip(answers, offsets, strict=True) if a != b} == {None}
