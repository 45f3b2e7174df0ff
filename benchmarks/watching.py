"""What watching costs: processor time of ``heapscope watch`` for each sample of a process, against ``ps``;
and how long a large process waits for its own memory meanwhile.

::

    python -m benchmarks.watching                   # 24 JVMs, a round every second for 20 s
    python -m benchmarks.watching --mmap 3000       # worst mmap of a process of 3 GB in small pages

The figure that matters of the first is the last line: 500 processes every 30 s should take less than 2 % of
one core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from heapscope.collector import pages
from heapscope.collector.watch import WALK_SHARE
from tests.support.jvm import find_jdks, java


def cpu_seconds(command: list[str]) -> float:
    """Processor time of a command, its start included."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used


def mmap_waits(megabytes: int, looks: int = 20) -> None:
    """Print the worst mmap and munmap of a process while its pages are looked at, in each way."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = Path(__file__).parent / "c/mapping.c"
        subprocess.run(["gcc", "-O2", "-o", folder / "mapping", source], check=True)
        target = subprocess.Popen(
            [folder / "mapping", str(megabytes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(target.communicate)
        assert target.stdin is not None
        assert target.stdout is not None
        assert target.stdout.readline() == "ready\n"
        home = Path(f"/proc/{target.pid}")

        def ours() -> None:
            found = [one for one in pages.mappings((home / "maps").read_text()) if not one.name]
            pages.look(target.pid, [[one for one in found if one.is_readable]])

        def worst(look: Callable[[], object]) -> float:
            for _ in range(looks):
                look()
                time.sleep(0.05)
            target.stdin.write("\n")  # type: ignore[union-attr]
            target.stdin.flush()  # type: ignore[union-attr]
            return float(target.stdout.readline())  # type: ignore[union-attr]

        ways: dict[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "smaps": (home / "smaps").read_bytes,
            "smaps_rollup": (home / "smaps_rollup").read_bytes,
            "heapscope": ours,
        }
        print(f"{megabytes:,} MB of small pages, worst mmap and munmap of {looks} looks, in ms, three runs")
        figures = [{name: worst(look) for name, look in ways.items()} for _ in range(4)][1:]
        for name in ways:
            print(f"{name:<14}" + "".join(f"{run[name]:10.1f}" for run in figures))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--processes", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--mmap", type=int, metavar="MB", help="how long a process of so many MB waits for mmap"
    )
    options = parser.parse_args()
    if options.mmap:
        mmap_waits(options.mmap)
        return
    jdk = find_jdks()[max(find_jdks())]
    with ExitStack() as stack:
        started = [
            stack.enter_context(java(jdk, "Growth", "-XX:+UseSerialGC", arguments=["nothing"], heap="16m"))
            for _ in range(options.processes)
        ]
        pids = [str(jvm.pid) for jvm in started]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def watch(rounds: int) -> float:
            words = ["--every", "1s", "--for", f"{rounds}s", "-o", str(folder / "watch.csv")]
            return cpu_seconds([sys.executable, "-m", "heapscope", "watch", *pids, *words])

        # The start of Python is no part of a long watch.
        idle, busy = watch(1), watch(1 + options.rounds)
        each = (busy - idle) / options.rounds / options.processes
        ps = ["ps", "-o", "pid,vsz,rss,nlwp", "-p", ",".join(pids)]
        ps_each = sum(cpu_seconds(ps) for _ in range(options.rounds)) / options.rounds / options.processes
    # Reading smaps takes a hundredth of a core at any pace, the rest grows with processes and rounds.
    rest = max(0.0, each - WALK_SHARE / options.processes)
    print(f"JDK {jdk.version}, {options.processes} JVMs, {options.rounds} rounds a second apart")
    print(f"heapscope watch   {each * 1e6:7.0f} us of processor for each process and round")
    print(f"ps -o vsz,rss     {ps_each * 1e6:7.0f} us, ratio {each / ps_each:.1f}")
    print(f"500 processes every 30 s: {500 * rest / 30 + WALK_SHARE:.2%} of one core")


if __name__ == "__main__":
    main()
