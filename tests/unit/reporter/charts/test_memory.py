"""Charts of watched processes: a panel each, as a picture for notebooks and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import heapscope
from heapscope.errors import OutputExists
from heapscope.reporter.charts.memory import MAX_PANELS, course_of, memory_figure, write_picture

SAMPLES = Path(__file__).parents[4] / "sample_dumps" / "watch.csv"


def test_a_panel_for_each_process() -> None:
    found = heapscope.watched_processes(heapscope.read_samples(SAMPLES))
    figure = memory_figure(found)
    assert len(figure.axes) == min(len(found), MAX_PANELS) > 0
    many = memory_figure([*found] * MAX_PANELS)
    assert len(many.axes) == MAX_PANELS
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_processes_are_compared_on_one_scale_over_one_time_in_the_order_of_the_text() -> None:
    found = heapscope.watched_processes(heapscope.read_samples(SAMPLES))
    figure = memory_figure(found)
    assert [axes.get_title(loc="left").partition(":")[0] for axes in figure.axes] == ["worker"] * len(found)
    assert [
        axes.get_title(loc="left")[: len(one.name)] for axes, one in zip(figure.axes, found, strict=True)
    ] == [one.name for one in found]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert not figure.legends
    for axes in figure.axes:
        said = [text.get_text() for text in axes.texts]
        assert [text.split(" 1")[0].split(" 2")[0] for text in said][-1].startswith("resident")
        assert len(said) == len(axes.lines) == 3


def test_a_small_process_has_a_scale_of_its_own_and_says_so() -> None:
    large, small = heapscope.watched_processes(heapscope.read_samples(SAMPLES))[:2]
    columns = ["rss_bytes", "heap_rss_bytes", "old_after_gc_bytes"]
    samples = small.samples.assign(**{name: small.samples[name] / 50 for name in columns})
    first, second = memory_figure([large, replace(small, samples=samples)]).axes
    assert first.get_ylim()[1] > 20 * second.get_ylim()[1]
    assert second.get_ylabel() == "scale of its own"
    assert not first.get_ylabel()


def test_the_last_sample_of_a_process_that_ends_is_no_cliff() -> None:
    one = heapscope.watched_processes(heapscope.read_samples(SAMPLES))[0]
    start = one.samples["captured_at"].iloc[0]
    whole = course_of(one, start)
    assert not whole.has_ended_early
    samples = one.samples.copy()
    last = samples.index[-1]
    samples.loc[last, "rss_bytes"] = samples["rss_bytes"].iloc[-2] // 10
    # A drop alone is drawn: it may be true.
    assert not course_of(replace(one, samples=samples), start).has_ended_early
    samples.loc[last, "heap_rss_bytes"] = float("nan")
    cut = replace(one, samples=samples)
    course = course_of(cut, start)
    assert course.has_ended_early
    assert course.lines["rss_bytes"][1] == whole.lines["rss_bytes"][1][:-1]
    (axes,) = memory_figure([cut]).axes
    assert "its last sample, taken while it ended, is left out" in axes.get_title(loc="left")


def test_a_picture_is_not_overwritten_unasked(tmp_path: Path) -> None:
    found = heapscope.watched_processes(heapscope.read_samples(SAMPLES))[:1]
    path = tmp_path / "memory.svg"
    write_picture(found, path)
    assert "<svg" in path.read_text("utf-8")
    with pytest.raises(OutputExists):
        write_picture(found, path)
