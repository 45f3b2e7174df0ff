"""The notes of a growth in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from heapscope.analysis.growth.notes import Note, NoteKind


def note_text(note: Note) -> str:
    """A note as a sentence, without a capital letter and without a full stop."""
    return _TEXTS[note.kind](note)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _fewer_classes(note: Note) -> str:
    (before, after), (count, left) = note.names, note.counts
    return f"{before} has {count:,} classes, {after} only {left:,}: was the process started again?"


def _warm_up(note: Note) -> str:
    skip = note.counts[0]
    what = "the first snapshot is" if skip == 1 else f"the first {skip} snapshots are"
    return f"{what} taken for warm-up and left out of rates; --warm-up 0 keeps them"


_TEXTS: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.PARTIAL_KEPT: lambda note: (
        f"only a part of {', '.join(note.names)} could be read: what grows may be what is missing"
    ),
    NoteKind.PARTIAL_LEFT_OUT: lambda note: (
        f"left out, since only a part could be read: {', '.join(note.names)}"
    ),
    NoteKind.SAME_MOMENT: lambda note: (
        f"the class histograms of {_some(note.names)} are of the same moments as the dumps of these names: "
        "each moment counts once"
    ),
    NoteKind.COUNTED_BY_TEXTS: lambda note: (
        f"only a part of {_some(note.names)} could be read: the counts are those of the class histograms "
        "beside them"
    ),
    NoteKind.SEVERAL_PROCESSES: lambda note: (
        f"the snapshots are of {note.counts[0]} processes, compared as one series as told"
    ),
    NoteKind.UNKNOWN_PROCESS: lambda note: "some snapshots do not tell their process; they are taken for one",
    NoteKind.FEWER_CLASSES: _fewer_classes,
    NoteKind.NO_TIMES: lambda note: "times of capture are equal: rates are per snapshot",
    NoteKind.UNDATED: lambda note: (
        f"the order is as told, for {_some(note.names)} have no date: rates are per snapshot"
    ),
    NoteKind.GUESSED_TIMES: lambda note: (
        f"the times of {_some(note.names)} are those in their names, or of the dumps beside them"
    ),
    NoteKind.CUT_TEXTS: lambda note: (
        f"{_some(note.names)}: no Total line, so the text may be cut and classes may be missing"
    ),
    NoteKind.WARM_UP: _warm_up,
    NoteKind.TWO_SNAPSHOTS: lambda note: (
        "two snapshots show a difference; whether it goes on growing they cannot show"
    ),
    NoteKind.THREE_SNAPSHOTS: lambda note: (
        "three snapshots rise by chance once in six: nothing is more than 'perhaps'"
    ),
    NoteKind.GARBAGE_GROWS: lambda note: (
        "no forecast: what the GC roots hold strongly grows little or not at all; the rest is garbage, or "
        "held softly only, and a collection frees it before memory runs out"
    ),
    NoteKind.NO_FORECAST: lambda note: (
        "no forecast: no class of the program or of a library grows, only the JDK's own"
    ),
}
