"""The pieces of cards: what comes in as text is escaped, shares are bars, series are small lines."""

from __future__ import annotations

from heapscope.reporter.notebook.html import (
    bar,
    card,
    ends,
    grid,
    name_cell,
    number_cell,
    pairs_list,
    sparkline,
)

HOSTILE = "<script>alert(1)</script>\u202e"


def test_text_does_nothing() -> None:
    for html in (
        card(HOSTILE, HOSTILE, ""),
        name_cell(HOSTILE),
        grid((HOSTILE,), [(name_cell(HOSTILE),)], HOSTILE),
        pairs_list([(HOSTILE, HOSTILE)]),
    ):
        assert "<script" not in html
        assert "\u202e" not in html


def test_a_bar_is_never_longer_than_its_cell() -> None:
    assert "width:100.0%" in bar(7.0)
    assert "width:0.0%" in bar(-1.0)
    assert "width:25.0%" in bar(0.25, tag="span")


def test_a_line_has_a_point_for_each_value() -> None:
    assert sparkline([1]) == ""
    points = sparkline([1, 2, 4]).split('points="')[1].split('"')[0].split()
    assert len(points) == 3
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights, reverse=True)


def test_a_column_of_figures_has_its_head_on_the_right() -> None:
    html = grid(("name", "count"), [(name_cell("a"), number_cell("1"))], "")
    assert html.count("class=n") == 1


def test_ends_keep_both() -> None:
    assert ends(range(5), 10) == [0, 1, 2, 3, 4]
    assert ends(range(100), 4) == [0, 1, 98, 99]
