"""No known leak is seen where none is: in the suite's healthy dumps, and in those of other writers."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.errors import CorruptRecord

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT.parent / "shared" / "cases" / "foreign-dumps"  # beside the source, where it is there
# Dumps of MAT's, Android's and hprof-slurp's own test suites, written by other agents and JVMs.
NAMES = (
    "mat-oracle_jdk7_21_hprofagent.hprof.gz",
    "mat-sun_jdk5_64bit.hprof.gz",
    "mat-sun_jdk6_30_x64_nocompressedOops.hprof.gz",
    "perflib-dialer.hprof.gz",
    "slurp-hprof-32.bin.gz",
)


def known_leaks(path: Path) -> list[str]:
    """What of the catalogue is seen in a dump, as a leak or as what would be one if it grew."""
    own = {leak.id for leak in load_catalogue()}
    titles = {leak.title for leak in load_catalogue()}
    found = heapscope.diagnose(path)
    return [
        *(one.id for one in found.findings if one.id in own),
        *(title for title, _ in found.steady if title in titles),
    ]


@pytest.mark.parametrize("name", ["healthy-1", "healthy-2"])
def test_the_healthy_sample_dumps(name: str) -> None:
    assert known_leaks(ROOT / "sample_dumps" / f"{name}.hprof.gz") == []


@pytest.mark.parametrize("name", NAMES)
def test_dumps_of_other_writers(name: str) -> None:
    path = FOREIGN / name
    if not path.exists():
        pytest.skip(f"{path} is not there: dumps of others are not part of the source")
    with suppress(CorruptRecord):  # the agent of JDK 7 wrote two heaps into one file
        assert known_leaks(path) == []
