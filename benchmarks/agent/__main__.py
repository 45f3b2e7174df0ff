"""``python -m benchmarks.agent``: run the incidents, let the script ask, print what it came to.

::

    python -m benchmarks.agent                        # all incidents on JDK 17 and 25
    python -m benchmarks.agent --only queue --jdk 17
    python -m benchmarks.agent --keep build/verdicts  # dumps of `python -m benchmarks.verdicts --keep` serve

The exit code is 1 where a cause is not found.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import anyio

from benchmarks.agent.incidents import INCIDENTS, mistakes
from benchmarks.agent.script import investigate
from benchmarks.verdicts.cases import CASES, HEALTHY
from benchmarks.verdicts.runs import BEFORE, compile_programs, take_run
from tests.support.jvm import find_jdks

BUILD = Path(__file__).parents[2] / "build"


def main() -> int:
    """Run what is asked for, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agent", description="Whether answers lead to the cause of an incident."
    )
    parser.add_argument("--only", action="append", metavar="PROGRAM", help="repeatable")
    parser.add_argument("--jdk", type=int, action="append", metavar="RELEASE", help="17 or 25; repeatable")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep dumps there, and use those there are")
    options = parser.parse_args()
    cases = {case.name: case for case in CASES}
    chosen = [each for each in INCIDENTS if not options.only or each.program in options.only]
    if not chosen:
        parser.error(f"no such incident; there are {', '.join(each.program for each in INCIDENTS)}")
    jdks = find_jdks()
    wrong = 0
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="agent-", dir=BUILD) as scratch:
        work = Path(scratch)
        classes = compile_programs(work / "classes")
        for release in options.jdk or [each for each in (17, 25) if each in jdks]:
            for incident in chosen:
                case = cases[incident.program]
                folder = (options.keep or work) / f"jdk{release}" / case.name / BEFORE
                shots = take_run(case, jdks[release], BEFORE, classes, folder)
                began = time.monotonic()
                outcome = anyio.run(
                    investigate,
                    [shots[step - 1].dump for step in incident.steps],
                    {"HEAPSCOPE_INDEX_DIR": str(work / "indexes")},
                )
                found = mistakes(
                    outcome,
                    known=case.known,
                    owner=case.owner,
                    classes=case.classes,
                    is_leak=case.kind != HEALTHY,
                )
                wrong += bool(found)
                print(
                    f"{case.name:16} {release} {len(incident.steps)} dumps  {outcome.calls} calls "
                    f"{outcome.byte_count:>6,} bytes {time.monotonic() - began:5.1f} s  "
                    f"{outcome.known or f'{outcome.class_name} in {outcome.owner}'}  "
                    f"{'; '.join(found) or 'right'}",
                    flush=True,
                )
                if options.keep is None:
                    shutil.rmtree(folder)
    print(f"{wrong} wrong" if wrong else "all right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
