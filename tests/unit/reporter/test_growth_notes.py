"""Every kind of note has its words."""

from __future__ import annotations

import pytest

from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.reporter.growth_notes import note_text


@pytest.mark.parametrize("kind", NoteKind)
def test_every_note_has_words_and_its_names(kind: NoteKind) -> None:
    note = Note(kind, ("monday", "tuesday"), (905, 700))
    text = note_text(note)
    assert text
    assert not text.endswith(".")
    if kind in (NoteKind.PARTIAL_KEPT, NoteKind.PARTIAL_LEFT_OUT, NoteKind.FEWER_CLASSES):
        assert "monday" in text
        assert "tuesday" in text
    if kind in (NoteKind.SEVERAL_PROCESSES, NoteKind.WARM_UP, NoteKind.FEWER_CLASSES):
        assert "905" in text
