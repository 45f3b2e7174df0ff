"""What a finding has of arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heapscope.analysis.growth.statistics import Rate
from heapscope.analysis.leaks.findings import Diagnosis, Finding
from heapscope.analysis.verdicts import LEAK, LIKELY, UNDECIDED

FINDING = Finding(
    id="a-leak",
    title="It leaks",
    class_name="a.B",
    unit=("thing", "things"),
    confidence=LIKELY,
    counts=(10, 20),
    instance_count=20,
    retained_bytes=4000,
    share=0.5,
    per_hour=Rate(10.0, None, None, 0.0),
    since=None,
    since_is_estimate=False,
    held_by=(),
    holders=None,
    why="",
    cure=(),
    healthy="",
    affected=(),
    sources=(),
    evidence=(),
)
DIAGNOSIS = Diagnosis(
    status=LEAK,
    source="a",
    is_dump=True,
    snapshot_names=("a",),
    captured_at=(),
    object_counts=(1,),
    shallow_bytes=(1,),
    findings=(FINDING,),
    steady=(),
    groups=(),
    readings=(),
)


def test_bytes_of_one_and_of_an_hour() -> None:
    assert FINDING.bytes_each == 200
    assert FINDING.bytes_per_hour == pytest.approx(2000)
    unsized = replace(FINDING, retained_bytes=None)
    assert (unsized.bytes_each, unsized.bytes_per_hour) == (None, None)
    assert replace(FINDING, per_hour=None).bytes_per_hour is None
    assert replace(FINDING, instance_count=0).bytes_each == 4000  # nothing is divided by zero


def test_without_growth_there_is_no_forecast() -> None:
    assert (DIAGNOSIS.is_leak, DIAGNOSIS.forecasts) == (True, ())
    assert not replace(DIAGNOSIS, findings=(), status=UNDECIDED).is_leak
