"""Memory outside of the Java heap that grows, or that is far larger than the heap: direct buffers and others.

The heap hardly shows it: a buffer of 96 KiB is an object of 64 bytes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.trends import Axis, find_trends
from heapscope.analysis.leaks.findings import UNKNOWN, Finding, began, slope_per_hour
from heapscope.analysis.leaks.owner_growth import opened_dumps
from heapscope.analysis.thresholds import (
    HEAP_GROWTH,
    LEAST_OFF_HEAP_COUNT,
    MAX_FORECAST_HOURS,
    MIN_SNAPSHOTS,
    NEAR_LIMIT,
    OFF_HEAP_FACTOR,
)
from heapscope.analysis.verdicts import GROWS, LIKELY, PERHAPS, POSSIBLE, Confidence
from heapscope.heap.retention.off_heap import (
    DEFLATER,
    DIRECT,
    HANDLE,
    INFLATER,
    LEAST_OFF_HEAP_BYTES,
    MAPPED,
    NETTY,
    UNREACHABLE,
    WRAPPED,
    OffHeap,
    find_off_heap,
    off_heap_totals,
)
from heapscope.progress import Progress
from heapscope.units import format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth
    from heapscope.analysis.growth.series import Series
    from heapscope.analysis.leaks.evidence import SnapshotEvidence

UNITS = {
    DIRECT: ("direct buffer", "direct buffers"),
    WRAPPED: ("buffer of native memory", "buffers of native memory"),
    MAPPED: ("mapped file", "mapped files"),
    NETTY: ("Netty chunk", "Netty chunks"),
    INFLATER: ("inflater", "inflaters"),
    DEFLATER: ("deflater", "deflaters"),
    HANDLE: ("native handle", "native handles"),
}
_CURES = {
    DIRECT: "A direct buffer is freed when the last reference to it is gone and a collection has run: take "
    "buffers out of the field when they are no longer needed, or reuse a fixed number of them.",
    NETTY: "Every buffer of Netty must be released: run with -Dio.netty.leakDetection.level=paranoid, which "
    "logs where one was lost.",
    INFLATER: "Call end() on every Inflater that is no longer needed (close() of the stream that owns it).",
    DEFLATER: "Call end() on every Deflater that is no longer needed (close() of the stream that owns it).",
}
_CURE = (
    "Free each of them when it is no longer needed (its close() or delete() method), and take it out of the "
    "field."
)
# What stands for the memory in the heap: its growth is the same growth.
_STANDS_FOR = (
    *("java.nio.Direct", "jdk.internal.ref.", "sun.misc.Cleaner", "java.util.zip.", "java.lang.ref."),
)
_ZLIB = "java.util.zip."
_BUFFER, _DEALLOCATOR = "java.nio.DirectByteBuffer", "java.nio.DirectByteBuffer$Deallocator"
_WHY = (
    "These objects are small, but each stands for memory outside of the Java heap, which neither the heap's "
    "limit nor its figures show. It is freed only when the object goes."
)
_HEALTHY = "Their number stays the same, or goes up and down with the load."


def series_off_heap(
    series: Series, evidence: SnapshotEvidence, progress: Progress
) -> tuple[OffHeap | None, ...]:
    """What lies outside of the heap in each snapshot; None where it was not looked at.

    The other dumps are opened only where the classes that stand for such memory grow in number, or where the
    dump that is open shows much of it.
    """
    found: list[OffHeap | None] = [None] * len(series)
    graph = evidence.graph
    if graph is None:
        return tuple(found)
    totals = off_heap_totals(graph)
    if not (_is_much(totals, evidence.snapshot.shallow_bytes) or _has_more(totals, series)):
        return tuple(found)
    places = {place for place, each in enumerate(series) if each is evidence.snapshot}
    places |= set(opened_dumps(series))
    looked_at = series.at(sorted(places)).of_each_dump(
        lambda _, graph: find_off_heap(graph), progress, opened=(evidence.snapshot, graph)
    )
    for place, each in zip(sorted(places), looked_at, strict=True):
        found[place] = each
    return tuple(found)


def _has_more(totals: OffHeap, series: Series) -> bool:
    """Whether there are more objects that stand for memory outside than at first."""
    names = {use.class_name for use in totals.uses}
    first, last = (
        sum(row["instance_count"] for row in each.histogram.rows() if row["class_name"] in names)
        for each in (series[0], series[-1])
    )
    return bool(last - first >= max(LEAST_OFF_HEAP_COUNT, HEAP_GROWTH * first))


def _is_much(totals: OffHeap, heap_bytes: int) -> bool:
    return totals.known_bytes >= max(LEAST_OFF_HEAP_BYTES, OFF_HEAP_FACTOR * heap_bytes) or _is_near_limit(
        totals
    )


def _is_near_limit(off_heap: OffHeap) -> bool:
    """Whether direct memory is nearly used up."""
    limits = (
        (off_heap.limit_bytes, off_heap.reserved_bytes),
        (off_heap.netty_limit_bytes, off_heap.netty_bytes),
    )
    return any(limit and used and used >= NEAR_LIMIT * limit for limit, used in limits)


@dataclass(frozen=True, slots=True)
class _Pile:
    """What one field owns outside of the heap, in each snapshot that was looked at."""

    kind: str
    owner: str
    counts: tuple[int, ...]
    sizes: tuple[int, ...] | None  # None where the heap does not tell them

    @property
    def gain(self) -> int:
        values = self.counts if self.sizes is None else self.sizes
        return values[-1] - values[0]


def off_heap_leak(found: Sequence[OffHeap | None], series: Series) -> Finding | None:
    """The field whose memory outside of the heap grows; None where none does.

    Parameters
    ----------
    found : sequence of OffHeap or None
        From `series_off_heap`, for each snapshot.
    series : Series
    """
    known = [each for each in found if each is not None]
    if not known:
        return None
    heap_bytes = next(each.shallow_bytes for each, one in zip(series, found, strict=True) if one is not None)
    best: tuple[_Pile, Confidence] | None = None
    for pile in _piles(known):
        confidence = _judge(pile, known, heap_bytes)
        if confidence is None:
            continue
        order = (confidence == LIKELY, pile.sizes is not None, pile.gain or pile.counts[-1])
        if best is None or order > (
            best[1] == LIKELY,
            best[0].sizes is not None,
            best[0].gain or best[0].counts[-1],
        ):
            best = pile, confidence
    return None if best is None else _finding(*best, found, series, heap_bytes)


def _piles(known: Sequence[OffHeap]) -> list[_Pile]:
    """What each field owns in the last of the snapshots, with its history."""
    keys = dict.fromkeys(
        (use.kind, use.owner) for use in known[-1].uses if use.kind != MAPPED and use.owner != UNREACHABLE
    )
    found = []
    for kind, owner in keys:
        mine = [[use for use in each.uses if use.kind == kind and use.owner == owner] for each in known]
        is_sized = all(use.byte_count is not None for uses in mine for use in uses)
        found.append(
            _Pile(
                kind,
                owner,
                tuple(sum(use.object_count for use in uses) for uses in mine),
                tuple(sum(use.byte_count or 0 for use in uses) for uses in mine) if is_sized else None,
            )
        )
    return found


def _judge(pile: _Pile, known: Sequence[OffHeap], heap_bytes: int) -> Confidence | None:
    """How sure it is that a pile leaks; None where nothing says so."""
    values = pile.counts if pile.sizes is None else pile.sizes
    if len(known) >= MIN_SNAPSHOTS:
        is_material = (
            pile.gain >= LEAST_OFF_HEAP_COUNT if pile.sizes is None else pile.gain >= HEAP_GROWTH * heap_bytes
        )
        if not is_material or pile.gain < HEAP_GROWTH * values[0]:
            return None
        (trend,) = find_trends(np.array([values], np.int64), Axis(None, None, len(values)))
        return {GROWS: LIKELY, PERHAPS: POSSIBLE}.get(trend.verdict)
    if pile.sizes is None or (len(known) == 2 and pile.gain <= HEAP_GROWTH * values[0]):
        return None
    is_large = pile.sizes[-1] >= max(LEAST_OFF_HEAP_BYTES, OFF_HEAP_FACTOR * heap_bytes)
    fills = _is_near_limit(known[-1]) and pile.kind in (DIRECT, NETTY)
    is_most = pile.sizes[-1] >= known[-1].direct_bytes / 2
    return POSSIBLE if is_large or (fills and is_most) else None


def _finding(
    pile: _Pile,
    confidence: Confidence,
    found: Sequence[OffHeap | None],
    series: Series,
    heap_bytes: int,
) -> Finding:
    left = iter(pile.counts)
    counts = tuple(None if each is None else next(left) for each in found)
    last = next(each for each in reversed(found) if each is not None)
    use = next(each for each in last.uses if each.kind == pile.kind and each.owner == pile.owner)
    times = [each.captured_at for each in series]
    rate = None if has_file_times(series) else slope_per_hour(times, counts)
    since, is_estimate = began(times, counts, rate)
    unit = UNITS[pile.kind] if pile.kind != HANDLE else (f"{use.class_name}", f"{use.class_name}")
    size = None if pile.sizes is None else pile.sizes[-1]
    what = f"{format_count(pile.counts[-1])} {unit[pile.counts[-1] != 1]}"
    about = "about " if use.is_estimate else ""
    told = f"{what}, {about}{format_bytes(size)}" if size is not None else what
    evidence = []
    if len(pile.counts) > 1:
        evidence.append(
            f"{format_count(pile.counts[0])} -> {format_count(pile.counts[-1])} {unit[1]} over "
            f"{len(pile.counts)} snapshots"
            + (
                ""
                if pile.sizes is None
                else f", {format_bytes(pile.sizes[0])} -> {format_bytes(pile.sizes[-1])}"
            )
        )
    evidence.append(f"the Java heap itself has {format_bytes(series[-1].shallow_bytes)} of objects")
    if pile.kind == DIRECT and last.reserved_bytes is not None:
        limit = last.limit_bytes
        evidence.append(
            f"the JVM's own counter (java.nio.Bits) says {format_bytes(last.reserved_bytes)}"
            + ("" if limit is None else f" of at most {format_bytes(limit)}")
        )
        if limit is not None and rate is not None and rate.value > 0 and size is not None:
            hours = (limit - last.reserved_bytes) / (rate.value * size / pile.counts[-1])
            if 0 < hours < MAX_FORECAST_HOURS:
                evidence.append(
                    f"at this rate that limit is reached in {format_duration(hours * 3600)}, with an "
                    "OutOfMemoryError: Cannot reserve direct buffer memory"
                )
    if use.is_estimate:
        evidence.append("the size of each is what zlib's documentation says, not counted")
    way = " -> ".join((*use.way, use.class_name)) if use.way else pile.owner
    return Finding(
        id=UNKNOWN,
        title=f"{told} outside of the Java heap, in {pile.owner}",
        class_name=use.class_name,
        unit=unit,
        confidence=confidence,
        counts=counts,
        instance_count=pile.counts[-1],
        retained_bytes=size,
        share=None,
        per_hour=rate,
        since=since,
        since_is_estimate=is_estimate,
        held_by=(f"{format_count(pile.counts[-1])} x {way}",),
        holders=None,
        why=_WHY,
        cure=(
            _CURES.get(pile.kind, _CURE),
            *(
                (
                    "One or two snapshots show how much there is, not whether it grows: take more and "
                    "diagnose again.",
                )
                if len(pile.counts) < MIN_SNAPSHOTS
                else ()
            ),
        ),
        healthy=_HEALTHY,
        affected=(),
        sources=(),
        evidence=tuple(evidence),
        owner=pile.owner,
        off_heap_bytes=size,
    )


def buffers_leak(growth: Growth) -> Finding | None:
    """Direct buffers that grow in number, by class histograms, which tell neither sizes nor owners.

    ``DirectByteBuffer$Deallocator`` counts those that own memory: slices, views and mapped files have none.
    """
    key = growth.get(_DEALLOCATOR)
    if key is None or key.instances.verdict not in (GROWS, PERHAPS):
        return None
    counts, series = key.instance_counts, growth.snapshots
    if counts[-1] - counts[0] < max(LEAST_OFF_HEAP_COUNT, HEAP_GROWTH * counts[0]):
        return None
    times = [each.captured_at for each in series]
    rate = None if has_file_times(series) else slope_per_hour(times, counts)
    since, is_estimate = began(times, counts, rate)
    unit = UNITS[DIRECT]
    return Finding(
        id=UNKNOWN,
        title=f"{format_count(counts[-1])} {unit[1]}, whose memory lies outside of the Java heap",
        class_name=_BUFFER,
        unit=unit,
        confidence=POSSIBLE,
        counts=counts,
        instance_count=counts[-1],
        retained_bytes=None,
        share=None,
        per_hour=rate,
        since=since,
        since_is_estimate=is_estimate,
        held_by=(),
        holders=None,
        why=_WHY,
        cure=(
            _CURES[DIRECT],
            "A class histogram tells neither how large they are nor which field holds them: take a heap dump "
            "and diagnose that.",
        ),
        healthy=_HEALTHY,
        affected=(),
        sources=(),
        evidence=(
            f"{format_count(counts[0])} -> {format_count(counts[-1])} instances of {_DEALLOCATOR} over "
            f"{len(counts)} snapshots: one for each buffer that owns memory",
            f"the Java heap itself has {format_bytes(series[-1].shallow_bytes)} of objects",
        ),
    )


def is_named(off_heap: Finding, findings: Sequence[Finding]) -> bool:
    """Whether a known leak names the same objects already: of their class, held over the same fields.

    Inflaters and Deflaters are one.
    """
    if off_heap.class_name.startswith(_ZLIB):
        return any(each.class_name.startswith(_ZLIB) for each in findings)
    if not off_heap.held_by:
        return any(each.class_name == off_heap.class_name for each in findings)
    holders = [_fields(line).rpartition(" -> ")[0] for line in off_heap.held_by]
    ways = [
        _fields(line) for each in findings if each.class_name == off_heap.class_name for line in each.held_by
    ]
    return any(holder and way.startswith(holder) for holder in holders for way in ways)


def _fields(line: str) -> str:
    """``"8 x Thread.threadLocals -> ..."`` without the number, which a known leak may limit to large ones."""
    return line.strip().partition(" x ")[2]


def is_same_growth(finding: Finding, off_heap: Finding) -> bool:
    """Whether growth of a class in the heap is that of the objects that stand for memory outside."""
    return finding.class_name == off_heap.class_name or finding.class_name.startswith(_STANDS_FOR)


def with_off_heap(finding: Finding, off_heap: Finding) -> Finding:
    """The finding for a field whose elements each hold memory outside of the heap too: one leak, with both.

    Parameters
    ----------
    finding, off_heap : Finding
        Of the same field.
    """
    outside = off_heap.title.partition(" outside of")[0]
    return replace(
        finding,
        title=f"{finding.title}; {outside} outside of the Java heap hang on it",
        cure=(*finding.cure[:1], off_heap.cure[0], *finding.cure[1:]),
        evidence=(*finding.evidence, *off_heap.evidence),
        off_heap_bytes=off_heap.off_heap_bytes,
    )
