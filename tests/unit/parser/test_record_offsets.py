"""Where records begin: of all objects, and of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.parser.record_offsets import find_offset, find_offsets
from heapscope.parser.segments import map_addresses
from heapscope.parser.tags import is_object_tag
from tests.support.dumps import DumpBuilder, build
from tests.unit.parser.small import nodes, scanned


def far_apart(d: DumpBuilder) -> None:
    nodes(d)
    d.instance("a.Node", at=0x7F00_0000_0000_0000)


@pytest.mark.parametrize(("heap", "width"), [(nodes, 4), (nodes, 8), (far_apart, 8)])
def test_an_object_stands_where_it_is_said_to(tmp_path: Path, heap: object, width: int) -> None:
    data = build(heap, identifier_bytes=width, segment_bytes=200).save(tmp_path / "d.hprof")  # type: ignore[arg-type]
    raw = data.read_bytes()
    with scanned(data) as (source, found):
        addresses = map_addresses(source, found)
        offsets = find_offsets(source, found, addresses).tolist()
        for row, (object_id, offset) in enumerate(zip(addresses.object_ids.tolist(), offsets, strict=True)):
            assert is_object_tag(raw[offset])
            assert raw[offset + 1 : offset + 1 + width] == object_id.to_bytes(width, "big")
            # Segments are known by their lowest and highest address, where there is a bitmap.
            has_ranges = bool(addresses.segment_ranges.size)
            assert find_offset(source, found, addresses, row) == (offset if has_ranges else None)
