"""Which answers have a card, and what the others show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd

from heapscope.reporter.notebook.cards import html_of
from heapscope.rich_repr import RichRepr

ROOT = Path(__file__).parents[4]


def test_what_has_no_card_is_left_to_repr() -> None:
    class Heap:
        """Of somebody else."""

    assert html_of(Heap()) is None
    assert html_of(pd.DataFrame()) is None

    class Mine(RichRepr):
        __slots__ = ()

    assert Mine()._repr_html_() is None


def test_importing_analysis_imports_no_reporter() -> None:
    program = (
        "import sys, heapscope.heap.heap, heapscope.analysis.snapshots\n"
        "print([name for name in sys.modules if name.startswith('heapscope.reporter')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
