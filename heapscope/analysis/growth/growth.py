"""Growth over snapshots of one process: by class, class with subclasses, package, loader, path.

Each key gets a series of instance counts and shallow bytes, where the graph is wanted of retained
bytes too, and what those do: `heapscope.analysis.growth.trends`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.analysis.growth.axis import find_axis
from heapscope.analysis.growth.forecast import Forecast, find_limits, forecast
from heapscope.analysis.growth.grouping import BY, By, KeySeries, series_by
from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.analysis.growth.options import DEFAULTS, SeriesOptions
from heapscope.analysis.growth.path_groups import path_series
from heapscope.analysis.growth.reachable import kept_bytes
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.trends import Axis, Trend, find_trends
from heapscope.analysis.thresholds import CLASSES_KEPT, HEAP_GROWTH, IN_STEP, SIGNIFICANCE
from heapscope.analysis.verdicts import (
    FLUCTUATES,
    GROWS,
    JUMPED,
    LEVELLED_OFF,
    PERHAPS,
    SHRINKS,
    STEADY,
    TOO_FEW,
    Verdict,
)
from heapscope.errors import DifferentProcesses, HeapscopeError, ObjectNotFound
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.parser.names import CLASS
from heapscope.plain import plain
from heapscope.progress import Progress, no_progress
from heapscope.rich_repr import RichRepr
from heapscope.table import Table

if TYPE_CHECKING:
    import pandas as pd

# Of two quantities of one key the verdict that matters more.
_ORDER = (GROWS, PERHAPS, JUMPED, LEVELLED_OFF, TOO_FEW, FLUCTUATES, SHRINKS, STEADY)


@dataclass(frozen=True, slots=True)
class KeyGrowth:
    """A class, package, loader or group of paths over the snapshots.

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
    def verdict(self) -> Verdict:
        """What the key does."""
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


@dataclass(frozen=True, repr=False)
class Growth(RichRepr):
    """What grew over snapshots of one process.

    Attributes
    ----------
    by : str
        ``"class"``, ``"class+"``, ``"package"``, ``"loader"`` or ``"path"``.
    snapshots : Series
        Those compared, in order of time.
    keys : tuple of KeyGrowth
        What grows first, the fastest in bytes (retained where known) first.
    whole : KeyGrowth
        The whole heap.
    axis : Axis
        Where the snapshots lie in time and work; ``axis.skip`` of them are warm-up.
    forecasts : tuple of Forecast
        When limits are hit, the soonest first; empty where the heap does not grow.
    notes : tuple of Note
        What the reader has to know of the series; `heapscope.reporter.growth_notes` has it in words.
    """

    by: str
    snapshots: Series
    keys: tuple[KeyGrowth, ...]
    whole: KeyGrowth
    axis: Axis
    forecasts: tuple[Forecast, ...]
    notes: tuple[Note, ...]

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def _by_name(self) -> dict[str, KeyGrowth]:
        return {key.name: key for key in self.keys}

    def __getitem__(self, name: str) -> KeyGrowth:
        """A key by its name.

        Raises
        ------
        ObjectNotFound
            No snapshot has it; the message names the nearest.
        """
        if name not in self._by_name:
            raise ObjectNotFound(name, f"the growth by {self.by}", self._by_name)
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
            "verdict": [key.verdict.value for key in self.keys],
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

    def __str__(self) -> str:
        table = self.to_table()
        names = ("name", "verdict", "instance_count_delta", "shallow_bytes_delta")
        found = Table({name: table.columns[name] for name in names if name in table.columns})
        return f"{self!r}\n{found}" if len(found) else repr(self)

    def to_dict(self) -> dict[str, Any]:
        """What was followed, and a row for each with its figures in every snapshot, as plain values."""
        return {
            "by": self.by,
            "snapshots": [plain(each.name) for each in self.snapshots],
            "rows": plain(self.to_table(series=True)),
        }

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a DataFrame."""
        return self.to_table().to_frame()

    def __repr__(self) -> str:
        return (
            f"<growth of {len(self):,} by {self.by} over {len(self.snapshots)} snapshots: "
            f"{len(self.growing):,} grow>"
        )


def find_growth(
    series: Series,
    by: By = "class",
    *,
    retained: bool = False,
    options: SeriesOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> Growth:
    """What grows over snapshots of one process.

    Parameters
    ----------
    series : Series
        Two snapshots or more.
    by : str
        See `heapscope.Snapshots.growth`.
    retained : bool
        Whether retained sizes are followed too; needs heap dumps.
    options : SeriesOptions
    progress : Progress
        Told how far reading dumps is, where they are read again.

    Raises
    ------
    DifferentProcesses
        The snapshots are of several processes, and ``options.force_series`` is false.
    HeapscopeError
        Fewer than two snapshots; ``by`` or ``retained`` wants what a class histogram lacks; a work
        counter that falls or does not fit.
    """
    if by not in BY:
        raise HeapscopeError(f"growth by {by!r}; it is one of {', '.join(BY)}")
    series, options, notes = _distinct(series, options)
    if len(series) < 2:
        same = " (a class histogram of the moment of a dump is none of its own)" if notes else ""
        raise HeapscopeError(
            f"{len(series)} snapshot{'s' * (len(series) != 1)} given{same}; growth needs 2, better 4 or more"
        )
    series.need_order()
    series, options, of_parts = _whole_dumps(series, options)
    notes += of_parts
    processes = series.processes(progress)
    if len(processes) > 1 and not options.force_series:
        raise DifferentProcesses([(one.label, [series[i].name for i in one.members]) for one in processes])
    found = (
        path_series(series, progress)
        if by == "path"
        else series_by(series, by, retained=retained, progress=progress)
    )
    axis, of_axis = find_axis(series, options)
    notes += of_axis
    if len(processes) > 1:
        notes.append(Note(NoteKind.SEVERAL_PROCESSES, counts=(len(processes),)))
    elif not processes[0].is_certain:
        notes.append(Note(NoteKind.UNKNOWN_PROCESS))
        notes += _restarts(series)
    whole = _whole(series, axis, has_retained=found.retained is not None)
    keys = _keys(found, axis)
    is_growing = whole.shallow.verdict in (GROWS, PERHAPS)
    limits = find_limits(series, options.limit_bytes) if is_growing else []
    forecasts = tuple(forecast(whole.shallow, limits, series[-1].captured_at))
    if forecasts and by in ("class", "class+") and not _has_own_growth(keys):
        # Garbage, dead space and the JDK's warm-up make a heap larger that will never be full of them.
        forecasts, notes = (), [*notes, Note(NoteKind.NO_FORECAST)]
    if forecasts and _is_given_up(series, whole.shallow, axis, progress):
        forecasts, notes = (), [*notes, Note(NoteKind.GARBAGE_GROWS)]
    return Growth(
        by=by,
        snapshots=series,
        keys=keys,
        whole=whole,
        axis=axis,
        forecasts=forecasts,
        notes=tuple(notes),
    )


def _restarts(series: Series) -> list[Note]:
    """Where snapshots that do not tell their process look like those of a new one: loaded classes stay."""
    counts = series.by_class.get(CLASS, ([0] * len(series), []))[0]
    return [
        Note(NoteKind.FEWER_CLASSES, (before.name, after.name), (count, left))
        for (before, count), (after, left) in pairwise(zip(series, counts, strict=True))
        if left < CLASSES_KEPT * count
    ]


def _distinct(series: Series, options: SeriesOptions) -> tuple[Series, SeriesOptions, list[Note]]:
    """Each moment once: without class histograms of dumps that are there as well; and a note."""
    places = series.distinct
    if len(places) == len(series):
        return series, options, []
    once = series.each_moment_once()
    counted = tuple(one.name for one in once if one.counted_by)
    left_out = tuple(
        one.name for place, one in enumerate(series) if place not in places and one.name not in counted
    )
    notes = [Note(NoteKind.SAME_MOMENT, left_out)] if left_out else []
    if counted:
        notes.append(Note(NoteKind.COUNTED_BY_TEXTS, counted))
    return once, _work_at(options, series, places), notes


def _work_at(options: SeriesOptions, series: Series, places: Sequence[int]) -> SeriesOptions:
    """The options with the work of some snapshots, where each snapshot has its own."""
    work = options.work
    if work is None or len(work) != len(series):
        return options
    return replace(options, work=tuple(work[place] for place in places))


def _whole_dumps(series: Series, options: SeriesOptions) -> tuple[Series, SeriesOptions, list[Note]]:
    """Without what was read in part, whose counts are lower bounds, where two others are there; and notes."""
    partial = tuple(one.name for one in series if not one.is_whole)
    if not partial:
        return series, options, []
    cut = tuple(one.name for one in series if one.is_cut)
    notes = [Note(NoteKind.CUT_TEXTS, cut)] if cut else []
    places = series.comparable
    if len(places) == len(series):
        return series, options, [*notes, Note(NoteKind.PARTIAL_KEPT, partial)]
    left_out = Note(NoteKind.PARTIAL_LEFT_OUT, partial)
    return series.at(places), _work_at(options, series, places), [*notes, left_out]


def _whole(series: Series, axis: Axis, *, has_retained: bool) -> KeyGrowth:
    counts, sizes = [one.object_count for one in series], [one.shallow_bytes for one in series]
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


def _is_given_up(series: Series, whole: Trend, axis: Axis, progress: Progress) -> bool:
    """Whether most of what grows goes before memory runs out: garbage, and what is held softly only."""
    kept = kept_bytes(series, progress)
    if kept is None:
        return False
    (trend,) = find_trends(np.array([kept], np.int64), axis)
    return trend.verdict not in (GROWS, PERHAPS) or trend.delta < IN_STEP * whole.delta


def _has_own_growth(keys: Sequence[KeyGrowth]) -> bool:
    """Whether a class of the program or of a library grows."""
    return any(
        key.verdict in (GROWS, PERHAPS) and class_origin(key.name.rstrip("+")) > ClassOrigin.JDK
        for key in keys
    )
