"""Growth over snapshots of one process: by class, class with subclasses, package, loader, path shape.

Each key gets a series of instance counts and shallow bytes, where the graph is wanted of retained
bytes too, and what those do: `heapscope.analysis.growth.trends`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from heapscope.analysis.growth.forecast import Forecast, find_limits, forecast
from heapscope.analysis.growth.grouping import BY, KeySeries, series_by
from heapscope.analysis.growth.same_process import number_in
from heapscope.analysis.growth.trends import (
    FLUCTUATES,
    GROWS,
    JUMPED,
    LEVELLED_OFF,
    PERHAPS,
    SHRINKS,
    SIGNIFICANCE,
    STEADY,
    TOO_FEW,
    Axis,
    Trend,
    find_trends,
    warm_up,
)
from heapscope.errors import DifferentProcesses, HeapscopeError
from heapscope.parser.names import CLASS
from heapscope.progress import Progress, no_progress
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from heapscope.analysis.snapshots import Snapshots

By = Literal["class", "class+", "package", "loader", "path"]
# Of two quantities of one key the verdict that matters more.
_ORDER = (GROWS, PERHAPS, JUMPED, LEVELLED_OFF, TOO_FEW, FLUCTUATES, SHRINKS, STEADY)
# A process unloads classes, those of reflection and of old plug-ins, but seldom so many at once.
_CLASSES_KEPT = 0.9
# The heap has grown by this part of itself; less is how every heap goes up and down with garbage and load.
HEAP_GROWTH = 0.1
_MIN_FILE_TIME_GAP = 1.0  # seconds: files unpacked or copied together have one time


@dataclass(frozen=True, slots=True)
class KeyGrowth:
    """A class, package, loader or path shape over the snapshots.

    Attributes
    ----------
    name : str
    instances, shallow : Trend
        Of the instance count and of the shallow bytes.
    retained : Trend or None
        Of the retained bytes; None where the graph was not asked for.
    """

    name: str
    instances: Trend
    shallow: Trend
    retained: Trend | None = None

    @property
    def instance_counts(self) -> tuple[int, ...]:
        """One for each snapshot."""
        return self.instances.values

    @property
    def shallow_bytes(self) -> tuple[int, ...]:
        """One for each snapshot."""
        return self.shallow.values

    @property
    def retained_bytes(self) -> tuple[int, ...] | None:
        """One for each snapshot; None where the graph was not asked for."""
        return None if self.retained is None else self.retained.values

    @property
    def leading(self) -> Trend:
        """Of instances and shallow bytes the trend that says more; instances of equals."""
        return min(self.instances, self.shallow, key=lambda trend: _ORDER.index(trend.verdict))

    @property
    def verdict(self) -> str:
        """What the key does: one of `heapscope.analysis.growth.trends.VERDICTS`."""
        return self.leading.verdict

    @property
    def is_growing(self) -> bool:
        """Instances or shallow bytes grow, and four snapshots or more say so."""
        return self.leading.is_growing

    @property
    def may_grow(self) -> bool:
        """It grows, or rose in every step of too few snapshots to be sure."""
        return self.verdict in (GROWS, PERHAPS)

    @property
    def is_larger(self) -> bool:
        """Two snapshots only, and the second has more: what it does they cannot show."""
        return self.verdict == TOO_FEW and max(self.instances.delta, self.shallow.delta) > 0

    @property
    def confidence(self) -> float:
        """How sure it is that it rises, 0 to 1."""
        return self.leading.confidence

    @property
    def since(self) -> int:
        """Position of the snapshot from which on it grows as it does now."""
        return self.leading.since


@dataclass(frozen=True)
class Growth(RichRepr):
    """What grew over snapshots of one process.

    Attributes
    ----------
    by : str
        ``"class"``, ``"class+"``, ``"package"``, ``"loader"`` or ``"path"``.
    snapshots : Snapshots
        Those compared, in order of time.
    keys : tuple of KeyGrowth
        What grows first, the fastest in bytes (retained where known) first.
    whole : KeyGrowth
        The whole heap.
    axis : Axis
        Where the snapshots lie in time and work; ``axis.skip`` of them are warm-up.
    forecasts : tuple of Forecast
        When limits are hit, the soonest first; empty where the heap does not grow.
    notes : tuple of str
        What the reader has to know of the series.
    """

    by: str
    snapshots: Snapshots
    keys: tuple[KeyGrowth, ...]
    whole: KeyGrowth
    axis: Axis
    forecasts: tuple[Forecast, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def _by_name(self) -> dict[str, KeyGrowth]:
        return {key.name: key for key in self.keys}

    def __getitem__(self, name: str) -> KeyGrowth:
        """A key by its name.

        Raises
        ------
        KeyError
        """
        return self._by_name[name]

    def get(self, name: str) -> KeyGrowth | None:
        """A key by its name; None where no snapshot has it."""
        return self._by_name.get(name)

    @property
    def growing(self) -> tuple[KeyGrowth, ...]:
        """The keys that grow."""
        return tuple(key for key in self.keys if key.is_growing)

    @property
    def perhaps(self) -> tuple[KeyGrowth, ...]:
        """The keys that rise in every step of too few snapshots."""
        return tuple(key for key in self.keys if key.verdict == PERHAPS)

    @property
    def has_heap_grown(self) -> bool:
        """The whole heap grows; or it grew, by more than every heap goes up and down."""
        trend = self.whole.shallow
        if trend.verdict in (JUMPED, LEVELLED_OFF, TOO_FEW):
            return trend.delta > HEAP_GROWTH * trend.values[0]
        return trend.verdict in (GROWS, PERHAPS)

    def follow(self, name: str, instance_counts: Sequence[int], shallow_bytes: Sequence[int]) -> KeyGrowth:
        """What other figures do over the same snapshots, such as the sums of several classes.

        Parameters
        ----------
        name : str
            What the figures are of.
        instance_counts, shallow_bytes : sequence of int
            One for each of `snapshots`.
        """
        instances, shallow = find_trends(np.array([instance_counts, shallow_bytes], np.int64), self.axis)
        return KeyGrowth(name, instances, shallow)

    @property
    def unit(self) -> str:
        """What rates are per: ``"hour"``, or ``"snapshot"`` where times cannot be used."""
        return "snapshot" if self.axis.hours is None else "hour"

    @property
    def expected_by_chance(self) -> float:
        """How many of the keys that vary would pass the test for a rise by chance, at most."""
        varying = sum(key.verdict != STEADY for key in self.keys)
        return varying * SIGNIFICANCE

    def to_table(self, *, series: bool = False) -> Table:
        """A row for each key.

        ``name``, ``verdict``, ``confidence``, ``since`` (time of a snapshot, None unless it
        grows); for ``instance_count``, ``shallow_bytes`` and, where known, ``retained_bytes``:
        ``_first``, ``_last``, ``_per_hour`` with ``_low`` and ``_high`` (or ``_per_snapshot``),
        and ``_per_operation`` where there is a work counter.

        Parameters
        ----------
        series : bool
            Whether columns ``instance_counts`` and so on have the whole series of each.
        """
        columns: dict[str, list[Any]] = {
            "name": [key.name for key in self.keys],
            "verdict": [key.verdict for key in self.keys],
            "confidence": [round(key.confidence, 4) for key in self.keys],
            "since": [
                self.snapshots[key.since].captured_at if key.verdict in (GROWS, PERHAPS) else None
                for key in self.keys
            ],
        }
        quantities = [
            ("instance_count", [key.instances for key in self.keys]),
            ("shallow_bytes", [key.shallow for key in self.keys]),
        ]
        if self.whole.retained is not None:
            quantities.append(("retained_bytes", [key.retained or key.shallow for key in self.keys]))
        for what, trends in quantities:
            columns[f"{what}_first"] = [trend.values[0] for trend in trends]
            columns[f"{what}_last"] = [trend.values[-1] for trend in trends]
            columns[f"{what}_delta"] = [trend.delta for trend in trends]
            of_unit = [trend.per_snapshot if self.axis.hours is None else trend.per_hour for trend in trends]
            name = f"{what}_per_{self.unit}"
            columns[name] = [0.0 if rate is None else rate.value for rate in of_unit]
            columns[f"{name}_low"] = [None if rate is None else rate.low for rate in of_unit]
            columns[f"{name}_high"] = [None if rate is None else rate.high for rate in of_unit]
            if self.axis.operations is not None:
                of_work = [trend.per_operation for trend in trends]
                columns[f"{what}_per_operation"] = [0.0 if rate is None else rate.value for rate in of_work]
            if series:
                columns[f"{what.removesuffix('s')}s"] = [list(trend.values) for trend in trends]
        return Table(columns)

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a DataFrame."""
        return self.to_table().to_frame()


def find_growth(
    snapshots: Snapshots,
    by: By = "class",
    *,
    retained: bool = False,
    force_series: bool = False,
    skip: int | None = None,
    work: Sequence[float] | None = None,
    limit_bytes: int | None = None,
    progress: Progress = no_progress,
) -> Growth:
    """See `heapscope.Snapshots.growth`.

    Raises
    ------
    DifferentProcesses
        The snapshots are of several processes, and ``force_series`` is false.
    HeapscopeError
        Fewer than two snapshots; ``by`` or ``retained`` wants what a class histogram lacks; a work
        counter that falls or does not fit.
    """
    if by not in BY:
        raise HeapscopeError(f"growth by {by!r}; it is one of {', '.join(BY)}")
    if len(snapshots) < 2:
        raise HeapscopeError(
            f"{len(snapshots)} snapshot{'s' * (len(snapshots) != 1)} given; growth needs 2, better 4 or more"
        )
    snapshots, work, left_out = _whole_dumps(snapshots, work)
    processes = snapshots.processes(progress)
    if len(processes) > 1 and not force_series:
        raise DifferentProcesses([(one.label, [snapshots[i].name for i in one.members]) for one in processes])
    found = series_by(snapshots, by, retained=retained, progress=progress)
    axis, notes = _axis(snapshots, skip, work)
    notes = [*left_out, *notes]
    if len(processes) > 1:
        notes.append(f"the snapshots are of {len(processes)} processes, compared as one series as told")
    elif not processes[0].is_certain:
        notes.append("some snapshots do not tell their process; they are taken for one")
        notes += _restarts(snapshots)
    whole = _whole(snapshots, axis, has_retained=found.retained is not None)
    keys = _keys(found, axis)
    limits = find_limits(list(snapshots), limit_bytes)
    forecasts = forecast(whole.shallow, limits, snapshots[-1].captured_at)
    return Growth(by, snapshots, keys, whole, axis, tuple(forecasts), tuple(notes))


def _restarts(snapshots: Snapshots) -> list[str]:
    """Where snapshots that do not tell their process look like those of a new one: loaded classes stay."""
    counts = [
        dict(
            zip(one.histogram.column("class_name"), one.histogram.column("instance_count"), strict=True)
        ).get(CLASS, 0)
        for one in snapshots
    ]
    return [
        f"{before.name} has {count:,} classes, {after.name} only {left:,}: was the process started again?"
        for (before, count), (after, left) in pairwise(zip(snapshots, counts, strict=True))
        if left < _CLASSES_KEPT * count
    ]


def _whole_dumps(
    snapshots: Snapshots, work: Sequence[float] | None
) -> tuple[Snapshots, Sequence[float] | None, list[str]]:
    """Without partial dumps, whose counts are lower bounds, where two others are there; and a note."""
    partial = [one.name for one in snapshots if one.coverage is not None]
    if not partial:
        return snapshots, work, []
    names = ", ".join(partial)
    places = snapshots.comparable
    if len(places) == len(snapshots):
        return snapshots, work, [f"only a part of {names} could be read: what grows may be what is missing"]
    if work is not None and len(work) == len(snapshots):
        work = [work[place] for place in places]
    kept = type(snapshots)(snapshots[place] for place in places)
    return kept, work, [f"left out, since only a part could be read: {names}"]


def _axis(snapshots: Snapshots, skip: int | None, work: Sequence[float] | None) -> tuple[Axis, list[str]]:
    """Where the snapshots lie, and what has to be said of that."""
    n, notes = len(snapshots), []
    hours = _hours(snapshots)
    if hours is None:
        notes.append("times of capture are equal or those of copied files: rates are per snapshot")
    elif any(one.captured_at_source == "file time" for one in snapshots):
        notes.append("rates rest on the times of files")
    operations = _operations(snapshots, work)
    if skip is None:
        totals = [one.shallow_bytes for one in snapshots], [one.object_count for one in snapshots]
        skip = max(warm_up(hours or range(n), values) for values in totals)
        if skip:
            what = "the first snapshot is" if skip == 1 else f"the first {skip} snapshots are"
            notes.append(f"{what} taken for warm-up and left out of rates; --warm-up 0 keeps them")
    elif not 0 <= skip <= n - 2:
        raise HeapscopeError(f"a warm-up of {skip} of {n} snapshots: 2 at least have to stay")
    steady = n - skip
    if steady == 2:
        notes.append("two snapshots show a difference; whether it goes on growing they cannot show")
    elif steady == 3:
        notes.append("three snapshots rise by chance once in six: nothing is more than 'perhaps'")
    return Axis(hours, operations, n, skip), notes


def _hours(snapshots: Snapshots) -> tuple[float, ...] | None:
    times = [one.captured_at for one in snapshots]
    least = min((after - before).total_seconds() for before, after in pairwise(times))
    is_by_file = any(one.captured_at_source == "file time" for one in snapshots)
    if least <= 0 or (is_by_file and least < _MIN_FILE_TIME_GAP):
        return None
    return tuple((one - times[0]).total_seconds() / 3600 for one in times)


def _operations(snapshots: Snapshots, work: Sequence[float] | None) -> tuple[float, ...] | None:
    """The work counter: given, or ``work_count`` of all sidecars."""
    if work is None:
        counts = [number_in(one.sidecar, "work_count") for one in snapshots]
        work = [count for count in counts if count is not None]
        if len(work) < len(counts):
            return None
    if len(work) != len(snapshots):
        raise HeapscopeError(f"{len(work)} work counts for {len(snapshots)} snapshots; give one for each")
    if any(after < before for before, after in pairwise(work)):
        raise HeapscopeError(
            "the work counter falls from one snapshot to the next; it counts what was done since the start"
        )
    return tuple(map(float, work)) if work[-1] > work[0] else None


def _whole(snapshots: Snapshots, axis: Axis, *, has_retained: bool) -> KeyGrowth:
    counts = [one.object_count for one in snapshots]
    sizes = [one.shallow_bytes for one in snapshots]
    instances, shallow = find_trends(np.array([counts, sizes], np.int64), axis)
    return KeyGrowth("whole heap", instances, shallow, shallow if has_retained else None)


def _keys(found: KeySeries, axis: Axis) -> tuple[KeyGrowth, ...]:
    instances, shallow = find_trends(found.counts, axis), find_trends(found.sizes, axis)
    retained: Sequence[Trend | None] = (
        [None] * len(instances) if found.retained is None else find_trends(found.retained, axis)
    )
    keys = [KeyGrowth(*row) for row in zip(found.names, instances, shallow, retained, strict=True)]

    def place(key: KeyGrowth) -> tuple[int, float, float, str]:
        size = key.retained or key.shallow
        rate = size.per_snapshot or key.shallow.per_snapshot
        value = rate.value if rate else 0.0
        return _ORDER.index(key.verdict), -value, -size.delta, key.name

    return tuple(sorted(keys, key=place))
