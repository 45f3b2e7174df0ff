"""Small lines in tables: from zero, over time, and what is a lower bound does not break them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from heapscope.reporter.charts.sparkline import sparkline


def points(svg: str) -> list[tuple[float, float]]:
    (line,) = ET.fromstring(svg).iter("polyline")
    pairs = [pair.split(",") for pair in line.get("points", "").split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_the_line_begins_at_zero_and_keeps_the_time_between_values() -> None:
    svg = sparkline([0, 5, 10], colour="var(--count)", positions=[0, 1, 10], size=(96, 22))
    (left, bottom), (second, middle), (right, upper) = points(svg)
    assert (left, bottom) == (3, 19)
    assert (right, upper) == (93, 3)
    assert middle == 11
    assert second == 12
    assert points(sparkline([5, 10], colour="red", top=20))[1][1] == 11
    assert sparkline([1], colour="red") == ""


def test_a_lower_bound_is_a_hollow_dot_and_no_cliff() -> None:
    svg = sparkline([10, 20, 2], colour="red", partial=(2,))
    assert len(points(svg)) == 2
    hollow, end = ET.fromstring(svg).iter("circle")
    assert hollow.get("fill") == "none"
    assert end.get("cx") == "48.0"  # where the line ends
