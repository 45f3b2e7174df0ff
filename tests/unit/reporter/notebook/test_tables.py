"""Cards of tables."""

from __future__ import annotations

from heapscope.table import Table
from tests.unit.reporter.notebook.conftest import page
from tests.unit.reporter.test_render import HOSTILE


def test_a_table_is_short_and_its_figures_read_well() -> None:
    table = Table(
        {
            "class_name": [HOSTILE] * 30,
            "instance_count": [1_234_567] * 30,
            "is_growing": [True] * 30,
            "object_id": [255] * 30,
            "share": [0.25] * 30,
            "value": [None] * 30,
        }
    )
    text = page(table).text
    assert "1,234,567 yes 0xff" in text
    assert text.count("1,234,567") == 20
    assert "and 10 more rows" in text
    assert page(Table({})).text == ""
