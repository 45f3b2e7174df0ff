"""What leaks, since when, how fast, what holds it, why, and what to do: findings with their evidence.

Known leaks are looked for by their signatures (`heapscope.analysis.leaks.known_leaks`) in the last heap
dump of a series, and their growth in all snapshots.  What grows without a known reason is
a finding too, where three snapshots or more show it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.growth.same_process import number_in
from heapscope.analysis.growth.trends import FLUCTUATES, Axis, find_trends
from heapscope.analysis.leaks.evidence import Scene
from heapscope.analysis.leaks.findings import (
    CERTAIN,
    HEALTHY,
    LEAK,
    LIKELY,
    MIN_SNAPSHOTS,
    POSSIBLE,
    UNDECIDED,
    Diagnosis,
    Finding,
    Reading,
    began,
    has_times,
    slope_per_hour,
)
from heapscope.analysis.leaks.hadoop import FILE_SYSTEM, FileSystemGroup, file_system_groups
from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.leaks.signatures import Match, match, reachable_bytes
from heapscope.analysis.leaks.unknown_leak import unknown_leak
from heapscope.analysis.snapshots import DUMP, Snapshot, Snapshots
from heapscope.analysis.snapshots import snapshots as read_snapshots
from heapscope.progress import Progress, default_progress

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth
    from heapscope.heap.heap import Heap
    from heapscope.heap.object_set import ObjectSet

# Variables that say why a file system is made anew, and where to look instead.
TELLING_VARIABLES = ("KERB_TICKET_CACHE_PATH", "KRB5CCNAME")
_SERIES_DUMPS = 8  # dumps that are opened for a figure no class histogram has
OVERLAP = 0.5


def diagnose(
    snapshots: Snapshots | Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    catalogue: Sequence[KnownLeak] | None = None,
    living_environment: Mapping[str, str] | None = None,
    force_series: bool = False,
    limit_bytes: int | None = None,
    opened: Heap | None = None,
    growth: Growth | None = None,
    progress: Progress = default_progress,
) -> Diagnosis:
    """Say what leaks, and why.

    Parameters
    ----------
    snapshots : Snapshots or paths
        One process at one or more times; class histograms serve as well, with less certainty.
    catalogue : sequence of KnownLeak, optional
        What to look for; `heapscope.analysis.leaks.known_leaks.load_catalogue` by default.
    living_environment : mapping, optional
        Variables of the process if it still lives, for heaps that have no copy of them.
    force_series : bool
        Whether snapshots of several processes are taken for one series all the same.
    limit_bytes : int, optional
        A memory limit to forecast, beside those that the snapshots tell of.
    opened : Heap, optional
        The last of the dumps, where it is open already.
    growth : Growth, optional
        What grows by class, where it is known already.

    Raises
    ------
    DifferentProcesses
        The snapshots are of several processes, and ``force_series`` is false.
    HeapscopeError
        There is no snapshot, or one cannot be read.
    """
    if not isinstance(snapshots, Snapshots):
        paths = [snapshots] if isinstance(snapshots, (str, os.PathLike)) else snapshots
        snapshots = read_snapshots(paths, progress)
    snapshots.watched(())  # complains where there is none
    grown = growth
    if grown is None and len(snapshots) > 1:
        grown = snapshots.growth(force_series=force_series, limit_bytes=limit_bytes, progress=progress)
    chosen = next((each for each in reversed(snapshots) if each.kind == DUMP), snapshots[-1])
    with ExitStack() as stack:
        heap = opened
        if heap is None and (heap := chosen.open(progress)) is not None:
            stack.enter_context(heap)
        scene = Scene(chosen, heap, snapshots.superclasses)
        readings = _readings(scene, living_environment or {})
        scene.environment = {**{each.name: each.value for each in readings}, **_all_variables(scene)}
        groups = file_system_groups(scene) if heap is not None else ()
        leaks = load_catalogue() if catalogue is None else catalogue
        matches = [found for leak in leaks if (found := match(leak, scene)) is not None]
        findings, steady = _findings(matches, snapshots, scene, groups, readings, progress)
        if grown is not None and len(snapshots) >= MIN_SNAPSHOTS:
            delta = grown.whole.shallow.delta
            if not findings or not _explains(findings, delta):
                # Beside a known leak only what is the application's own: the rest may be part of it.
                unknown = unknown_leak(grown, scene, own_only=bool(findings))
                if unknown is not None:  # first: most of the growth is its own
                    findings.insert(0, unknown)
    enough = len(snapshots) >= MIN_SNAPSHOTS
    return Diagnosis(
        LEAK if findings else HEALTHY if enough else UNDECIDED,
        chosen.name,
        chosen.kind == DUMP,
        tuple(each.name for each in snapshots),
        tuple(each.captured_at for each in snapshots),
        tuple(each.object_count for each in snapshots),
        tuple(each.shallow_bytes for each in snapshots),
        tuple(findings),
        tuple(steady),
        groups,
        tuple(readings),
        grown.forecasts if grown is not None else (),
        grown,
    )


def _all_variables(scene: Scene) -> dict[str, str]:
    return scene.heap.environment() if scene.heap is not None else {}


def _readings(scene: Scene, living: Mapping[str, str]) -> list[Reading]:
    """Telling variables from the heap, else from the sidecar, else from the living process."""
    snapshot = scene.snapshot
    places: list[tuple[str, Mapping[str, str]]] = [(f"the heap of {snapshot.name}", _all_variables(scene))]
    places.append((f"{snapshot.path.name}.json", sidecar_environment(snapshot)))
    places.append((f"/proc/{number_in(snapshot.sidecar, 'process', 'pid') or 'PID'}/environ", living))
    found = []
    for name in TELLING_VARIABLES:
        for where, variables in places:
            if name in variables:
                found.append(Reading(name, variables[name], where))
                break
    return found


def sidecar_environment(snapshot: Snapshot) -> dict[str, str]:
    """The variables that the sidecar of a snapshot has; empty where there is none."""
    process = snapshot.sidecar.get("process")
    variables = process.get("environment") if isinstance(process, dict) else None
    items = variables.items() if isinstance(variables, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def _findings(
    matches: Sequence[Match],
    snapshots: Snapshots,
    scene: Scene,
    groups: tuple[FileSystemGroup, ...],
    readings: Sequence[Reading],
    progress: Progress,
) -> tuple[list[Finding], list[tuple[str, tuple[int | None, ...]]]]:
    findings: list[Finding] = []
    steady: list[tuple[str, tuple[int | None, ...]]] = []
    explained: list[ObjectSet] = []
    if scene.heap is None:
        # Without objects two leaks of one class cannot be told apart: the one with most evidence stays.
        matches = sorted(matches, key=lambda each: -len(each.outcomes))
    for found in matches:
        counts = _series(found.leak, snapshots, scene, progress)
        if not _may_grow(found.leak, counts):
            steady.append((found.leak.title, counts))
            continue
        objects = scene.subject(found.leak.subject)[0] if scene.heap is not None else None
        if objects is not None and _is_explained(objects, explained):
            continue
        if objects is None and any(each.class_name == found.leak.subject.classes[0] for each in findings):
            continue
        findings.append(_finding(found, counts, snapshots, scene, objects, groups, readings))
        if objects is not None:
            explained.append(objects.retained() | objects)
    order = {CERTAIN: 0, LIKELY: 1, POSSIBLE: 2}
    findings.sort(key=lambda each: (order[each.confidence], -(each.retained_bytes or 0)))
    return findings, steady


def _may_grow(leak: KnownLeak, counts: Sequence[int | None]) -> bool:
    """Whether figures allow that it grows: of a signature that proves nothing by itself they have to rise."""
    known = [count for count in counts if count is not None]
    if len(known) > 1 and known[-1] <= known[0]:
        return False
    if leak.confidence == CERTAIN or len(known) <= MIN_SNAPSHOTS:
        return True
    (trend,) = find_trends(np.array([known], np.int64), Axis(None, None, len(known)))
    return trend.verdict != FLUCTUATES


def _explains(findings: Sequence[Finding], growth: int) -> bool:
    """Whether known leaks account for most of the growth; nobody knows without their retained sizes."""
    if any(each.bytes_each is None for each in findings):
        return True
    gained = 0.0
    for each in findings:
        known = [count for count in each.counts if count is not None]
        gained += (each.bytes_each or 0.0) * (known[-1] - known[0])
    return gained > OVERLAP * growth


def _is_explained(objects: ObjectSet, explained: Sequence[ObjectSet]) -> bool:
    """Whether most of a set is, or hangs on, what a finding before has named."""
    return any(len(objects & each) > OVERLAP * len(objects) for each in explained)


def _series(
    leak: KnownLeak, snapshots: Snapshots, scene: Scene, progress: Progress
) -> tuple[int | None, ...]:
    """How many there are in each snapshot."""
    subject = leak.subject
    # Opening every dump takes time: where all instances of the class are meant, class counts will do.
    # Of a class histogram those that `where` picks cannot be told: all of the class, then.
    if subject.classes and scene.count(subject.classes, subject.without) == _picked(leak, scene):
        scenes = (Scene(each, None, snapshots.superclasses) for each in snapshots)
        return tuple(each.count(subject.classes, subject.without) for each in scenes)
    dumps = [place for place, each in enumerate(snapshots) if each.kind == DUMP]
    if len(dumps) > _SERIES_DUMPS:
        dumps = [dumps[i] for i in np.linspace(0, len(dumps) - 1, _SERIES_DUMPS).astype(int).tolist()]
    found: list[int | None] = [None] * len(snapshots)
    for place in dumps:
        snapshot: Snapshot = snapshots[place]
        if snapshot is scene.snapshot:
            found[place] = scene.subject(subject)[1]
            continue
        heap = snapshot.open(progress)
        if heap is None:
            continue
        with heap:
            found[place] = Scene(snapshot, heap, snapshots.superclasses).subject(subject)[1]
    return tuple(found)


def _picked(leak: KnownLeak, scene: Scene) -> int:
    """How many of the subject's class are meant, as far as the scene can tell."""
    subject = leak.subject
    if scene.heap is not None:
        return scene.subject(subject)[1]
    return scene.count(subject.classes, subject.without) or 0


def _finding(
    found: Match,
    counts: tuple[int | None, ...],
    snapshots: Snapshots,
    scene: Scene,
    objects: ObjectSet | None,
    groups: tuple[FileSystemGroup, ...],
    readings: Sequence[Reading],
) -> Finding:
    leak = found.leak
    times = [each.captured_at for each in snapshots]
    rate = slope_per_hour(times, counts) if has_times(snapshots) else None
    since, is_estimate = began(times, counts, rate)
    if since is None and objects is not None and leak.born:
        since = _first_born(leak, scene, objects)
    count = next(number for number in reversed(counts) if number is not None)
    retained = share = holders = None
    class_name = leak.subject.classes[0] if leak.subject.classes else leak.subject.entries
    if objects:
        retained = objects.retained_bytes()
        share = retained / max(reachable_bytes(scene), 1)
        holders = scene.merged(objects)
        class_name = class_name or next(iter(objects.class_counts()))
    is_of_file_systems = leak.subject.classes == (FILE_SYSTEM,)
    return Finding(
        leak.id,
        leak.title,
        class_name,
        leak.unit,
        _confidence(found, counts),
        counts,
        count,
        retained,
        share,
        rate,
        since,
        is_estimate,
        tuple(holders.lines(4)) if holders is not None else (),
        holders,
        leak.why,
        leak.cure,
        leak.healthy,
        leak.affected,
        leak.sources,
        tuple(outcome.text for outcome in found.outcomes if outcome.text),
        groups if is_of_file_systems else (),
        tuple(readings) if is_of_file_systems else (),
    )


def _first_born(leak: KnownLeak, scene: Scene, objects: ObjectSet) -> datetime | None:
    """When the oldest was made, by what they say themselves; None where none says so."""
    times = [value for value in scene.values(objects, leak.born) if isinstance(value, int) and value > 0]
    try:
        return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None
    except (OverflowError, ValueError, OSError):  # no time of this calendar: the dump is hostile or broken
        return None


def _confidence(found: Match, counts: Sequence[int | None]) -> str:
    known = [count for count in counts if count is not None]
    is_growing = len(known) >= MIN_SNAPSHOTS and known[-1] > known[0]
    if not found.is_whole:
        return POSSIBLE
    if found.leak.confidence == CERTAIN and (is_growing or found.hint_count):
        return CERTAIN
    return LIKELY
