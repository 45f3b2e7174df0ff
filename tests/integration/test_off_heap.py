"""Memory outside of the heap, and virtual threads, of real JVMs: every JDK that is found."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.heap.objects.environment import stated_direct_limit
from heapscope.heap.objects.thread_stacks import find_thread_stacks, stack_objects
from heapscope.heap.retention.off_heap import DEFLATER, DIRECT, find_off_heap
from tests.support.jvm import find_jdks, java, wait_until

RELEASES = [release for release in (8, 11, 17, 21, 25) if release in find_jdks()] or [17]
WITH_STACKS = [release for release in RELEASES if release >= 22]
SIZE = 258 * 96 * 1024


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("limit", ["-XX:MaxDirectMemorySize=100m", "-Xmx64m"])
def test_buffers_and_deflaters_by_field(tmp_path: Path, release: int, limit: str) -> None:
    path = tmp_path / "a.hprof"
    with java(find_jdks()[release], "OffHeap", limit) as jvm:
        jvm.dump(path)
    with heapscope.open(path, use_index=False) as heap:
        found = find_off_heap(heap.graph)
        stated = stated_direct_limit(heap.graph)
    mine = {use.owner: use for use in found.uses if use.owner.startswith("OffHeap.")}
    assert set(mine) == {"OffHeap.frames", "OffHeap.deflaters"}  # slices have no memory of their own
    frames, deflaters = mine["OffHeap.frames"], mine["OffHeap.deflaters"]
    assert (frames.kind, frames.object_count, frames.byte_count) == (DIRECT, 258, SIZE)
    assert (deflaters.kind, deflaters.object_count) == (DEFLATER, 19)  # one has ended
    assert found.reserved_bytes is not None
    assert found.reserved_count is not None
    assert found.reserved_bytes >= SIZE
    assert found.reserved_count >= 258
    assert stated == (100 << 20 if "Direct" in limit else None)
    assert found.limit_bytes is not None
    assert found.limit_bytes > found.reserved_bytes
    (finding,) = heapscope.diagnose([path]).findings
    assert finding.confidence == "possible"
    assert "OffHeap.frames" in finding.title


@pytest.mark.parametrize("release", WITH_STACKS or [pytest.param(0, marks=pytest.mark.skip("no JDK 22"))])
def test_virtual_threads_by_stack(tmp_path: Path, release: int) -> None:
    path = tmp_path / "a.hprof"

    def waiting() -> int:
        """How many threads wait in the same place: some may not have got there yet."""
        path.unlink(missing_ok=True)
        jvm.dump(path)
        with heapscope.open(path, use_index=False) as heap:
            return max(each.thread_count for each in find_thread_stacks(heap.graph))

    with java(find_jdks()[release], "OffHeap", arguments=["virtual"]) as jvm:
        wait_until(lambda: waiting() == 30, "30 threads that wait")
    with heapscope.open(path, use_index=False) as heap:
        found = find_thread_stacks(heap.graph)
        (together,) = (each for each in found if each.thread_count == 30)
        on_stack = stack_objects(heap.graph, together.serial)
        assert together.is_virtual
        assert any(frame.method == "waitForever" for frame in together.frames)
        assert "[5,000]" in {each.text for each in on_stack}
        assert together.retained_bytes >= 30 * 5000
        main = next(each for each in found if each.names == ("main",))
        assert (main.is_virtual, main.is_daemon) == (False, False)
        assert find_off_heap(heap.graph).thread_count < 30
