"""Figures over time as a line of bars, in text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

from heapscope.cli.common.answer import encodes

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-=+*#@"
# The full height is at least this share of the largest value: small noise stays small.
_MIN_RELIEF = 0.05


def blocks() -> str:
    """The bars that stdout can write."""
    return _BLOCKS if encodes(_BLOCKS, sys.stdout) else _ASCII_BLOCKS


def sparkline(values: Sequence[float], width: int, blocks: str = _BLOCKS) -> str:
    """The last ``width`` of the values, or their means where there are more, as bars of text."""
    if len(values) > width:
        edges = [len(values) * index // width for index in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(values), max(values)
    relief = max(high - low, _MIN_RELIEF * high) or 1.0
    return "".join(
        blocks[min(len(blocks) - 1, int((value - low) / relief * len(blocks)))] for value in values
    )
