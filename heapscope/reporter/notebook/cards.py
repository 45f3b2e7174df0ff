"""What notebooks show of an answer: a card with totals and the largest of what is in it.

Every card is one element with its own style sheet; colours are the theme's, so that it reads in light and
dark.  A card costs what is known already or is quick to count: nothing here makes an index or follows
references, and nothing is printed object by object.  Text from a dump is hostile, and escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

from heapscope.analysis.growth.comparison import Comparison
from heapscope.analysis.growth.cure import Proof
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.guards import Checks
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.analysis.leaks.findings import Diagnosis, Finding
from heapscope.analysis.memory.samples import WatchedProcess
from heapscope.analysis.memory.verdict import MemoryVerdict
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import HeapscopeError
from heapscope.heap.heap import Heap
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.retention.holders import MergedPaths
from heapscope.heap.retention.paths import Path
from heapscope.heap.retention.suspects import Suspect, Suspects
from heapscope.reporter.notebook.diagnosis import diagnosis_card, finding_card
from heapscope.reporter.notebook.growth import checks_card, comparison_card, growth_card, proof_card
from heapscope.reporter.notebook.heaps import heap_card, snapshot_card, snapshots_card
from heapscope.reporter.notebook.memory import process_card, verdict_card
from heapscope.reporter.notebook.objects import object_card, objects_card
from heapscope.reporter.notebook.retention import (
    merged_paths_card,
    path_card,
    suspect_card,
    suspects_card,
)
from heapscope.reporter.notebook.tables import table_card
from heapscope.table import Table


def html_of(thing: object) -> str | None:
    """HTML of an answer; None for what has no card, or none any more (a closed heap).

    Parameters
    ----------
    thing : object
        Of one of the types of `CARDS`.
    """
    try:
        return _card(thing)
    except HeapscopeError:  # a heap that was closed, a file that has gone: `repr` tells what it can
        return None


@singledispatch
def _card(thing: object) -> str | None:
    return None


CARDS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (Checks, checks_card),
    (Comparison, comparison_card),
    (Diagnosis, diagnosis_card),
    (Finding, finding_card),
    (Growth, growth_card),
    (Heap, heap_card),
    (JavaObject, object_card),
    (MemoryVerdict, verdict_card),
    (MergedPaths, merged_paths_card),
    (ObjectSet, objects_card),
    (Path, path_card),
    (Proof, proof_card),
    (Snapshot, snapshot_card),
    (Snapshots, snapshots_card),
    (Suspect, suspect_card),
    (Suspects, suspects_card),
    (Table, table_card),
    (WatchedProcess, process_card),
)
for _kind, _draw in CARDS:
    _card.register(_kind, _draw)
