"""What leaks, since when, how fast, what holds it, why, and what to do: findings with their evidence.

Known leaks are looked for by their signatures (`heapscope.analysis.leaks.known_leaks`) in the last heap
dump of a series, and their growth in all snapshots.  What grows without a known reason is
a finding too, where three snapshots or more show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.sidecar import number_in, variables_in
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.growth.time_source import GUESSED
from heapscope.analysis.growth.trends import Axis, find_trends
from heapscope.analysis.leaks.evidence import SnapshotEvidence, held
from heapscope.analysis.leaks.findings import Diagnosis, Finding, Reading, began, growth_rate
from heapscope.analysis.leaks.hadoop import FILE_SYSTEM, FileSystemGroup, file_system_groups
from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.leaks.off_heap import (
    buffers_leak,
    is_named,
    is_same_growth,
    off_heap_leak,
    series_off_heap,
    with_off_heap,
)
from heapscope.analysis.leaks.owner_growth import Rising, growing_owner, opened_dumps
from heapscope.analysis.leaks.resident import resident_memory
from heapscope.analysis.leaks.signatures import Match, match
from heapscope.analysis.leaks.unknown_leak import rising_classes, unknown_leak
from heapscope.analysis.thresholds import (
    JUMP,
    MIN_SNAPSHOTS,
    OVERLAP,
    OWNERS_SHOWN,
    OWNERS_SHOWN_SHARE,
)
from heapscope.analysis.verdicts import (
    CERTAIN,
    FLUCTUATES,
    HEALTHY,
    LEAK,
    LIKELY,
    POSSIBLE,
    UNDECIDED,
    Confidence,
    Verdict,
)
from heapscope.heap.objects.environment import environment_of
from heapscope.heap.retention.cut_arrays import is_without_texts
from heapscope.heap.retention.off_heap import off_heap_if_large
from heapscope.heap.retention.owner_paths import owner_of
from heapscope.heap.retention.suspects import Suspect, find_suspects
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.heap.object_set import ObjectSet

# Variables that say why a file system is made anew, and where to look instead.
TELLING_VARIABLES = ("KERB_TICKET_CACHE_PATH", "KRB5CCNAME")


def find_leaks(
    series: Series,
    growth: Growth | None,
    *,
    catalogue: Sequence[KnownLeak] | None = None,
    living_environment: Mapping[str, str] | None = None,
    opened: HeapGraph | None = None,
    names_owners: bool = True,
    progress: Progress = no_progress,
) -> Diagnosis:
    """Say what leaks, and why.

    Parameters
    ----------
    series : Series
        One process at one or more times.
    growth : Growth or None
        Of the series by class; None of one snapshot.
    catalogue : sequence of KnownLeak, optional
        What to look for; `heapscope.analysis.leaks.known_leaks.load_catalogue` by default.
    living_environment : mapping, optional
        Variables of the process if it still lives, for heaps that have no copy of them.
    opened : HeapGraph, optional
        Of the last of the dumps, where it is open already.
    names_owners : bool
        Whether the largest owners are looked for where nothing is known to leak.
    progress : Progress
        Told how far reading dumps is.

    Raises
    ------
    HeapscopeError
        There is no snapshot, or one cannot be read.
    """
    series.need(1)
    series = series.each_moment_once()
    chosen = next((each for each in reversed(series) if each.kind == DUMP), series[-1])
    enough = len(series) >= MIN_SNAPSHOTS
    with ExitStack() as stack:
        graph = opened
        if graph is None and (heap := chosen.open(progress)) is not None:
            graph = stack.enter_context(heap).graph
        variables = environment_of(graph) if graph is not None else {}
        readings = _readings(chosen, variables, living_environment or {})
        evidence = SnapshotEvidence(
            chosen,
            graph,
            series.superclasses,
            environment={**{each.name: each.value for each in readings}, **variables},
        )
        groups = file_system_groups(evidence) if graph is not None else ()
        leaks = load_catalogue() if catalogue is None else catalogue
        matches = [found for leak in leaks if (found := match(leak, evidence)) is not None]
        findings, steady = _findings(matches, series, growth, evidence, groups, readings, progress)
        off_heap = off_heap_leak(series_off_heap(series, evidence, progress), series)
        rising: tuple[Rising, ...] = ()
        if growth is not None and enough:
            if graph is None:
                off_heap = buffers_leak(growth)
            delta = growth.whole.shallow.delta
            if not findings or not _explains(findings, delta):
                # Beside a known leak only what is the application's own: the rest may be part of it.
                whole = _of_whole_dump(growth.snapshots, evidence, stack, progress)
                grown, rising = growing_owner(growth, whole, progress)
                unknown = unknown_leak(growth, whole, grown, own_only=bool(findings))
                if unknown is not None and not (
                    _is_known(unknown, findings)
                    or (off_heap is not None and is_same_growth(unknown, off_heap))
                ):
                    if off_heap is not None and off_heap.owner and off_heap.owner == unknown.owner:
                        unknown, off_heap = with_off_heap(unknown, off_heap), None
                    findings.insert(0, unknown)  # first: most of the growth is its own
        if off_heap is not None and not is_named(off_heap, findings):
            findings.append(off_heap)
        if findings or growth is None:
            rising = ()
        elif enough and graph is None:
            rising = rising_classes(growth)
        outside = None if graph is None else off_heap_if_large(graph)
        without_texts = graph is not None and not findings and is_without_texts(graph)
        owners = _owners(evidence) if names_owners and not findings and not enough else ()
    return Diagnosis(
        status=LEAK if findings else HEALTHY if enough else UNDECIDED,
        source=chosen.name,
        is_dump=chosen.kind == DUMP,
        snapshot_names=tuple(each.name for each in series),
        captured_at=tuple(each.captured_at for each in series),
        object_counts=tuple(each.object_count for each in series),
        shallow_bytes=tuple(each.shallow_bytes for each in series),
        findings=tuple(findings),
        steady=tuple(steady),
        groups=groups,
        readings=tuple(readings),
        growth=growth,
        owners=owners,
        pid=number_in(chosen.sidecar, "process", "pid"),
        folder=chosen.path.parent,
        off_heap=outside,
        rising=rising,
        resident=None if outside is None else resident_memory(chosen, outside),
        without_texts=without_texts,
    )


def _of_whole_dump(
    series: Series, evidence: SnapshotEvidence, stack: ExitStack, progress: Progress
) -> SnapshotEvidence:
    """Evidence of the last dump that was read whole, where others are to be held against it.

    The dump that a JVM writes as it runs out of memory is often cut short: the series ends before it.
    """
    places = opened_dumps(series)
    if evidence.graph is None or len(places) < MIN_SNAPSHOTS or series[places[-1]] is evidence.snapshot:
        return evidence
    last = series[places[-1]]
    heap = last.open(progress)
    assert heap is not None  # it is a dump
    return SnapshotEvidence(last, stack.enter_context(heap).graph, series.superclasses)


def _is_known(unknown: Finding, findings: Sequence[Finding]) -> bool:
    """Whether a known leak is of the same objects, or piles up in the same field."""
    return any(
        each.class_name == unknown.class_name or (unknown.owner and each.owner == unknown.owner)
        for each in findings
    )


def _owners(evidence: SnapshotEvidence) -> tuple[Suspect, ...]:
    """What holds the heap where nothing is known to leak: the largest owners, what every JVM has last."""
    if evidence.graph is None:
        return ()
    return find_suspects(evidence.graph, OWNERS_SHOWN_SHARE).suspects[:OWNERS_SHOWN]


def _readings(snapshot: Snapshot, variables: Mapping[str, str], living: Mapping[str, str]) -> list[Reading]:
    """Telling variables from the heap, else from the sidecar, else from the living process."""
    pid = number_in(snapshot.sidecar, "process", "pid")
    places = [
        (f"the heap of {snapshot.name}", variables),
        (f"{snapshot.path.name}.json", variables_in(snapshot.sidecar)),
        (f"/proc/{pid or 'PID'}/environ", living),
    ]
    found = []
    for name in TELLING_VARIABLES:
        for where, known in places:
            if name in known:
                found.append(Reading(name, known[name], where))
                break
    return found


def _findings(
    matches: Sequence[Match],
    series: Series,
    growth: Growth | None,
    evidence: SnapshotEvidence,
    groups: tuple[FileSystemGroup, ...],
    readings: Sequence[Reading],
    progress: Progress,
) -> tuple[list[Finding], list[tuple[str, tuple[int | None, ...]]]]:
    findings: list[Finding] = []
    steady: list[tuple[str, tuple[int | None, ...]]] = []
    explained: list[ObjectSet] = []
    is_order_certain = all(each.is_dated and each.captured_at_source not in GUESSED for each in series)
    if evidence.graph is None:
        # Without objects two leaks of one class cannot be told apart: the one with most evidence stays.
        matches = sorted(matches, key=lambda each: -len(each.outcomes))
    for found in matches:
        if not _is_held(found.leak, evidence):
            continue
        counts = _counts(found.leak, series, evidence, progress)
        if not _may_grow(found, counts, is_order_certain=is_order_certain):
            steady.append((found.leak.title, counts))
            continue
        objects = evidence.subject(found.leak.subject)[0] if evidence.graph is not None else None
        if objects is not None and _is_explained(objects, explained):
            continue
        names = {found.leak.subject.name, *(each.lstrip("*") for each in found.leak.subject.classes)}
        if objects is None and any(each.class_name in names for each in findings):
            continue
        findings.append(_finding(found, counts, series, growth, evidence, objects, groups, readings))
        if objects is not None:
            explained.append(objects.retained() | objects)
    order = {CERTAIN: 0, LIKELY: 1, POSSIBLE: 2}
    findings.sort(key=lambda each: (order[each.confidence], -(each.retained_bytes or 0)))
    return findings, steady


def _is_held(leak: KnownLeak, evidence: SnapshotEvidence) -> bool:
    """Whether anything holds what the signature counted: what nothing reaches retains nothing, and goes."""
    if evidence.graph is None or leak.subject.garbage:
        return True
    return bool(held(evidence.subject(leak.subject)[0]))


def _may_grow(found: Match, counts: Sequence[int | None], *, is_order_certain: bool) -> bool:
    """Whether figures allow that it grows: of a signature that proves nothing by itself they have to rise.

    What a dump shows for certain is overruled by nothing but figures that do not rise, in an order that is
    certain too: a short or uneven series (1, 4, 48) is no reason against it.
    """
    known = [count for count in counts if count is not None]
    if found.leak.needs_growth and (len(known) < MIN_SNAPSHOTS or known[-1] <= known[0]):
        return False  # a busy server has as many: only their growth tells
    is_certain = found.leak.confidence == CERTAIN and found.is_whole
    if is_certain and not is_order_certain:
        return len(known) < 2 or max(known) > min(known)
    if len(known) > 1 and known[-1] <= known[0]:
        return False
    if found.leak.confidence == CERTAIN or len(known) <= MIN_SNAPSHOTS:
        return True
    return not _jumped_and_stayed(known) and _trend_of(known) != FLUCTUATES


def _trend_of(known: Sequence[int]) -> Verdict:
    (trend,) = find_trends(np.array([known], np.int64), Axis(None, None, len(known)))
    return trend.verdict


def _jumped_and_stayed(known: Sequence[int]) -> bool:
    """Whether one step, before the last, makes nearly all of the rise: a cache filled at once, no leak."""
    steps = [after - before for before, after in pairwise(known)]
    rise = known[-1] - known[0]
    return rise > 0 and max(steps[:-1]) > JUMP * rise


def _explains(findings: Sequence[Finding], growth: int) -> bool:
    """Whether known leaks account for most of the growth; nobody knows without their retained sizes."""
    if any(each.bytes_each is None for each in findings):
        return True
    gained = 0.0
    for each in findings:
        known = [count for count in each.counts if count is not None]
        gained += (each.bytes_each or 0.0) * (known[-1] - known[0])
    return gained > OVERLAP * growth


def _is_explained(objects: ObjectSet, explained: Sequence[ObjectSet]) -> bool:
    """Whether most of a set is, or hangs on, what a finding before has named."""
    return any(len(objects & each) > OVERLAP * len(objects) for each in explained)


def _counts(
    leak: KnownLeak, series: Series, evidence: SnapshotEvidence, progress: Progress
) -> tuple[int | None, ...]:
    """How many there are in each snapshot."""
    subject = leak.subject
    # Opening every dump takes time: where all instances of the class are meant, class counts will do.
    # Of a class histogram those that `where` picks cannot be told: all of the class, then.
    is_all = evidence.count(subject.classes, subject.without) == _picked(leak, evidence)
    if subject.classes and not subject.exact and is_all:
        of_each = (SnapshotEvidence(each, None, series.superclasses) for each in series)
        return tuple(each.count(subject.classes, subject.without) for each in of_each)
    dumps = opened_dumps(series)
    superclasses = series.superclasses

    def count(snapshot: Snapshot, graph: HeapGraph) -> int:
        same = snapshot is evidence.snapshot
        return (evidence if same else SnapshotEvidence(snapshot, graph, superclasses)).subject(subject)[1]

    found: list[int | None] = [None] * len(series)
    opened = None if evidence.graph is None else (evidence.snapshot, evidence.graph)
    for place, each in zip(dumps, series.at(dumps).of_each_dump(count, progress, opened=opened), strict=True):
        found[place] = each
    return tuple(found)


def _picked(leak: KnownLeak, evidence: SnapshotEvidence) -> int:
    """How many of the subject's class are meant, as far as the snapshot can tell."""
    subject = leak.subject
    if evidence.graph is not None:
        return evidence.subject(subject)[1]
    return evidence.count(subject.classes, subject.without) or 0


def _most_of(leak: KnownLeak, evidence: SnapshotEvidence) -> str:
    """Of the classes that a leak may be of the one that there are most of; empty where it names none."""
    subject = leak.subject
    return max(subject.classes, key=lambda each: evidence.count((each,), subject.without) or 0, default="")


def _finding(
    found: Match,
    counts: tuple[int | None, ...],
    series: Series,
    growth: Growth | None,
    evidence: SnapshotEvidence,
    objects: ObjectSet | None,
    groups: tuple[FileSystemGroup, ...],
    readings: Sequence[Reading],
) -> Finding:
    leak = found.leak
    times = [each.captured_at for each in series]
    rate = None if has_file_times(series) else growth_rate(growth, times, counts)
    since, is_estimate = began(times, counts, rate)
    if since is None and objects is not None and leak.born:
        since = _first_born(leak, evidence, objects)
    retained = share = holders = owner = None
    class_name = _most_of(leak, evidence).lstrip("*") or leak.subject.name
    if objects:
        retained = objects.retained_bytes()
        share = retained / evidence.reachable_bytes
        holders = evidence.merged(objects)
        class_name = class_name or next(iter(objects.class_counts()))
        owner = owner_of(objects.graph, int(objects.indices[0]), is_one_of_many=len(objects) > 1)
    is_of_file_systems = class_name == FILE_SYSTEM
    return Finding(
        id=leak.id,
        title=leak.title,
        class_name=class_name,
        unit=leak.unit,
        confidence=_confidence(found, counts),
        counts=counts,
        # What they retain is of the dump; the last snapshot may be the text of a class histogram.
        instance_count=_picked(leak, evidence)
        if objects
        else next(count for count in reversed(counts) if count is not None),
        retained_bytes=retained,
        share=share,
        per_hour=rate,
        since=since,
        since_is_estimate=is_estimate,
        held_by=tuple(holders.lines(4)) if holders is not None else (),
        holders=holders,
        why=leak.why,
        cure=leak.cure,
        healthy=leak.healthy,
        affected=leak.affected,
        sources=leak.sources,
        unverified=leak.unverified,
        evidence=tuple(outcome.text for outcome in found.outcomes if outcome.text),
        groups=groups if is_of_file_systems else (),
        readings=tuple(readings) if is_of_file_systems else (),
        owner="" if owner is None or owner.place < 0 else owner.field,
        owner_way=() if owner is None else owner.way,
    )


def _first_born(leak: KnownLeak, evidence: SnapshotEvidence, objects: ObjectSet) -> datetime | None:
    """When the oldest was made, by what they say themselves; None where none says so."""
    times = [value for value in evidence.values(objects, leak.born) if isinstance(value, int) and value > 0]
    try:
        return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None
    except (OverflowError, ValueError, OSError):  # no time of this calendar: the dump is hostile or broken
        return None


def _confidence(found: Match, counts: Sequence[int | None]) -> Confidence:
    known = [count for count in counts if count is not None]
    has_risen = len(known) >= MIN_SNAPSHOTS and known[-1] > known[0]
    if not found.is_whole:
        return POSSIBLE
    if found.leak.confidence == CERTAIN and (has_risen or found.hint_count):
        return CERTAIN
    return LIKELY
