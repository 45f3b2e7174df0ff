"""How wide references are, by the room that arrays take: dumps of VMs without ``Unsafe``."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.parser.layout.array_gaps import ArrayGaps
from tests.support.dumps import DumpBuilder

BASE = 0xE000_0000


def arrays(reference_bytes: int, count: int = 20, hole: int = 0) -> DumpBuilder:
    """Arrays of 0 to 4 references with a string-like object behind each; some with a hole behind."""
    d = DumpBuilder(jdk=8)
    d.cls("a.Holder", fields={"name": "String", "n": "int"})
    at = BASE + 0x10000
    header = 24 if reference_bytes == 8 else 16
    for number in range(count):
        length = number % 5
        d.object_array("java.lang.Object[]", [None] * length, at=at)
        at += (header + length * reference_bytes + 7) & -8
        at += hole if number == 3 else 0
        d.instance("a.Holder", at=at, n=number)
        at += 32 if reference_bytes == 8 else 24
    return d


@pytest.mark.parametrize(("reference_bytes", "holder_bytes"), [(4, 24), (8, 32)])
@pytest.mark.parametrize("hole", [0, 64])
def test_the_gap_behind_an_array_tells(
    tmp_path: Path, reference_bytes: int, holder_bytes: int, hole: int
) -> None:
    path = arrays(reference_bytes, hole=hole).dump().save(tmp_path / "d.hprof")
    with heapscope.open(path, use_index=False) as heap:
        assert heap.layout.reference_bytes == reference_bytes
        assert f"references of {reference_bytes} bytes end" in heap.layout.evidence
        assert "arrays of references" in heap.layout.evidence
        sizes = {row["class_name"]: row["shallow_bytes"] for row in heap.histogram().rows()}
    assert sizes["a.Holder"] == 20 * holder_bytes


def test_few_arrays_prove_nothing(tmp_path: Path) -> None:
    path = arrays(8, count=4).dump().save(tmp_path / "d.hprof")
    with heapscope.open(path, use_index=False) as heap:
        assert heap.layout.reference_bytes == 4
        assert "does not tell" in heap.layout.evidence
        assert heap.layout.confidence == "estimated"


def test_identifiers_that_are_no_addresses_prove_nothing() -> None:
    close = ArrayGaps(50, compressed_count=0, full_count=0, compressed_overlaps=50, full_overlaps=50)
    assert close.reference_bytes is None
    assert ArrayGaps(50, compressed_count=48, full_overlaps=48).reference_bytes == 4
    assert ArrayGaps(50, full_count=48).reference_bytes == 8
    assert ArrayGaps(50, full_count=48, full_overlaps=1).reference_bytes is None


def java(d: DumpBuilder, thread: dict[str, str], throwable: dict[str, str]) -> None:
    d.cls("java.lang.Thread", fields={"inheritableThreadLocals": "Map", **thread})
    d.cls("java.lang.Throwable", fields={"cause": "Throwable", **throwable})


@pytest.mark.parametrize(
    ("thread", "throwable", "label", "confidence", "class_bytes"),
    [
        ({"nativeParkEventPointer": "long"}, {}, "JDK 6", "exact", 16 + 3 * 8 + 8),
        ({}, {}, "JDK 5", "estimated", 16 + 2 * 8 + 8),
        ({"nativeParkEventPointer": "long"}, {"suppressedExceptions": "List"}, "JDK 7", "estimated", 0),
    ],
)
def test_only_what_was_checked_is_exact(
    tmp_path: Path,
    thread: dict[str, str],
    throwable: dict[str, str],
    label: str,
    confidence: str,
    class_bytes: int,
) -> None:
    d = arrays(8)
    java(d, thread, throwable)
    d.cls("java.lang.Class", fields={"name": "String"})
    with heapscope.open(d.dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        assert heap.layout.confidence == confidence
        assert f"shaped as in {label}" in heap.layout.evidence
        assert ("not checked" in heap.layout.evidence) == (confidence == "estimated")
        sizes = {row["class_name"]: row for row in heap.histogram().rows()}["java.lang.Class"]
    if class_bytes:  # class objects are alike: their statics lie elsewhere
        assert sizes["shallow_bytes"] == sizes["instance_count"] * class_bytes
