"""The facade of diagnoses: from files, or from snapshots that are read already, to what leaks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.leaks.diagnosis import find_leaks
from heapscope.analysis.leaks.findings import Diagnosis
from heapscope.analysis.leaks.known_leaks import KnownLeak
from heapscope.analysis.snapshots import Snapshots
from heapscope.analysis.snapshots import snapshots as read_snapshots
from heapscope.heap.heap import Heap
from heapscope.progress import Progress, default_progress


def diagnose(
    snapshots: Snapshots | Heap | Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
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
    snapshots : Snapshots, Heap or paths
        One process at one or more times, or one open heap; class histograms serve as well, with less
        certainty.
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
    progress : Progress
        Told how far reading dumps is.

    Raises
    ------
    DifferentProcesses
        The snapshots are of several processes, and ``force_series`` is false.
    HeapscopeError
        There is no snapshot, or one cannot be read.
    """
    if isinstance(snapshots, Heap):
        opened = opened or snapshots
        series = Snapshots([snapshot_of(snapshots)])
    elif isinstance(snapshots, Snapshots):
        series = snapshots
    else:
        series = read_snapshots(snapshots, progress)
    series.need(1)
    series = series.each_moment_once()
    with series.heaps:
        if growth is None and len(series) > 1:
            growth = series.growth(force_series=force_series, limit_bytes=limit_bytes, progress=progress)
        return find_leaks(
            series,
            growth,
            catalogue=catalogue,
            living_environment=living_environment,
            opened=None if opened is None else opened.graph,
            progress=progress,
        )
