"""What counts before and after mean for limits; how markers are read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from heapscope import AmbiguousName, ObjectNotFound
from heapscope.analysis.growth.snapshot import HISTOGRAM, Snapshot
from heapscope.analysis.growth.time_source import TEXT
from heapscope.heap.histogram import sorted_histogram
from heapscope.testing.limits import Exceeded, Limit, exceeded
from heapscope.testing.plugin import _read

ABOVE = {
    "a.Local": "a.Base",
    "a.Remote": "a.Base",
    "a.Base": "java.lang.Object",
    "b.Local": "java.lang.Object",
}


def look(name: str, **counts: int) -> Snapshot:
    rows = [(f"a.{simple}", count, count * 16) for simple, count in counts.items()]
    return Snapshot(
        path=Path("process 1"),
        name=name,
        kind=HISTOGRAM,
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        captured_at_source=TEXT,
        histogram=sorted_histogram(rows),
        superclasses=ABOVE,
        root_counts={},
    )


def mark(*words: object, **named: object) -> pytest.Mark:
    return pytest.Mark("limit_growth", words, named, _ispytest=True)


BEFORE, AFTER = look("before", Local=3, Remote=5), look("after", Local=7, Remote=4)


def test_a_class_that_grew_too_much() -> None:
    limit = Limit("a.Local", 3)
    assert exceeded(BEFORE, AFTER, [limit]) == [Exceeded(limit, 3, 7, (("a.Local", 3, 7),))]
    assert exceeded(BEFORE, AFTER, [Limit("a.Local", 4)]) == []


def test_a_plus_counts_subclasses_of_what_has_no_instance_itself() -> None:
    limit = Limit("a.Base+", 2)
    (found,) = exceeded(BEFORE, AFTER, [limit])
    assert (found.before, found.after) == (8, 11)
    assert found.classes == (("a.Local", 3, 7), ("a.Remote", 5, 4))
    assert exceeded(BEFORE, AFTER, [Limit("a.Base+", 3), Limit("a.Base", 0)]) == []


def test_what_a_jvm_has_that_started_meanwhile_is_all_new() -> None:
    (found,) = exceeded(None, AFTER, [Limit("a.Remote")])
    assert (found.before, found.after) == (0, 4)


def test_a_name_that_no_class_has_is_an_error() -> None:
    with pytest.raises(ObjectNotFound, match=r"nearest: a\.Local"):
        exceeded(BEFORE, AFTER, [Limit("a.Locl")])
    assert exceeded(BEFORE, AFTER, [Limit("a.Locl", allow_absent=True)]) == []
    with pytest.raises(AmbiguousName):
        exceeded(BEFORE, AFTER, [Limit("Local")])


def test_markers_of_one_test_are_read_together() -> None:
    marks = [
        mark("a.B+", 2, pid=7),
        mark(pattern="a.C", warm_up=1, allow_absent=True),
    ]
    assert _read(marks) == ([Limit("a.B+", 2), Limit("a.C", 0, True)], 7, 1)


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ([mark()], r"limit_growth\(\) is not understood; write"),
        ([mark("a.B", -1)], r"limit_growth\('a.B', -1\) is not understood"),
        ([mark("a.B", 1, 2)], "is not understood"),
        ([mark("a.B", most=1)], "most=1"),
        (
            [mark("a.B", pid=7), mark("a.C", pid=8)],
            r"several processes: \[7, 8\]",
        ),
    ],
)
def test_a_marker_that_is_not_understood_fails_its_test(marks: list[pytest.Mark], said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=said):
        _read(marks)
