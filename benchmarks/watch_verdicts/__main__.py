"""``python -m benchmarks.watch_verdicts``: real programs grow, and ``heapscope watch`` says how.

::

    python -m benchmarks.watch_verdicts                     # JDK 17 and 25, a quarter of an hour each
    python -m benchmarks.watch_verdicts --minutes 2 --jdk 17
    python -m benchmarks.watch_verdicts --keep build/watched   # the next time only the verdicts are new

Each kind of growth is a program of its own, with native memory tracking and without, alone, with another
kind, and levelled off after a quarter of the time; all are watched side by side.  Where the machine has swap
and the user is root, some have their memory swapped out again and again.  What is said is judged after a
minute, after four and at the end.  The exit code is 1 where something wrong was said with confidence high.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.watch_verdicts import host, swapping
from heapscope.analysis.memory.samples import read_samples, watched_processes
from heapscope.analysis.memory.verdict import MemoryVerdict
from heapscope.collector.processes import get
from heapscope.collector.sample_file import SampleFile
from heapscope.collector.watch import Watch, key_of
from heapscope.units import format_duration
from tests.support.jvm import Jdk, find_javac, find_jdks

RELEASES = (17, 25)
HERE = Path(__file__).parent
TRACKED = ("-XX:NativeMemoryTracking=summary", "-XX:+StartAttachListener")
STEP_SECONDS = 10.0
CHECKS = (60.0, 240.0)
# What a program does, and the causes that may be named for it: any one of a set is right.
NATIVE = {"malloc", "malloc arenas", "native malloc", "direct buffers"}
TRUTH: dict[str, set[str]] = {
    "heap": {"java heap", "java heap or garbage"},
    "garbage": {"garbage", "java heap or garbage"},
    "classes": {"class loaders"},
    "direct": {"direct buffers"},
    "unsafe": {"direct buffers"},
    "threads": {"threads"},
    "malloc": {"native malloc"},
    "arenas": {"malloc arenas"},
    "fragments": {"malloc arenas"},
    "metaspace": {"class loaders"},
    "code": {"native memory"},
    "files": {"mapped files"},
    "shared": {"shared memory"},
    "mmap": {"native memory"},
    # Small objects lie in mappings of Python's own, larger ones in malloc's main arena.
    "python": {"native memory", "native malloc"},
}
# Without tracking, kinds of native memory look alike: named together, and never with confidence high.
_ALIKE = ("direct", "unsafe", "malloc", "arenas", "fragments", "mmap", "code", "python")
UNTRACKED = {kind: TRUTH[kind] | NATIVE for kind in _ALIKE}
# The code cache is compiled with one compiler, of methods that no other class inlines.
COMPILES = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")


@dataclass(frozen=True, slots=True)
class Program:
    """One program: what grows in it, where, and for how long."""

    kinds: str
    is_tracked: bool = True
    is_host: bool = False
    levels_off: bool = False
    is_swapped: bool = False
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``heap+direct, levels off``."""
        words = [self.kinds or "nothing"]
        words += ["in Python"] * self.is_host + ["untracked"] * (not self.is_tracked)
        words += [option.removeprefix("-XX:+Use") for option in self.options if option.startswith("-XX:+Use")]
        return ", ".join(words + ["swapped"] * self.is_swapped + ["levels off"] * self.levels_off)

    @property
    def truth(self) -> list[set[str]]:
        """For each thing that grows, the causes that are right."""
        kinds = [kind for kind in self.kinds.split("+") if kind in TRUTH]
        return [TRUTH[kind] if self.is_tracked else UNTRACKED.get(kind, TRUTH[kind]) for kind in kinds]


JAVA = ("heap+collect", "garbage+collect", "classes", "direct", "unsafe", "threads", "metaspace", "files")
HOSTED = ("malloc", "arenas", "fragments", "mmap", "python")
PAIRS = (
    "heap+direct+collect",
    "heap+threads+collect",
    "heap+classes+collect",
    "direct+threads",
    "classes+unsafe",
)
PROGRAMS = (
    Program("nothing"),
    Program("nothing", is_host=True),
    Program("collect"),
    *(Program(kinds) for kinds in JAVA),
    *(Program(kinds, levels_off=True) for kinds in JAVA),
    Program("heap"),
    Program("heap", options=("-XX:+UseSerialGC",)),
    Program("heap+collect", options=("-XX:+UseZGC",)),
    Program("garbage"),
    *(Program(kinds, is_tracked=False) for kinds in ("direct", "unsafe")),
    *(Program(kinds) for kinds in PAIRS),
    Program("heap+direct+collect", levels_off=True),
    Program("heap+unsafe+collect", is_tracked=False),
    Program("heap+files+collect"),
    *(Program("code", is_tracked=is_tracked, options=COMPILES) for is_tracked in (True, False)),
    Program("code", levels_off=True, options=COMPILES),
    Program("collect", is_swapped=True),
    Program("nothing", is_host=True, is_swapped=True),
    Program("heap", is_swapped=True),
    Program("heap+collect", is_swapped=True),
    Program("direct", is_swapped=True),
    Program("malloc", is_host=True, is_swapped=True),
    Program("shared", is_host=True),
    Program("shared", is_host=True, levels_off=True),
    *(Program(kinds, is_host=True) for kinds in HOSTED),
    *(Program(kinds, is_host=True, is_tracked=False) for kinds in HOSTED),
    *(Program(kinds, is_host=True, levels_off=True) for kinds in ("malloc", "arenas", "mmap")),
    Program("heap+malloc+collect", is_host=True),
    Program("direct+malloc", is_host=True),
)


def compiled_source() -> str:
    """A class whose methods make about 1.5 MB of machine code: calls that are not inlined, many of them."""
    calls = "        a = f(a);\n" * 1500
    methods = "".join(f"    static int m{n}(int a) {{\n{calls}        return a;\n    }}\n" for n in range(12))
    runs = "".join(f"            m{n}(i);\n" for n in range(12))
    body = "        a = a * 31 + (a >> 3);\n" * 40
    first = f"    static int f(int a) {{\n{body}        return a;\n    }}\n"
    loop = f"        for (int i = 0; i < 300; i++) {{\n{runs}        }}\n"
    run = f"    public static void run() {{\n{loop}    }}\n"
    return f"public class Compiled {{\n{first}{methods}{run}}}\n"


@contextmanager
def running(program: Program, jdk: Jdk, classes: Path) -> Iterator[subprocess.Popen[str]]:
    """The program, ready to grow."""
    options = ["-Xmx1g", *program.options, *(TRACKED if program.is_tracked else ())]
    if program.is_host:
        libjvm = jdk.home / "lib/server/libjvm.so"
        command = [sys.executable, host.__file__, str(libjvm), str(classes), program.kinds, *options]
    else:
        command = [str(jdk.home / "bin/java"), *options, "-cp", str(classes), "Watched", program.kinds]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", program
        yield process
    finally:
        process.kill()
        process.communicate()


def said(verdict: MemoryVerdict) -> str:
    """What a verdict says, in a cell."""
    growers = [
        grower.cause + ("" if grower.state in ("grows", "flat") else f" ({grower.state})")
        for grower in verdict.growers
    ]
    return ", ".join(growers)


def is_wrong(program: Program, verdict: MemoryVerdict, *, right: bool) -> bool:
    """Whether something wrong was said with confidence high: of all together, or of one thing that grew."""
    surely = {grower.cause for grower in verdict.growers if grower.confidence == "high"}
    if program.truth:
        surely -= {"garbage", "steady", *set().union(*program.truth)}
        return bool(surely) or (verdict.confidence == "high" and not right)
    return bool(surely - {"steady", "garbage"})


def is_right(program: Program, verdict: MemoryVerdict, has_ended: bool) -> bool:
    """Whether all that grew is named, and nothing else, and whether it goes on."""
    # Every program makes garbage, in a heap that it has not touched in full: that this may be is never wrong.
    benign = ("steady", "too early", "garbage", "java heap or garbage", "mapped files")
    named = set().union(*program.truth)
    told = [each for each in verdict.growers if each.cause not in benign or each.cause in named]
    causes = [each.cause for each in told]
    truth = [right for right in program.truth if "garbage" not in right]
    if not truth:
        return not causes or "garbage" in program.kinds
    names_all = all(any(cause in right for cause in causes) for right in truth)
    names_no_other = all(any(cause in right for right in truth) for cause in causes)
    states = {each.state for each in told}
    return names_all and names_no_other and (not has_ended or "grows" not in states)


def watch(jdk: Jdk, programs: Sequence[Program], classes: Path, minutes: float, output: Path) -> None:
    """Run all programs of one JDK side by side, and write their samples; names by pid go beside them."""
    span = 60 * minutes
    with ExitStack() as stack:
        started = [stack.enter_context(running(program, jdk, classes)) for program in programs]
        keys = [key_of(get(process.pid)) for process in started]
        names = {key[0]: number for key, number in zip(keys, map(PROGRAMS.index, programs), strict=True)}
        output.with_suffix(".json").write_text(json.dumps(names))
        watcher, file = Watch([process.pid for process in started]), SampleFile(output)
        stack.callback(watcher.close)
        stack.callback(file.close)
        begun = time.monotonic()
        elapsed = 0.0
        while elapsed < span:
            elapsed = time.monotonic() - begun
            for program, process in zip(programs, started, strict=True):
                assert process.stdin is not None
                process.stdin.write("rest\n" if program.levels_off and elapsed > span / 4 else "grow\n")
                process.stdin.flush()
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == "grown\n"
            for program, process in zip(programs, started, strict=True):
                if program.is_swapped:
                    swapping.page_out(process.pid)
            file.append(watcher.sample())
            time.sleep(max(0.0, STEP_SECONDS - (time.monotonic() - begun) % STEP_SECONDS))


def rows_of(release: int, samples: Path) -> Iterator[tuple[str, ...]]:
    """Rows of the table: what is said of the samples up to each check."""
    programs = {
        int(pid): PROGRAMS[at] for pid, at in json.loads(samples.with_suffix(".json").read_text()).items()
    }
    table = read_samples(samples)
    begun = table["captured_at"].min()
    passed = (table["captured_at"] - begun).dt.total_seconds()
    span = float(passed.max())
    for check in [*(check for check in CHECKS if check < span), span]:
        for process in watched_processes(table[passed <= check]):
            program, verdict = programs[process.pid], process.verdict()
            # Just after the turn it cannot be known yet.
            right = is_right(program, verdict, program.levels_off and check == span)
            is_sure = is_wrong(program, verdict, right=right)
            mark = "WRONG" if is_sure else "right" if right else "unsure"
            after = format_duration(round(check))
            confidence = ", ".join(dict.fromkeys(grower.confidence for grower in verdict.growers))
            yield f"{release}", after, program.name, said(verdict), confidence, mark


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15.0, help="how long each JDK is watched")
    parser.add_argument("--jdk", type=int, action="append", choices=RELEASES)
    parser.add_argument("--only", metavar="WORD", default="", help="programs with this word in their names")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where samples are kept, and looked for")
    options = parser.parse_args()
    has_swap = swapping.is_possible()
    programs = [p for p in PROGRAMS if options.only in p.name and (has_swap or not p.is_swapped)]
    if not has_swap:
        print("no swap, or not root: programs whose memory is swapped out are left out")
    compiler = find_javac()
    assert compiler is not None, "no javac"
    rows: list[tuple[str, ...]] = [("JDK", "after", "program", "said", "confidence", "")]
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "Compiled.java"
        large.write_text(compiled_source())
        sources = [str(HERE / "Watched.java"), str(large)]
        subprocess.run([compiler, "--release", "17", "-nowarn", "-d", folder, *sources], check=True)
        for release in options.jdk or RELEASES:
            samples = (options.keep or Path(folder)) / f"jdk{release}.csv"
            samples.parent.mkdir(parents=True, exist_ok=True)
            if not samples.exists():
                watch(find_jdks()[release], programs, Path(folder), options.minutes, samples)
            rows += rows_of(release, samples)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    marks = [row[-1] for row in rows[1:]]
    high = sum("high" in row[-2] for row in rows[1:])
    print(
        f"\n{len(marks)} verdicts, {high} with something of confidence high: {marks.count('right')} right, "
        f"{marks.count('unsure')} wrong or incomplete and not sure, {marks.count('WRONG')} wrong and sure"
    )
    sys.exit(1 if "WRONG" in marks else 0)


if __name__ == "__main__":
    main()
