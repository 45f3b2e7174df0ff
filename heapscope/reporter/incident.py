"""Everything a report shows, already computed: templates only place it on a page.

``Incident`` is plain data: strings, numbers, tuples and dicts, the same in HTML, Markdown and
JSON.  Text that came out of a heap is printable (`heapscope.reporter.text`) and masked
(`heapscope.secrets`) before it gets here, so that no renderer can forget it.

What grows is computed once (`heapscope.analysis.growth.growth`) and handed to the diagnosis, the outlook and
the tables: no two of them can disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope import __version__
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.growth.subjects import find_subjects
from heapscope.analysis.leaks.diagnosis import find_leaks
from heapscope.errors import HeapscopeError
from heapscope.progress import Progress, no_progress
from heapscope.reporter.diagnosis import DiagnosisSection, describe_diagnosis
from heapscope.reporter.headline import headline, verdict_lines
from heapscope.reporter.notes import note_remarks
from heapscope.reporter.outlook import Outlook, describe_outlook
from heapscope.reporter.process import ProcessSection, describe_process, process_name
from heapscope.reporter.remarks import Remark, remarks
from heapscope.reporter.retention import RetentionSection, describe_retention
from heapscope.reporter.rows import (
    ClassChange,
    ClassSize,
    SnapshotRow,
    WatchedClass,
    change_rows,
    size_rows,
    snapshot_row,
    watched_row,
    whole_heap_row,
)
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.analysis.leaks.findings import Diagnosis
    from heapscope.analysis.snapshots import Snapshots

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Incident:
    """Everything a report shows."""

    title: str
    process_name: str  # main class or command line, role, pid and host, as far as known; empty: nothing is
    status: str  # "leak", "growth", "steady", "absent", "undecided" or "one snapshot"
    headline: str
    verdict: tuple[str, ...]
    remarks: tuple[Remark, ...]
    generator: str
    secrets_are_masked: bool
    snapshots: tuple[SnapshotRow, ...]
    watched_classes: tuple[WatchedClass, ...]
    whole_heap: WatchedClass
    changes: tuple[ClassChange, ...]  # biggest byte growth first
    changed_class_count: int  # of which `changes` are the first
    largest_classes: tuple[ClassSize, ...]
    class_count: int  # in the last snapshot, of which `largest_classes` are the first
    process: ProcessSection | None
    retention: RetentionSection | None  # None where no snapshot is a heap dump
    outlook: Outlook | None  # None of one snapshot
    diagnosis: DiagnosisSection
    more_changes: tuple[ClassChange, ...] = ()  # the next ones, for the filter of a page; not in JSON
    more_classes: tuple[ClassSize, ...] = ()


def build_incident(
    snapshots: Snapshots,
    *,
    patterns: Sequence[str] = (),
    top: int = 25,
    show_secrets: bool = False,
    force_series: bool = False,
    limit_bytes: int | None = None,
    with_notes: bool = False,
    progress: Progress = no_progress,
) -> Incident:
    """Compute what a report shows.

    Parameters
    ----------
    snapshots : Snapshots
        At least one, in order of capture.
    patterns : sequence of str
        The watched classes; see `heapscope.heap.graph.class_patterns`.  By default those that
        `heapscope.analysis.growth.subjects` chooses by what was found.
    top : int
        Rows of the histogram diff and of the largest classes.
    show_secrets : bool
        Whether environment and system properties are shown as they are.
    force_series : bool
        Whether snapshots of several processes are one series all the same; else only those of the
        process that has most are shown, and a remark says so.
    limit_bytes : int, optional
        A memory limit to forecast, beside those that the snapshots tell of.
    with_notes : bool
        Whether notes that were written in the explorer are among the remarks.
    progress : Progress
        Told how far reading the last dump again is, for what the process was.

    Raises
    ------
    HeapscopeError
        If there is no snapshot.
    """
    if not len(snapshots):
        raise HeapscopeError("a report needs at least one snapshot; name a heap dump or a class histogram")
    if top < 1:
        raise HeapscopeError(f"a table of {top} rows shows nothing; ask for at least 1")
    snapshots = snapshots.each_moment_once()
    left_out = ""
    if not force_series:
        snapshots, left_out = snapshots.of_one_process(progress)
    growth = None
    if len(snapshots) > 1:
        growth = snapshots.growth(force_series=force_series, limit_bytes=limit_bytes, progress=progress)
    last = next((one for one in reversed(snapshots) if one.kind == DUMP), snapshots[-1])
    heap = last.open(progress)
    with nullcontext() if heap is None else heap:
        facts = last.facts(progress, heap)
        found = find_leaks(snapshots, growth, opened=None if heap is None else heap.graph, progress=progress)
        subjects = tuple(patterns) or find_subjects(snapshots, growth, _leading(found))
        retention = (
            None if heap is None else describe_retention(heap, last.name, subjects, show_secrets=show_secrets)
        )
    diagnosis = describe_diagnosis(found, show_secrets=show_secrets)
    rows = tuple(map(snapshot_row, snapshots))
    compared = snapshots.comparable
    watched = tuple(watched_row(one, growth, compared) for one in snapshots.watched(subjects))
    whole_heap = whole_heap_row(rows, growth)
    changes, changed_class_count = change_rows(snapshots, growth)
    sizes = size_rows(snapshots[-1])
    status, sentence = headline(diagnosis, growth, watched, are_asked_for=bool(patterns))
    return Incident(
        title=rows[0].name if len(rows) == 1 else f"{rows[0].name} to {rows[-1].name}",
        process_name=process_name(last, facts, show_secrets=show_secrets),
        status=status,
        headline=sentence,
        verdict=verdict_lines(rows, diagnosis, watched, whole_heap),
        remarks=remarks(
            rows,
            watched,
            has_grown=status in ("growth", "leak"),
            is_sure=diagnosis.is_sure,
            facts=facts,
            source=printable(last.name),
            left_out=left_out,
        )
        + (note_remarks(snapshots, show_secrets=show_secrets) if with_notes else ()),
        generator=f"heapscope {__version__}",
        secrets_are_masked=not show_secrets,
        snapshots=rows,
        watched_classes=watched,
        whole_heap=whole_heap,
        changes=changes[:top],
        more_changes=changes[top:],
        changed_class_count=changed_class_count,
        largest_classes=sizes[:top],
        more_classes=sizes[top:],
        class_count=len(snapshots[-1].histogram),
        process=None
        if facts is None
        else describe_process(facts, printable(last.name), show_secrets=show_secrets),
        retention=retention,
        outlook=None if growth is None else describe_outlook(growth, has_leak=found.is_leak),
        diagnosis=diagnosis,
    )


def _leading(found: Diagnosis) -> tuple[str, ...]:
    """The classes that a diagnosis names: those that leak, else what the largest owners hold."""
    if found.findings:
        # What piles up may be no class: java.io.DeleteOnExitHook#files
        return tuple(one.class_name for one in found.findings if "#" not in one.class_name)
    return tuple(one.content_class or one.class_name for one in found.owners)
