"""Which classes a page about a series shows: what leaks, what grows with it, what grows fastest.

Used where nobody names classes.  The classes of the libhdfs leak are among them only where the heap has
classes of Hadoop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.thresholds import ONE_FOR_ONE
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.watched_classes import WATCHED_CLASSES

# More than fits on a screen is read by nobody; each class gets a row and two charts.
MAX_SUBJECTS = 8
_MAX_COMPANIONS = 3
_HADOOP = "org.apache.hadoop."
# A pattern means subclasses too: of this class that would be every instance.
_EVERYTHING = "java.lang.Object"


def find_subjects(series: Series, growth: Growth | None, leading: Sequence[str] = ()) -> tuple[str, ...]:
    """Patterns of the classes to show, the most telling first, `MAX_SUBJECTS` at most.

    Parameters
    ----------
    series : Series
    growth : Growth or None
        By class; None of one snapshot.
    leading : sequence of str
        Class names that a diagnosis found: what leaks, or what the largest owners hold.

    Returns
    -------
    tuple of str
        ``leading``; the classes of the libhdfs leak where Hadoop is in the heap; what grows one for one with
        the first of ``leading``; the fastest growers, where something leaks or the heap has grown.
    """
    known = set(series.by_class)
    found: list[str] = []
    covered: set[str] = set()

    def add(name: str) -> None:
        if name in found or name == _EVERYTHING or len(found) == MAX_SUBJECTS:
            return
        found.append(name)
        covered.update(matching_classes(name, known, series.superclasses))

    for name in leading:
        add(name)
    if _has_hadoop(series):
        for name in WATCHED_CLASSES:
            add(name)
    if growth is not None and (leading or growth.has_heap_grown):
        first = _grown(series, growth, leading[0]) if leading else None
        companions = () if first is None else tuple(_companions(growth, first))
        open_places = [name for name in companions if name not in covered][:_MAX_COMPANIONS]
        for name in (*open_places, *(key.name for key in _growers(growth))):
            if name not in covered:
                add(name)
    return tuple(found)


def _has_hadoop(series: Series) -> bool:
    return any(
        matching_classes(name, series.by_class, series.superclasses)
        for name in WATCHED_CLASSES
        if name.startswith(_HADOOP)
    )


def _grown(series: Series, growth: Growth, name: str) -> KeyGrowth:
    """What a class with its subclasses does over the snapshots of a growth."""
    rows = [growth.get(one) for one in matching_classes(name, series.by_class, series.superclasses)]
    keys = [key for key in rows if key is not None]
    places = range(len(growth.snapshots))
    return growth.follow(
        name,
        [sum(key.instance_counts[place] for key in keys) for place in places],
        [sum(key.shallow_bytes[place] for key in keys) for place in places],
    )


def _companions(growth: Growth, first: KeyGrowth) -> Iterator[str]:
    """Classes that gain as many instances as another one, and in the same way; the program's own first."""
    gained = first.instances.delta
    if gained <= 0:
        return
    fitting = [
        key
        for key in growth.keys
        if key.instances.verdict == first.instances.verdict
        and abs(key.instances.delta - gained) <= ONE_FOR_ONE * gained
    ]
    fitting.sort(key=lambda key: (-class_origin(key.name), -key.shallow.delta, key.name))
    yield from (key.name for key in fitting)


def _growers(growth: Growth) -> list[KeyGrowth]:
    """What grows or may, the fastest in bytes first; of two snapshots, the classes of which there is more."""
    rising = [key for key in growth.keys if key.may_grow]
    if rising:
        return rising
    larger = [key for key in growth.keys if key.is_larger]
    return [key for key in larger if class_origin(key.name) > ClassOrigin.JDK]
