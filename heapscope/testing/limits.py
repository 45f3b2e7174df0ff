"""Limits on the growth of classes: what was counted before and after, and what that means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heapscope.analysis.growth.class_names import find_named
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Limit:
    """How many more instances of a class there may be afterwards.

    Attributes
    ----------
    pattern : str
        A class name, simple name or glob; with ``+`` at the end subclasses count too.
    most : int
    allow_absent : bool
        Whether a class that the JVM has not loaded has 0 instances; else the name may be misspelt.
    """

    pattern: str
    most: int = 0
    allow_absent: bool = False


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that does not hold.

    Attributes
    ----------
    limit : Limit
    before, after : int
        Live instances.
    classes : tuple of (str, int, int)
        Each class that has more or fewer, with its instances before and after, what grew most first.
    """

    limit: Limit
    before: int
    after: int
    classes: tuple[tuple[str, int, int], ...]


def counts_of(
    snapshots: Sequence[Snapshot], pattern: str, *, allow_absent: bool = False
) -> dict[str, tuple[int, ...]]:
    """Instances of each class that a pattern names, in each snapshot.

    Raises
    ------
    ObjectNotFound, AmbiguousName
        No class has that name, or several have.
    """
    series = Series(snapshots)
    names = find_named(series, pattern, subclasses=False, allow_absent=allow_absent)
    return {name: tuple(series.by_class[name][0]) for name in names}


def exceeded(before: Snapshot | None, after: Snapshot, limits: Sequence[Limit]) -> list[Exceeded]:
    """The limits that do not hold.

    Parameters
    ----------
    before : Snapshot or None
        None where no JVM ran then: there was no instance of anything.

    Raises
    ------
    ObjectNotFound, AmbiguousName
        A limit names no class, or several.
    """
    found = []
    for limit in limits:
        given = [after] if before is None else [before, after]
        counts = counts_of(given, limit.pattern, allow_absent=limit.allow_absent)
        rows = [(name, 0 if before is None else each[0], each[-1]) for name, each in counts.items()]
        first, last = sum(row[1] for row in rows), sum(row[2] for row in rows)
        if last - first > limit.most:
            changed = sorted((row for row in rows if row[1] != row[2]), key=lambda row: row[1] - row[2])
            found.append(Exceeded(limit, first, last, tuple(changed)))
    return found
