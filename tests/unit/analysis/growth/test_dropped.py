"""Garbage is what a program dropped one by one: by dumps of known truth."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.dropped import dropped
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
ORDER, BOOK = "com.acme.Order", "com.acme.Book"


def dump(path: Path, hour: int, *, held: int = 0, alone: int = 0, hidden: int = 0, new: int = 0) -> None:
    """Orders in a static field, orders that were dropped with their nodes, and orders in a collection that
    nothing shown in the dump holds; new ones have another number in each dump."""
    builder = DumpBuilder(timestamp_ms=1_700_000_000_000 + hour * HOUR_MS)
    builder.cls(ORDER, fields={"text": "Object", "number": "int", "parent": "Object"})
    builder.cls("java.util.HashMap$Node", fields={"value": "Object", "next": "Object"})
    builder.cls(BOOK)

    def orders(count: int, first: int = 0) -> list[int]:
        return [
            builder.instance(
                ORDER, text=builder.primitive_array("byte", [0] * 64), number=first and first + i
            )
            for i in range(count)
        ]

    builder.static(BOOK, "open", "Object", builder.object_array("java.lang.Object[]", orders(held)))
    for each in orders(alone):
        builder.instance("java.util.HashMap$Node", value=each)
    for each in orders(new, 1000 * (hour + 1)):
        builder.instance("java.util.HashMap$Node", value=each)
    if hidden:
        builder.object_array("java.lang.Object[]", orders(hidden))
    builder.root("STICKY_CLASS", builder.class_id(BOOK))
    path.write_bytes(builder.dump().data)


def run(folder: Path, **counts: list[int]) -> heapscope.Snapshots:
    folder.mkdir()
    for hour in range(4):
        dump(folder / f"{hour}.hprof", hour, **{name: each[hour] for name, each in counts.items()})
    return heapscope.snapshots(sorted(folder.iterdir()))


def test_only_what_hangs_on_nothing_was_dropped(tmp_path: Path) -> None:
    rising = [100, 200, 300, 400]
    assert dropped(run(tmp_path / "a", alone=rising), ORDER) == 400
    assert dropped(run(tmp_path / "b", hidden=rising), ORDER) == 1
    assert dropped(run(tmp_path / "c", held=rising), ORDER) == 0
    assert dropped(run(tmp_path / "d", held=rising), "com.acme.Other") == 0


def test_garbage_that_later_dumps_do_not_have_counts_once_in_each(tmp_path: Path) -> None:
    """A program that collects its garbage before each dump shows the same number in each."""
    assert dropped(run(tmp_path / "a", new=[100, 100, 100, 100]), ORDER) == 400
    assert dropped(run(tmp_path / "b", alone=[100, 100, 100, 100]), ORDER) == 100  # perhaps the same ones
    assert dropped(run(tmp_path / "c", new=[100, 0, 0, 50]), ORDER) == 150
    assert dropped(run(tmp_path / "d", alone=[100, 200, 200, 200], new=[0, 0, 10, 0]), ORDER) == 210


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ({"alone": [100, 200, 300, 400]}, "fixed"),
        ({"alone": [0, 280, 110, 260]}, "fixed"),  # a collection took some
        ({"new": [100, 100, 100, 100]}, "fixed"),  # a collection took all, each time
        ({"alone": [100, 100, 100, 100]}, "too early to tell"),  # it may be ever the same
        ({"new": [10, 10, 10, 10]}, "too early to tell"),
        ({"hidden": [100, 200, 300, 400]}, "too early to tell"),  # a field of the JVM may hold them
        ({"alone": [5, 10, 15, 20]}, "too early to tell"),  # hardly anything was done
        ({"alone": [0, 0, 0, 0]}, "too early to tell"),  # idle
        ({"held": [100, 200, 300, 400]}, "not fixed"),
    ],
)
def test_a_cure_is_proved_by_what_was_dropped(
    tmp_path: Path, after: dict[str, list[int]], verdict: str
) -> None:
    before = run(tmp_path / "before", held=[100, 200, 300, 400])
    assert before.prove(run(tmp_path / "after", **after)).verdict == verdict


def test_class_histograms_beside_the_dumps_change_no_proof(tmp_path: Path) -> None:
    """A text has garbage as well, and does not tell it from what is held; the dump beside it does."""
    before = run(tmp_path / "before", held=[100, 200, 300, 400])
    dumps = run(tmp_path / "after", alone=[100, 200, 300, 400])
    for one in dumps:
        rows = list(one.histogram.rows())
        lines = [
            f"{place:4}: {row['instance_count']:10} {row['shallow_bytes']:12}  {row['class_name']}"
            for place, row in enumerate(rows, 1)
        ]
        head = " num     #instances         #bytes  class name\n" + "-" * 46
        total = f"Total {one.object_count:10} {one.shallow_bytes:12}"
        text = "\n".join([head, *lines, total, ""])
        one.path.with_name(f"{one.name}.histogram.txt").write_text(text)
    both = heapscope.snapshots(tmp_path / "after")
    assert len(both) == 8
    assert before.prove(both).verdict == before.prove(dumps).verdict == "fixed"
    work = [1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
    assert before.prove(both, work=work).verdict == "fixed"
