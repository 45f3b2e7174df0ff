"""Cures that class histograms do not tell of: entries of a collection of the JDK, elements of one field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import heapscope
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
HOOK = "java.io.DeleteOnExitHook"


def run(folder: Path, entries: Sequence[int], *, chunks: Sequence[int] = (0,) * 4) -> heapscope.Snapshots:
    """Paths to delete at exit, and arrays in a list of the program, beside arrays that belong to nobody."""
    folder.mkdir()
    for hour, (count, chunk_count) in enumerate(zip(entries, chunks, strict=True)):
        d = DumpBuilder(timestamp_ms=1_700_000_000_000 + hour * HOUR_MS)
        d.cls("com.acme.Main", fields={"number": "int"})
        d.cls(HOOK)
        path = d.instance("com.acme.Main", number=1)
        d.static(HOOK, "files", "Object", d.object_array("java.lang.Object[]", [path] * count))
        held = [d.primitive_array("byte", bytes(60)) for _ in range(chunk_count)]
        d.static("com.acme.Main", "chunks", "Object", d.object_array("java.lang.Object[]", held))
        for _ in range((90, 0, 400, 200)[hour]):
            d.primitive_array("byte", bytes(60))
        for name in (HOOK, "com.acme.Main"):
            d.root("STICKY_CLASS", d.class_id(name))
        (folder / f"{hour}.hprof").write_bytes(d.dump().data)
    return heapscope.snapshots(folder)


@pytest.mark.parametrize(
    ("after", "work", "verdict"),
    [
        ([500, 1500, 2500, 3500], False, "not fixed"),
        ([500, 600, 700, 800], False, "not fixed"),  # less load
        ([0, 0, 0, 0], False, "too early to tell"),  # nothing shows that it worked
        ([3500, 3500, 3500, 3500], False, "too early to tell"),
        ([0, 0, 0, 0], True, "fixed"),
        ([900, 20, 700, 10], False, "fixed"),
    ],
)
def test_entries_of_a_collection_of_the_jdk_decide(
    tmp_path: Path, after: list[int], work: bool, verdict: str
) -> None:
    before = run(tmp_path / "before", [1200, 2200, 3200, 4200])
    count = ([0.0, 10.0, 20.0, 30.0],) * 2
    proof = before.prove(run(tmp_path / "after", after), force_series=True, work=count if work else None)
    assert proof.verdict == verdict, proof.reason
    assert proof.decisive[0].name == "java.io.DeleteOnExitHook.files"
    assert proof.decisive[0].expected == pytest.approx(3000)


@pytest.mark.parametrize(
    ("after", "verdict"), [([100, 300, 500, 700], "not fixed"), ([300, 10, 250, 20], "fixed")]
)
def test_elements_of_one_field_decide_where_its_class_is_everybodys(
    tmp_path: Path, after: list[int], verdict: str
) -> None:
    none = [0] * 4
    before = run(tmp_path / "before", none, chunks=[100, 300, 500, 700])
    proof = before.prove(run(tmp_path / "after", none, chunks=after), force_series=True)
    assert proof.verdict == verdict, proof.reason
    assert proof.decisive[0].name == "com.acme.Main.chunks"
