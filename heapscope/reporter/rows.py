"""The rows of a report's tables: snapshots, watched classes, classes that changed, the largest classes.

Figures come from the snapshots; what they do, whether a class grows say, comes from
`heapscope.analysis.growth.growth.Growth` and is only put into words here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from heapscope.analysis.growth.trends import Trend
from heapscope.analysis.verdicts import (
    FLUCTUATES,
    GROWS,
    JUMPED,
    LEVELLED_OFF,
    PERHAPS,
    SHRINKS,
    STEADY,
    TOO_FEW,
)
from heapscope.reporter.text import printable
from heapscope.units import iso_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth, KeyGrowth
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.analysis.growth.tables import ClassGrowth
    from heapscope.analysis.snapshots import Snapshots

WHOLE_HEAP = "Whole heap"
ABSENT, ONE_SNAPSHOT = "absent", "one snapshot"
MAX_ROWS = 5000  # of classes that a page carries for its filters: half a megabyte
_TRENDS = {
    GROWS: "grew",
    PERHAPS: "grew",
    LEVELLED_OFF: "grew",
    JUMPED: "grew",
    FLUCTUATES: "varied",
    SHRINKS: "fell",
    STEADY: "unchanged",
}


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One snapshot; ``captured_at`` is ISO 8601 in UTC to the millisecond."""

    name: str
    kind: str  # "heap dump" or "class histogram"
    captured_at: str
    captured_at_source: str  # see `heapscope.analysis.growth.time_source.TimeSource`
    object_count: int
    shallow_bytes: int
    read_share: float = 1.0  # below 1, or with `uncertain`: of a broken dump what could be read
    uncertain: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether the dump is broken, and only a part of it was read."""
        return bool(self.uncertain)


@dataclass(frozen=True, slots=True)
class WatchedClass:
    """A watched class, or the whole heap, over all snapshots; tuples have one figure per snapshot.

    Attributes
    ----------
    class_name : str
        The pattern that was asked for.
    trend : str
        What the instances do: ``"grew every time"``, ``"grew"``, ``"unchanged"``, ``"varied"``, ``"fell"``,
        ``"absent"`` or ``"one snapshot"``.
    verdict : str
        What instances and bytes do together, as `heapscope.analysis.growth.growth.KeyGrowth` has it; empty of
        one snapshot.
    is_larger : bool
        `KeyGrowth.is_larger`: there are two snapshots only, and the second has more.
    unit : str
        What the two rates that follow are per: ``"hour"``, or ``"snapshot"`` where times cannot be used.
    instance_count_per_unit, shallow_bytes_per_unit : float
        The slope, as diagnosis and outlook have it; 0 of one snapshot.
    """

    class_name: str
    matched_classes: tuple[str, ...]
    trend: str
    instance_counts: tuple[int, ...]
    shallow_bytes: tuple[int, ...]
    instance_count_delta: int
    shallow_bytes_delta: int
    instance_count_per_snapshot: float
    shallow_bytes_per_snapshot: float
    verdict: str = ""
    is_larger: bool = False
    unit: str = "snapshot"
    instance_count_per_unit: float = 0.0
    shallow_bytes_per_unit: float = 0.0

    @property
    def may_grow(self) -> bool:
        """It grows, or perhaps does."""
        return self.verdict in (GROWS, PERHAPS)


@dataclass(frozen=True, slots=True)
class ClassChange:
    """A class whose figures in the first and in the last snapshot differ."""

    class_name: str
    instance_count_before: int
    instance_count_after: int
    instance_count_delta: int
    shallow_bytes_before: int
    shallow_bytes_after: int
    shallow_bytes_delta: int
    is_growing: bool  # `KeyGrowth.may_grow`: False also where two snapshots cannot tell
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class ClassSize:
    """A class in the last snapshot."""

    class_name: str
    instance_count: int
    shallow_bytes: int


def snapshot_row(snapshot: Snapshot) -> SnapshotRow:
    """One snapshot as a row."""
    coverage = snapshot.coverage
    uncertain = [] if coverage is None else coverage.lines()
    if snapshot.is_cut:
        uncertain.append("no Total line, so the text may be cut and classes may be missing")
    return SnapshotRow(
        name=printable(snapshot.name),
        kind=snapshot.kind,
        captured_at=iso_time(snapshot.captured_at, "milliseconds"),
        captured_at_source=snapshot.captured_at_source,
        object_count=int(snapshot.object_count),
        shallow_bytes=int(snapshot.shallow_bytes),
        read_share=1.0 if coverage is None else coverage.share,
        uncertain=tuple(map(printable, uncertain)),
    )


def watched_row(counted: ClassGrowth, growth: Growth | None, compared: Sequence[int]) -> WatchedClass:
    """A watched class as a row.

    Parameters
    ----------
    counted : ClassGrowth
        Its figures in all snapshots.
    growth : Growth or None
        What judges them; None of one snapshot.
    compared : sequence of int
        Positions of the snapshots that ``growth`` is of.
    """
    grown = None
    if growth is not None:
        counts, sizes = counted.instance_counts, counted.shallow_bytes
        grown = growth.follow(counted.class_name, [counts[i] for i in compared], [sizes[i] for i in compared])
    return _row(
        printable(counted.class_name),
        tuple(map(printable, counted.matched_classes)),
        tuple(map(int, counted.instance_counts)),
        tuple(map(int, counted.shallow_bytes)),
        grown,
        growth,
    )


def whole_heap_row(rows: Sequence[SnapshotRow], growth: Growth | None) -> WatchedClass:
    """The whole heap as a row."""
    counts, sizes = tuple(row.object_count for row in rows), tuple(row.shallow_bytes for row in rows)
    return _row(WHOLE_HEAP, (), counts, sizes, None if growth is None else growth.whole, growth)


def _row(
    name: str,
    matched: tuple[str, ...],
    counts: tuple[int, ...],
    sizes: tuple[int, ...],
    grown: KeyGrowth | None,
    growth: Growth | None,
) -> WatchedClass:
    steps = max(1, len(counts) - 1)
    return WatchedClass(
        class_name=name,
        matched_classes=matched,
        trend=_trend(counts, None if grown is None else grown.instances),
        instance_counts=counts,
        shallow_bytes=sizes,
        instance_count_delta=counts[-1] - counts[0],
        shallow_bytes_delta=sizes[-1] - sizes[0],
        instance_count_per_snapshot=(counts[-1] - counts[0]) / steps,
        shallow_bytes_per_snapshot=(sizes[-1] - sizes[0]) / steps,
        verdict="" if grown is None else grown.verdict,
        is_larger=grown is not None and grown.is_larger,
        unit="snapshot" if growth is None else growth.unit,
        instance_count_per_unit=_slope(growth, None if grown is None else grown.instances),
        shallow_bytes_per_unit=_slope(growth, None if grown is None else grown.shallow),
    )


def _slope(growth: Growth | None, trend: Trend | None) -> float:
    if growth is None or trend is None:
        return 0.0
    rate = trend.per_snapshot if growth.axis.hours is None else trend.per_hour
    return 0.0 if rate is None else rate.value


def _trend(counts: Sequence[int], trend: Trend | None) -> str:
    """The verdict in the words of the report's schema, version 1."""
    if not any(counts):
        return ABSENT
    if trend is None:
        return ONE_SNAPSHOT
    if trend.verdict == TOO_FEW:
        return "grew" if trend.delta > 0 else "fell"
    if trend.verdict in (GROWS, PERHAPS) and all(a < b for a, b in pairwise(trend.values)):
        return "grew every time"
    return _TRENDS[trend.verdict]


def change_rows(
    snapshots: Snapshots, growth: Growth | None, limit: int = MAX_ROWS
) -> tuple[tuple[ClassChange, ...], int]:
    """The classes that changed most between the first and the last snapshot, and how many changed.

    Parameters
    ----------
    snapshots : Snapshots
    growth : Growth or None
        What judges them; None of one snapshot.
    limit : int
        Rows at most.
    """
    if growth is None:
        return (), 0
    diff = snapshots.diff_table(0, -1)
    changes = []
    for row in diff.head(limit).rows():
        key = growth.get(row["class_name"])
        shown = {**row, "class_name": printable(row["class_name"])}
        is_growing, verdict = (False, "") if key is None else (key.may_grow, key.verdict)
        changes.append(ClassChange(**shown, is_growing=is_growing, verdict=verdict))
    return tuple(changes), len(diff)


def size_rows(snapshot: Snapshot, limit: int = MAX_ROWS) -> tuple[ClassSize, ...]:
    """The largest classes of a snapshot."""
    return tuple(
        ClassSize(printable(row["class_name"]), row["instance_count"], row["shallow_bytes"])
        for row in snapshot.histogram.head(limit).rows()
    )
