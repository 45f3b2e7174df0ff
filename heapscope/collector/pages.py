"""Which pages of a process are resident or swapped out, by ``/proc/PID/maps`` and ``/proc/PID/pagemap``.

``smaps`` would say it by mapping, but the kernel keeps the process's memory locked while it walks a mapping:
every mmap and munmap of a process of 3 GB in small pages waited up to 120 ms (measured, Linux 6.18).
``pagemap`` is walked in chunks of 2 MiB, each under the lock for some microseconds.  A look reads
`MAX_CHUNKS` of them at most of heap, main arena and other arenas each, on a fixed grid where there are more,
and pauses between them so that whoever waits for the lock gets it.

Entries are 8 bytes; bit 63 is "resident", bit 62 "swapped out"
(Linux ``Documentation/admin-guide/mm/pagemap.rst``).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
_CHUNK = 2 << 20
# Chunks of one look: 512 MiB are read in full, in some milliseconds of processor.
MAX_CHUNKS = 256
_PAUSE_SECONDS = 50e-6
# PSS takes a walk under the lock: made up to so many resident bytes, which is 1 to 3 ms of small pages.
MAX_ROLLUP_BYTES = 128 << 20
# glibc gives every arena but the first whole multiples of this (HEAP_MAX_SIZE of malloc/arena.c).
_ARENA_BYTES = 64 << 20
# HotSpot reserves heaps in whole units of this or more; G1's counters add a word for each generation.
_HEAP_UNIT = 64 << 10
# Zero-based compressed references of 32 bits, in units of 8 bytes, reach as far.
_COMPRESSED_END = 32 << 30
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S)(\S)\S\S ([0-9a-f]+) \S+ \d+ *([^\n]*)$", re.MULTILINE)
_HEAP_INFO = re.compile(r"\[(0x[0-9a-f]+), ?(0x[0-9a-f]+)(?:, ?(0x[0-9a-f]+))?\)")
# The top byte of an entry as one that is 1 where the page is resident, or swapped out.
_IS_RESIDENT = bytes(byte >> 7 for byte in range(256))
_IS_SWAPPED = bytes(byte >> 6 == 1 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of ``/proc/PID/maps``; addresses, and bytes into the file that is mapped."""

    start: int
    end: int
    is_readable: bool
    is_writable: bool
    offset: int
    name: str

    @property
    def is_named_heap(self) -> bool:
        """ZGC's heap is a file in memory with a name; until JDK 20 it is mapped three times."""
        return "java_heap" in self.name


@dataclass(frozen=True, slots=True)
class Use:
    """Bytes of some mappings; with more than `MAX_CHUNKS` chunks, estimated from those of the grid.

    Attributes
    ----------
    resident_bytes : int
    swapped_bytes : int
    counted_twice_bytes : int
        What the process's resident size counts more than once: pages of a heap that is mapped several times.
    """

    resident_bytes: int
    swapped_bytes: int
    counted_twice_bytes: int = 0


def mappings(text: str) -> list[Mapping]:
    """The mappings in the text of ``/proc/PID/maps``, by address."""
    return [
        Mapping(int(start, 16), int(end, 16), readable == "r", writable == "w", int(offset, 16), name)
        for start, end, readable, writable, offset, name in _MAPPING.findall(text)
    ]


def heap_range(
    found: Sequence[Mapping], max_bytes: int, class_space_bytes: int = 0
) -> tuple[int, int] | None:
    """The range of adjacent mappings that is as large as the heap may become.

    HotSpot reserves the whole heap at once and commits parts of it, so the heap is a run of mappings with a
    length known from the counters, below 32 GiB where references are compressed.  ZGC's heap has a name.

    Parameters
    ----------
    found : sequence of Mapping
        By address.
    max_bytes : int
        Of the heap, by the JVM's counters.
    class_space_bytes : int
        What is committed of the space for classes, by them; 0 where it is not known.

    Returns
    -------
    (int, int) or None
        First address, and the address behind the last; None where no run, or more than one, fits.
    """
    named = [mapping for mapping in found if mapping.is_named_heap]
    if named:
        return named[0].start, named[-1].end
    size = max_bytes // _HEAP_UNIT * _HEAP_UNIT
    runs: list[list[Mapping]] = []
    for mapping in found:
        # Archived objects are mapped into the heap from the class data archive.
        if mapping.name and not mapping.name.startswith("[anon") and not mapping.name.endswith(".jsa"):
            continue
        if runs and runs[-1][-1].end == mapping.start:
            runs[-1].append(mapping)
        else:
            runs.append([mapping])
    matches = []
    for run in runs:
        ends = {mapping.end for mapping in run}
        matches += [
            (mapping.start, mapping.start + size)
            for mapping in run
            if size and mapping.start + size in ends and mapping.start % _HEAP_UNIT == 0
        ]
    # Eight arenas of malloc are as long as a heap of 512 MiB, but lie higher.
    matches = [match for match in matches if match[1] <= _COMPRESSED_END] or matches
    if len(matches) > 1 and class_space_bytes:
        # That space is as long as a heap of 1 GiB. (What the heap has committed lags behind in the counters.)
        matches.remove(min(matches, key=lambda match: abs(_readable(found, match) - class_space_bytes)))
    return matches[0] if len(matches) == 1 else None


def _readable(found: Iterable[Mapping], bounds: tuple[int, int]) -> int:
    return sum(mapping.end - mapping.start for mapping in heap_mappings(found, bounds))


def heap_range_of(heap_info: str) -> tuple[int, int] | None:
    """The range that ``GC.heap_info`` prints: from its lowest to its highest address."""
    numbers = [
        int(number, 16) for match in _HEAP_INFO.finditer(heap_info) for number in match.groups() if number
    ]
    return (min(numbers), max(numbers)) if numbers else None


def heap_mappings(found: Iterable[Mapping], heap: tuple[int, int]) -> list[Mapping]:
    """Those of the Java heap.  Huge pages that were reserved count in no process's resident size."""
    return [
        mapping
        for mapping in found
        # ZGC's heap is known by its name: its range grows.
        if (mapping.is_named_heap or (heap[0] <= mapping.start and mapping.end <= heap[1]))
        and mapping.is_readable
        and "anon_hugepage" not in mapping.name
    ]


def arena_mappings(found: Sequence[Mapping], heap: tuple[int, int] | None) -> list[Mapping]:
    """Those of glibc's arenas but the first.

    An arena is a mapping that begins at a multiple of 64 MiB and ends at one, if its part that is reserved
    but not yet readable is counted in.

    Parameters
    ----------
    found : sequence of Mapping
        By address.
    heap : (int, int) or None
        The range of the Java heap, which is left out.
    """
    arenas = []
    for index, mapping in enumerate(found):
        if mapping.name or not mapping.is_writable or mapping.start % _ARENA_BYTES:
            continue
        if heap is not None and heap[0] <= mapping.start < heap[1]:
            continue
        end = mapping.end
        if end % _ARENA_BYTES and index + 1 < len(found):
            after = found[index + 1]
            if after.start == end and not after.is_readable and not after.name:
                end = after.end
        if end % _ARENA_BYTES == 0:
            arenas.append(mapping)
    return arenas


def look(pid: int, groups: Sequence[Sequence[Mapping]]) -> list[Use]:
    """What is resident and swapped out of some groups of mappings.

    Parameters
    ----------
    pid : int
    groups : sequence of sequence of Mapping

    Returns
    -------
    list of Use
        One for each group.

    Raises
    ------
    OSError
        The process has ended, or its pages are closed to us.
    """
    fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return [_use(fd, group) for group in groups]
    finally:
        os.close(fd)


def _use(fd: int, group: Sequence[Mapping]) -> Use:
    total = sum(mapping.end - mapping.start for mapping in group)
    stride = max(1, -(-total // (_CHUNK * MAX_CHUNKS)))
    pages = resident = swapped = 0
    views: dict[
        int, int
    ] = {}  # chunk of a file that may be mapped several times: a bit for each resident page
    for mapping in group:
        # The grid is one of addresses, or of the file's bytes: a mapping that grows keeps its chunks.
        base = mapping.offset - mapping.start if mapping.is_named_heap else 0
        for chunk in range((mapping.start + base) // _CHUNK, -(-(mapping.end + base) // _CHUNK)):
            if chunk % stride:
                continue
            start = max(mapping.start, chunk * _CHUNK - base)
            end = min(mapping.end, (chunk + 1) * _CHUNK - base)
            tops = os.pread(fd, (end - start) // PAGE * 8, start // PAGE * 8)[7::8]
            here = tops.translate(_IS_RESIDENT)
            pages += len(here)
            resident += here.count(1)
            swapped += tops.translate(_IS_SWAPPED).count(1)
            if mapping.is_named_heap:
                place = (start + base - chunk * _CHUNK) // PAGE
                views[chunk] = views.get(chunk, 0) | int.from_bytes(bytes(place) + here, "little")
            time.sleep(_PAUSE_SECONDS)
    if not pages:
        return Use(0, 0)
    once = sum(bits.bit_count() for bits in views.values()) if views else resident
    whole = total / pages
    return Use(round(once * whole), round(swapped * whole), round((resident - once) * whole))


def pss_bytes(pid: int, rss_bytes: int) -> int | None:
    """Resident bytes of a process, shared pages by share; None where that would take a long walk.

    Parameters
    ----------
    pid : int
    rss_bytes : int
        Its resident size.
    """
    if rss_bytes > MAX_ROLLUP_BYTES:
        return None
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return None if found is None else int(found[1]) << 10
