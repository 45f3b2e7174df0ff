"""Right or wrong: each answer against the truth, and the totals that are the goals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.verdicts.answers import HEALTHY as NO_LEAK
from benchmarks.verdicts.answers import LEAK, Reading
from benchmarks.verdicts.cases import HEALTHY, KNOWN, UNKNOWN, Case
from benchmarks.verdicts.runs import AGAIN, FIXED, IDLE

RIGHT: Outcome = "right"
UNSURE: Outcome = "unsure"
WRONG: Outcome = "WRONG"
Outcome = Literal["right", "unsure", "WRONG"]
FIXED_VERDICT, NOT_FIXED_VERDICT, TOO_EARLY_VERDICT = "fixed", "not fixed", "too early to tell"
UNDECIDED = "too few snapshots"
SUSPECTS = "1 dump, suspects"
DIAGNOSED = {"1": "1 dump", "2": "2 dumps", "4": "4 dumps", "8": "8 dumps"}
TEXTS = "8 texts"
GARBAGE = "4 with garbage"  # dumps after the cure
LONG = (DIAGNOSED["4"], DIAGNOSED["8"])


@dataclass(frozen=True, slots=True)
class Row:
    """One answer, judged.

    Attributes
    ----------
    program, kind, view : str
        ``view`` is how it was seen: ``"4 dumps"``, ``"8 texts"``, ``"again, 8 dumps"``.
    jdk : int
    reading : Reading
    outcome : {"right", "unsure", "WRONG"}
        ``"unsure"``: it says that it cannot tell where it could.
    why : str
        What is wrong, or what the truth is.
    named_owner, named_class : bool or None
        Whether the truth was named first; None where that was not asked.
    off_heap_bytes : int
    has_program_class : bool
        Of the case.
    """

    program: str
    kind: str
    jdk: int
    view: str
    reading: Reading
    outcome: Outcome
    why: str = ""
    named_owner: bool | None = None
    named_class: bool | None = None
    off_heap_bytes: int = 0
    has_program_class: bool = False


def names_owner(case: Case, reading: Reading) -> bool:
    """Whether the field that a developer opens is named first."""
    return case.owner in reading.owners or (bool(case.other_owner) and case.other_owner in reading.owners)


def names_class(case: Case, reading: Reading, *, of_texts: bool = False) -> bool:
    """Whether what piles up is named first; a lambda by the class that made it will do."""
    right = (*case.classes, *case.text_classes) if of_texts else case.classes
    return reading.class_name.partition("$$Lambda")[0] in right


def names_off_heap(case: Case, reading: Reading) -> bool:
    """Whether the finding says how much lies outside of the Java heap, to a tenth."""
    return abs(reading.off_heap_bytes - case.off_heap_bytes) <= 0.1 * case.off_heap_bytes


def _faults(reading: Reading) -> list[str]:
    """What is wrong in an answer whatever the truth is."""
    return [*reading.contradictions, *reading.mistakes]


def judge(case: Case, jdk: int, view: str, reading: Reading) -> Row:
    """Judge what is said of one process: by ``suspects``, by ``diagnose``."""
    if case.kind == HEALTHY:
        return _healthy(case, jdk, view, reading)
    if case.kind == KNOWN:
        return _known(case, jdk, view, reading)
    return _unknown(case, jdk, view, reading)


def _row(
    case: Case,
    jdk: int,
    view: str,
    reading: Reading,
    outcome: Outcome,
    why: Sequence[str],
    *,
    owner: bool | None = None,
    class_name: bool | None = None,
) -> Row:
    return Row(
        case.name, case.kind, jdk, view, reading, outcome, "; ".join(why), owner, class_name,
        case.off_heap_bytes, case.has_program_class,
    )  # fmt: skip


def _healthy(case: Case, jdk: int, view: str, reading: Reading) -> Row:
    why = []
    if reading.verdict == LEAK:
        why.append(f"healthy, and called leaking: {reading.class_name}")
    elif reading.verdict.startswith("error"):
        why.append(reading.verdict)
    why += [f"a healthy program dies: {each}" for each in reading.deaths]
    why += _faults(reading)
    if view == SUSPECTS:  # something is always largest: no verdict
        return _row(case, jdk, view, reading, RIGHT, ())
    return _row(case, jdk, view, reading, WRONG if why else RIGHT, why)


def _known(case: Case, jdk: int, view: str, reading: Reading) -> Row:
    if view == SUSPECTS:
        return _row(case, jdk, view, reading, RIGHT, ())
    why = _faults(reading)
    if view == TEXTS:  # most signatures need objects: a leak of any name, or that it cannot be told
        if reading.verdict == NO_LEAK:
            return _row(case, jdk, view, reading, UNSURE, [*why, f"leaks: {case.known}"])
        return _row(case, jdk, view, reading, WRONG if why else RIGHT, why)
    if reading.known != case.known:
        why.append(f"is {case.known}")
    return _row(case, jdk, view, reading, WRONG if why else RIGHT, why)


def _unknown(case: Case, jdk: int, view: str, reading: Reading) -> Row:
    why = _faults(reading)
    is_leak = reading.verdict == LEAK
    has_owner = None if view == TEXTS else names_owner(case, reading)
    has_class: bool | None = None
    if view == TEXTS or view in LONG:
        has_class = is_leak and names_class(case, reading, of_texts=view == TEXTS)
        has_owner = has_owner and is_leak
        if not is_leak:
            why.insert(0, "leaks")
        if not has_class:
            why.append(f"the class is {case.classes[0]}")
        if case.off_heap_bytes and view != TEXTS and not names_off_heap(case, reading):
            why.append(f"{case.off_heap_bytes:,} bytes lie outside of the Java heap")
    elif view != SUSPECTS and reading.verdict not in (LEAK, UNDECIDED):
        why.insert(0, "cannot be known to be healthy")
    if has_owner is False:
        why.append(f"the owner is {case.owner}")
    outcome = WRONG if why else RIGHT
    return _row(case, jdk, view, reading, outcome, why, owner=has_owner, class_name=has_class)


def judge_cure(case: Case, jdk: int, run: str, view: str, reading: Reading) -> Row:
    """Judge what ``check --against`` says of an after-run: with the cure, without it, or idle."""
    truth = {FIXED: FIXED_VERDICT, AGAIN: NOT_FIXED_VERDICT, IDLE: TOO_EARLY_VERDICT}[run]
    why = _faults(reading)
    outcome = RIGHT
    if reading.verdict != truth:
        is_open = reading.verdict == TOO_EARLY_VERDICT
        outcome = UNSURE if is_open else WRONG
        why.append(f"is {truth}")
    elif why:
        outcome = WRONG
    return _row(case, jdk, f"{run}, {view}", reading, outcome, why)


@dataclass(frozen=True, slots=True)
class Goal:
    """A total, and what it has to reach."""

    what: str
    hits: int
    of: int
    is_reached: bool
    wanted: str

    def __str__(self) -> str:
        return f"{self.what}: {self.hits} of {self.of} (wanted: {self.wanted})"


def _at_least(what: str, rows: Iterable[bool], share: float, wanted: str) -> Goal:
    hits = list(rows)
    return Goal(what, sum(hits), len(hits), bool(hits) and sum(hits) >= share * len(hits), wanted)


def _at_most(what: str, rows: Iterable[bool], share: float, wanted: str) -> Goal:
    hits = list(rows)
    return Goal(what, sum(hits), len(hits), bool(hits) and sum(hits) <= share * len(hits), wanted)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """The totals of all rows; a goal of which nothing was asked is not reached."""

    def of(kind: str, *views: str) -> list[Row]:
        return [row for row in rows if row.kind == kind and row.view in views]

    cures = [row for row in rows if row.view.startswith((f"{AGAIN}, ", f"{IDLE}, "))]
    cured = [row for row in rows if row.view.startswith(f"{FIXED}, ")]
    dumps = tuple(DIAGNOSED.values())
    healthy = of(HEALTHY, *dumps, TEXTS)
    texts = [row for row in of(UNKNOWN, TEXTS) if row.has_program_class]
    return [
        _at_most(
            '"fixed" while the leak goes on', (r.reading.verdict == FIXED_VERDICT for r in cures), 0, "0"
        ),
        _at_most(
            "healthy called leaking", (r.reading.verdict == LEAK for r in healthy), 0.01, "at most 1 in 100"
        ),
        _at_least(
            "owner's field first from one dump, suspects",
            (bool(r.named_owner) for r in of(UNKNOWN, SUSPECTS)), 0.9, "9 of 10",
        ),
        _at_least(
            "owner's field first from one dump, diagnose",
            (bool(r.named_owner) for r in of(UNKNOWN, DIAGNOSED["1"])), 0.9, "9 of 10",
        ),
        _at_least(
            "owner's field first from four dumps",
            (bool(r.named_owner) for r in of(UNKNOWN, DIAGNOSED["4"])), 1, "all",
        ),
        _at_least("program's class from histograms", (bool(r.named_class) for r in texts), 0.8, "8 of 10"),
        _at_most("date of death for a healthy program", (bool(r.reading.deaths) for r in healthy), 0, "0"),
        _at_least(
            "off-heap leaks found, with their owner and size",
            (r.outcome == RIGHT for r in of(UNKNOWN, *LONG) if r.off_heap_bytes), 1, "all",
        ),
        _at_least(
            "known leaks found",
            (r.outcome == RIGHT for r in of(KNOWN, *dumps)), 1, "10 of 10",
        ),
        _at_most(
            "two different verdicts in one answer", (bool(r.reading.contradictions) for r in rows), 0, "0"
        ),
        _at_most("wrong limits of the heap", (bool(r.reading.mistakes) for r in rows), 0, "0"),
        _at_least(
            'cured and called "fixed" (no goal of its own)',
            (r.reading.verdict == FIXED_VERDICT for r in cured), 0, "as many as can be told",
        ),
        _at_least(
            'of these with garbage in the dumps after (no goal of its own)',
            (r.reading.verdict == FIXED_VERDICT for r in cured if r.view.endswith(GARBAGE)), 0,
            "as many as can be told",
        ),
        _at_most(
            'cured and called "not fixed"', (r.reading.verdict == NOT_FIXED_VERDICT for r in cured), 0, "0"
        ),
        _at_least(
            'goes on and called "not fixed" (no goal of its own)',
            (r.reading.verdict == NOT_FIXED_VERDICT for r in cures if r.view.startswith(AGAIN)), 0,
            "as many as can be told",
        ),
    ]  # fmt: skip
