"""Cards of watched processes: their memory over time, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heapscope.reporter.memory_text import confidence_words, evidence_sentence, next_step, verdict_title
from heapscope.reporter.notebook.html import (
    card,
    escaped,
    figures,
    lines_list,
    sparkline,
)
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_duration

if TYPE_CHECKING:
    from heapscope.analysis.memory.samples import WatchedProcess
    from heapscope.analysis.memory.verdict import MemoryVerdict


def process_card(process: WatchedProcess) -> str:
    """A watched process: its memory over time, and what that means."""
    samples = process.samples
    resident = [float(value) for value in samples["rss_bytes"]]
    totals = [(format_bytes(resident[-1]), "resident", sparkline(resident))]
    for column, label in (
        ("heap_rss_bytes", "of it in the Java heap"),
        ("old_after_gc_bytes", "old generation after GC"),
    ):
        values = [float(value) for value in samples[column] if value is not None and value == value]
        if values:
            totals.append((format_bytes(values[-1]), label, sparkline(values)))
    return _card_of_verdict(process.verdict(), process.name, figures(*totals))


def verdict_card(verdict: MemoryVerdict) -> str:
    """What the memory of a process does."""
    return _card_of_verdict(verdict, f"pid {verdict.pid}", "")


def _card_of_verdict(verdict: MemoryVerdict, name: str, totals: str) -> str:
    size = format_bytes(verdict.growth_bytes, signed=True)
    under = f"resident {size} in {format_duration(verdict.seconds)}, {plural(verdict.sample_count, 'sample')}"
    advice = f"<p>Confidence {escaped(confidence_words(verdict))}. Next: {escaped(next_step(verdict))}</p>"
    evidence = lines_list(evidence_sentence(each) for each in verdict.evidence)
    return card(f"{name}: {verdict_title(verdict)}", under, totals + evidence + advice)
