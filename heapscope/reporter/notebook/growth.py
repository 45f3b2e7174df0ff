"""Cards of what grows over many snapshots, of the proof of a cure, and of guards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.statistics import Rate
from heapscope.analysis.verdicts import NEW, STAYS
from heapscope.reporter.forecast import forecast_line
from heapscope.reporter.growth_notes import note_text
from heapscope.reporter.notebook.html import (
    bar,
    card,
    escaped,
    figures,
    grid,
    lines_list,
    name_cell,
    number_cell,
    sparkline,
    text_cell,
)
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.analysis.growth.comparison import Compared, Comparison
    from heapscope.analysis.growth.cure import Proof
    from heapscope.analysis.growth.growth import Growth, KeyGrowth
    from heapscope.analysis.growth.guards import Checks

_ROWS = 10


def growth_card(growth: Growth) -> str:
    """What grows over snapshots, and when memory runs out."""
    whole = growth.whole
    rate = _per(growth, whole)
    pace = "" if rate is None else f", {format_bytes(rate.value, signed=True)} per {growth.unit}"
    under = f"{plural(len(growth.snapshots), 'snapshot')} · the whole heap {whole.verdict}{pace}"
    totals = figures(
        (format_bytes(whole.shallow_bytes[-1]), "shallow size of all", sparkline(whole.shallow_bytes)),
        (format_count(len(growth.growing)), f"of {format_count(len(growth.keys))} grow"),
    )
    shown = (growth.growing or growth.perhaps)[:_ROWS]
    rows = []
    for key in shown:
        rate = _per(growth, key)
        rows.append(
            (
                name_cell(key.name),
                f"<td>{sparkline(key.instance_counts)}</td>",
                number_cell(
                    f"{format_count(key.instance_counts[0])} → {format_count(key.instance_counts[-1])}"
                ),
                number_cell("" if rate is None else format_bytes(rate.value, signed=True)),
                number_cell(f"{key.confidence:.0%}"),
            )
        )
    left = len(growth.growing or growth.perhaps) - len(rows)
    note = f"and {format_count(left)} more that grow" if left > 0 else ""
    heads = (growth.by.rstrip("+").capitalize(), "", "instances", f"bytes per {growth.unit}", "sure")
    table = grid(heads, rows, note) if rows else "<p>Nothing grows.</p>"
    ends = lines_list(forecast_line(one, growth.snapshots[-1].captured_at) for one in growth.forecasts)
    return card("What grows", under, totals + table + ends + lines_list(map(note_text, growth.notes)))


def _first_to_last(key: KeyGrowth) -> str:
    return f"{format_count(key.instance_counts[0])} → {format_count(key.instance_counts[-1])}"


def _per(growth: Growth, key: KeyGrowth) -> Rate | None:
    return key.shallow.per_hour if growth.unit == "hour" else key.shallow.per_snapshot


def comparison_card(comparison: Comparison) -> str:
    """What grows in one of two runs."""
    kept = [one for one in comparison.classes if one.outcome in (STAYS, NEW)] or list(comparison.classes)
    counts = {one.outcome: 0 for one in comparison.classes}
    for one in comparison.classes:
        counts[one.outcome] += 1
    totals = figures(*((format_count(count), f"grow {outcome}") for outcome, count in counts.items()))
    return card("Two runs: what grows", _runs(comparison), totals + _compared(kept))


def proof_card(proof: Proof) -> str:
    """Whether a cure worked."""
    return card(
        f"The cure: {proof.verdict}",
        _runs(proof.comparison),
        f"<p>{escaped(proof.reason)}</p>" + _compared(proof.decisive),
    )


def _runs(comparison: Comparison) -> str:
    first, second = comparison.first.snapshots, comparison.second.snapshots
    return f"A: {first[0].name} to {first[-1].name} · B: {second[0].name} to {second[-1].name}"


def _compared(classes: Any) -> str:
    rows = []
    one: Compared
    for one in classes[:_ROWS]:
        counts = [
            ""
            if key is None
            else f"{format_count(key.instance_counts[0])} → {format_count(key.instance_counts[-1])}"
            for key in (one.first, one.second)
        ]
        rows.append(
            (
                name_cell(one.name),
                *map(number_cell, counts),
                number_cell(format_count(round(one.expected), signed=True)),
                number_cell(format_count(one.grown, signed=True)),
                text_cell(one.outcome.replace(" ", "\N{NO-BREAK SPACE}")),
            )
        )
    left = len(classes) - len(rows)
    note = f"and {plural(left, 'more class', 'more classes')}" if left > 0 else ""
    heads = ("Class", "in A", "in B", "B at the rate of A", "B in truth", "grows")
    return grid(heads, rows, note) if rows else "<p>No class grew.</p>"


def checks_card(checks: Checks) -> str:
    """Guards, and which of them did not hold."""
    failed = len(checks.failed)
    title = "All guards hold" if checks else f"{plural(failed, 'guard')} of {len(checks)} did not hold"
    rows = [
        (
            text_cell("✓" if one.has_passed else "✗"),
            name_cell(one.name),
            text_cell(one.message),
            text_cell(one.hint),
        )
        for one in checks.results
    ]
    share = bar((len(checks) - failed) / max(len(checks), 1), tag="span")
    return card(title, "", f"<p>{share}</p>" + grid(("", "Guard", "found", "hint"), rows, ""))
