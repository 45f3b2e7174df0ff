"""What lies outside of the heap, in words."""

from __future__ import annotations

from heapscope.analysis.leaks.resident import ResidentMemory
from heapscope.heap.retention.off_heap import DEFLATER, DIRECT, HANDLE, UNREACHABLE, OffHeap, OffHeapUse
from heapscope.reporter.off_heap import off_heap_lines, resident_lines, use_line


def use(
    kind: str, count: int, size: int | None, owner: str = "a.B.c", owner_kind: str = "field"
) -> OffHeapUse:
    return OffHeapUse(kind, "a.Model", count, size, kind == DEFLATER, owner, owner_kind)


def off_heap(*uses: OffHeapUse, reserved: int | None = None, limit: int | None = None) -> OffHeap:
    return OffHeap(uses, reserved, None, limit, None, None, 3)


def test_one_line_says_how_many_how_much_and_where() -> None:
    assert use_line(use(DIRECT, 258, 258 * 98304, "com.acme.Camera.frames", "static")) == (
        "258 direct buffers, 25.4 MB, in com.acme.Camera.frames (static)"
    )
    assert use_line(use(DEFLATER, 1, 262_144)) == "1 deflater, about 262 kB, in a.B.c"
    assert "size unknown" in use_line(use(HANDLE, 1200, None))
    assert "held by nothing" in use_line(use(DIRECT, 2, 5, UNREACHABLE, "unreachable"))
    assert use_line(use(DIRECT, 2, 5000, "")) == "2 direct buffers, 5.00 kB"


def test_small_ones_are_left_out_and_many_are_summed() -> None:
    many = [use(DIRECT, 1, 2_000_000, f"a.B.f{i}") for i in range(11)]
    lines = off_heap_lines(off_heap(*many, use(DIRECT, 1, 8), use(HANDLE, 3, None)))
    assert lines[8] == "and 3 smaller ones, 6.00 MB"
    assert not any("8 B" in line or "size unknown" in line for line in lines)


def test_what_the_jvm_counts_beyond_the_buffers_of_the_dump() -> None:
    (_, counter, _) = off_heap_lines(
        off_heap(use(DIRECT, 1, 2_000_000), reserved=9_000_000, limit=10_000_000)
    )
    assert "9.00 MB of direct buffers of at most 10.0 MB" in counter
    assert "7.00 MB of them have no buffer" in counter


def test_what_is_left_of_resident_memory() -> None:
    (line,) = resident_lines(ResidentMemory(500, 200, 50, 30, 20, None, 200))
    assert "200 B are not explained" in line
    (line,) = resident_lines(ResidentMemory(100, 200, 0, 0, 0, None, -100))
    assert "nothing is left to explain (100 B of that are not resident)" in line
    assert "metaspace" not in line
