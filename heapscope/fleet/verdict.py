"""The verdict on a fleet: which processes leak, grouped by cause, and what tells them from the healthy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heapscope.analysis.verdicts import HEALTHY, LEAK, UNDECIDED
from heapscope.errors import HeapscopeError
from heapscope.fleet.attributes import LOAD, attributes_of
from heapscope.fleet.causes import Cause
from heapscope.fleet.cohorts import (
    FALSE_DISCOVERIES,
    Attribute,
    Cohorts,
    best_possible,
    compare_cohorts,
    picked,
)
from heapscope.fleet.growth_cohorts import GrowthCohorts, compare_growth
from heapscope.fleet.processes import FleetProcess, find_fleet_processes
from heapscope.fleet.selection import facts_of, parse_selection
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from heapscope.fleet.fleet import Fleet
    from heapscope.fleet.folder import Failure

ODD_SHOWN = 10
# Median absolute deviations from the median: of a normal distribution 1 in 1,000 lies so far out.
_ODD = 3.3 * 1.4826
_FEWEST_FOR_ODD = 8
# Heaps that are alike to some bytes have a median deviation of some bytes: less than this is not odd.
_LEAST_ODD = 0.1


@dataclass(frozen=True)
class CauseGroup:
    """Processes that leak for one cause.

    Attributes
    ----------
    cause : Cause
    members : tuple of FleetProcess
        Those that lose most bytes an hour first.
    cohorts : Cohorts
        The members against the others.
    is_against_healthy : bool
        Whether the others were followed long enough to be called healthy; else nothing was found in them.
    """

    cause: Cause
    members: tuple[FleetProcess, ...]
    cohorts: Cohorts
    is_against_healthy: bool


@dataclass(frozen=True)
class Oddity:
    """A process that is unlike the others of its status; ``deviation`` in median absolute deviations."""

    process: FleetProcess
    what: str
    value: float
    median: float
    deviation: float


@dataclass(frozen=True)
class FleetVerdict:
    """What is wrong with a fleet.

    Attributes
    ----------
    processes : tuple of FleetProcess
    groups : tuple of CauseGroup
        The cause of most processes first.
    failures : tuple of Failure
    attribute_count : int
    odd : tuple of Oddity
    growth : GrowthCohorts
        What goes with growth, over all processes, those with too few snapshots for a verdict too.
    path : Path
        The folder of the sketches.
    """

    processes: tuple[FleetProcess, ...]
    groups: tuple[CauseGroup, ...]
    failures: tuple[Failure, ...]
    attribute_count: int
    odd: tuple[Oddity, ...]
    growth: GrowthCohorts
    path: Path

    def count(self, status: object) -> int:
        """Processes of a status."""
        return sum(each.status == status for each in self.processes)

    @property
    def host_count(self) -> int:
        """Hosts that are known."""
        return len({each.host for each in self.processes if each.host})

    @property
    def leaking(self) -> tuple[FleetProcess, ...]:
        """Processes that leak; whose end is nearest first."""
        found = [each for each in self.processes if each.status == LEAK]
        return tuple(sorted(found, key=_end_of))


@dataclass(frozen=True)
class FleetComparison:
    """Two cohorts that were named by hand.

    Attributes
    ----------
    a_name, b_name : str
        As they were written.
    attributes : Cohorts
        What tells them apart.
    outcome : Cohorts
        What they do: whether they leak, how fast the heap grows, how large it is.
    both_count : int
        Processes that both name; they are left out.
    a_judged, b_judged : int
        How many of each have enough snapshots to say whether they leak.
    remarks : tuple of str
        Names and values that no process has: they may be mistyped.
    """

    a_name: str
    b_name: str
    attributes: Cohorts
    outcome: Cohorts
    both_count: int
    a_judged: int
    b_judged: int
    remarks: tuple[str, ...] = ()

    @property
    def can_tell(self) -> bool:
        """Whether a difference could have been told from chance, among the processes that are judged."""
        best = best_possible(self.a_judged, self.b_judged, self.outcome.test_count)
        return best <= FALSE_DISCOVERIES

    @property
    def is_worse(self) -> bool:
        """Whether A leaks, or grows, more than B beyond chance."""
        return any(each.effect > 0 and each.name in (LEAKS, GROWTH) for each in self.outcome.significant)


LEAKS, GROWTH, HEAP = "leaks", "bytes per hour", "heap bytes"
OUTCOME = "outcome"


def judge_fleet(fleet: Fleet, progress: Progress = no_progress) -> FleetVerdict:
    """Which processes leak, why, and what they have in common.

    Raises
    ------
    HeapscopeError
        The fleet has no sketch.
    MissingDependency
    """
    processes = find_fleet_processes(fleet, progress)
    if not processes:
        raise HeapscopeError(f"{fleet.path}: no sketch is there; 'heapscope fleet run' makes them")
    attributes = attributes_of(fleet, processes)
    causes: dict[str, Cause] = {}
    for process in processes:
        for each in process.causes:
            causes.setdefault(each.cause.key, each.cause)
    groups = [_group(cause, processes, attributes) for cause in causes.values()]
    groups.sort(key=lambda each: (-len(each.members), each.cause.key))
    return FleetVerdict(
        tuple(processes),
        tuple(groups),
        tuple(fleet.failures),
        len(attributes),
        tuple(_odd(processes)),
        compare_growth(attributes, np.array(_rates(processes))),
        fleet.path,
    )


def _group(cause: Cause, processes: Sequence[FleetProcess], attributes: Sequence[Attribute]) -> CauseGroup:
    is_member = np.array([each.has(cause.key) for each in processes])
    is_other = np.array([each.status == HEALTHY for each in processes])
    is_against_healthy = bool(is_other.any())
    if not is_against_healthy:
        is_other = np.array([each.status == UNDECIDED for each in processes])
    members = [each for each, is_it in zip(processes, is_member, strict=True) if is_it]
    members.sort(key=lambda each: (-(each.bytes_per_hour.value if each.bytes_per_hour else 0.0), each.label))
    cohorts = _compared(attributes, is_member, is_other)
    return CauseGroup(cause, tuple(members), cohorts, is_against_healthy)


def _compared(attributes: Sequence[Attribute], is_a: np.ndarray, is_b: np.ndarray) -> Cohorts:
    either = is_a | is_b
    return compare_cohorts(picked(attributes, either), is_a[either])


def compare_fleet(
    fleet: Fleet, a: str, b: str | None = None, progress: Progress = no_progress
) -> FleetComparison:
    """Two cohorts named by hand: what tells them apart, and whether A leaks more than B.

    Parameters
    ----------
    fleet : Fleet
    a, b : str
        See `heapscope.fleet.selection`; without ``b`` all that A does not name.

    Raises
    ------
    HeapscopeError
        A name cannot be read, or names no process.
    MissingDependency
    """
    in_a, in_b = parse_selection(a), None if b is None else parse_selection(b)
    processes = find_fleet_processes(fleet, progress)
    facts = facts_of(fleet, processes)
    is_a = np.array([in_a(each) for each in facts], bool)
    is_b = ~is_a if in_b is None else np.array([in_b(each) for each in facts], bool)
    both = is_a & is_b
    is_a, is_b = is_a & ~both, is_b & ~both
    remarks = in_a.remarks(facts) + ([] if in_b is None else in_b.remarks(facts))
    for name, is_it in ((a, is_a), (b or f"not ({a})", is_b)):
        if not is_it.any():
            beside = " that the other does not name too" if both.any() else ""
            why = f": {'; '.join(dict.fromkeys(remarks))}" if remarks else ""
            raise HeapscopeError(
                f"cohort {name!r}: it names none of {len(processes):,} processes{beside}{why}"
            )
    is_judged = np.array([each.status != UNDECIDED for each in processes], bool)
    return FleetComparison(
        a,
        b or f"not ({a})",
        _compared(attributes_of(fleet, processes), is_a, is_b),
        _compared(_outcomes(processes), is_a, is_b),
        int(both.sum()),
        int((is_a & is_judged).sum()),
        int((is_b & is_judged).sum()),
        tuple(dict.fromkeys(remarks)),
    )


def _rates(processes: Sequence[FleetProcess]) -> list[float]:
    return [np.nan if each.bytes_per_hour is None else each.bytes_per_hour.value for each in processes]


def _outcomes(processes: Sequence[FleetProcess]) -> list[Attribute]:
    leaks = [np.nan if each.status == UNDECIDED else float(each.status == LEAK) for each in processes]
    rates = _rates(processes)
    sizes = [float(each.heap_bytes[-1]) for each in processes]
    return [
        Attribute(OUTCOME, LEAKS, np.array(leaks)),
        Attribute(OUTCOME, GROWTH, np.array(rates), is_number=True),
        Attribute(LOAD, HEAP, np.array(sizes), is_number=True),
    ]


def _end_of(process: FleetProcess) -> tuple[float, float, str]:
    at = None if process.forecast is None else process.forecast.at
    rate = process.bytes_per_hour.value if process.bytes_per_hour else 0.0
    return (float("inf") if at is None else at.timestamp(), -rate, process.label)


def _odd(processes: Sequence[FleetProcess]) -> list[Oddity]:
    """Processes whose heap is unlike those of the others of their status."""
    found = []
    for status in dict.fromkeys(each.status for each in processes):
        members = [each for each in processes if each.status == status]
        for what, value_of in (
            (HEAP, lambda each: float(each.heap_bytes[-1])),
            (GROWTH, lambda each: None if each.bytes_per_hour is None else each.bytes_per_hour.value),
        ):
            known = [(each, value) for each in members if (value := value_of(each)) is not None]
            if len(known) < _FEWEST_FOR_ODD:
                continue
            values = np.array([value for _, value in known])
            median = float(np.median(values))
            spread = float(np.median(np.abs(values - median)))
            if spread <= 0:
                continue
            found += [
                Oddity(each, what, value, median, abs(value - median) / spread)
                for each, value in known
                if abs(value - median) > max(_ODD * spread, _LEAST_ODD * abs(median))
            ]
    found.sort(key=lambda each: (-each.deviation, each.process.label))
    return found[:ODD_SHOWN]
