"""Real dumps of other writers, which stay where they are: figures that others have of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import heapscope
from heapscope.parser.names import java_name

FOLDER = Path(__file__).parents[3] / "shared" / "cases" / "foreign-dumps"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"{FOLDER} is not there: other projects' test data"
)


def sizes_of(heap: heapscope.Heap) -> dict[str, float]:
    return {
        row["class_name"]: row["shallow_bytes"] / row["instance_count"] for row in heap.histogram().rows()
    }


def test_jdk_6_without_compressed_references() -> None:
    with heapscope.open(FOLDER / "mat-sun_jdk6_30_x64_nocompressedOops.hprof.gz", use_index=False) as heap:
        assert (heap.layout.reference_bytes, heap.layout.confidence) == (8, "exact")
        found = sizes_of(heap)
    lines = (FOLDER / "mat-sun_jdk6_30_x64_nocompressedOops.notes.txt").read_text().splitlines()
    rows = [match for line in lines if (match := re.match(r"\s*\d+:\s+(\d+)\s+(\d+)\s+([^<\s]\S*)$", line))]
    expected = {java_name(row[3]): int(row[2]) / int(row[1]) for row in rows}
    common = expected.keys() & found.keys()
    assert len(common) > 150
    assert {name: found[name] for name in common} == {name: expected[name] for name in common}


def test_jdk_5_without_compressed_references() -> None:
    path = FOLDER / "mat-sun_jdk5_64bit.hprof.gz"
    with heapscope.open(path, use_index=False) as heap:
        assert sizes_of(heap)["java.lang.String"] == 40
        assert heap.layout.confidence == "estimated"
    with heapscope.open(path, use_index=False, semantics="mat") as heap:
        assert heap.objects("CreateSampleDump$DominatorTestData$R").retained_bytes() == 376


def test_two_heaps_of_an_agent() -> None:
    path = FOLDER / "mat-oracle_jdk7_21_hprofagent.hprof.gz"
    for number, strings, instances, arrays in ((1, 840, 1841, 480), (2, 845, 1857, 481)):
        with heapscope.open(path, heap=number, use_index=False) as heap:
            assert len(heap.objects("java.lang.String")) == strings
            is_array = [c.is_array for c in heap.classes]
            counts = heap.class_histogram().set_index("class_name")["instance_count"]
            of_references = sum(
                counts[c.name]
                for c, array in zip(heap.classes, is_array, strict=True)
                if array
                and c.name in counts
                and not re.fullmatch(r"(byte|char|int|long|short|boolean|float|double)\[\]", c.name)
            )
            assert of_references == arrays
            plain = [name for name in counts.index if not name.endswith("[]") and name != "java.lang.Class"]
            classes = len([c for c in heap.classes if c.is_dumped])
            assert sum(counts[name] for name in plain) + counts["java.lang.Class"] - classes == instances


def test_android() -> None:
    with heapscope.open(FOLDER / "perflib-dialer.hprof.gz", use_index=False) as heap:
        strong = next(iter(heap.reachability().rows()))
        assert (strong["object_count"], strong["shallow_bytes"]) == (42_868, 2_741_408)
        assert heap.objects("java.util.jar.JarFile", subclasses=False).retained_bytes() == 4_792
        assert heap.objects("java.lang.Object[]", subclasses=False).retained_bytes() == 330_668


def test_constants_of_an_agent() -> None:
    with heapscope.open(FOLDER / "slurp-hprof-32.bin.gz", use_index=False) as heap:
        rows = {row["category"]: row["object_count"] for row in heap.reachability().rows()}
        assert rows["strong"] + rows["soft"] == 2_628
