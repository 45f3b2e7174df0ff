"""The memory of one process that hosts a JVM, sampled from outside: ``/proc`` and hsperfdata.

Nothing is contacted, with two exceptions, both only where an attach socket is there already: one
``GC.heap_info`` (no pause) where the heap cannot be found in the process's map, and
``VM.native_memory summary`` in JVMs that run with ``-XX:NativeMemoryTracking``.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heapscope.collector import attach, perfdata
from heapscope.collector.perfdata import number
from heapscope.collector.processes import JvmProcess, kilobytes, start_ticks, status_facts
from heapscope.errors import CollectError

_CONTACT_SECONDS = 2.0
_MAX_CONTACT_FAILURES = 3
_LOOKS_FOR_COUNTERS = 3
# glibc gives every arena but the first whole multiples of this (HEAP_MAX_SIZE of malloc/arena.c).
_ARENA_BYTES = 64 << 20
# HotSpot reserves heaps in whole units of this or more; G1's counters add a word for each generation.
_HEAP_UNIT = 64 << 10
# Zero-based compressed references of 32 bits, in units of 8 bytes, reach as far.
_COMPRESSED_END = 32 << 30
_AREA = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) (\S)(\S)\S\S \S+ \S+ \d+ *([^\n]*)\nSize:[^\n]*\n"
    rb"(?:KernelPageSize:[^\n]*\nMMUPageSize:[^\n]*\n)?Rss: +(\d+) kB\nPss: +(\d+) kB",
    re.MULTILINE,
)
_HEAP_INFO = re.compile(r"\[(0x[0-9a-f]+), ?(0x[0-9a-f]+)(?:, ?(0x[0-9a-f]+))?\)")
_NMT_LINE = re.compile(r"^-?\s*([A-Z][A-Za-z ]*?)(?: \(|: )reserved=\d+KB, committed=(\d+)KB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Area:
    """One mapping of a process, from its ``/proc/PID/smaps``; addresses and bytes."""

    start: int
    end: int
    is_readable: bool
    is_writable: bool
    name: str
    rss_bytes: int
    pss_bytes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process used at one moment; None where it was not, or could not be, measured.

    Attributes
    ----------
    captured_at : str
        UTC, ISO 8601.
    vsz_bytes, rss_bytes, swap_bytes : int
        Of the whole process.
    pss_bytes : int or None
        Resident bytes, shared pages by share.
    heap_rss_bytes : int or None
        Resident bytes inside the address range of the Java heap.
    malloc_rss_bytes, arena_rss_bytes : int or None
        Resident bytes of glibc's main arena (brk), and of its other arenas.
    heap_used_bytes, heap_committed_bytes, heap_max_bytes : int or None
    old_after_gc_bytes : int or None
        The old generation as the last collection left it; None before the first.
    metaspace_bytes : int or None
        Committed.
    nmt_other_bytes, nmt_native_bytes : int or None
        Committed by ``VM.native_memory``: "Other", which is direct buffers and ``Unsafe``'s memory, and all
        but the Java heap.
    thread_count : int
        Of the process, native ones too.
    class_count : int or None
        Loaded less unloaded.
    gc_count, full_gc_count : int or None
        Since the JVM started.
    gc_seconds : float or None
        Spent in collections since the JVM started.
    """

    captured_at: str
    host: str
    pid: int
    start_ticks: int
    role: str | None
    task_index: int | None
    vsz_bytes: int
    rss_bytes: int
    swap_bytes: int
    pss_bytes: int | None
    heap_rss_bytes: int | None
    malloc_rss_bytes: int | None
    arena_rss_bytes: int | None
    heap_used_bytes: int | None
    heap_committed_bytes: int | None
    heap_max_bytes: int | None
    old_after_gc_bytes: int | None
    metaspace_bytes: int | None
    nmt_other_bytes: int | None
    nmt_native_bytes: int | None
    thread_count: int
    class_count: int | None
    gc_count: int | None
    full_gc_count: int | None
    gc_seconds: float | None


class Probe:
    """Samples one process again and again at low cost: files stay open, constants are looked up once.

    Parameters
    ----------
    process : JvmProcess
        Named by pid and start time: a later process with its pid is never taken for it.
    """

    def __init__(self, process: JvmProcess) -> None:
        self.process = process
        self.last_walk = 0.0
        self._home = Path(f"/proc/{process.pid}")
        self._counters: perfdata.CounterFile | None = None
        self._looks_for_counters = _LOOKS_FOR_COUNTERS
        self._heap: tuple[int, int] | None = None
        self._is_heap_asked = False
        self._failures = 0

    def sample(self, captured_at: str, host: str, *, walk: bool = True) -> Sample | None:
        """One sample; None once the process has ended.

        Parameters
        ----------
        captured_at : str
            The time of the sample, UTC, ISO 8601.
        host : str
            Name of this machine.
        walk : bool
            Whether to read ``smaps`` too.  The kernel visits every resident page for it, which takes about a
            millisecond for each gigabyte.
        """
        process = self.process
        if start_ticks(process.pid) != process.start_ticks:
            return None
        try:
            status = (self._home / "status").read_text()
        except OSError:
            return None
        facts = status_facts(status)
        if facts.get("State", "Z")[0] in "ZX" or "VmRSS" not in facts:
            return None
        counters = self._read_counters()
        heap = perfdata.heap_use(counters) if counters else None
        areas = self._walk() if walk else None
        bounds = self._bounds(areas, heap) if areas is not None else None
        nmt = self._native_memory(counters)
        has_collected = counters is not None and _count(counters, "sun.gc.collector.{}.invocations") > 0
        return Sample(
            captured_at=captured_at,
            host=host,
            pid=process.pid,
            start_ticks=process.start_ticks,
            role=process.role,
            task_index=process.task_index,
            vsz_bytes=kilobytes(facts, "VmSize"),
            rss_bytes=kilobytes(facts, "VmRSS"),
            swap_bytes=kilobytes(facts, "VmSwap"),
            pss_bytes=None if areas is None else sum(area.pss_bytes for area in areas),
            heap_rss_bytes=None if areas is None or bounds is None else _rss_between(areas, *bounds),
            malloc_rss_bytes=None
            if areas is None
            else sum(area.rss_bytes for area in areas if area.name == "[heap]"),
            arena_rss_bytes=None if areas is None else arena_rss(areas, bounds),
            heap_used_bytes=heap.used_bytes if heap else None,
            heap_committed_bytes=heap.committed_bytes if heap else None,
            heap_max_bytes=heap.max_bytes if heap else None,
            old_after_gc_bytes=heap.old_used_bytes if heap and has_collected else None,
            metaspace_bytes=heap.metaspace_committed_bytes if heap else None,
            nmt_other_bytes=nmt.get("Other") if nmt else None,
            nmt_native_bytes=nmt["Total"] - nmt.get("Java Heap", 0) if nmt and "Total" in nmt else None,
            thread_count=int(facts.get("Threads", "0")),
            class_count=_loaded(counters) if counters else None,
            gc_count=_count(counters, "sun.gc.collector.{}.invocations") if counters else None,
            full_gc_count=number(counters, "sun.gc.collector.1.invocations") if counters else None,
            gc_seconds=_gc_seconds(counters) if counters else None,
        )

    def close(self) -> None:
        """Close what is open."""
        if self._counters is not None:
            self._counters.close()
            self._counters = None

    def _read_counters(self) -> perfdata.Counters | None:
        if self._counters is None and self._looks_for_counters > 0:
            # A JVM that has just been found has mapped it; only an unlucky moment takes a second look.
            self._looks_for_counters -= 1
            with suppress(OSError):
                maps = (self._home / "maps").read_text("utf-8", "surrogateescape")
                owner = status_facts((self._home / "status").read_text())["Uid"].split()[:3]
                self._counters, _ = perfdata.open_counters(
                    self._home / "root/tmp", self.process.namespace_pid, maps, [int(uid) for uid in owner]
                )
        return None if self._counters is None else self._counters.read()

    def _walk(self) -> list[Area] | None:
        self.last_walk = time.monotonic()
        try:
            return areas((self._home / "smaps").read_bytes())
        except OSError:
            return None

    def _bounds(self, found: list[Area], heap: perfdata.HeapUse | None) -> tuple[int, int] | None:
        """Where the heap lies: constant for the life of a JVM."""
        if self._heap is None and heap is not None:
            self._heap = heap_range(found, heap.max_bytes)
        if self._heap is None and not self._is_heap_asked:
            self._is_heap_asked = True
            self._heap = heap_range_of(self._ask("GC.heap_info") or "")
        return self._heap

    def _native_memory(self, counters: perfdata.Counters | None) -> dict[str, int] | None:
        words = str((counters or {}).get("java.rt.vmArgs", ""))
        if "-XX:NativeMemoryTracking=" not in words or "NativeMemoryTracking=off" in words:
            return None
        text = self._ask("VM.native_memory summary")
        return None if text is None else native_memory(text)

    def _ask(self, command: str) -> str | None:
        """The JVM's answer where it has an attach socket; not asked any more after three failures."""
        if self._failures >= _MAX_CONTACT_FAILURES:
            return None
        try:
            return attach.jcmd(self.process, command, seconds=_CONTACT_SECONDS)
        except CollectError:
            self._failures += 1
            return None


def areas(smaps: bytes) -> list[Area]:
    """The mappings in the text of ``/proc/PID/smaps``, by address."""
    return [
        Area(
            start=int(start, 16),
            end=int(end, 16),
            is_readable=readable == b"r",
            is_writable=writable == b"w",
            name=os.fsdecode(name),
            rss_bytes=int(rss) << 10,
            pss_bytes=int(pss) << 10,
        )
        for start, end, readable, writable, name, rss, pss in _AREA.findall(smaps)
    ]


def heap_range(found: list[Area], max_bytes: int) -> tuple[int, int] | None:
    """The range of adjacent mappings that is as large as the heap may become.

    HotSpot reserves the whole heap at once and commits parts of it, so the heap is a run of mappings with a
    length known from the counters, below 32 GiB where references are compressed.  ZGC's heap has a name.

    Parameters
    ----------
    found : list of Area
        By address.
    max_bytes : int
        Of the heap, by the JVM's counters.

    Returns
    -------
    (int, int) or None
        First address, and the address behind the last; None where no run, or more than one, fits.
    """
    named = [area for area in found if "java_heap" in area.name]
    if named:
        return named[0].start, named[-1].end
    size = max_bytes // _HEAP_UNIT * _HEAP_UNIT
    runs: list[list[Area]] = []
    for area in found:
        # Archived objects are mapped into the heap from the class data archive.
        if area.name and not area.name.startswith("[anon") and not area.name.endswith(".jsa"):
            continue
        if runs and runs[-1][-1].end == area.start:
            runs[-1].append(area)
        else:
            runs.append([area])
    matches = []
    for run in runs:
        ends = {area.end for area in run}
        matches += [
            (area.start, area.start + size)
            for area in run
            if size and area.start + size in ends and area.start % _HEAP_UNIT == 0
        ]
    # Eight arenas of malloc are as long as a heap of 512 MiB, but lie higher.
    matches = [match for match in matches if match[1] <= _COMPRESSED_END] or matches
    return matches[0] if len(matches) == 1 else None


def heap_range_of(heap_info: str) -> tuple[int, int] | None:
    """The range that ``GC.heap_info`` prints: from its lowest to its highest address."""
    numbers = [
        int(number, 16) for match in _HEAP_INFO.finditer(heap_info) for number in match.groups() if number
    ]
    return (min(numbers), max(numbers)) if numbers else None


def native_memory(text: str) -> dict[str, int]:
    """Committed bytes by category of ``VM.native_memory summary``, and their ``Total``."""
    return {name.strip(): int(size) << 10 for name, size in _NMT_LINE.findall(text)}


def _rss_between(found: list[Area], start: int, end: int) -> int:
    # ZGC of JDK 11 to 20 maps its heap three times: the share is what is really there.
    return sum(
        area.pss_bytes if "java_heap" in area.name else area.rss_bytes
        for area in found
        if start <= area.start and area.end <= end
    )


def arena_rss(found: list[Area], heap: tuple[int, int] | None) -> int:
    """Resident bytes of glibc's arenas but the first.

    An arena is a mapping that begins at a multiple of 64 MiB and ends at one, if its part that is reserved
    but not yet readable is counted in.

    Parameters
    ----------
    found : list of Area
        By address.
    heap : (int, int) or None
        The range of the Java heap, which is left out.
    """
    total = 0
    for index, area in enumerate(found):
        if area.name or not area.is_writable or area.start % _ARENA_BYTES:
            continue
        if heap is not None and heap[0] <= area.start < heap[1]:
            continue
        end = area.end
        if end % _ARENA_BYTES and index + 1 < len(found):
            after = found[index + 1]
            if after.start == end and not after.is_readable and not after.name:
                end = after.end
        if end % _ARENA_BYTES == 0:
            total += area.rss_bytes
    return total


def _count(counters: perfdata.Counters, pattern: str) -> int:
    return sum(number(counters, pattern.format(index)) for index in range(3))


def _loaded(counters: perfdata.Counters) -> int:
    loaded = ("java.cls.loadedClasses", "java.cls.sharedLoadedClasses")
    unloaded = ("java.cls.unloadedClasses", "java.cls.sharedUnloadedClasses")
    return sum(number(counters, n) for n in loaded) - sum(number(counters, n) for n in unloaded)


def _gc_seconds(counters: perfdata.Counters) -> float | None:
    frequency = number(counters, "sun.os.hrt.frequency")
    return round(_count(counters, "sun.gc.collector.{}.time") / frequency, 6) if frequency else None
