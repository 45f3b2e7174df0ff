"""The marks that a count sets make the address map that a pass of its own makes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.heap import heap as heap_module
from heapscope.parser import scan as scan_module
from heapscope.parser.address_marks import MarkPages, grid_around
from heapscope.parser.addresses import AddressMap
from heapscope.parser.kernels import GRID_BASE, GRID_BITS, GRID_SHIFT
from heapscope.parser.scan import HeapScan, scan
from heapscope.parser.segments import map_addresses
from heapscope.parser.source import Source
from heapscope.progress import Progress
from tests.support.dumps import DumpBuilder

GIB = 1 << 30


def dump_of(addresses: list[int], path: Path, *, alignment: int = 8) -> Path:
    """Numbers at these addresses, a few in each segment."""
    d = DumpBuilder(segment_bytes=200, base=min(addresses) - (1 << 12), alignment=alignment)
    d.cls("a.Node", fields={"next": "a.Node"})
    for at in addresses:
        d.instance("a.Node", at=at)
    return d.dump().save(path)


def both_maps(path: Path) -> tuple[HeapScan, AddressMap, AddressMap]:
    with Source(path) as source:
        source.mapping()
        marked, plain = scan(source, marks_addresses=True), scan(source)
        assert plain.marks is None
        return marked, map_addresses(source, marked), map_addresses(source, plain)


def assert_same(one: AddressMap, other: AddressMap) -> None:
    assert one.address_grid.tolist() == other.address_grid.tolist()
    assert np.array_equal(one.table, other.table)
    assert np.array_equal(one.segment_ranges, other.segment_ranges)
    assert one.object_ids.tolist() == other.object_ids.tolist()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.integers(0, 40_000), min_size=1, max_size=60, unique=True),
    base=st.sampled_from([1 << 14, 0xE000_0000, 31 * GIB, 0x7F12_3456_7000]),
    shift=st.sampled_from([3, 4, 5]),
)
def test_marks_are_what_a_pass_finds(tmp_path: Path, places: list[int], base: int, shift: int) -> None:
    path = dump_of([base + (place << shift) for place in places], tmp_path / "d.hprof", alignment=1 << shift)
    found, marked, plain = both_maps(path)
    assert found.marks is not None
    assert_same(marked, plain)
    # Taken once: who asks again gets no other map.
    with Source(path) as source:
        source.mapping()
        assert_same(map_addresses(source, found), plain)


@pytest.mark.parametrize("far", [40 * GIB, 1 << 45])
def test_what_the_grid_does_not_reach_is_mapped_by_a_pass(
    tmp_path: Path, far: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "_PROBE_BYTES", 300)
    near = [0x1000_0000 + 8 * number for number in range(100)]
    path = dump_of([*near, far], tmp_path / "d.hprof")
    found, marked, plain = both_maps(path)
    assert found.marks is None
    assert_same(marked, plain)


def test_an_object_between_the_places_of_the_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_PROBE_BYTES", 300)
    aligned = [0x1000_0000 + 16 * number for number in range(100)]
    path = dump_of([*aligned, aligned[-1] + 24], tmp_path / "d.hprof", alignment=16)
    found, marked, plain = both_maps(path)
    assert found.marks is None
    assert_same(marked, plain)


def test_two_objects_at_one_address_are_still_found(tmp_path: Path) -> None:
    d = DumpBuilder(segment_bytes=100)
    d.cls("a.Node", fields={"next": "a.Node"})
    first = d.instance("a.Node")
    d.instance("a.Node")
    path = d.dump().save(tmp_path / "d.hprof")
    data = path.read_bytes()
    second = first + 16
    assert data.count(second.to_bytes(8, "big")) == 1
    path.write_bytes(data.replace(second.to_bytes(8, "big"), first.to_bytes(8, "big")))
    with (
        heapscope.open(path, follows=True, use_index=False) as heap,
        pytest.raises(heapscope.CorruptRecord, match="two objects at"),
    ):
        _ = heap.columns


def test_a_heap_that_is_followed_needs_no_pass(tmp_path: Path) -> None:
    phases: list[str] = []

    def progress(phase: str, done: int, total: int) -> None:
        phases.append(phase)

    path = dump_of([0xE000_1000, 0xE000_2000], tmp_path / "d.hprof")
    for follows, expected in ((True, False), (False, True)):
        phases.clear()
        with heapscope.open(path, progress, follows=follows, index_dir=tmp_path / f"{follows}") as heap:
            _ = heap.graph.dominators
        assert ("mapping addresses" in phases) == expected


def test_an_index_needs_no_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def scan_or_close(source: Source, progress: Progress, **options: bool) -> HeapScan:
        asked.append(options["marks_addresses"])
        return scan_module.scan_or_close(source, progress, **options)

    monkeypatch.setattr(heap_module, "scan_or_close", scan_or_close)
    path = dump_of([0xE000_1000, 0xE000_2000], tmp_path / "d.hprof")
    for _ in range(2):
        with heapscope.open(path, follows=True, index_dir=tmp_path / "indexes") as heap:
            _ = heap.graph.dominators
    assert asked == [True, False]


@pytest.mark.parametrize("low", [0, 8, 0xE000_0000, (1 << 64) - 4096])
def test_a_grid_reaches_far_to_both_sides_and_not_beyond_the_addresses(low: int) -> None:
    grid = grid_around(low, low | 8)
    assert grid is not None
    base, shift, bits = (int(grid[at]) for at in (GRID_BASE, GRID_SHIFT, GRID_BITS))
    assert shift == 3
    assert base % 512 == 0
    assert base == max(0, low - 32 * GIB) // 512 * 512
    assert low < base + (bits << shift) <= 1 << 64


@pytest.mark.parametrize("identifier_bytes", [4, 8])
@pytest.mark.parametrize("addresses", [[1 << 30, 1 << 31], [1 << 31], [3 << 28, 1 << 30, 3 << 30]])
def test_addresses_of_a_large_alignment(tmp_path: Path, identifier_bytes: int, addresses: list[int]) -> None:
    d = DumpBuilder(base=1 << 20, identifier_bytes=identifier_bytes)
    first, *others = addresses
    d.cls("java.lang.Object", None, at=first)
    for at in others:
        d.instance("java.lang.Object", at=at)
    _, marked, plain = both_maps(d.dump().save(tmp_path / "d.hprof"))
    assert_same(marked, plain)


@pytest.mark.parametrize("addresses", [[1 << 40, 1 << 41], [1 << 45, 3 << 45], [1 << 63, 3 << 62]])
def test_addresses_that_lie_very_far_apart(tmp_path: Path, addresses: list[int]) -> None:
    d = DumpBuilder(base=1 << 20)
    d.cls("java.lang.Object", None, at=addresses[0])
    for at in addresses[1:]:
        d.instance("java.lang.Object", at=at)
    _, marked, plain = both_maps(d.dump().save(tmp_path / "d.hprof"))
    assert_same(marked, plain)


@pytest.mark.parametrize(("distance", "count", "is_marked"), [(1 << 14, 600, True), (1 << 20, 600, False)])
def test_marks_are_given_up_where_objects_lie_far_apart(
    tmp_path: Path, distance: int, count: int, is_marked: bool
) -> None:
    # At this alignment a page has 1 MB: of the second dump each object needs one of its own.
    sparse = [0x7F00_0000_0001 + distance * number for number in range(count)]
    path = dump_of(sparse, tmp_path / "d.hprof", alignment=1)
    found, marked, plain = both_maps(path)
    assert (found.marks is not None) == is_marked
    assert_same(marked, plain)


def test_pages_of_marks_grow_to_a_limit_that_follows_the_objects() -> None:
    marks = MarkPages(grid_around(0xE000_0000, 8))
    marks.words[:] = 3
    before = marks.words
    assert marks.grow(0)
    assert marks.words[: before.size].tolist() == before.tolist()
    assert not marks.words[before.size :].any()
    while marks.words.nbytes <= 64 << 20:
        assert marks.grow(4 << 20)
    assert not marks.grow(1000)
    assert not marks.words.size
    assert not marks.pages.size


def test_a_file_that_was_written_to_is_mapped_by_a_pass(tmp_path: Path) -> None:
    path = dump_of([0xE000_1000 + 8 * number for number in range(50)], tmp_path / "d.hprof")
    with Source(path) as source:
        source.mapping()
        found = scan(source, marks_addresses=True)
        data = path.read_bytes()
        second, third = ((0xE000_1000 + 8 * number).to_bytes(8, "big") for number in (1, 2))
        assert data.count(third) == 1
        with path.open("r+b") as file:  # in place: an object gets the address of another
            file.write(data.replace(third, second))
        os.utime(path, ns=(1, 1))
        with pytest.raises(heapscope.CorruptRecord, match="two objects at"):
            map_addresses(source, found)


def test_nothing_is_known() -> None:
    assert grid_around(0, 0) is None
