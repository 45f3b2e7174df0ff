"""What to do about a finding: the steps of the catalogue, and commands that show one of the objects."""

from __future__ import annotations

from dataclasses import replace

from heapscope.analysis.diagnosis import diagnose
from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.reporter.advice import cure_steps
from tests.unit.reporter.series import series


def test_of_a_known_leak_the_steps_are_the_catalogues() -> None:
    (finding,) = diagnose(series()).findings
    assert cure_steps(finding) == list(finding.cure)


def test_of_an_unknown_one_a_step_shows_an_object() -> None:
    (finding,) = diagnose(series()).findings
    steps = cure_steps(replace(finding, id=UNKNOWN, class_name="com.acme.Session"))
    assert [step for step in steps if step not in finding.cure] == [steps[1]]
    assert "com.acme.Session" in steps[1]
