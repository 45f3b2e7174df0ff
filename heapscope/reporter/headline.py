"""The verdict of a report in a sentence and some lines; what it says was decided by the analysis.

Whether there is a leak is the diagnosis's answer, whether something grows that of
`heapscope.analysis.growth.growth.Growth`.  Here they get words, so that the headline never says what the
sections below do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heapscope.analysis.thresholds import MIN_SNAPSHOTS
from heapscope.analysis.verdicts import GROWS, HEALTHY, JUMPED, LEAK, LEVELLED_OFF, PERHAPS
from heapscope.reporter.rows import ABSENT, SnapshotRow, WatchedClass
from heapscope.reporter.text import format_rate, plural
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.analysis.growth.growth import Growth
    from heapscope.reporter.diagnosis import DiagnosisSection

# Two snapshots of which the second has no more: too few to call a process healthy.
UNDECIDED_STATUS = "undecided"
_HEAP_DOES = {
    GROWS: "the whole heap grows",
    PERHAPS: "the whole heap perhaps grows",
    JUMPED: "the whole heap grew in one jump",
    LEVELLED_OFF: "the whole heap grew, and levels off",
}


def headline(
    diagnosis: DiagnosisSection,
    growth: Growth | None,
    watched: Sequence[WatchedClass],
    *,
    are_asked_for: bool = True,
) -> tuple[str, str]:
    """Status and one plain sentence.

    Parameters
    ----------
    diagnosis : DiagnosisSection
    growth : Growth or None
        The one that the diagnosis rests on; None of one snapshot.
    watched : sequence of WatchedClass
    are_asked_for : bool
        Whether somebody named these classes; else the report chose them.
    """
    if diagnosis.status == LEAK:
        return "leak", diagnosis.headline
    status, sentence = _without_leak(growth, watched, are_asked_for)
    if diagnosis.status != HEALTHY or status == "absent":
        return status, sentence[:1].upper() + sentence[1:]
    joined = f"{diagnosis.headline}, but" if status == "growth" else f"{diagnosis.headline}:"
    return status, f"{joined} {sentence}"


def _without_leak(
    growth: Growth | None, watched: Sequence[WatchedClass], are_asked_for: bool
) -> tuple[str, str]:
    is_absent = are_asked_for and all(one.trend == ABSENT for one in watched)
    if growth is None:
        if is_absent:
            return "absent", "no watched class is in the snapshot"
        return "one snapshot", "one snapshot only: nothing to compare"
    which = ("watched class", "watched classes") if are_asked_for else ("class shown", "classes shown")
    of_classes = f"of {plural(len(watched), *which)}"
    nothing = "no watched class grew" if are_asked_for else "nothing grew"
    growing = sum(one.may_grow for one in watched)
    if growing:
        perhaps = "" if any(one.verdict == GROWS for one in watched) else "perhaps "
        return "growth", f"{growing} {of_classes} {perhaps}{'grows' if growing == 1 else 'grow'}"
    larger = sum(one.is_larger for one in watched)
    if larger:
        return "growth", f"{larger} {of_classes} grew between the two snapshots"
    if growth.has_heap_grown:
        words = _HEAP_DOES.get(growth.whole.shallow.verdict)
        if words is None:
            return "growth", f"{nothing}, but the whole heap did" if are_asked_for else "the whole heap grew"
        return "growth", words
    if is_absent:
        return "absent", "no watched class is in any snapshot"
    if growth.axis.count - growth.axis.skip < MIN_SNAPSHOTS:
        return UNDECIDED_STATUS, "two snapshots are too few to tell whether something grows"
    return "steady", nothing


def verdict_lines(
    rows: Sequence[SnapshotRow],
    diagnosis: DiagnosisSection,
    watched: Sequence[WatchedClass],
    whole_heap: WatchedClass,
) -> tuple[str, ...]:
    """What is said below the headline.

    What was read only in part; of a leak what it is and what to do; a line for each watched class that
    grew (of one snapshot for each that is present) and one for the whole heap.

    Parameters
    ----------
    rows : sequence of SnapshotRow
    diagnosis : DiagnosisSection
    watched : sequence of WatchedClass
    whole_heap : WatchedClass
    """
    lines = [f"{row.name}: {row.uncertain[0]}" for row in rows if row.is_partial]
    if diagnosis.findings:
        first = diagnosis.findings[0]
        lines.append(f"{first.what}: {first.speed}" if first.speed else first.what)
        lines += [f"What to do: {step}" for step in first.cure[:1]]
    if len(rows) == 1:
        lines += [_size_line(one, "instance") for one in watched if one.trend != ABSENT]
        lines.append(_size_line(whole_heap, "object"))
    else:
        lines += [_growth_line(one, "instances") for one in watched if one.may_grow or one.is_larger]
        lines.append(_growth_line(whole_heap, "objects"))
    absent = [one.class_name for one in watched if one.trend == ABSENT]
    if absent:
        lines.append(f"In no snapshot: {', '.join(absent)}")
    return tuple(lines)


def _size_line(one: WatchedClass, unit: str) -> str:
    return f"{one.class_name}: {plural(one.instance_counts[0], unit)}, {format_bytes(one.shallow_bytes[0])}"


def _growth_line(one: WatchedClass, unit: str) -> str:
    return (
        f"{one.class_name}: {format_count(one.instance_counts[0])} -> "
        f"{format_count(one.instance_counts[-1])} {unit} "
        f"({format_rate(one.instance_count_per_unit)} per {one.unit}), "
        f"{format_bytes(one.shallow_bytes[0])} -> {format_bytes(one.shallow_bytes[-1])} "
        f"({format_bytes(one.shallow_bytes_per_unit, signed=True)} per {one.unit})"
    )
