"""One dump or class histogram as a sketch: small Parquet files that stand for it from then on."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.analysis.growth.path_groups import find_path_groups
from heapscope.analysis.growth.reachable import reachable_histogram
from heapscope.analysis.growth.same_process import evidence_of
from heapscope.analysis.growth.sidecar import number_in, options_in, variables_in
from heapscope.analysis.growth.snapshot import is_histogram_file, read_snapshots, snapshot_of
from heapscope.analysis.leaks.diagnosis import find_leaks
from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import ObjectNotFound
from heapscope.extras import pyarrow
from heapscope.fleet.schema import SCHEMA_VERSION, TABLES
from heapscope.heap.heap import Heap
from heapscope.heap.objects.environment import tensorflow_task
from heapscope.query.columns import SqlColumn
from heapscope.query.texts import storable
from heapscope.secrets import mask_mapping, mask_options, scrub

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot

    Rows = list[tuple[Any, ...]]

_PATHS_KEPT = 200
_OWNERS_SHARE = 0.02  # of the heap; what owns less is no cause of a leak yet
_OWNERS_KEPT = 50
_THREADS_KEPT = 5_000
_ADDRESS = re.compile(r" 0x[0-9a-f]+")
_JAR = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.+-]*)\.jar")
_OPTION_VARIABLES = ("LIBHDFS_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS")
# What of a sidecar is asked for again when the dumps of a process are put together.
_SIDECAR_KEYS = ("host", "process", "limits", "captured_at", "work_count")


def make_sketch(
    path: Path,
    identity: str,
    source: str,
    *,
    file_bytes: int,
    labels: Mapping[str, str],
    version: str,
    partial: bool = False,
) -> dict[str, bytes]:
    """Read a dump or a class histogram once.

    Parameters
    ----------
    path : Path
        The file, on this machine.
    identity : str
        Of the file; see `heapscope.fleet.sources.Source`.
    source : str
        Its address, as the sketch tells it.
    file_bytes : int
    labels : mapping of str to str
        What its path says: host, pid, role and others.
    version : str
        Of heapscope.
    partial : bool
        Whether of a broken dump what can be read is taken.

    Returns
    -------
    dict of str to bytes
        Name of each table of `heapscope.fleet.schema` to its Parquet file.  The same file gives the same
        bytes.

    Raises
    ------
    HprofError, HistogramError, MissingDependency
    """
    rows: dict[str, Rows] = {name: [] for name in TABLES}
    for name, found in _snapshots(path, partial):
        snapshot, heap = found
        label = identity if snapshot.of_count == 1 else f"{identity}#{snapshot.number}"
        facts = _facts(snapshot, heap, source, file_bytes, labels, name)
        for table, of_table in facts.items():
            rows[table] += [(label, *row) for row in of_table]
    return {name: _parquet(name, rows[name], version) for name in TABLES}


def _snapshots(path: Path, partial: bool) -> Iterator[tuple[str, tuple[Snapshot, Heap | None]]]:
    """Each snapshot of a file with its heap, which is open until the next is asked for."""
    if is_histogram_file(path):
        for snapshot in read_snapshots(path):
            yield _digest(repr(sorted(snapshot.histogram.rows(), key=str)).encode()), (snapshot, None)
        return
    # An index would outlive the dump, on a machine that is not the user's own.
    with Heap(path, use_index=False, partial=partial) as last:
        count = last.heap_count
        if count == 1:
            yield _content(last), (snapshot_of(last), last)
    for number in range(1, count + 1 if count > 1 else 1):
        with Heap(path, use_index=False, partial=partial, heap=number) as heap:
            yield _content(heap), (snapshot_of(heap), heap)


def _content(heap: Heap) -> str:
    """Equal for copies of one dump, packed or not: its length, time, beginning and end."""
    edge = 1 << 16
    ends = heap.buffer[:edge].tobytes() + heap.buffer[-edge:].tobytes()
    return _digest(f"{heap.dump_bytes} {heap.object_count} {heap.heap_number} ".encode() + ends)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _facts(
    snapshot: Snapshot,
    heap: Heap | None,
    source: str,
    file_bytes: int,
    labels: Mapping[str, str],
    content: str,
) -> dict[str, Rows]:
    environment = heap.environment() if heap is not None else {}
    properties = heap.system_properties() if heap is not None else {}
    variables = mask_mapping(variables_in(snapshot.sidecar)) | mask_mapping(environment)
    facts: dict[str, Rows] = {
        "snapshots": [
            _snapshot_row(snapshot, heap, source, file_bytes, labels, environment, properties, content)
        ],
        "labels": [(storable(name), storable(value)) for name, value in sorted(labels.items())],
        "environment": [(storable(name), storable(value)) for name, value in sorted(variables.items())],
        "properties": [(storable(k), storable(v)) for k, v in mask_mapping(properties).items()],
        "jvm_options": _options(snapshot, environment, properties),
    }
    if heap is None:
        facts["classes"] = [
            (storable(row["class_name"]), None, row["instance_count"], row["shallow_bytes"], *[None] * 3)
            for row in snapshot.histogram.rows()
        ]
        return facts
    return facts | _heap_facts(snapshot, heap, properties)


def _snapshot_row(
    snapshot: Snapshot,
    heap: Heap | None,
    source: str,
    file_bytes: int,
    labels: Mapping[str, str],
    environment: Mapping[str, str],
    properties: Mapping[str, str],
    content: str,
) -> tuple[Any, ...]:
    sidecar = {key: snapshot.sidecar[key] for key in _SIDECAR_KEYS if key in snapshot.sidecar}
    process = sidecar.get("process")
    process = process if isinstance(process, dict) else {}

    def text(name: str, *beside: object) -> str | None:
        found = next((each for each in (labels.get(name), *beside) if isinstance(each, str) and each), None)
        return None if found is None else storable(scrub(found))

    def number(name: str, *beside: object) -> int | None:
        candidates = (labels.get(name), *beside)
        return next((int(each) for each in candidates if _is_number(each)), None)  # type: ignore[call-overload]

    # A sidecar knows best, then the heap; in a pod of Kubernetes the host's name is the pod's.
    role, task = tensorflow_task(environment)
    named = environment.get("HOSTNAME", "")
    named = named if scrub(named) == named else ""  # all that are masked would be one host
    in_pod = named if "KUBERNETES_SERVICE_HOST" in environment else None
    java = [
        storable(scrub(v)) if (v := properties.get(n)) else None for n in ("java.version", "java.vm.name")
    ]
    command = mask_mapping(properties).get("sun.java.command")
    listed = process.get("command")
    if command is None and isinstance(listed, list):
        command = " ".join(each for each in listed if isinstance(each, str))
    coverage = snapshot.coverage
    return (
        storable(scrub(source)),
        storable(snapshot.name),
        snapshot.number,
        snapshot.of_count,
        snapshot.kind,
        snapshot.captured_at if snapshot.is_dated else None,
        str(snapshot.captured_at_source),
        snapshot.is_whole,
        1.0 if coverage is None else coverage.share,
        snapshot.object_count,
        snapshot.shallow_bytes,
        file_bytes,
        text("host", sidecar.get("host"), named),
        number("pid", number_in(sidecar, "process", "pid"), snapshot.pid, properties.get("pid")),
        text("role", process.get("role"), role),
        number("task", labels.get("task_index"), number_in(sidecar, "process", "task_index"), task),
        text("pod", process.get("pod"), in_pod),
        *java,
        text("user", properties.get("user.name")),
        None if command is None else storable(command),
        None if heap is None else len(heap.threads()),
        number_in(sidecar, "process", "age_seconds"),
        number_in(sidecar, "process", "rss_bytes"),
        number_in(sidecar, "work_count"),
        _bounded(snapshot.vm.direct_limit_bytes),
        _bounded(snapshot.vm.seed),
        json.dumps(evidence_of(snapshot), sort_keys=True),
        storable(json.dumps(sidecar, sort_keys=True)) if sidecar else None,
        content,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit())


def _bounded(value: int | None) -> int | None:
    return value if value is None or -(2**63) <= value < 2**63 else None


def _options(snapshot: Snapshot, environment: Mapping[str, str], properties: Mapping[str, str]) -> Rows:
    """Options of the JVM by where they are read; those of a variable too, which a JVM reads as options."""
    found: dict[str, str] = {}
    sidecar = options_in(snapshot.sidecar)
    for each in mask_options([one for one in sidecar if one.startswith("-")]):
        found.setdefault(each, "sidecar")
    variables = {**variables_in(snapshot.sidecar), **environment}
    for name in _OPTION_VARIABLES:
        for each in mask_options(variables.get(name, "").split()):
            if each.startswith("-"):
                found.setdefault(each, name)
    return [(storable(option), where) for option, where in sorted(found.items())]


def _heap_facts(snapshot: Snapshot, heap: Heap, properties: Mapping[str, str]) -> dict[str, Rows]:
    consumers = heap.consumers
    retained = dict(
        zip(consumers.by_class.column("name"), consumers.by_class.column("retained_bytes"), strict=True)
    )
    supers = heap.superclasses
    reachable = _reachable(snapshot, heap)
    series = Snapshots([snapshot])
    diagnosis = find_leaks(series, None, opened=heap.graph, names_owners=False)
    # What only growth tells from a busy server is looked for as well: the other snapshots will say.
    busy = [replace(each, needs_growth=False) for each in load_catalogue() if each.needs_growth]
    perhaps = find_leaks(series, None, opened=heap.graph, catalogue=busy, names_owners=False)
    certain = {each.id for each in diagnosis.findings}
    findings = [(each, False) for each in diagnosis.findings]
    findings += [(each, True) for each in perhaps.findings if each.id not in certain]
    return {
        "jars": _jars(heap, properties),
        "classes": [
            (
                storable(row["class_name"]),
                None if (name := supers.get(row["class_name"])) is None else storable(name),
                row["instance_count"],
                row["shallow_bytes"],
                int(retained.get(row["class_name"], 0)),
                *reachable(row["class_name"]),
            )
            for row in snapshot.histogram.rows()
        ],
        "packages": [tuple(_plain(each) for each in row.values()) for row in consumers.by_package.rows()],
        "loaders": _loaders(consumers.by_loader),
        "paths": _paths(heap),
        "findings": [
            (
                found.id,
                storable(scrub(found.title)),
                storable(found.class_name),
                str(found.confidence),
                found.instance_count,
                found.retained_bytes,
                found.share,
                storable(scrub(found.owner)) or None,
                storable(scrub(found.held_by[0])) if found.held_by else None,
                storable(scrub(found.why)),
                storable(scrub(" ".join(found.cure))),
                needs_growth,
            )
            for found, needs_growth in findings
        ],
        "owners": [
            (
                storable(scrub(each.owner)),
                each.owner_kind,
                storable(each.class_name),
                storable(each.content_class),
                each.content_count,
                each.retained_bytes,
                each.share,
            )
            for each in heap.suspects(_OWNERS_SHARE).suspects[:_OWNERS_KEPT]
        ],
        "threads": [
            (
                storable(scrub(each.name)),
                each.is_daemon,
                len(each.frames),
                storable(scrub(str(each.frames[0]))) if each.frames else None,
            )
            for each in heap.threads()[:_THREADS_KEPT]
        ],
        "off_heap": [
            (use.kind, storable(use.class_name), use.object_count, use.byte_count, storable(scrub(use.owner)))
            for use in heap.off_heap().uses
        ],
    }


def _reachable(snapshot: Snapshot, heap: Heap) -> Callable[[str], tuple[int | None, int | None]]:
    """Objects and bytes of a class that the GC roots reach; None of what is cut, or lacks roots."""
    kept = reachable_histogram(heap.graph) if snapshot.is_whole else None
    if kept is None:
        return lambda name: (None, None)
    figures = {
        row["class_name"]: (int(row["instance_count"]), int(row["shallow_bytes"])) for row in kept.rows()
    }
    return lambda name: figures.get(name, (0, 0))


def _plain(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else int(value)


def _loaders(by_loader: Any) -> Rows:
    """Loaders of one class and name together: an address means nothing in another process."""
    found: dict[str, list[int]] = {}
    for row in by_loader.rows():
        name = storable(scrub(_ADDRESS.sub("", row["name"])))
        figures = found.setdefault(name, [0, 0, 0, 0])
        for place, each in enumerate((1, row["instance_count"], row["shallow_bytes"], row["retained_bytes"])):
            figures[place] += int(each)
    ordered = sorted(found.items(), key=lambda each: (-each[1][3], each[0]))
    return [(name, *figures) for name, figures in ordered]


def _paths(heap: Heap) -> Rows:
    groups = find_path_groups(heap.graph)
    order = np.argsort(-groups.retained_bytes, kind="stable")[: _PATHS_KEPT + 1]
    rows = [row for row in order.tolist() if row and groups.retained_bytes[row]]
    found = [
        (
            storable(scrub(groups.text(row))),
            storable(groups.classes[row]),
            int(groups.counts[row]),
            int(groups.shallow_bytes[row]),
            int(groups.retained_bytes[row]),
        )
        for row in rows[:_PATHS_KEPT]
    ]
    return sorted(found, key=lambda each: (-each[4], each[0]))


def _jars(heap: Heap, properties: Mapping[str, str]) -> Rows:
    """Archives by their names: those that are open in the heap, then those of the class path."""
    paths: list[str] = []
    try:
        opened = heap.objects("java.util.zip.ZipFile").values("name").tolist()
        paths += sorted({each for each in opened if isinstance(each, str)})
    except (ObjectNotFound, ValueError, KeyError):
        pass
    separator = properties.get("path.separator", ":")
    paths += properties.get("java.class.path", "").split(separator)
    found: dict[str, tuple[str, str | None, str]] = {}
    for path in paths:
        last = path.replace("\\", "/").rpartition("/")[2]
        if not last.endswith(".jar") or last in found:
            continue
        parts = _JAR.fullmatch(last)
        name, version = (parts["name"], parts["version"]) if parts else (last.removesuffix(".jar"), None)
        found[last] = storable(scrub(name)), version and storable(scrub(version)), storable(scrub(path))
    return [found[last] for last in sorted(found)]


def _parquet(name: str, rows: Sequence[tuple[Any, ...]], version: str) -> bytes:
    pa = pyarrow()
    types = {"snapshot": "VARCHAR", **TABLES[name]}
    fields = [(column, SqlColumn(column, kind, lambda: None).arrow_type()) for column, kind in types.items()]
    metadata = {
        "heapscope.schema_version": str(SCHEMA_VERSION),
        "heapscope.version": version,
        "heapscope.table": name,
    }
    schema = pa.schema(fields, metadata=metadata)
    arrays = [pa.array([row[place] for row in rows], kind) for place, (_, kind) in enumerate(fields)]
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table(arrays, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()
