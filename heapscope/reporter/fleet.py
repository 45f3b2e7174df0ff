"""The report on a fleet: HTML, Markdown, JSON, PDF.

Its size is bounded: what a table or a row of charts cannot take is counted, and in the JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from heapscope import __version__, extras
from heapscope.analysis.verdicts import HEALTHY, LEAK, UNDECIDED
from heapscope.errors import HeapscopeError
from heapscope.files import check_free, write_all
from heapscope.fleet.cohorts import Cohorts
from heapscope.fleet.processes import FleetProcess
from heapscope.fleet.verdict import GROWTH, FleetComparison, FleetVerdict, Oddity
from heapscope.reporter.fleet_words import (
    GROWTH_NOTE,
    Sides,
    caveats,
    cohort_words,
    comparison_words,
    difference_words,
    growth_words,
    headline,
    outcome_verdict,
    pace_words,
    rate_words,
)
from heapscope.reporter.pdf import font_faces, render_pdf
from heapscope.reporter.render import environment, style_sheet
from heapscope.reporter.text import markdown_text, plural
from heapscope.units import format_bytes, format_time

ENDINGS = (".html", ".md", ".json", ".pdf")
JSON_VERSION = 1
_ROWS = 200  # of a table, and charts of a page
_MARKDOWN_ROWS = 20
_CHART_WIDTH, _CHART_HEIGHT = 120, 32


def write_fleet_report(verdict: FleetVerdict, path: Path, *, force: bool = False) -> None:
    """Write a report on a fleet.

    Parameters
    ----------
    verdict : FleetVerdict
    path : Path
        Its ending says what: ``.html``, ``.md``, ``.json`` or ``.pdf``.
    force : bool
        Whether a file that exists is overwritten.

    Raises
    ------
    HeapscopeError, OutputExists, OutputFailed, MissingDependency
    """
    check_report(path, force)
    ending = path.suffix.lower()
    if ending == ".pdf":
        made = render_pdf(_page(verdict, paper=True))
    elif ending == ".html":
        made = _page(verdict).encode()
    else:
        made = (render_fleet_json(verdict) if ending == ".json" else render_fleet_markdown(verdict)).encode()
    write_all([(path, made)], force=force)


def check_report(path: Path, force: bool) -> None:
    """Whether a report can be written there, before any work is done.

    Raises
    ------
    HeapscopeError, OutputExists, OutputFailed, MissingDependency
    """
    if path.suffix.lower() not in ENDINGS:
        raise HeapscopeError(
            f"{path}: a report's name ends in .html, .md, .json or .pdf; rename it to choose one"
        )
    check_free(path, force)
    if path.suffix.lower() == ".pdf":
        extras.weasyprint()


def _page(verdict: FleetVerdict, *, paper: bool = False) -> str:
    sheet = environment().get_template("paper.css").render()
    script = environment().get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    drawn = _by_growth(verdict.processes)[:_ROWS]
    # One scale for all, so that the heaps can be compared.
    top = max((max(each.heap_bytes) for each in drawn), default=1)
    page = (
        environment()
        .get_template("fleet.html.j2")
        .render(
            verdict=verdict,
            headline=headline(verdict),
            caveats=caveats(verdict),
            status="leak" if verdict.count(LEAK) else "steady" if verdict.count(HEALTHY) else "",
            counts=_counts(verdict),
            words=[cohort_words(group) for group in verdict.groups],
            paces=[pace_words(group) for group in verdict.groups],
            growth_words=growth_words(verdict),
            growth_note=GROWTH_NOTE,
            leaking=verdict.leaking[:_ROWS],
            open_command=open_command(verdict, verdict.leaking[0]) if verdict.leaking else "",
            hosts=_hosts(verdict.processes),
            charts=[
                (each, Markup(_chart(each.heap_bytes, top, _ink(each) if paper else "currentColor")))
                for each in drawn
            ],
            top=top,
            more=max(len(verdict.processes) - _ROWS, 0),
            rows=_ROWS,
            rate=_rate,
            ends=ends,
            odd=[_odd_words(each) for each in verdict.odd],
            style=Markup(style_sheet()),
            paper=Markup(f"{font_faces()}\n{sheet}") if paper else "",
            script=None if paper else Markup(script),
            script_digest=digest,
            generator=f"heapscope {__version__}",
        )
    )
    return page.replace("<wbr>", "\u200b") if paper else page + "\n"


def _counts(verdict: FleetVerdict) -> str:
    return (
        f"{verdict.count(LEAK):,} leak, {verdict.count(HEALTHY):,} healthy, "
        f"{verdict.count(UNDECIDED):,} with too few snapshots; "
        f"{plural(sum(len(each.snapshots) for each in verdict.processes), 'snapshot')}"
    )


def _rate(process: FleetProcess) -> str:
    return rate_words(None if process.bytes_per_hour is None else process.bytes_per_hour.value)


def ends(process: FleetProcess) -> str:
    """When a process runs out of memory; empty where that cannot be told."""
    found = process.forecast
    if found is None or found.at is None:
        return ""
    return f"{format_time(found.at)}, {found.limit.name}"


def open_command(verdict: FleetVerdict, process: FleetProcess) -> str:
    """What to paste to look into a process."""
    return shlex.join(["heapscope", "fleet", "open", str(verdict.path), process.label])


def _by_growth(processes: Sequence[FleetProcess]) -> list[FleetProcess]:
    several = [each for each in processes if len(each.snapshots) > 1]
    return sorted(several, key=lambda each: (-(each.heap_bytes[-1] - each.heap_bytes[0]), each.label))


@dataclass(frozen=True)
class _Host:
    """A host with how many of its processes leak."""

    name: str
    total: int
    leaking: int
    percent: int


def _hosts(processes: Sequence[FleetProcess]) -> list[_Host]:
    found: dict[str, list[bool]] = {}
    for each in processes:
        if each.host:
            found.setdefault(each.host, []).append(each.status == LEAK)
    return [
        _Host(name, len(leaks), sum(leaks), round(100 * sum(leaks) / len(leaks)))
        for name, leaks in sorted(found.items())
    ][: _ROWS * 5]


def _ink(process: FleetProcess) -> str:
    """The colours of the page in light: on paper a picture does not get them from around it."""
    return "#b84a00" if process.status == LEAK else "#59636e"


def _chart(values: Sequence[int], top: int, colour: str) -> str:
    """The heap over the snapshots as a line, from zero to ``top``."""
    top = max(top, 1)
    step = (_CHART_WIDTH - 4) / max(len(values) - 1, 1)
    height = _CHART_HEIGHT - 4
    points = " ".join(
        f"{2 + place * step:.1f},{2 + height * (1 - value / top):.1f}" for place, value in enumerate(values)
    )
    label = f"{format_bytes(values[0])} to {format_bytes(values[-1])}"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_CHART_WIDTH} {_CHART_HEIGHT}" '
        f'width="{_CHART_WIDTH}" height="{_CHART_HEIGHT}"><polyline points="{points}" fill="none" '
        f'stroke="{colour}" stroke-width="2"/></svg>'
    )


def _odd_words(each: Oddity) -> tuple[str, str]:
    value, median = (
        (rate_words(each.value), rate_words(each.median))
        if each.what == GROWTH
        else (format_bytes(each.value), format_bytes(each.median))
    )
    return each.process.label, f"{each.what} {value}; the median of its like is {median}"


# --- text ---


def render_fleet_markdown(verdict: FleetVerdict) -> str:
    """Markdown that fits into a ticket."""
    text = markdown_text
    lines = [f"# {text(headline(verdict))}", "", f"{_counts(verdict)}.", ""]
    lines += [f"- {text(each)}" for each in caveats(verdict)]
    for group in verdict.groups:
        lines += ["", f"## {text(group.cause.title)}", ""]
        lines.append(
            f"{plural(len(group.members), 'process', 'processes')}, grouped by {group.cause.kind}. "
            f"{text(pace_words(group))}"
        )
        lines.append("")
        lines += [f"- {text(each)}" for each in cohort_words(group)]
        if group.cause.why:
            lines += ["", text(group.cause.why)]
        if group.cause.cure:
            lines += ["", f"What to do: {text(group.cause.cure)}"]
    going_along = growth_words(verdict)
    if going_along:
        lines += ["", "## What goes with growth", "", GROWTH_NOTE, ""]
        lines += [f"- {text(each)}" for each in going_along]
    leaking = verdict.leaking
    if leaking:
        lines += [
            "",
            "## Which ends first",
            "",
            "| process | heap | growth | runs out |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {text(each.label)} | {format_bytes(each.heap_bytes[-1])} | {_rate(each)} | "
            f"{ends(each) or 'cannot be told'} |"
            for each in leaking[:_MARKDOWN_ROWS]
        ]
        if len(leaking) > _MARKDOWN_ROWS:
            lines.append(f"\n{len(leaking) - _MARKDOWN_ROWS:,} more are in the page and the JSON.")
        lines += ["", "To look into one:", "", f"    {open_command(verdict, leaking[0])}"]
    if verdict.odd:
        lines += ["", "## Unlike the others", ""]
        lines += [f"- {text(label)}: {text(words)}" for label, words in map(_odd_words, verdict.odd)]
    if verdict.failures:
        lines += ["", "## Not read", ""]
        lines += [
            f"- {text(each.source)}: {text(each.problem)}" for each in verdict.failures[:_MARKDOWN_ROWS]
        ]
        if len(verdict.failures) > _MARKDOWN_ROWS:
            lines.append(f"- and {len(verdict.failures) - _MARKDOWN_ROWS:,} more")
    return "\n".join(lines) + "\n"


def render_fleet_json(verdict: FleetVerdict) -> str:
    """All of it for programs: ``schema_version``, ``processes``, ``causes`` with their differences."""
    document = {
        "schema_version": JSON_VERSION,
        "heapscope_version": __version__,
        "headline": headline(verdict),
        "counts": {str(status): verdict.count(status) for status in (LEAK, HEALTHY, UNDECIDED)},
        "host_count": verdict.host_count,
        "attribute_count": verdict.attribute_count,
        "caveats": caveats(verdict),
        "causes": [
            {
                **asdict(group.cause),
                "processes": [each.label for each in group.members],
                "is_against_healthy": group.is_against_healthy,
                "words": cohort_words(group),
                "pace": pace_words(group),
                **_cohorts_json(group.cohorts),
            }
            for group in verdict.groups
        ],
        "growth": {
            "process_count": verdict.growth.process_count,
            "test_count": verdict.growth.test_count,
            "can_tell": verdict.growth.can_tell,
            "words": growth_words(verdict),
            "differences": [
                asdict(each) | {"is_significant": each.is_significant} for each in verdict.growth.differences
            ],
        },
        "processes": [_process_json(each) for each in verdict.processes],
        "odd": [{"process": label, "words": words} for label, words in map(_odd_words, verdict.odd)],
        "failures": [asdict(each) for each in verdict.failures],
    }
    return json.dumps(document, indent=2) + "\n"


def _cohorts_json(cohorts: Cohorts) -> dict[str, Any]:
    return {
        "a_size": cohorts.a_size,
        "b_size": cohorts.b_size,
        "can_tell": cohorts.can_tell,
        "test_count": cohorts.test_count,
        "same": list(cohorts.same),
        "differences": [
            asdict(each) | {"is_significant": each.is_significant} for each in cohorts.differences
        ],
    }


def _process_json(process: FleetProcess) -> dict[str, Any]:
    rate, forecast = process.bytes_per_hour, process.forecast
    at = None if forecast is None else forecast.at
    return {
        "label": process.label,
        "host": process.host,
        "pid": process.pid,
        "role": process.role,
        "pod": process.pod,
        "status": str(process.status),
        "causes": [
            {"key": each.cause.key, "class_name": each.class_name, "confidence": str(each.confidence)}
            | {"instance_count": each.instance_count, "retained_bytes": each.retained_bytes}
            | {"is_by_class": each.is_by_class}
            for each in process.causes
        ],
        "snapshots": list(process.snapshots),
        "sources": list(process.sources),
        "captured_at": [None if each is None else each.isoformat() for each in process.captured_at],
        "heap_bytes": list(process.heap_bytes),
        "bytes_per_hour": None if rate is None else rate.value,
        "bytes_per_hour_low": None if rate is None else rate.low,
        "bytes_per_hour_high": None if rate is None else rate.high,
        "runs_out_at": None if at is None else at.isoformat(),
        "is_identified": process.is_identified,
        "problem": process.problem,
    }


# --- two cohorts ---


def comparison_text(found: FleetComparison) -> str:
    """Two cohorts as plain text."""
    lines = [outcome_verdict(found), "", *comparison_words(found), "", "What tells them apart:"]
    lines += [f"  {each}" for each in difference_words(found.attributes, Sides("A", "B"))]
    return "\n".join(lines)


def comparison_json(found: FleetComparison) -> str:
    """Two cohorts for programs."""
    document = {
        "schema_version": JSON_VERSION,
        "a": found.a_name,
        "b": found.b_name,
        "is_worse": found.is_worse,
        "can_tell": found.can_tell,
        "both_count": found.both_count,
        "words": comparison_words(found),
        "outcome": _cohorts_json(found.outcome),
        "attributes": _cohorts_json(found.attributes),
    }
    return json.dumps(document, indent=2) + "\n"
