"""Cards of growth, proofs and guards."""

from __future__ import annotations

from heapscope.analysis.snapshots import Snapshots
from tests.unit.reporter.notebook.conftest import page


def test_growth_proof_and_guards_are_cards(series: Snapshots) -> None:
    growth = series.growth(force_series=True)
    text = page(growth).text
    assert text.startswith("What grows 40 snapshots · the whole heap grows")
    assert "10 → 400" in text
    proof = series[:20].prove(series[20:], force_series=True)
    assert page(proof).text.startswith("The cure: not fixed A: ")
    both = series[:20].compare(series[20:], force_series=True)
    assert page(both).text.startswith("Two runs: what grows A: ")
    checks = series.check(["byte[] <= 5", "byte[] <= 4"])
    text = page(checks).text
    assert text.startswith("1 guard of 2 did not hold")
    assert "✓ byte[] <= 5" in text
    assert "✗ byte[] <= 4" in text
