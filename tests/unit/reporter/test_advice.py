"""Steps of a cure, with commands where they help."""

from __future__ import annotations

from dataclasses import replace

from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.reporter.advice import cure_steps
from tests.unit.analysis.leaks.test_findings import FINDING


def test_of_an_unknown_leak_a_command_shows_the_objects() -> None:
    known = replace(FINDING, cure=("first", "last"))
    assert cure_steps(known) == ["first", "last"]
    first, shown, last = cure_steps(replace(known, id=UNKNOWN))
    assert (first, last) == ("first", "last")
    assert f"heapscope paths DUMP {FINDING.class_name} --json" in shown
