"""Growth that no known leak explains: which class is named, and when none is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heapscope.analysis.leaks.diagnosis import _is_known
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN, Finding
from heapscope.analysis.leaks.off_heap import buffers_leak
from heapscope.analysis.leaks.unknown_leak import rising_classes, unknown_leak
from heapscope.analysis.verdicts import POSSIBLE
from tests.unit.reporter.series import series

Classes = dict[str, tuple[tuple[int, ...], int]]
BASE = {"java.util.HashMap$Node": ((1000, 1000, 1000, 1000), 32)}


def found(classes: Classes, *, own_only: bool = False) -> Finding | None:
    snapshots = series(classes)
    evidence = SnapshotEvidence(snapshots[-1], None, {})
    return unknown_leak(snapshots.growth(), evidence, own_only=own_only)


def test_the_class_that_leads_the_growth_is_named() -> None:
    leak = found({**BASE, "a.Session": ((100, 200, 300, 400), 100), "a.Small": ((1, 2, 3, 4), 16)})
    assert leak is not None
    assert (leak.id, leak.class_name, leak.confidence) == (UNKNOWN, "a.Session", POSSIBLE)
    assert leak.counts == (100, 200, 300, 400)
    assert leak.retained_bytes is None


def test_an_own_class_goes_before_what_it_is_made_of() -> None:
    made_of: Classes = {"byte[]": ((100, 200, 300, 400), 200), "a.Session": ((100, 200, 300, 400), 150)}
    leak = found({**BASE, **made_of})
    assert leak is not None
    assert leak.class_name == "a.Session"
    alone = found({**BASE, "byte[]": made_of["byte[]"]})
    assert alone is not None
    assert alone.class_name == "byte[]"
    assert found({**BASE, "byte[]": made_of["byte[]"]}, own_only=True) is None


def test_bytes_of_strings_are_named_by_the_strings() -> None:
    strings: Classes = {
        "byte[]": ((110, 2110, 4110, 6110), 80),
        "java.lang.String": ((100, 2100, 4100, 6100), 24),
    }
    leak = found({**BASE, **strings})
    assert leak is not None
    assert leak.class_name == "java.lang.String"
    others = found({**BASE, **strings, "java.lang.String": ((100, 120, 140, 160), 24)})
    assert others is not None
    assert others.class_name == "byte[]"


def direct_buffers(counts: tuple[int, ...]) -> Finding | None:
    growth = series({**BASE, "java.nio.DirectByteBuffer$Deallocator": (counts, 32)}).growth()
    return buffers_leak(growth)


def test_direct_buffers_are_told_by_class_histograms() -> None:
    leak = direct_buffers((124, 248, 372, 496))
    assert leak is not None
    assert (leak.class_name, leak.counts, leak.confidence) == (
        "java.nio.DirectByteBuffer",
        (124, 248, 372, 496),
        POSSIBLE,
    )
    assert direct_buffers((1000, 1001, 1002, 1003)) is None
    assert direct_buffers((1, 2, 3, 4)) is None
    assert direct_buffers((20, 90, 25, 80)) is None


def test_what_a_known_leak_names_is_not_named_twice() -> None:
    classes: Classes = {"a.Session": ((100, 200, 300, 400), 100)}
    one = found({**BASE, **classes})
    other = found({**BASE, "b.Other": ((100, 200, 300, 400), 100)})
    assert one is not None
    assert other is not None
    assert _is_known(one, [replace(one, id="known")])
    assert not _is_known(one, [replace(other, id="known")])
    assert _is_known(replace(one, owner="a.B.c"), [replace(other, owner="a.B.c")])


@pytest.mark.parametrize(
    "classes",
    [
        {"a.B": ((1000, 1001, 1002, 1003), 100)},  # the heap hardly grows
        {"a.B": ((100, 300, 90, 310), 100)},  # it goes up and down
        {"java.lang.invoke.X": ((100, 200, 300, 400), 100)},  # the JVM's own, as it warms up
        {"java.util.X": ((10, 20, 30, 40), 10), "a.B": ((5, 5, 5, 5), 3000)},  # too small a part of the heap
    ],
)
def test_nothing_is_named_where_nothing_leads(classes: Classes) -> None:
    assert found({**BASE, **classes}) is None


def test_a_class_is_named_though_the_heap_goes_up_and_down() -> None:
    work: Classes = {"b.Item": ((900, 200, 700, 300), 100)}
    leak = found({**work, "a.Token": ((10, 60, 110, 160), 200)})
    assert leak is not None
    assert leak.class_name == "a.Token"
    assert any("goes up and down" in each for each in leak.evidence)
    few: Classes = {**work, "a.Token": ((10, 14, 18, 22), 200)}  # too small a part of the heap
    assert found(few) is None
    assert [each.name for each in rising_classes(series(few).growth())] == ["a.Token"]
    assert rising_classes(series(work).growth()) == ()


def test_what_rises_in_step_counts_for_a_class_in_a_heap_that_goes_up_and_down() -> None:
    """Two arrays for each: its own, and that of its name."""
    classes: Classes = {
        "b.Item": ((900, 200, 700, 300), 100),
        "a.Token": ((10, 60, 110, 160), 16),
        "byte[]": ((520, 620, 720, 820), 100),
    }
    leak = found(classes)
    assert leak is not None
    assert leak.class_name == "a.Token"
    assert found({**classes, "byte[]": ((520, 530, 800, 820), 100)}) is None
    assert found({**classes, "a.Token": ((10, 10, 10, 10), 16)}) is None


def test_an_array_is_named_by_the_class_that_it_is_the_content_of() -> None:
    grown: Classes = {
        "char[]": ((10, 110, 210, 310), 900),
        "java.nio.HeapCharBuffer": ((2, 102, 202, 302), 56),
    }
    leak = found({**BASE, **grown})
    assert leak is not None
    assert leak.class_name == "java.nio.HeapCharBuffer"


def test_ten_classes_that_rise_in_step_are_one_leak() -> None:
    leak = found({**BASE, **{f"a.C{i}": ((10, 20, 30, 40), 100 + i) for i in range(10)}})
    assert leak is not None
    assert leak.class_name == "a.C9"  # of equals the one with most bytes


def test_raw_material_counts_for_the_class_that_grows_one_for_one_with_it() -> None:
    leak = found(
        {
            **BASE,
            "byte[]": ((100, 1100, 2100, 3100), 900),
            "a.Thumbnail": ((50, 1050, 2050, 3050), 24),
            "a.Tag": ((0, 5000, 10000, 15000), 32),
        }
    )
    assert leak is not None
    assert leak.class_name == "a.Thumbnail"
