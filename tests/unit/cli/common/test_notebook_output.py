"""Answers drawn as HTML: only inside the block that asks for it."""

from __future__ import annotations

from heapscope.cli.common.answer import Answer, Column
from heapscope.cli.common.notebook_output import draw, draw_answer, drawing, is_drawing
from heapscope.table import Table

TABLE = Table({"count": [1_000, 2], "class_name": ["<b>a", "b"]})
ANSWER = Answer(
    "test", TABLE, (Column("count", "count"), Column("class_name", "class", is_text=True)), (), notes=["<i>n"]
)


def test_drawing_lasts_as_long_as_its_block() -> None:
    assert not is_drawing()
    with drawing(lambda html: None):
        assert is_drawing()
    assert not is_drawing()
    assert not draw(TABLE)


def test_a_table_is_drawn_with_its_names_first_and_escaped() -> None:
    shown: list[str] = []
    with drawing(shown.append):
        draw_answer(ANSWER, TABLE)
    (html,) = shown
    assert html.index("&lt;b&gt;a") < html.index("1,000")
    assert "<i>n" not in html


def test_what_has_no_card_is_not_drawn() -> None:
    shown: list[str] = []
    with drawing(shown.append):
        assert draw(TABLE)
        assert not draw(object())
    assert len(shown) == 1
