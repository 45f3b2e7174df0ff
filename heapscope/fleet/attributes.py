"""What is known of each process, as columns that cohorts are compared by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.fleet.cohorts import FALSE_DISCOVERIES, Attribute
from heapscope.secrets import MASKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.fleet.fleet import Fleet
    from heapscope.fleet.processes import FleetProcess

AGE = "age"
AGE_NAME, THREADS = "age of the process", "number of threads"
RESIDENT, WORK = "resident memory", "work units per hour"
VARIABLE, PROPERTY, OPTION = "environment variable", "system property", "JVM option"
LIBRARY, HOST, ROLE, LABEL, LOAD = "library version", "host", "role", "label", "load"
# What one process alone has (a port, a name of its own) says nothing where so many have such a thing that
# none of them could be told from chance: its p-value is 1/n at best, over more than n/20 tests.  In a large
# fleet these would be most of all attributes.
_MANY = 100
_MASKED = f"{MASKED.rstrip(')')}, "  # a whole value; its length follows
# Different in every process, or saying when it was started; and what another table has.
_OWN = frozenset(
    {"sun.java.launcher.pid", "pid", "HOSTNAME", "java.class.path", "CLASSPATH", "SHLVL", "_", "CONTAINER_ID"}
)


def attributes_of(fleet: Fleet, processes: Sequence[FleetProcess]) -> list[Attribute]:
    """Columns over processes: variables, properties, options, libraries, hosts, roles, labels, age, load.

    Parameters
    ----------
    fleet : Fleet
    processes : sequence of FleetProcess

    Returns
    -------
    list of Attribute
        Values of shape (n,), NaN where a process does not tell.
    """
    place_of = {each.last: place for place, each in enumerate(processes)}
    # What a class histogram lacks the dump before it has.
    of_dump = {each.last_dump: place for place, each in enumerate(processes) if each.last_dump}
    count = len(processes)
    found: list[Attribute] = []
    for kind, table in ((VARIABLE, "environment"), (PROPERTY, "properties")):
        pairs = _rows(fleet, table, ("name", "value"), place_of | of_dump)
        found += _named(kind, pairs, count)
    options = [
        (place, option, "") for place, option in _rows(fleet, "jvm_options", ("option",), place_of | of_dump)
    ]
    found += _present(OPTION, options, count)
    jars = _rows(fleet, "jars", ("name", "version"), of_dump)
    found += _present(
        LIBRARY, [(place, f"{name} {version or ''}".rstrip(), "") for place, name, version in jars], count
    )
    found += _texts(HOST, {place: each.host for place, each in enumerate(processes) if each.host}, count)
    found += _texts(ROLE, {place: each.role for place, each in enumerate(processes) if each.role}, count)
    labels: dict[str, dict[int, str]] = {}
    for place, name, value in _rows(fleet, "labels", ("name", "value"), place_of):
        if name not in ("host", "pid", "role", "time", "task", "pod", "user"):
            labels.setdefault(name, {})[place] = value
    for name, values in sorted(labels.items()):
        found += _texts(LABEL, values, count, f"{name} ")
    return found + _numbers(fleet, processes, place_of)


def _rows(
    fleet: Fleet, table: str, columns: Sequence[str], places: Mapping[str, int]
) -> list[tuple[Any, ...]]:
    """Rows of a table that belong to some snapshots, each with the place of its process in front."""
    chosen = ", ".join(f"'{each}'" for each in sorted(places))
    rows = fleet.answer(
        f"SELECT DISTINCT snapshot, {', '.join(columns)} FROM {table} "
        f"WHERE snapshot IN ({chosen or 'NULL'}) ORDER BY ALL"
    ).to_arrow()
    lists = [rows.column(place).to_pylist() for place in range(rows.num_columns)]
    return [
        (places[snapshot], *values) for snapshot, *values in zip(*lists, strict=True) if snapshot in places
    ]


def _named(kind: str, rows: Iterable[tuple[int, str, str]], count: int) -> list[Attribute]:
    """``X is set`` of each name, and ``X = value`` where several have it; of a masked value its length."""
    rows = [(place, name, _told(value)) for place, name, value in rows if name not in _OWN]
    found = _present(kind, [(place, name, " is set") for place, name, _ in rows], count)
    told: dict[str, set[str]] = {}
    for _, name, value in rows:
        told.setdefault(name, set()).add(value)
    with_values = [
        (place, f"{name} = {value}", "")
        for place, name, value in rows
        # Masked values that are all of one length tell no more than that there is one.
        if value and not (value.startswith(_MASKED) and len(told[name]) == 1)
    ]
    return found + _present(kind, with_values, count, known={place for place, *_ in rows})


def _told(value: str) -> str:
    """``(masked, 4 characters; --show-secrets shows it)`` without the option, which a fleet has not."""
    if not value.startswith(_MASKED):
        return value
    return f"{value.partition(';')[0].rstrip(')')})"


def _present(
    kind: str, rows: Sequence[tuple[int, str, str]], count: int, known: set[int] | None = None
) -> list[Attribute]:
    """An attribute for each text that some processes have; those that have no row at all do not tell."""
    known = {place for place, *_ in rows} if known is None else known
    places: dict[str, set[int]] = {}
    for place, name, ending in rows:
        places.setdefault(name + ending, set()).add(place)
    alone = {min(having) for having in places.values() if len(having) == 1}
    if len(known) >= _MANY and len(alone) > FALSE_DISCOVERIES * len(known):
        places = {name: having for name, having in places.items() if len(having) > 1}
    base = np.full(count, np.nan, np.float32)
    base[sorted(known)] = 0.0
    # One column for all that the same processes have: what each process has alone is thousands of names.
    columns: dict[tuple[int, ...], NDArray[np.float32]] = {}
    found = []
    for name in sorted(places):
        having = tuple(sorted(places[name]))
        column = columns.get(having)
        if column is None:
            column = columns[having] = base.copy()
            column[list(having)] = 1.0
        found.append(Attribute(kind, name, column))
    return found


def _texts(kind: str, of_place: Mapping[int, str], count: int, before: str = "") -> list[Attribute]:
    return _present(kind, [(place, before + text, "") for place, text in sorted(of_place.items())], count)


def _numbers(fleet: Fleet, processes: Sequence[FleetProcess], place_of: Mapping[str, int]) -> list[Attribute]:
    """How old each process is, and how busy: of its last snapshot, what it did over all of them."""
    count = len(processes)
    threads, age, resident, work = (np.full(count, np.nan) for _ in range(4))
    columns = ("thread_count", "age_seconds", "rss_bytes")
    for place, *figures in _rows(fleet, "snapshots", columns, place_of):
        for column, figure in zip((threads, age, resident), figures, strict=True):
            column[place] = np.nan if figure is None else figure
    place_of_any = {one: place for place, each in enumerate(processes) for one in each.snapshots}
    spans: dict[int, list[tuple[float, int]]] = {}
    for place, at, done in _rows(fleet, "snapshots", ("epoch(captured_at)", "work_count"), place_of_any):
        if at is not None and done is not None:
            spans.setdefault(place, []).append((at, done))
    for place, points in spans.items():
        (first, before), (last, after) = min(points), max(points)
        if last > first:
            work[place] = (after - before) / (last - first) * 3600
    return [
        Attribute(AGE, AGE_NAME, age, is_number=True),
        Attribute(LOAD, THREADS, threads, is_number=True),
        Attribute(LOAD, RESIDENT, resident, is_number=True),
        Attribute(LOAD, WORK, work, is_number=True),
    ]
