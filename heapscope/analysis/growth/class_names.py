"""Which classes of a series a person means by a pattern; a name that means none, or several, is an error."""

from __future__ import annotations

from heapscope.analysis.growth.series import Series
from heapscope.errors import AmbiguousName, ObjectNotFound
from heapscope.heap.graph.class_patterns import NO_CLASS_IS_NEAR, matching_classes, without_plus
from heapscope.heap.watched_classes import KNOWN_SUPERCLASSES


def find_named(series: Series, pattern: str, *, subclasses: bool, allow_absent: bool) -> tuple[str, ...]:
    """Classes with instances that a pattern names; empty where the class is known, but has no instance.

    Parameters
    ----------
    series : Series
    pattern : str
        As `matching_classes` takes it; a generated class by its whole name or by what is stable of it. With
        ``+`` at its end subclasses belong to it in any case.
    subclasses : bool
        Whether subclasses belong to it.
    allow_absent : bool
        Whether a name that no snapshot knows is none of an error.

    Raises
    ------
    ObjectNotFound
        No snapshot knows such a class; the message has the nearest names.
    AmbiguousName
        A simple name, and classes of several packages have it.
    """
    counted, superclasses = series.by_class, series.superclasses
    pattern, subclasses = without_plus(pattern, subclasses)
    is_glob = "*" in pattern or "?" in pattern
    wanted = pattern if is_glob else series.name_of(pattern)
    known = known_classes(series)
    named = matching_classes(wanted, known, {}, subclasses=False)
    if not named:
        if not allow_absent:
            raise ObjectNotFound(pattern, _where(series), known, NO_CLASS_IS_NEAR)
        return ()
    if not is_glob and len(named) > 1:
        raise AmbiguousName(pattern, named)
    return matching_classes(wanted if is_glob else named[0], counted, superclasses, subclasses=subclasses)


def known_classes(series: Series) -> set[str]:
    """Names of all classes that a snapshot has: with instances, loaded, or above one that has."""
    known = set(series.by_class)
    for snapshot in series:
        known.update(map(series.name_of, snapshot.superclasses))
        known.update(map(series.name_of, snapshot.superclasses.values()))
    for name in list(known):  # a class histogram has no superclasses, and abstract ones no instances
        while (parent := KNOWN_SUPERCLASSES.get(name)) is not None:
            known.add(parent)
            name = parent
    return known - {""}


def _where(series: Series) -> str:
    names = [one.name for one in series]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more snapshots" if len(names) > 3 else "")
