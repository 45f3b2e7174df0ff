"""Growth over snapshots: keys, rates, processes, forecasts; on series written by hand and on dumps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.notes import Note, NoteKind
from heapscope.analysis.growth.same_process import find_processes
from heapscope.errors import DifferentProcesses, HeapscopeError
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import CACHE, DISTRIBUTED, FILE_SYSTEM, leak_builder
from tests.unit.cli.conftest import write_histogram
from tests.unit.reporter.series import series

HOUR_MS = 3_600_000


def leak_series(folder: Path, counts: Sequence[int], *, seed: int | None = 7, jdk: int = 17) -> list[Path]:
    """Dumps an hour apart of one process with so many leaked file systems."""
    paths = []
    for place, count in enumerate(counts):
        d = leak_builder(count)
        d.timestamp_ms += place * HOUR_MS
        if seed is not None:
            d.cls("java.util.ImmutableCollections", statics={"SALT32L": ("long", seed)})
        paths.append(d.dump().save(folder / f"s{place}.hprof"))
    return paths


def test_growth_by_class(tmp_path: Path) -> None:
    growth = heapscope.snapshots(leak_series(tmp_path, [10, 20, 30, 40])).growth()
    systems = growth[DISTRIBUTED]
    assert systems.instance_counts == (10, 20, 30, 40)
    assert systems.verdict == "grows"
    assert systems.is_growing
    assert systems.confidence == pytest.approx(23 / 24)
    assert systems.instances.per_hour is not None
    assert systems.instances.per_hour.value == pytest.approx(10)
    assert systems.retained_bytes is None
    assert growth.get(CACHE) is not None
    assert growth[CACHE].verdict == "steady"
    assert growth.get("a.Missing") is None
    with pytest.raises(KeyError):
        growth["a.Missing"]
    assert growth.growing[0].name == "byte[]"  # most bytes first
    frame = growth.to_frame()
    assert len(frame) == len(growth) > 5
    assert frame.set_index("name").loc[DISTRIBUTED, "instance_count_per_hour"] == pytest.approx(10)
    assert growth.unit == "hour"


def test_subclasses_count_for_their_superclasses_too(tmp_path: Path) -> None:
    growth = heapscope.snapshots(leak_series(tmp_path, [1, 2, 3, 4])).growth("class+", retained=True)
    assert growth[f"{FILE_SYSTEM}+"].instance_counts == (1, 2, 3, 4)
    assert growth[f"{FILE_SYSTEM}+"].retained_bytes == growth[f"{DISTRIBUTED}+"].retained_bytes
    assert growth.get("java.lang.Object+") is None


@pytest.mark.parametrize("by", ["class", "package"])
def test_retained_sizes_are_those_of_the_consumers(tmp_path: Path, by: str) -> None:
    paths = leak_series(tmp_path, [2, 5])
    growth = heapscope.snapshots(paths).growth(by, retained=True)  # type: ignore[arg-type]
    for place, path in enumerate(paths):
        with heapscope.open(path) as heap:
            table = heap.consumers.by_class if by == "class" else heap.consumers.by_package
            rows = list(table.rows())
            assert len(rows) > 3
            for row in rows:
                key = growth[row["name"]]
                assert key.retained_bytes is not None
                found = key.instance_counts[place], key.shallow_bytes[place], key.retained_bytes[place]
                assert found == (row["instance_count"], row["shallow_bytes"], row["retained_bytes"])


def test_retained_sizes_of_a_hierarchy_are_those_of_its_members(tmp_path: Path) -> None:
    """Objects of a class that hold others of it are not counted twice, at any depth of the hierarchy."""

    def build(place: int) -> Path:
        d = DumpBuilder(timestamp_ms=1_480_000_000_000 + place * HOUR_MS)
        d.cls("a.Base", fields={"next": "Object", "data": "Object"})
        chain = ["a.Base", "a.B", "a.C", "a.D", "a.E"]
        for parent, child in pairwise(chain):
            d.cls(child, parent)
        below: int | None = None
        for i in range(10):
            below = d.instance(
                chain[i % 5], next=below, data=d.primitive_array("byte", b"x" * (100 * i + place))
            )
        assert below is not None
        d.root("JNI_GLOBAL", below)
        d.root("JNI_GLOBAL", d.instance("a.C"))
        return d.dump().save(tmp_path / f"h{place}.hprof")

    paths = [build(0), build(1)]
    growth = heapscope.snapshots(paths).growth("class+", retained=True)
    for place, path in enumerate(paths):
        with heapscope.open(path) as heap:
            for name in ("a.Base", "a.B", "a.C", "a.D", "a.E"):
                retained = growth[f"{name}+"].retained_bytes
                assert retained is not None
                assert retained[place] == heap.objects(name).retained_bytes()


def test_loaders_are_told_by_class_not_by_address(tmp_path: Path) -> None:
    def build(place: int) -> Path:
        d = DumpBuilder(timestamp_ms=1_480_000_000_000 + place * HOUR_MS, base=0xE000_0000 + 0x1000 * place)
        loaders = [d.instance("a.PluginLoader") for _ in range(place + 1)]
        for i, loader in enumerate(loaders):
            d.cls(f"a.Plugin{i}", loader_id=loader)
            d.root("JNI_GLOBAL", d.instance(f"a.Plugin{i}"))
        return d.dump().save(tmp_path / f"l{place}.hprof")

    growth = heapscope.snapshots([build(i) for i in range(4)]).growth("loader")
    assert growth["a.PluginLoader"].instance_counts == (1, 2, 3, 4)
    assert growth["a.PluginLoader"].is_growing
    assert growth.get("<boot loader>") is not None


def test_class_histograms_have_no_references(series: list[Path]) -> None:
    found = heapscope.snapshots(series)
    assert found.growth()["org.apache.hadoop.hdfs.DistributedFileSystem"].verdict == "perhaps grows"
    assert found.growth("class+")[f"{FILE_SYSTEM}+"].instance_counts == (1000, 2000, 3000)
    assert found.growth("package")["java.lang"].verdict == "steady"
    for by, retained in (("loader", False), ("class", True)):
        with pytest.raises(HeapscopeError, match=r"leak-1.txt: a class histogram has no references"):
            found.growth(by, retained=retained)  # type: ignore[arg-type]


@pytest.fixture(name="series")
def _series(tmp_path: Path) -> list[Path]:
    return [
        write_histogram(
            tmp_path / f"leak-{i}.txt",
            [
                ("org.apache.hadoop.hdfs.DistributedFileSystem", 1000 * i, 48_000 * i),
                ("java.lang.String", 5, 120),
            ],
            60 * i,
        )
        for i in (1, 2, 3)
    ]


# --- processes ---


def test_dumps_of_two_processes_are_no_series(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    paths = leak_series(one, [1, 2], seed=1) + leak_series(two, [1, 2], seed=2)
    found = heapscope.snapshots(paths)
    with pytest.raises(
        DifferentProcesses, match=r"snapshots of 2 processes are no series: .* --force-series"
    ):
        found.growth()
    forced = found.growth(force_series=True)
    assert Note(NoteKind.SEVERAL_PROCESSES, counts=(2,)) in forced.notes
    assert len(found.processes()) == 2


def test_old_jvms_are_told_apart_by_their_threads(tmp_path: Path) -> None:
    def build(name: str, address: int, hour: int) -> Path:
        d = DumpBuilder(jdk=8, timestamp_ms=1_480_000_000_000 + hour * HOUR_MS)
        d.cls("java.lang.Thread", fields={"name": "Object", "eetop": "long"})
        for i, kind in enumerate(("ref.Reference$ReferenceHandler", "ref.Finalizer$FinalizerThread")):
            d.cls(f"java.lang.{kind}", "java.lang.Thread")
            d.root("JNI_GLOBAL", d.instance(f"java.lang.{kind}", eetop=address + i))
        return d.dump().save(tmp_path / name)

    same = heapscope.snapshots([build("a.hprof", 0x7F00, 0), build("b.hprof", 0x7F00, 1)])
    (process,) = same.processes()
    assert process.is_certain
    other = heapscope.snapshots([tmp_path / "a.hprof", build("c.hprof", 0x8F00, 2)])
    assert [one.members for one in other.processes()] == [(0,), (1,)]


def test_sidecars_tell_processes_apart(series: list[Path]) -> None:
    for path, pid in zip(series, (10, 10, 11), strict=True):
        sidecar = {"host": "w1", "process": {"pid": pid, "start_ticks": 5}}
        path.with_name(path.name + ".json").write_text(json.dumps(sidecar))
    with pytest.raises(
        DifferentProcesses, match=r"leak-1, leak-2 of process 10 on w1; leak-3 of process 11 on w1"
    ):
        heapscope.snapshots(series).growth()
    assert len(heapscope.snapshots(series[:2]).growth().snapshots) == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"process": 7}', '{"process": {"pid": "x"}}', "[" * 100_000]
)
def test_a_sidecar_that_is_none_tells_nothing(series: list[Path], text: str) -> None:
    series[0].with_name(series[0].name + ".json").write_text(text)
    (process,) = heapscope.snapshots(series).processes()
    assert not process.is_certain


@pytest.mark.parametrize(
    ("counts", "is_told"), [((900, 905, 700), True), ((900, 905, 890), False), ((0, 0, 0), False)]
)
def test_a_restart_that_only_the_classes_show_is_a_note(
    tmp_path: Path, counts: tuple[int, ...], is_told: bool
) -> None:
    paths = [
        write_histogram(
            tmp_path / f"r{i}.txt", [("java.lang.Class", count, 100 * count), ("a.B", 9, 9)], 60 * i
        )
        for i, count in enumerate(counts)
    ]
    notes = heapscope.snapshots(paths).growth().notes
    told = Note(NoteKind.FEWER_CLASSES, ("r1", "r2"), (905, 700))
    assert (told in notes) == is_told


def test_evidence_is_put_together() -> None:
    both = {"sidecar": ("h", 1, 2), "seed": 3}
    assert [p.members for p in find_processes([both, {"seed": 3}, {}, {"sidecar": ("h", 1, 2)}])] == [
        (0, 1, 2, 3)
    ]
    assert [p.members for p in find_processes([{"seed": 1}, {"seed": 2}, {"seed": 1}])] == [(0, 2), (1,)]
    # One seed, two sidecars: an AOT cache gave both the seed.
    aot = [{"seed": 1, "sidecar": ("h", 1, 1)}, {"seed": 1, "sidecar": ("h", 2, 1)}]
    assert [p.members for p in find_processes(aot)] == [(0,), (1,)]


# --- times, work, warm-up ---


def test_rates_are_per_snapshot_where_times_mean_nothing() -> None:
    growth = series(step=timedelta(0)).growth()
    assert growth.unit == "snapshot"
    assert growth["javax.security.auth.Subject"].instances.per_hour is None
    assert growth.forecasts == ()
    assert Note(NoteKind.NO_TIMES) in growth.notes
    assert "instance_count_per_snapshot" in growth.to_frame()


def test_rates_per_operation() -> None:
    growth = series().growth(work=[100, 200, 300, 400])
    rate = growth["javax.security.auth.Subject"].instances.per_operation
    assert rate is not None
    assert rate.value == pytest.approx(0.5)
    assert growth.to_frame()["instance_count_per_operation"].notna().all()


def test_work_counters_of_sidecars(series: list[Path]) -> None:
    for path, work in zip(series, (100, 200, 300), strict=True):
        path.with_name(path.name + ".json").write_text(json.dumps({"work_count": work}))
    rate = heapscope.snapshots(series).growth()["org.apache.hadoop.hdfs.DistributedFileSystem"].instances
    assert rate.per_operation is not None
    assert rate.per_operation.value == pytest.approx(10)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda s: s.growth(work=[1, 2]), "2 work counts for 4 snapshots"),
        (lambda s: s.growth(work=[1, 2, 3, 2]), "the work counter falls"),
        (lambda s: s.growth(warm_up=3), "2 at least have to stay"),
        (lambda s: s.growth(warm_up=-1), "2 at least have to stay"),
        (lambda s: s.growth("size"), "growth by 'size'"),
        (lambda s: s[:1].growth(), "1 snapshot given"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[heapscope.Snapshots], Growth], problem: str) -> None:
    with pytest.raises(HeapscopeError, match=problem):
        call(series())


def test_the_warm_up_of_the_heap_is_left_out() -> None:
    counts = (500, 4000, 10_000, 10_100, 10_200, 10_300, 10_400, 10_500, 10_600)
    growth = series({"a.Session": (counts, 64)}).growth()
    assert growth.axis.skip == 2
    assert Note(NoteKind.WARM_UP, counts=(2,)) in growth.notes
    assert growth["a.Session"].since == 2
    rate = growth["a.Session"].instances.per_hour
    assert rate is not None
    assert rate.value == pytest.approx(600)  # 100 in ten minutes
    assert series({"a.Session": (counts, 64)}).growth(warm_up=0).axis.skip == 0


def test_how_many_would_grow_by_chance() -> None:
    growth = series().growth()
    assert growth.expected_by_chance == pytest.approx(0.05 * 8)  # of nine classes one is steady


# --- forecast ---


def test_forecast_of_a_stated_limit() -> None:
    growth = series({"a.Session": ((100, 200, 300, 400), 1000)}, step=timedelta(hours=1)).growth(
        limit_bytes=1_000_000
    )
    (found,) = growth.forecasts
    assert found.limit.name == "stated limit"
    assert found.limit.used_bytes == 400_000
    assert found.at == growth.snapshots[-1].captured_at + timedelta(hours=6)
    assert found.earliest == found.latest == found.at  # a perfect line
    assert found.confidence == pytest.approx(11 / 12)


def test_the_range_follows_the_interval_of_the_rate() -> None:
    growth = series({"a.S": ((100, 150, 300, 400), 1000)}, step=timedelta(hours=1)).growth(
        limit_bytes=1_000_000
    )
    (found,) = growth.forecasts
    assert found.earliest is not None
    assert found.at is not None
    assert found.latest is not None
    assert found.earliest < found.at < found.latest
    last = growth.snapshots[-1].captured_at
    assert found.earliest == last + timedelta(hours=600 / 150)
    assert found.latest == last + timedelta(hours=600 / 50)


def test_no_forecast_of_what_does_not_grow() -> None:
    for counts in ((100, 90, 110, 100), (5, 5, 5, 5), (400, 300, 200, 100)):
        assert series({"a.S": (counts, 1000)}).growth(limit_bytes=10**9).forecasts == ()


def test_limits_of_dump_and_sidecar(tmp_path: Path) -> None:
    paths = []
    for place, count in enumerate([10, 20, 30, 40]):
        d = leak_builder(count)
        d.timestamp_ms += place * HOUR_MS
        d.cls("jdk.internal.misc.VM", statics={"directMemory": ("long", 1_000_000)})
        paths.append(d.dump().save(tmp_path / f"s{place}.hprof"))
    growth = heapscope.snapshots(paths).growth()
    (found,) = growth.forecasts
    assert (found.limit.name, found.limit.limit_bytes) == ("heap limit", 1_000_000)
    assert "VM.directMemory" in found.limit.source

    limits = {
        "container_bytes": 2_000_000,
        "container_used_bytes": 1_900_000,
        "machine_bytes": 10**12,
        "machine_used_bytes": 5,
    }
    sidecar = {"process": {"pid": 1, "start_ticks": 1, "heap": {"max_bytes": 3_000_000}}, "limits": limits}
    for path in paths:
        path.with_name(path.name + ".json").write_text(json.dumps(sidecar))
    growth = heapscope.snapshots(paths).growth()
    assert [(one.limit.name, one.limit.limit_bytes) for one in growth.forecasts] == [
        ("container limit", 2_000_000),
        ("heap limit", 3_000_000),
        ("machine's memory", 10**12),
    ]
    assert growth.forecasts[-1].at is None  # more than 50 years away


def test_a_limit_below_what_is_in_use_is_none(tmp_path: Path) -> None:
    d = leak_builder(10)
    d.cls("jdk.internal.misc.VM", statics={"directMemory": ("long", 1000)})
    path = d.dump().save(tmp_path / "a.hprof")
    from heapscope.analysis.growth.forecast import find_limits

    assert find_limits(list(heapscope.snapshots([path]))) == []
