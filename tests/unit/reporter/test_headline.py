"""The headline of a report agrees with its diagnosis, its outlook and its tables, whatever the series."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.analysis.verdicts import (
    GROWS,
    HEALTHY,
    JUMPED,
    LEAK,
    LEVELLED_OFF,
    PERHAPS,
    TOO_FEW,
    UNDECIDED,
)
from heapscope.reporter.incident import Incident, build_incident
from tests.support.dumps import DumpBuilder, build
from tests.unit.reporter.series import FILE_SYSTEM, series

SESSION, BUFFER = "com.acme.Session", "byte[]"
GROWING = (GROWS, PERHAPS)


def contradictions(incident: Incident) -> list[str]:
    """What one part of a report says and another one denies."""
    found = []
    diagnosis, outlook, watched = incident.diagnosis, incident.outlook, incident.watched_classes

    def claim(name: str, holds: bool) -> None:
        if not holds:
            found.append(f"{name}: {incident.status!r}, {incident.headline!r}, {diagnosis.status!r}")

    claim("a leak is a finding", (incident.status == "leak") == bool(diagnosis.findings))
    claim("the diagnosis has findings", (diagnosis.status == LEAK) == bool(diagnosis.findings))
    if diagnosis.findings:
        claim("the headline is the diagnosis's", incident.headline == diagnosis.headline)
    else:
        claim("no leak without a finding", "leak suspected" not in incident.headline.lower())
        claim("no leak without a finding", "leak found" not in incident.headline.replace("No leak found", ""))
    if outlook is None:
        claim("one snapshot shows no growth", incident.status not in ("growth", "steady"))
        claim("one snapshot shows no growth", not any(one.may_grow or one.is_larger for one in watched))
        return found
    growing = {one.class_name: one.verdict for one in outlook.classes}
    assert len(growing) == outlook.class_count, "the series of this test are small"
    claim("the outlook lists what grows", all(one.verdict in GROWING for one in outlook.classes))
    for change in incident.changes:
        claim("the table of changes", change.is_growing == (change.class_name in growing))
        claim("the table of changes", (change.verdict in GROWING) == change.is_growing)
    claim("one unit", {one.unit for one in (*watched, incident.whole_heap)} == {outlook.unit})
    if outlook.slope is not None:
        claim("one rate", incident.whole_heap.shallow_bytes_per_unit == outlook.slope.value)
    for finding in diagnosis.findings:
        for one in watched:
            if one.matched_classes == (finding.class_name,) and one.instance_counts == finding.counts:
                rate = finding.per_hour or one.instance_count_per_unit
                claim("one rate", one.unit == "snapshot" or one.instance_count_per_unit == rate)
    for one in watched:
        if len(one.matched_classes) == 1:
            claim("the table of watched classes", one.may_grow == (one.matched_classes[0] in growing))
    claim("the whole heap", incident.whole_heap.is_larger <= (outlook.verdict in (TOO_FEW, "steady")))
    if incident.status == "growth":
        any_watched = any(one.may_grow or one.is_larger for one in watched)
        heap_grew = outlook.verdict in (*GROWING, JUMPED, LEVELLED_OFF, TOO_FEW)
        claim("growth is in a table", any_watched or heap_grew)
    claim("two snapshots do not show health", len(outlook.heap_bytes) > 2 or incident.status != "steady")
    if incident.status in ("steady", "absent", "undecided"):
        claim("the heap does not grow", outlook.verdict not in GROWING)
        claim("nothing grows", not any(one.may_grow or one.is_larger for one in watched))
        claim("the diagnosis found nothing", diagnosis.status in (HEALTHY, UNDECIDED))
    if outlook.verdict == "shrinks":
        claim("a heap that shrinks has no forecast", not outlook.forecasts and not diagnosis.runs_out)
    claim("the forecasts are the same", len(outlook.forecasts) == len(diagnosis.runs_out))
    return found


def test_contradictions_are_seen() -> None:
    """The three dumps of which a class grows and the whole heap shrinks, with the headline of old."""
    incident = build_incident(series({SESSION: ((1, 2, 3), 48), BUFFER: ((900, 500, 100), 1000)}))
    assert contradictions(incident) == []
    assert contradictions(replace(incident, status="leak", headline="Leak suspected")) != []
    grown = build_incident(series({SESSION: ((10, 20, 30, 40), 48)}), patterns=[SESSION])
    assert contradictions(replace(grown, status="steady", headline="No watched class grew")) != []
    (row,) = grown.changes
    assert contradictions(replace(grown, changes=(replace(row, is_growing=False),))) != []


counts = st.integers(0, 60)


@st.composite
def small_series(draw: st.DrawFn) -> dict[str, tuple[list[int], int]]:
    length = draw(st.integers(1, 7))
    rising = st.lists(counts, min_size=length, max_size=length).map(sorted)
    any_order = st.lists(counts, min_size=length, max_size=length)
    of_length = st.one_of(rising, any_order, rising.map(lambda figures: figures[::-1]))
    return {
        FILE_SYSTEM: (draw(of_length), 48),
        SESSION: (draw(of_length), 32),
        BUFFER: (draw(of_length), draw(st.sampled_from([1, 16, 100_000]))),
        "java.lang.Class": ([600] * length, 120),
    }


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    small_series(),
    st.sampled_from([timedelta(0), timedelta(minutes=10)]),
    st.sampled_from([(), (FILE_SYSTEM, SESSION)]),
)
@example({FILE_SYSTEM: ([1, 2, 3], 48), BUFFER: ([900, 500, 100], 1000)}, timedelta(hours=1), ())
@example({SESSION: ([10, 20, 30, 40], 48), BUFFER: ([9, 9, 9, 9], 1_000_000)}, timedelta(hours=1), ())
@example({SESSION: ([0, 0], 48), BUFFER: ([100, 200], 1000)}, timedelta(hours=1), (FILE_SYSTEM, SESSION))
def test_no_two_parts_of_a_report_disagree(
    classes: dict[str, tuple[list[int], int]], step: timedelta, patterns: tuple[str, ...]
) -> None:
    incident = build_incident(series(classes, step=step, facts=None), patterns=patterns, limit_bytes=10**9)
    assert contradictions(incident) == []


def test_a_class_that_grows_in_a_heap_that_shrinks(tmp_path: Path) -> None:
    """Three dumps: the headline does not speak of a leak that the diagnosis does not find."""

    def heap(sessions: int, buffers: int) -> None:
        def fill(d: DumpBuilder) -> None:
            d.cls(FILE_SYSTEM, fields={"statistics": "int"})
            for _ in range(sessions):
                d.root("JNI_GLOBAL", d.instance(FILE_SYSTEM))
            for _ in range(buffers):
                d.root("JNI_GLOBAL", d.primitive_array("byte", [0] * 4096))

        path = tmp_path / f"dump-{sessions}.hprof"
        path.write_bytes(build(fill, timestamp_ms=1_480_000_000_000 + 3_600_000 * sessions).data)

    for sessions, buffers in ((1, 40), (2, 30), (3, 20)):
        heap(sessions, buffers)
    snapshots = heapscope.snapshots(sorted(tmp_path.glob("*.hprof")))
    incident = build_incident(snapshots)
    assert contradictions(incident) == []
    assert incident.outlook is not None
    assert incident.whole_heap.trend != "grew every time"
    assert incident.status != "leak"
    assert incident.diagnosis.status == HEALTHY


@pytest.mark.parametrize(
    ("counted", "status", "trend"),
    [
        ((1, 2, 3), "growth", "grew every time"),
        ((1, 2, 3, 4), "growth", "grew every time"),
        ((1, 2, 2), "steady", "varied"),  # a rise by chance is as likely
        ((1, 2), "growth", "grew"),
        ((2, 1), "undecided", "fell"),
        ((2, 2, 2), "steady", "unchanged"),
        ((2, 3, 2), "steady", "varied"),
        ((4, 3, 2, 1), "steady", "fell"),
        ((1, 2, 3, 4, 4, 4), "steady", "grew"),  # and has levelled off
        ((7,), "one snapshot", "one snapshot"),
        ((0, 0, 0), "absent", "absent"),
    ],
)
def test_status_by_growth(counted: tuple[int, ...], status: str, trend: str) -> None:
    steady = {"byte[]": ([100] * len(counted), 1000)}
    incident = build_incident(series({SESSION: (counted, 48), **steady}), patterns=[SESSION])
    assert (incident.status, incident.watched_classes[0].trend) == (status, trend)
    assert contradictions(incident) == []


def test_growth_outside_of_the_watched_classes_is_in_the_headline() -> None:
    incident = build_incident(series({FILE_SYSTEM: ((1, 1, 1), 48), "byte[]": ((100, 200, 300), 1000)}))
    assert incident.status == "leak"
    assert incident.diagnosis.findings[0].class_name == "byte[]"
