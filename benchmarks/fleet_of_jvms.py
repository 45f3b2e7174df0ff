"""A fleet of real JVMs of which a quarter leaks: does the report name the right cause, and what they share?

::

    python -m benchmarks.fleet_of_jvms --jdk /usr/lib/jvm/java-17-openjdk --jdk /usr/lib/jvm/temurin-25

40 processes, a few at a time: 10 have ``KERB_TICKET_CACHE_PATH`` set, and a registry of theirs grows; others
differ in the version of a library, in being busy or idle, in the JVM.  Each is dumped some times, as
``heapscope collect`` does it.  Exit code 1 where the first cause or its first attribute is wrong, or one
is called leaking that does not leak.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.make_dump import jdk_tool
from heapscope.collector import processes
from heapscope.collector.dump import collect
from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.run import run_fleet
from heapscope.fleet.sources import NamePattern, find_sources
from heapscope.fleet.verdict import judge_fleet
from heapscope.reporter.fleet import render_fleet_markdown

PROGRAM = Path(__file__).with_name("FleetWorker.java")
VARIABLE = "KERB_TICKET_CACHE_PATH"
JVM_OPTIONS = ("-Xmx32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+StartAttachListener")
CODEC = "public class Codec { }\n"


@dataclass(frozen=True)
class Plan:
    """What one process is like."""

    number: int
    leaks: bool
    is_busy: bool
    codec: str
    jdk: Path

    @property
    def operations(self) -> int:
        """Between two dumps."""
        return 2000 if self.is_busy else 500


def plans(count: int, jdks: list[Path]) -> list[Plan]:
    """A quarter leaks; a third has the other library, half are busy, and none of that goes with the leak."""
    return [
        Plan(
            i,
            i % 4 == 0,
            i % 8 in (0, 1, 2, 7),
            "2.0" if i % 12 in (0, 1, 5, 10) else "1.0",
            jdks[i // 4 % len(jdks)],
        )
        for i in range(count)
    ]


def build(folder: Path) -> None:
    """``FleetWorker.class`` and the two jars."""
    (folder / "Codec.java").write_text(CODEC)
    shutil.copyfile(PROGRAM, folder / PROGRAM.name)
    javac = jdk_tool(None, "javac")
    subprocess.run(
        [javac, "--release", "11", "-d", folder, folder / "Codec.java", folder / PROGRAM.name], check=True
    )
    for version in ("1.0", "2.0"):
        with zipfile.ZipFile(folder / f"codec-{version}.jar", "w") as jar:
            jar.write(folder / "Codec.class", "Codec.class")
    (folder / "Codec.class").unlink()


class Running:
    """A JVM of a plan."""

    def __init__(self, plan: Plan, built: Path) -> None:
        self.plan = plan
        environment = {"LANG": "C", "PATH": os.environ.get("PATH", "")}
        if plan.leaks:
            environment[VARIABLE] = "/tmp/krb5cc_1000"
        if plan.is_busy:
            environment["BUSY"] = "yes"
        class_path = f"{built}:{built / f'codec-{plan.codec}.jar'}"
        self.process = subprocess.Popen(
            [str(plan.jdk / "bin" / "java"), *JVM_OPTIONS, "-cp", class_path, "FleetWorker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._answer()

    def _answer(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline(), "the JVM has ended"

    def work(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.plan.operations}\n")
        self.process.stdin.flush()
        self._answer()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def take_dumps(all_plans: list[Plan], built: Path, folder: Path, dump_count: int, at_once: int) -> set[int]:
    """Run all processes, some at a time; the pids of those that leak."""
    leaking = set()
    for first in range(0, len(all_plans), at_once):
        with ExitStack() as stack:
            batch = [stack.enter_context(Running(each, built)) for each in all_plans[first : first + at_once]]
            leaking |= {each.process.pid for each in batch if each.plan.leaks}
            for _ in range(dump_count):
                for each in batch:
                    each.work()
                    collect(processes.get(each.process.pid), folder / f"{each.plan.number:02}")
    return leaking


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=40)
    parser.add_argument("--dumps", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument(
        "--jdk", type=Path, action="append", help="home of a JDK; may be repeated", required=True
    )
    parser.add_argument("--scratch", type=Path, default=None)
    options = parser.parse_args()
    room = Path(tempfile.mkdtemp(prefix="heapscope-jvms-", dir=options.scratch))
    try:
        built = room / "built"
        built.mkdir()
        build(built)
        all_plans = plans(options.processes, options.jdk)
        began = time.monotonic()
        leaking = take_dumps(all_plans, built, room / "dumps", options.dumps, options.at_once)
        print(f"{options.processes} JVMs, {options.dumps} dumps each: {time.monotonic() - began:.0f} s")
        target = FleetFolder(room / "fleet", create=True)
        found = find_sources([str(room / "dumps")], NamePattern("{batch}/*"))
        state = run_fleet(found, target, version="benchmark")
        print(f"{state.done_count} sketches in {state.seconds:.0f} s, {len(state.failures)} not read")
        verdict = judge_fleet(Fleet(target.path))
        print(render_fleet_markdown(verdict))
        named = {each.pid for each in verdict.leaking}
        first = verdict.groups[0] if verdict.groups else None
        differences = first.cohorts.differences if first else ()
        checks = {
            "no healthy process is called leaking": named <= leaking,
            "nine of ten that leak are named": len(named & leaking) >= 0.9 * len(leaking),
            "the registry is the first cause": first is not None and "BY_USER" in first.cause.key,
            "the variable is the first attribute": bool(differences) and VARIABLE in differences[0].name,
            "and goes with growth": VARIABLE in verdict.growth.differences[0].name,
        }
        for what, holds in checks.items():
            print("yes" if holds else "NO ", what)
        return 0 if all(checks.values()) else 1
    finally:
        shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
