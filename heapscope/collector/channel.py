"""The channels to a JVM: our attach client, the JDK's ``jcmd`` and ``jmap``, or JNI from within its process.

A `JvmChannel` sends diagnostic commands and returns the answers.  A heap dump has succeeded only if the
answer has the JVM's line ``Heap dump file created``: the status is 0 for a failed dump too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heapscope.collector import attach
from heapscope.collector.processes import JvmProcess
from heapscope.errors import AttachRefused, AttachTimeout, CollectError
from heapscope.ownership import why_not_ours

Method = Literal["attach", "jmap", "jcmd", "embedded"]
METHODS: tuple[Method, ...] = ("attach", "jmap", "jcmd", "embedded")
_CREATED = re.compile(r"Heap dump file created(?: \[(\d+) bytes in ([\d.]+) secs\])?")
_PROBE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class JvmChannel:
    """A way to send diagnostic commands to one JVM.

    Attributes
    ----------
    method : {"attach", "jmap", "jcmd", "embedded"}
        Noted in the sidecar.
    ask : callable (command, seconds) -> str
        The answer to a diagnostic command such as ``GC.class_histogram -all``.
    release : int
        Feature release of the JVM: 8, 17, 25; 0 where it is not known.
    why_no_stream : str
        Why this channel cannot write a dump into a FIFO; empty where it can.
    has_options : bool
        Whether it can be asked for the JVM's version and options.
    """

    method: Method
    ask: Callable[[str, float], str]
    release: int
    why_no_stream: str = ""
    has_options: bool = True


def created_seconds(said: str) -> float | None:
    """The seconds in ``Heap dump file created [N bytes in S secs]``; None where there is no such line."""
    found = _CREATED.search(said)
    return None if found is None else float(found[2] or 0.0)


def open_channel(
    process: JvmProcess,
    method: Method | None,
    *,
    allow_sigquit: bool,
    notice: Callable[[str], None],
) -> JvmChannel:
    """Open a channel to a JVM: by our own client, or by ``jcmd`` where only that is understood.

    Before a tool of the JDK is run, our client connects.  That proves that the JVM listens; otherwise the
    tool would send a SIGQUIT without asking.

    Parameters
    ----------
    process : JvmProcess
    method : {"attach", "jmap", "jcmd", "embedded"}, optional
        The way to take; by default the first that works.
    allow_sigquit : bool
        Whether a JVM without an attach socket may be sent one SIGQUIT.
    notice : callable (str) -> None
        Told when ``jcmd`` is taken in place of our own client.

    Raises
    ------
    AttachRefused, AttachTimeout
        As for `heapscope.collector.attach.jcmd`.
    CollectError
        The method cannot reach another process, or its program is not found.
    """
    if method == "embedded":
        raise CollectError(
            f"process {process.pid}: embedded works from inside only: call heapscope.collect_self(DIR) "
            "in that process itself (a notebook or training script)"
        )

    def ours(command: str, seconds: float) -> str:
        return attach.jcmd(process, command, allow_sigquit=allow_sigquit, seconds=seconds)

    if method in (None, "attach"):
        try:
            return JvmChannel("attach", ours, release_of(ours("VM.version", _PROBE_SECONDS)))
        except AttachRefused as error:
            if method == "attach" or error.is_understood or _program("jcmd", process) is None:
                raise
            notice(f"process {process.pid}: its attach protocol is another than ours; jcmd is used instead")
    name = "jmap" if method == "jmap" else "jcmd"
    program = _program(name, process)
    if program is None:
        raise CollectError(
            f"{name} is not found on the PATH, in JAVA_HOME or beside the JVM of process {process.pid}; "
            "install a JDK, or use --method attach, which needs none"
        )
    attach.connect(process, allow_sigquit=allow_sigquit).close()
    if name == "jmap":
        return JvmChannel(
            "jmap",
            lambda command, seconds: _run(process, _jmap_words(program, process, command), seconds),
            process.release,
            why_no_stream="jmap writes no existing file",
            has_options=False,
        )

    def tool(command: str, seconds: float) -> str:
        said = _run(process, [program, str(process.pid), command], seconds)
        return said.removeprefix(f"{process.pid}:\n")

    return JvmChannel("jcmd", tool, release_of(tool("VM.version", _PROBE_SECONDS)))


def release_of(version: str) -> int:
    """The feature release in the answer to ``VM.version``; 0 where it has none."""
    found = re.search(r"^JDK (?:1\.)?(\d+)", version, re.MULTILINE)
    return int(found[1]) if found else 0


def _program(name: str, process: JvmProcess) -> str | None:
    found = shutil.which(name)
    if found is not None:
        return found
    # .../lib/server/libjvm.so, of JDK 8 .../jre/lib/amd64/server/libjvm.so
    homes = [Path(process.libjvm).parents[n] for n in (2, 4) if len(Path(process.libjvm).parents) > n]
    ours = Path(os.environ["JAVA_HOME"]) if os.environ.get("JAVA_HOME") else None
    if ours is not None:
        homes.insert(0, ours)
    for path in (home / "bin" / name for home in homes):
        if os.access(path, os.X_OK) and (path.parent.parent == ours or _is_trusted(path, process)):
            return str(path)
    return None


def _is_trusted(path: Path, process: JvmProcess) -> bool:
    """Whether a program of the target may be run: in our mounts, and nobody but us or root could put it
    there.

    A link may lead to any program of root's, and who may write into a folder above may put another one in.
    """
    try:
        if os.readlink(f"/proc/{process.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
            return False
        return path.is_file() and not why_not_ours(path, links=False)
    except OSError:
        return False


def _jmap_words(program: str, process: JvmProcess, command: str) -> list[str]:
    name, *options = command.split(" ")
    live = "" if "-all" in options else "live"
    if name == "GC.class_histogram":
        return [program, f"-histo:{live}" if live else "-histo", str(process.pid)]
    if name == "GC.heap_dump":
        return [program, f"-dump:{live}{',' * bool(live)}format=b,file={options[-1]}", str(process.pid)]
    raise CollectError(f"jmap has no {name}; use --method jcmd")


def _run(process: JvmProcess, words: list[str], seconds: float) -> str:
    name = Path(words[0]).name
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AttachTimeout(
            f"process {process.pid}: {name} had no answer within {seconds:g} s; the JVM may be busy, "
            "try again later"
        ) from None
    except OSError as error:
        raise CollectError(f"{words[0]}: {error.strerror}") from None
    if done.returncode:
        said = " ".join(done.stdout.split())[-300:] or f"exit code {done.returncode}"
        raise AttachRefused(f"process {process.pid}: {name} failed: {said}")
    return done.stdout
