"""Cards of a diagnosis: what leaks, how fast, what to do, how that is known; masked as reports are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heapscope.reporter.diagnosis import (
    SURENESS,
    FindingSection,
    describe_diagnosis,
    describe_finding,
    describe_group,
)
from heapscope.reporter.notebook.html import card, escaped, figures, lines_list, pairs_list, sparkline
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.analysis.leaks.findings import Diagnosis, Finding


def diagnosis_card(diagnosis: Diagnosis) -> str:
    """What leaks, and what to do."""
    section = describe_diagnosis(diagnosis)
    under = f"{plural(len(diagnosis.snapshot_names), 'snapshot')}; looked at: {section.source}"
    several = len(section.findings) > 1
    body = "".join(
        _body(finding, is_open=not place, has_title=several) for place, finding in enumerate(section.findings)
    )
    if not section.findings:
        body += lines_list(section.figures)
    body += lines_list(f"holds the heap now: {one.text}" for one in section.owners)
    body += lines_list(f"to see what grows: {step}" for step in section.next_steps)
    ends = lines_list(f"if it goes on: {each}" for each in section.runs_out[:1])
    steady = lines_list(f"looked like a known leak: {each}" for each in section.steady)
    return card(section.headline, under, ends + body + steady)


def finding_card(finding: Finding) -> str:
    """One leak."""
    section = describe_finding(finding)
    return card(section.title, "", _body(section, is_open=True, has_title=False))


def _body(finding: FindingSection, *, is_open: bool, has_title: bool = True) -> str:
    known = [each for each in finding.sizes or finding.counts if each is not None]
    totals = [
        (format_count(finding.instance_count), finding.unit[finding.instance_count != 1], sparkline(known))
    ]
    if finding.retained_bytes is not None:
        share = f", {finding.share:.0%} of what is in use" if finding.share else ""
        totals.append((format_bytes(finding.retained_bytes), f"retained together{share}", ""))
    pairs = [
        ("Class", finding.class_name),
        ("Where", finding.owner),
        ("The way there", " → ".join(finding.owner_way) if len(finding.owner_way) > 1 else ""),
        ("Also held by", "; ".join(finding.other_holders)),
        ("Since", finding.began),
        ("Growth", finding.speed.replace("->", "→")),
        ("How sure", SURENESS.get(finding.confidence, finding.confidence)),
    ]
    cure = "".join(f"<li>{escaped(step)}</li>" for step in finding.cure)
    cure = f"<p><b>What to do</b></p><ol>{cure}</ol>" if cure else ""
    values = [f"{one.name} = {one.value} (from {one.source})" for one in finding.values]
    groups = [describe_group(group) for group in finding.file_systems]
    held = [f"held by {way.strip()}" for way in finding.held_by]
    evidence = lines_list([*finding.evidence, *groups, *values, *held])
    body = (
        f"{figures(*totals)}{pairs_list(pairs)}{cure}<p><b>Why it happens.</b> {escaped(finding.why)}</p>"
        f"<details><summary>How we know</summary>{evidence}</details>"
    )
    if not has_title:
        return body
    state = " open" if is_open else ""
    title = f'<details class="hs-suspect"{state}><summary><b>{escaped(finding.title)}</b></summary>'
    return f"{title}<div>{body}</div></details>"
