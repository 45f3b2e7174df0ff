"""How many elements were put into the collection of a field while snapshots were taken."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP
from heapscope.analysis.thresholds import SERIES_DUMPS
from heapscope.errors import HeapscopeError
from heapscope.heap.objects.modifications import modifications
from heapscope.progress import Progress, no_progress


def inserted(series: Series, field: str, progress: Progress = no_progress) -> int | None:
    """How many elements were put in from the first snapshot to the last, by the collection's own counter.

    Each change is one more or one less, so of ``m`` changes and ``d`` more elements ``(m + d) / 2`` were put
    in.  What is taken out all at once counts as one change, so there may have been more.

    Parameters
    ----------
    series : Series
        Of one process.
    field : str
        ``com.acme.SessionRegistry.sessions``.
    progress : Progress
        Told how far reading the dumps is; each is opened.

    Returns
    -------
    int or None
        None where that cannot be told: not every snapshot is a dump that can still be read, there are more
        than `SERIES_DUMPS`, the field has no collection that counts its changes, or not always the same ones.
    """
    if not field or len(series) > SERIES_DUMPS or not all(each.kind == DUMP for each in series):
        return None
    with suppress(HeapscopeError, OSError):  # a dump may be gone by now
        counts = series.of_each_dump(lambda _, graph: modifications(graph, field), progress)
        told = [each for each in counts if each is not None]
        if len(told) < len(counts) or len({each.collection_count for each in told}) > 1:
            return None
        total = 0
        for one, other in pairwise(told):
            changes = other.modification_count - one.modification_count
            if changes < 0:  # a new collection
                return None
            total += max(0, changes + other.element_count - one.element_count) // 2
        return total
    return None
