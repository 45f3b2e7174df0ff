"""What collections count themselves stands for the work that was done: by dumps of known truth."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.insertions import inserted
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
SESSION, REGISTRY = "com.acme.Session", "com.acme.Registry"
FIELD = f"{REGISTRY}.sessions"


def dump(path: Path, hour: int, kept: int, changes: int, *, kind: str = "java.util.HashMap") -> None:
    """A heap with a static map of sessions: ``kept`` are in it, and it was changed so many times."""
    builder = DumpBuilder(timestamp_ms=1_700_000_000_000 + hour * HOUR_MS)
    fields = {"table": "Object", "size": "int", "modCount": "int"}
    if kind == "java.util.LinkedHashMap":
        fields["accessOrder"] = "boolean"
    if kind == "java.util.concurrent.ConcurrentHashMap":
        del fields["modCount"]
    builder.cls(kind, fields=fields)
    builder.cls("java.util.HashSet", fields={"map": "Object"})
    builder.cls(SESSION, fields={"data": "Object"})
    builder.cls(REGISTRY)
    sessions = [
        builder.instance(SESSION, data=builder.primitive_array("byte", [0] * 64)) for _ in range(kept)
    ]
    table = builder.object_array("java.lang.Object[]", sessions)
    collection = builder.instance(kind, table=table, size=kept)
    if "modCount" in fields:
        builder.set(collection, modCount=changes)
    if "accessOrder" in fields:
        builder.set(collection, accessOrder=True)
    held = builder.instance("java.util.HashSet", map=collection)
    builder.static(REGISTRY, "sessions", "Object", held)
    builder.root("STICKY_CLASS", builder.class_id(REGISTRY))
    path.write_bytes(builder.dump().data)


def run(folder: Path, kept: list[int], changes: list[int], **options: str) -> heapscope.Snapshots:
    folder.mkdir()
    for hour, (held, changed) in enumerate(zip(kept, changes, strict=True)):
        dump(folder / f"{hour}.hprof", hour, held, changed, **options)
    return heapscope.snapshots(sorted(folder.iterdir()))


def test_elements_put_in_are_counted(tmp_path: Path) -> None:
    leaks = run(tmp_path / "leaks", [100, 200, 300], [100, 200, 300])
    assert inserted(leaks, FIELD) == 200  # each change is one more
    comes_and_goes = run(tmp_path / "goes", [10, 10, 10], [1000, 1200, 1400])
    assert inserted(comes_and_goes, FIELD) == 200  # each came, and went
    assert inserted(leaks, f"{REGISTRY}.other") is None
    assert inserted(leaks, "") is None


def test_what_does_not_count_its_changes_tells_nothing(tmp_path: Path) -> None:
    concurrent = run(tmp_path / "a", [1, 1], [5, 90], kind="java.util.concurrent.ConcurrentHashMap")
    assert inserted(concurrent, FIELD) is None
    by_access = run(tmp_path / "b", [1, 1], [5, 90], kind="java.util.LinkedHashMap")
    assert inserted(by_access, FIELD) is None  # who only looks something up changes its order
    renewed = run(tmp_path / "c", [1, 1, 1], [5, 90, 3])
    assert inserted(renewed, FIELD) is None  # a new map


@pytest.mark.parametrize(
    ("kept", "changes", "verdict"),
    [
        ([0, 0, 0, 0], [200, 400, 600, 800], "fixed"),  # a hundred came an hour, and went
        ([30, 30, 30, 30], [200, 400, 600, 800], "fixed"),
        ([0, 0, 0, 0], [0, 0, 0, 0], "too early to tell"),  # idle
        ([30, 30, 30, 30], [30, 30, 30, 30], "too early to tell"),
        ([0, 0, 0, 0], [3, 7, 11, 13], "too early to tell"),  # next to nothing was done
        ([30, 33, 33, 33], [100, 106, 106, 106], "too early to tell"),  # of few that came as many stayed
        ([30, 60, 90, 120], [30, 60, 90, 120], "not fixed"),
    ],
)
def test_a_collection_that_was_used_and_did_not_fill_is_cured(
    tmp_path: Path, kept: list[int], changes: list[int], verdict: str
) -> None:
    before = run(tmp_path / "before", [100, 200, 300, 400], [100, 200, 300, 400])
    proof = before.prove(run(tmp_path / "after", kept, changes))
    assert [one.name for one in proof.decisive] == [SESSION]
    assert proof.verdict == verdict
