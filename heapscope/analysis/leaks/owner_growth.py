"""Which field grows: what each field owns, followed over the heap dumps of a series.

A class tells what piles up, a field where: of two lists of one class of objects the one that grows is known
by its field alone.  Only what the GC roots hold is counted, so garbage and dead space grow nothing.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.growth.trends import Axis, Trend, find_trends
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.thresholds import HEAP_GROWTH, LEAST_PART, MIN_SNAPSHOTS, OWNER_SHARE, SERIES_DUMPS
from heapscope.analysis.verdicts import GROWS, PERHAPS
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.graph.reachability import STRONG
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.objects.threads import threads_of
from heapscope.heap.retention.array_use import unused_bytes
from heapscope.heap.retention.field_content import field_content
from heapscope.heap.retention.owner_content import content_members
from heapscope.heap.retention.owner_inside import inside_of
from heapscope.heap.retention.owner_paths import FIELD, STACK, STATIC
from heapscope.heap.retention.owners import Owned, find_owned, name_of_many, owned_members
from heapscope.progress import Progress, no_progress
from heapscope.secrets import mask_text


@dataclass(frozen=True, slots=True)
class OwnerGrowth:
    """A field that grows.

    Attributes
    ----------
    owned : Owned
        What it owns in the last dump.
    trend : Trend
        Of the bytes it owns, over the dumps that were opened.
    counts : tuple of int or None
        How many objects of ``owned.content_class`` it owns in each snapshot of the series; None for a class
        histogram, for a dump that was not opened, and where it owns too little to be known.
    sizes : tuple of int or None
        Bytes that it owns in each snapshot, without what its arrays do not use yet; None as for ``counts``.
    gained_bytes : int
        Last less first.
    reachable_bytes : (int, int)
        All that the GC roots hold, in the first and in the last of the dumps.
    others : tuple of (str, int)
        Other fields that grow by as much that each would be a finding alone, with the bytes that each gained;
        what gained most first.
    """

    owned: Owned
    trend: Trend
    counts: tuple[int | None, ...]
    sizes: tuple[int | None, ...]
    gained_bytes: int
    reachable_bytes: tuple[int, int]
    others: tuple[tuple[str, int], ...] = ()

    @property
    def is_of_one(self) -> bool:
        """Whether there are not more objects from dump to dump, but larger ones."""
        known = [count for count in self.counts if count]  # before there was any, it was not smaller
        return len(known) > 1 and known[-1] <= known[0]


@dataclass(frozen=True, slots=True)
class Rising:
    """A field, or a class, that rises from snapshot to snapshot by too little to be called a leak."""

    name: str
    first_bytes: int
    last_bytes: int
    is_slowing: bool = False  # it rises ever more slowly: a cache that fills, or a leak under less load

    @property
    def gained_bytes(self) -> int:
        """Last less first."""
        return self.last_bytes - self.first_bytes


@dataclass(frozen=True, slots=True)
class _Figures:
    """What fields own in one dump, in units of the shallow sizes."""

    owned: Sequence[Owned]
    reachable_units: int
    counts: dict[str, int]
    unused_units: dict[str, int]  # of the arrays in which things pile up, what they do not use yet


def opened_dumps(series: Series) -> list[int]:
    """Positions of the dumps that are opened for what no class histogram tells; at most `SERIES_DUMPS`."""
    dumps = [place for place, each in enumerate(series) if each.kind == DUMP and each.coverage is None]
    if len(dumps) > SERIES_DUMPS:
        dumps = [dumps[i] for i in np.linspace(0, len(dumps) - 1, SERIES_DUMPS).astype(int).tolist()]
    return dumps


def growing_owner(
    growth: Growth, evidence: SnapshotEvidence, progress: Progress = no_progress
) -> tuple[OwnerGrowth | None, tuple[Rising, ...]]:
    """The field that takes most of the heap's growth; else fields that rise by less than a leak's part.

    Parameters
    ----------
    growth : Growth
        By class, of one process.
    evidence : SnapshotEvidence
        Of its last dump, which is open; of another snapshot nothing is said.
    progress : Progress
        Told how far reading the other dumps is.

    Returns
    -------
    leading : OwnerGrowth or None
        None for fewer than three dumps, and where no field of a program or a library grows enough: by a part
        of what a growing heap gained, or by a part of the heap, whatever else comes and goes there.
    rising : tuple of Rising
        Where ``leading`` is None: what rises all the same, the most first.
    """
    series = growth.snapshots
    places = opened_dumps(series)
    if evidence.graph is None or len(places) < MIN_SNAPSHOTS or series[places[-1]] is not evidence.snapshot:
        return None, ()
    answers = series.at(places).of_each_dump(
        lambda _, graph: _figures(graph), progress, opened=(evidence.snapshot, evidence.graph)
    )
    figures = [each for each in answers if each is not None]  # all: each of them is a dump
    graph, unit = evidence.graph, evidence.graph.columns.unit_bytes
    last = {each.owner.field: each for each in figures[-1].owned}
    owned = {
        name: [next((e.dominated_units for e in one.owned if e.owner.field == name), 0) for one in figures]
        for name in last
    }
    unused = {name: [one.unused_units.get(name, 0) for one in figures] for name in owned}
    reachable = [one.reachable_units for one in figures]
    axis = growth.axis.at(places)
    larger = [name for name, sizes in owned.items() if sizes[-1] > sizes[0]]
    # An array that doubles when it is full grows in ever rarer steps; what is in it grows on.
    for is_less in (False, True):
        told = [
            grown
            for name in larger
            if (grown := _grown(name, owned[name], reachable, unused[name] if is_less else [], axis))
            is not None
            and _is_told(graph, last[name])
        ]
        if not told:
            continue
        told.sort(key=lambda each: (-each[1].delta, each[0]))
        name, trend, whole = told[0]
        of_each: list[int | None] = [None] * len(series)
        bytes_of_each: list[int | None] = [None] * len(series)
        for position, place in enumerate(places):
            of_each[place] = figures[position].counts.get(name, 0)
            bytes_of_each[place] = (owned[name][position] - unused[name][position]) * unit
        _look_again(series, last[name], figures, places, of_each, bytes_of_each)
        leading = OwnerGrowth(
            owned=last[name],
            trend=trend,
            counts=tuple(of_each),
            sizes=tuple(bytes_of_each),
            gained_bytes=trend.delta * unit,
            reachable_bytes=(whole.values[0] * unit, whole.values[-1] * unit),
            others=tuple((other, grown.delta * unit) for other, grown, _ in told[1:]),
        )
        return _deeper(leading, series, evidence, places, progress), ()
    least = OWNER_SHARE * float(np.median(reachable))
    trends = find_trends(np.array([owned[name] for name in larger], np.int64), axis) if larger else []
    slow = [
        Rising(name, trend.values[0] * unit, trend.values[-1] * unit, trend.is_slowing)
        for name, trend in zip(larger, trends, strict=True)
        if (
            (trend.verdict == GROWS and trend.delta >= least)
            or (trend.is_slowing and trend.values[-1] - trend.values[-2] >= least)
        )
        and _is_told(graph, last[name])
    ]
    return None, tuple(sorted(slow, key=lambda each: (each.first_bytes - each.last_bytes, each.name)))


def _look_again(
    series: Series,
    owned: Owned,
    figures: Sequence[_Figures],
    places: Sequence[int],
    counts: list[int | None],
    sizes: list[int | None],
) -> None:
    """What a field holds in dumps where it owns too little to be followed: little is not nothing."""
    field = owned.owner.field
    small = [place for place, one in zip(places, figures, strict=True) if field not in one.counts]
    for place in small:
        counts[place] = sizes[place] = None
    if not small or not owned.content_class or owned.owner.kind not in (STATIC, FIELD):
        return
    answers = series.at(small).of_each_dump(
        lambda _, graph: field_content(graph, field, owned.content_class), no_progress
    )
    for place, content in zip(small, answers, strict=True):
        if content is not None:
            counts[place], sizes[place] = content.member_count, content.used_bytes


def _deeper(
    grown: OwnerGrowth,
    series: Series,
    evidence: SnapshotEvidence,
    places: Sequence[int],
    progress: Progress,
) -> OwnerGrowth:
    """The growth inside of the objects that the field owns, where there are hardly more of those.

    A pool of five connections does not grow; what each of them keeps does.
    """
    assert evidence.graph is not None
    graph, owned = evidence.graph, grown.owned
    first, last = (grown.counts[places[at]] or 0 for at in (0, -1))
    # What came since the first dump, at the size that each has now.
    explained = (last - first) / max(last, 1) * owned.dominated_units
    if explained >= LEAST_PART * grown.trend.delta:
        return grown
    objects = owned_members(graph, owned)
    inside = inside_of(graph, objects)
    if inside is None:
        return grown
    holder = graph.classes[int(graph.columns.class_index[objects[0]])].name
    found = series.at(places).of_each_dump(
        lambda _, graph: _count_inside(graph, holder, inside.class_name),
        progress,
        opened=(evidence.snapshot, graph),
    )
    if (found[-1] or 0) <= (found[0] or 0):
        return grown
    counts: list[int | None] = [None] * len(series)
    for place, count in zip(places, found, strict=True):
        counts[place] = count
    deeper = replace(
        owned, owner=inside.owner, held_indices=objects, is_group=False, content_class=inside.class_name
    )
    return replace(grown, owned=deeper, counts=tuple(counts))


def _count_inside(graph: HeapGraph, holder: str, class_name: str) -> int:
    """How many instances of a class those of another hold."""
    is_holder = np.array([each.name == holder for each in graph.classes], bool)
    return int(content_members(graph, graph.instances_of(is_holder), class_name).size)


def rising_held(growth: Growth, evidence: SnapshotEvidence, names: Set[str]) -> frozenset[str]:
    """Which of some classes have ever more instances that the GC roots hold, by the dumps that are opened.

    Parameters
    ----------
    growth : Growth
        By class, of one process.
    evidence : SnapshotEvidence
        Of its last dump, which is open.
    names : set of str
        Class names, as the series calls them.
    """

    def count(_: Snapshot, graph: HeapGraph) -> dict[str, int]:
        held = np.bincount(
            graph.columns.class_index[graph.categories == STRONG], minlength=len(graph.classes)
        )
        sums = dict.fromkeys(names, 0)
        for each, number in zip(graph.classes, held.tolist(), strict=True):
            name = series.name_of(each.name)
            if name in sums:
                sums[name] += number
        return sums

    assert evidence.graph is not None
    series = growth.snapshots
    places = opened_dumps(series)
    found = series.at(places).of_each_dump(count, no_progress, opened=(evidence.snapshot, evidence.graph))
    ordered = sorted(names)
    counts = np.array([[one[name] for one in found if one is not None] for name in ordered], np.int64)
    trends = find_trends(counts, growth.axis.at(places))
    return frozenset(
        name for name, trend in zip(ordered, trends, strict=True) if trend.verdict in (GROWS, PERHAPS)
    )


def _grown(
    name: str, owned: Sequence[int], reachable: Sequence[int], unused: Sequence[int], axis: Axis
) -> tuple[str, Trend, Trend] | None:
    """What a field owns, less what its arrays do not use, and what the whole does, less the same.

    None where the field neither takes its part of a heap that grows, nor makes a heap in which other things
    come and go larger by itself.
    """
    figures = np.array([owned, reachable], np.int64)
    if unused:
        figures -= np.array(unused, np.int64)
    trend, whole = find_trends(figures, axis)
    is_heap_growing = whole.verdict in (GROWS, PERHAPS) and whole.delta >= HEAP_GROWTH * whole.values[0]
    is_part = trend.verdict in (GROWS, PERHAPS) and trend.delta >= LEAST_PART * whole.delta
    is_alone = trend.verdict == GROWS and trend.delta >= HEAP_GROWTH * float(np.median(whole.values))
    return (name, trend, whole) if (is_heap_growing and is_part) or is_alone else None


def _figures(graph: HeapGraph) -> _Figures:
    """What fields own in a dump."""
    retained, immediate = graph.retained_units, graph.immediate_dominators
    owned, unit = find_owned(graph, OWNER_SHARE), graph.columns.unit_bytes
    return _Figures(
        owned=owned,
        reachable_units=int(retained[immediate == VIRTUAL_ROOT].sum(dtype=np.uint64)),
        counts={each.owner.field: int(owned_members(graph, each).size) for each in owned},
        unused_units={each.owner.field: unused_bytes(graph, each.pile_indices) // unit for each in owned},
    )


def _is_told(graph: HeapGraph, owned: Owned) -> bool:
    """Whether growth of it is a leak of somebody's code.

    The JDK's own tables grow as it warms up, and what only soft references hold goes before memory runs out.
    """
    origin = max(owned.owner.origin, class_origin(owned.content_class or "java.lang.Object"))
    if origin == ClassOrigin.JDK and not owned.owner.is_native and not _is_in_code_of_a_program(graph, owned):
        return False
    rows = owned_members(graph, owned)
    return 2 * int(np.count_nonzero(graph.categories[rows] == STRONG)) >= rows.size


def _is_in_code_of_a_program(graph: HeapGraph, owned: Owned) -> bool:
    """Whether a local variable owns it, of a thread that runs other code than the JDK's."""
    names = {owned.owner.thread_name, *owned.thread_names}
    return owned.owner.kind == STACK and any(
        class_origin(frame.class_name) > ClassOrigin.JDK
        for thread in threads_of(graph)
        # As an owner tells the name: masked, and of many threads without their numbers.
        if not names.isdisjoint((shown := mask_text(thread.name), name_of_many(shown)))
        for frame in thread.frames
    )
