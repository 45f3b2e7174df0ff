"""Durations and rates on a command line: ``30s``, ``10m``, ``6h``."""

from __future__ import annotations

import re

import click

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds of a text such as ``30s``; the callback of an option.

    Parameters
    ----------
    context, parameter
        As click hands them to a callback.
    value : str or None
        None: the option was not given.

    Raises
    ------
    click.BadParameter
        The text is no duration.
    """
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no duration such as 30s, 10m or 6h.", context, parameter)
    return float(match[1]) * SECONDS[match[2] or "s"]
