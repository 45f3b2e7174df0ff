"""Answers drawn as HTML: only inside the block that asks for it."""

from __future__ import annotations

import re

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


def test_first_and_last_with_their_rate_are_one_cell() -> None:
    names = ("verdict", "x_first", "x_last", "x_per_hour", "x_per_hour_low", "x_per_hour_high", "name")
    labels = ("verdict", "x\nfirst", "x\nlast", "x\nper hour", "x\nfrom", "x\nto", "class")
    columns = tuple(
        Column(name, label, is_text=name in ("verdict", "name"), is_signed="per_hour" in name)
        for name, label in zip(names, labels, strict=True)
    )
    values = (["grows"], [5], [50], [8_025], [7_449], [8_176], ["org.example.Cache$Entry"])
    table = Table(dict(zip(names, values, strict=True)))
    shown: list[str] = []
    with drawing(shown.append):
        draw_answer(Answer("growth", table, columns, ()), table)
    (html,) = shown
    assert re.findall("<th[^>]*>([^<]*)</th>", html) == ["class", "verdict", "x"]
    cells = [re.sub("<[^>]*>", " ", cell).split() for cell in re.findall("<td.*?</td>", html)]
    assert cells[1:] == [["grows"], ["5", "→", "50", "+8,025", "per", "hour", "+7,449", "to", "+8,176"]]
    # Lines break between the parts of a name, and a table that is too wide stays in its card.
    assert "org.<wbr>example.<wbr>Cache$<wbr>Entry" in html
    assert '<div class="hs-wide"><table>' in html
