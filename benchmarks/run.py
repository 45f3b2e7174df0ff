"""Ratios against peers, measured in one run on one machine.

::

    make benchmark                                   # or: python -m benchmarks.run --scale 0.25

The dump (about 2 GB, 33 million objects at scale 1) is made once, in ``build/bench``.  Every command
is timed as a whole process, page cache warm, in turn with ``cat`` of the same file, several
times; the medians and their ratio are printed.  Peers take part where they are installed, in turn with
heapscope, see `benchmarks.peers`: time, processor time and memory, with versions and commands.

``--graph`` measures what follows references: index, dominators, retained sizes and suspects from
nothing, the same from the index, one retained set; at three sizes, to show how it grows; and under a
limit of memory below the size of the dump, where a cgroup can be made.

``--large`` makes a dump of 12 GB with 200 million objects, which wants 13 GB of memory for the JVM and
20 GB of disk, runs `suspects` on it from nothing, free and with 8 GB of memory in all, and removes it.

``--commands`` measures every command that reads a dump, from the index where it follows references: wall
clock, processor time of user and system, the most anonymous memory.  What takes longer than 15 s of processor
time or more than 1.3 GB at scale 1 is marked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.make_dump import ROOT, make_dump
from benchmarks.peers import COUNTS, SIZES, Contender, contenders

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SMALL_SCALE = 0.05
LARGE_SCALE = 6
LARGE_LIMIT_BYTES = 8_000_000_000


# No command takes more than this of the dump of scale 1.
MOST_PROCESSOR_SECONDS = 15.0
MOST_ANONYMOUS_BYTES = 1_300_000_000
# Of each command that reads a dump what follows the dump; {out} is a folder.
COMMANDS = (
    ("histogram",),
    ("histogram", "--as-jvm"),
    ("histogram", "--retained"),
    ("info",),
    ("census", "--class", "java.util.HashMap"),
    ("suspects",),
    ("suspects", "--waste"),
    ("suspects", "--no-index"),
    ("dominators",),
    ("dominators", "--by", "class"),
    ("retained", "java.lang.String"),
    ("paths", "java.lang.String"),
    ("referrers", "java.lang.String"),
    ("objects", "java.lang.String", "--top", "20"),  # as a terminal shows; all are 5.8 million lines
    ("inspect", "{address}"),
    ("threads",),
    ("diagnose",),
    ("sql", "select class_name, count(*) from objects group by 1 order by 2 desc limit 3"),
    ("sql", "select count(*) from strings"),
    ("growth", "{dump}", "--by", "path", "--force-series"),
    ("check", "--max", "java.util.HashMap <= 0"),
    ("export", "--to", "folded", "-o", "{out}/heap.folded"),
    ("report", "-o", "{out}/report.html"),
    ("redact", "{out}/redacted.hprof"),
)
WITHOUT_INDEX = frozenset({"histogram", "info", "redact"})  # of its commands those that keep none


@dataclass(frozen=True)
class Run:
    """One process: how long, and the largest anonymous memory seen (mapped files are not its own)."""

    seconds: float
    anonymous_bytes: int
    user_seconds: float = 0.0
    system_seconds: float = 0.0


def run(command: list[str], fine: tuple[int, ...] = (0,)) -> Run:
    """Run a command to its end, its output thrown away.

    Parameters
    ----------
    fine : tuple of int
        Exit codes that are no failure.

    Raises
    ------
    SystemExit
        If it fails.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        peak = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, anonymous_bytes(process.pid))
            time.sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if process.returncode not in fine:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
    return Run(seconds, peak, usage.ru_utime, usage.ru_stime)


def timed(command: list[str]) -> float:
    """Seconds of one run that nothing watches."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def anonymous_bytes(pid: int) -> int:
    """Anonymous resident memory of a process and what it started, 0 where the system does not tell."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, ValueError):
        return 0
    own = (int(resident) - int(shared)) * PAGE_BYTES
    return own + sum(anonymous_bytes(int(child)) for child in children)


def compare(name: str, command: list[str], baseline: list[str], rounds: int) -> tuple[float, float]:
    """Print and return the medians of a command and its baseline, run in turn."""
    timed(command)
    pairs = [(timed(command), timed(baseline)) for _ in range(rounds)]
    own = statistics.median(pair[0] for pair in pairs)
    base = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
    print(f"{name:<34} {own:7.2f} s   cat {base:6.3f} s   ratio {ratio:6.1f}", flush=True)
    return own, base


def graph(scale: float, rounds: int, jdk: Path | None) -> None:
    """Print the figures of what follows references."""
    for part in (0.025 * scale, 0.25 * scale, scale):
        dump = make_dump(part, ROOT / "build" / "bench", jdk=jdk)[0]
        size = dump.stat().st_size
        print(f"{dump.name}: {size / 1e9:.2f} GB; {os.cpu_count()} cores; {sys.version.split()[0]}")
        folder = Path(tempfile.mkdtemp(prefix="heapscope-bench-"))
        heapscope = [sys.executable, "-m", "heapscope"]
        index = ["--index-dir", str(folder)]
        suspects = [*heapscope, "suspects", str(dump), *index]
        cat = ["cat", str(dump)]

        def anew(command: list[str] = suspects, folder: Path = folder) -> float:
            for path in folder.iterdir():
                path.unlink()
            return timed(command)

        anew()
        pairs = [(anew(), timed(cat)) for _ in range(rounds)]
        own, base = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        print(
            f"  index, dominators, suspects        {own:7.2f} s   cat {base:6.3f} s   "
            f"ratio {own / base:6.1f}   {own / size * 1e9:.2f} s a GB",
            flush=True,
        )
        address = first_address(dump, folder)
        for name, command in (
            ("index: biggest objects", ["dominators", str(dump), *index]),
            ("index: one path", ["paths", str(dump), address, "--count", "1", *index]),
            ("index: suspects", ["suspects", str(dump), *index]),
            ("index: retained set of String", ["retained", str(dump), "java.lang.String", *index]),
        ):
            print(f"  {name:<34} {statistics.median(timed([*heapscope, *command]) for _ in range(3)):7.2f} s")
        for path in folder.iterdir():
            path.unlink()
        peak = run(suspects).anonymous_bytes
        print(f"  peak anonymous memory: {peak / 1e6:.0f} MB")
        if part == scale:
            for path in folder.iterdir():
                path.unlink()
            # Less memory than the dump has bytes.
            limited(int(size * 0.8), [*heapscope, "suspects", str(dump), *index])
        shutil.rmtree(folder)


def race(scale: float, jdk: Path | None, rounds: int = 3) -> None:
    """Print what heapscope and its peers take of the same dump, one after the other, some times over.

    What a peer needs very long for it is given a smaller dump, with heapscope beside it.
    """
    with tempfile.TemporaryDirectory(prefix="heapscope-bench-") as name:
        entrants = contenders(Path(name))
        for part in (scale, SMALL_SCALE * scale):
            dump = make_dump(part, ROOT / "build" / "bench", jdk=jdk)[0]
            size = dump.stat().st_size
            for job in (COUNTS, SIZES):
                fitting = [
                    each
                    for each in entrants
                    if each.job == job and (not each.largest_bytes or size <= each.largest_bytes)
                ]
                is_new = part == scale or any(each.largest_bytes for each in fitting)
                if len(fitting) > 1 and is_new:
                    _race(dump, job, fitting, rounds)


def _race(dump: Path, job: str, entrants: list[Contender], rounds: int) -> None:
    print(f"\n{job} of {dump.name}, {dump.stat().st_size / 1e9:.2f} GB; medians of {rounds} rounds")
    runs: dict[str, list[Run]] = {each.name: [] for each in entrants}
    cats: list[Run] = []
    for _ in range(rounds):
        cats.append(run(["cat", str(dump)]))
        for each in entrants:
            with tempfile.TemporaryDirectory(prefix="heapscope-bench-") as folder:
                runs[each.name].append(run(each.command(dump, Path(folder))))
    cat = statistics.median(each.seconds for each in cats)
    own = entrants[0].name
    base = [statistics.median(figures) for figures in zip(*map(_figures, runs[own]), strict=True)]
    print(f"{'':<30} {'time':>9} {'x cat':>7} {'processor':>10} {'memory':>9}    times what {own} takes")
    for each in entrants:
        seconds, used, memory = (
            statistics.median(figures) for figures in zip(*map(_figures, runs[each.name]), strict=True)
        )
        ratios = (seconds / base[0], used / base[1], memory / base[2])
        print(
            f"{each.name + ' ' + each.version:<30} {seconds:7.2f} s {seconds / cat:7.1f} {used:8.2f} s "
            f"{memory / 1e6:6.0f} MB    {', '.join(f'{ratio:.1f}' for ratio in ratios)}",
            flush=True,
        )
    for each in entrants:
        print(f"  {' '.join(each.command(Path('DUMP'), Path('FOLDER')))}")


def _figures(took: Run) -> tuple[float, float, int]:
    return took.seconds, took.user_seconds + took.system_seconds, took.anonymous_bytes


def commands(scale: float, jdk: Path | None) -> None:
    """Print what each command takes of one dump."""
    dump = make_dump(scale, ROOT / "build" / "bench", jdk=jdk)[0]
    print(
        f"{dump.name}: {dump.stat().st_size / 1e9:.2f} GB; {os.cpu_count()} cores; {sys.version.split()[0]}"
    )
    print(f"{'command':<44} {'wall':>8} {'user':>8} {'system':>8} {'anonymous':>10}")
    with tempfile.TemporaryDirectory(prefix="heapscope-bench-") as name:
        folder = Path(name)
        index = ["--index-dir", str(folder / "index")]
        values = {"address": first_address(dump, folder / "index"), "dump": str(dump), "out": str(folder)}
        for command, *rest in COMMANDS:
            words = [each if " " in each else each.format(**values) for each in rest]
            keeps_index = command not in WITHOUT_INDEX and "--no-index" not in rest
            before = [sys.executable, "-m", "heapscope", command, str(dump)]
            # A check that finds something has done its work.
            took = run([*before, *words, *(index if keeps_index else ())], fine=(0, 1))
            used = took.user_seconds + took.system_seconds
            is_much = used > MOST_PROCESSOR_SECONDS * scale or took.anonymous_bytes > (
                MOST_ANONYMOUS_BYTES * max(1.0, scale)
            )
            shown = " ".join([command, *rest])
            print(
                f"{shown[:44]:<44} {took.seconds:6.1f} s {took.user_seconds:6.1f} s "
                f"{took.system_seconds:6.1f} s {took.anonymous_bytes / 1e6:7.0f} MB"
                f"{'   more than it should' if is_much else ''}",
                flush=True,
            )


def large(jdk: Path | None) -> None:
    """Print what the suspects of a dump take that is larger than the memory they may have."""
    where = ROOT / "build" / "bench"
    dump = where / f"heap-{LARGE_SCALE}.hprof"
    is_ours = not dump.exists()
    where.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="heapscope-bench-", dir=where) as folder:
        try:
            # Live objects are 8 GB; the collector of the server kind needs least room beside them.
            make_dump(LARGE_SCALE, where, jdk=jdk, jvm_options=("-Xmx11500m", "-XX:+UseParallelGC"))
            size = dump.stat().st_size
            print(f"{dump.name}: {size / 1e9:.1f} GB; {os.cpu_count()} cores; {sys.version.split()[0]}")
            command = [sys.executable, "-m", "heapscope", "suspects", str(dump), "--index-dir", folder]
            took = run(command)
            print(
                f"  index, dominators, suspects  {took.seconds:.1f} s, processor {took.user_seconds:.1f} + "
                f"{took.system_seconds:.1f} s, anonymous {took.anonymous_bytes / 1e9:.2f} GB",
                flush=True,
            )
            for path in Path(folder).iterdir():
                path.unlink()
            limited(LARGE_LIMIT_BYTES, command)
        finally:
            if is_ours:
                dump.unlink(missing_ok=True)
                dump.with_suffix(".histogram.txt").unlink(missing_ok=True)


def first_address(dump: Path, folder: Path) -> str:
    """Address of the object that retains most."""
    command = [sys.executable, "-m", "heapscope", "dominators", str(dump), "--json", "--top", "1"]
    out = subprocess.run([*command, "--index-dir", str(folder)], capture_output=True, check=True).stdout
    found: str = json.loads(out)["rows"][0]["address"]
    return found


def limited(limit: int, command: list[str]) -> None:
    """A command with so many bytes of memory, file pages included; where root may make cgroups."""
    versions = (
        # folder, files: limit, swap, peak
        (
            Path("/sys/fs/cgroup/memory"),
            "memory.limit_in_bytes",
            "memory.swappiness",
            "memory.max_usage_in_bytes",
        ),
        (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max", "memory.peak"),
    )
    for parent, limit_file, swap_file, peak_file in versions:
        if not (parent / "cgroup.procs").exists():
            continue
        group = parent / "heapscope-bench"
        try:
            group.mkdir()
            (group / limit_file).write_text(str(limit))
            (group / swap_file).write_text("0")
            inside = f'echo $$ > {group}/cgroup.procs; exec "$@"'
            seconds = timed(["sh", "-c", inside, "sh", *command])
            peak = int((group / peak_file).read_text())
            print(f"  with {limit / 1e9:.2f} GB of memory in all: {seconds:.2f} s, peak {peak / 1e9:.2f} GB")
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"  with {limit / 1e9:.2f} GB of memory in all: {error}")
        finally:
            if group.exists():
                group.rmdir()
        return
    print("  no memory cgroup can be made here, so no limit was tried")


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description="heapscope against cat and its peers")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 2 GB (default)")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each command (default 7)")
    parser.add_argument("--jdk", type=Path, help="home of the JDK that makes the dump")
    parser.add_argument("--graph", action="store_true", help="what follows references, in place of counts")
    parser.add_argument("--commands", action="store_true", help="every command that reads a dump")
    parser.add_argument("--large", action="store_true", help="a dump of 12 GB, with 8 GB of memory")
    options = parser.parse_args()

    if options.large:
        large(options.jdk)
        return
    if options.commands:
        commands(options.scale, options.jdk)
        return
    if options.graph:
        graph(options.scale, options.rounds, options.jdk)
        return
    dump, _, packed = make_dump(options.scale, ROOT / "build" / "bench", jdk=options.jdk, gz=True)
    histogram = [sys.executable, "-m", "heapscope", "histogram"]
    size = dump.stat().st_size
    print(f"{dump.name}: {size / 1e9:.2f} GB; {os.cpu_count()} cores; {sys.version.split()[0]}\n")

    compare("heapscope histogram", [*histogram, str(dump)], ["cat", str(dump)], options.rounds)
    seconds, _ = compare("heapscope histogram, JDK gzip", [*histogram, str(packed)], ["cat", str(dump)], 3)
    print(f"\nJDK gzip: {size / seconds / 1e6:.0f} MB of dump a second")
    for name, path in (("plain", dump), ("gzip", packed)):
        peak = run([*histogram, str(path)]).anonymous_bytes
        print(f"peak anonymous memory, {name}: {peak / 1e6:.0f} MB")
    race(options.scale, options.jdk)


if __name__ == "__main__":
    main()
