"""Container and machine limits from a made-up /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heapscope.memory_limits import free_memory, memory_limits

GB = 10**9


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    4000000 kB\n"}
MACHINE = {"machine_bytes": 16_000_000 << 10, "machine_used_bytes": 12_000_000 << 10}


def test_the_group_with_least_left_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            **MEMINFO,
            "proc/7/cgroup": "0::/pods/worker\n",
            "sys/fs/cgroup/pods/worker/memory.max": "max\n",
            "sys/fs/cgroup/pods/worker/memory.stat": "anon 1000\nfile 5\n",
            "sys/fs/cgroup/pods/memory.max": f"{2 * GB}\n",
            "sys/fs/cgroup/pods/memory.stat": f"anon {GB}\nfile 999999\n",
            "sys/fs/cgroup/memory.max": f"{9 * GB}\n",
            "sys/fs/cgroup/memory.stat": f"anon {GB}\n",
        },
    )
    assert memory_limits(7, root) == {**MACHINE, "container_bytes": 2 * GB, "container_used_bytes": GB}


def test_a_container_sees_its_group_as_the_root(tmp_path: Path) -> None:
    files = {
        "proc/7/cgroup": "0::/../other\n",
        "sys/fs/cgroup/memory.max": "5000\n",
        "sys/fs/cgroup/memory.stat": "anon 7\nfile 9000\nshmem 60\n",
    }
    assert memory_limits(7, write(tmp_path, files)) == {"container_bytes": 5000, "container_used_bytes": 67}


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("5000", {"container_bytes": 5000, "container_used_bytes": 70}), ("9223372036854771712", {})],
)
def test_version_1(tmp_path: Path, limit: str, expected: dict[str, int]) -> None:
    files = {
        "proc/7/cgroup": "5:cpu,cpuacct:/d\n4:memory:/d/c\n",
        "sys/fs/cgroup/memory/d/c/memory.limit_in_bytes": f"{limit}\n",
        "sys/fs/cgroup/memory/d/c/memory.stat": "cache 1\nrss 5\nshmem 3\ntotal_rss 40\ntotal_shmem 30\n",
    }
    assert memory_limits(7, write(tmp_path, files)) == expected


@pytest.mark.parametrize("text", ["", "garbage", "0::/x\n", "4:memory\n"])
def test_what_cannot_be_read_is_left_out(tmp_path: Path, text: str) -> None:
    assert memory_limits(7, write(tmp_path, {"proc/7/cgroup": text})) == {}


def test_of_this_machine() -> None:
    found = memory_limits(os.getpid())
    assert 0 < found["machine_used_bytes"] < found["machine_bytes"]


def test_what_is_free_heeds_container_and_machine(tmp_path: Path) -> None:
    pid = os.getpid()
    group = {
        f"proc/{pid}/cgroup": "0::/worker\n",
        "sys/fs/cgroup/worker/memory.max": f"{2 * GB}\n",
        "sys/fs/cgroup/worker/memory.stat": f"anon {GB // 2}\n",
    }
    assert free_memory(write(tmp_path / "a", {**MEMINFO, **group})) == 2 * GB - GB // 2
    assert free_memory(write(tmp_path / "b", MEMINFO)) == 4_000_000 << 10
    assert free_memory(tmp_path / "nothing") is None
