"""Options of a series are values: growth is kept by them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from heapscope.analysis.growth.options import DEFAULTS, SeriesOptions


def test_they_are_frozen_and_keyed_by_value() -> None:
    assert SeriesOptions() == DEFAULTS
    assert len({SeriesOptions(work=(1.0, 2.0)), SeriesOptions(work=(1.0, 2.0)), DEFAULTS}) == 2
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.force_series = True  # type: ignore[misc]
