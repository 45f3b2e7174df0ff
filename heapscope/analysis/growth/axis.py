"""Where the snapshots of a series lie in time and in work, and which of them are warm-up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.analysis.growth.options import SeriesOptions
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.sidecar import number_in
from heapscope.analysis.growth.time_source import GUESSED
from heapscope.analysis.growth.trends import Axis, warm_up
from heapscope.errors import HeapscopeError


def find_axis(series: Series, options: SeriesOptions) -> tuple[Axis, list[Note]]:
    """Where snapshots lie, and what has to be said of that.

    Parameters
    ----------
    series : Series
        Two snapshots or more.
    options : SeriesOptions
        Its warm-up and work counter, where given, are taken as they are.

    Raises
    ------
    HeapscopeError
        A warm-up that leaves fewer than two snapshots; a work counter that falls or does not fit.
    """
    n, notes = len(series), []
    hours = capture_hours(series)
    if guessed := tuple(one.name for one in series if not one.is_dated):
        notes.append(Note(NoteKind.UNDATED, guessed))
    elif hours is None:
        notes.append(Note(NoteKind.NO_TIMES))
    if named := tuple(one.name for one in series if one.captured_at_source in GUESSED):
        notes.append(Note(NoteKind.GUESSED_TIMES, named))
    operations = _operations(series, options.work)
    skip = options.warm_up
    if skip is None:
        skip = found_warm_up(series, hours)
        if skip:
            notes.append(Note(NoteKind.WARM_UP, counts=(skip,)))
    elif not 0 <= skip <= n - 2:
        raise HeapscopeError(f"a warm-up of {skip} of {n} snapshots: 2 at least have to stay")
    if n - skip == 2:
        notes.append(Note(NoteKind.TWO_SNAPSHOTS))
    elif n - skip == 3:
        notes.append(Note(NoteKind.THREE_SNAPSHOTS))
    return Axis(hours, operations, n, skip), notes


def verdict_axis(series: Series) -> Axis:
    """The axis by which verdicts are made; it has no work counter, which only rates need."""
    hours = capture_hours(series) if len(series) > 1 else None
    skip = found_warm_up(series, hours) if len(series) > 1 else 0
    return Axis(hours, None, len(series), skip)


def found_warm_up(series: Series, hours: Sequence[float] | None) -> int:
    """How many snapshots at the beginning are warm-up, by the size and the number of all objects."""
    sizes, counts = [one.shallow_bytes for one in series], [one.object_count for one in series]
    return max(warm_up(hours or range(len(series)), values) for values in (sizes, counts))


def has_file_times(series: Series) -> bool:
    """Whether a snapshot has no time but that of its file, which may be that of a copy."""
    return not all(one.is_dated for one in series)


def capture_hours(series: Series) -> tuple[float, ...] | None:
    """Hours since the first snapshot; None where two are equal, or one is not known."""
    times = [one.captured_at for one in series]
    least = min((after - before).total_seconds() for before, after in pairwise(times))
    if least <= 0 or has_file_times(series):
        return None
    return tuple((one - times[0]).total_seconds() / 3600 for one in times)


def _operations(series: Series, work: Sequence[float] | None) -> tuple[float, ...] | None:
    """The work counter: given, or ``work_count`` of all sidecars."""
    if work is None:
        counts = [number_in(one.sidecar, "work_count") for one in series]
        work = [count for count in counts if count is not None]
        if len(work) < len(counts):
            return None
    if len(work) != len(series):
        raise HeapscopeError(f"{len(work)} work counts for {len(series)} snapshots; give one for each")
    if any(after < before for before, after in pairwise(work)):
        raise HeapscopeError(
            "the work counter falls from one snapshot to the next; it counts what was done since the start"
        )
    return tuple(map(float, work)) if work[-1] > work[0] else None
