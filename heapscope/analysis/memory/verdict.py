"""What grew in a process: its Java heap, or something else, by samples of its memory.

Each cause leaves its own traces in virtual size, resident size inside and outside of the heap's range,
old generation, metaspace, threads, malloc and native memory tracking; they were measured one by one on
JDK 17 and 25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from heapscope.rich_repr import RichRepr
from heapscope.units import format_bytes, format_count, format_duration

Cause = Literal[
    "too early",
    "steady",
    "java heap",
    "garbage",
    "java heap or garbage",
    "class loaders",
    "threads",
    "direct buffers",
    "native malloc",
    "malloc arenas",
    "native memory",
]
Confidence = Literal["high", "medium", "low"]
Values = Sequence[float | None]

_MIN_SAMPLES = 4
_SURE_SECONDS = 600.0
_MIN_BYTES = 8e6
_MIN_SHARE = 0.03
_MIN_CLASSES = 500
_MIN_THREADS = 20
# What a thread or a loaded class takes outside of the heap, at most: measured 50 to 100 kB, 6 to 12 kB.
_THREAD_BYTES = 150e3
_CLASS_BYTES = 20e3

_NEXT: dict[Cause, str] = {
    "too early": "watch longer",
    "steady": "nothing to do",
    "java heap": "take heap dumps: heapscope collect {pid} --every 10m --count 3 -o DIR, "
    "then heapscope report DIR",
    "garbage": "no leak: the heap is filled once with garbage before it is collected; "
    "a smaller -Xmx bounds it",
    "java heap or garbage": "see what survives: heapscope collect {pid} --kind histogram -o DIR, twice, then "
    "heapscope trend DIR",
    "class loaders": "take a heap dump and look for loaders that are held: heapscope collect {pid} -o DIR, "
    "then heapscope suspects --waste",
    "threads": "see who starts them: jcmd {pid} Thread.print, or heapscope info on a heap dump",
    "direct buffers": "see who holds java.nio.DirectByteBuffer: heapscope collect {pid} -o DIR, "
    "then heapscope paths; -XX:MaxDirectMemorySize bounds them",
    "native malloc": "the heap is innocent: use a malloc profiler (jemalloc, heaptrack, memray --native)",
    "malloc arenas": "restart with MALLOC_ARENA_MAX=2; if it still grows, C code leaks",
    "native memory": "restart with -XX:NativeMemoryTracking=summary in LIBHDFS_OPTS, then watch again",
}


@dataclass(frozen=True, slots=True)
class MemoryVerdict(RichRepr):
    """What grew in one process, and how that is known.

    Attributes
    ----------
    cause : str
        One of `Cause`.
    title : str
        The cause in words.
    evidence : tuple of str
        Sentences with figures.
    next_step : str
    confidence : {"high", "medium", "low"}
    growth_bytes : int
        Of the resident size, from the first samples to the last.
    bytes_per_hour : float or None
        None where the samples span no time.
    seconds : float
        From the first sample to the last.
    sample_count : int
    changes : dict
        Column of the samples: how much it changed; what was not measured is missing.
    """

    pid: int
    cause: Cause
    title: str
    evidence: tuple[str, ...]
    next_step: str
    confidence: Confidence
    growth_bytes: int
    bytes_per_hour: float | None
    seconds: float
    sample_count: int
    changes: Mapping[str, float]


def judge(pid: int, seconds: Sequence[float], columns: Mapping[str, Values]) -> MemoryVerdict:
    """What grew in one process.

    Parameters
    ----------
    pid : int
    seconds : sequence of float
        When each of n samples was taken, ascending.
    columns : mapping of str to sequence
        Columns of `heapscope.collector.memory.Sample` by name, n values each, None where not measured.
    """
    count = len(seconds)
    span = seconds[-1] - seconds[0] if count else 0.0
    changes: dict[str, float] = {}
    for name, values in columns.items():
        change = _change(values, lowest=name == "old_after_gc_bytes")
        if change is not None:
            changes[name] = change
    column = _resident_column(columns)
    growth = changes.get(column, 0.0)
    start = next((value for value in columns.get(column, ()) if value is not None), 0.0)
    walked = _walked(columns, column)
    cause, title, evidence, confidence = _cause(
        changes, growth if walked is None else walked, start, count, columns
    )
    if cause == "steady" and span < _SURE_SECONDS:
        confidence = "medium" if span >= _SURE_SECONDS / 10 else "low"  # slow leaks are the usual ones
    old = "old_after_gc_bytes"
    if cause == "java heap" and old in changes:
        # Once all of the heap has been touched, only the old generation tells whether it goes on.
        evidence += _levelling(seconds, columns[old], changes[old], lowest=True)
    elif cause not in ("too early", "steady"):
        evidence += _levelling(seconds, columns.get(column, ()), growth)
    return MemoryVerdict(
        pid=pid,
        cause=cause,
        title=title,
        evidence=tuple(evidence),
        next_step=_NEXT[cause].format(pid=pid),
        confidence=confidence,
        growth_bytes=round(growth),
        bytes_per_hour=growth / span * 3600 if span > 0 else None,
        seconds=span,
        sample_count=count,
        changes=changes,
    )


def describe_verdict(verdict: MemoryVerdict, name: str) -> list[str]:
    """Lines of text for people: the verdict in one, its evidence and the next step below.

    Parameters
    ----------
    name : str
        What to call the process, ``worker:0 (pid 4711)`` say.
    """
    pace = ""
    if verdict.cause not in ("too early", "steady") and verdict.bytes_per_hour is not None:
        # Hours are not told by minutes.
        hours, unit = (1, "an hour") if verdict.seconds >= _SURE_SECONDS else (1 / 60, "a minute")
        pace = f", {format_bytes(verdict.bytes_per_hour * hours, signed=True)} {unit}"
    size = format_bytes(verdict.growth_bytes, signed=True)
    lines = [f"{name}: {verdict.title}"]
    lines.append(f"    resident {size} in {format_duration(verdict.seconds)}{pace}")
    lines += [f"    {sentence}" for sentence in verdict.evidence]
    lines.append(f"    confidence {verdict.confidence}; next: {verdict.next_step}")
    return lines


def _change(values: Values, *, lowest: bool) -> float | None:
    """From the level of the first samples to that of the last; the old generation's level is its lowest."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    width = max(1, min(10, len(known) // 5))
    level = min if lowest else median
    return float(level(known[-width:]) - level(known[:width]))


def _resident_column(columns: Mapping[str, Values]) -> str:
    """Resident size; the proportional one where pages are mapped several times, as by ZGC until JDK 20."""
    pss = next((v for v in reversed(columns.get("pss_bytes", ())) if v is not None), None)
    rss = next((v for v in reversed(columns.get("rss_bytes", ())) if v is not None), None)
    return "pss_bytes" if pss is not None and rss is not None and rss > 1.5 * pss else "rss_bytes"


def _walked(columns: Mapping[str, Values], column: str) -> float | None:
    """Growth of the resident size between samples that also say how much of it lies in the heap."""
    inside = columns.get("heap_rss_bytes", ())
    resident = columns.get(column, ())
    return _change(
        [whole for whole, part in zip(resident, inside, strict=False) if part is not None], lowest=False
    )


_Finding = tuple[Cause, str, list[str], Confidence]


def _cause(
    changes: Mapping[str, float], growth: float, start: float, count: int, columns: Mapping[str, Values]
) -> _Finding:
    if count < _MIN_SAMPLES:
        return "too early", f"too early to tell, {count} of {_MIN_SAMPLES} samples", [], "low"
    old, threads = changes.get("old_after_gc_bytes"), changes.get("thread_count", 0.0)
    heap_max = max((v for v in columns.get("heap_max_bytes", ()) if v is not None), default=0.0)
    if growth < max(_MIN_BYTES, _MIN_SHARE * start):
        if old is not None and old >= max(_MIN_BYTES, _MIN_SHARE * heap_max):
            sentence = (
                f"the old generation after GC grew by {_size(old)}, inside memory that was resident already"
            )
            return "java heap", "the Java heap fills up", [sentence], "medium"
        if threads >= 5 * _MIN_THREADS:
            return "threads", "threads pile up", [_threads(changes)], "high"
        return "steady", "steady, nothing grew", [], "high"
    heap = changes.get("heap_rss_bytes")
    if heap is None:
        if old is not None and old >= 0.5 * growth:
            return "java heap", "the Java heap grows", [f"old generation after GC {_size(old)}"], "medium"
        return (
            "native memory",
            "it grows, inside the Java heap or outside",
            ["where the heap lies is not known (no counters, no attach socket)"],
            "low",
        )
    inside = f"{_size(heap)} of it inside the Java heap"
    if heap >= 0.5 * growth:
        return _inside(heap, old, changes.get("full_gc_count", 0.0) > 0, inside)
    return _outside(changes, growth - heap, inside)


def _inside(heap: float, old: float | None, has_collected_all: bool, inside: str) -> _Finding:
    if old is None:
        sentence = "no collection yet has told garbage from what is held"
        return "java heap or garbage", "the Java heap grows, or fills with garbage", [inside, sentence], "low"
    evidence = [f"{inside}, whose old generation after GC changed by {_size(old)}"]
    if old >= 0.4 * heap:
        # Until all of it has been collected once, the old generation holds garbage too.
        confidence: Confidence = "high" if has_collected_all else "medium"
        return "java heap", "the Java heap grows", evidence, confidence
    if old < min(0.05 * heap, _MIN_BYTES):
        return "garbage", "garbage fills heap that was committed but never touched", evidence, "high"
    return (
        "java heap or garbage",
        "the Java heap fills with garbage, and with what is held",
        evidence,
        "medium",
    )


def _outside(changes: Mapping[str, float], outside: float, inside: str) -> _Finding:
    classes, threads = changes.get("class_count", 0.0), changes.get("thread_count", 0.0)
    metaspace = changes.get("metaspace_bytes", 0.0)
    brk, arenas = changes.get("malloc_rss_bytes", 0.0), changes.get("arena_rss_bytes", 0.0)
    other, tracked = changes.get("nmt_other_bytes"), changes.get("nmt_native_bytes")
    evidence = [f"{inside}, {_size(outside)} outside"]
    if classes >= _MIN_CLASSES and max(4 * metaspace, 2 * classes * _CLASS_BYTES) >= outside:
        evidence.append(f"classes {format_count(classes, signed=True)}, metaspace {_size(metaspace)}")
        return "class loaders", "classes and their loaders pile up", evidence, "high"
    if threads >= _MIN_THREADS and 2 * threads * _THREAD_BYTES >= outside:
        return "threads", "threads pile up", [*evidence, _threads(changes)], "high"
    malloc = f"malloc: main arena {_size(brk)}, other arenas {_size(arenas)}"
    if other is not None and tracked is not None:
        evidence.append(f"native memory tracking: Other {_size(other)}, all {_size(tracked)}")
        if other >= 0.5 * outside:
            return "direct buffers", "direct buffers or Unsafe memory grow", evidence, "high"
        if tracked >= 0.5 * outside:
            return "native memory", "the JVM's own native memory grows", evidence, "medium"
    evidence.append(malloc)
    # Without tracking, memory that Java asked for by malloc looks like that of C code.
    confidence: Confidence = "high" if tracked is not None else "medium"
    if brk >= max(0.5 * outside, arenas):
        return "native malloc", "native code leaks memory from malloc", evidence, confidence
    if arenas >= 0.5 * outside:
        title = "malloc's arenas grow: fragments, or a leak in native threads"
        return "malloc arenas", title, evidence, "medium" if tracked is not None else "low"
    if tracked is not None:
        return "native memory", "mappings of native code grow", evidence, "medium"
    evidence.append("native memory tracking is off: direct buffers and native code look alike")
    return "direct buffers", "mappings outside the heap grow, direct buffers most likely", evidence, "low"


def _threads(changes: Mapping[str, float]) -> str:
    threads = format_count(changes.get("thread_count", 0.0), signed=True)
    return f"threads {threads}, virtual size {_size(changes.get('vsz_bytes', 0.0))}"


def _levelling(seconds: Sequence[float], values: Values, growth: float, *, lowest: bool = False) -> list[str]:
    """A sentence where growth has ended: start-up looks like a leak for a while."""
    known = [(when, value) for when, value in zip(seconds, values, strict=True) if value is not None]
    if len(known) < 3 * _MIN_SAMPLES:
        return []
    third = known[-len(known) // 3 :]
    last = _change([value for _, value in third], lowest=lowest) or 0.0
    if last > 0.1 * growth:
        return []
    spell = format_duration(third[-1][0] - third[0][0])
    return [f"it has levelled off: {_size(last)} in the last {spell}"]


def _size(count: float) -> str:
    return format_bytes(count, signed=True)
