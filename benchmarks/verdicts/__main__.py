"""``python -m benchmarks.verdicts``: run the programs, ask heapscope, print the table of verdicts.

::

    python -m benchmarks.verdicts                         # all programs on JDK 17 and 25
    python -m benchmarks.verdicts --quick                 # a few programs on JDK 17, few views
    python -m benchmarks.verdicts --only queue --jdk 17   # one program
    python -m benchmarks.verdicts --keep build/verdicts   # dumps are taken once; then only the answers anew

The exit code is 1 where a goal is not reached.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

from benchmarks.verdicts.answers import (
    Reading,
    ask,
    contradictions_of_report,
    failure,
    read_check,
    read_diagnosis,
    read_growth,
    read_suspects,
    wrong_limits,
)
from benchmarks.verdicts.cases import CASES, HEALTHY, QUICK, Case
from benchmarks.verdicts.judging import (
    DIAGNOSED,
    GARBAGE,
    RIGHT,
    SUSPECTS,
    TEXTS,
    Goal,
    Row,
    goals,
    judge,
    judge_cure,
)
from benchmarks.verdicts.open_heaps import forget_heaps, share_heaps
from benchmarks.verdicts.runs import (
    AGAIN,
    BEFORE,
    FIXED,
    HEAP_BYTES,
    IDLE,
    Classes,
    Shot,
    compile_programs,
    take_run,
)
from tests.support.jvm import Jdk, find_jdks

BUILD = Path(__file__).parents[2] / "build"
RELEASES = (17, 25)
# Which of the eight steps a view has: one dump is the last, two are far apart.
STEPS_OF = {"1": (8,), "2": (4, 8), "4": (2, 4, 6, 8), "8": tuple(range(1, 9))}


def _dumps(shots: Sequence[Shot], count: str) -> list[Path]:
    return [shots[step - 1].dump for step in STEPS_OF[count]]


def _texts(shots: Sequence[Shot]) -> list[Path]:
    return [shot.text for shot in shots]


def seen(
    case: Case, jdk: int, shots: Sequence[Shot], classes: Classes, work: Path, *, quick: bool
) -> Iterator[Row]:
    """What is said of the process itself, as one dump, as more, and as class histograms."""
    last = ask("suspects", *_dumps(shots, "1"), "--json")
    yield judge(case, jdk, SUSPECTS, read_suspects(last, classes.names))
    for count in ("1", "4") if quick else DIAGNOSED:
        yield judge(case, jdk, DIAGNOSED[count], _diagnosed(_dumps(shots, count), classes, work, count))
    if case.has_texts:
        yield judge(case, jdk, TEXTS, _diagnosed(_texts(shots), classes, work, "8"))


def _diagnosed(files: Sequence[Path], classes: Classes, work: Path, count: str) -> Reading:
    """The diagnosis, the dates that the forecast has, and whether the report agrees with itself."""
    reading = read_diagnosis(ask("diagnose", *files, "--json"), classes.names)
    if len(files) > 1:
        grown = ask("growth", *files, "--json")
        deaths, mistakes = (*reading.deaths, *read_growth(grown)), wrong_limits(grown, HEAP_BYTES)
        mistakes = mistakes if grown.document else (failure(grown),)
        reading = replace(reading, deaths=deaths, mistakes=mistakes)
    if count == "8":
        page = work / "report.json"
        report = ask("report", *files, "-o", page, document=page)
        more = contradictions_of_report(report.document) if report.document else [failure(report)]
        reading = replace(reading, contradictions=tuple(dict.fromkeys((*reading.contradictions, *more))))
    return reading


def cured(case: Case, jdk: int, runs: dict[str, list[Shot]], *, quick: bool) -> Iterator[Row]:
    """What is said of runs after the leak: with its cure, without it, and idle."""
    for run in (FIXED, AGAIN, IDLE):
        texts = (TEXTS,) if case.has_texts else ()
        garbage = (GARBAGE,) if case.live else ()
        for view in ("4",) if quick else ("4", "8", *garbage, *texts):
            before, after = (
                _texts(shots) if view == TEXTS else _dumps(shots, "4" if view == GARBAGE else view)
                for shots in (runs[BEFORE], runs[run])
            )
            if view == GARBAGE:
                after = [runs[run][step - 1].everything for step in STEPS_OF["4"]]
            answer = ask("check", *before, "--against", *after, "--json")
            yield judge_cure(case, jdk, run, DIAGNOSED.get(view, view), read_check(answer))
        forget_heaps(dump for shot in runs[run] for dump in (shot.dump, shot.everything) if dump.is_file())


def measure(
    case: Case, jdk: Jdk, classes: Classes, folder: Path, work: Path, *, quick: bool
) -> Iterator[Row]:
    """All rows of a program on a JDK; its dumps go to ``folder``, what else is written to ``work``."""
    wanted = (BEFORE,) if case.kind == HEALTHY else (BEFORE, FIXED, AGAIN, IDLE)
    runs = {run: take_run(case, jdk, run, classes, folder / run) for run in wanted}
    yield from seen(case, jdk.release, runs[BEFORE], classes, work, quick=quick)
    if case.kind != HEALTHY:
        yield from cured(case, jdk.release, runs, quick=quick)


def line_of(row: Row) -> str:
    """A row of the table."""
    named = row.reading.first_owner or row.reading.class_name
    said = row.reading.verdict if not row.reading.known else f"{row.reading.verdict} ({row.reading.known})"
    text = f"{row.program:20} {row.jdk:>3} {row.view:18} {said:34} {named:58.58} {row.outcome}"
    return f"{text}: {row.why}" if row.why else text


HEADING = f"{'program':20} {'JDK':>3} {'seen as':18} {'verdict':34} {'named first':58} right or wrong"


def as_json(rows: Sequence[Row], reached: Sequence[Goal]) -> str:
    """Rows and totals, whole."""
    return json.dumps(
        {"rows": [asdict(row) for row in rows], "goals": [asdict(goal) for goal in reached]}, indent=1
    )


def main() -> int:
    """Run what is asked for, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verdicts",
        description="Verdicts of heapscope on real programs, against the truth.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all rows and totals there")
    parser.add_argument("--only", action="append", metavar="PROGRAM", help="repeatable; see --list")
    parser.add_argument("--jdk", type=int, action="append", metavar="RELEASE", help="17 or 25; repeatable")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR",
        help="keep dumps there (6 GB a JDK), and use those that are there; else each program's are removed",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a few programs on JDK 17, seen in few ways")
    parser.add_argument("--wrong", action="store_true", help="print only rows that are not right")
    parser.add_argument("--list", action="store_true", help="print the programs and end")
    options = parser.parse_args()
    if options.list:
        for case in CASES:
            print(f"{case.name:20} {case.kind:13} {case.what}")
        return 0
    names = options.only or (QUICK if options.quick else [case.name for case in CASES])
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}; see --list")
    jdks = find_jdks()
    releases = options.jdk or ([17] if options.quick else [each for each in RELEASES if each in jdks])
    if not releases or not set(releases) <= set(jdks):
        parser.error(f"JDK {releases or RELEASES} is not installed; there are {sorted(jdks)}")
    began = time.monotonic()
    cases = [case for case in CASES if case.name in names]
    rows: list[Row] = []
    print(HEADING)
    # Of this execution alone, so that two may use the same kept dumps at a time.
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="verdicts-", dir=BUILD) as scratch:
        work = Path(scratch)
        os.environ["HEAPSCOPE_INDEX_DIR"] = str(work / "indexes")
        classes = compile_programs(work / "classes")
        share_heaps()
        for case, release in product(cases, releases):
            folder = (options.keep or work) / f"jdk{release}" / case.name
            for row in measure(case, jdks[release], classes, folder, work, quick=options.quick):
                rows.append(row)
                if row.outcome != RIGHT or not options.wrong:
                    print(line_of(row), flush=True)
            forget_heaps()
            if options.keep is None:
                shutil.rmtree(folder)
    reached = goals(rows)
    print(f"\n{len(rows)} answers in {time.monotonic() - began:.0f} s")
    for goal in reached:
        print(f"{'  ' if goal.is_reached else '! '}{goal}")
    if options.json:
        options.json.write_text(as_json(rows, reached) + "\n")
    return 0 if all(goal.is_reached for goal in reached) else 1


if __name__ == "__main__":
    sys.exit(main())
