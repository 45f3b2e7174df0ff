"""The field that grows over heap dumps: told apart from fields that do not, and from garbage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.leaks import unknown_leak as unknown_leak_module
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.analysis.thresholds import SERIES_DUMPS
from heapscope.analysis.verdicts import HEALTHY, LEAK
from heapscope.reporter.diagnosis import describe_diagnosis
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


def test_what_is_retained_is_told_of_the_objects_in_that_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last heap dump may be older than the last snapshot, the text of a class histogram."""
    monkeypatch.setattr(unknown_leak_module, "_do_dumps_tell", lambda series: False)
    paths = dumps(tmp_path, [20, 60, 100, 140], recent=[50] * 4, garbage=[0] * 4)
    snapshots = heapscope.snapshots(paths)
    growth = snapshots.growth(force_series=True)
    with heapscope.open(snapshots[0].path) as heap:
        finding = unknown_leak_module.unknown_leak(growth, SnapshotEvidence(snapshots[0], heap.graph, {}))
        alone = heap.objects("com.acme.Sample").retained_bytes() / 70
    assert finding is not None
    assert (finding.class_name, finding.instance_count) == ("com.acme.Sample", 70)
    assert (finding.counts[-1], finding.bytes_each) == (190, alone)


def test_garbage_that_grows_is_no_leak(tmp_path: Path) -> None:
    paths = dumps(tmp_path, [100] * 4, recent=[50] * 4, garbage=[0, 200, 400, 600])
    found = heapscope.diagnose(paths, force_series=True)
    assert (found.status, found.forecasts) == (HEALTHY, ())


@pytest.mark.parametrize("history", [[20, 150, 151, 152], [100, 20, 120, 30]], ids=["filled", "up and down"])
def test_a_field_that_fills_or_goes_up_and_down_is_no_leak(tmp_path: Path, history: list[int]) -> None:
    paths = dumps(tmp_path, history, recent=[50] * 4, garbage=[0] * 4)
    assert heapscope.diagnose(paths, force_series=True).status == HEALTHY


def test_a_field_is_named_though_the_heap_goes_up_and_down(tmp_path: Path) -> None:
    """What comes and goes elsewhere in the heap hides no field that grows by a part of the heap."""
    paths = dumps(tmp_path, [20, 60, 100, 140], recent=[400, 90, 300, 120], garbage=[0] * 4)
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.owner == "com.acme.Collector.history"
    assert any(each.startswith("it grew by") and "went from" in each for each in finding.evidence)


def test_of_many_fields_that_leak_one_is_named_and_the_others_are_said(tmp_path: Path) -> None:
    paths = []
    names = ["a", "b", "c", "d"]
    for number in range(4):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("com.acme.Sample", fields={"data": "Object"})
        d.cls("com.acme.Main")
        for name in names:
            held = [
                d.instance("com.acme.Sample", data=d.primitive_array("byte", b"x" * 200))
                for _ in range(20 + 40 * number)
            ]
            d.static("com.acme.Main", name, "Object", d.object_array("java.lang.Object[]", held))
        d.root("STICKY_CLASS", d.class_id("com.acme.Main"))
        paths.append(d.dump().save(tmp_path / f"d{number}.hprof"))
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.owner == "com.acme.Main.a"  # of equals the first by name
    others = [f"com.acme.Main.{name} grows as well" for name in names[1:]]
    assert [each.partition(",")[0] for each in finding.evidence if "as well" in each] == others


def test_what_rises_by_little_is_no_leak_and_is_said(tmp_path: Path) -> None:
    paths = dumps(tmp_path, [20, 30, 40, 50], recent=[900] * 4, garbage=[0] * 4)
    found = heapscope.diagnose(paths, force_series=True)
    assert found.status == HEALTHY
    (rising,) = found.rising
    assert rising.name == "com.acme.Collector.history"
    assert 0 < rising.first_bytes < rising.last_bytes
    assert any("Collector.history rises" in each for each in describe_diagnosis(found).figures)
    again = dumps(tmp_path, [50] * 4, recent=[900] * 4, garbage=[0] * 4)
    assert heapscope.diagnose(again, force_series=True).rising == ()


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


def buffers(folder: Path, used: Sequence[int], room: Sequence[int], *, name: str = "log") -> list[Path]:
    """Dumps of a program with a stream in a static field, of which so many bytes are used, beside one that
    grew to its working size and is emptied now and then."""
    folder.mkdir()
    paths = []
    for number, (count, size) in enumerate(zip(used, room, strict=True)):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("java.io.ByteArrayOutputStream", fields={"buf": "Object", "count": "int"})
        d.cls("com.acme.Main")
        for field, filled, length in ((name, count, size), ("frame", (700, 0, 1900, 300)[number % 4], 2000)):
            buffer = d.primitive_array("byte", bytes(length))
            stream = d.instance("java.io.ByteArrayOutputStream", buf=buffer, count=filled)
            d.static("com.acme.Main", field, "Object", stream)
        d.root("STICKY_CLASS", d.class_id("com.acme.Main"))
        paths.append(d.dump().save(folder / f"d{number}.hprof"))
    return paths


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


DOUBLED = [1000, 2000, 4000, 4000, 8000, 8000, 8000, 8000]


@pytest.mark.parametrize(
    ("used", "room"),
    [
        ([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000], DOUBLED),
        ([2000, 4000, 6000, 8000], [2000, 4000, 8000, 8000]),
        ([900, 1900, 2900, 3900], [900, 1900, 2900, 3900]),
    ],
    ids=["doubles", "doubles, four dumps", "grows by what is added"],
)
def test_one_buffer_that_gets_larger_is_named_by_its_field(
    tmp_path: Path, used: list[int], room: list[int]
) -> None:
    paths = buffers(tmp_path / "leak", used, room)
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert (finding.owner, finding.class_name) == ("com.acme.Main.log", "byte[]")
    assert finding.counts == (1,) * len(used)
    gained = [None if size is None else size - (finding.sizes[0] or 0) for size in finding.sizes]
    assert gained == pytest.approx([count - used[0] for count in used], abs=64)  # with the stream itself
    assert finding.bytes_per_hour == pytest.approx(1000, rel=1.01)
    assert "gets larger and larger" in finding.title


@pytest.mark.parametrize(
    ("used", "room"),
    [
        ([500, 3000, 1000, 2000, 500, 4000, 900, 3100], [1000, 4000, *[4000] * 6]),
        ([0, 0, 0, 0], [1000, 4000, 4000, 4000]),
        ([1000, 2000, 3000, 4000], [4000] * 4),  # fills what it had from the beginning
        ([4000] * 6, [1000, 2000, *[4000] * 4]),
    ],
    ids=["reset", "empty", "a ring", "full"],
)
def test_a_buffer_of_its_working_size_is_no_leak(tmp_path: Path, used: list[int], room: list[int]) -> None:
    paths = buffers(tmp_path / "healthy", [min(pair) for pair in zip(used, room, strict=True)], room)
    assert heapscope.diagnose(paths, force_series=True).status == HEALTHY


def test_a_cure_of_one_buffer_is_told_by_its_bytes(tmp_path: Path) -> None:
    before = heapscope.snapshots(
        buffers(tmp_path / "before", [2000, 4000, 6000, 8000], [2000, 4000, 8000, 8000])
    )
    for name, used, room, verdict in (
        ("again", [1000, 2100, 3200, 4300], [1000, 4000, 4000, 8000], "not fixed"),
        ("again, doubled before", [4200, 5300, 6400, 7500], [8000] * 4, "not fixed"),
        ("idle", [0, 0, 0, 0], [32] * 4, "too early to tell"),
        ("emptied", [3900, 100, 3000, 400], [4000] * 4, "fixed"),
    ):
        after = heapscope.snapshots(buffers(tmp_path / name, used, room))
        proof = before.prove(after, force_series=True)
        assert proof.verdict == verdict, (name, proof.reason)
        assert proof.decisive[0].name == "com.acme.Main.log"


def test_what_grows_inside_of_objects_that_do_not_is_named(tmp_path: Path) -> None:
    paths = pools(tmp_path, [20, 60, 100, 140])
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.owner == "com.acme.Connection.cache"
    assert (finding.class_name, finding.counts) == ("com.acme.Statement", (60, 180, 300, 420))
    assert finding.owner_way[0] == "Pool.idle (static)"


@pytest.mark.parametrize("counts", [(10, 20, 30, 40), (10, 20, 20, 30, 40, 50)], ids=["each", "not each"])
def test_threads_that_never_end_are_a_leak(tmp_path: Path, counts: tuple[int, ...]) -> None:
    paths = []
    for number, count in enumerate(counts):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.thread("main")
        # As java.lang.Thread has inheritedAccessControlContext: no field of the program holds anything.
        d.cls("java.lang.BaseThread", "java.lang.Thread", fields={"context": "Object"})
        d.cls("com.acme.Heartbeat", "java.lang.BaseThread")
        for serial in range(count):
            context = d.primitive_array("byte", b"x" * 2000)
            one = d.instance("com.acme.Heartbeat", context=d.object_array("java.lang.Object[]", [context]))
            d.root("THREAD_OBJECT", one, thread_serial=100 + serial)
        paths.append(d.dump().save(tmp_path / f"d{number}.hprof"))
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.class_name == "com.acme.Heartbeat"
    assert (finding.owner, finding.counts) == ("threads of class com.acme.Heartbeat", counts)
    assert "field" not in finding.why


def test_a_buffer_that_goes_on_in_another_field_is_no_cure(tmp_path: Path) -> None:
    used, room = [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000], DOUBLED
    before = heapscope.snapshots(buffers(tmp_path / "before", used, room))
    after = heapscope.snapshots(buffers(tmp_path / "after", used, room, name="journal"))
    count = [float(number) for number in range(8)]
    proof = before.prove(after, force_series=True, work=(count, count))
    assert proof.verdict == "too early to tell"
    assert "byte[] in com.acme.Main.journal gets larger" in proof.reason


def test_of_one_buffer_that_began_small_the_size_is_told(tmp_path: Path) -> None:
    """In the first dump it owns less than is followed: it was there all the same."""
    used = [20, 20_000, 40_000, 60_000]
    paths = []
    for number, path in enumerate(buffers(tmp_path / "leak", used, used)):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("java.io.ByteArrayOutputStream", fields={"buf": "Object", "count": "int"})
        buffer = d.primitive_array("byte", bytes(used[number]))
        stream = d.instance("java.io.ByteArrayOutputStream", buf=buffer, count=used[number])
        rest = d.object_array(
            "java.lang.Object[]", [d.primitive_array("byte", bytes(900)) for _ in range(90)]
        )
        d.cls("com.acme.Main", statics={"log": ("Object", stream), "rest": ("Object", rest)})
        d.root("STICKY_CLASS", d.class_id("com.acme.Main"))
        paths.append(d.dump().save(path))
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert (finding.owner, finding.counts) == ("com.acme.Main.log", (1, 1, 1, 1))
    assert "gets larger and larger" in finding.title
    assert [size and size // 1000 for size in finding.sizes] == [0, 20, 40, 60]


def test_a_last_dump_that_was_cut_short_hides_no_leak(tmp_path: Path) -> None:
    paths = dumps(tmp_path, [20, 60, 100, 140, 180], recent=[50] * 5, garbage=[0] * 5)
    paths[-1].write_bytes(paths[-1].read_bytes()[:-300])
    found = heapscope.diagnose(heapscope.snapshots(paths, partial=True), force_series=True)
    (finding,) = found.findings
    assert (finding.owner, finding.counts) == ("com.acme.Collector.history", (20, 60, 100, 140))
    assert finding.dump == paths[-2]
    assert found.source == paths[-1].stem


@pytest.mark.parametrize("count", [SERIES_DUMPS, SERIES_DUMPS + 1])
def test_what_is_held_softly_is_no_leak_of_however_many_dumps(tmp_path: Path, count: int) -> None:
    paths = []
    for number in range(count):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("com.acme.Sample", fields={"data": "Object"})
        d.cls("java.lang.ref.Reference", fields={"referent": "Object"})
        d.cls("java.lang.ref.SoftReference", "java.lang.ref.Reference")
        references = []
        for _ in range(20 + 20 * number):
            sample = d.instance("com.acme.Sample", data=d.primitive_array("byte", b"x" * 200))
            references.append(d.instance("java.lang.ref.SoftReference", referent=sample))
        cache = d.object_array("java.lang.Object[]", references)
        d.cls("com.acme.Main", statics={"cache": ("Object", cache)})
        d.root("STICKY_CLASS", d.class_id("com.acme.Main"))
        paths.append(d.dump().save(tmp_path / f"d{number}.hprof"))
    assert heapscope.diagnose(paths, force_series=True).status == HEALTHY


def test_what_rises_ever_more_slowly_is_said(tmp_path: Path) -> None:
    paths = dumps(tmp_path, [100, 1100, 1800, 2200, 2400], recent=[50] * 5, garbage=[0] * 5)
    found = heapscope.diagnose(paths, force_series=True)
    assert found.status == HEALTHY
    assert [(each.name, each.is_slowing) for each in found.rising] == [("com.acme.Collector.history", True)]
    assert any("ever more slowly" in each for each in describe_diagnosis(found).figures)
    filled = dumps(tmp_path, [20, 150, 151, 152], recent=[50] * 4, garbage=[0] * 4)
    assert heapscope.diagnose(filled, force_series=True).rising == ()


def test_dumps_that_are_taken_ever_more_often_hide_no_leak(tmp_path: Path) -> None:
    """By the time that lies between them it grows as ever."""
    counts = [100, 900, 1100, 1200]  # after 0, 8, 10, 11 hours
    paths = dumps(tmp_path, counts, recent=[50] * 4, garbage=[0] * 4)
    for path, hour in zip(paths, (0, 8, 10, 11), strict=True):
        data = bytearray(path.read_bytes())
        place = data.index(0) + 5
        data[place : place + 8] = (FIRST_MS + hour * HOUR_MS).to_bytes(8, "big")
        path.write_bytes(data)
    (finding,) = heapscope.diagnose(paths, force_series=True).findings
    assert finding.owner == "com.acme.Collector.history"


def test_a_buffer_is_followed_over_many_dumps_after_a_warm_up(tmp_path: Path) -> None:
    """Some of the dumps are opened, and the warm-up is counted in all of them."""
    before = heapscope.snapshots(
        buffers(tmp_path / "before", [2000, 4000, 6000, 8000], [2000, 4000, 8000, 8000])
    )
    (tmp_path / "after").mkdir()
    for number in range(27):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        d.cls("java.io.ByteArrayOutputStream", fields={"buf": "Object", "count": "int"})
        buffer = d.primitive_array("byte", bytes(9000))
        stream = d.instance("java.io.ByteArrayOutputStream", buf=buffer, count=900)
        filled = d.primitive_array("byte", bytes(200_000 + 20_000 * min(number, 9)))
        d.cls("com.acme.Main", statics={"log": ("Object", stream), "filled": ("Object", filled)})
        d.root("STICKY_CLASS", d.class_id("com.acme.Main"))
        d.dump().save(tmp_path / "after" / f"d{number:02}.hprof")
    after = heapscope.snapshots(tmp_path / "after")
    skip = after.growth(force_series=True).axis.skip
    assert skip > SERIES_DUMPS
    proof = before.prove(after, force_series=True)
    assert proof.decisive[0].name == "com.acme.Main.log"
    assert proof.decisive[0].expected == pytest.approx(2000 * (26 - skip))
    assert proof.verdict == "too early to tell", proof.reason  # nothing shows that it worked


@pytest.mark.parametrize(
    ("class_name", "threads", "told"),
    [
        ("com.acme.Main", ["main"], "a local variable of thread 'main'"),
        (
            "com.acme.Main",
            ["job-0b8a2c1e-9d3f-4e57-8a61-2f7c3d4e5f60"],
            "a local variable of thread 'job-(masked)'",
        ),
        ("com.acme.Main", [f"worker-{n}" for n in range(4)], "local variables of threads 'worker-*'"),
        ("java.util.TimerThread", ["main"], ""),
        ("java.util.TimerThread", [f"worker-{n}" for n in range(4)], ""),
    ],
)
def test_raw_material_in_a_local_variable_is_of_the_code_that_runs(
    class_name: str, threads: list[str], told: str, tmp_path: Path
) -> None:
    paths = []
    for number in range(4):
        d = DumpBuilder(timestamp_ms=FIRST_MS + number * HOUR_MS)
        for thread in threads:
            arrays = [d.primitive_array("byte", bytes(500)) for _ in range(50 * (number + 1))]
            kept = d.object_array("java.lang.Object[]", arrays)
            d.thread(thread, frames=[(class_name, "run", 3)], local_ids=[(kept, 0)])
        paths.append(d.dump().save(tmp_path / f"d{number}.hprof"))
    found = heapscope.diagnose(paths, force_series=True).findings
    assert [each.owner for each in found] == ([told] if told else [])
    looks_at = "heapscope threads" if len(threads) == 1 else "what starts these threads"
    assert all(looks_at in each.cure[0] for each in found)
