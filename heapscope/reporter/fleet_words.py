"""What tells the leaking from the healthy, in words."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from heapscope.analysis.verdicts import HEALTHY, LEAK, UNDECIDED
from heapscope.fleet.attributes import (
    AGE,
    AGE_NAME,
    HOST,
    LABEL,
    LIBRARY,
    LOAD,
    OPTION,
    PROPERTY,
    RESIDENT,
    ROLE,
    VARIABLE,
)
from heapscope.fleet.cohorts import Cohorts, Difference
from heapscope.fleet.growth_cohorts import GrowthDifference
from heapscope.fleet.verdict import GROWTH, HEAP, LEAKS, OUTCOME, CauseGroup, FleetComparison, FleetVerdict
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_count, format_duration, format_time

_SHOWN = 6  # differences; the JSON has all
_SAME_SHOWN = 4
_KINDS = {
    VARIABLE: "environment variables",
    PROPERTY: "system properties",
    OPTION: "JVM options",
    LIBRARY: "library versions",
    HOST: "hosts",
    ROLE: "roles",
    LABEL: "labels",
    AGE: "age",
    LOAD: "load",
}


@dataclass(frozen=True)
class Sides:
    """What the two groups are called: ``leaking`` and ``healthy``."""

    a: str
    b: str


def headline(verdict: FleetVerdict) -> str:
    """``37 of 200 processes on 20 hosts leak, for 1 cause``."""
    total = len(verdict.processes)
    hosts = f" on {plural(verdict.host_count, 'host')}" if verdict.host_count else ""
    all_of_them = f"{plural(total, 'process', 'processes')}{hosts}"
    leaking = verdict.count(LEAK)
    if leaking:
        verb = "leaks" if leaking == 1 else "leak"
        causes = plural(len(verdict.groups), "cause")
        return f"{leaking:,} of {all_of_them} {verb}, for {causes}"
    if verdict.count(HEALTHY):
        return (
            f"No leak found in {verdict.count(HEALTHY):,} of {plural(total, 'process', 'processes')}{hosts}"
        )
    return f"Too few snapshots to tell whether any of {plural(total, 'process', 'processes')}{hosts} leaks"


def caveats(verdict: FleetVerdict) -> list[str]:
    """What the reader has to know of the figures."""
    found = [
        "The verdicts come from the class counts and findings in the sketches; 'heapscope diagnose' on the "
        "dumps of one process reads all their objects, and may tell more, or judge otherwise."
    ]
    undecided = verdict.count(UNDECIDED)
    if undecided:
        found.append(
            f"{plural(undecided, 'process has', 'processes have')} too few snapshots to be called leaking or "
            "healthy: fewer than three that can be compared; or the heap has grown, and nothing tells "
            "whether that has ended."
        )
    problems = [each for each in verdict.processes if each.problem]
    if problems:
        found.append(
            f"The snapshots of {plural(len(problems), 'process', 'processes')} could not be compared; "
            f"{problems[0].label}: {problems[0].problem}."
        )
    left_out = sum(each.left_out_count for each in verdict.processes)
    if left_out:
        found.append(
            f"Left out: {plural(left_out, 'snapshot')} read in part, of processes that have two whole ones."
        )
    partial = sum(each.partial_count for each in verdict.processes)
    if partial:
        found.append(f"Read in part: {plural(partial, 'snapshot')}, whose counts are lower bounds.")
    unknown = sum(not each.is_identified for each in verdict.processes)
    if unknown:
        found.append(
            f"{plural(unknown, 'snapshot does', 'snapshots do')} not tell which process "
            f"{'it is' if unknown == 1 else 'they are'} of, and count as one each; --name of "
            "'heapscope fleet run' reads it from the path."
        )
    if verdict.failures:
        found.append(f"Not read, and counted nowhere: {plural(len(verdict.failures), 'file')}.")
    return found


def cohort_words(group: CauseGroup) -> list[str]:
    """What the processes of one cause have in common, a sentence each."""
    b = "healthy" if group.is_against_healthy else "other"
    found = difference_words(group.cohorts, Sides("leaking", b))
    by_class = sum(
        each.cause == group.cause and each.is_by_class for process in group.members for each in process.causes
    )
    if by_class:
        found.append(
            f"In {plural(by_class, 'process', 'processes')} of these only the growing class is known, as "
            "class histograms tell it; that it is held in the same way is what the others suggest."
        )
    if not group.is_against_healthy and group.cohorts.b_size:
        found.append(
            "The others have no finding, but too few snapshots to be called healthy: some may leak as well."
        )
    return found


def growth_words(verdict: FleetVerdict) -> list[str]:
    """What goes with growth and is not named for a cause already, a sentence each."""
    growth = verdict.growth
    named = {(each.kind, each.name) for group in verdict.groups for each in group.cohorts.significant}
    significant = [each for each in growth.significant if (each.kind, each.name) not in named]
    if significant:
        words = [_growth_sentence(each) for each in significant[:_SHOWN]]
        if len(significant) > _SHOWN:
            words.append(
                f"{len(significant) - _SHOWN:,} more attributes go with growth; the JSON report has all."
            )
        return words
    perfect = [each for each in growth.differences if each.is_perfect]
    if growth.significant or growth.can_tell or not perfect:
        return []
    names = ", ".join(f"{each.kind} {each.name}" for each in perfect[:_SHOWN])
    more = len(perfect) - _SHOWN
    return [
        f"Too few to say anything: chance divides {growth.process_count:,} processes like this too often. "
        f"Worth a look, no more: {names}{f' and {more:,} more' if more > 0 else ''}."
    ]


GROWTH_NOTE = (
    "Rates of growth of all processes that have one, whether or not a single one has snapshots enough to be "
    "called leaking or healthy."
)


def _growth_sentence(each: GrowthDifference) -> str:
    faster = (1 + abs(each.effect)) / 2
    word = "faster" if each.effect > 0 else "more slowly"
    also = _together(each)
    return (
        f"Processes that {_verb(each)} grow {word}: median {rate_words(each.with_median)} of "
        f"{each.with_count:,}, against {rate_words(each.without_median)} of {each.without_count:,} without; "
        f"so in {faster:.0%} of pairs (adjusted p = {_p(each.adjusted)}).{also}"
    )


def difference_words(cohorts: Cohorts, sides: Sides) -> list[str]:
    """What tells two groups apart, a sentence each."""
    if not cohorts.a_size or not cohorts.b_size:
        missing = sides.a if not cohorts.a_size else sides.b
        return [
            f"There is no {missing} process to compare with, so nothing can be said of what tells them apart."
        ]
    sizes = f"{cohorts.a_size:,} {sides.a} against {cohorts.b_size:,} {sides.b}"
    if not cohorts.can_tell:
        tests = plural(max(cohorts.test_count, 1), "attribute")
        words = [
            f"Too few to say anything: {sizes}. Chance makes even a perfect difference too often, over "
            f"{tests} (adjusted p = {_p(cohorts.best_possible)} at best)."
        ]
        perfect = [each for each in cohorts.differences if each.is_perfect]
        if perfect:
            names = ", ".join(_plain_name(each) for each in perfect[:_SHOWN])
            more = len(perfect) - _SHOWN
            words.append(
                f"Worth a look, no more: {names}{f' and {more:,} more' if more > 0 else ''} "
                f"{'tells' if len(perfect) == 1 else 'tell'} all of them apart."
            )
        return words
    significant = cohorts.significant
    words = [_sentence(each, sides, cohorts) for each in significant[:_SHOWN]]
    if len(significant) > _SHOWN:
        words.append(f"{len(significant) - _SHOWN:,} more attributes differ; the JSON report has all.")
    if not significant:
        words.append(_nothing(cohorts, sizes))
    same = [_KINDS.get(kind, kind) for kind in cohorts.same][:_SAME_SHOWN]
    if same:
        words.append(f"The same in all processes: {', '.join(same)}.")
    kinds = {each.kind for each in significant}
    unlike = [
        _KINDS[kind]
        for kind in (VARIABLE, OPTION, LIBRARY, HOST, ROLE, AGE, LOAD)
        if kind not in kinds and any(each.kind == kind for each in cohorts.differences)
    ]
    if significant and unlike:
        words.append(f"Not different beyond chance: {', '.join(unlike)}.")
    return words


def _nothing(cohorts: Cohorts, sizes: str) -> str:
    """That no difference is beyond chance; of attributes that could not be, too few have them."""
    if cohorts.test_count:
        compared = plural(cohorts.test_count, "attribute")
        return f"Nothing that is known tells them apart beyond chance: {sizes}, {compared} compared."
    if not cohorts.differences:
        return f"Nothing that is known of them differs: {sizes}."
    kinds = dict.fromkeys(_KINDS.get(each.kind, each.kind) for each in cohorts.differences)
    return (
        f"Nothing that is known tells them apart: {sizes}. They differ in {', '.join(kinds)}, but too few "
        "share any of these to tell it from chance."
    )


def pace_words(group: CauseGroup) -> str:
    """How fast the processes of one cause grow, and which ends first."""
    rates = sorted(each.bytes_per_hour.value for each in group.members if each.bytes_per_hour is not None)
    if not rates:
        return "How fast they grow a single snapshot of each does not tell."
    low, middle, high = (f"{format_bytes(each)}/h" for each in (rates[0], median(rates), rates[-1]))
    if len(group.members) == 1:
        subject = f"It grows by {high}"
    elif low == high:
        subject = f"Each grows by {high}"
    else:
        subject = f"They grow by {low} to {high}, the median by {middle}"
    ends = [(at, each.label) for each in group.members if each.forecast and (at := each.forecast.at)]
    if not ends:
        return f"{subject}; when memory runs out cannot be told."
    first, label = min(ends)
    which = "" if len(group.members) == 1 else f", {label} first"
    return f"{subject}; memory runs out{which} at {format_time(first)}, if that goes on."


def _sentence(difference: Difference, sides: Sides, cohorts: Cohorts) -> str:
    certainty = f"(adjusted p = {_p(difference.adjusted)})"
    if difference.is_number:
        sentence = _number_sentence(difference, sides)
    else:
        sentence = _share_sentence(difference, sides)
    unknown = cohorts.a_size + cohorts.b_size - difference.a_known - difference.b_known
    if unknown:
        sentence += f"; of {unknown:,} it is not known"
    return f"{sentence} {certainty}.{_together(difference)}"


def _together(difference: Difference | GrowthDifference) -> str:
    # That the variable is set says as much as the value that all of them have.
    value = f"{difference.kind} {difference.name.removesuffix(' is set')} = "
    also = [each for each in difference.also if not each.startswith(value)]
    if not also:
        return ""
    more = f" and {len(also) - _SHOWN:,} more" if len(also) > _SHOWN else ""
    return (
        f" Spread in the same way: {', '.join(also[:_SHOWN])}{more}; nothing here tells which of them it is."
    )


def _unknown_side(each: Difference, sides: Sides) -> str:
    """Of which group nobody knows it; empty where it is known of some of both."""
    return "" if each.a_known and each.b_known else sides.b if each.a_known else sides.a


def _share_sentence(each: Difference, sides: Sides) -> str:
    have = _verb(each)
    if side := _unknown_side(each, sides):
        return f"Which processes {have} is known of no {side} process"
    a, b = f"{sides.a} processes", f"{sides.b} ones"
    if each.is_perfect and each.effect > 0:
        return f"All {each.a_known:,} {a} {have}, none of the {each.b_known:,} {b}"
    if each.is_perfect:
        return f"None of the {each.a_known:,} {a} {have}, all {each.b_known:,} {b} do"
    of_a = f"{each.a_count:,} of {each.a_known:,} {a} ({each.a_count / each.a_known:.0%})"
    return f"{of_a} {have}, {each.b_count:,} of {each.b_known:,} {b} ({each.b_count / each.b_known:.0%})"


def _verb(each: Difference | GrowthDifference) -> str:
    name = each.name
    if each.name == LEAKS and each.kind == OUTCOME:
        return "leak"
    if name.endswith(" is set"):
        return f"have {name.removesuffix(' is set')} set"
    if each.kind == HOST:
        return f"run on {name}"
    if each.kind == LIBRARY:
        return f"have {name} loaded or on their class path"
    return f"have {each.kind} {name}"


def _number_sentence(each: Difference, sides: Sides) -> str:
    if side := _unknown_side(each, sides):
        return f"{each.name.capitalize()}: known of no {side} process"
    a_median, b_median = (_amount(each.name, value or 0.0) for value in (each.a_median, each.b_median))
    larger = (1 + each.effect) / 2
    return (
        f"{each.name.capitalize()}: median {a_median} in {sides.a} processes, {b_median} in {sides.b} ones; "
        f"the former is the larger in {larger:.0%} of pairs"
    )


def _amount(name: str, value: float) -> str:
    if name == GROWTH:
        return f"{format_bytes(value, signed=True)}/h"
    if name == AGE_NAME:
        return format_duration(value)
    return format_bytes(value) if name in (HEAP, RESIDENT) else format_count(value)


def _plain_name(each: Difference) -> str:
    return each.name if each.is_number else f"{each.kind} {each.name}"


def _p(value: float) -> str:
    return f"{value:.1g}" if value < 0.001 else f"{value:.3f}"


def comparison_words(found: FleetComparison) -> list[str]:
    """What two cohorts that were named by hand do, and what tells them apart."""
    sides = Sides("A", "B")
    words = [f"A is {found.a_name}: {plural(found.outcome.a_size, 'process', 'processes')}."]
    words.append(f"B is {found.b_name}: {plural(found.outcome.b_size, 'process', 'processes')}.")
    if found.both_count:
        words.append(f"{plural(found.both_count, 'process is', 'processes are')} in both, and left out.")
    words += [f"{each[0].upper()}{each[1:]}." for each in found.remarks]
    for each in found.outcome.differences:
        words.append(_sentence(each, sides, found.outcome))
    if not found.outcome.differences and found.can_tell:
        words.append("They do the same: neither leaks, grows or fills its heap more than the other.")
    return words


def outcome_verdict(found: FleetComparison) -> str:
    """One line: is A worse than B?"""
    if found.is_worse:
        return "A leaks or grows more than B."
    if not found.can_tell:
        of_a = plural(found.outcome.a_size, "process", "processes")
        return (
            f"Too few to tell: {found.a_judged:,} of {of_a} of A and "
            f"{found.b_judged:,} of {found.outcome.b_size:,} of B have enough snapshots; "
            "name larger cohorts, or take more dumps."
        )
    return "A neither leaks nor grows more than B, as far as so many can tell."


def rate_words(bytes_per_hour: float | None) -> str:
    """``+1.2 MB/h``, or nothing."""
    return "" if bytes_per_hour is None else f"{format_bytes(bytes_per_hour, signed=True)}/h"
