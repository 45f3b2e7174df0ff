"""The kinds of processes that a dump is taken of: how the JVM came there, what was taken from it, its limits.

Every one runs ``tests/support/java/Ticker.java``.  Kinds that need root, swap or a collector that the JDK
lacks are left out.
"""

from __future__ import annotations

import functools
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.watch_verdicts import swapping
from tests.support.hosts import Host, c_host, container_host, java_host, jpype_host, running_java
from tests.support.jvm import Jdk

LISTENS = "-XX:+StartAttachListener"
# Enough for a dump that is met in its middle.
MEGABYTES = 60
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of process.

    Attributes
    ----------
    name : str
    start : callable (jdk) -> context manager of Host
    words : sequence of str
        Options of ``heapscope collect`` that belong to it.
    wake : callable (host), optional
        It does not run until this is called.
    """

    name: str
    start: Callable[[Jdk], AbstractContextManager[Host]]
    words: Sequence[str] = ()
    wake: Callable[[Host], object] | None = None


def _java(*options: str) -> Callable[[Jdk], AbstractContextManager[Host]]:
    return lambda jdk: java_host(jdk, MEGABYTES, *options)


def _after(
    start: Callable[[Jdk], AbstractContextManager[Host]], change: Callable[[Host], object]
) -> Callable[[Jdk], AbstractContextManager[Host]]:
    """A target that something is done to once it runs."""

    @contextmanager
    def changed(jdk: Jdk) -> Iterator[Host]:
        with start(jdk) as host:
            change(host)
            yield host

    return changed


def _below(
    *prefix: str, options: Sequence[str] = (LISTENS,)
) -> Callable[[Jdk], AbstractContextManager[Host]]:
    """``java`` below a program that changes how it runs, and then becomes it."""
    return lambda jdk: running_java(jdk, MEGABYTES, *options, prefix=prefix)


def _wait_for_socket(host: Host) -> Path:
    path = Path(f"/tmp/.java_pid{host.pid}")
    for _ in range(500):
        if path.exists():
            break
        time.sleep(0.01)
    return path


def _delete_socket(host: Host) -> None:
    _wait_for_socket(host).unlink()


def _take_descriptors(host: Host) -> None:
    """It can open nothing more, nor accept a connection."""
    _wait_for_socket(host)
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (3, 3))


def _limit_files(host: Host) -> None:
    resource.prlimit(host.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@contextmanager
def _in_group(controller: str, jdk: Jdk, limits: Callable[[Path, Host], object]) -> Iterator[Host]:
    """In a control group (version 1) of its own."""
    group = _CGROUPS / controller / f"heapscope-matrix-{os.getpid()}"
    with java_host(jdk, MEGABYTES, LISTENS, "-Xmx128m") as host:
        group.mkdir()
        try:
            (group / "cgroup.procs").write_text(str(host.pid))
            limits(group, host)
            yield host
        finally:
            for process in (group / "cgroup.procs").read_text().split():
                (_CGROUPS / controller / "cgroup.procs").write_text(process)
            group.rmdir()


def _limit_memory(group: Path, host: Host) -> None:
    """Little more than it has."""
    for line in Path(f"/proc/{host.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            (group / "memory.limit_in_bytes").write_text(f"{int(line.split()[1]) + (16 << 10)}K")


@contextmanager
def _in_removed_folder(jdk: Jdk) -> Iterator[Host]:
    folder = tempfile.mkdtemp(dir="/var/tmp")
    with running_java(jdk, MEGABYTES, LISTENS, folder=folder) as host:
        shutil.rmtree(folder)
        yield host


@functools.cache
def _has_collector(jdk: Jdk, name: str) -> bool:
    command = [str(jdk.home / "bin/java"), *name.split(), "-version"]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def targets_of(jdk: Jdk) -> list[Target]:
    """The kinds that this JDK, user and machine can show."""
    small = "mount -t tmpfs -o size=64k none /tmp"
    closed = "mount -t tmpfs -o ro none /tmp"
    found = [
        Target("java", _java()),
        Target("java, listening", _java(LISTENS)),
        Target("java, -Xrs", _java("-Xrs")),
        Target("java, attach disabled", _java("-XX:+DisableAttachMechanism")),
        Target("java, disabled, no counters", _java("-XX:+DisableAttachMechanism", "-XX:-UsePerfData")),
        Target("java, no counters", _java("-XX:-UsePerfData")),
        Target("java, heap nearly full", _java(LISTENS, "-Xmx80m", "-XX:+UseSerialGC")),
        Target("java, 600 threads", _java(LISTENS, "-Dticker.threads=600")),
        Target("java, debugged", _java(LISTENS, "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n")),
        Target("java, stderr closed", _below("sh", "-c", 'exec "$@" 2>&-', "sh")),
        Target("java, folder removed", _in_removed_folder),
        Target("java, socket deleted", _after(_java(LISTENS), _delete_socket)),
        Target("java, no descriptors left", _after(_java(LISTENS), _take_descriptors)),
        Target("java, files of 1 MB", _after(_java(LISTENS), _limit_files)),
        Target("java, files of 1 MB, to a file", _after(_java(LISTENS), _limit_files), ["--no-stream"]),
        Target(
            "java, stopped",
            _after(_java(LISTENS), lambda host: os.kill(host.pid, signal.SIGSTOP)),
            wake=lambda host: os.kill(host.pid, signal.SIGCONT),
        ),
        Target("jpype", lambda jdk: jpype_host(jdk, MEGABYTES)),
        Target("C", lambda jdk: c_host(jdk, "run", MEGABYTES)),
        Target("C, -Xrs", lambda jdk: c_host(jdk, "run", MEGABYTES, "-Xrs")),
        Target("C, own handler", lambda jdk: c_host(jdk, "sigquit", MEGABYTES)),
        Target("C, SIGPIPE kills", lambda jdk: c_host(jdk, "sigpipe", MEGABYTES, LISTENS)),
    ]
    for collector in ("Parallel", "Z", "Shenandoah", "Epsilon"):
        name = f"-XX:+UnlockExperimentalVMOptions -XX:+Use{collector}GC"
        if _has_collector(jdk, name):
            found.append(Target(f"java, {collector}GC", _java(LISTENS, "-Xmx512m", *name.split())))
    if _has_collector(jdk, "-XX:+UseCompactObjectHeaders"):
        found.append(Target("java, compact headers", _java(LISTENS, "-XX:+UseCompactObjectHeaders")))
    if os.geteuid() == 0:
        nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        found += [
            Target("java, another user", _below(*nobody)),
            Target("java, no new privileges", _below("setpriv", "--no-new-privs", "--bounding-set=-all")),
            Target("container", lambda jdk: container_host(jdk, MEGABYTES, LISTENS, is_rootless=False)),
            Target(
                "rootless container", lambda jdk: container_host(jdk, MEGABYTES, LISTENS, is_rootless=True)
            ),
            Target(
                "container, /tmp of 64 kB",
                lambda jdk: container_host(jdk, MEGABYTES, LISTENS, is_rootless=False, mount=small),
            ),
            Target(
                "container, /tmp of 64 kB, to a file",
                lambda jdk: container_host(jdk, MEGABYTES, LISTENS, is_rootless=False, mount=small),
                ["--no-stream"],
            ),
            Target(
                "container, /tmp read-only",
                lambda jdk: container_host(jdk, MEGABYTES, LISTENS, is_rootless=False, mount=closed),
            ),
        ]
        if (_CGROUPS / "memory/cgroup.procs").exists():
            found.append(Target("java, limit of memory", partial(_in_group, "memory", limits=_limit_memory)))
    if swapping.is_possible():
        found.append(
            Target("java, swapped out", _after(_java(LISTENS), lambda host: swapping.page_out(host.pid)))
        )
    return found
