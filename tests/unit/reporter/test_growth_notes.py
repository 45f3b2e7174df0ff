"""Notes of a growth: every kind has words, with the names and figures that it has."""

from __future__ import annotations

import pytest

from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.reporter.growth_notes import note_text

FIGURES = {
    NoteKind.FEWER_CLASSES: Note(NoteKind.FEWER_CLASSES, ("one", "two"), (1000, 10)),
    NoteKind.SEVERAL_PROCESSES: Note(NoteKind.SEVERAL_PROCESSES, counts=(3,)),
    NoteKind.WARM_UP: Note(NoteKind.WARM_UP, counts=(2,)),
    NoteKind.PARTIAL_KEPT: Note(NoteKind.PARTIAL_KEPT, ("one", "two")),
    NoteKind.PARTIAL_LEFT_OUT: Note(NoteKind.PARTIAL_LEFT_OUT, ("one", "two")),
}


@pytest.mark.parametrize("kind", NoteKind)
def test_every_kind_has_words_with_its_figures(kind: NoteKind) -> None:
    note = FIGURES.get(kind, Note(kind))
    text = note_text(note)
    assert text
    assert not text.endswith(".")
    for figure in (*note.names, *(f"{count:,}" for count in note.counts)):
        assert figure in text


def test_notes_are_told_apart() -> None:
    assert len({note_text(FIGURES.get(kind, Note(kind))) for kind in NoteKind}) == len(NoteKind)
