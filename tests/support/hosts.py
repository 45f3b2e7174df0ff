"""Programs that host a JVM in every way heapscope meets: ``java``, JPype, a C program like libhdfs.

::

    with c_host(find_jdks()[17], "run", 50) as host:
        ...
        assert host.serves()

All run ``tests/support/java/Ticker.java``: a heap of so many megabytes, a thread that ticks every 10 ms.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.jvm import READY, Jdk, compile_java, find_javac

_SOURCES = Path(__file__).parent / "c"
_ANSWER_SECONDS = 120  # a heap of a gigabyte is filled before, on a busy machine
_JPYPE = """
import sys, jpype
jvm, classes, megabytes, *options = sys.argv[1:]
jpype.startJVM(jvm, *options, classpath=[classes])
jpype.JClass("Ticker").main([megabytes])
"""
# What a JVM would print that it picked up, and where it would look.
_UNWANTED = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")


@dataclass(slots=True)
class Host:
    """A running program that hosts a JVM; what it printed before it was ready."""

    process: subprocess.Popen[bytes]
    said: list[str]
    pid: int
    _rest: bytes = b""

    def line(self) -> str:
        """Its next line.

        Raises
        ------
        AssertionError
            None comes.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + _ANSWER_SECONDS
        while b"\n" not in self._rest:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.process.stdout], [], [], left)[0], "it does not answer"
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            assert piece, f"it ended: {self.said}"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def worst_stall(self) -> float:
        """The longest time, in milliseconds, that its ticker stood still since this was asked last."""
        assert self.process.stdin is not None
        os.write(self.process.stdin.fileno(), b"\n")
        said = self.line()
        while said.startswith("["):  # the JVM logs what it could not write
            said = self.line()
        return float(said)

    def serves(self) -> bool:
        """Whether it lives and answers."""
        return self.process.poll() is None and self.worst_stall() >= 0


def left_in_tmp() -> list[Path]:
    """Folders that heapscope made in /tmp, by this process and by those that have ended."""
    found = []
    for path in Path("/tmp").glob("heapscope-*"):
        match = re.fullmatch(r"heapscope-(\d+)-\d+-\w+", path.name)
        if match is not None and (int(match[1]) == os.getpid() or not Path(f"/proc/{match[1]}").exists()):
            found.append(path)
    return found


def libjvm(jdk: Jdk) -> Path:
    """The library of a JDK."""
    return jdk.home / "lib/server/libjvm.so"


@contextmanager
def java_host(jdk: Jdk, megabytes: int, *options: str) -> Iterator[Host]:
    """Plain ``java``."""
    with _running(_java(jdk, megabytes, options, _classes())) as host:
        yield host


@contextmanager
def running_java(
    jdk: Jdk, megabytes: int, *options: str, prefix: Sequence[str] = (), folder: str | None = None
) -> Iterator[Host]:
    """``java`` as any user may run it, below a program that becomes it, in a folder."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as classes:
        shutil.copytree(_classes(), classes, dirs_exist_ok=True)
        for path in (Path(classes), *Path(classes).rglob("*")):
            path.chmod(0o755)
        with _running([*prefix, *_java(jdk, megabytes, options, classes)], folder) as host:
            yield host


def _java(jdk: Jdk, megabytes: int, options: Sequence[str], classes: str) -> list[str]:
    return [str(jdk.home / "bin/java"), *options, "-cp", classes, "Ticker", str(megabytes)]


_ROOTLESS = ("setpriv", "--reuid=100000", "--regid=100000", "--clear-groups")


@contextmanager
def container_host(
    jdk: Jdk, megabytes: int, *options: str, is_rootless: bool, mount: str = "mount -t tmpfs none /tmp"
) -> Iterator[Host]:
    """``java`` in pid and mount namespaces of its own, with its own /tmp in memory.

    ``is_rootless``: started by user 100000, and root in a user namespace of its own.
    """
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        shutil.copytree(_classes(), folder, dirs_exist_ok=True)
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
        command = [
            *(_ROOTLESS if is_rootless else ()),
            *("unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"),
            *(("--user", "--map-root-user") if is_rootless else ()),
            *("sh", "-c", f'{mount} && exec "$@"', "sh"),
            *_java(jdk, megabytes, options, folder),
        ]
        with _running(command) as host:
            children = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
            (host.pid,) = map(int, children)
            yield host


@contextmanager
def pod_host(jdk: Jdk, megabytes: int, *options: str, name: str) -> Iterator[Host]:
    """``java`` of user ``nobody`` in namespaces of its own, with the variables of a pod of Kubernetes."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        shutil.copytree(_classes(), folder, dirs_exist_ok=True)
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
        mount = 'hostname "$HOSTNAME" && mount -t tmpfs -o mode=1777 none /tmp && exec "$@"'
        command = [
            *("env", f"HOSTNAME={name}", "KUBERNETES_SERVICE_HOST=10.0.0.1"),
            *("unshare", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", mount, "sh", "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
            *_java(jdk, megabytes, options, folder),
        ]
        with _running(command) as host:
            children = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
            (host.pid,) = map(int, children)
            yield host


@contextmanager
def jpype_host(jdk: Jdk, megabytes: int, *options: str) -> Iterator[Host]:
    """Python, with a JVM that JPype started in its main thread."""
    command = [sys.executable, "-c", _JPYPE, str(libjvm(jdk)), _classes(), str(megabytes), *options]
    with _running(command) as host:
        yield host


@contextmanager
def c_host(jdk: Jdk, mode: str, megabytes: int, *options: str) -> Iterator[Host]:
    """The C program ``tests/support/c/host.c``; its modes are described there."""
    command = [compile_c(), mode, str(libjvm(jdk)), _classes(), "Ticker", str(megabytes), *options]
    with _running(command) as host:
        yield host


def _classes() -> str:
    return str(compile_java("Ticker"))


@functools.cache
def compile_c() -> str:
    """The C program, built once, against the headers of the JDK that has a compiler."""
    javac = find_javac()
    assert javac is not None, "no JDK with headers"
    headers = Path(javac).resolve().parents[1] / "include"
    folder = Path(tempfile.mkdtemp(prefix="heapscope-host-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / "host"
    includes = [f"-I{headers}", f"-I{headers / 'linux'}"]
    command = [
        "gcc",
        "-O1",
        "-Wall",
        "-Werror",
        *includes,
        "-o",
        str(program),
        str(_SOURCES / "host.c"),
        "-ldl",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return str(program)


@contextmanager
def _running(command: Sequence[str], folder: str | None = None) -> Iterator[Host]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in _UNWANTED},
    )
    host = Host(process, [], process.pid)
    try:
        while (line := host.line()) != READY:
            host.said.append(line)
        yield host
    finally:
        process.kill()
        process.communicate()
