"""The diagnosis as people read it: plain data, printable and masked, and the same in plain words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heapscope.analysis.leaks.known_leaks import Source
from heapscope.analysis.thresholds import MIN_SNAPSHOTS
from heapscope.analysis.verdicts import CERTAIN, HEALTHY, LEAK, LIKELY, POSSIBLE, UNDECIDED
from heapscope.heap.retention.off_heap import MAPPED
from heapscope.heap.retention.suspects import describe_suspect
from heapscope.reporter.advice import cure_steps, next_snapshot_steps
from heapscope.reporter.forecast import forecast_clause
from heapscope.reporter.off_heap import is_large, resident_lines, use_line
from heapscope.reporter.plain_blocks import bullet_lines, indented_lines, labelled_lines, way_lines
from heapscope.reporter.text import plural, printable
from heapscope.secrets import mask_value, scrub
from heapscope.units import format_bytes, format_count, format_time, iso_time

if TYPE_CHECKING:
    from heapscope.analysis.leaks.findings import Diagnosis, Finding, Reading
    from heapscope.analysis.leaks.hadoop import FileSystemGroup
    from heapscope.analysis.leaks.owner_growth import Rising
    from heapscope.heap.retention.holders import Holder
    from heapscope.heap.retention.suspects import Suspect

_RISING = 3  # fields that rise by too little for a finding
_OUTSIDE = 3  # fields that own most outside of the heap
_MAX_NODES = 60  # of a picture; what is smaller than the smallest of them is counted only
SURENESS: dict[str, str] = {
    CERTAIN: "certain: the heap shows cause and effect",
    LIKELY: "likely: everything that was looked at fits",
    POSSIBLE: "possible: what is known fits, but it is little; a heap dump, or more of them, would tell",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value that was read, masked where it may be secret."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class HolderNode:
    """A step of the paths from the GC roots, for the picture."""

    label: str
    member_count: int
    retained_bytes: int = 0  # what these members retain in the dominator tree, added up
    children: tuple[HolderNode, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingSection:
    """One leak; see `heapscope.analysis.leaks.diagnosis.Finding`."""

    id: str
    title: str
    confidence: str
    class_name: str
    unit: tuple[str, str]
    counts: tuple[int | None, ...]
    instance_count: int
    retained_bytes: int | None
    bytes_each: float | None
    share: float | None
    per_hour: float | None
    per_hour_low: float | None  # of the interval; None where there are too few snapshots for one
    per_hour_high: float | None
    bytes_per_hour: float | None
    since: str  # ISO 8601; empty where it cannot be told
    since_is_estimate: bool
    held_by: tuple[str, ...]
    holders: tuple[HolderNode, ...]
    target: str  # what they lead to: the class of what is held
    why: str
    cure: tuple[str, ...]
    healthy: str
    affected: tuple[str, ...]
    sources: tuple[Source, ...]
    evidence: tuple[str, ...]
    file_systems: tuple[FileSystemGroup, ...]
    values: tuple[Value, ...]
    owner: str = ""  # the field that owns them; empty where that cannot be told
    owner_way: tuple[str, ...] = ()
    other_holders: tuple[str, ...] = ()
    off_heap_bytes: int | None = None  # outside of the Java heap, where that is the leak
    unverified: tuple[str, ...] = ()  # what the catalogue says and nobody saw at the source
    sizes: tuple[int | None, ...] = ()  # bytes in each snapshot, where not the number of objects grows

    @property
    def what(self) -> str:
        """How many, how much: ``50 Hadoop file systems, 3.55 MB together, 71.1 kB each``."""
        text = f"{format_count(self.instance_count)} {self.unit[self.instance_count != 1]}"
        if self.retained_bytes is None or self.bytes_each is None:
            return text
        last = next((count for count in reversed(self.counts) if count is not None), self.instance_count)
        if last != self.instance_count and not self.sizes:  # of a class histogram that was taken later
            text += " in the last heap dump"
        share = f", {self.share:.0%} of all that is in use" if self.share and self.share >= 0.005 else ""
        if self.instance_count == 1:
            return f"{text}, {format_bytes(self.retained_bytes)}{share}"
        each = format_bytes(self.bytes_each)
        return f"{text}, {format_bytes(self.retained_bytes)} together{share}; {each} each"

    @property
    def speed(self) -> str:
        """``5 -> 20 -> 35 -> 50; about 8,030 an hour, 570 MB an hour``; empty for one snapshot."""
        if self.sizes:
            steps = " -> ".join("?" if size is None else format_bytes(size) for size in few(self.sizes))
            is_told = self.bytes_per_hour is not None and self.bytes_per_hour > 0
            return f"{steps}; about {format_bytes(self.bytes_per_hour or 0)} an hour" if is_told else steps
        known = [count for count in self.counts if count is not None]
        if len(known) < 2:
            return ""
        steps = " -> ".join("?" if count is None else format_count(count) for count in few(self.counts))
        if not self.per_hour or self.per_hour <= 0:
            return steps
        text = f"{steps}; about {_rounded(self.per_hour)} an hour"
        if self.per_hour_low is not None and self.per_hour_high is not None:
            low, high = _rounded(self.per_hour_low), _rounded(self.per_hour_high)
            text += f" ({low} to {high})" if low != high else ""
        if self.bytes_per_hour:
            text += f", {format_bytes(self.bytes_per_hour)} an hour"
        return text

    @property
    def in_steps(self) -> str:
        """Why the heap grows in other steps than what is in use; empty where it is a matter of numbers."""
        if not self.sizes:
            return ""
        pace = f" by {format_bytes(self.bytes_per_hour)} an hour" if self.bytes_per_hour else ""
        return (
            f"What is in use in {self.owner or self.class_name} grows{pace}; an array that doubles when it "
            "is full makes the heap grow in ever rarer steps."
        )

    @property
    def began(self) -> str:
        """Since when, in words."""
        if not self.since:
            return ""
        moment = format_time(self.since)
        return f"about {moment}, reckoned back from its speed" if self.since_is_estimate else moment


@dataclass(frozen=True, slots=True)
class OwnerSection:
    """A field that owns a large part of a heap."""

    owner: str
    class_name: str  # what piles up there
    instance_count: int
    retained_bytes: int
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class DiagnosisSection:
    """The diagnosis of a process; text is printable and masked."""

    status: str  # "leak", "no leak found" or "too few snapshots"
    headline: str
    source: str
    is_dump: bool
    findings: tuple[FindingSection, ...]
    runs_out: tuple[str, ...]  # when memory does, if the heap goes on growing; the soonest first
    figures: tuple[str, ...]  # the heap in numbers, for a process in which nothing was found
    steady: tuple[str, ...]
    file_systems: tuple[FileSystemGroup, ...]
    values: tuple[Value, ...]
    owners: tuple[OwnerSection, ...] = ()  # what holds the heap, where too few snapshots show no leak
    next_steps: tuple[str, ...] = ()  # commands that would tell more

    @property
    def is_sure(self) -> bool:
        """Whether a leak was found that is more than possible."""
        return any(finding.confidence != POSSIBLE for finding in self.findings)


def describe_diagnosis(diagnosis: Diagnosis, *, show_secrets: bool = False) -> DiagnosisSection:
    """What is shown of a diagnosis.

    Parameters
    ----------
    show_secrets : bool
        Whether values are shown as they are.
    """
    findings = tuple(describe_finding(each, show_secrets=show_secrets) for each in diagnosis.findings)
    return DiagnosisSection(
        status=diagnosis.status,
        headline=_headline(diagnosis, findings),
        source=printable(diagnosis.source),
        is_dump=diagnosis.is_dump,
        findings=findings,
        runs_out=tuple(map(forecast_clause, diagnosis.forecasts)),
        figures=_figures(diagnosis),
        steady=tuple(
            f"{printable(title)}: {_steps(counts)}, {_no_growth(counts)}"
            for title, counts in diagnosis.steady
        ),
        file_systems=tuple(map(_file_systems, diagnosis.groups)),
        values=tuple(_value(each, show_secrets) for each in diagnosis.readings),
        owners=tuple(map(_owner, diagnosis.owners)),
        next_steps=tuple(next_snapshot_steps(diagnosis)),
    )


def _owner(suspect: Suspect) -> OwnerSection:
    return OwnerSection(
        owner=printable(suspect.owner),
        class_name=printable(suspect.content_class or suspect.class_name),
        instance_count=suspect.content_count or suspect.instance_count,
        retained_bytes=suspect.retained_bytes,
        share=suspect.share,
        text=printable(describe_suspect(suspect)[0]),
    )


def _headline(diagnosis: Diagnosis, findings: Sequence[FindingSection]) -> str:
    if diagnosis.status == LEAK:
        first = findings[0]
        word = "Possible leak" if first.confidence == POSSIBLE else "Leak found"
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        return f"{word}: {first.title}{more}"
    if diagnosis.status == HEALTHY:
        return "No leak found"
    assert diagnosis.status == UNDECIDED
    return "No known leak found; whether something else grows, three snapshots or more will tell"


def describe_finding(finding: Finding, *, show_secrets: bool = False) -> FindingSection:
    """One leak, as `describe_diagnosis` has it."""
    holders = finding.holders
    return FindingSection(
        id=finding.id,
        title=printable(finding.title),
        confidence=finding.confidence,
        class_name=printable(finding.class_name),
        unit=(printable(finding.unit[0]), printable(finding.unit[1])),
        counts=finding.counts,
        instance_count=finding.instance_count,
        retained_bytes=finding.retained_bytes,
        bytes_each=finding.bytes_each,
        share=finding.share,
        per_hour=None if finding.per_hour is None else finding.per_hour.value,
        per_hour_low=None if finding.per_hour is None else finding.per_hour.low,
        per_hour_high=None if finding.per_hour is None else finding.per_hour.high,
        bytes_per_hour=finding.bytes_per_hour,
        since="" if finding.since is None else iso_time(finding.since, "seconds"),
        since_is_estimate=finding.since_is_estimate,
        held_by=tuple(printable(_from_static(each)) for each in finding.held_by),
        holders=_nodes(holders.holders, holders.member_count) if holders is not None else (),
        target=printable(holders.target) if holders is not None else "",
        why=printable(finding.why),
        cure=tuple(map(printable, cure_steps(finding))),
        healthy=printable(finding.healthy),
        affected=tuple(map(printable, finding.affected)),
        sources=tuple(Source(printable(each.label), printable(each.url)) for each in finding.sources),
        evidence=tuple(printable(each if show_secrets else scrub(each)) for each in finding.evidence),
        file_systems=tuple(map(_file_systems, finding.groups)),
        values=tuple(_value(each, show_secrets) for each in finding.readings),
        owner=printable(finding.owner),
        owner_way=tuple(map(printable, finding.owner_way)),
        other_holders=tuple(map(printable, finding.other_holders)),
        off_heap_bytes=finding.off_heap_bytes,
        unverified=tuple(map(printable, finding.unverified)),
        sizes=finding.sizes,
    )


def _nodes(holders: Sequence[Holder], whole: int) -> tuple[HolderNode, ...]:
    """The tree without its thin branches."""
    least = max(1.0, 0.01 * whole)
    left = _MAX_NODES

    def kept(branch: Sequence[Holder]) -> tuple[HolderNode, ...]:
        nonlocal left
        nodes = []
        for each in branch:
            if each.member_count < least or left <= 0:
                break
            each = _last_static(each)
            left -= 1
            below = kept(each.children)
            nodes.append(HolderNode(printable(each.label), each.member_count, each.retained_bytes, below))
        return tuple(nodes)

    return kept(holders)


_STATIC = " (static)"


def _from_static(line: str) -> str:
    """A path from a GC root without what lies before its last static field, which only keeps the class."""
    count, times, way = line.partition(" x ")
    steps = way.split(" -> ")
    last = max((place for place, step in enumerate(steps) if step.endswith(_STATIC)), default=0)
    return f"{count}{times}{' -> '.join(steps[last:])}"


def _last_static(holder: Holder) -> Holder:
    """The same for a tree, as far as it has a single branch."""
    statics = [step for step in holder.chain()[1:] if step.label.endswith(_STATIC)]
    return statics[-1] if statics else holder


def _file_systems(group: FileSystemGroup) -> FileSystemGroup:
    """The same with its texts printable, and masked where they may be secret."""
    return replace(
        group,
        class_name=printable(group.class_name),
        scheme=_shown(group.scheme),
        authority=_shown(group.authority),
        user=_shown(group.user),
        authentication=_shown(group.authentication),
        ticket_cache=_shown(scrub(group.ticket_cache)),
    )


def _shown(text: str) -> str:
    """A text of the heap; empty where redaction left zeros of it."""
    return printable(text) if text.strip("\0") else ""


def _value(reading: Reading, show_secrets: bool) -> Value:
    value = reading.value if show_secrets else mask_value(reading.name, reading.value)
    return Value(printable(reading.name), printable(value), printable(reading.source))


def _how_it_rises(rising: Rising) -> str:
    steps = f"{format_bytes(rising.first_bytes)} -> {format_bytes(rising.last_bytes)}"
    if rising.is_slowing:
        return (
            f"ever more slowly, {steps}: a cache that fills does so, and so does a leak under less and less "
            "load; more snapshots under the same load will tell"
        )
    return (
        f"from snapshot to snapshot, {steps}: too little of this heap to be called a leak, and no proof that "
        "there is none; more snapshots over a longer time will tell"
    )


def _figures(diagnosis: Diagnosis) -> tuple[str, ...]:
    """The heap in numbers."""
    counts, sizes = diagnosis.object_counts, diagnosis.shallow_bytes
    lines = []
    if len(counts) > 1:
        change = sizes[-1] - sizes[0]
        lines.append(
            f"the whole heap: {format_count(counts[0])} -> {plural(counts[-1], 'object')}, "
            f"{format_bytes(sizes[0])} -> {format_bytes(sizes[-1])} "
            f"({format_bytes(change, signed=True)} over {len(counts)} snapshots)"
        )
    else:
        lines.append(f"the whole heap: {plural(counts[0], 'object')}, {format_bytes(sizes[0])}")
    if diagnosis.without_texts:
        lines.append(
            "the strings of this dump are zeros (it was redacted): known leaks that show by values cannot be "
            "seen in it; diagnose the dump itself, where it lies"
        )
    is_unled = not diagnosis.is_leak and not diagnosis.rising
    if diagnosis.growth is not None and is_unled and diagnosis.growth.forecasts:
        lines.append(
            "the heap grows all the same (see 'heapscope growth'), but no class and no field leads it: so it "
            "is not said when it would be full"
        )
    elif is_unled and diagnosis.has_heap_grown:
        lines.append(
            "the heap has grown all the same (see 'heapscope growth'), and no class and no field of the "
            "program leads it: no proof that nothing leaks; more snapshots over a longer time will tell"
        )
    lines += [f"{printable(each.name)} rises {_how_it_rises(each)}" for each in diagnosis.rising[:_RISING]]
    lines += [describe_group(_file_systems(group)) for group in diagnosis.groups]
    if diagnosis.off_heap is not None:
        large = [use for use in diagnosis.off_heap.uses if use.kind != MAPPED and is_large(use)]
        lines += [f"outside of the heap: {use_line(use)}" for use in large[:_OUTSIDE]]
    if diagnosis.resident is not None:
        lines += resident_lines(diagnosis.resident)
    return tuple(lines)


def describe_group(group: FileSystemGroup) -> str:
    """A group of file systems in one sentence."""
    where = f"{group.scheme}://{group.authority}" if group.scheme else "a cluster that the heap does not name"
    held = []
    if group.cached_count:
        held.append(f"{format_count(group.cached_count)} in FileSystem.CACHE")
    if group.handle_record_count:
        handles = plural(group.handle_record_count, "JNI handle")
        held.append(f"{format_count(group.handle_count)} held by native code ({handles})")
    login = f", {group.authentication}" if group.authentication else ""
    ticket = f", ticket cache {group.ticket_cache}" if group.ticket_cache else ""
    return (
        f"{plural(group.file_system_count, 'file system')} ({group.class_name.rpartition('.')[2]}) "
        f"for {where}, user {group.user or 'unknown'}{login}{ticket}: {plural(group.subject_count, 'login')}"
        f"{'; ' if held else ''}{', '.join(held)}; {format_bytes(group.retained_bytes)}"
    )


def plain_lines(section: DiagnosisSection, width: int = 80) -> list[str]:
    """The diagnosis in plain words, for a terminal or a ticket."""
    lines = textwrap.wrap(section.headline, width)
    if section.runs_out:
        lines += textwrap.wrap(f"If it goes on, {section.runs_out[0]}.", width)
    if not section.findings:
        lines += [""]
        lines += [row for each in section.figures for row in bullet_lines(each, width)]
    if section.owners:
        said = "What holds the heap now; so few snapshots show what is large, not what grows:"
        lines += ["", *textwrap.wrap(said, width)]
        lines += [row for each in section.owners for row in bullet_lines(each.text, width)]
    if section.next_steps:
        said = "To see what grows, let the process work for a while, then take the next snapshot:"
        lines += ["", *textwrap.wrap(said, width), *(f"  {step}" for step in section.next_steps)]
    for finding in section.findings:
        lines += ["", *_finding_lines(finding, width, is_first=finding is section.findings[0])]
    if section.steady:
        lines += ["", "Looked like a known leak, but no growth was seen:"]
        lines += [row for each in section.steady for row in bullet_lines(each, width)]
    return lines


def _finding_lines(finding: FindingSection, width: int, is_first: bool) -> list[str]:
    lines = [] if is_first else [*textwrap.wrap(finding.title, width), ""]
    rows = [
        ("What", f"{finding.what} ({finding.class_name})"),
        ("Where", finding.owner),
        ("Since", finding.began),
        ("Growth", finding.speed),
        ("Sure?", SURENESS[finding.confidence]),
    ]
    lines += [row for label, text in rows if text for row in labelled_lines(label, text, width)]
    for title, texts in (
        ("Why it happens", [finding.why]),
        ("What to do", [f"{number}. {step}" for number, step in enumerate(finding.cure, 1)]),
        ("What you should see then", [finding.healthy]),
    ):
        lines += ["", title]
        lines += [row for text in texts for row in indented_lines(text, width)]
    if finding.held_by:
        lines += ["", "What holds them"]
        lines += [row for each in finding.held_by for row in way_lines(each, width)]
    lines += ["", "How we know"]
    known = [*finding.evidence]
    known += [describe_group(group) for group in finding.file_systems]
    known += [f"{each.name}={each.value} (from {each.source})" for each in finding.values]
    lines += [row for each in known for row in bullet_lines(each, width)]
    if finding.affected:
        lines += ["", "Known to be affected"]
        lines += [row for each in finding.affected for row in bullet_lines(each, width)]
    if finding.unverified:
        lines += ["", "Not verified"]
        lines += [row for each in finding.unverified for row in bullet_lines(each, width)]
    if finding.sources:
        lines += ["", "Read on"]
        lines += [f"  {each.label}: {each.url}" for each in finding.sources]
    lines += ["", f"Known leak: {finding.id}"] if finding.sources else []
    return lines


def _no_growth(counts: Sequence[int | None]) -> str:
    """Why figures of what looked like a known leak are no leak."""
    known = [count for count in counts if count is not None]
    if len(known) > 1 and known[-1] <= known[0]:
        return "no growth"
    return "too few snapshots to tell whether it grows" if len(known) < MIN_SNAPSHOTS else "no steady growth"


def _steps(counts: Sequence[int | None]) -> str:
    return " -> ".join("?" if count is None else format_count(count) for count in few(counts))


def few(counts: Sequence[int | None]) -> list[int | None]:
    """At most eight of many, the first and the last among them."""
    if len(counts) <= 8:
        return list(counts)
    return [counts[round(i * (len(counts) - 1) / 7)] for i in range(8)]


def _rounded(value: float) -> str:
    """With three significant digits; below one an hour with two."""
    return f"{value:.2g}" if 0 < abs(value) < 1 else format_count(float(f"{value:.3g}"))
