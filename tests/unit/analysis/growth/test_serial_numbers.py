"""How many objects were made, by the numbers that they carry: on dumps of known truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.serial_numbers import made
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
ORDER = "com.acme.Order"


def run(folder: Path, numbers: Sequence[Iterable[int]]) -> heapscope.Snapshots:
    """Orders with such numbers in a static field."""
    folder.mkdir()
    for hour, each in enumerate(numbers):
        d = DumpBuilder(timestamp_ms=1_700_000_000_000 + hour * HOUR_MS)
        d.cls(ORDER, fields={"size": "int", "number": "long"})
        d.cls("com.acme.Book")
        orders = [d.instance(ORDER, size=number % 7, number=number) for number in each]
        d.static("com.acme.Book", "open", "Object", d.object_array("java.lang.Object[]", orders))
        d.root("STICKY_CLASS", d.class_id("com.acme.Book"))
        (folder / f"{hour}.hprof").write_bytes(d.dump().data)
    return heapscope.snapshots(folder)


LEAK = [range(1, 101 + 100 * hour) for hour in range(4)]
LATEST = [range(60 + 100 * hour, 110 + 100 * hour) for hour in range(4)]


@pytest.mark.parametrize(
    ("before", "after", "count", "verdict"),
    [
        (LEAK, LATEST, 300, "fixed"),  # the last 50 are kept
        (LEAK, [LATEST[3]] * 4, 0, "too early to tell"),  # idle
        (LEAK, [range(60 + hour, 110 + hour) for hour in range(4)], 3, "too early to tell"),
        (LEAK, LATEST[::-1], 0, "too early to tell"),  # no number one after the other
        (LEAK, [()] * 4, 0, "too early to tell"),
        # Others take numbers too, or a number is none of the order's own.
        ([range(1, 5 * stop.stop, 5) for stop in LEAK], LATEST, 0, "too early to tell"),
        ([[number // 2 for number in each] for each in LEAK], LATEST, 0, "too early to tell"),
        (LEAK, LEAK, 300, "not fixed"),
    ],
)
def test_numbers_tell_how_many_were_made(
    tmp_path: Path, before: list[Iterable[int]], after: list[Iterable[int]], count: int, verdict: str
) -> None:
    first, second = run(tmp_path / "before", before), run(tmp_path / "after", after)
    assert made(first, second, ORDER) == count
    proof = first.prove(second, force_series=True)
    assert proof.verdict == verdict, proof.reason
