"""Charts of watched processes: a panel each, as a picture for notebooks and files."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.errors import OutputExists
from heapscope.reporter.charts.memory import MAX_PANELS, memory_figure, write_picture

SAMPLES = Path(__file__).parents[4] / "sample_dumps" / "watch.csv"


def test_a_panel_for_each_process() -> None:
    found = heapscope.watched_processes(heapscope.read_samples(SAMPLES))
    figure = memory_figure(found)
    assert len(figure.axes) == min(len(found), MAX_PANELS) > 0
    many = memory_figure([*found] * MAX_PANELS)
    assert len(many.axes) == MAX_PANELS
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_picture_is_not_overwritten_unasked(tmp_path: Path) -> None:
    found = heapscope.watched_processes(heapscope.read_samples(SAMPLES))[:1]
    path = tmp_path / "memory.svg"
    write_picture(found, path)
    assert "<svg" in path.read_text("utf-8")
    with pytest.raises(OutputExists):
        write_picture(found, path)
