"""Figures of Eclipse MAT itself (tests/golden/mat) against ``semantics="mat"``, to the byte."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope
from heapscope.heap.heap import Heap

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "mat"
Rows = dict[str, dict[str, str]]


def java_name(mat_name: str) -> str:
    # MAT writes the number of a hidden class behind a plus.
    return mat_name.replace("+0x", "/0x")


@pytest.fixture(scope="module", params=["leak-4", "jdk21-leak-1"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Heap, Rows]]:
    with (GOLDEN / f"{request.param}.csv").open(encoding="utf-8", newline="") as file:
        rows = {java_name(row["class_name"]): row for row in csv.DictReader(file)}
    dump = ROOT / "sample_dumps" / f"{request.param}.hprof.gz"
    with heapscope.open(dump, semantics="mat", use_index=False) as heap:
        yield heap, rows


def test_instances_and_shallow_sizes(both: tuple[Heap, Rows]) -> None:
    heap, rows = both
    found = {row["class_name"]: row for row in heap.histogram().rows()}
    expected = {name: row for name, row in rows.items() if int(row["instance_count"])}
    assert len(expected) > 500
    assert {name: (found[name]["instance_count"], found[name]["shallow_bytes"]) for name in expected} == {
        name: (int(row["instance_count"]), int(row["shallow_bytes"])) for name, row in expected.items()
    }


def test_minimum_retained_sizes(both: tuple[Heap, Rows]) -> None:
    heap, rows = both
    table = heap.consumers.by_class
    found = dict(zip(table.column("name"), table.column("retained_bytes"), strict=True))
    expected = {name: int(row["retained_min"]) for name, row in rows.items()}
    # MAT counts the class object of java.lang.Class twice here: as a class and as an instance.
    java_lang_class = expected.pop("java.lang.Class")
    own = heap.class_objects[[c.name == "java.lang.Class" for c in heap.classes]]
    twice = heap.dominators().retained_bytes_of(int(own[0]))
    assert found["java.lang.Class"] == java_lang_class - twice
    assert {name: found.get(name, 0) for name in expected} == expected


def test_exact_retained_sizes(both: tuple[Heap, Rows]) -> None:
    heap, rows = both
    names = [name for name in sorted(rows) if heap.classes.named(name)][::12]
    names += ["java.lang.Class", "java.lang.ClassLoader", "java.lang.String", "byte[]"]
    assert len(names) > 80
    found = {
        name: heap.objects(name, subclasses=False, class_objects=True).retained_bytes() for name in names
    }
    assert found == {name: int(rows[name]["retained_exact"]) for name in names}


def test_queries_give_the_same_rows(both: tuple[Heap, Rows]) -> None:
    pytest.importorskip("duckdb")
    heap, rows = both
    found = heap.sql(
        "SELECT class_name, count(*) AS instances, sum(shallow_bytes) AS bytes FROM objects "
        "WHERE reachability <> 'unreachable' GROUP BY 1"  # MAT keeps no others
    )
    by_class = {row.class_name: (row.instances, row.bytes) for row in found.itertuples()}
    expected = {
        name: (int(row["instance_count"]), int(row["shallow_bytes"]))
        for name, row in rows.items()
        if int(row["instance_count"])
    }
    # MAT makes up a boot loader at address 0, of which the dump has no object.
    assert expected.pop("java.lang.ClassLoader") == (1, 72)
    assert len(expected) > 500
    assert {name: by_class.get(name) for name in expected} == expected
    retained = heap.sql("SELECT class_name, retained_bytes FROM classes WHERE loader IS NULL")
    least = dict(zip(retained["class_name"], retained["retained_bytes"], strict=True))
    assert {name: least[name] for name in ("byte[]", "boolean[]")} == {
        name: int(rows[name]["retained_min"]) for name in ("byte[]", "boolean[]")
    }
