"""Why a process of a fleet leaks, from its sketches: known leaks, else the field, the path or the class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.analysis.leaks.diagnosis import find_leaks
from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.analysis.snapshots import Snapshots
from heapscope.analysis.thresholds import LEAST_PART, MIN_SNAPSHOTS, OVERLAP
from heapscope.analysis.verdicts import CERTAIN, FLUCTUATES, GROWS, JUMPED, PERHAPS, Confidence
from heapscope.extras import pyarrow
from heapscope.heap.retention.owner_paths import LOADER

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth
    from heapscope.analysis.leaks.findings import Finding

KNOWN_LEAK, OWNER_FIELD, PATH_GROUP, CLASS = "known leak", "owner field", "path group", "class"
Row = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """Why processes leak: what they are grouped by.

    Attributes
    ----------
    key : str
        Of the known leak its id; else the field, the path or the class that grows.
    kind : str
        ``"known leak"``, ``"owner field"``, ``"path group"`` or ``"class"``.
    title : str
    why, cure : str
        Of a known leak; else empty.
    """

    key: str
    kind: str
    title: str
    why: str = ""
    cure: str = ""


@dataclass(frozen=True)
class CauseInProcess:
    """A cause in one process, with its figures in the last snapshot that shows it.

    ``is_by_class``: its own snapshots tell the class that grows alone; what holds it is known of others.
    """

    cause: Cause
    class_name: str
    confidence: Confidence
    instance_count: int
    retained_bytes: int | None
    share: float | None
    is_by_class: bool = False


def known_leaks(series: Snapshots, growth: Growth | None, rows: Iterable[Row]) -> list[CauseInProcess]:
    """Known leaks of the last dump, by its findings, that the other snapshots do not speak against."""
    found = []
    for row in rows:
        if row["id"] == UNKNOWN or not _may_leak(series, growth, row):
            continue
        cause = Cause(row["id"], KNOWN_LEAK, row["title"], row["why"], row["cure"])
        found.append(
            CauseInProcess(
                cause,
                row["class_name"],
                Confidence(row["confidence"]),
                row["instance_count"],
                row["retained_bytes"],
                row["share"],
            )
        )
    return found


def _may_leak(series: Snapshots, growth: Growth | None, row: Row) -> bool:
    """Whether the counts of its class allow it; a dump alone shows it, unless a busy server looks alike."""
    if len(series) == 1 or growth is None:
        return not row["needs_growth"]
    (course,) = series.watched([row["class_name"]])
    counts = course.instance_counts
    if counts[-1] <= counts[0]:
        return False
    if row["needs_growth"]:
        return len(series) >= MIN_SNAPSHOTS and course.verdict in (GROWS, PERHAPS)
    if row["confidence"] == CERTAIN or len(series) <= MIN_SNAPSHOTS:
        return True
    return course.verdict not in (FLUCTUATES, JUMPED)


def other_causes(
    folder: Path,
    series: Snapshots,
    growth: Growth | None,
    known: Sequence[CauseInProcess],
    dumps: Sequence[Row],
) -> list[CauseInProcess]:
    """What grows beside known leaks: by the field that owns it, where dumps tell; else by its class."""
    if growth is None or _is_explained(series, growth, known):
        return []
    # Class counts of a dump say less of a known leak than its objects, which have been looked at.
    catalogue = () if dumps else None
    found = []
    for finding in find_leaks(series, growth, catalogue=catalogue).findings:
        if any(each.class_name == finding.class_name for each in known):
            continue
        if finding.id != UNKNOWN:
            cause = Cause(finding.id, KNOWN_LEAK, finding.title, finding.why, " ".join(finding.cure))
            grown = [_Grown(cause, finding.class_name, finding.instance_count, None)]
        else:
            grown = _grown(folder, growth, finding, dumps)
        for each in grown:
            if any(one.class_name == each.class_name for one in known):
                continue
            share = finding.share if each.class_name == finding.class_name else None
            found.append(
                CauseInProcess(
                    each.cause, each.class_name, finding.confidence, each.instance_count,
                    each.retained_bytes, share,
                )
            )  # fmt: skip
    return found


def _is_explained(series: Snapshots, growth: Growth, known: Sequence[CauseInProcess]) -> bool:
    """Whether known leaks account for most of the growth."""
    gained = 0.0
    for each in known:
        if each.retained_bytes is None:
            return True
        counts = series.watched([each.class_name])[0].instance_counts
        gained += each.retained_bytes / max(each.instance_count, 1) * (counts[-1] - counts[0])
    return bool(known) and gained > OVERLAP * growth.whole.shallow.delta


@dataclass(frozen=True)
class _Grown:
    """What holds what has grown: its cause, the class inside of it with how many, and what it retains."""

    cause: Cause
    class_name: str
    instance_count: int
    retained_bytes: int | None


def _grown(folder: Path, growth: Growth, finding: Finding, dumps: Sequence[Row]) -> list[_Grown]:
    """The fields that have grown most from the first dump to the last, else the path, else the class.

    Several fields where each took a part of its own: together no more than the heap has grown by.  A class
    loader owns all static fields of its classes: it is meant where none of them is.
    """
    if len(dumps) > 1:
        delta = growth.whole.shallow.delta
        for table, name, kind in (("owners", "owner", OWNER_FIELD), ("paths", "path", PATH_GROUP)):
            first, last = (_retained(folder, row["snapshot"], table, name) for row in (dumps[0], dumps[-1]))
            gains = {key: size - first.get(key, 0) for key, size in last.items() if key}
            gains = {key: gain for key, gain in gains.items() if gain >= max(LEAST_PART * delta, 1)}
            contents = _contents(folder, dumps[-1]["snapshot"]) if table == "owners" and gains else {}
            fields = {key for key in gains if contents.get(key, ("",))[0] != LOADER}
            left = _ROOM * delta
            found: list[_Grown] = []
            for key in sorted(fields or gains, key=lambda key: (gains[key], key), reverse=True):
                if found and (gains[key] > left or kind == PATH_GROUP):
                    continue
                left -= gains[key]
                _, content, count = contents.get(key, ("", "", 0))
                if not content or content == finding.class_name:
                    content, count = finding.class_name, finding.instance_count
                found.append(_Grown(Cause(key, kind, f"{key} grows"), content, count, last[key]))
            if found:
                return found
    name = finding.class_name
    return [_Grown(Cause(name, CLASS, f"{name} grows"), name, finding.instance_count, None)]


# Retained bytes of one and the other may overlap a little: fields of one object, strings that both use.
_ROOM = 1.05


def _contents(folder: Path, snapshot: str) -> dict[str, tuple[str, str, int]]:
    """Of each owner its kind, and the class inside of it with how many."""
    columns = ["owner", "owner_kind", "content_class", "content_count"]
    rows = table_of(folder, snapshot, "owners", columns).to_pylist()
    return {
        row["owner"]: (row["owner_kind"], row["content_class"] or "", row["content_count"] or 0)
        for row in rows
    }


def _retained(folder: Path, snapshot: str, table: str, name: str) -> dict[str, int]:
    rows = table_of(folder, snapshot, table, [name, "retained_bytes"]).to_pylist()
    found: dict[str, int] = {}
    for row in rows:
        found[row[name]] = found.get(row[name], 0) + (row["retained_bytes"] or 0)
    return found


def table_of(folder: Path, snapshot: str, name: str, columns: Sequence[str] | None = None) -> Any:
    """The rows of one snapshot in a table of its sketch: all columns, or some of them."""
    path = folder / snapshot.partition("#")[0] / f"{name}.parquet"
    parquet = pyarrow().parquet
    # In this thread: for a few kilobytes others cost more than they save.
    if "#" not in snapshot:
        return parquet.ParquetFile(path).read(columns=columns and list(columns), use_threads=False)
    of_snapshot = [("snapshot", "=", snapshot)]
    return parquet.read_table(
        path, columns=columns and list(columns), filters=of_snapshot, partitioning=None, use_threads=False
    )
