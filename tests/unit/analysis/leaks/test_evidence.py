"""What signatures can look at: lookups in one snapshot, each kept by the value that it was asked with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.analysis.growth.snapshot import read_snapshot, snapshot_of
from heapscope.analysis.leaks.evidence import SnapshotEvidence, held, matches
from heapscope.analysis.leaks.known_leaks import Subject
from tests.unit.analysis.leak import CACHE, DISTRIBUTED, FILE_SYSTEM, leak_builder
from tests.unit.cli.conftest import write_histogram


@pytest.fixture(name="evidence")
def _evidence(tmp_path: Path) -> Iterator[SnapshotEvidence]:
    """Five file systems in a static map, and two that nothing holds."""
    d = leak_builder(5, has_globals=False)
    for _ in range(2):
        d.instance(DISTRIBUTED)
    with heapscope.open(d.dump().save(tmp_path / "a.hprof")) as heap:
        yield SnapshotEvidence(snapshot_of(heap), heap.graph, heap.superclasses)


def test_it_cannot_be_changed(evidence: SnapshotEvidence) -> None:
    with pytest.raises(FrozenInstanceError):
        evidence.environment = {}  # type: ignore[misc]


def test_names_have_subclasses_and_leave_out_what_is_excepted(evidence: SnapshotEvidence) -> None:
    assert evidence.names([FILE_SYSTEM]) == (DISTRIBUTED,)
    assert evidence.names([FILE_SYSTEM], [DISTRIBUTED]) == ()
    assert evidence.count([FILE_SYSTEM]) == 7
    assert evidence.count([FILE_SYSTEM], where=[("conf", "null")]) == 2
    assert len(evidence.objects(["a.Missing"])) == 0


def test_equal_subjects_are_looked_up_once(evidence: SnapshotEvidence) -> None:
    first = evidence.subject(Subject(classes=(FILE_SYSTEM,)))
    assert evidence.subject(Subject(classes=(FILE_SYSTEM,))) is first
    assert first[1] == 5  # what nothing holds is no leak
    assert evidence.subject(Subject(classes=(FILE_SYSTEM,), garbage=True))[1] == 7
    assert evidence.merged(first[0]) is evidence.merged(first[0])


def test_what_is_in_a_static_collection(evidence: SnapshotEvidence) -> None:
    location = f"{FILE_SYSTEM}#CACHE.map"
    (container,) = evidence.containers(location)
    assert container.class_name == "java.util.HashMap"
    assert [each.index for each in evidence.containers("map", [CACHE])] == [container.index]
    assert evidence.containers("a.Missing#map") == []
    assert evidence.subject(Subject(entries=location))[1] == 5


def test_the_whole_is_what_can_be_reached(evidence: SnapshotEvidence) -> None:
    assert evidence.graph is not None
    columns = evidence.graph.columns
    everything = int(columns.size_units.sum()) * columns.unit_bytes
    assert 5 * 4000 < evidence.reachable_bytes < everything
    assert len(held(evidence.objects([FILE_SYSTEM]))) == 5


def test_a_class_histogram_has_counts_alone(tmp_path: Path) -> None:
    snapshot = read_snapshot(write_histogram(tmp_path / "a.txt", [("a.B", 3, 48)], 60))
    evidence = SnapshotEvidence(snapshot, None, {})
    assert evidence.count(["a.B"]) == 3
    assert evidence.count(["a.B"], where=[("name", "x")]) is None
    assert evidence.system_properties == {}


@pytest.mark.parametrize(
    ("values", "pattern", "expected"),
    [
        (["PROXY", "proxy", None], "PROX*", [True, False, False]),
        ([5, 4.5, "5", None], ">= 5", [True, False, False, False]),
        ([0, -1], "!= 0", [False, True]),
        ([None, ""], "null", [True, False]),
    ],
)
def test_values_that_a_signature_means(values: list[Any], pattern: str, expected: list[bool]) -> None:
    assert np.array_equal(matches(values, pattern), expected)
