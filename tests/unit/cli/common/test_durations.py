"""Durations on a command line."""

from __future__ import annotations

from typing import Any, cast

import click
import pytest

from heapscope.cli.common.durations import duration

CONTEXT, PARAMETER = cast(Any, None), cast(Any, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("6h", 21_600), ("1d", 86_400), ("2.5", 2.5), (None, None)],
)
def test_seconds_of_a_text(text: str | None, seconds: float | None) -> None:
    assert duration(CONTEXT, PARAMETER, text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "5 minutes", "1w", "1e3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        duration(CONTEXT, PARAMETER, text)
