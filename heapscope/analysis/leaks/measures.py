"""What a diagnosis counted before a cure, counted in the snapshots after it as well.

A class histogram counts instances of classes.  Entries of a collection of the JDK, elements of one field, or
the bytes of one buffer need the objects: so they are counted in the dumps of both runs by the same measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from heapscope.analysis.growth.comparison import BYTES, ENTRIES, INSTANCES
from heapscope.analysis.growth.cure import Measured
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.analysis.growth.trends import Axis, find_trends
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN, Finding
from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.leaks.owner_growth import opened_dumps
from heapscope.analysis.thresholds import MIN_SNAPSHOTS
from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.heap_graph import HeapGraph
from heapscope.heap.retention.field_content import field_content
from heapscope.progress import Progress, no_progress

_Measure = Callable[[Snapshot, HeapGraph], "int | None"]


def measure(
    findings: Sequence[Finding], before: Growth, after: Growth, progress: Progress = no_progress
) -> list[tuple[Finding, Measured]]:
    """What findings counted that class histograms do not tell, in the dumps of both runs.

    Parameters
    ----------
    findings : sequence of Finding
        Of the snapshots of ``before``.
    before, after : Growth
        By class.
    progress : Progress
        Told how far reading the dumps is; each is opened.

    Returns
    -------
    list of (Finding, Measured)
        Without findings whose class tells, and without what a run has too few dumps for.
    """
    catalogue = {leak.id: leak for leak in load_catalogue()}
    superclasses = {**after.snapshots.superclasses, **before.snapshots.superclasses}
    found = []
    for finding in findings:
        leak = catalogue.get(finding.id)
        told = _of_field(finding) if finding.id == UNKNOWN else leak and _of_subject(leak, superclasses)
        if not told:
            continue
        name, what, count = told
        first, second = (_followed(name, count, run, progress) for run in (before, after))
        if first is not None and second is not None:
            found.append((finding, Measured(first[0], second[0], what, second[1])))
    return found


def _of_field(finding: Finding) -> tuple[str, str, _Measure] | None:
    """What the field of a finding holds; None where its class is no one else's, and so tells enough."""
    if not finding.owner or finding.off_heap_bytes is not None:
        return None
    if not finding.sizes and class_origin(finding.class_name) > ClassOrigin.JDK:
        return None

    def count(snapshot: Snapshot, graph: HeapGraph) -> int | None:
        content = field_content(graph, finding.owner, finding.class_name)
        if content is None:
            return None
        return content.used_bytes if finding.sizes else content.member_count

    return finding.owner, BYTES if finding.sizes else INSTANCES, count


def _of_subject(leak: KnownLeak, superclasses: Mapping[str, str]) -> tuple[str, str, _Measure] | None:
    """The subject of a known leak where that is no class of a program or a library."""
    subject = leak.subject
    is_own = all(class_origin(each.lstrip("*")) > ClassOrigin.JDK for each in subject.classes)
    if subject.is_of_classes or (subject.classes and is_own):
        return None

    def count(snapshot: Snapshot, graph: HeapGraph) -> int | None:
        return SnapshotEvidence(snapshot, graph, superclasses).subject(subject)[1]

    what = ENTRIES if subject.entries else INSTANCES
    name = subject.name.replace("#", ".")
    return name if name and not subject.classes else f"{name or subject.roots} of {leak.id}", what, count


def _followed(name: str, count: _Measure, run: Growth, progress: Progress) -> tuple[KeyGrowth, Axis] | None:
    """A measure over the dumps of a run, and where they lie; None of too few, and where one cannot tell."""
    series: Series = run.snapshots
    axis = run.axis
    steady = range(axis.skip, len(series))
    places = [steady[place] for place in opened_dumps(series.at(steady))]
    if not name or len(places) < min(MIN_SNAPSHOTS, len(steady)):
        return None
    figures = []
    for place in places:
        heap = series[place].open(progress)
        assert heap is not None  # it is a dump
        with heap:
            figures.append(count(series[place], heap.graph))
    known = [each for each in figures if each is not None]
    if len(known) < len(figures) or len(known) < 2:
        return None
    at = axis.at(places)
    (trend,) = find_trends(np.array([known], np.int64), at)
    return KeyGrowth(name, trend, trend), at
