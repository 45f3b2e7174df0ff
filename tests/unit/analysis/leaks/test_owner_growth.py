"""The field that grows over heap dumps: told apart from fields that do not, and from garbage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.analysis.thresholds import SERIES_DUMPS
from heapscope.analysis.verdicts import HEALTHY, LEAK
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
FIRST_MS = 1_767_225_600_000  # 2026-01-01


def dumps(
    folder: Path, history: Sequence[int], *, recent: Sequence[int], garbage: Sequence[int]
) -> list[Path]:
    """Dumps of a collector with two lists of samples, and with samples that nobody holds."""
    paths = []
    for number, (kept, last, lost) in enumerate(zip(history, recent, garbage, strict=True)):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("com.acme.Sample", fields={"data": "Object"})
        d.cls("com.acme.Collector", fields={"recent": "Object", "history": "Object"})

        def samples(count: int, d: DumpBuilder = d) -> list[int]:
            return [
                d.instance("com.acme.Sample", data=d.primitive_array("byte", b"x" * 200))
                for _ in range(count)
            ]

        lists = {
            "recent": d.object_array("java.lang.Object[]", samples(last)),
            "history": d.object_array("java.lang.Object[]", samples(kept)),
        }
        samples(lost)
        d.cls("com.acme.Main")
        d.static("com.acme.Main", "COLLECTOR", "Object", d.instance("com.acme.Collector", **lists))
        d.root("STICKY_CLASS", d.class_id("com.acme.Main"))
        paths.append(d.dump().save(folder / f"d{number}.hprof"))
    return paths


def test_of_two_lists_the_one_that_grows_is_named(tmp_path: Path) -> None:
    paths = dumps(tmp_path, [20, 60, 100, 140], recent=[50] * 4, garbage=[0] * 4)
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert (finding.id, finding.owner) == (UNKNOWN, "com.acme.Collector.history")
    assert (finding.class_name, finding.counts) == ("com.acme.Sample", (20, 60, 100, 140))
    assert finding.owner_way[0] == "Main.COLLECTOR (static)"
    assert finding.instance_count == 140


def test_garbage_that_grows_is_no_leak(tmp_path: Path) -> None:
    paths = dumps(tmp_path, [100] * 4, recent=[50] * 4, garbage=[0, 200, 400, 600])
    found = heapscope.diagnose(paths, force_series=True)
    assert (found.status, found.forecasts) == (HEALTHY, ())


@pytest.mark.parametrize("history", [[20, 150, 151, 152], [100, 20, 120, 30]], ids=["filled", "up and down"])
def test_a_field_that_fills_or_goes_up_and_down_is_no_leak(tmp_path: Path, history: list[int]) -> None:
    paths = dumps(tmp_path, history, recent=[50] * 4, garbage=[0] * 4)
    assert heapscope.diagnose(paths, force_series=True).status == HEALTHY


def test_of_many_dumps_some_are_opened_and_the_others_say_none(tmp_path: Path) -> None:
    count = SERIES_DUMPS + 2
    paths = dumps(tmp_path, range(20, 20 + 10 * count, 10), recent=[5] * count, garbage=[0] * count)
    found = heapscope.diagnose(paths, force_series=True)
    assert found.status == LEAK
    counts = found.findings[0].counts
    assert sum(each is not None for each in counts) == SERIES_DUMPS
    assert (counts[0], counts[-1]) == (20, 10 + 10 * count)


def test_one_dump_says_what_holds_the_heap_and_what_would_tell(tmp_path: Path) -> None:
    (path,) = dumps(tmp_path, [140], recent=[50], garbage=[0])
    found = heapscope.diagnose(path)
    assert not found.is_leak
    assert [each.owner for each in found.owners] == [
        "com.acme.Collector.history",
        "com.acme.Collector.recent",
    ]
    assert [each.content_count for each in found.owners] == [140, 50]
    assert found.folder == tmp_path


def pools(folder: Path, history: Sequence[int]) -> list[Path]:
    """Dumps of a pool with three connections, each of which keeps its statements."""
    paths = []
    for number, count in enumerate(history):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("com.acme.Statement", fields={"rows": "Object"})
        d.cls("com.acme.Connection", fields={"cache": "Object"})
        connections = []
        for _ in range(3):
            statements = [
                d.instance("com.acme.Statement", rows=d.primitive_array("byte", b"x" * 200))
                for _ in range(count)
            ]
            cache = d.object_array("java.lang.Object[]", statements)
            connections.append(d.instance("com.acme.Connection", cache=cache))
        idle = d.object_array("java.lang.Object[]", connections)
        d.cls("com.acme.Pool", statics={"idle": ("Object", idle)})
        d.root("STICKY_CLASS", d.class_id("com.acme.Pool"))
        paths.append(d.dump().save(folder / f"d{number}.hprof"))
    return paths


def test_what_grows_inside_of_objects_that_do_not_is_named(tmp_path: Path) -> None:
    paths = pools(tmp_path, [20, 60, 100, 140])
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.owner == "com.acme.Connection.cache"
    assert (finding.class_name, finding.counts) == ("com.acme.Statement", (60, 180, 300, 420))
    assert finding.owner_way[0] == "Pool.idle (static)"


def test_threads_that_never_end_are_a_leak(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.thread("main")
        # As java.lang.Thread has inheritedAccessControlContext: no field of the program holds anything.
        d.cls("java.lang.BaseThread", "java.lang.Thread", fields={"context": "Object"})
        d.cls("com.acme.Heartbeat", "java.lang.BaseThread")
        for serial in range(10 * (number + 1)):
            context = d.primitive_array("byte", b"x" * 2000)
            one = d.instance("com.acme.Heartbeat", context=d.object_array("java.lang.Object[]", [context]))
            d.root("THREAD_OBJECT", one, thread_serial=100 + serial)
        paths.append(d.dump().save(tmp_path / f"d{number}.hprof"))
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.class_name == "com.acme.Heartbeat"
    assert (finding.owner, finding.counts) == ("threads of class com.acme.Heartbeat", (10, 20, 30, 40))
