"""Where snapshots lie in time and work, and what is warm-up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.errors import HeapscopeError
from tests.unit.reporter.series import series


def test_rates_are_per_snapshot_where_times_mean_nothing() -> None:
    growth = series(step=timedelta(0)).growth()
    assert growth.unit == "snapshot"
    assert growth["javax.security.auth.Subject"].instances.per_hour is None
    assert growth.forecasts == ()
    assert Note(NoteKind.NO_TIMES) in growth.notes
    assert "instance_count_per_snapshot" in growth.to_frame()


def test_rates_per_operation() -> None:
    growth = series().growth(work=[100, 200, 300, 400])
    rate = growth["javax.security.auth.Subject"].instances.per_operation
    assert rate is not None
    assert rate.value == pytest.approx(0.5)
    assert growth.to_frame()["instance_count_per_operation"].notna().all()


def test_work_counters_of_sidecars(series: list[Path]) -> None:
    for path, work in zip(series, (100, 200, 300), strict=True):
        path.with_name(path.name + ".json").write_text(json.dumps({"work_count": work}))
    rate = heapscope.snapshots(series).growth()["org.apache.hadoop.hdfs.DistributedFileSystem"].instances
    assert rate.per_operation is not None
    assert rate.per_operation.value == pytest.approx(10)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda s: s.growth(work=[1, 2]), "2 work counts for 4 snapshots"),
        (lambda s: s.growth(work=[1, 2, 3, 2]), "the work counter falls"),
        (lambda s: s.growth(warm_up=3), "2 at least have to stay"),
        (lambda s: s.growth(warm_up=-1), "2 at least have to stay"),
        (lambda s: s.growth("size"), "growth by 'size'"),
        (lambda s: s[:1].growth(), "1 snapshot given"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[heapscope.Snapshots], Growth], problem: str) -> None:
    with pytest.raises(HeapscopeError, match=problem):
        call(series())


def test_the_warm_up_of_the_heap_is_left_out() -> None:
    counts = (500, 4000, 10_000, 10_100, 10_200, 10_300, 10_400, 10_500, 10_600)
    growth = series({"a.Session": (counts, 64)}).growth()
    assert growth.axis.skip == 2
    assert Note(NoteKind.WARM_UP, counts=(2,)) in growth.notes
    assert growth["a.Session"].since == 2
    rate = growth["a.Session"].instances.per_hour
    assert rate is not None
    assert rate.value == pytest.approx(600)  # 100 in ten minutes
    assert series({"a.Session": (counts, 64)}).growth(warm_up=0).axis.skip == 0
