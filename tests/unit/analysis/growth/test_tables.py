"""Tables of a series: watched classes, two snapshots, every class."""

from __future__ import annotations

import pytest

from heapscope.analysis.growth.tables import census_table, diff_table, trend_table, watched
from heapscope.analysis.verdicts import GROWS, PERHAPS, STEADY, TOO_FEW, Verdict
from heapscope.errors import HeapscopeError
from tests.unit.reporter.series import LEAK, series

CLASSES = {"a.Leak": ((1, 2, 3, 4), 16), "a.Same": ((5, 5, 5, 5), 8), "b.Jump": ((1, 1, 1, 90), 8)}


def test_every_class_is_judged_as_growth_judges_it() -> None:
    found = series(LEAK)
    growth = found.growth()
    rows = {row["class_name"]: row["is_growing"] for row in trend_table(found).rows()}
    assert rows == {key.name: key.may_grow for key in growth.keys}
    assert set(rows.values()) == {True, False}
    for one in watched(found, sorted(LEAK)):
        assert (one.verdict, one.is_growing) == (growth[one.class_name].verdict, rows[one.class_name])


@pytest.mark.parametrize(
    ("count", "verdict", "is_growing"),
    [(1, TOO_FEW, False), (2, TOO_FEW, False), (3, PERHAPS, True), (4, GROWS, True)],
)
def test_few_snapshots_say_little(count: int, verdict: Verdict, is_growing: bool) -> None:
    (leak,) = watched(series(CLASSES)[:count], ["a.Leak"])
    assert (leak.verdict, leak.is_growing) == (verdict, is_growing)
    assert leak.instance_counts == (1, 2, 3, 4)[:count]


def test_a_pattern_takes_its_classes_together() -> None:
    both, none = watched(series(CLASSES), ["a.*", "b.None"])
    assert both.matched_classes == ("a.Leak", "a.Same")
    assert both.instance_counts == (6, 7, 8, 9)
    assert both.shallow_bytes == (56, 72, 88, 104)
    assert (both.instance_count_delta, both.shallow_bytes_per_snapshot) == (3, 16)
    assert both.is_present
    assert (none.is_present, none.verdict, none.instance_counts) == (False, STEADY, (0, 0, 0, 0))


def test_what_jumps_once_does_not_grow() -> None:
    (row,) = (row for row in trend_table(series(CLASSES)).rows() if row["class_name"] == "b.Jump")
    assert row["instance_count_delta"] == 89
    assert not row["is_growing"]


def test_only_what_changed_differs() -> None:
    rows = list(diff_table(series(CLASSES), 0, 1).rows())
    assert [(row["class_name"], row["instance_count_delta"], row["shallow_bytes_delta"]) for row in rows] == [
        ("a.Leak", 1, 16)
    ]


def test_a_census_has_a_row_for_each_class_and_snapshot() -> None:
    table = census_table(series(CLASSES), ["a.Leak", "a.Same"])
    assert table.column("instance_count") == [1, 2, 3, 4, 5, 5, 5, 5]
    assert table.column("snapshot")[:4] == ["train-1", "train-2", "train-3", "train-4"]


def test_too_few_snapshots_are_an_error() -> None:
    with pytest.raises(HeapscopeError, match="no snapshot given"):
        watched(series(CLASSES)[:0])
    for table in (diff_table, trend_table):
        with pytest.raises(HeapscopeError, match="2 or more"):
            table(series(CLASSES)[:1])
