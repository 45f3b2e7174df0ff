"""Conditions of signatures, one by one, on a small dump."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heapscope.analysis.growth.snapshot import read_snapshot, snapshot_of
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.known_leaks import KnownLeak
from heapscope.analysis.leaks.signatures import match
from heapscope.heap.heap import Heap
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leaks.own_leaks import with_signature
from tests.unit.cli.conftest import write_histogram


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten entries in a static map, four of them marked, five with a JNI global reference, 100 bytes each."""
    d = DumpBuilder()
    d.cls("app.Entry", fields={"name": "String", "size": "int", "content": "Object", "next": "Object"})
    d.cls("app.Special", "app.Entry")
    d.cls("app.Cache", fields={"map": "Map"})
    entries: dict[int | str, int | str | None] = {}
    ids = []
    for i in range(10):
        content = d.primitive_array("byte", bytes(100))
        kind = "app.Special" if i < 4 else "app.Entry"
        each = d.instance(kind, name=f"marked-{i}" if i < 4 else "plain", size=i, content=content)
        ids.append(each)
        entries[f"key-{i}"] = each
    d.static("app.Cache", "INSTANCE", "Object", d.instance("app.Cache", map=d.hash_map(entries)))
    d.root("STICKY_CLASS", d.class_id("app.Cache"))
    for each in ids[:5]:
        d.root("JNI_GLOBAL", each)
    return d.dump().save(tmp_path_factory.mktemp("signatures") / "app.hprof")


def matched(dump: Path, leak: KnownLeak, **facts: Any) -> list[str] | None:
    """Evidence of a leak in the dump, None where its signature does not fit."""
    with Heap(dump) as heap:
        found = match(leak, SnapshotEvidence(snapshot_of(heap), heap.graph, heap.superclasses, **facts))
        return None if found is None else [outcome.text for outcome in found.outcomes]


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ('{ count = "subject", at_least = 10 }', True),
        ('{ count = "subject", at_least = 11 }', False),
        ('{ count = "subject", at_most = 9 }', False),
        ('{ count = "app.Entry", except = "app.Special", at_least = 7 }', False),
        ('{ count = "app.Entry", where = { name = "marked-*" }, at_least = 4 }', True),
        ('{ count = "app.Entry", where = { name = "marked-*" }, at_least = 5 }', False),
        ('{ count = "app.Entry", where = { size = ">= 8" }, at_least = 2 }', True),
        ('{ count = "app.Entry", where = { size = ">= 8" }, at_least = 3 }', False),
        ('{ count = "app.Entry", where = { size = "!= 0" }, at_least = 9, at_most = 9 }', True),
        ('{ count = "app.Entry", where = { next = "null" }, at_least = 10 }', True),
        ('{ count = "app.Entry", where = { content = "byte*" }, at_least = 10 }', False),  # bytes, no name
        ('{ ratio = ["app.Entry", "app.Cache"], at_least = 10 }', True),
        ('{ ratio = ["app.Entry", "app.Cache"], at_least = 10.5 }', False),
        ('{ ratio = ["app.Entry", "threads"], at_least = 10 }', True),
        ('{ ratio = ["subject", "app.None|app.Special"], at_least = 2.5, at_most = 2.5 }', True),
        ('{ ratio = ["subject", "*pp.Cache"], at_least = 10 }', True),
        ('{ distinct = "content", at_least = 10 }', True),
        ('{ distinct = "nowhere|content", at_least = 10 }', True),
        ('{ distinct = "size", per = "name", at_least = 6 }', True),
        ('{ distinct = "size", per = "name", at_least = 7 }', False),
        ('{ distinct = "nowhere", at_least = 1 }', False),
        ('{ entries = "app.Cache#INSTANCE.map", at_least = 10 }', True),
        ('{ entries = "app.Cache#INSTANCE.map", at_least = 11 }', False),
        ('{ entries = "app.Cache#MISSING", at_least = 1 }', False),
        ('{ entries = "*Cache#INSTANCE.map", at_least = 10 }', True),
        ('{ entries = "app.None#MAP|app.Cache#INSTANCE.map", at_least = 10 }', True),
        ('{ entries = "map", of = "app.Cache", at_least = 10 }', True),
        ('{ entries = "map", of = "app.Entry", at_least = 1 }', False),
        ('{ loaders = "app.Cache#INSTANCE.map", at_least = 1 }', False),
        ('{ value = "name", is = "plain" }', True),
        ('{ value = "name", is = "plain", share = 0.61 }', False),
        ('{ map = "name", key = "x" }', False),
        ('{ sum = "size", at_least = 45 }', True),
        ('{ sum = "size", at_least = 45.5 }', False),
        ('{ sum = "size", of = "app.Special", at_least = 6, at_most = 6 }', True),
        ('{ held = "*Cache.map*", share = 1 }', True),
        ('{ held = ["no", "JNI global"], share = 0.5 }', True),
        ('{ held = "JNI global", share = 0.6 }', False),
        ('{ held = "JNI global", members = 5 }', True),
        ('{ held = "JNI global", members = 6 }', False),
        ('{ roots = "JNI global", at_least = 4 }', True),  # of one class, four of them
        ('{ roots = "JNI global", at_least = 5 }', False),
        ('{ roots = "JNI global", except = "app.Special", at_least = 2 }', False),
        ('{ roots = "JNI global", of = "app.Entry", at_least = 1, at_most = 1 }', True),
        ('{ roots = "JNI global", of = "app.None", at_least = 1 }', False),
        (
            '{ count = "app.Entry", at_least = 1 }, { count = "app.None", at_least = 1, histogram = true }',
            True,
        ),
        ("{ retained = true, at_least = 0.2 }", True),
        ("{ retained = true, at_most = 0.2 }", False),
        ('{ environment = "HOME" }', True),
        ('{ environment = "HOME", is = "/root*" }', False),
        ('{ environment = "KRB5CCNAME" }', False),
        ('{ property = "java.version", is = "17*" }', True),
        ('{ count = "app.Cache", at_least = 1 }, { count = "app.None", at_least = 1, any = "x" }', False),
        (
            '{ count = "app.Cache", at_least = 1, any = "x" },'
            '{ count = "app.None", at_least = 1, any = "x" }',
            True,
        ),
        ('{ count = "subject", at_least = 1 }, { count = "app.None", at_least = 1, hint = true }', True),
    ],
)
def test_conditions(tmp_path: Path, dump: Path, condition: str, fits: bool) -> None:
    leak = with_signature(tmp_path, condition)
    found = matched(dump, leak, environment={"HOME": "/home/x"}, properties={"java.version": "17.0.15"})
    assert (found is not None) == fits


def test_evidence_has_figures(tmp_path: Path, dump: Path) -> None:
    leak = with_signature(
        tmp_path,
        '{ count = "subject", at_least = 1 }, { sum = "size", at_least = 1, say = "{figure} in all" }',
    )
    assert matched(dump, leak) == ["10 entries", "45 in all"]


def test_an_unknown_environment_is_no_proof_of_absence(tmp_path: Path, dump: Path) -> None:
    conditions = '{ count = "subject", at_least = 1 }, { environment = "HOME" }'
    assert matched(dump, with_signature(tmp_path, conditions)) is not None
    assert matched(dump, with_signature(tmp_path, conditions), environment={"PATH": "/bin"}) is None


@pytest.mark.parametrize(
    ("subject", "count"),
    [
        ('{ class = "app.Entry" }', 10),
        ('{ class = "app.Entry", except = "app.Special" }', 6),
        ('{ class = "app.Entry", where = { name = "marked-*" } }', 4),
        ('{ class = ["app.Cache", "app.Special"] }', 5),
        ('{ entries = "app.Cache#INSTANCE.map" }', 10),
        ('{ roots = "JNI global" }', 4),
        ('{ roots = "JNI global", except = ["app.Sp*"] }', 1),
        ('{ roots = "JNI global", of = "app.Entry" }', 1),
        ('{ class = "app.Entry", exact = true }', 6),
        ('{ class = "*pp.Special" }', 4),
        ('{ entries = "map", of = "app.Cache" }', 10),
        ('{ class = "app.Entry", inside = "app.Cache#INSTANCE.map" }', 10),
        ('{ class = "app.Entry", where = { name = "plain" }, inside = "map", of = "app.Cache" }', 6),
        ('{ class = "app.Entry", outside = "app.Cache#MISSING" }', 10),
    ],
)
def test_subjects(tmp_path: Path, dump: Path, subject: str, count: int) -> None:
    leak = with_signature(
        tmp_path, f'{{ count = "subject", at_least = {count}, at_most = {count} }}', subject
    )
    assert matched(dump, leak) is not None


def test_what_is_in_a_collection_is_left_out(tmp_path: Path, dump: Path) -> None:
    nothing = '{ class = "app.Entry", outside = "map", of = "app.Cache" }'
    assert matched(dump, with_signature(tmp_path, '{ count = "subject", at_least = 1 }', nothing)) is None


def test_loaders_that_nothing_else_holds(tmp_path: Path) -> None:
    """Three drivers with loaders of their own; one loader is in use elsewhere as well."""
    d = DumpBuilder()
    d.cls("java.lang.ClassLoader")
    d.cls("app.Loader", "java.lang.ClassLoader")
    d.cls("app.Info", fields={"driver": "Object"})
    d.cls("app.Drivers")
    d.cls("app.InUse")
    table: dict[int | str, int | str | None] = {}
    for i in range(3):
        loader = d.instance("app.Loader")
        d.cls(f"plugin{i}.Driver", loader_id=loader)
        table[f"driver-{i}"] = d.instance("app.Info", driver=d.instance(f"plugin{i}.Driver"))
        if i == 0:
            d.static("app.InUse", "LOADER", "Object", loader)
    d.static("app.Drivers", "ALL", "Object", d.hash_map(table))
    d.root("STICKY_CLASS", d.class_id("app.Drivers"))
    d.root("STICKY_CLASS", d.class_id("app.InUse"))
    path = d.dump().save(tmp_path / "drivers.hprof")

    def figure(more: str) -> list[str] | None:
        condition = f'{{ loaders = "app.Drivers#ALL", through = "driver"{more}, at_least = 1 }}'
        return matched(path, with_signature(tmp_path, condition, '{ class = "app.Info" }'))

    assert figure("") == ["classes of 3 class loaders in Drivers.ALL"]
    assert figure(", alone = true") == ["2 class loaders that nothing but Drivers.ALL holds"]


def test_a_histogram_has_conditions_of_its_own(tmp_path: Path) -> None:
    conditions = (
        '{ count = "app.Entry", at_least = 5 },'
        '{ ratio = ["app.Entry", "app.File"], at_least = 5, histogram = true },'
        '{ count = "subject", at_least = 5 }'
    )
    subject = '{ class = "app.Entry", where = { open = "!= 0" } }'
    leak = with_signature(tmp_path, conditions, subject, more="class_counts_suffice = true\n")

    def found(files: int) -> bool:
        rows = [("app.Entry", 10, 160), *([("app.File", files, 16)] if files else [])]
        snapshot = read_snapshot(write_histogram(tmp_path / f"{files}.txt", rows, 0))
        return match(leak, SnapshotEvidence(snapshot, None, {})) is not None

    assert [found(files) for files in (0, 2, 3)] == [True, True, False]
