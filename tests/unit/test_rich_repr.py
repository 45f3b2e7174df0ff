"""What a notebook shows: whatever the renderer that was set draws."""

from __future__ import annotations

import pytest

from heapscope import rich_repr
from heapscope.rich_repr import RichRepr, set_renderer


def test_an_answer_asks_the_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rich_repr, "_renderer", None)
    one = RichRepr()
    assert one._repr_html_() is None
    drawn: list[object] = []

    def draw(thing: object) -> str:
        drawn.append(thing)
        return "<p>"

    set_renderer(draw)
    assert one._repr_html_() == "<p>"
    assert drawn == [one]
