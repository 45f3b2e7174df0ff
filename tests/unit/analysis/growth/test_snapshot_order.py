"""The order of snapshots that do not say when they were taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.snapshot_order import Order
from heapscope.errors import HeapscopeError
from tests.unit.cli.conftest import histogram_text, write_histogram


def undated(folder: Path, name: str, count: int, file_time: int = 0) -> Path:
    path = folder / f"{name}.txt"
    path.write_text(histogram_text([("a.B", count, 16 * count)]))
    if file_time:
        os.utime(path, (file_time, file_time))
    return path


@pytest.fixture(name="copied")
def _copied(tmp_path: Path) -> list[Path]:
    """Three texts whose files were copied in the wrong order."""
    return [undated(tmp_path, f"run-{i}", i, 1_700_000_000 - 100 * i) for i in (1, 2, 10)]


def test_what_needs_an_order_asks_for_it(copied: list[Path]) -> None:
    found = heapscope.snapshots(copied)
    for ask in (found.growth, found.trend_table, found.diff_table):
        with pytest.raises(HeapscopeError, match=r"--order given .* --order name"):
            ask()
    assert found.check(["a.B <= 10"])  # a limit needs none


@pytest.mark.parametrize(("order", "counts"), [("name", (1, 2, 10)), ("given", (10, 1, 2))])
def test_the_order_that_is_told_is_kept_and_said(
    copied: list[Path], order: Order, counts: tuple[int, ...]
) -> None:
    growth = heapscope.snapshots([copied[2], *copied[:2]], order=order).growth()
    assert growth["a.B"].instance_counts == counts
    assert {one.captured_at_source for one in growth.snapshots} == {f"{order} order"}
    assert growth.axis.hours is None  # nobody knows how long it took


def test_dates_in_names_give_an_order_and_times(tmp_path: Path) -> None:
    paths = [undated(tmp_path, f"h-20261102T03{minute:02}00", minute) for minute in (20, 10, 0 + 30)]
    growth = heapscope.snapshots(paths).growth()
    assert growth["a.B"].instance_counts == (10, 20, 30)
    assert growth.axis.hours == pytest.approx((0, 1 / 6, 2 / 6))
    same_day = [undated(tmp_path, f"h-20261103-{letter}", 5) for letter in "ab"]
    with pytest.raises(HeapscopeError, match="order is not known"):
        heapscope.snapshots(same_day).growth()


def test_a_told_order_overrules_dates_that_were_guessed(tmp_path: Path) -> None:
    same_day = [undated(tmp_path, f"h-20261103-{letter}", count) for count, letter in enumerate("abc", 1)]
    growth = heapscope.snapshots(same_day[::-1], order="name").growth()
    assert growth["a.B"].instance_counts == (1, 2, 3)
    assert {one.captured_at_source for one in growth.snapshots} == {"name order"}
    days = [undated(tmp_path, f"h-2026110{day}", day) for day in (4, 5, 6)]
    told = heapscope.snapshots([days[1], days[0], days[2]], order="given").growth()
    assert told["a.B"].instance_counts == (5, 4, 6)
    assert told.axis.hours is None
    fits = heapscope.snapshots(days, order="given").growth()
    assert fits.axis.hours == pytest.approx((0, 24, 48))  # and dates that fit are kept


def test_a_told_order_does_not_overrule_what_snapshots_say(tmp_path: Path, copied: list[Path]) -> None:
    early = write_histogram(tmp_path / "early.txt", [("a.B", 1, 16)], 0)
    late = write_histogram(tmp_path / "late.txt", [("a.B", 2, 32)], 60)
    with pytest.raises(HeapscopeError, match="late before early"):
        heapscope.snapshots([late, copied[0], early], order="given")
    found = heapscope.snapshots([early, copied[0], late], order="given")
    assert [one.name for one in found] == ["early", "run-1", "late"]


def test_several_tables_of_one_text_are_snapshots_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "all.txt"
    tables = [histogram_text([("a.B", count, 16 * count)]) for count in (1, 3, 2)]
    path.write_text("\n".join(tables))
    found = heapscope.snapshots([path])
    assert [one.name for one in found] == ["all#1", "all#2", "all#3"]
    assert found.growth()["a.B"].instance_counts == (1, 3, 2)
    dated = "".join(f"2026-11-01 10:0{i}:00\n{table}\n" for i, table in enumerate(tables))
    path.write_text(dated)
    assert [one.captured_at.minute for one in heapscope.snapshots([path])] == [0, 1, 2]
    path.write_text("".join(f"{pid}:\n{table}" for pid, table in zip((7, 8, 7), tables, strict=True)))
    assert [one.members for one in heapscope.snapshots([path]).processes()] == [(0, 2), (1,)]
