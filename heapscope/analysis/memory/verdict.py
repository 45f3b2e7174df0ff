"""What grew in a process: its Java heap, or something else, by samples of its memory.

Each cause leaves its own traces in virtual size, resident size inside and outside of the heap's range,
old generation, metaspace, threads, malloc and native memory tracking; they were measured one by one on
JDK 17 and 25.  The verdict is data; `heapscope.reporter.memory_text` puts it into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, NamedTuple

from heapscope.rich_repr import RichRepr

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
# What was seen, finer than the cause: the same cause may be seen in several ways.
Pattern = Literal[
    "too few samples",
    "nothing grew",
    "old generation grew in resident memory",
    "heap grew",
    "heap grew before any collection",
    "garbage filled the heap",
    "heap and garbage grew",
    "classes grew",
    "threads grew",
    "tracked buffers grew",
    "untracked mappings grew",
    "main arena grew",
    "other arenas grew",
    "JVM's native memory grew",
    "untracked native mappings grew",
    "grew in an unknown place",
]
Confidence = Literal["high", "medium", "low"]
Values = Sequence[float | None]

CAUSES: dict[Pattern, Cause] = {
    "too few samples": "too early",
    "nothing grew": "steady",
    "old generation grew in resident memory": "java heap",
    "heap grew": "java heap",
    "heap grew before any collection": "java heap or garbage",
    "garbage filled the heap": "garbage",
    "heap and garbage grew": "java heap or garbage",
    "classes grew": "class loaders",
    "threads grew": "threads",
    "tracked buffers grew": "direct buffers",
    "untracked mappings grew": "direct buffers",
    "main arena grew": "native malloc",
    "other arenas grew": "malloc arenas",
    "JVM's native memory grew": "native memory",
    "untracked native mappings grew": "native memory",
    "grew in an unknown place": "native memory",
}

# Fewer samples cannot tell growth from what happens to be between two collections.
MIN_SAMPLES = 4
# Start-up is over after some minutes, and only then is a rate told by the hour.
SURE_SECONDS = 600.0
# Less than this, or than this share of the beginning, is noise of a JVM at rest.
_MIN_BYTES = 8e6
_MIN_SHARE = 0.03
_MIN_CLASSES = 500
_MIN_THREADS = 20
# What a thread or a loaded class takes outside of the heap, at most: measured 50 to 100 kB, 6 to 12 kB.
_THREAD_BYTES = 150e3
_CLASS_BYTES = 20e3

EvidenceKind = Literal[
    "old generation inside resident memory",
    "old generation",
    "heap range unknown",
    "inside the heap",
    "inside the heap and old generation",
    "inside and outside the heap",
    "no collection yet",
    "classes",
    "threads",
    "native memory tracking",
    "malloc",
    "no native memory tracking",
    "levelled off",
]


@dataclass(frozen=True, slots=True)
class MemoryEvidence:
    """One thing that was measured, and speaks for a verdict.

    Attributes
    ----------
    kind : str
        One of `EvidenceKind`.
    figures : mapping of str to float
        How much columns of the samples changed (``outside_bytes``: the resident size outside of the heap);
        of "levelled off", ``bytes`` in the last ``seconds``.
    """

    kind: EvidenceKind
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryVerdict(RichRepr):
    """What grew in one process, and how that is known.

    Attributes
    ----------
    cause : str
        One of `Cause`.
    pattern : str
        One of `Pattern`: how it was seen.
    evidence : tuple of MemoryEvidence
        What was measured.
    confidence : {"high", "medium", "low"}
    growth_bytes : int
        Of the resident size, from the first samples to the last.
    bytes_per_hour : float or None
    seconds : float
        From the first to the last sample.
    sample_count : int
    changes : mapping of str to float
        Column of the samples: how much it changed; what was not measured is missing.
    """

    pid: int
    cause: Cause
    pattern: Pattern
    evidence: tuple[MemoryEvidence, ...]
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
    if count < MIN_SAMPLES:
        found = _Finding("too few samples", (), "low")
    else:
        heap_max = max((v for v in columns.get("heap_max_bytes", ()) if v is not None), default=0.0)
        found = _find_pattern(changes, growth if walked is None else walked, start, heap_max)
    cause, confidence = CAUSES[found.pattern], found.confidence
    if cause == "steady" and span < SURE_SECONDS:
        # Most leaks are slow: a short watch cannot exclude them.
        confidence = "medium" if span >= SURE_SECONDS / 10 else "low"
    evidence = found.evidence
    old = "old_after_gc_bytes"
    if cause == "java heap" and old in changes:
        # Once all of the heap has been touched, only the old generation tells whether it goes on.
        evidence += _levelling(seconds, columns[old], changes[old], lowest=True)
    elif cause not in ("too early", "steady"):
        evidence += _levelling(seconds, columns.get(column, ()), growth)
    return MemoryVerdict(
        pid=pid,
        cause=cause,
        pattern=found.pattern,
        evidence=evidence,
        confidence=confidence,
        growth_bytes=round(growth),
        bytes_per_hour=growth / span * 3600 if span > 0 else None,
        seconds=span,
        sample_count=count,
        changes=changes,
    )


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


class _Finding(NamedTuple):
    pattern: Pattern
    evidence: tuple[MemoryEvidence, ...]
    confidence: Confidence


def _find_pattern(changes: Mapping[str, float], growth: float, start: float, heap_max: float) -> _Finding:
    """What the changes look like, of enough samples.

    Parameters
    ----------
    changes : mapping of str to float
        Of each column that was measured.
    growth : float
        Bytes that the resident size grew by.
    start : float
        Resident bytes at the beginning.
    heap_max : float
        Bytes that the heap may grow to; 0 where it is not known.
    """
    old, threads = changes.get("old_after_gc_bytes"), changes.get("thread_count", 0.0)
    if growth < max(_MIN_BYTES, _MIN_SHARE * start):
        if old is not None and old >= max(_MIN_BYTES, _MIN_SHARE * heap_max):
            evidence = _evidence("old generation inside resident memory", old_after_gc_bytes=old)
            return _Finding("old generation grew in resident memory", evidence, "medium")
        if threads >= 5 * _MIN_THREADS:
            return _Finding("threads grew", _threads(changes), "high")
        return _Finding("nothing grew", (), "high")
    heap = changes.get("heap_rss_bytes")
    if heap is None:
        if old is not None and old >= 0.5 * growth:
            return _Finding("heap grew", _evidence("old generation", old_after_gc_bytes=old), "medium")
        return _Finding("grew in an unknown place", _evidence("heap range unknown"), "low")
    if heap >= 0.5 * growth:
        return _inside(heap, old, changes.get("full_gc_count", 0.0) > 0)
    return _outside(changes, heap, growth - heap)


def _inside(heap: float, old: float | None, has_collected_all: bool) -> _Finding:
    """Of a process that grew inside the range of its heap: what is held, or garbage."""
    if old is None:
        # No collection yet has told garbage from what is held.
        evidence = _evidence("inside the heap", heap_rss_bytes=heap) + _evidence("no collection yet")
        return _Finding("heap grew before any collection", evidence, "low")
    evidence = _evidence("inside the heap and old generation", heap_rss_bytes=heap, old_after_gc_bytes=old)
    if old >= 0.4 * heap:
        # Until all of it has been collected once, the old generation holds garbage too.
        return _Finding("heap grew", evidence, "high" if has_collected_all else "medium")
    if old < min(0.05 * heap, _MIN_BYTES):
        return _Finding("garbage filled the heap", evidence, "high")
    return _Finding("heap and garbage grew", evidence, "medium")


def _outside(changes: Mapping[str, float], heap: float, outside: float) -> _Finding:
    """Of a process that grew outside of its heap: classes, threads, or native memory of some kind."""
    classes, threads = changes.get("class_count", 0.0), changes.get("thread_count", 0.0)
    metaspace = changes.get("metaspace_bytes", 0.0)
    brk, arenas = changes.get("malloc_rss_bytes", 0.0), changes.get("arena_rss_bytes", 0.0)
    other, tracked = changes.get("nmt_other_bytes"), changes.get("nmt_native_bytes")
    evidence = _evidence("inside and outside the heap", heap_rss_bytes=heap, outside_bytes=outside)
    if classes >= _MIN_CLASSES and max(4 * metaspace, 2 * classes * _CLASS_BYTES) >= outside:
        evidence += _evidence("classes", class_count=classes, metaspace_bytes=metaspace)
        return _Finding("classes grew", evidence, "high")
    if threads >= _MIN_THREADS and 2 * threads * _THREAD_BYTES >= outside:
        return _Finding("threads grew", evidence + _threads(changes), "high")
    if other is not None and tracked is not None:
        evidence += _evidence("native memory tracking", nmt_other_bytes=other, nmt_native_bytes=tracked)
        if other >= 0.5 * outside:
            return _Finding("tracked buffers grew", evidence, "high")
        if tracked >= 0.5 * outside:
            return _Finding("JVM's native memory grew", evidence, "medium")
    evidence += _evidence("malloc", malloc_rss_bytes=brk, arena_rss_bytes=arenas)
    # Without tracking, memory that Java asked for by malloc looks like that of C code.
    if brk >= max(0.5 * outside, arenas):
        return _Finding("main arena grew", evidence, "high" if tracked is not None else "medium")
    if arenas >= 0.5 * outside:
        return _Finding("other arenas grew", evidence, "medium" if tracked is not None else "low")
    if tracked is not None:
        return _Finding("untracked native mappings grew", evidence, "medium")
    evidence += _evidence("no native memory tracking")
    return _Finding("untracked mappings grew", evidence, "low")


def _evidence(kind: EvidenceKind, **figures: float) -> tuple[MemoryEvidence, ...]:
    return (MemoryEvidence(kind, figures),)


def _threads(changes: Mapping[str, float]) -> tuple[MemoryEvidence, ...]:
    count, size = changes.get("thread_count", 0.0), changes.get("vsz_bytes", 0.0)
    return _evidence("threads", thread_count=count, vsz_bytes=size)


def _levelling(
    seconds: Sequence[float], values: Values, growth: float, *, lowest: bool = False
) -> tuple[MemoryEvidence, ...]:
    """Evidence where growth has ended: start-up looks like a leak for a while.

    Parameters
    ----------
    seconds, values : sequence
        When n samples were taken, ascending, and the value of the column that grew in each.
    growth : float
        How much it grew in all.
    lowest : bool
        Whether its level is its lowest value, as of the old generation.
    """
    known = [(when, value) for when, value in zip(seconds, values, strict=True) if value is not None]
    if len(known) < 3 * MIN_SAMPLES:
        return ()
    third = known[-len(known) // 3 :]
    last = _change([value for _, value in third], lowest=lowest) or 0.0
    if last > 0.1 * growth:
        return ()
    return _evidence("levelled off", bytes=last, seconds=third[-1][0] - third[0][0])
