"""Real TensorFlow and a real libhdfs, made ready for `tests/support/tensorflow_worker.py`.

TensorFlow 1.13.1 comes from its wheel for Python 3.7, TensorFlow 2 and tensorflow-io from theirs; libhdfs is
compiled from the C sources in pydoop's source distribution (no package has the library).
"""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import hadoop, parts
from tests.support.hadoop import Stage, Worker
from tests.support.jvm import Jdk


def missing() -> str:
    """What real TensorFlow needs and this machine has not; empty when nothing."""
    if platform.machine() != "x86_64":
        return f"{parts.TENSORFLOW.requirement} has wheels for x86_64 only, this is {platform.machine()}"
    return missing_libhdfs() or parts.missing(parts.TENSORFLOW)


def missing_libhdfs() -> str:
    """What it takes to compile libhdfs and this machine has not; empty when nothing."""
    absent = [program for program in ("gcc", "nm") if shutil.which(program) is None]
    if absent:
        return f"{' and '.join(absent)} not found; `make system-packages` installs them"
    without = hadoop.missing()
    if without:
        return without
    jdk = hadoop.find_jdk()
    assert jdk is not None
    if not (jdk.home / "include" / "jni.h").exists():
        return f"{jdk.home} has no include/jni.h; `make system-packages` installs a whole JDK"
    return parts.missing(parts.LIBHDFS_SOURCES)


def missing_io() -> str:
    """What tensorflow-io needs beside; 264 MB of download, 690 MB kept."""
    return missing() or parts.missing(parts.TENSORFLOW_2, parts.TENSORFLOW_IO)


@dataclass(frozen=True)
class Installed:
    """TensorFlow and libhdfs, ready for workers of one stage.

    Attributes
    ----------
    version : str
        TensorFlow's.
    library, before : Path
        TensorFlow's, and what has to be loaded before it.
    hadoop_home : Path
        TensorFlow looks for ``lib/native/libhdfs.so`` in it.
    plugin : Path or None
        With the file systems, for TensorFlow 2.
    """

    stage: Stage
    version: str
    library: Path
    before: Path
    hadoop_home: Path
    plugin: Path | None = None

    @classmethod
    def make(cls, stage: Stage) -> Installed:
        """TensorFlow 1.13.1; compiles libhdfs, and a library with what this Python has no more."""
        library = parts.fetch(parts.TENSORFLOW) / "python" / "_pywrap_tensorflow_internal.so"
        shim = stage.folder / "shim.so"
        compile_shim(library, shim)
        return cls(stage, "1.13.1", library, shim, _hadoop_home(stage))

    @classmethod
    def make_io(cls, stage: Stage) -> Installed:
        """TensorFlow 2 with tensorflow-io; compiles libhdfs."""
        folder = parts.fetch(parts.TENSORFLOW_2)
        library, before = folder / "libtensorflow_cc.so.2", folder / "libtensorflow_framework.so.2"
        plugin = parts.fetch(parts.TENSORFLOW_IO) / "libtensorflow_io_plugins.so"
        return cls(stage, "2.16.2", library, before, _hadoop_home(stage), plugin)

    @contextmanager
    def worker(
        self, name_node: str, leaks: bool, ticket: Path | None = None, task_index: int = 0
    ) -> Iterator[Worker]:
        """A worker that reads files of ``name_node`` (``host:port``)."""
        variables = self.stage.environment(leaks, ticket)
        variables |= {"HADOOP_HDFS_HOME": str(self.hadoop_home), "TF_CPP_MIN_LOG_LEVEL": "3"}
        arguments = [f"--library={self.library}", f"--before={self.before}", f"hdfs://{name_node}/data"]
        if self.plugin is not None:
            arguments.append(f"--plugin={self.plugin}")
        with self.stage.worker("tensorflow_worker", variables, *arguments, task_index=task_index) as worker:
            yield worker


def _hadoop_home(stage: Stage) -> Path:
    """A folder with a libhdfs where TensorFlow and tensorflow-io look for it."""
    home = stage.folder / "hadoop"
    native = home / "lib" / "native"
    native.mkdir(parents=True)
    compile_libhdfs(parts.fetch(parts.LIBHDFS_SOURCES), stage.jdk, native / "libhdfs.so")
    return home


def compile_libhdfs(sources: Path, jdk: Jdk, target: Path) -> None:
    """Compile libhdfs against a JDK."""
    server = jdk.home / "lib" / "server"
    files = [*sources.glob("*.c"), *sources.glob("common/*.c"), *sources.glob("os/posix/*.c")]
    folders = [sources, sources / "include", sources / "os/posix", jdk.home / "include"]
    includes = [f"-I{folder}" for folder in (*folders, jdk.home / "include" / "linux")]
    libraries = [f"-L{server}", "-ljvm", f"-Wl,-rpath,{server}"]
    _gcc(target, "-O2", "-w", *includes, *map(str, sorted(files)), *libraries)


def compile_shim(library: Path, target: Path) -> None:
    """Define what TensorFlow wants of a Python 3.7 and this Python lacks; the C API never uses it."""
    listed = subprocess.run(
        ["nm", "--dynamic", "--undefined-only", library], capture_output=True, text=True, check=True
    ).stdout
    wanted = re.findall(r" U (_?Py\w+)$", listed, re.MULTILINE)
    assert wanted, f"{library} wants nothing of Python"
    absent = [name for name in wanted if not hasattr(ctypes.pythonapi, name)]
    source = target.with_suffix(".c")
    # Called all the same, it must not go unnoticed.
    source.write_text("".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in absent))
    _gcc(target, str(source))


def _gcc(target: Path, *arguments: str) -> None:
    command = ["gcc", "-shared", "-fPIC", "-o", str(target), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass
class NameNode:
    """A listener on loopback that hears who asks, and hangs up.

    The leak lies before that: an answer is not needed, being cut off is the fastest end of a read.

    Attributes
    ----------
    address : str
        ``host:port``.
    greetings : list of bytes
        The first seven bytes of every connection: ``hrpc``, the version of Hadoop's protocol, the service
        class, the kind of authentication (0xDF: SASL, as Kerberos wants it).
        https://hadoop.apache.org/docs/r3.3.6/api/org/apache/hadoop/ipc/Server.html
    """

    address: str
    greetings: list[bytes]


@contextmanager
def name_node() -> Iterator[NameNode]:
    """Listen until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = NameNode("{}:{}".format(*server.getsockname()), [])

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed
                    return
                with connection, connection.makefile("rb") as stream:
                    found.greetings.append(stream.read(7))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield found
        finally:
            server.shutdown(socket.SHUT_RDWR)
            listener.join()
