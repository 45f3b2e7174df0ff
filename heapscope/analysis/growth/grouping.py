"""What snapshots are grouped by, and the figures of each group in every snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.errors import HeapscopeError
from heapscope.heap.retention.by_group import group_totals, loader_names, package_of
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

By = Literal["class", "class+", "package", "loader", "path"]
BY: tuple[By, ...] = get_args(By)
_OBJECT = "java.lang.Object"
_ADDRESS = re.compile(r" 0x[0-9a-f]+")
# Of one name -> (instances, shallow bytes, retained bytes).
_Figures = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class KeySeries:
    """Figures of k groups in n snapshots.

    Attributes
    ----------
    names : list of str
    counts, sizes : int64 arrays, shape (k, n)
        Instances and shallow bytes.
    retained : int64 array, shape (k, n), or None
    """

    names: list[str]
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    retained: NDArray[np.int64] | None


def series_by(
    series: Series, by: By, *, retained: bool = False, progress: Progress = no_progress
) -> KeySeries:
    """Group the objects of every snapshot by what each is, not by how it is held.

    Parameters
    ----------
    series : Series
    by : str
        One of `BY` but ``"path"``, which `heapscope.analysis.growth.path_groups` has.
    retained : bool
        Whether retained bytes are wanted.
    progress : Progress
        Told how far reading dumps is.

    Raises
    ------
    HeapscopeError
        ``retained`` or ``"loader"``, and a snapshot is a class histogram.
    """
    if not retained and by != "loader":
        return _from_histograms(series, by)
    check_dumps(series, by, retained=retained)
    found = series.of_each_dump(lambda _, graph: _of_heap(graph, by, series, retained=retained), progress)
    figures = [each for each in found if each is not None]  # all are dumps, as was checked
    return _aligned(figures, has_retained=retained)


def check_dumps(series: Series, by: By, *, retained: bool = False) -> None:
    """Check that all snapshots have references.

    Parameters
    ----------
    series : Series
    by : str
        What the answer is by, for the message.
    retained : bool
        Whether retained sizes are wanted, for the message.

    Raises
    ------
    HeapscopeError
        One is a class histogram.
    """
    for one in series:
        if one.kind != DUMP:
            raise HeapscopeError(
                f"{one.path}: a class histogram has no references; growth by {by}"
                f"{' with retained sizes' if retained else ''} takes heap dumps only"
            )


def _from_histograms(series: Series, by: By) -> KeySeries:
    key_of = _keys_of(by, series)
    figures: list[_Figures] = []
    for one in series:
        mine: _Figures = {}
        for row in one.histogram.rows():
            for key in key_of(row["class_name"]):
                count, size, _ = mine.get(key, (0, 0, 0))
                mine[key] = count + row["instance_count"], size + row["shallow_bytes"], 0
        figures.append(mine)
    return _aligned(figures, has_retained=False)


def _keys_of(by: By, series: Series) -> Callable[[str], Sequence[str]]:
    """The keys that a class belongs to."""
    if by == "package":
        return lambda name: (package_of(series.name_of(name)),)
    if by == "class+":
        superclasses = series.superclasses
        return lambda name: [f"{one}+" for one in ancestors(series.name_of(name), superclasses)]
    return lambda name: (series.name_of(name),)


def ancestors(name: str, superclasses: dict[str, str]) -> list[str]:
    """A class and its superclasses but ``Object``; ends where a chain loops."""
    chain: list[str] = []
    while name and name != _OBJECT and name not in chain:
        chain.append(name)
        name = superclasses.get(name, "")
    return chain or [name]


def _of_heap(graph: HeapGraph, by: By, series: Series, *, retained: bool) -> _Figures:
    classes = list(graph.classes)
    if by == "loader":
        # Addresses change when the collector moves loaders; what grows is their number, or their classes.
        labels = {
            i: _ADDRESS.sub("", n) for i, n in loader_names(graph, {c.loader_id for c in classes}).items()
        }
        keys: list[Sequence[str]] = [(labels[c.loader_id],) for c in classes]
    else:
        key_of = _keys_of(by, series)
        keys = [key_of(c.name) for c in classes]
    return group_totals(graph, keys, retained=retained)


def _aligned(figures: Sequence[_Figures], *, has_retained: bool) -> KeySeries:
    names = sorted({name for one in figures for name in one})
    table = np.zeros((3, len(names), len(figures)), np.int64)
    rows = {name: row for row, name in enumerate(names)}
    for column, one in enumerate(figures):
        if one:
            at = [rows[name] for name in one]
            table[:, at, column] = np.array(list(one.values()), np.int64).T
    return KeySeries(names, table[0], table[1], table[2] if has_retained else None)
