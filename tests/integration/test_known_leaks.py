"""Every known leak on a real heap that has it and on one that has not; the sample dumps of the real leak.

``tests/support/java/leaks`` has the classes and fields of the libraries by their own names, and a program
that leaks as each library does.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import heapscope
from heapscope import DifferentProcesses
from heapscope.analysis.leaks.findings import UNKNOWN, Diagnosis, Finding
from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.analysis.verdicts import CERTAIN, LEAK, LIKELY, POSSIBLE, UNDECIDED
from tests.support.jvm import Jdk, Jvm, compile_java, find_jdks, java

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_dumps"
TICKET = "hadoop-fs-per-ticket-cache-login"
JNI = "jni-global-references"

# Leak -> what the program makes where it leaks, how many pile up then, and what it makes where it does not.
LEAKS: dict[str, tuple[str, int, str]] = {
    "hadoop-fs-per-proxy-user": ("fs-proxy=60", 60, "fs-proxy=30"),
    "hadoop-fs-per-remote-user": ("fs-remote=60", 60, "fs-remote=30"),
    "hadoop-fs-per-keytab-login": ("fs-keytab=6", 6, "fs-keytab=3"),
    "hadoop-fs-statistics-per-thread": ("statistics=6000", 6000, "statistics=20"),
    "hadoop-shutdown-hooks": ("hadoop-hooks=120", 120, "hadoop-hooks=10"),
    "hadoop-reflection-constructor-cache": ("constructors=60", 60, "constructors=30"),
    "hadoop-zlib-codecs": ("codecs=220", 220, "codecs-ended=300"),
    "jdk-delete-on-exit": ("delete-on-exit=1200", 1200, "delete-on-exit=50"),
    "jdk-direct-buffers-in-thread-caches": ("direct=8", 8, "direct-small=20"),
    "jdk-timer-cancelled": ("timers=12000", 12000, "timers-waiting=6000"),
    "guava-exiting-executors": ("guava-hooks=120", 120, "guava-hooks=10"),
    "s3a-metrics": ("s3a=25", 25, "s3a=2"),
    "abfs-timer-threads": ("abfs=25", 25, "abfs=2"),
    "alluxio-contexts": ("alluxio=60", 60, "alluxio=3"),
    "aws-idle-connection-reaper": ("aws=60", 60, "aws=5"),
    "aws-v2-idle-connection-reaper": ("aws2=60", 60, "aws2=5"),
    "aws-v2-sdk-scheduled-executor": ("sdk-threads=120", 120, "sdk-threads=20"),
    "spark-execution-listener-bus": ("spark=60", 60, "spark-fixed=60"),
    "spark-artifact-manager": ("artifacts=60", 85, "artifacts-used=60"),  # and 25 of connect-loaders
    "spark-shutdown-delete-paths": ("delete-paths=1200", 1200, "delete-paths=20"),
    "delta-statecache": ("delta=60", 60, "sessions=60"),
    "flink-user-code-loaders": ("flink=40", 40, "flink=12"),
    "jdbc-drivers": ("drivers=25", 25, "drivers-used=25"),
    "groovy-scripts": ("groovy=1100", 1100, "groovy=100"),
    "commons-logging-factories": ("logging=25", 25, "logging-used=25"),
    "kafka-jmxreporter": ("kafka=11000", 11000, "kafka-used=11000"),
    "log4j2-logger-contexts": ("log4j=25", 25, "log4j=5"),
    "netty-recycler": ("netty=110000", 110000, "netty=2000"),
    "jersey-hk2-client": ("jersey=120", 120, "jersey=20"),
    "py4j-gateway-bindings": ("py4j=11000", 11000, "py4j=500"),
}
# What a busy server has as well: one dump shows that the signature fits, and only growth makes a leak of it.
GROWING: dict[str, tuple[str, int, str]] = {
    "hadoop-statistics-cleaner-pins-loader": ("statistics-cleaner=25", 25, "statistics-cleaner=1"),
    "hadoop-configuration-class-cache": ("class-cache=60", 60, "class-cache=5"),
    "spark-connect-loaders": ("connect-loaders=25", 25, "artifacts-used=25"),
    "micrometer-meters": ("meters=51000", 51000, "meters=2000"),
    "hikari-pools": ("hikari=55", 55, "hikari=3"),
    "mbean-server-growth": ("mbeans=51000", 51000, "mbeans=100"),
    # One of them is being finalized.
    "jdk-finalizer-queue": ("finalizers=601", 600, "finalizers-done=600"),
}
# These are about the same objects as one above, or of a kind that gives way to a more specific one.
ALONE: dict[str, tuple[str, int, str]] = {
    # Beside them 600 that open archives keep for the next reader.
    "jdk-inflaters": ("inflaters=600", 600, "inflaters-ended=600"),
    "jdk-shutdown-hooks": ("hooks=120", 120, "hooks=10"),
    "class-loaders-in-thread-locals": ("thread-locals=55", 55, "thread-locals=12"),
    "hadoop-fs-new-instance": ("fs-new-instance=25", 25, "fs-new-instance=5"),
}
DELETE_ON_EXIT = ("hadoop-fs-delete-on-exit", "fs-delete-on-exit=1200", "fs-delete-on-exit=50")
NATIVE = {JNI, "jni-local-references", "native-threads-never-detached", "jep-subinterpreter-methods"}


def jdks() -> list[int]:
    """Releases to run on; one that may be missing where there is none, for the marker to skip."""
    return (
        sorted(release for release in find_jdks() if release in (17, 25)) or sorted(find_jdks())[:1] or [17]
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("known-leaks")


@cache
def diagnosed(folder: Path, release: int, *what: str) -> Diagnosis:
    path = folder / f"{release}-{len(list(folder.iterdir()))}.hprof"
    options = ("-XX:MaxDirectMemorySize=200m", "-XX:+UseSerialGC")
    with java(find_jdks()[release], "Leaks", *options, arguments=what, heap="200m", folder="leaks") as jvm:
        jvm.dump(path)
    return heapscope.diagnose(path)


def leaking(folder: Path, release: int) -> Diagnosis:
    """Of one JVM that has all of them but those that would hide others."""
    return diagnosed(folder, release, *(makes for makes, _, _ in (*LEAKS.values(), *GROWING.values())))


def found_in(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {each.id: each for each in diagnosis.findings}


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
@pytest.mark.parametrize("leak", LEAKS)
def test_a_heap_that_has_it(folder: Path, release: int, leak: str) -> None:
    found = found_in(leaking(folder, release))
    assert leak in found
    if leak != "jdk-direct-buffers-in-thread-caches":  # the JDK has large buffers of its own
        assert found[leak].instance_count == LEAKS[leak][1]
    assert found[leak].instance_count >= LEAKS[leak][1]
    assert found[leak].confidence in (CERTAIN, LIKELY)
    assert found[leak].evidence
    assert found[leak].retained_bytes


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_nothing_else_is_found_there(folder: Path, release: int) -> None:
    assert set(found_in(leaking(folder, release))) == set(LEAKS)


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_what_needs_growth_is_no_leak_of_one_dump(folder: Path, release: int) -> None:
    titles = {leak.title: leak.id for leak in load_catalogue()}
    steady = {titles[title]: counts for title, counts in leaking(folder, release).steady}
    assert set(steady) == set(GROWING)
    # Others have such objects too; finalize() of a JDK's own object may wait.
    exact = set(GROWING) - {"spark-connect-loaders", "mbean-server-growth", "jdk-finalizer-queue"}
    assert {leak: steady[leak] for leak in exact} == {leak: (GROWING[leak][1],) for leak in exact}


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_general_leaks(folder: Path, release: int) -> None:
    found = found_in(diagnosed(folder, release, "open-jars=600", *(makes for makes, _, _ in ALONE.values())))
    assert {leak: one.instance_count for leak, one in found.items()} == {
        leak: count for leak, (_, count, _) in ALONE.items()
    }


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_paths_to_delete_on_exit(folder: Path, release: int) -> None:
    leak, makes, _ = DELETE_ON_EXIT
    found = found_in(diagnosed(folder, release, makes))
    assert set(found) == {leak}
    assert any("1,200" in line for line in found[leak].evidence)


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_a_process_that_uses_all_of_it_rightly(folder: Path, release: int) -> None:
    healthy = [right for _, _, right in (*LEAKS.values(), *GROWING.values(), *ALONE.values())]
    more = ("fs-same-login=3", DELETE_ON_EXIT[2], "codecs=10", "inflaters=20", "open-jars=20")
    found = diagnosed(folder, release, *more, *healthy)
    assert found.findings == ()
    assert found.steady == ()
    assert found.status == UNDECIDED


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_both_shapes_of_the_ticket_cache_leak(folder: Path, release: int) -> None:
    cached = diagnosed(folder, release, "fs-ticket=6").findings
    uncached = diagnosed(folder, release, "fs-ticket-uncached=6").findings
    assert [one.id for one in (*cached, *uncached)] == [TICKET, TICKET]
    for (one,) in (cached, uncached):
        assert one.instance_count == 6
        (group,) = one.groups
        assert (group.scheme, group.authority, group.user) == ("hdfs", "a:8020", "trainer@EXAMPLE.COM")
        assert (group.file_system_count, group.subject_count) == (6, 6)
        assert group.ticket_cache == "/tmp/krb5cc_1000"
    assert cached[0].groups[0].cached_count == 6
    assert uncached[0].groups[0].cached_count == 0  # as with fs.hdfs.impl.disable.cache=true


@pytest.mark.jvm
@pytest.mark.parametrize("release", jdks())
def test_closed_file_systems_that_await_the_collector_are_no_leak(tmp_path: Path, release: int) -> None:
    made = ["fs-closed=40"]
    with java(find_jdks()[release], "Leaks", "-XX:+UseSerialGC", arguments=made, folder="leaks") as jvm:
        path = jvm.dump(tmp_path / "all.hprof", live=False)
    with heapscope.open(path) as heap:
        assert len(heap.objects("org.apache.hadoop.fs.FileSystem")) == 40
    found = heapscope.diagnose(path)
    assert (found.findings, found.groups) == ((), ())


@pytest.mark.jvm
def test_what_native_code_keeps(folder: Path) -> None:
    jdk = find_jdks()[jdks()[0]]
    libjvm = str(jdk.home / "lib" / "server" / "libjvm.so")
    for counts, expected in (((1200, 1100, 210, 5200), NATIVE), ((200, 100, 20, 300), set())):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.jni_leak",
                libjvm,
                str(compile_java("leaks")),
                *map(str, counts),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            path = Jvm(jdk, process).dump(folder / f"jni-{counts[0]}.hprof")
        finally:
            process.kill()
            process.communicate()
        found = found_in(heapscope.diagnose(path))
        assert set(found) == expected
        if expected:
            assert found[JNI].class_name == "java.util.ArrayList"
            assert (
                tuple(each.instance_count for each in (found[JNI], found["jni-local-references"]))
                == counts[:2]
            )
            assert found["native-threads-never-detached"].instance_count == counts[2]
            assert found["jep-subinterpreter-methods"].instance_count == counts[3]


@pytest.mark.jvm
@pytest.mark.parametrize("program", ["Zoo", "Values"])
def test_no_false_alarm_in_ordinary_programs(folder: Path, program: str) -> None:
    jdk: Jdk = find_jdks()[jdks()[-1]]
    path = folder / f"{program}.hprof"
    with java(jdk, program) as jvm:
        jvm.dump(path)
    assert heapscope.diagnose(path).findings == ()


@pytest.mark.jvm
def test_growth_that_nobody_knows(folder: Path) -> None:
    release = jdks()[0]
    paths = []
    for count in (2000, 4000, 6000, 8000):
        diagnosed(folder, release, f"unknown={count}", "fs-same-login=2")
        paths.append(max(folder.glob("*.hprof"), key=lambda path: path.stat().st_mtime_ns))
    with pytest.raises(DifferentProcesses):
        heapscope.diagnose(paths)
    diagnosis = heapscope.diagnose(paths, force_series=True)
    (found,) = diagnosis.findings
    assert (diagnosis.status, found.id, found.confidence) == (LEAK, UNKNOWN, LIKELY)
    assert found.class_name == "Leaks$Surprise"
    assert found.counts == (2000, 4000, 6000, 8000)
    # An object of 16 bytes with an array of 1,016.
    assert found.retained_bytes == 8000 * 1032
    assert "Leaks.HELD (static) -> ArrayList.elementData" in found.held_by[0]
    assert heapscope.diagnose(paths[:2], force_series=True).status == UNDECIDED


def test_every_leak_of_the_catalogue_is_tested() -> None:
    tested = {*LEAKS, *GROWING, *ALONE, DELETE_ON_EXIT[0], TICKET, *NATIVE}
    assert {leak.id for leak in load_catalogue()} == tested


def test_the_real_leak() -> None:
    diagnosis = heapscope.diagnose(sorted(SAMPLES.glob("leak-*.hprof.gz")))
    (found,) = diagnosis.findings
    assert diagnosis.status == LEAK
    assert (found.id, found.confidence) == (TICKET, CERTAIN)
    assert found.counts == (5, 20, 35, 50)
    assert found.retained_bytes == 3_554_240
    assert found.bytes_each is not None
    assert round(found.bytes_each) == 71_085
    (group,) = found.groups
    assert (group.file_system_count, group.subject_count) == (50, 50)
    assert (group.cached_count, group.handle_count, group.handle_record_count) == (50, 50, 50)
    assert group.authentication == "KERBEROS"
    (reading,) = found.readings
    assert reading.name == "KERB_TICKET_CACHE_PATH"
    assert reading.value == group.ticket_cache
    assert found.since is not None
    assert found.since_is_estimate
    # 15 connects in 6.6 to 7.3 seconds: a bit more than two a second, and five before the first dump.
    assert found.per_hour is not None
    assert found.per_hour.low is not None
    assert found.per_hour.high is not None
    assert 7000 < found.per_hour.low <= found.per_hour.value <= found.per_hour.high < 8500
    # -Xmx64m, less a survivor space: full some five minutes later, by a straight line.
    assert [one.limit.name for one in diagnosis.forecasts] == ["heap limit"]
    assert diagnosis.forecasts[0].at is not None
    assert 240 < (diagnosis.forecasts[0].at - diagnosis.captured_at[-1]).total_seconds() < 420
    assert 2 < (diagnosis.captured_at[0] - found.since).total_seconds() < 3


@pytest.mark.parametrize("name", ["leak-1", "jdk21-leak-1"])
def test_one_dump_is_enough(name: str) -> None:
    diagnosis = heapscope.diagnose(SAMPLES / f"{name}.hprof.gz")
    (found,) = diagnosis.findings
    assert (found.id, found.instance_count, found.per_hour) == (TICKET, 5, None)
    # Five connects at ten a second, and the time that the first takes; each login has kept its own time.
    assert found.since is not None
    assert not found.since_is_estimate
    assert 0.5 < (diagnosis.captured_at[0] - found.since).total_seconds() < 5


def test_the_healthy_control() -> None:
    diagnosis = heapscope.diagnose(sorted(SAMPLES.glob("healthy-*.hprof.gz")))
    assert diagnosis.findings == ()
    (group,) = diagnosis.groups
    assert (group.file_system_count, group.subject_count) == (1, 1)
    assert (group.handle_count, group.handle_record_count) == (1, 50)


def test_class_histograms_make_it_possible_and_not_certain() -> None:
    (found,) = heapscope.diagnose(SAMPLES / "leak-4.histogram.txt").findings
    assert (found.id, found.confidence, found.instance_count) == (TICKET, POSSIBLE, 50)
    assert found.retained_bytes is None
    series = heapscope.diagnose(sorted(SAMPLES.glob("leak-*.histogram.txt")))
    assert [(one.id, one.confidence, one.counts) for one in series.findings] == [
        (TICKET, POSSIBLE, (5, 20, 35, 50))
    ]
    # These texts have no date of their own: they have that of the dump beside them.
    rate = series.findings[0].per_hour
    assert rate is not None
    assert 8000 < rate.value < 8050
    assert heapscope.diagnose(SAMPLES / "healthy-2.histogram.txt").findings == ()
