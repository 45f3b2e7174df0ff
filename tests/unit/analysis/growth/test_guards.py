"""Guards: how they are read, when they hold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.guards import Guard, read_guard
from heapscope.errors import AmbiguousName, HeapscopeError, ObjectNotFound
from tests.unit.analysis.leak import DISTRIBUTED, FILE_SYSTEM, leak_dump
from tests.unit.reporter.series import series


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.B <= 3", ("count", "a.B", False, "<=", 3)),
        ("a.B+<=3", ("count", "a.B", True, "<=", 3)),
        (" a.B$C[] < 1,000 ", ("count", "a.B$C[]", False, "<", 1000)),
        ("count(a.*) == 0", ("count", "a.*", False, "==", 0)),
        ("shallow(a.B) <= 10MB", ("shallow", "a.B", False, "<=", 10_000_000)),
        ("retained( a.B+ ) < 1G", ("retained", "a.B", True, "<", 1 << 30)),
        ("retained <= 1", ("count", "retained", False, "<=", 1)),
    ],
)
def test_guards_are_read(text: str, expected: tuple[str, str, bool, str, int]) -> None:
    assert read_guard(text) == Guard(text.strip(), *expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a.B", "is no limit"),
        ("a.B >= 3", "is no limit"),
        ("<= 3", "is no class name"),
        ("a.B <=", "is no limit"),
        ("a.B <= many", "'many' is no number of instances"),
        ("a.B <= 3.5", "is no number of instances"),
        ("a.B <= -1", "is no number of instances"),
        ("a B <= 1", "is no class name"),
        ("retained(a.B) <= 10 bananas", "is no size"),
        ("size(a.B) <= 3", "is no limit"),
        ("+ <= 3", "is no class name"),
        ("", "is no limit"),
    ],
)
def test_what_is_no_guard_says_why(text: str, problem: str) -> None:
    with pytest.raises(HeapscopeError, match=problem):
        read_guard(text)


def test_limits_hold_in_every_snapshot_or_fail(tmp_path: Path) -> None:
    snapshots = heapscope.snapshots([leak_dump(tmp_path, 5)])
    with heapscope.open(snapshots[0].path) as heap:
        retained = heap.objects(FILE_SYSTEM).retained_bytes()
    checks = snapshots.check(
        [
            f"{FILE_SYSTEM} <= 0",  # abstract: all are of its subclass
            f"{FILE_SYSTEM}+ <= 5",
            f"{FILE_SYSTEM}+ < 5",
            f"shallow({DISTRIBUTED}) <= 1kB",
            f"retained({FILE_SYSTEM}+) <= {retained}",
            f"retained({FILE_SYSTEM}+) < {retained}",
        ]
    )
    assert [one.outcome for one in checks.results] == [
        "passed",
        "passed",
        "failed",
        "passed",
        "passed",
        "failed",
    ]
    assert not checks
    assert [one.name for one in checks.failed] == [
        f"{FILE_SYSTEM}+ < 5",
        f"retained({FILE_SYSTEM}+) < {retained}",
    ]
    assert checks.failed[0].message == "5 in leak"
    assert len(checks.to_frame()) == len(checks) == 6
    assert snapshots.check([f"{FILE_SYSTEM}+ <= 5"])


def test_each_snapshot_that_breaks_a_limit_is_named() -> None:
    (checked,) = series({"a.B": ((1, 5, 2, 9), 10)}).check(["a.B <= 3"]).results
    assert checked.message == "5 in train-2, 9 in train-4"


def test_a_guard_that_names_no_class_is_an_error_with_the_nearest() -> None:
    snapshots = series({"com.acme.Shop$Session": ((1, 1, 1, 1), 10)})
    for misspelt in ("com.acme.Shop$Sesion", "Session", "session", "com.acme.shop$session"):
        for limits, no_growth in (([f"{misspelt} <= 3"], []), ([], [misspelt])):
            with pytest.raises(ObjectNotFound) as caught:
                snapshots.check(limits, no_growth=no_growth)
            assert caught.value.nearest == ["com.acme.Shop$Session"]
    with pytest.raises(ObjectNotFound):
        snapshots.check(["x.y.* <= 3"])
    (allowed,) = snapshots.check(["x.Y <= 3"], allow_absent=True).results
    assert (allowed.outcome, bool(allowed.hint)) == ("passed", True)
    assert snapshots.check(["Shop$Session <= 1"])


def test_a_simple_name_of_several_classes_is_an_error_that_names_them() -> None:
    hadoop = "org.apache.hadoop.hdfs.DistributedFileSystem"
    snapshots = series({"java.io.FileSystem": ((1, 1), 10), hadoop: ((2, 2), 10)})
    with pytest.raises(AmbiguousName) as caught:
        snapshots.check(["FileSystem+ <= 3"])
    assert caught.value.candidates == ["java.io.FileSystem", FILE_SYSTEM]
    assert snapshots.check([f"{FILE_SYSTEM}+ <= 2", "java.io.FileSystem+ <= 1"])
    alone = series({hadoop: ((2, 2), 10)})
    assert alone.check(["FileSystem+ <= 2"])  # one only: no question
    (one,) = alone.check(["FileSystem <= 1"]).results  # abstract: it never has an instance
    assert (one.outcome, one.hint) == (
        "passed",
        "it has no instance of its own; its subclasses have 2, which count with FileSystem+",
    )


def test_generated_classes_are_counted_together() -> None:
    snapshots = series({"a.B$$Lambda$1/0x7f10": ((1, 2), 10), "a.B$$Lambda$2/0x7f20": ((3, 4), 10)})
    (one,) = snapshots.check(["a.B$$Lambda <= 5"]).results
    assert one.message == "6 in train-2"
    assert not snapshots.check(["a.B$$Lambda$9/0x7f30 <= 5"])  # of another process: the same class


def test_a_text_without_its_end_holds_no_guard(tmp_path: Path) -> None:
    from tests.unit.cli.conftest import write_histogram

    path = write_histogram(tmp_path / "h.txt", [("a.B", 1, 16), ("a.C", 1, 16)], 0)
    path.write_text(path.read_text().rpartition("Total")[0])
    snapshots = heapscope.snapshots([path])
    with pytest.raises(HeapscopeError, match="Total"):
        snapshots.check(["a.B <= 1"])
    (one,) = snapshots.check(["a.B <= 1"], partial=True).results
    assert "incomplete" in one.hint


def test_retained_sizes_take_dumps(tmp_path: Path) -> None:
    from tests.unit.cli.conftest import write_histogram

    path = write_histogram(tmp_path / "h.txt", [("a.B", 1, 16)], 0)
    with pytest.raises(HeapscopeError, match=r"h.txt: a class histogram has no references"):
        heapscope.snapshots([path]).check(["retained(a.B) <= 1"])


@pytest.mark.parametrize(
    ("counts", "holds"),
    [
        ((5, 5), True),
        ((5, 6), False),
        ((5, 6, 7), False),
        ((5, 7, 6), True),
        ((5, 6, 7, 8), False),
        ((5, 6, 5, 7), True),
        ((100, 205, 295, 405, 500), False),
        ((100, 1100, 1800, 2200, 2400), False),  # ever more slowly, as under less and less load
        ((20, 150, 151, 152), True),  # filled
    ],
)
def test_no_growth(counts: tuple[int, ...], holds: bool) -> None:
    snapshots = series(
        {"com.acme.Thing": (counts, 16), "org.other.Leak": (tuple(range(1, len(counts) + 1)), 16)}
    )
    checks = snapshots.check(no_growth=["com.acme.*"])
    assert bool(checks) == holds
    (one,) = checks.results
    assert one.name == "no growth of com.acme.*"
    assert ("com.acme.Thing" in one.message) != holds


def test_no_growth_of_subclasses(tmp_path: Path) -> None:
    paths = []
    for place, count in enumerate((1, 2)):
        from tests.unit.analysis.leak import leak_builder

        d = leak_builder(count)
        d.timestamp_ms += place
        paths.append(d.dump().save(tmp_path / f"{place}.hprof"))
    snapshots = heapscope.snapshots(paths)
    assert snapshots.check(no_growth=[FILE_SYSTEM])
    assert not snapshots.check(no_growth=[f"{FILE_SYSTEM}+"])


def test_one_snapshot_grows_not() -> None:
    with pytest.raises(HeapscopeError, match="1 snapshot given"):
        series()[:1].check(no_growth=["*"])
    assert series(step=timedelta(hours=1))[:1].check(["app.Gone <= 40"])
