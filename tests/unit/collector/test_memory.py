"""Mappings, the heap's range, arenas and native memory from text."""

from __future__ import annotations

from heapscope.collector.memory import areas, arena_rss, heap_range, heap_range_of, native_memory

MIB = 1 << 20


def smaps(*mappings: tuple[int, int, str, int, str]) -> bytes:
    """Text of smaps: start, end, permissions, resident kB, name."""
    return "".join(
        f"{start:x}-{end:x} {mode} 00000000 00:00 0 {name and ' ' * 20}{name}\n"
        f"Size: {(end - start) >> 10} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
        f"Rss: {rss:8} kB\nPss: {rss // 2:8} kB\nPss_Dirty: 0 kB\nVmFlags: rd wr mr mw me ac sd\n"
        for start, end, mode, rss, name in mappings
    ).encode()


HEAP = 0xE0000000
SERIAL = [
    (HEAP, HEAP + 100 * MIB, "rw-p", 500, ""),
    (HEAP + 100 * MIB, HEAP + 300 * MIB, "---p", 0, ""),
    (HEAP + 300 * MIB, HEAP + 400 * MIB, "rw-p", 700, ""),
    (HEAP + 400 * MIB, HEAP + 512 * MIB, "---p", 0, ""),
]


def test_areas_have_what_smaps_says() -> None:
    (area,) = areas(smaps((0x1000, 0x3000, "r-xp", 8, "/usr/lib/a b.so")))
    assert (area.start, area.end, area.name) == (0x1000, 0x3000, "/usr/lib/a b.so")
    assert (area.rss_bytes, area.pss_bytes) == (8 << 10, 4 << 10)
    assert area.is_readable
    assert not area.is_writable


def test_smaps_of_old_kernels_has_no_page_sizes_there() -> None:
    text = smaps(*SERIAL).replace(b"KernelPageSize:        4 kB\nMMUPageSize:           4 kB\n", b"")
    assert areas(text) == areas(smaps(*SERIAL))


def test_the_heap_is_the_run_of_its_length() -> None:
    around = [(0x10000, 0x20000, "rw-p", 4, "/bin/x"), *SERIAL, (1 << 46, (1 << 46) + 4096, "rw-p", 4, "")]
    assert heap_range(areas(smaps(*around)), 512 * MIB) == (HEAP, HEAP + 512 * MIB)
    assert heap_range(areas(smaps(*around)), 512 * MIB + 24) == (HEAP, HEAP + 512 * MIB)  # G1's odd words
    assert heap_range(areas(smaps(*around)), 511 * MIB) is None
    assert heap_range(areas(smaps(*around)), 0) is None


def test_archived_objects_are_part_of_the_heap() -> None:
    archived = [*SERIAL[:3], (HEAP + 400 * MIB, HEAP + 512 * MIB, "rw-p", 9, "/jdk/lib/server/classes.jsa")]
    assert heap_range(areas(smaps(*archived)), 512 * MIB) == (HEAP, HEAP + 512 * MIB)


def test_of_two_runs_the_low_one_is_the_heap_and_of_two_high_ones_none() -> None:
    high = [(base + 0x7F0000000000, end + 0x7F0000000000, *rest) for base, end, *rest in SERIAL]
    higher = [(base + 0x7F8000000000, end + 0x7F8000000000, *rest) for base, end, *rest in SERIAL]
    low_and_high = areas(smaps(*SERIAL, *high))  # type: ignore[arg-type]
    assert heap_range(low_and_high, 512 * MIB) == (HEAP, HEAP + 512 * MIB)
    assert heap_range(areas(smaps(*high, *higher)), 512 * MIB) is None  # type: ignore[arg-type]
    assert heap_range(areas(smaps(*high)), 512 * MIB) is not None  # type: ignore[arg-type]


def test_zgc_names_its_heap() -> None:
    views = [(base, base + 64 * MIB, "rw-s", 64, "/memfd:java_heap (deleted)") for base in (1 << 42, 1 << 43)]
    assert heap_range(areas(smaps(*views)), 512 * MIB) == (1 << 42, (1 << 43) + 64 * MIB)


def test_heap_info_of_all_forms() -> None:
    serial = (
        " def new generation   total 9K [0x00000000e0000000, 0x00000000e7e10000, 0x00000000eaaa0000)\n"
        " tenured generation   total 2K [0x00000000eaaa0000, 0x00000000fa6a0000, 0x0000000100000000)\n"
    )
    g1 = " garbage-first heap   total 10240K, used 1119K [0x00000000e0000000, 0x0000000100000000)\n"
    assert heap_range_of(serial) == heap_range_of(g1) == (0xE0000000, 0x100000000)
    assert heap_range_of(" ZHeap           used 8M, capacity 32M, max capacity 512M\n") is None


def test_arenas_begin_and_end_where_glibc_puts_them() -> None:
    base = 0x7F0000000000
    found = areas(
        smaps(
            (base, base + 10 * MIB, "rw-p", 1000, ""),
            (base + 10 * MIB, base + 64 * MIB, "---p", 0, ""),
            (base + 64 * MIB, base + 192 * MIB, "rw-p", 2000, ""),  # two full ones, merged
            (base + 256 * MIB, base + 257 * MIB, "rw-p", 4000, ""),  # a stack, nothing behind it
            (base + 320 * MIB + 4096, base + 384 * MIB, "rw-p", 8000, ""),
        )
    )
    assert arena_rss(found, None) == 3000 << 10
    assert arena_rss(found, (base, base + 64 * MIB)) == 2000 << 10


def test_native_memory_of_17_and_25() -> None:
    text = (
        "Native Memory Tracking:\n\nTotal: reserved=1845123KB, committed=90123KB\n"
        "-                 Java Heap (reserved=524288KB, committed=10240KB)\n"
        "                            (mmap: reserved=524288KB, committed=10240KB)\n"
        "-                     Other (reserved=301KB, committed=300KB)\n"
    )
    assert native_memory(text) == {"Total": 90123 << 10, "Java Heap": 10240 << 10, "Other": 300 << 10}
    assert native_memory("Native memory tracking is not enabled\n") == {}
