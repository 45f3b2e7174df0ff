"""Snapshots in order, and what is known of all of them together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heapscope.analysis.growth.same_process import Process
from heapscope.analysis.growth.series import Series
from heapscope.errors import HeapscopeError
from heapscope.parser.broken.coverage import Coverage
from tests.unit.reporter.series import START, series

CLASSES = {"a.B": ((1, 2, 3), 16), "a.C": ((0, 0, 5), 8)}
PART = Coverage(
    read_bytes=10,
    expected_bytes=20,
    is_end_known=True,
    gaps=(),
    parts=0,
    object_count=1,
    unknown_class_objects=0,
    unnamed_classes=0,
    broken_chain_classes=0,
    duplicate_objects=0,
    has_roots=True,
)


def made() -> Series:
    return Series(series(CLASSES))


def test_they_come_in_the_order_of_time() -> None:
    forward = made()
    backward = Series(reversed(forward))
    assert (
        [one.name for one in backward] == [one.name for one in forward] == ["train-1", "train-2", "train-3"]
    )


def test_of_one_time_they_stay_as_given() -> None:
    one, other, _ = (replace(each, captured_at=START) for each in made())
    assert [each.name for each in Series([other, one])] == ["train-2", "train-1"]


def test_a_part_of_a_series_is_a_series_of_its_kind() -> None:
    whole = series(CLASSES)
    assert type(whole[1:]) is type(whole)
    assert type(made()[1:]) is Series
    assert [one.name for one in made().at([0, 2])] == ["train-1", "train-3"]


def test_figures_by_class_have_a_place_for_each_snapshot() -> None:
    assert made().by_class == {"a.B": ([1, 2, 3], [16, 32, 48]), "a.C": ([0, 0, 5], [0, 0, 40])}


def test_partial_snapshots_are_compared_only_where_too_few_are_whole() -> None:
    whole = list(made())
    assert Series([*whole[:2], replace(whole[2], coverage=PART)]).comparable == (0, 1)
    assert Series([whole[0], replace(whole[1], coverage=PART)]).comparable == (0, 1)


def test_too_few_are_an_error() -> None:
    with pytest.raises(HeapscopeError, match="no snapshot given"):
        Series([]).need(1)
    with pytest.raises(HeapscopeError, match="1 snapshot given; 2 or more"):
        made()[:1].need(2)
    made().need(3)


def test_the_process_with_most_snapshots_stays() -> None:
    known = [Process((0, 2), "process 7", True), Process((1,), "process 8", True)]
    found, left_out = Series(made(), known).of_one_process()
    assert [one.name for one in found] == ["train-1", "train-3"]
    assert [(one.members, one.label) for one in found.processes()] == [((0, 1), "process 7")]
    assert "process 7" in left_out
    alone, nothing = found.of_one_process()
    assert (alone is found, nothing) == (True, "")


def test_a_snapshot_that_tells_no_process_belongs_to_the_one_before(tmp_path: Path) -> None:
    (process,) = made().processes()
    assert (process.members, process.is_certain) == ((0, 1, 2), False)
    assert made()[0].captured_at + timedelta(minutes=10) == made()[1].captured_at
