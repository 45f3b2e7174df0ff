"""The finding for a field that grows: more and more objects in it, ever larger ones, or native references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN, Finding, began, growth_rate
from heapscope.analysis.leaks.owner_growth import OwnerGrowth
from heapscope.analysis.verdicts import GROWS, LIKELY, POSSIBLE
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.retention.owner_content import most_common_class
from heapscope.heap.retention.owner_paths import STACK, other_holders
from heapscope.heap.retention.owners import held_loaders, owned_members
from heapscope.units import format_bytes, format_count

_OTHERS = 3  # fields that grow as well, named


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of a field that grows."""

    title: str
    why: str
    cure: str
    healthy: str
    evidence: str


_HEALTHY_COUNT = "The number of instances stays the same, or goes up and down with the load."


def finding_of_owner(grown: OwnerGrowth, growth: Growth, evidence: SnapshotEvidence) -> Finding:
    """The finding for a field that grows.

    Parameters
    ----------
    grown : OwnerGrowth
        Of the snapshots of ``growth``.
    growth : Growth
        By class.
    evidence : SnapshotEvidence
        Of the last dump, which is open.
    """
    assert evidence.graph is not None
    graph, owned = evidence.graph, grown.owned
    series = growth.snapshots
    members = ObjectSet(graph, owned_members(graph, owned))
    content = owned.content_class or most_common_class(graph, members.indices)
    times = [each.captured_at for each in series]
    per_hour, slope = (
        None if has_file_times(series) else growth_rate(growth, times, figures)
        for figures in (grown.counts, grown.sizes)
    )
    leading, rate = (grown.sizes, slope) if grown.is_of_one else (grown.counts, per_hour)
    since, is_estimate = began(times, leading, rate)
    retained = members.retained_bytes()
    holders = evidence.merged(members)
    others = other_holders(graph, owned.owner.held_index) if owned.owner.place >= 0 else ()
    loader_class, loader_count = held_loaders(graph, owned)
    words = _words(grown, content)
    return Finding(
        id=UNKNOWN,
        title=words.title,
        class_name=content,
        unit=("instance", "instances"),
        confidence=LIKELY if grown.trend.verdict == GROWS else POSSIBLE,
        counts=grown.counts,
        instance_count=len(members),
        retained_bytes=retained,
        share=retained / evidence.reachable_bytes,
        per_hour=per_hour,
        since=since,
        since_is_estimate=is_estimate,
        held_by=tuple(holders.lines(4)),
        holders=holders,
        why=words.why,
        cure=(
            words.cure,
            "If the growth ends by itself (a cache that fills), take another snapshot later and diagnose "
            "again.",
        ),
        healthy=words.healthy,
        affected=(),
        sources=(),
        evidence=(
            words.evidence,
            _part_of_growth(grown),
            *(f"{other} grows as well, by {format_bytes(size)}" for other, size in grown.others[:_OTHERS]),
            *(
                [f"{format_count(loader_count)} class loaders ({loader_class}) hang on it"]
                if loader_count
                else []
            ),
            *(f"also held by {each}" for each in others),
        ),
        owner=owned.owner.field,
        owner_way=owned.owner.way,
        other_holders=others,
        dump=evidence.snapshot.path,
        example_id=newest(members),
        sizes=grown.sizes if grown.is_of_one else (),
        bytes_slope=slope if grown.is_of_one else None,
    )


def newest(members: ObjectSet) -> int | None:
    """Identifier of the newest of some objects, as far as addresses tell; None of none."""
    return int(members.object_ids[-1]) if len(members) else None


def _words(grown: OwnerGrowth, content: str) -> _Words:
    where = grown.owned.owner.field
    counts = _steps([None if count is None else format_count(count) for count in grown.counts])
    if grown.owned.owner.is_native:
        return _Words(
            title=f"{content} is held by {where} alone, and there are ever more",
            why="Native code made references to these objects and does not give them back. No field of a "
            "Java program holds them.",
            cure="Look at the native library that is given these objects: each NewGlobalRef needs a "
            "DeleteGlobalRef. Often a method such as close() does that, and is not called.",
            healthy=_HEALTHY_COUNT,
            evidence=f"{where} holds {counts} instances of {content}",
        )
    if grown.is_of_one:
        sizes = _steps([None if size is None else format_bytes(size) for size in grown.sizes])
        return _Words(
            title=f"{content} in {where} gets larger and larger, for a reason that is not in the catalogue",
            why="Something adds to what is in that field and nothing takes anything out again: there are not "
            "more objects, but larger ones.",
            cure=f"Look at what adds to {where}: where it is a buffer, empty it or begin a new one when what "
            "is in it was used (reset(), setLength(0), clear()).",
            healthy="Its size stays the same, or goes up and down with the load.",
            evidence=f"of {where} so much is in use: {sizes}; in {_instances(grown)} of {content}",
        )
    if grown.owned.owner.kind == STACK:
        is_one = where.startswith("a ")
        return _Words(
            title=f"{content} piles up in {where}, for a reason that is not in the catalogue",
            why="A method that has not returned adds to it and takes nothing out again."
            if is_one
            else "What a thread holds is kept until the thread ends. Either there are ever more threads, or "
            "one of them takes ever more and gives nothing back.",
            cure="Look at the methods that the thread is in ('heapscope threads' shows them, and what lies "
            "on its stack): what one of them adds to has to be emptied, or to be given a limit."
            if is_one
            else "Look at what starts these threads: each has to end when its work is done, and what started "
            "it has to interrupt it, or to shut down its pool. Where their number stays the same, look at "
            "what they add to.",
            healthy=_HEALTHY_COUNT,
            evidence=f"{where} hold{'s' * is_one} {counts} instances of {content}",
        )
    return _Words(
        title=f"{content} piles up in {where}, for a reason that is not in the catalogue",
        why="Something adds these objects to that field and nothing takes them out again.",
        cure=f"Look at what adds to {where}: where it is a cache, give it a limit; else take entries out "
        "when they are no longer needed.",
        healthy=_HEALTHY_COUNT,
        evidence=f"{where} owns {counts} instances of {content}",
    )


def _part_of_growth(grown: OwnerGrowth) -> str:
    first, last = grown.reachable_bytes
    if last - first >= grown.gained_bytes:
        return (
            f"it takes {format_bytes(grown.gained_bytes)} of the {format_bytes(last - first)} by which what "
            "is reachable grew"
        )
    return (
        f"it grew by {format_bytes(grown.gained_bytes)}, while what is reachable went from "
        f"{format_bytes(first)} to {format_bytes(last)}"
    )


def _instances(grown: OwnerGrowth) -> str:
    count = next(each for each in reversed(grown.counts) if each is not None)
    return f"{format_count(count)} instance{'s' * (count != 1)}"


def _steps(figures: Sequence[str | None]) -> str:
    return " -> ".join(each for each in figures if each is not None)
