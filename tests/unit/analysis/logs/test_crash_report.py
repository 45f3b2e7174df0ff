"""hs_err files: the limit that the file itself shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.reading import read_log

HEAD = """\
#
# There is insufficient memory for the Java Runtime Environment to continue.
# Native memory allocation ({how}) failed to {do} {size} bytes{what}
# Possible reasons:
#   The system is out of physical RAM or swap space
#
#  Out of Memory Error (allocation.cpp:44), pid=4466, tid=4468
#

---------------  S U M M A R Y ------------

Command Line: {options} Nat

Time: Mon Nov  2 03:14:15 2026 UTC elapsed time: 4.123456 seconds (0d 0h 0m 4s)

---------------  P R O C E S S  ---------------

"""
SYSTEM = """\
---------------  S Y S T E M  ---------------

rlimit (soft/hard): STACK 8192k/infinity , CORE 0k/infinity , NPROC {tasks}/96365 , AS {address}/infinity

/proc/meminfo:
MemTotal:       24684092 kB
MemAvailable:   {available} kB

Process Memory:
Virtual Size: {virtual}K (peak: 4000000K)

/proc/sys/kernel/threads-max (system-wide limit on the number of threads): 192731
/proc/sys/vm/max_map_count (maximum number of memory map areas a process may have): 65530

container (cgroup) information:
memory_limit_in_bytes: {limit}
memory_usage_in_bytes: {usage}

END.
"""
ROOMY = {
    "tasks": "96365",
    "address": "infinity",
    "available": "21554984",
    "virtual": "4000000",
    "limit": "unlimited",
    "usage": "1000 k",
}


def event(folder: Path, threads: int = 11, options: str = "-Xmx256m", **facts: str) -> LogEvent:
    head = HEAD.format(
        how="malloc", do="allocate", size=32, what=". Error detail: AllocateHeap", options=options
    )
    text = (
        head
        + f"_java_thread_list=0x00007f0674137d70, length={threads}, elements={{\n"
        + SYSTEM.format(**{**ROOMY, **facts})
    )
    path = folder / "hs_err_pid4466.log"
    path.write_text(text, "utf-8")
    (found,) = read_log(path)
    return found


@pytest.mark.parametrize(
    ("facts", "threads", "said"),
    [
        ({"address": "4000000k"}, 11, "the limit of the address space is reached (ulimit -v: 4.10 GB"),
        ({}, 32_558, "32,558 threads with two memory maps each reach vm.max_map_count (65,530)"),
        ({"limit": "536870912", "usage": "536000000"}, 11, "the container is full (536 MB of 537 MB)"),
        ({"limit": "524288 k", "usage": "524000 k"}, 11, "the container is full (537 MB of 537 MB)"),
        ({"tasks": "1000"}, 998, "998 threads reach ulimit -u (1,000)"),
        ({"available": "100000"}, 11, "the machine is full (MemAvailable 102 MB of 25.3 GB)"),
        ({}, 11, "the file shows no limit that is reached, and 22.1 GB of 25.3 GB are available"),
    ],
)
def test_the_limit_that_was_reached(tmp_path: Path, facts: dict[str, str], threads: int, said: str) -> None:
    found = event(tmp_path, threads, **facts)
    assert found.kind == "native allocation failed"
    assert found.detail.startswith(f"malloc: {said}")
    assert ("machine is full" in found.detail) == ("machine is full" in said)
    assert (found.victim, found.number) == ("pid 4466", 32)
    assert found.time is not None
    assert found.time.isoformat() == "2026-11-02T03:14:15+00:00"


def test_a_heap_that_leaves_no_room_in_its_container(tmp_path: Path) -> None:
    found = event(tmp_path, options="-Xms1g -Xmx1g", limit="1073741824", usage="900000000")
    assert "-Xmx is 1.07 GB and the container's limit 1.07 GB" in found.says


def test_the_console_has_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(
        "OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x00000000f0000000, 12288, 0) failed; "
        "error='Not enough space' (errno=12)\n"
        + HEAD.format(
            how="mmap", do="map", size=12288, what=" for committing reserved memory.", options="-Xmx1g"
        ).split("---")[0]
        + "java.lang.OutOfMemoryError: Metaspace\n\tat a.B.c(B.java:3)\n",
        "utf-8",
    )
    assert sorted(event.kind for event in read_log(path)) == [
        "native allocation failed",
        "out of memory error",
    ]


def test_a_crash_is_no_refusal(tmp_path: Path) -> None:
    path = tmp_path / "hs_err.log"
    path.write_text(
        "#\n# A fatal error has been detected by the Java Runtime Environment:\n#\n"
        "#  SIGSEGV (0xb) at pc=0x00007f, pid=12, tid=13\n#\n# Problematic frame:\n# C  [libhdfs.so+0x1]  f+0x2\n#\n",
        "utf-8",
    )
    (found,) = read_log(path)
    assert (found.kind, found.detail, found.frame) == (
        "crash report",
        "SIGSEGV",
        "C  [libhdfs.so+0x1]  f+0x2",
    )
