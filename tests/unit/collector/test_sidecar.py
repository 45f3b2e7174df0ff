"""What a sidecar tells, and what it must not."""

from __future__ import annotations

import pytest

from heapscope.collector.sidecar import masked_command, masked_options


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
