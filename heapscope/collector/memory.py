"""The memory of one process that hosts a JVM, sampled from outside: ``/proc`` and hsperfdata.

Nothing is contacted, with two exceptions, both only where an attach socket is there already: one
``GC.heap_info`` (no pause) where the heap cannot be found in the process's map, and ``VM.native_memory`` in
JVMs that run with ``-XX:NativeMemoryTracking``.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heapscope.collector import attach, perfdata
from heapscope.collector.pages import (
    arena_mappings,
    heap_mappings,
    heap_range,
    heap_range_of,
    look,
    mappings,
    pss_bytes,
)
from heapscope.collector.perfdata import number
from heapscope.collector.processes import JvmProcess, kilobytes, start_ticks, status_facts
from heapscope.errors import CollectError

CONTACT_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 15.0
_LAST_PAUSE_SECONDS = 600.0
_LOOKS_FOR_COUNTERS = 3
_NMT_LINE = re.compile(
    r"^-?\s*([A-Z][A-Za-z ]*?)(?: \(|: )reserved=\d+KB(?: [+-]\d+KB)?, committed=(\d+)KB", re.MULTILINE
)
_NMT_DIFF = re.compile(
    r"^-?\s*([A-Z][A-Za-z ]*?)(?: \(|: )reserved=\d+KB(?: [+-]\d+KB)?, committed=\d+KB ([+-])(\d+)KB",
    re.MULTILINE,
)
_CLASS_SPACE = "sun.gc.compressedclassspace.capacity"
# Names of heaps that are files: ZGC's in memory, and those of -XX:AllocateHeapAt.
_HEAP_FILE = re.compile(r"java_heap|/jvmheap\.")
_NOT_WALKED: dict[str, int | None] = dict.fromkeys(
    (
        "pss_bytes",
        "heap_rss_bytes",
        "heap_swap_bytes",
        "heap_remapped_bytes",
        "malloc_rss_bytes",
        "arena_rss_bytes",
    )
)


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
        Resident bytes, shared pages by share; not of large processes, which a walk for it would hold up.
    file_rss_bytes, shared_rss_bytes : int or None
        Resident pages of files, libraries too, and of memory that is shared with others (``/dev/shm``);
        None where the Java heap itself lies in such pages (ZGC, ``-XX:AllocateHeapAt``).
    heap_rss_bytes, heap_swap_bytes : int or None
        Inside the address range of the Java heap: resident, and swapped out.
    heap_remapped_bytes : int or None
        What ``rss_bytes`` counts again: ZGC until JDK 20 maps its heap three times.
    malloc_rss_bytes, arena_rss_bytes : int or None
        glibc's main arena (brk), and its other arenas: resident or swapped out.
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
    gc_count, full_gc_count, concurrent_gc_count : int or None
        Since the JVM started: all; those of the whole heap; pauses of concurrent ones (G1, ZGC).
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
    file_rss_bytes: int | None
    shared_rss_bytes: int | None
    heap_rss_bytes: int | None
    heap_swap_bytes: int | None
    heap_remapped_bytes: int | None
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
    concurrent_gc_count: int | None
    gc_seconds: float | None


class Probe:
    """Samples one process again and again at low cost: files stay open, constants are looked up once.

    Parameters
    ----------
    process : JvmProcess
        Named by pid and start time: a later process with its pid is never taken for it.
    nmt_baseline : bool
        Whether to have the JVM remember its native memory as it is now.

    Attributes
    ----------
    nmt_growth : dict or None
        By category of native memory tracking: bytes more since the baseline when the JVM was asked last; None
        without a baseline.
    """

    def __init__(self, process: JvmProcess, *, nmt_baseline: bool = False) -> None:
        self.process = process
        self.last_walk = 0.0
        self._home = Path(f"/proc/{process.pid}")
        self._counters: perfdata.CounterFile | None = None
        self._looks_for_counters = _LOOKS_FOR_COUNTERS
        self._heap: tuple[int, int] | None = None
        self._is_heap_a_file = True
        with suppress(OSError):
            self._is_heap_a_file = _HEAP_FILE.search(self._maps()) is not None
        self._has_tracking = False
        self._nmt: dict[str, int] | None = None
        self._wants_baseline = nmt_baseline
        self._has_baseline = False
        self.nmt_growth: dict[str, int] | None = None
        counters = self._read_counters()
        self._wants_heap_info = counters is None
        if counters is not None:
            words = str(counters.get("java.rt.vmArgs", ""))
            self._has_tracking = (
                "-XX:NativeMemoryTracking=" in words and "NativeMemoryTracking=off" not in words
            )
        # When the JVM may be asked next, and how long after a failure it is left alone.
        self._ask_at = self._pause = 0.0

    @property
    def is_to_be_asked(self) -> bool:
        """Whether the JVM has something to say that only it knows, and has not just failed to answer."""
        return (self._has_tracking or self._wants_heap_info) and time.monotonic() >= self._ask_at

    def ask(self) -> None:
        """Ask the JVM, where it has an attach socket: for where its heap lies, once; for its native memory.

        Takes `CONTACT_SECONDS` at most, so many are asked side by side.  A JVM that does not answer is asked
        again after a pause that doubles with every failure: a busy one is not given up.
        """
        deadline = time.monotonic() + CONTACT_SECONDS

        def answer(command: str) -> str:
            return attach.jcmd(self.process, command, seconds=max(0.001, deadline - time.monotonic()))

        try:
            if self._wants_heap_info:
                self._heap = heap_range_of(answer("GC.heap_info"))
                self._wants_heap_info = False
            if self._has_tracking:
                if self._wants_baseline:
                    answer("VM.native_memory baseline")
                    self._wants_baseline, self._has_baseline = False, True
                text = answer("VM.native_memory summary" + ".diff" * self._has_baseline)
                self._nmt = native_memory(text)
                if self._has_baseline:
                    self.nmt_growth = native_memory_growth(text)
        except CollectError:
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE_SECONDS), _LAST_PAUSE_SECONDS)
            self._ask_at = time.monotonic() + self._pause
        else:
            self._pause = 0.0

    def sample(self, captured_at: str, host: str, *, walk: bool = True) -> Sample | None:
        """One sample; None once the process has ended.

        Parameters
        ----------
        captured_at : str
            The time of the sample, UTC, ISO 8601.
        host : str
            Name of this machine.
        walk : bool
            Whether to look at pages too (`heapscope.collector.pages`).
        """
        process = self.process
        if start_ticks(process.pid) != process.start_ticks:
            return None
        try:
            status = (self._home / "status").read_text("utf-8", "surrogateescape")
        except OSError:
            return None
        facts = status_facts(status)
        if facts.get("State", "Z")[0] in "ZX" or "VmRSS" not in facts:
            return None
        counters = self._read_counters()
        heap = perfdata.heap_use(counters) if counters else None
        nmt, self._nmt = self._nmt, None
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
            file_rss_bytes=None if self._is_heap_a_file else kilobytes(facts, "RssFile"),
            shared_rss_bytes=None if self._is_heap_a_file else kilobytes(facts, "RssShmem"),
            **(self._walk(kilobytes(facts, "VmRSS"), heap, counters) if walk else _NOT_WALKED),
            heap_used_bytes=heap.used_bytes if heap else None,
            heap_committed_bytes=heap.committed_bytes if heap else None,
            heap_max_bytes=heap.max_bytes if heap else None,
            old_after_gc_bytes=heap.old_used_bytes if heap and has_collected else None,
            metaspace_bytes=heap.metaspace_committed_bytes if heap else None,
            nmt_other_bytes=nmt.get("Other", 0) if nmt and "Total" in nmt else None,
            nmt_native_bytes=nmt["Total"] - nmt.get("Java Heap", 0) if nmt and "Total" in nmt else None,
            thread_count=int(facts.get("Threads", "0")),
            class_count=_loaded(counters) if counters else None,
            gc_count=_count(counters, "sun.gc.collector.{}.invocations") if counters else None,
            full_gc_count=number(counters, "sun.gc.collector.1.invocations") if counters else None,
            concurrent_gc_count=number(counters, "sun.gc.collector.2.invocations") if counters else None,
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
            with suppress(OSError, KeyError):
                status = (self._home / "status").read_text("utf-8", "surrogateescape")
                uids = [int(uid) for uid in status_facts(status)["Uid"].split()[:3]]
                self._counters, _ = perfdata.open_counters(
                    self._home / "root/tmp", self.process.namespace_pid, self._maps(), uids
                )
        return None if self._counters is None else self._counters.read()

    def _maps(self) -> str:
        return (self._home / "maps").read_text("utf-8", "surrogateescape")

    def _walk(
        self, rss_bytes: int, heap: perfdata.HeapUse | None, counters: perfdata.Counters | None
    ) -> dict[str, int | None]:
        """The columns that need a look at pages."""
        self.last_walk = time.monotonic()
        pid = self.process.pid
        try:
            found = mappings(self._maps())
            if self._heap is None and heap is not None:
                self._heap = heap_range(found, heap.max_bytes, number(counters or {}, _CLASS_SPACE))
                # Where the counters do not tell, the JVM is asked at the next round.
                self._wants_heap_info = self._heap is None
            bounds = self._heap
            groups = [
                [] if bounds is None else heap_mappings(found, bounds),
                [mapping for mapping in found if mapping.name == "[heap]"],
                arena_mappings(found, bounds),
            ]
            inside, main_arena, arenas = look(pid, groups)
        except OSError:
            return _NOT_WALKED
        return {
            "pss_bytes": pss_bytes(pid, rss_bytes),
            "heap_remapped_bytes": None if bounds is None else inside.counted_twice_bytes,
            "heap_rss_bytes": None if bounds is None else inside.resident_bytes,
            "heap_swap_bytes": None if bounds is None else inside.swapped_bytes,
            "malloc_rss_bytes": main_arena.resident_bytes + main_arena.swapped_bytes,
            "arena_rss_bytes": arenas.resident_bytes + arenas.swapped_bytes,
        }


def native_memory(text: str) -> dict[str, int]:
    """Committed bytes by category of ``VM.native_memory summary`` (or its ``.diff``), and their ``Total``."""
    return {name.strip(): int(size) << 10 for name, size in _NMT_LINE.findall(text)}


def native_memory_growth(text: str) -> dict[str, int]:
    """By category of ``VM.native_memory summary.diff``: bytes more committed than at the baseline."""
    return {name.strip(): int(f"{sign}{size}") << 10 for name, sign, size in _NMT_DIFF.findall(text)}


def _count(counters: perfdata.Counters, pattern: str) -> int:
    return sum(number(counters, pattern.format(index)) for index in range(3))


def _loaded(counters: perfdata.Counters) -> int:
    loaded = ("java.cls.loadedClasses", "java.cls.sharedLoadedClasses")
    unloaded = ("java.cls.unloadedClasses", "java.cls.sharedUnloadedClasses")
    return sum(number(counters, n) for n in loaded) - sum(number(counters, n) for n in unloaded)


def _gc_seconds(counters: perfdata.Counters) -> float | None:
    frequency = number(counters, "sun.os.hrt.frequency")
    return round(_count(counters, "sun.gc.collector.{}.time") / frequency, 6) if frequency else None
