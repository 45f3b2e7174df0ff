"""Known leaks on the libraries themselves: used wrongly, used rightly, and in servers at ordinary work.

Hadoop and commons-logging are downloaded for other tests anyway.  Spark and Flink take 1.4 GB, so they run
only by ``-m libraries``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.leaks.findings import Diagnosis
from heapscope.analysis.verdicts import CERTAIN, LIKELY
from tests.support import parts
from tests.support.hadoop import find_jdk
from tests.support.jvm import java

# What Spark asks for on JDK 17 (JavaModuleOptions of Spark 3.3 and later).
_OPENS = ("lang", "lang.invoke", "net", "nio", "util", "util.concurrent")
_SPARK = (
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENS),
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
)


def run(path: Path, jars: Path, folder: str, name: str, *arguments: str, heap: str = "256m") -> Diagnosis:
    """The diagnosis of a program that uses libraries."""
    jdk = find_jdk()
    assert jdk is not None
    options = ("-XX:+UseSerialGC", *(_SPARK if folder.startswith("spark") else ()))
    with java(
        jdk, name, *options, arguments=arguments, heap=heap, folder=folder, class_path=f"{jars}/*"
    ) as jvm:
        jvm.dump(path)
    return heapscope.diagnose(path)


def sizes(diagnosis: Diagnosis) -> dict[str, int]:
    """What was found, and how many."""
    return {one.id: one.instance_count for one in diagnosis.findings}


@cache
def hadoop(path: Path, *what: str) -> Diagnosis:
    return run(path, parts.fetch(parts.HADOOP), "hadoop", "HadoopUse", *what)


@pytest.mark.hadoop
def test_hadoop_that_makes_users_and_classes_anew(tmp_path: Path) -> None:
    made = ("remote=60", "proxy=60", "constructors=60", "hooks=120", "class-cache=60")
    found = hadoop(tmp_path / "leaks.hprof", *made)
    assert sizes(found) == {
        "hadoop-fs-per-proxy-user": 60,
        "hadoop-fs-per-remote-user": 60,
        "hadoop-reflection-constructor-cache": 63,  # and Hadoop's own
        "hadoop-shutdown-hooks": 121,  # and the one of FileSystem.CACHE
    }
    sure = {one.id: one.confidence for one in found.findings}
    assert sure["hadoop-reflection-constructor-cache"] == CERTAIN
    assert sure["hadoop-fs-per-proxy-user"] == LIKELY  # a busy server may have as many for a moment
    assert [counts for _, counts in found.steady] == [(61,)]  # CACHE_CLASSES: growth alone would tell


@pytest.mark.hadoop
def test_hadoop_whose_file_systems_are_not_closed(tmp_path: Path) -> None:
    found = hadoop(tmp_path / "leaks.hprof", "new-instance=25", "delete-on-exit=1100", "logging=25")
    assert set(sizes(found)) == {
        "hadoop-fs-new-instance",
        "hadoop-fs-delete-on-exit",
        "commons-logging-factories",
    }
    assert sizes(found)["hadoop-fs-new-instance"] == 25
    alone = next(one for one in found.findings if one.id == "commons-logging-factories").evidence
    assert "25 class loaders that nothing but LogFactory.factories holds any more" in alone


@pytest.mark.hadoop
def test_hadoop_that_is_used_rightly(tmp_path: Path) -> None:
    made = (
        "remote=20",
        "proxy=20",
        "same=100",
        "new-instance=5",
        "new-instance-closed=60",
        "delete-on-exit=20",
    )
    found = hadoop(
        tmp_path / "healthy.hprof", *made, "constructors=10", "hooks=10", "class-cache=5", "logging=5"
    )
    assert (found.findings, found.steady) == ((), ())


@pytest.mark.libraries
def test_servers_that_make_pools_and_contexts_anew(tmp_path: Path) -> None:
    jars = parts.fetch(parts.SPARK)
    made = ("guava=120", "log4j=25", "hikari=55", "py4j=11000")
    found = run(tmp_path / "leaks.hprof", jars, "servers", "Servers", *made)
    assert sizes(found) == {
        "guava-exiting-executors": 120,
        "log4j2-logger-contexts": 26,
        "py4j-gateway-bindings": 11001,
    }
    assert [counts for _, counts in found.steady] == [(55,)]  # HikariCP: growth alone would tell
    right = ("guava=10", "log4j=5", "hikari=5", "hikari-closed=60", "py4j=100", "jersey=5")
    found = run(tmp_path / "healthy.hprof", jars, "servers", "Servers", *right)
    assert (found.findings, found.steady) == ((), ())


@pytest.mark.libraries
@pytest.mark.parametrize(
    ("part", "leak"),
    [(parts.SPARK, "spark-artifact-manager"), (parts.SPARK_OLD, "spark-execution-listener-bus")],
    ids=["4.0.1", "3.1.1"],
)
def test_spark_that_keeps_dropped_sessions(tmp_path: Path, part: parts.Part, leak: str) -> None:
    path = tmp_path / "leaks.hprof"
    found = run(path, parts.fetch(part), "spark", "SparkSessions", "60", "drop", heap="700m")
    assert leak in sizes(found)
    assert sizes(found)[leak] >= 60


@pytest.mark.libraries
def test_spark_with_sixty_open_sessions(tmp_path: Path) -> None:
    path = tmp_path / "healthy.hprof"
    found = run(path, parts.fetch(parts.SPARK_FIXED), "spark", "SparkSessions", "60", "keep", heap="700m")
    assert (found.findings, found.steady) == ((), ())


@pytest.mark.libraries
def test_flink_with_twelve_jobs(tmp_path: Path) -> None:
    path = tmp_path / "healthy.hprof"
    found = run(path, parts.fetch(parts.FLINK), "flink", "FlinkJobs", "12", heap="900m")
    assert (found.findings, found.steady) == ((), ())
