"""What the reader of a growth has to know of the series: a kind and its figures, worded by the reporter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """What a note is about; in brackets the names and counts that it has."""

    PARTIAL_KEPT = "partial snapshots kept"  # [names of them]
    PARTIAL_LEFT_OUT = "partial snapshots left out"  # [names of them]
    SAME_MOMENT = "texts of the moment of a dump left out"  # [names of them]
    COUNTED_BY_TEXTS = "partial dumps with the counts of texts"  # [names of them]
    SEVERAL_PROCESSES = "several processes"  # [counts: processes]
    UNKNOWN_PROCESS = "process unknown"
    FEWER_CLASSES = "fewer classes"  # [names: before, after; counts: classes before, after]
    NO_TIMES = "no times"
    UNDATED = "no time of capture"  # [names of them]
    GUESSED_TIMES = "times from names"  # [names of them]
    CUT_TEXTS = "texts without their end"  # [names of them]
    WARM_UP = "warm-up left out"  # [counts: snapshots], found by itself
    TWO_SNAPSHOTS = "two snapshots"
    THREE_SNAPSHOTS = "three snapshots"
    GARBAGE_GROWS = "garbage grows"  # the heap grows, and what is held strongly hardly does: no forecast
    NO_FORECAST = "no forecast"  # the heap grows, and no class of the program or of a library does


@dataclass(frozen=True, slots=True)
class Note:
    """Something that limits what a growth says.

    Attributes
    ----------
    kind : NoteKind
    names : tuple of str
        Of snapshots.
    counts : tuple of int
    """

    kind: NoteKind
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
