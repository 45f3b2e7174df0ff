"""What a diagnosis finds: leaks with their figures, and the arithmetic of growth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from heapscope.analysis.growth.forecast import Forecast
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.statistics import Rate, rate
from heapscope.analysis.leaks.hadoop import FileSystemGroup
from heapscope.analysis.leaks.known_leaks import Source
from heapscope.analysis.leaks.owner_growth import Rising
from heapscope.analysis.leaks.resident import ResidentMemory
from heapscope.analysis.thresholds import HEAP_GROWTH
from heapscope.analysis.verdicts import Confidence, Status
from heapscope.heap.retention.holders import MergedPaths
from heapscope.heap.retention.off_heap import OffHeap
from heapscope.heap.retention.suspects import Suspect
from heapscope.plain import PlainDict
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "unknown"  # the id of growth without a known reason


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that was read: ``source`` says where.  It may be secret: mask it before people see it."""

    name: str
    value: str
    source: str  # "the heap of leak-4", "worker-3.hprof.zst.json", "/proc/4711/environ"


@dataclass(frozen=True, slots=True, repr=False)
class Finding(PlainDict, RichRepr):
    """One leak.

    Attributes
    ----------
    id : str
        Of the known leak; ``"unknown"`` for growth without a known reason.
    unit : pair of str
        What one of what piles up is called, and what many are.
    confidence : Confidence
    counts : tuple of int or None
        How many there were in each snapshot; None where that snapshot cannot tell.
    instance_count : int
        How many there are, in the dump that was looked at where there is one.
    retained_bytes, share : int, float or None
        Exact retained size of all of them together; as a part of what is reachable.
    per_hour : Rate or None
        Slope of ``counts`` with its interval (Theil-Sen); None for one snapshot, and where times cannot
        be used.
    since : datetime or None
        When it began: the time of a snapshot, or reckoned back by the slope, or, of one snapshot, the time
        that the oldest instance has in a field.
    since_is_estimate : bool
        Whether it was reckoned back by the slope.
    held_by : tuple of str
        Ways from the GC roots, most of them first.
    holders : MergedPaths or None
        The same, whole.
    evidence : tuple of str
    unverified : tuple of str
        What of ``affected``, ``why`` and ``cure`` was not seen at the source.
    groups : tuple of FileSystemGroup
        For leaks of Hadoop file systems.
    readings : tuple of Reading
    owner : str
        The field that owns them, ``com.acme.SessionRegistry.sessions``; of threads, which no field holds,
        ``threads of class com.acme.Heartbeat``; empty where that cannot be told.
    owner_way : tuple of str
        Steps ``Class.field`` from where it begins to that field's collection.
    other_holders : tuple of str
        Who else holds the collection.
    off_heap_bytes : int or None
        What they stand for outside of the Java heap, where that is the leak and its size is known.
    sizes : tuple of int or None
        Of a leak that is no greater number of objects, but larger ones: the bytes that they have in use, in
        each snapshot; empty for other leaks.
    bytes_slope : Rate or None
        Slope of ``sizes`` per hour, with its interval.
    dump : Path or None
        The heap dump that was looked at; None of class histograms.
    example_id : int or None
        Identifier of one of the objects in that dump.
    """

    id: str
    title: str
    class_name: str
    unit: tuple[str, str]
    confidence: Confidence
    counts: tuple[int | None, ...]
    instance_count: int
    retained_bytes: int | None
    share: float | None
    per_hour: Rate | None
    since: datetime | None
    since_is_estimate: bool
    held_by: tuple[str, ...]
    holders: MergedPaths | None
    why: str
    cure: tuple[str, ...]
    healthy: str
    affected: tuple[str, ...]
    sources: tuple[Source, ...]
    evidence: tuple[str, ...]
    groups: tuple[FileSystemGroup, ...] = ()
    readings: tuple[Reading, ...] = ()
    owner: str = ""
    owner_way: tuple[str, ...] = ()
    other_holders: tuple[str, ...] = ()
    off_heap_bytes: int | None = None
    dump: Path | None = None
    example_id: int | None = None
    unverified: tuple[str, ...] = ()
    sizes: tuple[int | None, ...] = ()
    bytes_slope: Rate | None = None

    def __repr__(self) -> str:
        return f"<finding {self.id}: {self.instance_count:,} {self.class_name}, {self.confidence}>"

    def __str__(self) -> str:
        size = "" if self.retained_bytes is None else f", {self.retained_bytes:,} bytes retained"
        lines = [f"{self.title} ({self.confidence})", f"{self.instance_count:,} {self.class_name}{size}"]
        return "\n".join([*lines, *(f"held: {way}" for way in self.held_by[:3]), *self.cure])

    @property
    def bytes_each(self) -> float | None:
        """What one retains, on average."""
        return None if self.retained_bytes is None else self.retained_bytes / max(self.instance_count, 1)

    @property
    def bytes_per_hour(self) -> float | None:
        """Growth of what they retain."""
        if self.sizes:
            return None if self.bytes_slope is None else self.bytes_slope.value
        each = self.bytes_each
        return None if each is None or self.per_hour is None else each * self.per_hour.value


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis(PlainDict, RichRepr):
    """What is wrong with a process, as far as its snapshots tell.

    Attributes
    ----------
    status : Status
    source : str
        Name of the snapshot whose heap was looked at; of a class histogram where there is no dump.
    is_dump : bool
    findings : tuple of Finding
        The surest and largest first.
    steady : tuple of (str, tuple of int or None)
        Known leaks whose signature fits, but that do not grow: title, and figures.
    groups : tuple of FileSystemGroup
        Hadoop file systems of the heap, leaked or not.
    readings : tuple of Reading
    object_counts, shallow_bytes : tuple of int
        The whole heap, in each snapshot.
    growth : Growth or None
        Of all classes over the snapshots; None of one snapshot.
    owners : tuple of Suspect
        Of too few snapshots in which nothing was found, if a heap dump is among them: the fields that own
        most of it.
    pid : int or None
        Of the process, where a sidecar tells.
    folder : Path or None
        Where the snapshot lies that was looked at.
    off_heap : OffHeap or None
        What lies outside of the heap that was looked at; None of a class histogram.
    rising : tuple of Rising
        Where nothing was found: fields, or of class histograms classes of the program, that rise steadily by
        too little to be called a leak, or ever more slowly; the most first.
    resident : ResidentMemory or None
        Where the resident memory of the process goes; None without a sidecar.
    without_texts : bool
        Nothing was found in a dump whose strings are zeros, as after redaction: a known leak that is told
        by values would not show.
    """

    status: Status
    source: str
    is_dump: bool
    snapshot_names: tuple[str, ...]
    captured_at: tuple[datetime, ...]
    object_counts: tuple[int, ...]
    shallow_bytes: tuple[int, ...]
    findings: tuple[Finding, ...]
    steady: tuple[tuple[str, tuple[int | None, ...]], ...]
    groups: tuple[FileSystemGroup, ...]
    readings: tuple[Reading, ...]
    growth: Growth | None = None
    owners: tuple[Suspect, ...] = ()
    pid: int | None = None
    folder: Path | None = None
    off_heap: OffHeap | None = None
    rising: tuple[Rising, ...] = ()
    resident: ResidentMemory | None = None
    without_texts: bool = False

    @property
    def forecasts(self) -> tuple[Forecast, ...]:
        """When memory runs out if the leak goes on, the soonest first; none where no leak was found."""
        return self.growth.forecasts if self.growth is not None and self.is_leak else ()

    @property
    def has_heap_grown(self) -> bool:
        """Whether the whole heap has grown, by more than load and garbage move every heap."""
        first, last = self.shallow_bytes[0], self.shallow_bytes[-1]
        is_rising = self.growth is not None and self.growth.has_heap_grown
        return is_rising and last - first > HEAP_GROWTH * first

    def to_frame(self) -> pd.DataFrame:
        """A row for each finding."""
        import pandas as pd

        names = (
            "id", "title", "class_name", "confidence", "instance_count", "retained_bytes", "share", "since",
            "owner",
        )  # fmt: skip
        columns = {name: [getattr(each, name) for each in self.findings] for name in names}
        columns["per_hour"] = [each.per_hour and each.per_hour.value for each in self.findings]
        return pd.DataFrame(columns)

    def __getitem__(self, place: int) -> Finding:
        return self.findings[place]

    def __len__(self) -> int:
        return len(self.findings)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        titles = "; ".join(each.title for each in self.findings)
        return f"<diagnosis of {len(self.snapshot_names)} snapshots: {self.status}{titles and ': '}{titles}>"

    def __str__(self) -> str:
        return "\n\n".join([repr(self) if not self.findings else str(self.status), *map(str, self.findings)])

    @property
    def is_leak(self) -> bool:
        """Whether anything was found."""
        return bool(self.findings)


def slope_per_hour(times: Sequence[datetime], counts: Sequence[int | None]) -> Rate | None:
    """The slope of a series, which may have holes; None where no time lies between two figures."""
    known = [(when, count) for when, count in zip(times, counts, strict=True) if count is not None]
    if len(known) < 2:
        return None
    hours = [(when - known[0][0]).total_seconds() / 3600 for when, _ in known]
    return rate(hours, [count for _, count in known])


def growth_rate(
    growth: Growth | None, times: Sequence[datetime], counts: Sequence[int | None]
) -> Rate | None:
    """The slope of a series per hour, over the snapshots that a growth takes the slopes of classes over.

    So that a finding and the table of classes have one rate.  A series with holes has its own slope.
    """
    known = [count for count in counts if count is not None]
    if growth is None or len(known) != growth.axis.count:
        return slope_per_hour(times, counts)
    return growth.follow("", known, known).instances.per_hour


def began(
    times: Sequence[datetime], counts: Sequence[int | None], per_hour: Rate | None
) -> tuple[datetime | None, bool]:
    """When it began, and whether that is reckoned back by the slope.

    Parameters
    ----------
    times : sequence of datetime
        Of the snapshots.
    counts : sequence of int or None
        How many there were in each; None where it cannot tell.
    per_hour : Rate or None
        Their slope.
    """
    known = [(when, count) for when, count in zip(times, counts, strict=True) if count is not None]
    if len(known) < 2 or per_hour is None or per_hour.value <= 0:
        return None, False
    first, count = known[0]
    if count <= 1:
        return first, False
    try:
        return first - timedelta(hours=count / per_hour.value), True
    except OverflowError:
        return None, False
