"""The kernel's reports: one event a kill, with the cgroup, its limit and all victims."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.reading import read_log

# Linux 6.1 in a pod, from dmesg -T; memory.oom.group takes the pause container along.
POD = """\
[Mon Nov  2 03:19:58 2026] C2 CompilerThre invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=985
[Mon Nov  2 03:19:58 2026] memory: usage 2097152kB, limit 2097152kB, failcnt 20211
[Mon Nov  2 03:19:58 2026] swap: usage 0kB, limit 0kB, failcnt 0
[Mon Nov  2 03:19:58 2026] Memory cgroup stats for /kubepods.slice/pod1111.slice/cri-containerd-2222.scope:
[Mon Nov  2 03:19:58 2026] anon 2090123264
                           file 1048576
[Mon Nov  2 03:19:58 2026] [  20420]  1000 20420  1905885   511308  5242880        0           985 java
[Mon Nov  2 03:19:58 2026] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-2222.scope,\
mems_allowed=0,oom_memcg=/kubepods.slice/pod1111.slice/cri-containerd-2222.scope,task_memcg=/x,task=java,pid=20420,uid=1
[Mon Nov  2 03:19:58 2026] Memory cgroup out of memory: Killed process 20420 (java) total-vm:7623540kB, \
anon-rss:2033232kB, file-rss:12000kB, shmem-rss:0kB, UID:1000 pgtables:5120kB oom_score_adj:985
[Mon Nov  2 03:19:58 2026] Tasks in /kubepods.slice/x are going to be killed due to memory.oom.group set
[Mon Nov  2 03:19:58 2026] Memory cgroup out of memory: Killed process 20410 (pause) total-vm:1020kB, \
anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:65535 pgtables:28kB oom_score_adj:-998
"""
# Linux 4.4 with Docker.
DOCKER = """\
[12345.678901] java invoked oom-killer: gfp_mask=0x24000c0, order=0, oom_score_adj=0
[12345.678910] Task in /docker/0f0f killed as a result of limit of /docker/0f0f
[12345.678911] memory: usage 524288kB, limit 524288kB, failcnt 1234
[12345.678914] Memory cgroup out of memory: Kill process 4711 (java) score 1001 or sacrifice child
[12345.678915] Killed process 4711 (java) total-vm:2623712kB, anon-rss:506500kB, file-rss:1268kB
"""
# Linux 3.10, the whole machine.
MACHINE = """\
Nov  2 03:19:58 host kernel: python invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0
Nov  2 03:19:58 host kernel: 4194174 pages RAM
Nov  2 03:19:58 host kernel: Out of memory: Kill process 12 (java) score 900 or sacrifice child
Nov  2 03:19:58 host kernel: Killed process 12 (java) total-vm:9623712kB, anon-rss:8506500kB, file-rss:1268kB
"""


def events(folder: Path, text: str) -> list[LogEvent]:
    path = folder / "a.log"
    path.write_text(text, "utf-8")
    return list(read_log(path))


def test_a_pod(tmp_path: Path) -> None:
    (found,) = events(tmp_path, POD)
    assert found.time == datetime(2026, 11, 2, 3, 19, 58, tzinfo=UTC)
    assert (found.kind, found.detail) == ("oom killer", "java (container limit)")
    assert (found.usage_bytes, found.limit_bytes, found.limit) == (1 << 31, 1 << 31, "2.15 GB")
    assert found.victim == "java (pid 20420, 2.09 GB resident)"
    assert "cri-containerd-2222.scope" in found.says
    assert "20,211 refusals" in found.says
    assert "with it pause (pid 20410) (memory.oom.group)" in found.says


@pytest.mark.parametrize(
    ("text", "detail", "victim", "says"),
    [
        (DOCKER, "java (container limit)", "java (pid 4711, 520 MB resident)", "cgroup 0f0f"),
        (MACHINE, "java (machine limit)", "java (pid 12, 8.71 GB resident)", "the machine has 17.2 GB"),
    ],
)
def test_older_kernels(tmp_path: Path, text: str, detail: str, victim: str, says: str) -> None:
    (found,) = events(tmp_path, text)
    assert (found.detail, found.victim) == (detail, victim)
    assert says in found.says


def test_several_kills_are_several_events(tmp_path: Path) -> None:
    found = events(tmp_path, DOCKER + MACHINE + POD + DOCKER.replace("4711", "4712"))
    assert [event.detail.split(" (")[1] for event in found] == [
        "container limit)",
        "machine limit)",
        "container limit)",
        "container limit)",
    ]
    assert [event.number is None for event in found] == [False] * 4


def test_a_report_without_a_victim_says_of_nobody_that_he_was_killed(tmp_path: Path) -> None:
    assert events(tmp_path, "".join(POD.splitlines(keepends=True)[:4])) == []


def test_what_systemd_says_of_a_kill_of_the_kernel_is_the_same_kill(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        "Nov  2 03:19:58 host kernel: java invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n"
        "Nov  2 03:19:58 host kernel: Out of memory: Killed process 20420 (java) total-vm:7623540kB, "
        "anon-rss:2033232kB, file-rss:12000kB, shmem-rss:0kB, UID:1000\n"
        "Nov  2 03:19:58 host systemd[1]: app.service: A process of this unit has been killed by the OOM killer.\n"
        "Nov  2 03:19:58 host systemd[1]: app.service: Main process exited, code=killed, status=9/KILL\n"
        "Nov  2 03:19:58 host systemd[1]: app.service: Failed with result 'oom-kill'.\n"
    )
    assert [event.kind for event in read_log(tmp_path / "log")] == ["oom killer"]
