"""Several processes side by side: the headline counts what each diagnosis found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.errors import HeapscopeError
from heapscope.reporter.incident import Incident, build_incident
from heapscope.reporter.overview import ProcessPage, headline, write_overview
from tests.unit.reporter.series import FILE_SYSTEM, series

POSSIBLE = build_incident(series())
STEADY = build_incident(series({FILE_SYSTEM: ((1, 1, 1), 48)}))
GROWING = build_incident(series({FILE_SYSTEM: ((1, 1, 1), 48), "a.B": ((5, 6, 7), 16)}), patterns=["a.B"])


def sure() -> Incident:
    finding = replace(POSSIBLE.diagnosis.findings[0], confidence="certain")
    return replace(POSSIBLE, diagnosis=replace(POSSIBLE.diagnosis, findings=(finding,)))


def pages(*incidents: Incident) -> list[ProcessPage]:
    return [ProcessPage(f"p{i}", Path(f"p{i}.html"), one) for i, one in enumerate(incidents)]


@pytest.mark.parametrize(
    ("incidents", "status", "figures"),
    [
        ((STEADY, STEADY), "steady", "2"),
        ((POSSIBLE, STEADY), "leak", "1 of 2"),
        ((sure(), STEADY, STEADY), "leak", "1 of 3"),
        ((sure(), sure()), "leak", "2 of 2"),
    ],
)
def test_status_and_figures(incidents: tuple[Incident, ...], status: str, figures: str) -> None:
    found, sentence = headline(pages(*incidents))
    assert found == status
    assert figures in sentence
    assert ("may" in sentence) == (POSSIBLE in incidents)


def test_what_grows_without_a_leak_is_not_steady() -> None:
    assert GROWING.status in ("growth", "leak")
    assert headline(pages(GROWING, STEADY))[0] == GROWING.status


def test_a_page_names_what_leaks_and_when_memory_ends() -> None:
    leaking, steady = pages(POSSIBLE, STEADY)
    assert leaking.what == POSSIBLE.diagnosis.findings[0].what
    assert (steady.what, steady.runs_out) == ("", "")
    assert leaking.url == "p0.html"


def test_only_html_has_pages_side_by_side(tmp_path: Path) -> None:
    with pytest.raises(HeapscopeError, match=r"\.html"):
        write_overview(series(), tmp_path / "all.pdf")
