"""What a report shows where nobody names classes: the subject, its companions, the fastest growers."""

from __future__ import annotations

from heapscope.analysis.growth.subjects import MAX_SUBJECTS, find_subjects
from heapscope.heap.watched_classes import WATCHED_CLASSES
from tests.unit.reporter.series import series

SESSION, NAME, CACHE = "com.acme.Session", "com.acme.Name", "com.acme.Cache$Entry"
GROWING = {
    SESSION: ((10, 110, 210, 310), 48),
    NAME: ((5, 104, 203, 302), 24),
    CACHE: ((10, 1010, 2010, 3010), 500),
    "java.lang.Class": ((600, 600, 600, 600), 120),
}


def test_the_subject_comes_first_then_its_companions_then_the_fastest() -> None:
    snapshots = series(GROWING)
    assert find_subjects(snapshots, snapshots.growth(), [SESSION]) == (SESSION, NAME, CACHE)


def test_hadoop_is_shown_only_where_it_is_in_the_heap() -> None:
    snapshots = series()
    assert set(WATCHED_CLASSES) <= set(find_subjects(snapshots, snapshots.growth()))
    assert not set(WATCHED_CLASSES) & set(find_subjects(series(GROWING), series(GROWING).growth()))


def test_a_steady_heap_shows_no_growers() -> None:
    rows = {"com.acme.Big": ((100, 102, 99, 100), 100_000), SESSION: ((1, 2, 3, 4), 16)}
    snapshots = series(rows)
    assert find_subjects(snapshots, snapshots.growth()) == ()


def test_there_are_not_more_than_a_reader_looks_at() -> None:
    many = {f"com.acme.C{number}": ((10, 110, 210, 310), 48 + number) for number in range(20)}
    snapshots = series(many)
    found = find_subjects(snapshots, snapshots.growth(), ["com.acme.C3"])
    assert found[0] == "com.acme.C3"
    assert len(found) == len(set(found)) == MAX_SUBJECTS


def test_every_class_is_no_subject() -> None:
    assert find_subjects(series(GROWING, names=None), None, ["java.lang.Object", SESSION]) == (SESSION,)
