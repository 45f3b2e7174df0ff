"""Identifiers to indices and back, through the bitmap and through the sorted table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import heapscope
from heapscope.parser import segments
from heapscope.parser.addresses import AddressMap, make_address_grid
from tests.support.dumps import DumpBuilder

FAR = 0x7F00_0000_0000_0000


def far_apart() -> DumpBuilder:
    """Objects so far apart that no bitmap spans them."""
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node", "data": "Object"})
    low = d.instance("a.Node", data=d.primitive_array("int", [1, 2, 3]))
    high = d.instance("a.Node", at=FAR, next=low)
    d.instance("a.Node", at=FAR + 8, next=high)
    d.root("JNI_GLOBAL", high)
    return d


def near() -> DumpBuilder:
    d = DumpBuilder()
    d.cls("a.Node", fields={"next": "a.Node"})
    for _ in range(300):
        d.root("JNI_GLOBAL", d.instance("a.Node"))
    return d


def address_map(heap: heapscope.Heap) -> AddressMap:
    return heap.columns.addresses


@pytest.mark.parametrize(("builder", "has_table"), [(far_apart(), False), (near(), True)])
def test_there_and_back(tmp_path: Path, builder: DumpBuilder, has_table: bool) -> None:
    with heapscope.open(builder.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        found = address_map(heap)
        assert bool(found.table.shape[0]) == has_table
        ids = sorted([*builder.truth.objects, *builder.truth.classes.values()])
        assert found.object_ids.tolist() == ids
        assert found.indices_of(np.array(ids, np.uint64)).tolist() == list(range(len(ids)))
        missing = np.array([0, 1, ids[0] - 8, ids[0] + 1, ids[-1] + 8, 2**64 - 1], np.uint64)
        assert found.indices_of(missing).tolist() == [-1] * 6


def test_some_identifiers_in_any_order(tmp_path: Path) -> None:
    with heapscope.open(near().dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        found = address_map(heap)
        rows = np.random.default_rng(1).permutation(found.object_count)[:40]
        assert not found.has_object_ids
        few = found.ids_of(rows)
        assert few.tolist() == found.object_ids[rows].tolist()
        assert found.ids_of(rows[:1]).tolist() == few[:1].tolist()
        assert found.ids_of(rows[:0]).tolist() == []


def test_the_graph_of_objects_far_apart(tmp_path: Path) -> None:
    builder = far_apart()
    path = builder.dump().save(tmp_path / "a.hprof")
    for _ in range(2):  # from the dump, and from the index
        with heapscope.open(path, index_dir=tmp_path / "indexes") as heap:
            nodes = heap.objects("a.Node")
            data = heap.objects("int[]")
            # The last one is unreachable.
            assert nodes.retained_bytes() == nodes[:2].shallow_bytes + data.shallow_bytes
            assert heap.object_at(FAR).get("next") == min(nodes.object_ids.tolist())
            assert [len(row) for row in map(heap.references.outgoing, nodes.indices.tolist())] == [2, 2, 2]


def test_records_are_found_one_by_one_and_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = near().dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        at_once = heap.columns
        assert at_once.has_offsets  # a small dump
    monkeypatch.setattr(segments, "_OFFSETS_AT_ONCE", 0)
    with heapscope.open(path, use_index=False) as heap:
        few = [heap.columns.offset_of(row) for row in range(0, 60, 3)]
        assert not heap.columns.has_offsets
        assert few == heap.columns.offsets[0:60:3].tolist()
        assert heap.columns.offsets.tolist() == at_once.offsets.tolist()


def test_a_bitmap_is_made_only_where_it_pays() -> None:
    assert make_address_grid(0x1000, 0x2000, 0x3008, 10) is not None
    assert make_address_grid(0x1000, 1 << 60, 0x1008, 10) is None
    assert make_address_grid(0, 0, 0, 0) is None
