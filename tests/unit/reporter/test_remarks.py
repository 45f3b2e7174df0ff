"""What the reader has to know beside the figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.snapshots import Snapshots
from heapscope.errors import HeapscopeError
from heapscope.reporter.incident import build_incident
from tests.unit.reporter.series import FACTS, FILE_SYSTEM, series


def grown(*counts: int) -> Snapshots:
    return series({FILE_SYSTEM: (counts, 48), "byte[]": ([100] * len(counts), 1000)})


def test_two_snapshots_are_no_proof() -> None:
    assert "Two snapshots show a difference, not a leak" in [
        remark.title for remark in build_incident(grown(1, 2)).remarks
    ]
    assert not build_incident(series(facts=None)).remarks


def test_the_ticket_cache_hint_needs_the_variable_and_the_growth() -> None:
    (hint,) = build_incident(series()).remarks
    assert hint.kind == "hint"
    assert "KERB_TICKET_CACHE_PATH" in hint.title
    assert "not a diagnosis" in hint.text
    assert {link.label for link in hint.links} == {"TensorFlow PR 24391", "HDFS-3545"}

    healthy = series({FILE_SYSTEM: ((1, 1, 1), 48)})
    assert not build_incident(healthy).remarks
    without = {name: value for name, value in FACTS.environment.items() if name != "KERB_TICKET_CACHE_PATH"}
    assert not build_incident(series(facts=replace(FACTS, environment=without))).remarks


def test_class_histograms_without_a_date_are_ordered_as_told_with_a_caution(tmp_path: Path) -> None:
    table = " num     #instances         #bytes  class name\n----\n   1:  {0}  {1}  {2}\nTotal {0} {1}\n"
    paths = []
    for number in range(2):
        path = tmp_path / f"h{number}.txt"
        path.write_text(table.format(1 + number, 48 + 48 * number, "org.apache.hadoop.fs.RawLocalFileSystem"))
        paths.append(path)
    with pytest.raises(HeapscopeError, match="order is not known"):
        build_incident(heapscope.snapshots(paths))
    incident = build_incident(heapscope.snapshots(paths[::-1], order="given"))
    assert incident.watched_classes[0].instance_counts == (2, 1)
    assert incident.snapshots[0].captured_at_source == "given order"
    assert "The order is as told" in [remark.title for remark in incident.remarks]
    assert incident.process is None
