"""Memory outside of the heap, by the field that owns it."""

from __future__ import annotations

from pathlib import Path

import heapscope
from heapscope.heap.objects.environment import stated_direct_limit
from heapscope.heap.retention.off_heap import (
    DEFLATER,
    DIRECT,
    HANDLE,
    INFLATER,
    MAPPED,
    NETTY,
    UNREACHABLE,
    WRAPPED,
    OffHeap,
    find_off_heap,
    off_heap_totals,
)
from tests.support.dumps import DumpBuilder
from tests.unit.off_heap_dumps import declare_buffers, direct_buffer, held_by_static

CAMERA = "com.acme.Camera"


def found(d: DumpBuilder, folder: Path) -> OffHeap:
    """What lies outside of the heap that was built."""
    path = d.dump().save(folder / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        totals, by_owner = off_heap_totals(heap.graph), find_off_heap(heap.graph)
    assert totals.known_bytes == by_owner.known_bytes
    assert all(not use.owner for use in totals.uses)
    return by_owner


def facts(off_heap: OffHeap) -> set[tuple[str, str, int, int | None]]:
    return {(use.kind, use.owner, use.object_count, use.byte_count) for use in off_heap.uses}


def test_buffers_of_two_lists_are_told_apart_by_their_fields(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    held_by_static(d, CAMERA, frames=[direct_buffer(d, 1000) for _ in range(5)], spare=[direct_buffer(d, 7)])
    assert facts(found(d, tmp_path)) == {
        (DIRECT, f"{CAMERA}.frames", 5, 5000),
        (DIRECT, f"{CAMERA}.spare", 1, 7),
    }


def test_views_count_once_and_files_apart(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    own = direct_buffer(d, 1000)
    view = d.instance("java.nio.DirectByteBuffer", capacity=1000, att=own)
    ints = d.instance("java.nio.DirectIntBufferU", capacity=250, att=own)
    native = direct_buffer(d, 300, cleaner=0)
    empty = direct_buffer(d, 0)
    file = direct_buffer(d, 4096, fd=d.instance("java.lang.Object"))
    held_by_static(d, CAMERA, frames=[own, view, ints, native, empty, file])
    assert facts(found(d, tmp_path)) == {
        (DIRECT, f"{CAMERA}.frames", 1, 1000),
        (WRAPPED, f"{CAMERA}.frames", 1, 300),
        (MAPPED, f"{CAMERA}.frames", 1, 4096),
    }


def test_a_buffer_that_nothing_holds_is_said_to_be_free_soon(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    direct_buffer(d, 1000)
    held_by_static(d, CAMERA, frames=[])
    assert facts(found(d, tmp_path)) == {(DIRECT, UNREACHABLE, 1, 1000)}


def test_owners_of_many_buffers_in_objects_of_their_own(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    d.cls("com.acme.Frame", fields={"pixels": "java.nio.DirectByteBuffer"})
    frames = [d.instance("com.acme.Frame", pixels=direct_buffer(d, 10)) for _ in range(700)]
    chained = 0
    d.cls("com.acme.Node", fields={"value": "Object", "next": "com.acme.Node"})
    for _ in range(700):
        chained = d.instance("com.acme.Node", value=direct_buffer(d, 1), next=chained)
    held_by_static(d, CAMERA, frames=frames)
    d.cls("com.acme.Journal")
    d.static("com.acme.Journal", "first", "com.acme.Node", chained)
    d.root("STICKY_CLASS", d.class_id("com.acme.Journal"))
    sums: dict[str, int] = {}
    for use in found(d, tmp_path).uses:
        sums[use.owner] = sums.get(use.owner, 0) + use.object_count
    assert sum(sums.values()) == 1400
    assert sums[f"{CAMERA}.frames"] == 700
    # The first node is no element of the list yet, by what is known of its path.
    assert sums["com.acme.Journal.first"] >= 699


def test_counters_of_the_jvm_and_limits(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    d.cls("java.util.concurrent.atomic.AtomicLong", fields={"value": "long"})
    for name, value in (("RESERVED_MEMORY", 5000), ("COUNT", 5)):
        counter = d.instance("java.util.concurrent.atomic.AtomicLong", value=value)
        d.static("java.nio.Bits", name, "AtomicLong", counter)
    d.static("java.nio.Bits", "MAX_MEMORY", "long", 64_000)
    saved = d.hash_map({"sun.nio.MaxDirectMemorySize": "64000"})
    d.cls("jdk.internal.misc.VM", statics={"directMemory": ("long", 64_000), "savedProps": ("Map", saved)})
    d.thread("main")
    off_heap = found(d, tmp_path)
    assert (off_heap.reserved_bytes, off_heap.reserved_count, off_heap.limit_bytes) == (5000, 5, 64_000)
    assert off_heap.direct_bytes == 5000
    assert off_heap.thread_count == 1
    with heapscope.open(tmp_path / "a.hprof", use_index=False) as heap:
        assert stated_direct_limit(heap.graph) == 64_000


def test_a_limit_that_was_not_stated(tmp_path: Path) -> None:
    d = DumpBuilder(jdk=8)
    saved = d.system_properties({"sun.nio.MaxDirectMemorySize": "-1"})
    d.cls("sun.misc.VM", statics={"directMemory": ("long", 64_000), "savedProps": ("Properties", saved)})
    d.static("java.nio.Bits", "reservedMemory", "long", 17)
    off_heap = found(d, tmp_path)
    assert (off_heap.limit_bytes, off_heap.reserved_bytes) == (64_000, 17)
    with heapscope.open(tmp_path / "a.hprof", use_index=False) as heap:
        assert stated_direct_limit(heap.graph) is None


def test_chunks_of_a_shaded_netty_count_once(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    package = "org.acme.shaded.io.netty"
    d.cls(f"{package}.buffer.PoolArena$DirectArena")
    d.cls(f"{package}.buffer.PoolArena$HeapArena")
    d.cls(f"{package}.buffer.PoolChunk", fields={"arena": "Object", "memory": "Object", "chunkSize": "int"})
    chunks = [
        d.instance(
            f"{package}.buffer.PoolChunk",
            arena=d.instance(f"{package}.buffer.PoolArena${kind}Arena"),
            memory=direct_buffer(d, 4 << 20, cleaner=0) if kind == "Direct" else 0,
            chunkSize=4 << 20,
        )
        for kind in ("Direct", "Heap")
    ]
    held_by_static(d, CAMERA, frames=chunks)
    d.cls("java.util.concurrent.atomic.AtomicLong", fields={"value": "long"})
    counter = d.instance("java.util.concurrent.atomic.AtomicLong", value=5 << 20)
    d.cls(
        f"{package}.util.internal.PlatformDependent",
        statics={"DIRECT_MEMORY_COUNTER": ("AtomicLong", counter), "DIRECT_MEMORY_LIMIT": ("long", 9 << 20)},
    )
    off_heap = found(d, tmp_path)
    assert facts(off_heap) == {(NETTY, f"{CAMERA}.frames", 1, 4 << 20)}
    assert (off_heap.netty_bytes, off_heap.netty_limit_bytes) == (5 << 20, 9 << 20)
    assert off_heap.direct_bytes == 5 << 20


def test_streams_of_zlib_that_nobody_has_ended(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("java.util.zip.ZStreamRef", fields={"address": "long"})
    for name in ("Inflater", "Deflater"):
        d.cls(f"java.util.zip.{name}", fields={"zsRef": "java.util.zip.ZStreamRef"})
    streams = [
        d.instance(f"java.util.zip.{name}", zsRef=d.instance("java.util.zip.ZStreamRef", address=address))
        for name, address in (("Inflater", 4096), ("Inflater", 0), ("Deflater", 4096))
    ]
    held_by_static(d, CAMERA, frames=streams)
    off_heap = found(d, tmp_path)
    assert {(use.kind, use.object_count, use.is_estimate) for use in off_heap.uses} == {
        (INFLATER, 1, True),
        (DEFLATER, 1, True),
    }
    assert off_heap.bytes_of(DEFLATER) > off_heap.bytes_of(INFLATER) > 32_768


def test_handles_are_addresses_not_numbers_that_are_called_so(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Model", fields={"nativeHandle": "long"})
    d.cls("com.acme.House", fields={"address": "long"})
    d.cls("com.acme.Few", fields={"ptr": "long"})
    base = 0x7F00_0000_0000
    models = [d.instance("com.acme.Model", nativeHandle=base + 64 * i) for i in range(150)]
    models += [d.instance("com.acme.Model", nativeHandle=0) for _ in range(20)]  # closed
    houses = [d.instance("com.acme.House", address=i) for i in range(150)]
    few = [d.instance("com.acme.Few", ptr=base + 16 * i) for i in range(99)]
    held_by_static(d, CAMERA, frames=models, houses=houses, few=few)
    assert facts(found(d, tmp_path)) == {(HANDLE, f"{CAMERA}.frames", 150, None)}


def test_a_field_whose_objects_stand_for_most_of_the_memory_is_a_suspect(tmp_path: Path) -> None:
    d = DumpBuilder()
    declare_buffers(d)
    frames = [direct_buffer(d, 1 << 20) for _ in range(20)]
    held_by_static(
        d, CAMERA, index=[d.primitive_array("byte", [0] * 50_000)], frames=frames, spare=[direct_buffer(d, 7)]
    )
    direct_buffer(d, 1 << 30)  # nothing holds it
    path = d.dump().save(tmp_path / "a.hprof")
    with heapscope.open(path, use_index=False) as heap:
        first, second = list(heap.suspects())[:2]
    assert (first.owner, first.off_heap_bytes) == (f"{CAMERA}.frames", 20 << 20)
    assert (first.content_class, first.content_count) == ("java.nio.DirectByteBuffer", 20)
    assert first.share < 1
    assert (second.owner, second.off_heap_bytes) == (f"{CAMERA}.index", None)
