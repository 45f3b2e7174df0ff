"""What the reader of a report has to know beside its figures: cautions and a hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.analysis.growth.time_source import UNDATED
from heapscope.analysis.leaks.known_leaks import Source
from heapscope.analysis.thresholds import MIN_SNAPSHOTS

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import ProcessFacts
    from heapscope.reporter.rows import SnapshotRow, WatchedClass

_TICKET_CACHE = "KERB_TICKET_CACHE_PATH"
_TICKET_CACHE_CLASSES = frozenset(
    {
        "org.apache.hadoop.fs.FileSystem",
        "org.apache.hadoop.hdfs.DistributedFileSystem",
        "org.apache.hadoop.security.UserGroupInformation",
    }
)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the reader should know beside the figures."""

    kind: str  # "hint", "caution", or "note": what somebody wrote in the explorer
    title: str
    text: str
    links: tuple[Source, ...] = ()


def remarks(
    rows: Sequence[SnapshotRow],
    watched: Sequence[WatchedClass],
    *,
    has_grown: bool,
    is_sure: bool,
    facts: ProcessFacts | None,
    source: str,
    left_out: str,
) -> tuple[Remark, ...]:
    """The remarks of a report.

    Parameters
    ----------
    rows : sequence of SnapshotRow
    watched : sequence of WatchedClass
    has_grown : bool
        Whether the headline speaks of growth or of a leak.
    is_sure : bool
        Whether a leak was found that is more than possible.
    facts : ProcessFacts or None
        What the process was, as the heap of ``source`` tells.
    source : str
        Name of a snapshot.
    left_out : str
        Which snapshots of other processes are not in the report; empty where none is.
    """
    found = []
    if left_out:
        text = (
            f"{left_out}. Heaps of several processes, or of one before and after a restart, "
            "are no series. Make a report for each, or compare them all the same with --force-series."
        )
        found.append(Remark("caution", "Snapshots of other processes are left out", text))
    if facts is not None and not is_sure and _TICKET_CACHE in facts.environment:
        affected = [
            one.class_name
            for one in watched
            if (one.may_grow or one.is_larger)
            and _TICKET_CACHE_CLASSES & {one.class_name, *one.matched_classes}
        ]
        if affected:
            found.append(_ticket_cache_remark(affected, source))
    if has_grown and not is_sure and 1 < len(rows) < MIN_SNAPSHOTS:
        found.append(
            Remark(
                "caution",
                "Two snapshots show a difference, not a leak",
                "More load, a cache that fills or garbage not yet collected look the same. "
                "Take a third snapshot later and put all three into one report.",
            )
        )
    return (*found, *_partial_remarks(rows), *_order_remarks(rows))


def _partial_remarks(rows: Sequence[SnapshotRow]) -> list[Remark]:
    whole = sum(not row.is_partial for row in rows)
    found = []
    for row in rows:
        if row.is_partial:
            lines = [line[:1].upper() + line[1:] for line in row.uncertain]
            lines += ["Trends leave this snapshot out"] if whole > 1 else []
            lines += ["Changes to or from it may be an effect of what is missing"] if len(rows) > 1 else []
            found.append(Remark("caution", f"{row.name} is a part of a {row.kind}", f"{'. '.join(lines)}."))
    return found


def _order_remarks(rows: Sequence[SnapshotRow]) -> list[Remark]:
    undated = [row.name for row in rows if row.captured_at_source in UNDATED]
    if not undated or len(rows) < 2:
        return []
    text = (
        f"{', '.join(undated)}: no time of capture is known; the order is as told, and rates are not in time."
    )
    return [Remark("caution", "The order is as told", text)]


def _ticket_cache_remark(affected: Sequence[str], source: str) -> Remark:
    return Remark(
        "hint",
        f"{_TICKET_CACHE} is set: a known cause of this growth",
        f"The environment in the heap of {source} has {_TICKET_CACHE}, and instances of "
        f"{', '.join(affected)} grow. TensorFlow 0.12 to 1.13 connects at every file operation, and "
        "with this variable libhdfs logs in anew each time, so that each operation leaves one more file "
        "system in FileSystem.CACHE. Cure: unset the variable and let kinit use the default ticket cache "
        "or KRB5CCNAME; TensorFlow 1.14 no longer does this. This is a hint from one environment "
        "variable, not a diagnosis.",
        (
            Source("TensorFlow PR 24391", "https://github.com/tensorflow/tensorflow/pull/24391"),
            Source("HDFS-3545", "https://issues.apache.org/jira/browse/HDFS-3545"),
        ),
    )
