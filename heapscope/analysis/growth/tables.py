"""Tables of a series: watched classes, what changed between two snapshots, every class over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.analysis.growth.axis import verdict_axis
from heapscope.analysis.growth.growth import KeyGrowth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.trends import find_trends
from heapscope.analysis.verdicts import Verdict
from heapscope.heap.graph.class_patterns import matching_classes, without_plus
from heapscope.heap.watched_classes import WATCHED_CLASSES
from heapscope.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassGrowth:
    """A watched class over all snapshots, its subclasses included.

    Attributes
    ----------
    class_name : str
        The pattern that was asked for.
    matched_classes : tuple of str
    instance_counts, shallow_bytes : tuple of int
        A figure for each snapshot.
    verdict : Verdict
        What they do, as `heapscope.analysis.growth.growth.Growth` says it of a class.
    is_growing : bool
        They grow, or may: `heapscope.analysis.growth.growth.KeyGrowth.may_grow`.
    """

    class_name: str
    matched_classes: tuple[str, ...]
    instance_counts: tuple[int, ...]
    shallow_bytes: tuple[int, ...]
    verdict: Verdict
    is_growing: bool

    @property
    def instance_count_delta(self) -> int:
        """Last less first."""
        return self.instance_counts[-1] - self.instance_counts[0]

    @property
    def shallow_bytes_delta(self) -> int:
        """Last less first."""
        return self.shallow_bytes[-1] - self.shallow_bytes[0]

    @property
    def instance_count_per_snapshot(self) -> float:
        """Mean growth from one snapshot to the next."""
        return self.instance_count_delta / max(1, len(self.instance_counts) - 1)

    @property
    def shallow_bytes_per_snapshot(self) -> float:
        """Mean growth from one snapshot to the next."""
        return self.shallow_bytes_delta / max(1, len(self.shallow_bytes) - 1)

    @property
    def is_present(self) -> bool:
        """Any snapshot has an instance."""
        return any(self.instance_counts)


def watched(
    series: Series, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True
) -> list[ClassGrowth]:
    """Each watched class over all snapshots.

    Parameters
    ----------
    series : Series
    patterns : sequence of str
        As `heapscope.heap.graph.class_patterns` has them, with ``+`` at the end with subclasses in any case;
        the classes that one names are taken together.
    subclasses : bool
        Whether subclasses of what a pattern names are counted with it.

    Raises
    ------
    HeapscopeError
        There is no snapshot.
    """
    series.need(1)
    found = []
    for pattern in patterns:
        wanted, with_subclasses = without_plus(pattern, subclasses)
        wanted = wanted if "*" in wanted or "?" in wanted else series.name_of(wanted)
        names = matching_classes(wanted, series.by_class, series.superclasses, subclasses=with_subclasses)
        rows = [series.by_class[name] for name in names]
        counts, sizes = (
            tuple(sum(row[what][place] for row in rows) for place in range(len(series))) for what in (0, 1)
        )
        found.append((pattern, names, counts, sizes))
    judged = _judged(series, [(counts, sizes) for _, _, counts, sizes in found])
    return [ClassGrowth(*row, key.verdict, key.may_grow) for row, key in zip(found, judged, strict=True)]


def _judged(series: Series, figures: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[KeyGrowth]:
    """Pairs of instance counts and shallow bytes, judged as `Growth` judges those of a class."""
    places = series.comparable
    table = np.array(figures, np.int64).reshape(len(figures), 2, len(series))[:, :, list(places)]
    axis = verdict_axis(series.at(places))
    instances, shallow = find_trends(table[:, 0], axis), find_trends(table[:, 1], axis)
    return [KeyGrowth("", *pair) for pair in zip(instances, shallow, strict=True)]


def census_table(
    series: Series, patterns: Sequence[str] = WATCHED_CLASSES, *, subclasses: bool = True
) -> Table:
    """Watched classes: ``snapshot, captured_at, class_name, instance_count, shallow_bytes``.

    A row for each pattern and snapshot; parameters as `watched` has them.

    Raises
    ------
    HeapscopeError
        There is no snapshot.
    """
    rows = [(s, g, i) for g in watched(series, patterns, subclasses=subclasses) for i, s in enumerate(series)]
    return Table(
        {
            "snapshot": [s.name for s, _, _ in rows],
            "captured_at": [s.captured_at for s, _, _ in rows],
            "class_name": [g.class_name for _, g, _ in rows],
            "instance_count": np.array([g.instance_counts[i] for _, g, i in rows], np.int64),
            "shallow_bytes": np.array([g.shallow_bytes[i] for _, g, i in rows], np.int64),
        }
    )


def diff_table(series: Series, before: int = 0, after: int = -1) -> Table:
    """Classes that changed between two snapshots, the largest growth in bytes first.

    Columns: ``class_name`` and ``instance_count_`` and ``shallow_bytes_``, each ``before``,
    ``after`` and ``delta``.

    Parameters
    ----------
    series : Series
    before, after : int
        Places of the two snapshots.

    Raises
    ------
    HeapscopeError
        Fewer than two snapshots.
    """
    series.need(2)
    series.need_order()
    rows = [
        (name, counts[before], counts[after], sizes[before], sizes[after])
        for name, (counts, sizes) in series.by_class.items()
        if counts[before] != counts[after] or sizes[before] != sizes[after]
    ]
    rows.sort(key=lambda row: (row[3] - row[4], row[1] - row[2], row[0]))
    table: dict[str, Sequence[Any] | NDArray[np.int64]] = {
        "class_name": [row[0] for row in rows],
        "instance_count_before": np.array([row[1] for row in rows], np.int64),
        "instance_count_after": np.array([row[2] for row in rows], np.int64),
        "instance_count_delta": np.array([row[2] - row[1] for row in rows], np.int64),
        "shallow_bytes_before": np.array([row[3] for row in rows], np.int64),
        "shallow_bytes_after": np.array([row[4] for row in rows], np.int64),
        "shallow_bytes_delta": np.array([row[4] - row[3] for row in rows], np.int64),
    }
    return Table(table)


def trend_table(series: Series) -> Table:
    """Every class over all snapshots, the largest growth in bytes first.

    Columns: ``class_name``, ``instance_count_`` and ``shallow_bytes_``, each ``first``, ``last``, ``delta``
    and ``per_snapshot`` (mean growth), and ``is_growing``: what `Growth` decides of the whole snapshots,
    ``KeyGrowth.may_grow``.

    Raises
    ------
    HeapscopeError
        Fewer than two snapshots.
    """
    series.need(2)
    series.need_order()
    steps = len(series) - 1
    rows = sorted(series.by_class.items(), key=lambda row: (row[1][1][0] - row[1][1][-1], row[0]))
    columns: dict[str, list[object]] = {"class_name": [name for name, _ in rows]}
    for position, what in enumerate(("instance_count", "shallow_bytes")):
        figures = [values[position] for _, values in rows]
        columns[f"{what}_first"] = [values[0] for values in figures]
        columns[f"{what}_last"] = [values[-1] for values in figures]
        columns[f"{what}_delta"] = [values[-1] - values[0] for values in figures]
        columns[f"{what}_per_snapshot"] = [(values[-1] - values[0]) / steps for values in figures]
    judged = _judged(series, [figures for _, figures in rows])
    columns["is_growing"] = [key.may_grow for key in judged]
    return Table(columns)
