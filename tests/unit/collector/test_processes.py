"""Processes that host a JVM: found, named and judged by what ``/proc`` says."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from heapscope.collector.processes import (
    are_others_hidden,
    find,
    get,
    has_signal,
    is_running,
    program_of,
    survives_broken_pipe,
    tensorflow_role,
)
from heapscope.errors import JvmNotFound
from tests.unit.collector.living import jvm_process
from tests.unit.collector.test_perfdata import build


@pytest.mark.parametrize(
    ("command", "config", "expected"),
    [
        (["python", "train.py", "--job_name=ps", "--task_index=0"], None, ("ps", 0)),
        (["python", "train.py", "--job_name", "worker", "--task_index", "3"], None, ("worker", 3)),
        (["python", "-job_name=chief"], None, ("chief", None)),
        (["python"], '{"task": {"type": "worker", "index": 2}}', ("worker", 2)),
        (["python", "--job_name=ps"], '{"task": {"type": "worker", "index": 2}}', ("ps", None)),
        (["python"], "{broken", (None, None)),
        (["python"], '["task"]', (None, None)),
        (["python", "--job_name"], None, (None, None)),
        (["python", "--job_name==HYPERLINK(1)", "--task_index=0"], None, (None, None)),
        (["python", "--job_name=../x"], None, (None, None)),
        (["python"], '{"task": {"type": "\\u001b[31m", "index": 2}}', (None, None)),
        ([], None, (None, None)),
        (["python", "--job_name=ps", "--task_index=" + "9" * 5000], None, ("ps", None)),
        (["python"], "[" * 100_000, (None, None)),
        (["python"], '{"task":' * 50_000, (None, None)),
        (["python"], '{"task": {"type": "ps", "index": %s}}' % ("9" * 5000), (None, None)),
    ],
    ids=lambda value: None if value is None else repr(value)[:40],
)
def test_roles(command: list[str], config: str | None, expected: tuple[str | None, int | None]) -> None:
    assert tensorflow_role(command, config) == expected


def test_signal_masks_count_from_one() -> None:
    assert has_signal("0000000000000004", 3)
    assert not has_signal("0000000000000003", 3)


CAUGHT = f"{1 << 2:016x}"  # SIGQUIT, which is 3


@dataclass
class FakeProc:
    """A ``/proc`` of files."""

    root: Path

    def add(
        self,
        pid: int,
        *,
        command: tuple[str, ...] = ("java", "Main"),
        maps: str = "7f00-7f01 r-xp 00000000 fe:01 12  /jdk/lib/server/libjvm.so\n",
        state: str = "S (sleeping)",
        threads: tuple[str, ...] = ("java", "VM Thread", "Signal Dispatch"),
        catches: str = CAUGHT,
        blocks: str = "0",
        environ: dict[str, str] | None = None,
        inner: int | None = None,
    ) -> Path:
        """A process that hosts a JVM, unless told otherwise; its folder."""
        home = self.root / str(pid)
        (home / "root/tmp").mkdir(parents=True)
        (home / "maps").write_text(maps)
        (home / "stat").write_text(f"{pid} (a) b) S 1 {'0 ' * 17}4242 0\n")
        (home / "status").write_text(
            f"Name:\tjava\nState:\t{state}\nUid:\t0\t0\t0\t0\nNSpid:\t{pid}\t{inner or pid}\n"
            f"VmSize:\t  2000 kB\nVmRSS:\t   1000 kB\nSigIgn:\t0\nSigCgt:\t{catches}\n"
        )
        (home / "cmdline").write_text("\0".join([*command, ""]))
        (home / "environ").write_text("".join(f"{k}={v}\0" for k, v in (environ or {}).items()))
        for number, name in enumerate(threads):
            task = home / "task" / str(pid + number)
            task.mkdir(parents=True)
            (task / "comm").write_text(f"{name}\n")
            (task / "status").write_text(f"Name:\t{name}\nSigBlk:\t{blocks}\n")
        return home


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    (tmp_path / "uptime").write_text("1000.0 1.0\n")
    (tmp_path / "self").mkdir()
    return FakeProc(tmp_path)


def test_a_jvm_is_what_maps_libjvm(proc: FakeProc) -> None:
    proc.add(7)
    proc.add(8, maps="7f00-7f01 r-xp 00000000 fe:01 12  /usr/bin/python3\n")
    proc.add(9, maps="")
    (found,) = find(proc=proc.root)
    assert (found.pid, found.libjvm) == (7, "/jdk/lib/server/libjvm.so")
    assert (found.vsz_bytes, found.rss_bytes) == (2000 << 10, 1000 << 10)
    assert found.start_ticks == 4242
    assert found.is_started
    assert found.heap is None  # no hsperfdata
    assert find([8, 9, 10], proc=proc.root) == []


def counters(home: Path, folder: str, capabilities: str) -> Path:
    """An hsperfdata file for the process of a `FakeProc`."""
    path = home / "root/tmp" / folder / home.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(build({"sun.rt.jvmCapabilities": capabilities, "sun.gc.metaspace.used": 5}))
    return path


def mapped(path: Path, device: int | None = None) -> str:
    """The lines of ``maps`` of a JVM that has this file mapped."""
    facts = path.stat()
    number = facts.st_dev if device is None else device
    return (
        "7f00-7f01 r-xp 00000000 fe:01 12  /jdk/lib/server/libjvm.so\n"
        f"7f02-7f03 rw-s 00000000 {os.major(number):02x}:{os.minor(number):02x} {facts.st_ino}"
        f"      /tmp/{path.parent.name}/{path.name}\n"
    )


def test_counters_that_the_jvm_does_not_map_are_not_believed(proc: FakeProc) -> None:
    home = proc.add(7)
    own = counters(home, "hsperfdata_root", "1")
    forged = counters(home, "hsperfdata_a_stranger", "0")  # says: attaching is disabled
    os.utime(forged, (2**31, 2**31))
    (home / "maps").write_text(mapped(own))
    (found,) = find(proc=proc.root)
    assert found.heap is not None
    assert found.attach == "signal"
    own.unlink()
    (found,) = find(proc=proc.root)
    assert (found.heap, found.attach) == (None, "signal")
    (oddity,) = found.oddities
    assert oddity.startswith("/tmp/hsperfdata_a_stranger/7 is not believed: this JVM does not map it")
    forged.unlink()
    assert find(proc=proc.root)[0].oddities == ()


@pytest.mark.parametrize("is_own", [True, False])
def test_where_the_device_is_another_in_maps_the_owner_decides(proc: FakeProc, is_own: bool) -> None:
    uid = os.geteuid() if is_own else os.geteuid() + 1
    home = proc.add(7)
    (home / "status").write_text(
        (home / "status").read_text().replace("Uid:\t0\t0\t0\t0", f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}")
    )
    path = counters(home, "hsperfdata_x", "1")
    (home / "maps").write_text(mapped(path, path.stat().st_dev + 1))
    (found,) = find(proc=proc.root)
    assert (found.heap is not None) == is_own
    assert bool(found.oddities) == (not is_own)


def test_links_to_counters_are_not_followed(proc: FakeProc, tmp_path: Path) -> None:
    home = proc.add(7)
    own = counters(home, "hsperfdata_root", "1")
    (home / "maps").write_text(mapped(own))
    own.parent.rename(tmp_path / "elsewhere")
    own.parent.symlink_to(tmp_path / "elsewhere")
    assert find(proc=proc.root)[0].heap is None


def test_what_a_stranger_puts_into_tmp_hides_no_process(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [proc.add(7), proc.add(8, command=("python", "--job_name=ps", "--task_index=" + "9" * 5000))]
    homes.append(proc.add(9, command=("python",), environ={"TF_CONFIG": "[" * 100_000}))
    closed = homes[0] / "root/tmp/hsperfdata_closed"
    for home in homes:
        (home / "root/tmp/hsperfdata_fifo").mkdir()
        os.mkfifo(home / "root/tmp/hsperfdata_fifo" / home.name)
        (home / "root/tmp/hsperfdata_file").write_bytes(b"")
        own = counters(home, "hsperfdata_own", "1")
        (home / "maps").write_text(mapped(own))
    closed.mkdir()
    real = os.open

    def vanishing(path: Any, *words: Any, **more: Any) -> int:
        if Path(path).name == "hsperfdata_closed":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path, *words, **more)

    monkeypatch.setattr(os, "open", vanishing)
    found = find(proc=proc.root)
    assert [process.pid for process in found] == [7, 8, 9]
    assert all(process.heap is not None for process in found)
    assert [process.task_index for process in found] == [None, None, None]
    said = ["", "--task_index is no number of a task", "TF_CONFIG names no task"]
    assert ["".join(process.oddities) for process in found] == said


def test_a_tmp_with_thousands_of_names_is_listed_once(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp = proc.add(1) / "root/tmp"
    for number in range(300):
        (tmp / f"hsperfdata_{number}").mkdir()
    for pid in (7, 8, 9):
        home = proc.add(pid)
        (home / "root/tmp").rmdir()
        (home / "root/tmp").symlink_to(tmp)  # as processes that see the same one
    opened: list[Any] = []
    listed: list[Any] = []
    for name, calls in (("open", opened), ("listdir", listed)):
        real = getattr(os, name)

        def counted(path: Any, *words: Any, real: Any = real, calls: Any = calls, **more: Any) -> Any:
            calls.append(path)
            return real(path, *words, **more)

        monkeypatch.setattr(os, name, counted)
    assert [process.heap for process in find([7, 8, 9], proc.root)] == [None] * 3
    assert len([path for path in listed if Path(path).name == "tmp"]) == 1
    assert len([path for path in opened if "hsperfdata_" in str(path)]) <= 3 * 100


@pytest.mark.parametrize(
    ("options", "lists_first", "is_hidden"),
    [
        ("rw,relatime,hidepid=invisible", False, True),
        ("rw,hidepid=2,gid=4", False, True),
        ("rw,hidepid=2,gid=4", True, False),
        ("rw,hidepid=noaccess", False, False),
        ("rw,relatime", False, False),
    ],
)
def test_a_proc_that_hides_others_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, lists_first: bool, is_hidden: bool
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mounts").write_text(f"none / ext4 rw 0 0\nproc /proc proc {options} 0 0\n")
    if lists_first:
        (tmp_path / "1").mkdir()
        monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "1").stat().st_uid + 1)
    assert are_others_hidden(tmp_path) == is_hidden


def test_an_environment_without_an_end_is_read_to_a_limit(proc: FakeProc) -> None:
    proc.add(7)
    for name in ("environ", "cmdline"):
        with (proc.add(8 + (name == "cmdline")) / name).open("r+b") as file:
            file.truncate(1 << 40)
    first, second, third = find(proc=proc.root)
    assert first.oddities == ()
    assert second.oddities == ("its environment is longer than 6.29 MB: the rest is not read",)
    assert third.oddities == ("its command line is longer than 6.29 MB: the rest is not read",)


def test_a_process_that_nobody_thought_of_hides_no_other(proc: FakeProc) -> None:
    proc.add(7)
    status = proc.add(8) / "status"
    status.write_text(status.read_text().replace("Uid:\t0\t0", "Uid:\tx\ty"))
    first, second = find(proc=proc.root)
    assert (first.pid, first.is_started, first.oddities) == (7, True, ())
    assert (second.pid, second.is_started, second.attach) == (8, False, "no")
    assert "invalid literal" in second.oddities[0]


def test_a_process_that_is_just_ending_is_left_out(proc: FakeProc) -> None:
    proc.add(7)
    (proc.add(8) / "status").write_text("")
    (proc.add(9) / "stat").write_text("")
    assert [process.pid for process in find(proc=proc.root)] == [7]


def test_the_program_that_hosts_it_its_role_and_the_pid_inside(proc: FakeProc) -> None:
    proc.add(7, command=("/usr/bin/python3", "train.py", "--job_name=worker", "--task_index=2"), inner=1)
    proc.add(8, command=("/jdk/bin/java", "Main"))
    embedded, plain = find(proc=proc.root)
    assert (embedded.is_embedded, embedded.role, embedded.task_index) == (True, "worker", 2)
    assert (embedded.namespace_pid, plain.namespace_pid) == (1, 8)
    assert not plain.is_embedded


def test_only_variables_that_matter_are_kept(proc: FakeProc) -> None:
    proc.add(7, environ={"KRB5CCNAME": "FILE:/x", "PASSWORD": "hunter2", "MALLOC_ARENA_MAX": "2"})
    (found,) = find(proc=proc.root)
    assert found.environment == {"KRB5CCNAME": "FILE:/x", "MALLOC_ARENA_MAX": "2"}
    assert "hunter2" not in repr(found)


CONTAINER = "0123456789ab" + "cd" * 26


@pytest.mark.parametrize(
    ("cgroup", "variables", "container", "pod"),
    [
        ("0::/user.slice/session.scope\n", {"HOSTNAME": "laptop"}, "", ""),
        (f"0::/system.slice/docker-{CONTAINER}.scope\n", {"HOSTNAME": "0123456789ab"}, CONTAINER[:12], ""),
        (
            f"0::/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{CONTAINER}.scope\n",
            {"HOSTNAME": "trainer-0"},
            CONTAINER[:12],
            "trainer-0",
        ),
        (
            f"12:memory:/kubepods/burstable/pod1-2/{CONTAINER}\n0::/\n",
            {"HOSTNAME": "x\x1b[1m"},
            CONTAINER[:12],
            "",
        ),
        ("0::/\n", {"HOSTNAME": "trainer-1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "", "trainer-1"),
    ],
)
def test_container_and_pod_are_named(
    proc: FakeProc, cgroup: str, variables: dict[str, str], container: str, pod: str
) -> None:
    (proc.add(7, environ=variables) / "cgroup").write_text(cgroup)
    (found,) = find(proc=proc.root)
    assert (found.container, found.pod) == (container, pod)
    assert found.environment == {}


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (["/jdk/bin/java", "-Xmx1g", "-cp", "a:b", "com.acme.Main", "secret"], "com.acme.Main"),
        (["java", "-jar", "/opt/app.jar", "--password=x"], "app.jar"),
        (["java", "--module-path", "m", "-m", "acme/com.acme.Main"], "acme/com.acme.Main"),
        (["java", "@args", "-Dx=y", "Main"], "Main"),
        (["/usr/bin/python3", "-u", "/srv/train.py", "--token=x"], "train.py"),
        (["python3", "-m", "trainer.task", "x"], "trainer.task"),
        (["python3", "-c", "print('secret')"], "python3"),
        (["python3", "-X", "dev", "-W", "error", "/srv/train.py", "x"], "train.py"),
        (["python3.11", "-", "secret"], "python3.11"),
        (["./trainer", "secret"], "trainer"),
        (["/usr/sbin/serve"], "serve"),
        ([], ""),
    ],
)
def test_a_program_is_named_without_its_arguments(command: list[str], program: str) -> None:
    assert program_of(command) == program


def test_the_leak_of_libhdfs_takes_the_variable_and_the_library(proc: FakeProc) -> None:
    maps = "7f00-7f01 r-xp 00 fe:01 12  /jdk/libjvm.so\n7f02-7f03 r-xp 00 fe:01 13  /lib/libhdfs.so.0.0.0\n"
    ticket = {"KERB_TICKET_CACHE_PATH": "/tmp/krb5cc_7"}
    proc.add(7, maps=maps, environ=ticket)
    proc.add(8, maps=maps)
    proc.add(9, environ=ticket)
    assert [process.is_suspect for process in find(proc=proc.root)] == [True, False, False]


@pytest.mark.parametrize(
    ("facts", "attach", "words"),
    [
        ({}, "signal", "--allow-sigquit"),
        ({"state": "T (stopped)"}, "no", "stopped"),
        ({"threads": ("python",)}, "no", "no JVM runs in it"),
        ({"threads": ("java", "VM Thread")}, "no", "-Xrs"),
        ({"catches": "0"}, "no", "not caught by the JVM"),
        ({"blocks": CAUGHT}, "no", "not caught by the JVM"),
    ],
)
def test_whether_it_can_be_attached_to_is_seen_from_outside(
    proc: FakeProc, facts: dict[str, Any], attach: str, words: str
) -> None:
    proc.add(7, **facts)
    (found,) = find(proc=proc.root)
    assert found.attach == attach
    assert words in found.attach_reason


def test_a_socket_is_enough(proc: FakeProc) -> None:
    home = proc.add(7, threads=("java", "VM Thread", "Attach Listener"), inner=1)
    fd = os.open(home / "root/tmp", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{fd}/.java_pid1")
        os.close(fd)
        (found,) = find(proc=proc.root)
        assert (found.attach, found.attach_reason) == ("yes", "")
        (home / "task/9/comm").write_text("Signal Dispatch\n")
        (found,) = find(proc=proc.root)
    assert found.attach == "signal"
    assert found.attach_reason.startswith("nobody listens at its attach socket")


def test_this_process_is_still_the_one_that_was_looked_at() -> None:
    process = jvm_process()
    assert is_running(process)
    assert not is_running(replace(process, start_ticks=process.start_ticks - 1))
    with pytest.raises(JvmNotFound, match=f"process {process.pid}: .*heapscope ps"):
        get(process.pid)
    assert survives_broken_pipe(process)  # Python ignores SIGPIPE


@pytest.mark.parametrize(
    ("version", "release"),
    [("17.0.15+6-Debian-1deb12u1", 17), ("25+36", 25), ("25.0.3+9-LTS", 25), ("25.412-b08", 8), (None, 0)],
)
def test_the_release_is_told_from_hotspots_version(version: str | None, release: int) -> None:
    assert replace(jvm_process(), jvm_version=version).release == release
