"""Whether the signature of a known leak fits a snapshot, and the evidence for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from heapscope.analysis.leaks.evidence import SnapshotEvidence, chains, entry_count, entry_objects, matches
from heapscope.analysis.leaks.known_leaks import Condition, KnownLeak
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.retention.edge_names import simple_name
from heapscope.units import format_bytes, format_count

THREADS = "threads"
SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a condition: ``holds`` is None where the snapshot cannot tell."""

    condition: Condition
    holds: bool | None
    figure: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """A known leak whose signature fits.

    Attributes
    ----------
    is_whole : bool
        Every condition is known to hold; False where a class histogram could not tell.
    hint_count : int
        Hints that hold.
    outcomes : tuple of Outcome
        The conditions that hold, in the order of the signature.
    """

    leak: KnownLeak
    is_whole: bool
    hint_count: int
    outcomes: tuple[Outcome, ...]


def match(leak: KnownLeak, evidence: SnapshotEvidence) -> Match | None:
    """The leak with its evidence, None where the signature does not fit.

    Conditions are looked at in the order of the signature, and none after one that fails, so a
    signature begins with what is cheap: counts of classes.
    """
    if evidence.graph is None and not leak.class_counts_suffice:
        return None
    if leak.subject.classes and not evidence.names(leak.subject.classes, leak.subject.without):
        return None
    outcomes: list[Outcome] = []
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for condition in leak.signature:
        if condition.for_histograms and evidence.graph is not None:
            continue
        outcome = look(condition, leak, evidence)
        outcomes.append(outcome)
        if condition.any_of:
            groups[condition.any_of].append(outcome)
        elif outcome.holds is False and not condition.is_hint:
            return None
    musts = [
        outcome.holds for outcome in outcomes if not (outcome.condition.is_hint or outcome.condition.any_of)
    ]
    for of_group in groups.values():
        known = [outcome.holds for outcome in of_group]
        musts.append(True if True in known else None if None in known else False)
    if False in musts or True not in musts:
        return None
    holding = tuple(outcome for outcome in outcomes if outcome.holds)
    return Match(
        leak,
        evidence.graph is not None and None not in musts,
        sum(each.condition.is_hint for each in holding),
        holding,
    )


def look(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Outcome:
    """What one condition finds in a snapshot."""
    if evidence.graph is None and not _is_of_classes(condition, leak):
        return Outcome(condition, None, None, "")
    figure, text = _KINDS[condition.kind](condition, leak, evidence)
    if figure is None:
        return Outcome(condition, None, None, "")
    holds = figure >= (condition.at_least if condition.at_least is not None else _least(condition, figure))
    if condition.at_most is not None:
        holds = holds and figure <= condition.at_most
    said = condition.say.format(figure=format_count(round(figure, 1))) if condition.say else text
    return Outcome(condition, holds, figure, said)


def _least(condition: Condition, figure: float) -> float:
    """Where a condition names no number: those of shares have one of their own, others are yes or no."""
    if condition.kind in ("value", "map", "held"):
        return condition.share
    return figure if condition.at_most is not None else 1


def _is_of_classes(condition: Condition, leak: KnownLeak) -> bool:
    """Whether a class histogram can tell."""
    if condition.kind in ("count", "ratio"):
        needs_objects = bool(condition.where) or THREADS in condition.operand
        return not needs_objects and (SUBJECT not in condition.operand or leak.subject.is_of_classes)
    return condition.kind in ("environment", "property")


Found = tuple[float | None, str]


def _count(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    if condition.operand == (SUBJECT,):
        figure = _subject_count(leak, evidence)
        return figure, f"{format_count(figure or 0)} {leak.unit[figure != 1]}"
    figure = evidence.count(condition.operand, condition.texts("except"), condition.where)
    names = " or ".join(name.lstrip("*") for name in condition.operand)
    return figure, f"{format_count(figure or 0)} instances of {names}"


def _subject_count(leak: KnownLeak, evidence: SnapshotEvidence) -> int | None:
    subject = leak.subject
    figure = evidence.count(subject.classes, subject.without)
    if evidence.graph is not None and (not subject.classes or figure):
        figure = evidence.subject(subject)[1]
    return figure


def _ratio(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    def count(name: str) -> int:
        if name == SUBJECT:
            return _subject_count(leak, evidence) or 0
        if name == THREADS:
            return evidence.snapshot.root_counts.get("thread", 0)
        return max(evidence.count([each]) or 0 for each in name.split("|"))

    counts = [count(name) for name in condition.operand]
    figure = counts[0] / max(counts[1], 1)
    first, second = (
        leak.unit[counts[0] != 1] if name == SUBJECT else " or ".join(map(simple_name, name.split("|")))
        for name in condition.operand
    )
    return figure, f"{format_count(counts[0])} {first} for {format_count(counts[1])} {second}"


def _distinct(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    objects = evidence.subject(leak.subject)[0]
    found = evidence.identities(objects, condition.operand[0])
    keys = [evidence.values(objects, path) for path in condition.texts("per")]
    groups: dict[tuple[str, ...], set[Any]] = defaultdict(set)
    for place, value in enumerate(found):
        if value is not None:
            groups[tuple(str(column[place]) for column in keys)].add(value)
    if not groups:
        return 0.0, ""
    key, most = max(groups.items(), key=lambda item: (len(item[1]), item[0]))
    name = condition.operand[0].partition("|")[0].rpartition(".")[2]
    of_one = f" for {', '.join(part for part in key if part != 'None')}" if key else ""
    return float(len(most)), f"{len(most):,} different objects in the field {name}{of_one}"


def _entries(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    best, where = 0, condition.operand[0]
    for location in condition.operand:
        for container in evidence.containers(location, condition.texts("of")):
            size = entry_count(container)
            if size > best:
                best, where = size, location
    owner = condition.texts("of")
    name = f"{simple_name(owner[0].lstrip('*'))}.{where}" if owner else _spoken(where)
    return float(best), f"{format_count(best)} entries in {name}"


def _loaders(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    through, is_alone = condition.options.get("through", ""), condition.options.get("alone", False)
    loaders: set[int] = set()
    for location in condition.operand:
        for container in evidence.containers(location, condition.texts("of")):
            entries = entry_objects(container)
            if through:
                entries = [end for each in entries if (end := each.follow(through)) is not None]
            found = {loader for each in entries if (loader := evidence.loader_of(each)) is not None}
            if is_alone and found:
                # What is retained by the collection is what nothing else holds.
                retained = ObjectSet(container.graph, np.array([container.index], np.int64)).retained()
                found &= set(retained.indices.tolist())
            loaders |= found
    where = _spoken(condition.operand[0])
    if is_alone:
        return float(len(loaders)), f"{len(loaders):,} class loaders that nothing but {where} holds"
    return float(len(loaders)), f"classes of {len(loaders):,} class loaders in {where}"


def _value(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    objects = evidence.subject(leak.subject)[0]
    wanted = condition.options["is"]
    found = matches(evidence.values(objects, condition.operand[0]), wanted)
    number = int(found.sum())
    name = condition.operand[0].partition("|")[0]
    return number / max(len(objects), 1), f"{name} is {wanted} in {number:,} of {len(objects):,}"


def _map(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    objects = evidence.subject(leak.subject)[0]
    key = condition.options["key"]
    number = sum(
        isinstance(each, dict) and key in each for each in evidence.values(objects, condition.operand[0])
    )
    return number / max(len(objects), 1), f"{key} is set in {number:,} of {len(objects):,}"


def _sum(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    of = condition.texts("of")
    objects = evidence.objects(of, (), condition.where) if of else evidence.subject(leak.subject)[0]
    numbers = [
        each for each in evidence.values(objects, condition.operand[0]) if isinstance(each, (int, float))
    ]
    total = float(sum(numbers))
    return total, f"{condition.operand[0]} of {len(numbers):,} adds up to {format_bytes(total)}"


def _held(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    objects = evidence.subject(leak.subject)[0]
    if not objects:
        return 0.0, ""
    found = [
        (text, count)
        for text, count in chains(evidence.merged(objects))
        if any(fnmatchcase(text, pattern) for pattern in condition.operand)
    ]
    number = min(sum(count for _, count in found), len(objects))
    figure = (
        float(number >= condition.options["members"])
        if "members" in condition.options
        else number / len(objects)
    )
    return figure, f"{number:,} of {len(objects):,} held by {found[0][0]}" if found else ""


def _roots(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    without = condition.texts("except") or leak.subject.without
    objects, records = evidence.rooted(condition.operand[0], without, condition.texts("of"))
    if not objects:
        return 0.0, ""
    name = objects[0].class_name
    return float(records), f"{records:,} GC roots of kind {condition.operand[0]} on {len(objects):,} {name}"


def _retained(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    objects = evidence.subject(leak.subject)[0]
    size = objects.retained_bytes() if objects else 0
    share = size / evidence.reachable_bytes
    return share, f"{format_bytes(size)} retained, {share:.1%} of what is reachable"


def _environment(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    return _setting(condition, evidence.environment, "the environment has")


def _property(condition: Condition, leak: KnownLeak, evidence: SnapshotEvidence) -> Found:
    return _setting(condition, evidence.system_properties, "the system properties have")


def _setting(condition: Condition, settings: Any, where: str) -> Found:
    name = condition.operand[0]
    if name not in settings:
        # An empty environment tells nothing: no code of the process ever asked for it.
        return (0.0 if settings else None), ""
    wanted = condition.options.get("is", "*")
    return float(matches([settings[name]], wanted)[0]), f"{where} {name}"


def _spoken(location: str) -> str:
    class_name, _, path = location.partition("|")[0].partition("#")
    return f"{simple_name(class_name.lstrip('*'))}.{path}" if path else class_name


_KINDS: dict[str, Callable[[Condition, KnownLeak, SnapshotEvidence], Found]] = {
    "count": _count,
    "ratio": _ratio,
    "distinct": _distinct,
    "entries": _entries,
    "loaders": _loaders,
    "value": _value,
    "map": _map,
    "sum": _sum,
    "held": _held,
    "roots": _roots,
    "retained": _retained,
    "environment": _environment,
    "property": _property,
}
