"""Notes are values: equal where they say the same."""

from __future__ import annotations

from heapscope.analysis.growth.notes import Note, NoteKind


def test_equal_notes_are_one() -> None:
    assert Note(NoteKind.WARM_UP, counts=(2,)) == Note(NoteKind.WARM_UP, (), (2,))
    assert len({Note(NoteKind.WARM_UP, counts=(2,)), Note(NoteKind.WARM_UP, counts=(3,))}) == 2
