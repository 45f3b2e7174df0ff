"""From samples to a verdict: what grew inside and outside of the heap, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from heapscope.analysis.memory.courses import Course, Values, change, course
from heapscope.analysis.memory.verdict import (
    CAUSES,
    HARMLESS,
    Confidence,
    EvidenceKind,
    Grower,
    MemoryEvidence,
    MemoryVerdict,
    Pattern,
    evidence_of,
    least,
)
from heapscope.analysis.thresholds import (
    CLASS_BYTES,
    LEAST_CLASSES,
    LEAST_COLLECTIONS,
    LEAST_GROWTH_BYTES,
    LEAST_GROWTH_SHARE,
    LEAST_STEADY_SHARE,
    LEAST_THREADS,
    MANY_CLASSES,
    MANY_THREADS,
    MIN_SAMPLES,
    SECOND_SHARE,
    SHORT_SECONDS,
    STEADY_BYTES_A_DAY,
    STEADY_SHARE_A_DAY,
    SURE_SECONDS,
    THREAD_BYTES,
)

OLD = "old_after_gc_bytes"
_IN_HEAP = (
    "heap grew",
    "heap grew before any collection",
    "garbage filled the heap",
    "heap and garbage grew",
)
# Pauses of concurrent collections that stand for whole ones: G1 has two in each, so that is two of them.
_CONCURRENT_PAUSES = 4


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
    watch = _Watch(seconds, columns)
    growers = watch.growers()
    harmful = [each for each in growers if each.cause not in HARMLESS]
    span = watch.span
    growth = watch.growth
    whole = course(seconds, watch.total)
    return MemoryVerdict(
        pid=pid,
        growers=tuple(growers),
        # Of what hurts: garbage beside it does not make that less sure.
        confidence=least(*(each.confidence for each in harmful or growers)),
        growth_bytes=round(growth),
        bytes_per_hour=None if whole is None else whole.per_hour,
        seconds=span,
        sample_count=len(seconds),
        changes=watch.changes,
    )


class _Seen(NamedTuple):
    """What was seen, before it is asked whether it goes on."""

    pattern: Pattern
    size: float
    confidence: Confidence
    evidence: tuple[MemoryEvidence, ...]
    course: Course | None


class _Watch:
    """Samples of one process, cut into what lies inside and outside of its heap."""

    def __init__(self, seconds: Sequence[float], columns: Mapping[str, Values]) -> None:
        self.seconds = seconds
        self.columns = columns
        self.span = seconds[-1] - seconds[0] if seconds else 0.0
        self.changes: dict[str, float] = {}
        for name, values in columns.items():
            found = change(values, lowest=name == OLD)
            if found is not None:
                self.changes[name] = found
        none: list[float | None] = [None] * len(seconds)
        swapped = columns.get("swap_bytes", none)
        # What is swapped out is used memory as well.
        self.total = [
            None if size is None else size + (out or 0)
            for size, out in zip(_resident(columns, none), swapped, strict=True)
        ]
        self.inside = [
            None if size is None else size + (out or 0)
            for size, out in zip(
                columns.get("heap_rss_bytes", none), columns.get("heap_swap_bytes", none), strict=True
            )
        ]
        # Pages of files and of shared memory are a column of their own: the rest is what the process keeps
        # for itself.
        self.private = [
            None if size is None else size - (files or 0) - (shared or 0)
            for size, files, shared in zip(
                self.total,
                columns.get("file_rss_bytes", none),
                columns.get("shared_rss_bytes", none),
                strict=True,
            )
        ]
        # Compared where both were measured.
        self.outside = [
            None if whole is None or part is None else whole - part
            for whole, part in zip(self.private, self.inside, strict=True)
        ]
        self.growth = change(self.total) or 0.0
        self.start = next((value for value in self.total if value is not None), 0.0)

    def growers(self) -> list[Grower]:
        """What grew, the largest first; one thing at least."""
        if len(self.seconds) < MIN_SAMPLES:
            return [Grower("too few samples", 0.0, "flat", "low", ())]
        seen = self._seen()
        if not seen:
            return [self._steady()]
        harmful = [each.size for each in seen if CAUSES[each.pattern] != "mapped files"]
        largest = max(change(self.outside) or 0.0, *harmful, 0.0)
        # Native memory, classes and threads were asked for a share before they were named.
        seen = [each for each in seen if each.size >= SECOND_SHARE * largest or each.pattern not in _IN_HEAP]
        growers = [self._grower(each) for each in seen]
        # What is harmless comes last, and what goes on first.
        growers.sort(key=lambda each: (each.cause in HARMLESS, each.state != "grows", -each.size_bytes))
        swap = self.changes.get("swap_bytes", 0.0)
        if abs(swap) >= LEAST_GROWTH_BYTES:
            first = growers[0]
            evidence = (*evidence_of("swap", swap_bytes=swap), *first.evidence)
            growers[0] = Grower(first.pattern, first.size_bytes, first.state, first.confidence, evidence)
        return growers

    def _course(self, values: Values, *, lowest: bool = False) -> Course | None:
        return course(self.seconds, values, lowest=lowest)

    def _column(self, name: str) -> Course | None:
        values = self.columns.get(name)
        return None if values is None else self._course(values, lowest=name == OLD)

    def _is_growth(self, size: float, found: Course | None) -> bool:
        """Whether a change is more than noise: much, or a little that rises through all of the watch."""
        if size >= max(LEAST_GROWTH_BYTES, LEAST_GROWTH_SHARE * self.start):
            return True
        rises = found is not None and found.state == "grows" and (found.low or 0.0) > 0
        return rises and size >= max(LEAST_GROWTH_BYTES, LEAST_STEADY_SHARE * self.start)

    def _seen(self) -> list[_Seen]:
        return self._in_process() + self._mapped()

    def _mapped(self) -> list[_Seen]:
        """Pages that the process has from files or shares with others."""
        seen = []
        patterns: tuple[tuple[Pattern, EvidenceKind, str], ...] = (
            ("shared memory grew", "shared memory", "shared_rss_bytes"),
            ("mapped files grew", "mapped files", "file_rss_bytes"),
        )
        for pattern, kind, name in patterns:
            size, found = self.changes.get(name, 0.0), self._column(name)
            if self._is_growth(size, found) and size >= SECOND_SHARE * self.growth:
                seen.append(_Seen(pattern, size, "high", evidence_of(kind, **{name: size}), found))
        return seen

    def _in_process(self) -> list[_Seen]:
        inside, outside = change(self.inside), change(self.outside)
        if inside is None or outside is None:
            return self._undivided()
        seen = self._inside(inside)
        outside_course = self._course(self.outside)
        if self._is_growth(outside, outside_course):
            held = max((each.size for each in seen if CAUSES[each.pattern] != "garbage"), default=0.0)
            seen += self._outside(inside, outside, outside_course, SECOND_SHARE * max(held, outside))
        elif self.changes.get("thread_count", 0.0) >= MANY_THREADS:
            seen.append(self._threads(()))
        return seen

    def _undivided(self) -> list[_Seen]:
        """Where the heap lies is not known, or its pages were not looked at."""
        found = self._course(self.private)
        growth = change(self.private) or 0.0
        old = self.changes.get(OLD)
        if not self._is_growth(growth, found):
            return self._old_alone()
        if old is not None and old >= 0.5 * growth:
            evidence = evidence_of("old generation", old_after_gc_bytes=old)
            return [_Seen("heap grew", growth, "medium", evidence, self._column(OLD))]
        unknown = evidence_of("heap range unknown")
        return [_Seen("grew in an unknown place", growth, "low", unknown, found)]

    def _old_alone(self) -> list[_Seen]:
        """The old generation, where it grows in memory that was resident already."""
        old = self.changes.get(OLD)
        limit = max((v for v in self.columns.get("heap_max_bytes", ()) if v is not None), default=0.0)
        sure, why = self._collected()
        found = self._column(OLD)
        # Before a whole collection it may be garbage that waits; after it, a little that rises is held.
        rises = sure == "high" and found is not None and found.state == "grows" and (found.low or 0.0) > 0
        share = LEAST_STEADY_SHARE if rises else LEAST_GROWTH_SHARE
        if old is None or old < max(LEAST_GROWTH_BYTES, share * limit):
            return []
        evidence = evidence_of("old generation inside resident memory", old_after_gc_bytes=old)
        return [_Seen("old generation grew in resident memory", old, sure, evidence + why, found)]

    def _inside(self, heap: float) -> list[_Seen]:
        """Of what grew inside the range of the heap: what is held, or garbage."""
        heap_course = self._course(self.inside)
        if not self._is_growth(heap, heap_course):
            return self._old_alone()
        old = self.changes.get(OLD)
        if old is None:
            evidence = evidence_of("inside the heap", heap_rss_bytes=heap) + evidence_of("no collection yet")
            return [_Seen("heap grew before any collection", heap, "low", evidence, heap_course)]
        evidence = evidence_of(
            "inside the heap and old generation", heap_rss_bytes=heap, old_after_gc_bytes=old
        )
        sure, why = self._collected()
        if old >= 0.4 * heap:
            return [_Seen("heap grew", max(heap, old), sure, evidence + why, self._column(OLD))]
        if self._collections() < LEAST_COLLECTIONS:
            evidence = evidence_of("inside the heap", heap_rss_bytes=heap) + evidence_of("few collections")
            return [_Seen("heap grew before any collection", heap, "low", evidence, heap_course)]
        if old < min(0.05 * heap, LEAST_GROWTH_BYTES):
            return [_Seen("garbage filled the heap", heap, sure, evidence + why, heap_course)]
        found = least(sure, "medium")
        return [_Seen("heap and garbage grew", heap, found, evidence + why, self._column(OLD))]

    def _collections(self) -> float:
        """How many there were between the samples that know the old generation after one."""
        olds, counts = self.columns.get(OLD, ()), self.columns.get("gc_count", ())
        known = [
            count for old, count in zip(olds, counts, strict=False) if old is not None and count is not None
        ]
        # Where it is not known, as in files of samples without it, nothing speaks against.
        return known[-1] - known[0] if known else float(LEAST_COLLECTIONS)

    def _collected(self) -> tuple[Confidence, tuple[MemoryEvidence, ...]]:
        """How surely the old generation at the end is what is held, not garbage that waits."""
        for name, pauses in (("full_gc_count", 1), ("concurrent_gc_count", _CONCURRENT_PAUSES)):
            counts = self.columns.get(name, ())
            known = [
                (at, count) for at, count in zip(self.seconds, counts, strict=False) if count is not None
            ]
            if not known or known[-1][1] - known[0][1] < pauses:
                continue
            third = self.seconds[0] + self.span * 2 / 3
            before = [count for at, count in known if at <= third]
            if before and known[-1][1] > before[-1]:
                return "high", evidence_of("concurrent collections") if pauses > 1 else ()
        return "medium", evidence_of("no whole collection")

    def _outside(self, heap: float, outside: float, found: Course | None, least_part: float) -> list[_Seen]:
        """Of what grew outside of the heap: classes, threads, native memory of some kind, or several.

        Parameters
        ----------
        heap, outside : float
            Bytes that grew inside of the heap's range, and outside.
        found : Course or None
            Of what lies outside.
        least_part : float
            Bytes that are worth a name.
        """
        seen = []
        least_part = max(LEAST_GROWTH_BYTES, least_part)
        shared = evidence_of("inside and outside the heap", heap_rss_bytes=heap, outside_bytes=outside)
        classes, threads = self.changes.get("class_count", 0.0), self.changes.get("thread_count", 0.0)
        metaspace = self.changes.get("metaspace_bytes", 0.0)
        # What native memory tracking counts as buffers is no guess: the others explain the rest.
        buffers = min(max(0.0, self.changes.get("nmt_other_bytes", 0.0)), outside)
        rest = outside - buffers
        if classes >= LEAST_CLASSES:
            # A loader takes malloc and symbols as well: twice its metaspace was measured.
            part = min(rest, max(2 * metaspace, classes * CLASS_BYTES))
            if part >= least_part or classes >= MANY_CLASSES:
                figures = evidence_of("classes", class_count=classes, metaspace_bytes=metaspace)
                counted = self._column("class_count")
                seen.append(_Seen("classes grew", part, "high", shared + figures, counted))
                rest -= part
        if threads >= LEAST_THREADS:
            part = min(rest, threads * THREAD_BYTES)
            if part >= least_part or threads >= MANY_THREADS:
                seen.append(self._threads(shared)._replace(size=part))
                rest -= part
        explained = sum(each.size for each in seen)
        if rest + buffers >= least_part:
            seen += self._native(rest + buffers, explained, shared, found, least_part)
        return seen

    def _native(
        self,
        rest: float,
        explained: float,
        shared: tuple[MemoryEvidence, ...],
        found: Course | None,
        least_part: float,
    ) -> list[_Seen]:
        """What grew outside of the heap and is neither classes nor threads, which explain another part."""
        seen = []
        brk, arenas = self.changes.get("malloc_rss_bytes", 0.0), self.changes.get("arena_rss_bytes", 0.0)
        other, tracked = self.changes.get("nmt_other_bytes"), self.changes.get("nmt_native_bytes")
        malloc = evidence_of("malloc", malloc_rss_bytes=brk, arena_rss_bytes=arenas)
        if other is None or tracked is None:
            figures = shared + malloc + evidence_of("no native memory tracking")
            # Without tracking, memory that Java asked for by malloc looks like that of C code.
            pattern: Pattern = "untracked mappings grew"
            if brk >= max(0.5 * rest, arenas):
                pattern = "untracked malloc grew"
            elif arenas >= 0.5 * rest:
                pattern = "other arenas grew"
            return [_Seen(pattern, rest, "low", figures, found)]
        figures = shared + evidence_of(
            "native memory tracking", nmt_other_bytes=other, nmt_native_bytes=tracked
        )
        if other >= least_part:
            size = min(rest, other)
            seen.append(_Seen("tracked buffers grew", size, "high", figures, self._column("nmt_other_bytes")))
            rest -= size
        own = tracked - other - explained
        if own >= max(least_part, 0.5 * rest):
            size = min(rest, own)
            seen.append(
                _Seen("JVM's native memory grew", size, "medium", figures, self._column("nmt_native_bytes"))
            )
            rest -= size
        if rest < least_part:
            return seen
        pattern, sure = "untracked native mappings grew", least("medium")
        if brk >= max(0.5 * rest, arenas):
            pattern, sure = "main arena grew", "medium" if seen else "high"
        elif arenas >= 0.5 * rest:
            pattern = "other arenas grew"
        return [*seen, _Seen(pattern, rest, sure, figures + malloc, found)]

    def _threads(self, shared: tuple[MemoryEvidence, ...]) -> _Seen:
        count, size = self.changes.get("thread_count", 0.0), self.changes.get("vsz_bytes", 0.0)
        figures = shared + evidence_of("threads", thread_count=count, vsz_bytes=size)
        return _Seen("threads grew", count * THREAD_BYTES, "high", figures, self._column("thread_count"))

    def _grower(self, seen: _Seen) -> Grower:
        """What was seen, and whether it goes on."""
        found = seen.course
        sure, why = self._going_on(found)
        is_count = seen.pattern in ("classes grew", "threads grew")
        if found is not None and found.state == "grows" and found.low is not None and not is_count:
            high = found.high or found.low
            if self.span >= SURE_SECONDS:
                why += evidence_of("slope", low_bytes=found.low, high_bytes=high)
            else:
                why += evidence_of("slope of minutes", low_bytes=found.low / 60, high_bytes=high / 60)
        state = found.state if found is not None else "uneven"
        return Grower(seen.pattern, seen.size, state, least(seen.confidence, sure), seen.evidence + why)

    def _going_on(self, found: Course | None) -> tuple[Confidence, tuple[MemoryEvidence, ...]]:
        """How sure it is that something does what its course says, by the length of the watch."""
        if self.span < SHORT_SECONDS:
            return "low", evidence_of("short watch", seconds=self.span)
        if found is None:
            return "low", ()
        figures = {"bytes": found.last, "seconds": found.last_seconds}
        if found.state == "levelled off":
            # The claim is about the last third.
            sure: Confidence = "high" if found.last_seconds >= SURE_SECONDS else "medium"
            return sure, evidence_of("levelled off", **figures)
        if found.state != "grows":
            return "low", evidence_of("uneven", **figures)
        if self.span < SURE_SECONDS:
            return "medium", evidence_of("short watch", seconds=self.span)
        return "high" if (found.low or 0.0) > 0 else "medium", ()

    def _steady(self) -> Grower:
        """Nothing grew: as sure as what may have grown unseen is little."""
        evidence: tuple[MemoryEvidence, ...] = ()
        sure: Confidence = "medium" if self.span >= SHORT_SECONDS else "low"
        # In a heap that is resident from the start the old generation grows unseen by the resident size.
        slopes = [found.high for found in (self._course(self.total), self._column(OLD)) if found is not None]
        known = [high for high in slopes if high is not None]
        highest = max(0.0, *known) if known and len(known) == len(slopes) else None
        if highest is not None and self.span >= SHORT_SECONDS:
            if self.span >= SURE_SECONDS:
                evidence = evidence_of("at most", high_bytes=highest)
            else:
                evidence = evidence_of("at most of minutes", high_bytes=highest / 60)
            most = max(STEADY_BYTES_A_DAY, STEADY_SHARE_A_DAY * self.start)
            if self.span >= SURE_SECONDS and 24 * highest <= most:
                sure = "high"
        if self.changes.get("gc_count") is not None and OLD not in self.changes:
            evidence += evidence_of("no collection yet")
            sure = least(sure, "medium")
        if self.span < SURE_SECONDS:
            evidence += evidence_of("short watch", seconds=self.span)
        return Grower("nothing grew", 0.0, "flat", sure, evidence)


def _resident(columns: Mapping[str, Values], none: Values) -> Values:
    """Resident size, pages that are mapped several times counted once (ZGC's heap until JDK 20)."""
    rss = columns.get("rss_bytes", none)
    again = columns.get("heap_remapped_bytes")
    if again is not None:
        if not any(again):
            return rss
        return [
            None if size is None or more is None else size - more
            for size, more in zip(rss, again, strict=True)
        ]
    # Samples of earlier versions: the proportional size, where it is known to the end.
    pss = columns.get("pss_bytes", none)
    if rss and rss[-1] is not None and (share := pss[-1]) is not None and rss[-1] > 1.5 * share:
        return pss
    return rss
