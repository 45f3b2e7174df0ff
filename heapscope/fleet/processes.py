"""The processes of a fleet: their sketches in order of time, what leaks in each, how fast, when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.forecast import Forecast
from heapscope.analysis.growth.same_process import Process, find_processes
from heapscope.analysis.growth.snapshot import DUMP, HISTOGRAM, Snapshot
from heapscope.analysis.growth.time_source import FILE_TIME, TimeSource
from heapscope.analysis.snapshots import Snapshots
from heapscope.analysis.thresholds import HEAP_GROWTH, MIN_SNAPSHOTS
from heapscope.analysis.verdicts import (
    HEALTHY,
    LEAK,
    UNDECIDED,
    Status,
)
from heapscope.errors import HeapscopeError
from heapscope.fleet.causes import (
    CLASS,
    OWNER_FIELD,
    PATH_GROUP,
    Cause,
    CauseInProcess,
    Row,
    known_leaks,
    other_causes,
    table_of,
)
from heapscope.heap.heap import Heap
from heapscope.heap.vm_facts import VmFacts
from heapscope.progress import Progress, default_progress, no_progress
from heapscope.table import Table

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth
    from heapscope.analysis.growth.statistics import Rate
    from heapscope.fleet.fleet import Fleet


@dataclass(frozen=True)
class SketchedSnapshot(Snapshot):
    """A snapshot of which the sketch is left: counts, and no objects."""

    kept_sidecar: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sidecar(self) -> dict[str, Any]:
        """What of the sidecar the sketch has kept."""
        return dict(self.kept_sidecar)

    @property
    def stated_direct_bytes(self) -> int | None:
        """Not kept: the limit of direct memory is taken for the heap's, as it is without the option."""
        return None

    def open(self, progress: Progress = default_progress) -> Heap | None:
        """None: the dump is where it was."""
        return None


@dataclass(frozen=True)
class FleetProcess:
    """A process of the fleet.

    Attributes
    ----------
    label : str
        Host and pid, or what else tells it.
    host, role, pod : str
        Empty where nothing tells.
    pid : int or None
    snapshots : tuple of str
        Their identities, in order of time; copies of one dump count once.
    sources : tuple of str
        Their addresses.
    last_dump : str
        The last heap dump's identity, of one that is left out where no other is; empty where there are
        class histograms only.
    captured_at : tuple of datetime or None
    heap_bytes, object_counts : tuple of int
        What the GC roots reach, if all of its snapshots tell that; else of all objects.
    status : Status
    causes : tuple of CauseInProcess
        The surest and largest first; empty where nothing leaks.
    bytes_per_hour : Rate or None
        Slope of the whole heap.
    forecast : Forecast or None
        Which limit is reached first; of what leaks.
    is_identified : bool
        Whether anything tells which process it is; else each of its files counts as one.
    problem : str
        Why its snapshots could not be compared; empty where they could.
    partial_count, left_out_count : int
        Of ``snapshots`` those that were read in part; and others that were, which two or more whole ones
        make needless: what they count are lower bounds.
    """

    label: str
    host: str
    pid: int | None
    role: str
    pod: str
    snapshots: tuple[str, ...]
    sources: tuple[str, ...]
    last_dump: str
    captured_at: tuple[datetime | None, ...]
    heap_bytes: tuple[int, ...]
    object_counts: tuple[int, ...]
    status: Status
    causes: tuple[CauseInProcess, ...]
    bytes_per_hour: Rate | None = None
    forecast: Forecast | None = None
    is_identified: bool = True
    problem: str = ""
    partial_count: int = 0
    left_out_count: int = 0

    @property
    def last(self) -> str:
        """Identity of the last snapshot."""
        return self.snapshots[-1]

    def has(self, key: str) -> bool:
        """Whether it leaks for a cause."""
        return any(each.cause.key == key for each in self.causes)


def find_fleet_processes(fleet: Fleet, progress: Progress = no_progress) -> list[FleetProcess]:
    """The processes of a fleet with their verdicts, in the order of their labels.

    What is large is read of one process at a time: all that is kept of a dump is where it lies, its time and
    its size.

    Raises
    ------
    MissingDependency
    """
    rows = fleet.answer(
        f"SELECT {', '.join(_COLUMNS)} FROM snapshots ORDER BY captured_at, name, snapshot"
    ).to_arrow()
    groups = list(_grouped(rows.to_pylist()))
    del rows
    groups.reverse()
    found: list[FleetProcess] = []
    count = len(groups)
    causes: dict[Cause, Cause] = {}  # the texts of a cause once, however many processes have it
    while groups:
        progress("reading processes", len(found), count)
        label, group, is_identified = groups.pop()
        found.append(_process(fleet.path, label, group, causes, is_identified=is_identified))
    found.sort(key=lambda each: (each.host, each.label, each.snapshots))
    return _joined(found)


def _joined(processes: Sequence[FleetProcess]) -> list[FleetProcess]:
    """With one cause where it is one: class histograms tell the class that grows, dumps what holds it too.

    Where the same class grows in processes with dumps, and is held in one way in all of them, the others are
    counted to these; they are marked as `CauseInProcess.is_by_class`.
    """
    held: dict[str, set[Cause]] = {}
    for process in processes:
        for each in process.causes:
            if each.cause.kind in (OWNER_FIELD, PATH_GROUP):
                held.setdefault(each.class_name, set()).add(each.cause)

    def joined(each: CauseInProcess) -> CauseInProcess:
        known = held.get(each.class_name, set())
        if each.cause.kind != CLASS or len(known) != 1:
            return each
        return replace(each, cause=next(iter(known)), is_by_class=True)

    return [replace(each, causes=tuple(map(joined, each.causes))) for each in processes]


# What finding the processes takes; the rest of a row is read with the other tables of its sketch.
_COLUMNS = (
    *("snapshot", "source", "name", "number", "of_count", "kind", "captured_at", "captured_at_source"),
    *("is_whole", "host", "pid", "role", "task_index", "pod", "direct_limit_bytes", "seed", "evidence"),
    "content",
)


def _grouped(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], bool]]:
    """Snapshots by process: label, snapshots, and whether anything tells the process."""
    buckets: dict[tuple[Any, ...], list[Row]] = {}
    unique = [(row, json.loads(row["evidence"])) for row in _without_copies(rows)]
    pids = _pids_by_seed(unique)
    for row, evidence in unique:
        where, seed = _where(row), evidence.get("seed")
        if where is not None:
            same = pids.get((where, seed), set())
            pid = next(iter(same)) if row["pid"] is None and len(same) == 1 else row["pid"]
            key: tuple[Any, ...] = (where, pid) if pid is not None else (where, None, json.dumps(seed))
        elif evidence:
            key = (None, json.dumps(evidence.get("seed", evidence), sort_keys=True))
        else:
            key = ("", row["snapshot"])
        buckets.setdefault(key, []).append(row)
    for key, bucket in buckets.items():
        if key[0] == "":
            yield bucket[0]["name"], bucket, False
            continue
        evidence_of = [_hashable(json.loads(row["evidence"])) for row in bucket]
        processes = find_processes(evidence_of)
        for number, process in enumerate(processes, 1):
            members = [bucket[place] for place in process.members]
            _share(members)
            restart = f", start {number} of {len(processes)}" if len(processes) > 1 else ""
            yield _label(members[0], process.label) + restart, members, True


def _where(row: Row) -> str | None:
    """Host, else pod: a sidecar that only some of the dumps have may add a pod, and the host is enough."""
    where: str | None = row["host"] if row["host"] is not None else row["pod"]
    return where


def _pids_by_seed(rows: Iterable[tuple[Row, Mapping[str, Any]]]) -> dict[tuple[str | None, int], set[int]]:
    """Pids of the JVMs of a host by what they drew when they started; of dumps that lack the pid as well."""
    found: dict[tuple[str | None, int], set[int]] = {}
    for row, evidence in rows:
        seed = evidence.get("seed")
        if row["pid"] is not None and seed is not None:
            found.setdefault((_where(row), seed), set()).add(row["pid"])
    return found


def _without_copies(rows: Sequence[Row]) -> Iterator[Row]:
    """Each dump once, whatever copies there are; the class histogram beside a dump, of its name, is one."""
    seen = set()
    dumps = {_place(row) for row in rows if row["kind"] == DUMP}
    for row in rows:
        # A process that rests has the same counts at another time; a dump tells its time inside.
        when = row["captured_at"] if row["kind"] != DUMP else None
        key = row["content"], row["kind"], row["host"], row["pid"], when
        is_beside = row["kind"] != DUMP and _place(row) in dumps
        if key not in seen and not is_beside:
            seen.add(key)
            yield row


def _place(row: Row) -> tuple[str, str]:
    return row["source"].rpartition("/")[0], row["name"]


def _hashable(evidence: dict[str, Any]) -> dict[str, object]:
    return {kind: tuple(value) if isinstance(value, list) else value for kind, value in evidence.items()}


def _share(rows: Sequence[Row]) -> None:
    """What one snapshot of a process tells of it the others have as well."""
    for name in ("host", "pod", "pid", "role", "task_index"):
        told = next((row[name] for row in reversed(rows) if row[name] is not None), None)
        for row in rows:
            row[name] = told if row[name] is None else row[name]


def _label(row: Row, otherwise: str) -> str:
    where = row["pod"] or row["host"]
    if where is None:
        return otherwise
    role = ""
    if row["role"] is not None:
        task = "" if row["task_index"] is None else f" {row['task_index']}"
        role = f" ({row['role']}{task})"
    pid = "" if row["pid"] is None else f":{row['pid']}"
    return f"{where}{pid}{role}"


def _process(
    folder: Path, label: str, rows: Sequence[Row], known_causes: dict[Cause, Cause], *, is_identified: bool
) -> FleetProcess:
    whole = [row for row in rows if row["is_whole"]]
    partial_count = len(rows) - len(whole)
    left_out_count = partial_count if len(whole) > 1 else 0
    every_dump = [row for row in rows if row["kind"] == DUMP]
    rows = whole if left_out_count else rows
    series = Snapshots(_snapshots(folder, rows), [Process(tuple(range(len(rows))), label, True)])
    dumps = [row for row in rows if row["kind"] == DUMP]
    # Where class histograms tell the counts, a cut dump still tells what only a dump can.
    last_dump = next((each[-1]["snapshot"] for each in (dumps, every_dump) if each), "")
    growth, problem = None, ""
    if len(series) > 1:
        try:
            growth = series.growth(progress=no_progress)
        except HeapscopeError as error:
            # Its way out is an option that a fleet has not.
            problem = str(error).partition("; pass --order")[0]
    findings = table_of(folder, last_dump, "findings").to_pylist() if last_dump else []
    known = known_leaks(series, growth, findings)
    causes = known + other_causes(folder, series, growth, known, dumps)
    causes = [replace(each, cause=known_causes.setdefault(each.cause, each.cause)) for each in causes]
    enough = growth is not None and len(series) >= MIN_SNAPSHOTS and not _is_open(growth)
    last = rows[-1]
    return FleetProcess(
        label=label,
        host=last["host"] or "",
        pid=last["pid"],
        role=last["role"] or "",
        pod=last["pod"] or "",
        snapshots=tuple(row["snapshot"] for row in rows),
        sources=tuple(row["source"] for row in rows),
        last_dump=last_dump,
        captured_at=tuple(row["captured_at"] for row in rows),
        heap_bytes=tuple(each.shallow_bytes for each in series),
        object_counts=tuple(each.object_count for each in series),
        status=LEAK if causes else HEALTHY if enough else UNDECIDED,
        causes=tuple(causes),
        bytes_per_hour=None if growth is None else growth.whole.shallow.per_hour,
        forecast=growth.forecasts[0] if growth is not None and causes and growth.forecasts else None,
        is_identified=is_identified,
        problem=problem,
        partial_count=partial_count - left_out_count,
        left_out_count=left_out_count,
    )


def _is_open(growth: Growth) -> bool:
    """Whether the heap has grown, and nothing tells whether that has ended.

    Over too few snapshots; or over more, ever more slowly but to the last.
    """
    whole = growth.whole.shallow
    is_larger = whole.delta >= HEAP_GROWTH * whole.values[0]
    return is_larger and (len(whole.values) < 2 * MIN_SNAPSHOTS or whole.is_slowing)


def _snapshots(folder: Path, rows: Sequence[Row]) -> list[SketchedSnapshot]:
    """With what the GC roots reach, if all of them tell that: garbage is no growth; else with all objects."""
    tables = [table_of(folder, row["snapshot"], "classes", _OF_CLASSES) for row in rows]
    are_reachable = not any(table.column("reachable_bytes").null_count for table in tables)
    return [
        _snapshot(row, table, _sidecar_of(folder, row), are_reachable)
        for row, table in zip(rows, tables, strict=True)
    ]


_OF_CLASSES = (
    *("class_name", "super_name", "instance_count", "shallow_bytes"),
    *("reachable_count", "reachable_bytes"),
)


def _sidecar_of(folder: Path, row: Row) -> dict[str, Any]:
    (text,) = table_of(folder, row["snapshot"], "snapshots", ["sidecar"]).column("sidecar").to_pylist()
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def _snapshot(row: Row, table: Any, sidecar: dict[str, Any], is_reachable: bool) -> SketchedSnapshot:
    counts, sizes = (
        ("reachable_count", "reachable_bytes") if is_reachable else ("instance_count", "shallow_bytes")
    )
    names = table.column("class_name").to_pylist()
    supers = zip(names, table.column("super_name").to_pylist(), strict=True)
    found = table.column(counts).to_pylist()
    source: TimeSource = row["captured_at_source"]
    return SketchedSnapshot(
        path=Path(row["source"]),
        name=row["name"],
        kind=HISTOGRAM,
        captured_at=row["captured_at"] or datetime.fromtimestamp(0, UTC),
        captured_at_source=source if row["captured_at"] is not None else FILE_TIME,
        histogram=Table(
            {
                "class_name": [name for name, count in zip(names, found, strict=True) if count],
                "instance_count": [count for count in found if count],
                "shallow_bytes": [
                    size for size, count in zip(table.column(sizes).to_pylist(), found, strict=True) if count
                ],
            }
        ),
        superclasses={name: above for name, above in supers if above is not None},
        root_counts={},
        vm=VmFacts(row["seed"], row["direct_limit_bytes"]),
        is_cut=not row["is_whole"],
        pid=row["pid"],
        number=row["number"],
        of_count=row["of_count"],
        kept_sidecar=sidecar,
    )
