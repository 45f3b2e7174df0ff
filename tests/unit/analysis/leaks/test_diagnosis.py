"""Diagnoses: growth and its beginning, sidecars, what gives way to what."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.growth.sidecar import variables_in
from heapscope.analysis.growth.snapshot import read_snapshot
from heapscope.analysis.growth.statistics import Rate
from heapscope.analysis.leaks.findings import UNKNOWN, began, slope_per_hour
from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.analysis.verdicts import CERTAIN, HEALTHY, LEAK, POSSIBLE
from heapscope.errors import HeapscopeError, NotHprof
from heapscope.reporter.diagnosis import describe_diagnosis
from tests.support.dumps import DumpBuilder
from tests.unit.analysis.leak import leak_dump
from tests.unit.cli.conftest import histogram_text, write_histogram

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
FILE_SYSTEM = "org.apache.hadoop.fs.FileSystem"
TEN = Rate(10.0, 9.0, 11.0, 0.95)  # an hour
OWN_LEAK = """
family = "Made up"
[[leak]]
id = "app-logins"
title = "Logins pile up"
unit = ["login", "logins"]
affected = ["app 1.0"]
why = "Nobody logs out."
cure = ["Log out."]
healthy = "One login."
sources = [{ label = "APP-1", url = "https://example.com/APP-1" }]
confidence = "likely"
born = "nowhere|made"
subject = { class = "app.Login" }
signature = [{ count = "subject", at_least = 3 }]
"""
HOOKS = "jdk-shutdown-hooks"


def minutes(*when: int) -> list[datetime]:
    return [START + timedelta(minutes=each) for each in when]


def test_the_slope_is_that_of_most_pairs() -> None:
    steady = slope_per_hour(minutes(0, 60, 120), (10, 20, 30))
    assert steady is not None
    assert steady.value == 10
    # One outlier of five moves it little: a mean would be 100 an hour.
    found = slope_per_hour(minutes(0, 60, 120, 180, 240), (10, 20, 30, 40, 450))
    assert found is not None
    assert 10 <= found.value <= 20
    assert slope_per_hour(minutes(0, 60), (10, None)) is None
    assert slope_per_hour(minutes(0, 0), (10, 20)) is None
    assert slope_per_hour(minutes(0), (10,)) is None


def test_when_it_began() -> None:
    assert began(minutes(0, 60), (1, 11), TEN) == (START, False)
    assert began(minutes(0, 60), (20, 30), TEN) == (START - timedelta(hours=2), True)
    assert began(minutes(0, 60), (20, 20), replace(TEN, value=0.0)) == (None, False)
    assert began(minutes(0), (20,), None) == (None, False)
    assert began(minutes(0, 60), (10**9, 10**9 + 1), replace(TEN, value=1e-9)) == (
        None,
        False,
    )  # before the year 1


def add_hooks(d: DumpBuilder, count: int) -> None:
    """So many shutdown hooks, as the JDK keeps them."""
    d.cls("java.lang.ApplicationShutdownHooks")
    d.cls("java.lang.Thread", fields={"name": "Object"})
    threads = [d.instance("java.lang.Thread", name=d.string(f"hook-{i}")) for i in range(count)]
    table: dict[int | str, int | str | None] = {thread: thread for thread in threads}
    d.static("java.lang.ApplicationShutdownHooks", "hooks", "Object", d.hash_map(table))
    d.root("STICKY_CLASS", d.class_id("java.lang.ApplicationShutdownHooks"))


def hooks_dump(folder: Path, name: str, count: int, seconds: int = 0) -> Path:
    d = DumpBuilder(timestamp_ms=1_480_000_000_000 + 1000 * seconds)
    add_hooks(d, count)
    return d.dump().save(folder / f"{name}.hprof")


def test_what_does_not_grow_is_no_leak(tmp_path: Path) -> None:
    steady = [hooks_dump(tmp_path, f"steady-{i}", 150, 60 * i) for i in range(3)]
    found = heapscope.diagnose(steady)
    assert found.status == HEALTHY
    assert [counts for _, counts in found.steady] == [(150, 150, 150)]
    growing = [hooks_dump(tmp_path, f"growing-{i}", 100 + 50 * i, 60 * i) for i in range(3)]
    (leak,) = heapscope.diagnose(growing).findings
    assert (leak.id, leak.counts) == (HOOKS, (100, 150, 200))
    assert leak.per_hour is not None
    assert leak.per_hour.value == pytest.approx(3000)
    assert leak.since == datetime(2016, 11, 24, 15, 4, 40, tzinfo=UTC)  # two minutes before the first


@pytest.mark.parametrize(
    ("born", "since"),
    [
        ([1_480_000_002_500, 1_480_000_001_250, 0], datetime(2016, 11, 24, 15, 6, 41, 250_000, tzinfo=UTC)),
        ([0, -5, 0], None),  # never set
        ([2**63 - 1] * 3, None),  # no time of this calendar
    ],
)
def test_of_one_dump_the_oldest_says_since_when(
    tmp_path: Path, born: list[int], since: datetime | None
) -> None:
    catalogue = tmp_path / "own.toml"
    catalogue.write_text(OWN_LEAK, "utf-8")
    d = DumpBuilder()
    d.cls("app.Login", fields={"made": "long"})
    for each in born:
        d.root("JNI_GLOBAL", d.instance("app.Login", made=each))
    dump = d.dump().save(tmp_path / "logins.hprof")
    (leak,) = heapscope.diagnose(dump, catalogue=load_catalogue(catalogue)).findings
    assert leak.id == "app-logins"
    assert (leak.since, leak.since_is_estimate) == (since, False)


def test_a_heap_without_the_fields_is_no_error(tmp_path: Path) -> None:
    found = heapscope.diagnose(leak_dump(tmp_path))
    assert found.findings == ()
    (group,) = found.groups
    assert (group.file_system_count, group.subject_count, group.user) == (20, 0, "")
    assert (group.cached_count, group.handle_count, group.handle_record_count) == (20, 20, 40)
    assert group.retained_bytes >= 20 * 4000


def test_of_a_redacted_dump_nothing_found_is_no_proof(tmp_path: Path) -> None:
    d = DumpBuilder()
    for _ in range(5):
        d.string("\0" * 30)
    found = heapscope.diagnose(d.dump().save(tmp_path / "d.hprof"))
    assert found.without_texts
    assert "it was redacted" in " ".join(describe_diagnosis(found).figures)
    assert not heapscope.diagnose(leak_dump(tmp_path)).without_texts


def test_a_heap_that_grows_without_a_class_that_leads_is_no_proof(tmp_path: Path) -> None:
    """As of class histograms around a dump in which a local variable holds the arrays."""
    sizes = (1_000_000, 1_100_000, 1_200_000)
    found = heapscope.diagnose(
        [
            write_histogram(tmp_path / f"{minute}.txt", [("[B", size // 1000, size)], 60 * minute)
            for minute, size in enumerate(sizes)
        ]
    )
    unled = replace(found, status=HEALTHY, findings=())
    assert unled.has_heap_grown
    assert "no proof that nothing leaks" in " ".join(describe_diagnosis(unled).figures)


def test_growth_by_class_histograms_alone(tmp_path: Path) -> None:
    paths = [
        write_histogram(
            tmp_path / f"{i}.txt",
            [("app.Order", 1000 * i, 100_000 * i), ("app.Item", 10, 100), ("byte[]", 5000, 200_000)],
            60 * i,
        )
        for i in (1, 2, 3)
    ]
    diagnosis = heapscope.diagnose(paths)
    (found,) = diagnosis.findings
    assert diagnosis.status == LEAK
    assert (found.id, found.class_name, found.confidence) == (UNKNOWN, "app.Order", POSSIBLE)
    assert found.per_hour is not None
    assert found.per_hour.value == pytest.approx(60_000)
    assert found.retained_bytes is None
    # Half of it in one step, and it fell once: what fluctuates is no suspect.
    paths[1].unlink()
    write_histogram(paths[1], [("app.Order", 5000, 500_000), ("byte[]", 5000, 200_000)], 120)
    assert heapscope.diagnose(paths).findings == ()


def test_no_snapshot_and_no_dump(tmp_path: Path) -> None:
    with pytest.raises(HeapscopeError, match="no snapshot given"):
        heapscope.diagnose([])
    with pytest.raises(NotHprof):
        heapscope.diagnose(tmp_path)


def sidecar_text(**process: object) -> str:
    return json.dumps({"host": "worker-host", "process": {"pid": 4711, "start_ticks": 99, **process}})


def test_the_sidecar_tells_what_the_heap_does_not(tmp_path: Path) -> None:
    path = leak_dump(tmp_path)
    beside = path.with_name("leak.hprof.json")
    beside.write_text(sidecar_text(environment={"KERB_TICKET_CACHE_PATH": "/tmp/krb5cc_7"}), "utf-8")
    (reading,) = heapscope.diagnose(path).readings
    assert (reading.name, reading.value, reading.source) == (
        "KERB_TICKET_CACHE_PATH",
        "/tmp/krb5cc_7",
        "leak.hprof.json",
    )
    beside.write_text(sidecar_text(), "utf-8")
    (reading,) = heapscope.diagnose(path, living_environment={"KRB5CCNAME": "/tmp/x"}).readings
    assert (reading.value, reading.source) == ("/tmp/x", "/proc/4711/environ")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"process": 3}', '{"process": {"pid": "x", "environment": {"A": 3}}}']
)
def test_a_sidecar_that_is_none(tmp_path: Path, text: str) -> None:
    path = leak_dump(tmp_path)
    path.with_name("leak.hprof.json").write_text(text, "utf-8")
    assert variables_in(read_snapshot(path).sidecar) == {}
    assert heapscope.diagnose(path).readings == ()


def logins_dump(folder: Path, name: str, count: int, seconds: int) -> Path:
    d = DumpBuilder(timestamp_ms=1_480_000_000_000 + 1000 * seconds)
    d.cls("app.Login", fields={"made": "long"})
    for _ in range(count):
        d.root("JNI_GLOBAL", d.instance("app.Login", made=1))
    return d.dump().save(folder / f"{name}-{seconds}.hprof")


def test_what_goes_up_and_down_is_no_leak_where_the_signature_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN_LEAK, "utf-8")
    own = load_catalogue(path)
    fluctuates = (60, 90, 56, 84, 61, 87)
    dumps = [logins_dump(tmp_path, "pool", count, 60 * i) for i, count in enumerate(fluctuates)]
    found = heapscope.diagnose(dumps, catalogue=own)
    assert found.findings == ()
    assert [counts for _, counts in found.steady] == [fluctuates]
    # One that the heap proves is one however it came.
    certain = [replace(each, confidence=CERTAIN) for each in own]
    assert len(heapscope.diagnose(dumps, catalogue=certain).findings) == 1
    rises = [logins_dump(tmp_path, "leak", count, 60 * i) for i, count in enumerate((10, 31, 29, 52, 70))]
    assert [each.id for each in heapscope.diagnose(rises, catalogue=own).findings] == ["app-logins"]


@pytest.mark.parametrize(
    ("counts", "leaks"),
    [
        ((4, 4, 48, 48, 48), False),  # jumped once, and stayed
        ((4, 5, 48, 49, 48), False),
        ((1, 4, 48), True),
        ((1, 4, 9, 48), True),  # the last step alone is large: nobody knows whether it stays
        ((4, 10, 20, 30, 48), True),
    ],
)
def test_one_jump_is_no_leak_unless_the_heap_proves_it(
    tmp_path: Path, counts: tuple[int, ...], leaks: bool
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN_LEAK, "utf-8")
    own = load_catalogue(path)
    dumps = [logins_dump(tmp_path, "some", count, 60 * i) for i, count in enumerate(counts)]
    ids = [each.id for each in heapscope.diagnose(dumps, catalogue=own).findings]
    assert ("app-logins" in ids) == leaks
    certain = [replace(each, confidence=CERTAIN) for each in own]
    assert "app-logins" in [each.id for each in heapscope.diagnose(dumps, catalogue=certain).findings]


def test_what_needs_growth_is_none_of_two_snapshots(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        OWN_LEAK.replace("born =", 'needs_growth = true\nunverified = ["the release"]\nborn ='), "utf-8"
    )
    own = load_catalogue(path)
    dumps = [logins_dump(tmp_path, "some", count, 60 * i) for i, count in enumerate((10, 20, 30, 40))]
    for few in (dumps[:1], dumps[:2]):
        diagnosis = heapscope.diagnose(few, catalogue=own)
        assert diagnosis.findings == ()
        assert [counts for _, counts in diagnosis.steady] == [(10, 20)[: len(few)]]
    (found,) = heapscope.diagnose(dumps, catalogue=own).findings
    assert (found.id, found.unverified) == ("app-logins", ("the release",))


def test_a_guessed_order_does_not_overrule_what_a_dump_shows(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN_LEAK, "utf-8")
    certain = [replace(each, confidence=CERTAIN) for each in load_catalogue(path)]
    logins_dump(tmp_path, "some", 48, 0).rename(tmp_path / "b.hprof")
    text = tmp_path / "a.txt"
    text.write_text(histogram_text([("app.Login", 60, 960)]))
    found = heapscope.snapshots([tmp_path / "b.hprof", text], order="given")
    assert [each.id for each in heapscope.diagnose(found, catalogue=certain).findings] == ["app-logins"]
    swapped = heapscope.snapshots([text, tmp_path / "b.hprof"], order="given")
    assert [each.id for each in heapscope.diagnose(swapped, catalogue=certain).findings] == ["app-logins"]


def test_a_known_leak_that_hardly_grows_does_not_hide_another(tmp_path: Path) -> None:
    def dump(at: int, hooks: int, sessions: int) -> Path:
        d = DumpBuilder(timestamp_ms=1_480_000_000_000 + 60_000 * at)
        add_hooks(d, hooks)
        d.cls("app.Session", fields={"data": "Object"})
        for _ in range(sessions):
            d.root("MONITOR_USED", d.instance("app.Session", data=d.primitive_array("byte", bytes(100))))
        return d.dump().save(tmp_path / f"{hooks}-{sessions}.hprof")

    dumps = [dump(i, 110 + i, 500 * (i + 1)) for i in range(5)]
    assert [each.class_name for each in heapscope.diagnose(dumps).findings] == [
        "app.Session",
        "java.lang.Thread",
    ]
    # What the known leak makes grow is not told twice.
    alone = [dump(i, 100 * (i + 1), 1) for i in range(5)]
    assert [each.id for each in heapscope.diagnose(alone).findings] == [HOOKS]


def test_what_rests_between_steps_does_not_grow_in_every_snapshot(tmp_path: Path) -> None:
    counts = (10, 10, 3000, 3000, 3000, 6000)
    texts = [
        write_histogram(tmp_path / f"{i}.txt", [("app.Job", n, 100 * n), ("byte[]", 1, 1000)], 60 * i)
        for i, n in enumerate(counts)
    ]
    (found,) = heapscope.diagnose(texts).findings
    assert (found.id, found.title.partition(",")[0]) == (UNKNOWN, "app.Job keeps growing")
