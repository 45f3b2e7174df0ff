"""What a sidecar tells, and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.collector.sidecar import masked_command, masked_options, memory_limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-Xmx1g -Xrs -XX:+UseG1GC", ["-Xmx1g", "-Xrs", "-XX:+UseG1GC"]),
        (
            "-XX:MaxHeapSize=67108864 -XX:G1HeapRegionSize=4m",
            ["-XX:MaxHeapSize=67108864", "-XX:G1HeapRegionSize=4m"],
        ),
        ("-Dpassword=hunter2 -Dflag", ["-Dpassword=***", "-Dflag"]),
        # What a JVM prints has no quotes: the rest of a value is not taken for an option.
        ("-Dmotto=my secret words -Xint", ["-Dmotto=***", "-Xint"]),
        ("-XX:OnOutOfMemoryError=curl -u me:pw", ["-XX:OnOutOfMemoryError=***"]),
        ("-XX:HeapDumpPath=/var/dumps", ["-XX:HeapDumpPath=/var/dumps"]),
        ("-agentlib:jdwp=address=5005,password=x", ["-agentlib:jdwp=***"]),
        ("-javaagent:/opt/agent.jar=key=abc", ["-javaagent:/opt/agent.jar=***"]),
        ("--add-opens=java.base/java.lang=ALL-UNNAMED", ["--add-opens=java.base/java.lang=ALL-UNNAMED"]),
        ("", []),
    ],
)
def test_options_lose_what_may_be_secret(text: str, shown: list[str]) -> None:
    assert masked_options(text) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("python", "train.py", "--job_name=ps"), ["python", "train.py", "--job_name=ps"]),
        (("a", "--db-password=x"), ["a", "--db-password=***"]),
        (("a", "--api-key", "x", "y"), ["a", "--api-key", "***", "y"]),
        (("a", "--token", "--verbose"), ["a", "--token", "--verbose"]),
        (("java", "-Danything=x", "Main"), ["java", "-Danything=***", "Main"]),
        (("a", "hdfs://me:pw@host/x"), ["a", "hdfs://***@host/x"]),
        (("a", "--url=hdfs://me:pw@host/x"), ["a", "--url=***"]),
    ],
)
def test_command_lines_lose_what_may_be_secret(words: tuple[str, ...], shown: list[str]) -> None:
    assert masked_command(words) == shown


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_lowest_memory_limit_counts(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "7/cgroup", "0::/kube/pod/box\n")
    write(groups / "cgroup.controllers", "memory\n")
    write(groups / "kube/pod/box/memory.max", "max\n")
    write(groups / "kube/pod/memory.max", "2000\n")
    write(groups / "kube/memory.max", "3000\n")
    assert memory_limit(7, proc, groups) == 2000
    write(groups / "kube/pod/memory.max", "max\n")
    write(groups / "kube/memory.max", "max\n")
    assert memory_limit(7, proc, groups) is None
    assert memory_limit(8, proc, groups) is None


def test_the_older_hierarchy_says_no_limit_as_a_huge_one(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "7/cgroup", "4:memory:/docker/box\n1:cpu:/docker/box\n")
    write(groups / "memory/docker/box/memory.limit_in_bytes", "5000\n")
    write(groups / "memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert memory_limit(7, proc, groups) == 5000
    write(groups / "memory/docker/box/memory.limit_in_bytes", "9223372036854771712\n")
    assert memory_limit(7, proc, groups) is None
