"""Runs of the programs: eight steps, and after each a heap dump and a class histogram.

A program is paced by operations alone: it says ``step K done`` and waits for a line.  So a run gives the
same heap however busy the machine is.  The times at which snapshots were taken would differ all the same,
and rates and forecasts with them; so each snapshot gets the time that a schedule says (about a minute
between two, by a random generator with a fixed seed), in the dump's header and as the text's file time.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
import subprocess
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.verdicts.cases import Case
from heapscope.collector import attach, processes
from tests.support.jvm import Jdk, compile_java, find_javac

PROGRAMS = Path(__file__).parent / "programs"
STEPS = 8
BEFORE, FIXED, AGAIN, IDLE = "before", "fixed", "again", "idle"
RUNS = (BEFORE, FIXED, AGAIN, IDLE)
_MODES = {BEFORE: "leak", FIXED: "fixed", AGAIN: "leak", IDLE: "idle"}
_BEGIN = datetime(2026, 1, 12, 8, 0, tzinfo=UTC).timestamp()
_LATER_SECONDS = 86_400.0  # the runs after the cure are of the next days
_STEP_SECONDS = 60.0
_AGAIN_PACE = 1.5  # the run without the cure has less load: two thirds of the work in the same time
HEAP_BYTES = 64 << 20
_STAMP = "made-by.txt"


@dataclass(frozen=True, slots=True)
class Shot:
    """What was taken after a step."""

    dump: Path
    text: Path
    everything: (
        Path  # a dump with garbage, as it is asked for where a cure cannot be told; of runs after only
    )


@dataclass(frozen=True, slots=True)
class Classes:
    """The compiled programs."""

    folder: Path
    path: str  # the class path
    names: frozenset[str]  # full names of all classes of the programs, without their libraries


def compile_programs(folder: Path) -> Classes:
    """Compile all programs, once, for JDK 17 and later.

    Parameters
    ----------
    folder : Path
        Where the classes go.

    Raises
    ------
    SystemExit
        There is no compiler, or a program does not compile.
    """
    compiler = find_javac()
    if compiler is None:
        raise SystemExit("no javac: install a JDK 17 or later, or name its home in HEAPSCOPE_TEST_JDKS")
    libraries = compile_java("leaks")  # Hadoop's and Spark's classes, as far as known leaks need them
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, "--release", "17", "-nowarn", "-cp", str(libraries), "-d", str(folder)]
    sources = sorted(map(str, PROGRAMS.glob("*.java")))
    done = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"javac failed:\n{done.stderr}")
    names = frozenset(
        ".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.class")
    )
    return Classes(folder, os.pathsep.join((str(folder), str(libraries))), names)


def _digest(case: Case) -> str:
    """Of what a run is made by: dumps of other sources, or of another schedule, are not used again."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in (case.main.rpartition(".")[2], "Pace"):
        digest.update((PROGRAMS / f"{name}.java").read_bytes())
    return digest.hexdigest()[:16]


def schedule(case: Case, run: str) -> list[float]:
    """When the snapshots of a run are taken, in seconds since 1970; the same in every execution."""
    chance = random.Random(zlib.crc32(f"{case.name} {run}".encode()))
    pace = _STEP_SECONDS * (_AGAIN_PACE if run == AGAIN else 1.0)
    at = _BEGIN + RUNS.index(run) * _LATER_SECONDS
    times = []
    for _ in range(STEPS):
        at += pace * chance.uniform(0.8, 1.2)
        times.append(round(at, 3))
    return times


def take_run(case: Case, jdk: Jdk, run: str, classes: Classes, folder: Path) -> list[Shot]:
    """The snapshots of a run; those of an earlier execution where they are whole and of the same sources.

    Parameters
    ----------
    run : str
        One of `RUNS`.
    folder : Path
        Of this run alone.

    Raises
    ------
    SystemExit
        The program ends or says something else than it should.
    """
    shots = [
        Shot(
            folder / f"step-{i}.hprof",
            folder / f"step-{i}.histogram.txt",
            folder / "garbage" / f"step-{i}.hprof",
        )
        for i in range(1, STEPS + 1)
    ]
    command = [
        str(jdk.tool("java")), f"-Xmx{HEAP_BYTES}", case.collector, *case.options, "-XX:+StartAttachListener",
        "-cp", classes.path, case.main, _MODES[run], *case.arguments,
    ]  # fmt: skip
    made_by = f"{jdk.version} {_digest(case)} {case.name} {case.live} {' '.join(command[1:])}\n"
    made_by = made_by.replace(classes.path, "CLASSES")
    stamp = folder / _STAMP
    if stamp.is_file() and stamp.read_text() == made_by:
        return shots
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    _take(command, case, shots, schedule(case, run), with_garbage=run != BEFORE and case.live)
    stamp.write_text(made_by)
    return shots


def _take(
    command: list[str], case: Case, shots: list[Shot], times: list[float], *, with_garbage: bool
) -> None:
    # The JVM would print what it picks up from these.
    silent = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS")
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in silent},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    everything = [] if case.live else ["-all"]
    try:
        for step, (shot, at) in enumerate(zip(shots, times, strict=True), 1):
            said = process.stdout.readline()
            if said != f"step {step} done\n":
                raise SystemExit(f"{case.main}: {said}{process.stdout.read()}")
            found = processes.get(process.pid)
            if (
                with_garbage and step % 2 == 0
            ):  # before the dump of what is in use, for which the JVM collects all garbage
                shot.everything.parent.mkdir(exist_ok=True)
                shot.everything.unlink(missing_ok=True)
                attach.jcmd(found, f"GC.heap_dump -all {shot.everything.resolve()}")
            shot.dump.unlink(missing_ok=True)
            attach.jcmd(found, " ".join(["GC.heap_dump", *everything, str(shot.dump.resolve())]))
            text = attach.jcmd(found, " ".join(["GC.class_histogram", *everything]))
            shot.text.write_text(f"{process.pid}:\n{text}")  # as jcmd prints it
            _set_time(shot, at)
            process.stdin.write("\n")
            process.stdin.flush()
    finally:
        process.kill()
        process.communicate()


def _set_time(shot: Shot, at: float) -> None:
    dumps = [dump for dump in (shot.dump, shot.everything) if dump.is_file()]
    for dump in dumps:
        with dump.open("r+b") as file:
            head = file.read(64)
            place = head.index(b"\0") + 1 + 4  # the format's name, the size of identifiers
            file.seek(place)
            file.write(struct.pack(">Q", round(at * 1000)))
    for path in (*dumps, shot.text):
        os.utime(path, (at, at))
