"""Mappings, the heap's range, arenas from text; pages of this very process."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from pathlib import Path

import pytest

from heapscope.collector import pages
from heapscope.collector.pages import (
    PAGE,
    Mapping,
    Use,
    arena_mappings,
    heap_mappings,
    heap_range,
    heap_range_of,
    look,
    mappings,
    pss_bytes,
)

MIB = 1 << 20


def maps(*lines: tuple[int, int, str, str]) -> str:
    """Text of maps: start, end, permissions, name."""
    return "".join(
        f"{start:x}-{end:x} {mode} 00000000 00:00 0 {name and ' ' * 20}{name}\n"
        for start, end, mode, name in lines
    )


HEAP = 0xE0000000
SERIAL = [
    (HEAP, HEAP + 100 * MIB, "rw-p", ""),
    (HEAP + 100 * MIB, HEAP + 300 * MIB, "---p", ""),
    (HEAP + 300 * MIB, HEAP + 400 * MIB, "rw-p", ""),
    (HEAP + 400 * MIB, HEAP + 512 * MIB, "---p", ""),
]


def found(*lines: tuple[int, int, str, str]) -> list[Mapping]:
    return mappings(maps(*lines))


def test_a_mapping_is_what_maps_says() -> None:
    (mapping,) = mappings("7f00-9f00 r-xs 0001f000 fe:01 12   /usr/lib/a b.so\n")
    assert mapping == Mapping(0x7F00, 0x9F00, True, False, 0x1F000, "/usr/lib/a b.so")


def test_the_heap_is_the_run_of_its_length() -> None:
    around = [(0x10000, 0x20000, "rw-p", "/bin/x"), *SERIAL, (1 << 46, (1 << 46) + 4096, "rw-p", "")]
    assert heap_range(found(*around), 512 * MIB) == (HEAP, HEAP + 512 * MIB)
    assert heap_range(found(*around), 512 * MIB + 24) == (HEAP, HEAP + 512 * MIB)  # G1's odd words
    assert heap_range(found(*around), 511 * MIB) is None
    assert heap_range(found(*around), 0) is None


def test_archived_objects_are_part_of_the_heap() -> None:
    archived = [*SERIAL[:3], (HEAP + 400 * MIB, HEAP + 512 * MIB, "rw-p", "/jdk/lib/server/classes.jsa")]
    assert heap_range(found(*archived), 512 * MIB) == (HEAP, HEAP + 512 * MIB)


def test_of_two_runs_the_low_one_is_the_heap_and_of_two_high_ones_none() -> None:
    high = [(base + 0x7F0000000000, end + 0x7F0000000000, mode, name) for base, end, mode, name in SERIAL]
    higher = [(base + 0x7F8000000000, end + 0x7F8000000000, mode, name) for base, end, mode, name in SERIAL]
    assert heap_range(found(*SERIAL, *high), 512 * MIB) == (HEAP, HEAP + 512 * MIB)
    assert heap_range(found(*high, *higher), 512 * MIB) is None
    assert heap_range(found(*high), 512 * MIB) is not None


def test_a_space_for_classes_as_long_as_the_heap_is_not_taken_for_it() -> None:
    # JDK 25 with -Xmx1g: both below 4 GiB, as they were seen.
    lines = [
        (0x7D000000, 0x7D010000, "rw-p", ""),
        (0x7D010000, 0xBD000000, "---p", ""),
        (0xC0000000, 0xD7A00000, "rw-p", ""),
        (0xD7A00000, 0xFFE00000, "---p", ""),
        (0xFFE00000, 0x100000000, "rw-p", "/jdk/lib/server/classes.jsa"),
    ]
    assert heap_range(found(*lines), 1 << 30) is None
    assert heap_range(found(*lines), 1 << 30, 65_536) == (0xC0000000, 0x100000000)


def test_zgc_names_its_heap() -> None:
    views = [(base, base + 64 * MIB, "rw-s", "/memfd:java_heap (deleted)") for base in (1 << 42, 1 << 43)]
    assert heap_range(found(*views), 512 * MIB) == (1 << 42, (1 << 43) + 64 * MIB)


def test_heap_info_of_all_forms() -> None:
    serial = (
        " def new generation   total 9K [0x00000000e0000000, 0x00000000e7e10000, 0x00000000eaaa0000)\n"
        " tenured generation   total 2K [0x00000000eaaa0000, 0x00000000fa6a0000, 0x0000000100000000)\n"
    )
    g1 = " garbage-first heap   total 10240K, used 1119K [0x00000000e0000000, 0x0000000100000000)\n"
    assert heap_range_of(serial) == heap_range_of(g1) == (0xE0000000, 0x100000000)
    assert heap_range_of(" ZHeap           used 8M, capacity 32M, max capacity 512M\n") is None


def test_what_is_reserved_only_is_not_looked_at() -> None:
    inside = heap_mappings(found(*SERIAL), (HEAP, HEAP + 512 * MIB))
    assert [mapping.start for mapping in inside] == [HEAP, HEAP + 300 * MIB]
    huge = found((HEAP, HEAP + 512 * MIB, "rw-p", "/anon_hugepage (deleted)"))
    assert heap_mappings(huge, (HEAP, HEAP + 512 * MIB)) == []


def test_arenas_begin_and_end_where_glibc_puts_them() -> None:
    base = 0x7F0000000000
    lines = found(
        (base, base + 10 * MIB, "rw-p", ""),
        (base + 10 * MIB, base + 64 * MIB, "---p", ""),
        (base + 64 * MIB, base + 192 * MIB, "rw-p", ""),  # two full ones, merged
        (base + 256 * MIB, base + 257 * MIB, "rw-p", ""),  # a stack, nothing behind it
        (base + 320 * MIB + 4096, base + 384 * MIB, "rw-p", ""),
    )
    assert [mapping.start for mapping in arena_mappings(lines, None)] == [base, base + 64 * MIB]
    outside = arena_mappings(lines, (base, base + 64 * MIB))
    assert [mapping.start for mapping in outside] == [base + 64 * MIB]


class Memory:
    """Some memory of this process in small pages, of which pages are touched."""

    def __init__(self, size: int, fd: int = -1) -> None:
        flags = mmap.MAP_SHARED if fd >= 0 else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.map = mmap.mmap(fd, size, flags=flags)
        self.map.madvise(15)  # MADV_NOHUGEPAGE
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))

    def mapping(self, start: int = 0, size: int | None = None, name: str = "") -> Mapping:
        end = self.start + start + (len(self.map) if size is None else size)
        return Mapping(self.start + start, end, True, True, start, name)

    def touch(self, *numbers: int) -> None:
        for number in numbers:
            self.map[number * PAGE] = 1


def test_touched_pages_are_counted() -> None:
    memory = Memory(5 * MIB)
    memory.touch(0, 1, 700, 5 * MIB // PAGE - 1)
    other = Memory(MIB)
    assert look(os.getpid(), [[memory.mapping()], [], [other.mapping()]]) == [
        Use(4 * PAGE, 0),
        Use(0, 0),
        Use(0, 0),
    ]
    assert look(os.getpid(), [[memory.mapping(0, 2 * PAGE), memory.mapping(3 * MIB, 2 * MIB)]]) == [
        Use(3 * PAGE, 0)
    ]


def test_more_than_one_look_may_read_is_estimated_on_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_CHUNKS", 4)
    memory = Memory(32 * MIB)
    memory.touch(*range(16 * MIB // PAGE))  # the first half
    reads = []
    real = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        reads.append(at)
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", counted)
    (use,) = look(os.getpid(), [[memory.mapping()]])
    assert use.resident_bytes == pytest.approx(16 * MIB, abs=4 * MIB)
    assert len(reads) <= 5


def test_a_heap_that_is_mapped_three_times_counts_once() -> None:
    fd = os.memfd_create("java_heap")
    os.ftruncate(fd, 4 * MIB)
    first, second = Memory(4 * MIB, fd), Memory(4 * MIB, fd)
    os.close(fd)
    first.touch(0, 1, 2)
    second.touch(2, 3)
    group = [memory.mapping(name="/memfd:java_heap (deleted)") for memory in (first, second)]
    assert look(os.getpid(), [group]) == [Use(4 * PAGE, 0, 1 * PAGE)]


def test_an_entry_that_is_swapped_out_is_no_resident_one(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [1 << 63, 1 << 62, 0, 1 << 62 | 5]
    data = b"".join(entry.to_bytes(8, "little") for entry in entries)
    monkeypatch.setattr(os, "pread", lambda fd, size, at: data[:size])
    mapping = Mapping(0x200000, 0x200000 + 4 * PAGE, True, True, 0, "")
    assert look(os.getpid(), [[mapping]]) == [Use(PAGE, 2 * PAGE)]


def test_pss_is_what_the_kernel_says_and_large_processes_are_spared() -> None:
    rss = int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0]) << 10
    pss = pss_bytes(os.getpid(), min(rss, pages.MAX_ROLLUP_BYTES))
    assert pss is not None
    assert 0 < pss <= 1.1 * rss
    assert pss_bytes(os.getpid(), pages.MAX_ROLLUP_BYTES + 1) is None
    assert pss_bytes(2**22 + 1, 1) is None
