"""The collector against the JDK's tools and jattach, in one run on one machine.

::

    python -m benchmarks.collector               # about two minutes; --megabytes 300 --repeat 5
    python -m benchmarks.collector --pauses --megabytes 700 --release 25    # alternating pairs
    python -m benchmarks.collector --matrix      # what happens when it goes wrong (`benchmarks.matrix`)
    python -m benchmarks.collector --matrix --targets '^container$' --release 25

Measured on a heap of small objects (``tests/support/java/Ticker.java``), with every JDK that is found:

- the time of a class histogram: our client, the whole command, ``jcmd``, ``jmap``, ``jattach``;
- the time of the list of JVMs: ``heapscope ps`` against ``jcmd -l`` and ``jps``;
- the worst stall that a thread of the JVM with a 10 ms tick sees during a class histogram, a streamed dump,
  a dump to a file, and ``jcmd GC.heap_dump``.

Every round takes each of them once, so that all see the same machine; medians are printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import matrix
from heapscope.collector import attach, processes
from heapscope.collector.dump import collect
from heapscope.collector.stream import Filter
from tests.support.hosts import Host, java_host
from tests.support.jvm import Jdk, find_jdks

OPTIONS = ("-XX:+StartAttachListener", "-XX:+UseG1GC")
LONG = 600.0
REDACTOR = "heapscope.parser.redaction.redact:stream_filter"
COMMAND = (sys.executable, "-m", "heapscope")


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def tool(*words: str) -> Callable[[], object]:
    """A whole process, its output thrown away."""
    return lambda: subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def medians(works: dict[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """Medians of figures that are taken in turn."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in works.items():
            found[name].append(work())
    return {name: statistics.median(figures) for name, figures in found.items()}


def times(host: Host, repeat: int, folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of a class histogram, and of the list of JVMs, by name of what took them."""
    process, pid = processes.get(host.pid), str(host.pid)
    out = str(folder / "out")
    histograms: dict[str, Callable[[], object]] = {
        "heapscope, the client": lambda: attach.jcmd(process, "GC.class_histogram"),
        "heapscope collect": tool(*COMMAND, "collect", pid, "--kind", "histogram", "-o", out),
        "jcmd": tool("jcmd", pid, "GC.class_histogram"),
        "jmap": tool("jmap", "-histo:live", pid),
    }
    if shutil.which("jattach"):
        histograms["jattach"] = tool("jattach", pid, "jcmd", "GC.class_histogram")
    lists = {
        "heapscope, the function": processes.find,
        "heapscope ps": tool(*COMMAND, "ps"),
        "jcmd -l": tool("jcmd", "-l"),
        "jps": tool("jps"),
    }
    timed = [
        medians({name: partial(seconds_of, work) for name, work in works.items()}, repeat)
        for works in (histograms, lists)
    ]
    return timed[0], timed[1]


def stalls(host: Host, repeat: int, folder: Path) -> dict[str, float]:
    """The worst stall in seconds, by what was done."""
    process = processes.get(host.pid)
    truth = folder / "jcmd.hprof"

    def stall(work: Callable[[], object]) -> float:
        time.sleep(0.2)
        host.worst_stall()
        work()
        time.sleep(0.1)  # the ticker has to wake up before it can tell
        found = host.worst_stall() / 1000
        for path in folder.rglob("*.hprof*"):
            path.unlink()
        return found

    works: dict[str, Callable[[], object]] = {
        "class histogram, live": lambda: attach.jcmd(process, "GC.class_histogram"),
        "class histogram, all": lambda: attach.jcmd(process, "GC.class_histogram -all"),
        "dump, streamed": lambda: collect(process, folder / "out", max_pause_seconds=LONG),
        "dump, streamed, 8 MiB buffer": lambda: collect(
            process, folder / "out", max_pause_seconds=LONG, buffer_bytes=8 << 20
        ),
        "dump, streamed, --redact": lambda: collect(
            process, folder / "out", max_pause_seconds=LONG, through=Filter(REDACTOR)
        ),
        "dump, file, then packed": lambda: collect(
            process, folder / "out", stream=False, max_pause_seconds=LONG
        ),
        "jcmd GC.heap_dump": tool("jcmd", str(host.pid), "GC.heap_dump", str(truth)),
        "jcmd GC.heap_dump -gz=1": tool("jcmd", str(host.pid), "GC.heap_dump", "-gz=1", str(truth)),
    }
    return medians({name: partial(stall, work) for name, work in works.items()}, repeat)


def pauses(host: Host, repeat: int, folder: Path) -> dict[str, dict[str, float]]:
    """A streamed dump and ``jcmd`` in alternating pairs: medians of the worst stall, and of the JVM's
    processor.

    On a machine with other work the first is mostly waiting for a processor, the second is not.
    """
    process = processes.get(host.pid)
    ways: dict[str, Callable[[], object]] = {
        "dump, streamed": lambda: collect(process, folder / "out", max_pause_seconds=LONG),
        "jcmd GC.heap_dump": tool("jcmd", str(host.pid), "GC.heap_dump", str(folder / "jcmd.hprof")),
    }
    found: dict[str, dict[str, list[float]]] = {"worst stall": {}, "processor of the JVM": {}}
    for _ in range(repeat):
        for name, work in ways.items():
            time.sleep(0.2)
            host.worst_stall()
            before = processor_seconds(host.pid)
            work()
            time.sleep(0.1)
            for title, figure in zip(
                found, (host.worst_stall() / 1000, processor_seconds(host.pid) - before), strict=True
            ):
                found[title].setdefault(name, []).append(figure)
            for path in folder.rglob("*.hprof*"):
                path.unlink()
    return {
        title: {name: statistics.median(figures) for name, figures in ways.items()}
        for title, ways in found.items()
    }


def processor_seconds(pid: int) -> float:
    """What a process has used so far, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(title: str, figures: dict[str, float], against: str) -> None:
    """A table with ratios."""
    lines = [title]
    lines += [
        f"  {name:28} {value:8.3f} s  {value / figures[against]:6.2f} x {against}"
        for name, value in figures.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def measure(jdk: Jdk, megabytes: int, repeat: int, *, only_pauses: bool = False) -> None:
    """All of one JDK."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as name,
        java_host(jdk, megabytes, *OPTIONS, f"-Xmx{max(1024, 2 * megabytes)}m") as host,
    ):
        folder = Path(name)
        facts = collect(processes.get(host.pid), folder / "out", max_pause_seconds=LONG).facts
        sys.stdout.write(
            f"JDK {jdk.version}, G1, {megabytes} MB of small objects, "
            f"dump {facts['dump_bytes'] / 1e6:.0f} MB, packed {facts['file_bytes'] / 1e6:.0f} MB\n"
        )
        if only_pauses:
            for title, figures in pauses(host, repeat, folder).items():
                show(f"{title}, medians of {repeat} alternating pairs", figures, "jcmd GC.heap_dump")
            return
        histograms, lists = times(host, repeat, folder)
        show("time of a class histogram", histograms, "jcmd")
        show("time of the list of JVMs", lists, "jcmd -l")
        show("worst stall of a 10 ms ticker", stalls(host, repeat, folder), "jcmd GC.heap_dump")


def main() -> None:
    """All JDKs that are found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--release", type=int, help="of one JDK only: 25")
    parser.add_argument("--pauses", action="store_true", help="only a streamed dump against jcmd's, in pairs")
    parser.add_argument("--matrix", action="store_true", help="faults and hosts instead of times")
    parser.add_argument("--targets", metavar="REGEX", default="", help="of the matrix: only targets so named")
    options = parser.parse_args()
    jdks = [jdk for release, jdk in find_jdks().items() if options.release in (None, release)]
    if options.matrix:
        sys.exit(1 if matrix.run(jdks, options.megabytes, options.targets) else 0)
    for jdk in jdks:
        measure(jdk, options.megabytes, options.repeat, only_pauses=options.pauses)


if __name__ == "__main__":
    main()
