"""Reports of a small series, byte for byte (tests/golden/reports).

``HEAPSCOPE_UPDATE_GOLDEN=1 pytest tests/unit/reporter/test_golden_reports.py`` writes them anew;
read the difference before committing it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import heapscope
from heapscope.reporter import incident
from heapscope.reporter.incident import Incident, build_incident
from heapscope.reporter.render import chart_names, outlook_name, render_html, render_json, render_markdown
from tests.unit.reporter.series import series

GOLDEN = Path(__file__).parents[2] / "golden" / "reports"
HISTOGRAMS = sorted(GOLDEN.glob("histogram-*.txt"))


@pytest.fixture(autouse=True)
def _no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident, "__version__", "(any version)")


def text_series() -> Incident:
    """Three class histograms as text."""
    return build_incident(heapscope.snapshots(HISTOGRAMS))


def leak_series() -> Incident:
    """Four made-up dumps, whose process has planted secrets."""
    return build_incident(series())


def page_without_charts(one: Incident) -> str:
    # Matplotlib's releases differ in the last digits of coordinates; the charts have tests of their own.
    return re.sub(r"<svg .*?</svg>", "<svg></svg>", render_html(one), flags=re.DOTALL)


def ticket(one: Incident) -> str:
    return render_markdown(one, chart_names(one, "report"), "".join(outlook_name(one, "report")))


MAKERS = {"text": text_series, "leak": leak_series}
RENDERERS = {"md": ticket, "json": render_json, "html": page_without_charts}


@pytest.mark.parametrize("ending", RENDERERS)
@pytest.mark.parametrize("kind", MAKERS)
def test_report_is_as_it_was(kind: str, ending: str) -> None:
    path = GOLDEN / f"{kind}.{ending}"
    text = RENDERERS[ending](MAKERS[kind]())
    if os.environ.get("HEAPSCOPE_UPDATE_GOLDEN") == "1":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_the_histograms_are_the_ones_the_figures_are_from() -> None:
    assert [path.name for path in HISTOGRAMS] == [f"histogram-{number}.txt" for number in (1, 2, 3)]
    one = text_series()
    assert one.snapshots[0].captured_at_source == "text"
    assert one.watched_classes[0].instance_counts == (2, 52, 102)
