"""The diagnosis as plain data: figures, times, masked values, and lines that keep to a width."""

from __future__ import annotations

from dataclasses import replace

from heapscope.analysis.diagnosis import diagnose
from heapscope.reporter.diagnosis import describe_diagnosis, plain_lines
from tests.unit.reporter.series import FILE_SYSTEM, series


def test_a_finding_has_the_figures_of_the_analysis() -> None:
    found = diagnose(series())
    section = describe_diagnosis(found)
    assert (section.status, len(section.findings)) == (found.status, len(found.findings))
    first, shown = found.findings[0], section.findings[0]
    assert (shown.counts, shown.instance_count) == (first.counts, first.instance_count)
    assert shown.class_name == FILE_SYSTEM
    assert f"{first.instance_count:,}" in shown.what
    assert [f"{count:,}" for count in first.counts if count] == shown.speed.partition(";")[0].split(" -> ")
    assert section.headline.endswith(shown.title)


def test_many_counts_are_thinned_to_eight_with_both_ends() -> None:
    section = describe_diagnosis(diagnose(series()))
    long = replace(section.findings[0], counts=tuple(range(100, 200)))
    steps = long.speed.partition(";")[0].split(" -> ")
    assert len(steps) == 8
    assert (steps[0], steps[-1]) == ("100", "199")


def test_one_count_has_no_speed() -> None:
    section = describe_diagnosis(diagnose(series()))
    assert replace(section.findings[0], counts=(7,)).speed == ""
    assert replace(section.findings[0], counts=(None, 7)).speed == ""


def test_lines_keep_to_the_width() -> None:
    section = describe_diagnosis(diagnose(series()))
    lines = plain_lines(section, 70)
    links = {source.url for finding in section.findings for source in finding.sources}
    assert max(len(line) for line in lines if not any(url in line for url in links)) <= 70
    assert lines[0].startswith(section.headline[:20])


def test_is_sure_means_more_than_possible() -> None:
    section = describe_diagnosis(diagnose(series()))
    assert not section.is_sure
    certain = replace(section.findings[0], confidence="certain")
    assert replace(section, findings=(certain,)).is_sure
