"""Every threshold has a reason beside it, and those that follow from a rule follow from it."""

from __future__ import annotations

from math import exp, factorial
from pathlib import Path

from heapscope.analysis import thresholds
from heapscope.analysis.thresholds import (
    GUARD_SURE_SNAPSHOTS,
    MIN_EXPECTED,
    MIN_SNAPSHOTS,
    MIN_STEADY,
    SIGNIFICANCE,
)


def test_each_has_its_reason_above_it() -> None:
    lines = Path(thresholds.__file__).read_text("utf-8").splitlines()
    places = [place for place, line in enumerate(lines) if line[:1].isupper() and " = " in line]
    assert len(places) > 15
    for place in places:
        above = lines[place - 1]
        # Two numbers of one reason stand together.
        assert above.startswith("# ") or (place - 1 in places and lines[place - 2].startswith("# ")), lines[
            place
        ]


def test_how_many_snapshots_follow_from_the_significance() -> None:
    assert 1 / factorial(MIN_SNAPSHOTS) > SIGNIFICANCE
    assert 1 / factorial(MIN_STEADY) <= SIGNIFICANCE
    assert GUARD_SURE_SNAPSHOTS == MIN_STEADY


def test_what_was_expected_would_have_been_seen() -> None:
    assert exp(-MIN_EXPECTED) < 1e-4  # a Poisson count of so many is zero
