"""Figures as people read them."""

from __future__ import annotations

import pytest

from heapscope.units import format_bytes, format_count, format_duration


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.00 kB"),
        (1000, "1.00 kB"),
        (86_869, "86.9 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (2_003_818_626, "2.00 GB"),
        (-1536, "-1.54 kB"),
    ],
)
def test_bytes_have_three_digits_and_a_unit(count: float, text: str) -> None:
    assert format_bytes(count) == text


def test_signs_are_shown_when_asked_for() -> None:
    assert format_bytes(1, signed=True) == "+1 B"
    assert format_bytes(0, signed=True) == "0 B"
    assert format_count(12.5, signed=True) == "+12.5"
    assert format_count(-3, signed=True) == "-3"


def test_counts_have_thousands_separators() -> None:
    assert format_count(33_106_565) == "33,106,565"
    assert format_count(24_660.66) == "24,660.7"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (20.4, "20 s"), (60, "1 min"), (3725, "1 h 2 min"), (90_000, "1 d 1 h"), (-5, "-5 s")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
