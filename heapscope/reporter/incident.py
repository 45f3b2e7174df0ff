"""Everything a report shows, already computed: templates only place it on a page.

``Incident`` is plain data: strings, numbers, tuples and dicts, the same in HTML, Markdown and
JSON.  Text that came out of a heap is printable (`heapscope.reporter.text`) and masked
(`heapscope.secrets`) here, once, so that no renderer can forget it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from heapscope import __version__
from heapscope.analysis.diagnosis import diagnose
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.verdicts import POSSIBLE
from heapscope.errors import HeapscopeError
from heapscope.heap.histogram import WATCHED_CLASSES
from heapscope.progress import Progress, silent
from heapscope.reporter.diagnosis import DiagnosisSection, describe_diagnosis
from heapscope.reporter.outlook import Outlook, describe_outlook
from heapscope.reporter.process import ProcessSection, describe_process
from heapscope.reporter.retention import RetentionSection, describe_retention
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import ProcessFacts, Snapshot
    from heapscope.analysis.growth.tables import ClassGrowth
    from heapscope.analysis.snapshots import Snapshots

SCHEMA_VERSION = 1

# Fewer snapshots than this show a difference; that it goes on growing they cannot show.
_MIN_SNAPSHOTS_FOR_LEAK = 3

# The whole heap breathes with garbage and load; less growth than this share says nothing.
_HEAP_GROWTH_SHARE = 0.1

_TICKET_CACHE = "KERB_TICKET_CACHE_PATH"
_TICKET_CACHE_CLASSES = frozenset(
    {
        "org.apache.hadoop.fs.FileSystem",
        "org.apache.hadoop.hdfs.DistributedFileSystem",
        "org.apache.hadoop.security.UserGroupInformation",
    }
)


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One snapshot; ``captured_at`` is ISO 8601 in UTC to the millisecond."""

    name: str
    kind: str  # "heap dump" or "class histogram"
    captured_at: str
    captured_at_source: str  # "dump header", "text", "sidecar" or "file time"
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
    """A watched class, or the whole heap, over all snapshots; tuples have one figure per snapshot."""

    class_name: str  # the pattern that was asked for
    matched_classes: tuple[str, ...]
    trend: str  # "grew every time", "grew", "unchanged", "varied", "fell", "absent" or "one snapshot"
    instance_counts: tuple[int, ...]
    shallow_bytes: tuple[int, ...]
    instance_count_delta: int
    shallow_bytes_delta: int
    instance_count_per_snapshot: float
    shallow_bytes_per_snapshot: float

    @property
    def is_growing(self) -> bool:
        """Never falls, and the last is above the first."""
        return self.trend in ("grew every time", "grew")


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
    is_growing: bool  # in no snapshot fewer than in the one before


@dataclass(frozen=True, slots=True)
class ClassSize:
    """A class in the last snapshot."""

    class_name: str
    instance_count: int
    shallow_bytes: int


@dataclass(frozen=True, slots=True)
class Link:
    """Where to read on."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the reader should know beside the figures."""

    kind: str  # "hint" or "caution"
    title: str
    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """Everything a report shows."""

    title: str
    status: str  # "leak", "growth", "steady", "absent" or "one snapshot"
    headline: str
    verdict: tuple[str, ...]
    remarks: tuple[Remark, ...]
    generator: str
    secrets_are_masked: bool
    snapshots: tuple[SnapshotRow, ...]
    watched_classes: tuple[WatchedClass, ...]
    whole_heap: WatchedClass
    changes: tuple[ClassChange, ...]  # biggest byte growth first
    changed_class_count: int  # of which `changes` are the first
    largest_classes: tuple[ClassSize, ...]
    class_count: int  # in the last snapshot, of which `largest_classes` are the first
    process: ProcessSection | None
    retention: RetentionSection | None = None  # None where no snapshot is a heap dump
    outlook: Outlook | None = None  # None of one snapshot
    diagnosis: DiagnosisSection | None = None

    @property
    def growing_classes(self) -> tuple[WatchedClass, ...]:
        """The watched classes that grew, in the order of the patterns."""
        return tuple(watched for watched in self.watched_classes if watched.is_growing)


def build_incident(
    snapshots: Snapshots,
    *,
    patterns: Sequence[str] = WATCHED_CLASSES,
    top: int = 25,
    show_secrets: bool = False,
    force_series: bool = False,
    limit_bytes: int | None = None,
    progress: Progress = silent,
) -> Incident:
    """Compute what a report shows.

    Parameters
    ----------
    snapshots : Snapshots
        At least one, in order of capture.
    patterns : sequence of str
        The watched classes; see `heapscope.heap.histogram`.
    top : int
        Rows of the histogram diff and of the largest classes.
    show_secrets : bool
        Whether environment and system properties are shown as they are.
    force_series : bool
        Whether snapshots of several processes are one series all the same; else only those of the
        process that has most are shown, and a remark says so.
    limit_bytes : int, optional
        A memory limit to forecast, beside those that the snapshots tell of.
    progress : Progress
        Told how far reading the last dump again is, for what the process was.

    Raises
    ------
    HeapscopeError
        If there is no snapshot.
    """
    if not len(snapshots):
        raise HeapscopeError("a report needs at least one snapshot; name a heap dump or a class histogram")
    if top < 1:
        raise HeapscopeError(f"a table of {top} rows shows nothing; ask for at least 1")
    left_out = ""
    if not force_series:
        snapshots, left_out = snapshots.of_one_process(progress)
    rows = tuple(_describe_snapshot(snapshot) for snapshot in snapshots)
    places = snapshots.comparable
    watched = tuple(_describe_growth(growth, places) for growth in snapshots.watched(tuple(patterns)))
    changes, changed_class_count = _changes(snapshots, top)
    last_histogram = snapshots[-1].histogram
    whole_heap = _describe_whole_heap(rows, places)
    status, headline = _headline(watched, whole_heap)
    last = next((one for one in reversed(snapshots) if one.kind == DUMP), snapshots[-1])
    heap = last.open(progress)
    with nullcontext() if heap is None else heap:
        facts = last.facts(progress, heap)
        found = diagnose(
            snapshots, force_series=True, limit_bytes=limit_bytes, opened=heap, progress=progress
        )
        retention = (
            None if heap is None else describe_retention(heap, last.name, patterns, show_secrets=show_secrets)
        )
    diagnosis = describe_diagnosis(found, show_secrets=show_secrets)
    verdict = _verdict(watched, whole_heap)
    is_sure = any(each.confidence != POSSIBLE for each in diagnosis.findings)
    if is_sure:
        status, headline = "leak", diagnosis.headline
        verdict = (*_cause_and_cure(diagnosis), *verdict)
    return Incident(
        title=rows[0].name if len(rows) == 1 else f"{rows[0].name} to {rows[-1].name}",
        status=status,
        headline=headline,
        verdict=(*_partial_lines(rows), *verdict),
        remarks=_remarks(rows, watched, status, None if is_sure else facts, printable(last.name), left_out),
        generator=f"heapscope {__version__}",
        secrets_are_masked=not show_secrets,
        snapshots=rows,
        watched_classes=watched,
        whole_heap=whole_heap,
        changes=changes,
        changed_class_count=changed_class_count,
        largest_classes=tuple(
            ClassSize(printable(row["class_name"]), row["instance_count"], row["shallow_bytes"])
            for row in last_histogram.head(top).rows()
        ),
        class_count=len(last_histogram),
        process=None
        if facts is None
        else describe_process(facts, printable(last.name), show_secrets=show_secrets),
        retention=retention,
        outlook=describe_outlook(snapshots, force_series=force_series, limit_bytes=limit_bytes),
        diagnosis=diagnosis,
    )


def clock(captured_at: str) -> str:
    """``2026-11-23T09:14:02.120Z`` -> ``2026-11-23 09:14:02 UTC``."""
    return f"{captured_at[:10]} {captured_at[11:19]} UTC"


def _describe_snapshot(snapshot: Snapshot) -> SnapshotRow:
    return SnapshotRow(
        name=printable(snapshot.name),
        kind=snapshot.kind,
        captured_at=_iso(snapshot.captured_at),
        captured_at_source=snapshot.captured_at_source,
        object_count=int(snapshot.object_count),
        shallow_bytes=int(snapshot.shallow_bytes),
        read_share=1.0 if snapshot.coverage is None else snapshot.coverage.share,
        uncertain=() if snapshot.coverage is None else tuple(map(printable, snapshot.coverage.lines())),
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _describe_growth(growth: ClassGrowth, places: Sequence[int]) -> WatchedClass:
    return WatchedClass(
        class_name=printable(growth.class_name),
        matched_classes=tuple(map(printable, growth.matched_classes)),
        trend=_trend(tuple(int(growth.instance_counts[place]) for place in places)),
        instance_counts=tuple(map(int, growth.instance_counts)),
        shallow_bytes=tuple(map(int, growth.shallow_bytes)),
        instance_count_delta=int(growth.instance_count_delta),
        shallow_bytes_delta=int(growth.shallow_bytes_delta),
        instance_count_per_snapshot=float(growth.instance_count_per_snapshot),
        shallow_bytes_per_snapshot=float(growth.shallow_bytes_per_snapshot),
    )


def _describe_whole_heap(rows: tuple[SnapshotRow, ...], places: Sequence[int]) -> WatchedClass:
    counts = tuple(row.object_count for row in rows)
    sizes = tuple(row.shallow_bytes for row in rows)
    steps = max(1, len(rows) - 1)
    return WatchedClass(
        class_name="Whole heap",
        matched_classes=(),
        trend=_trend(tuple(counts[place] for place in places)),
        instance_counts=counts,
        shallow_bytes=sizes,
        instance_count_delta=counts[-1] - counts[0],
        shallow_bytes_delta=sizes[-1] - sizes[0],
        instance_count_per_snapshot=(counts[-1] - counts[0]) / steps,
        shallow_bytes_per_snapshot=(sizes[-1] - sizes[0]) / steps,
    )


def _trend(counts: tuple[int, ...]) -> str:
    if not any(counts):
        return "absent"
    if len(counts) == 1:
        return "one snapshot"
    steps = [after - before for before, after in pairwise(counts)]
    if all(step > 0 for step in steps) and len(steps) > 1:
        return "grew every time"
    if not any(steps):
        return "unchanged"
    if all(step >= 0 for step in steps):
        return "grew"
    return "fell" if all(step <= 0 for step in steps) else "varied"


def _changes(snapshots: Snapshots, top: int) -> tuple[tuple[ClassChange, ...], int]:
    if len(snapshots) == 1:
        return (), 0
    diff = snapshots.diff_table(0, -1)
    trend = snapshots.trend_table()
    growing = dict(zip(trend.column("class_name"), trend.column("is_growing"), strict=True))
    changes = tuple(
        ClassChange(
            **{**row, "class_name": printable(row["class_name"])},
            is_growing=bool(growing.get(row["class_name"], False)),
        )
        for row in diff.head(top).rows()
    )
    return changes, len(diff)


def _headline(watched: tuple[WatchedClass, ...], whole_heap: WatchedClass) -> tuple[str, str]:
    """Status and one plain sentence."""
    snapshot_count = len(whole_heap.instance_counts)
    every = sum(one.trend == "grew every time" for one in watched)
    grown = sum(one.is_growing for one in watched)
    of_classes = f"of {plural(len(watched), 'watched class', 'watched classes')} grew"
    if all(one.trend == "absent" for one in watched):
        return "absent", f"No watched class is in {'the' if snapshot_count == 1 else 'any'} snapshot"
    if snapshot_count == 1:
        return "one snapshot", "One snapshot only: nothing to compare"
    if every:
        return "leak", f"Leak suspected: {every} {of_classes} in every snapshot"
    if grown and snapshot_count < _MIN_SNAPSHOTS_FOR_LEAK:
        return "growth", f"{grown} {of_classes} between the two snapshots"
    if grown:
        return "growth", f"{grown} {of_classes} and never fell"
    if whole_heap.shallow_bytes_delta > _HEAP_GROWTH_SHARE * whole_heap.shallow_bytes[0]:
        return "growth", "No watched class grew, but the whole heap did"
    return "steady", "No watched class grew"


def _cause_and_cure(diagnosis: DiagnosisSection) -> tuple[str, ...]:
    """What leaks, and what to do first, of the surest finding."""
    first = diagnosis.findings[0]
    growth = f": {first.speed}" if first.speed else ""
    return (f"{first.what}{growth}", *(f"What to do: {step}" for step in first.cure[:1]))


def _verdict(watched: tuple[WatchedClass, ...], whole_heap: WatchedClass) -> tuple[str, ...]:
    """A line for each watched class that grew (for each that is present, when there is one snapshot)."""
    if whole_heap.trend == "one snapshot":
        shown = [one for one in watched if one.trend != "absent"]
        lines = [_size_line(one, "instance") for one in shown] + [_size_line(whole_heap, "object")]
    else:
        lines = [_growth_line(one, "instances") for one in watched if one.is_growing]
        lines.append(_growth_line(whole_heap, "objects"))
    absent = [one.class_name for one in watched if one.trend == "absent"]
    if absent:
        lines.append(f"In no snapshot: {', '.join(absent)}")
    return tuple(lines)


def _sentence(line: str) -> str:
    return line[:1].upper() + line[1:]


def _partial_lines(rows: tuple[SnapshotRow, ...]) -> list[str]:
    """A line for each snapshot of which only a part could be read."""
    return [f"{row.name}: {row.uncertain[0]}" for row in rows if row.is_partial]


def _size_line(one: WatchedClass, unit: str) -> str:
    return f"{one.class_name}: {plural(one.instance_counts[0], unit)}, {format_bytes(one.shallow_bytes[0])}"


def _growth_line(one: WatchedClass, unit: str) -> str:
    return (
        f"{one.class_name}: {format_count(one.instance_counts[0])} -> "
        f"{format_count(one.instance_counts[-1])} {unit} "
        f"({format_count(one.instance_count_per_snapshot, signed=True)} per snapshot), "
        f"{format_bytes(one.shallow_bytes[0])} -> {format_bytes(one.shallow_bytes[-1])} "
        f"({format_bytes(one.shallow_bytes_per_snapshot, signed=True)} per snapshot)"
    )


def _remarks(
    rows: tuple[SnapshotRow, ...],
    watched: tuple[WatchedClass, ...],
    status: str,
    facts: ProcessFacts | None,
    source: str,
    left_out: str,
) -> tuple[Remark, ...]:
    remarks = []
    if left_out:
        remarks.append(
            Remark(
                "caution",
                "Snapshots of other processes are left out",
                f"{left_out}. Heaps of several processes, or of one before and after a restart, "
                "are no series. Make a report for each, or compare them all the same with --force-series.",
            )
        )
    if facts is not None and _TICKET_CACHE in facts.environment:
        affected = [
            one.class_name
            for one in watched
            if one.is_growing and _TICKET_CACHE_CLASSES & {one.class_name, *one.matched_classes}
        ]
        if affected:
            remarks.append(_ticket_cache_remark(affected, source))
    if status == "growth" and len(rows) < _MIN_SNAPSHOTS_FOR_LEAK:
        remarks.append(
            Remark(
                "caution",
                "Two snapshots show a difference, not a leak",
                "More load, a cache that fills or garbage not yet collected look the same. "
                "Take a third snapshot later and put all three into one report.",
            )
        )
    whole = sum(not row.is_partial for row in rows)
    for row in rows:
        if row.is_partial:
            lines = [_sentence(line) for line in row.uncertain]
            lines += ["Trends leave this snapshot out"] if whole > 1 else []
            lines += ["Changes to or from it may be an effect of what is missing"] if len(rows) > 1 else []
            remarks.append(Remark("caution", f"{row.name} is a part of a dump", f"{'. '.join(lines)}."))
    by_file_time = [row.name for row in rows if row.captured_at_source == "file time"]
    if by_file_time and len(rows) > 1:
        remarks.append(
            Remark(
                "caution",
                "The order rests on file times",
                f"{', '.join(by_file_time)}: the text has no date, so the time of the file stands in for the "
                "time of capture. A copied file has the time of the copy.",
            )
        )
    return tuple(remarks)


def _ticket_cache_remark(affected: list[str], source: str) -> Remark:
    return Remark(
        "hint",
        f"{_TICKET_CACHE} is set: a known cause of this growth",
        f"The environment in the heap of {source} has {_TICKET_CACHE}, and instances of "
        f"{', '.join(affected)} grow. TensorFlow 0.12 to 1.13 connects at every file operation, and "
        "with this variable libhdfs logs in anew each time, so that each operation leaves one more file "
        "system in FileSystem.CACHE. Cure: unset the variable and let kinit use the default ticket cache "
        "or KRB5CCNAME; TensorFlow 1.14 no longer does this. This is a hint from one environment "
        "variable, not a diagnosis.",
        (
            Link("TensorFlow PR 24391", "https://github.com/tensorflow/tensorflow/pull/24391"),
            Link("HDFS-3545", "https://issues.apache.org/jira/browse/HDFS-3545"),
        ),
    )
