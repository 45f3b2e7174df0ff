"""Guards for test suites: no more than so many of a class, no growth of these classes.

A limit reads ``org.apache.hadoop.fs.FileSystem+ <= 3``: a class, a plus where subclasses count, a
comparison, a number.  ``shallow(a.Cache) <= 10MB`` and ``retained(a.Cache+) <= 100MB`` limit bytes; the
retained size is that of the set, exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.analysis.thresholds import GUARD_SURE_SNAPSHOTS
from heapscope.analysis.verdicts import GROWS
from heapscope.errors import HeapscopeError, ObjectNotFound
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.progress import Progress, no_progress
from heapscope.rich_repr import RichRepr
from heapscope.table import Table
from heapscope.units import format_bytes, format_count, parse_bytes

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["passed", "failed"]
_LIMIT = re.compile(
    r"\s*(?:(count|shallow|retained)\s*\(([^()]*)\)|([^<>=()]*?))\s*(<=|<|==)\s*([^=\s].*?)\s*", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Guard:
    """A limit, read.

    Attributes
    ----------
    text : str
        As it was given.
    quantity : {"count", "shallow", "retained"}
    pattern : str
        A class name, simple name or glob.
    subclasses : bool
    comparison : {"<=", "<", "=="}
    limit : int
        Instances or bytes.
    """

    text: str
    quantity: str
    pattern: str
    subclasses: bool
    comparison: str
    limit: int

    def holds(self, value: int) -> bool:
        """Whether a figure is within the limit."""
        if self.comparison == "==":
            return value == self.limit
        return value < self.limit or (self.comparison == "<=" and value == self.limit)

    def shown(self, value: int) -> str:
        """A figure as text."""
        return format_count(value) if self.quantity == "count" else f"{value:,} bytes ({format_bytes(value)})"


@dataclass(frozen=True, slots=True)
class Checked:
    """A guard, and what the snapshots say.

    Attributes
    ----------
    name : str
        The guard as it was given.
    outcome : {"passed", "failed"}
    message : str
        Figures, of each snapshot that fails or of the last.
    hint : str
        What may be wrong with the guard itself; empty where nothing is known to be.
    """

    name: str
    outcome: Outcome
    message: str
    hint: str = ""

    @property
    def has_passed(self) -> bool:
        """It holds."""
        return self.outcome == "passed"


@dataclass(frozen=True)
class Checks(RichRepr):
    """All guards; true where all hold."""

    results: tuple[Checked, ...]

    def __bool__(self) -> bool:
        return self.has_passed

    def __len__(self) -> int:
        return len(self.results)

    @property
    def has_passed(self) -> bool:
        """All guards hold."""
        return all(one.has_passed for one in self.results)

    @property
    def failed(self) -> tuple[Checked, ...]:
        """The guards that do not hold."""
        return tuple(one for one in self.results if not one.has_passed)

    def to_table(self) -> Table:
        """``name, outcome, message, hint``; a row for each guard."""
        names = ("name", "outcome", "message", "hint")
        return Table({name: [getattr(one, name) for one in self.results] for name in names})

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a DataFrame."""
        return self.to_table().to_frame()


def read_guard(text: str) -> Guard:
    """Read ``org.apache.hadoop.fs.FileSystem+ <= 3``.

    Raises
    ------
    HeapscopeError
        The text is no limit.
    """
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise HeapscopeError(
            f"{text!r} is no limit; write 'a.b.Class+ <= 3' or 'retained(a.b.Class) <= 100MB'"
        )
    quantity, inner, plain, comparison, number = found.groups()
    pattern = (inner if quantity else plain).strip()
    name = pattern.removesuffix("+").strip()
    if not name or re.search(r"\s", name):
        raise HeapscopeError(f"{text!r}: {name!r} is no class name; write 'a.b.Class+ <= 3'")
    quantity = quantity or "count"
    if quantity == "count":
        digits = number.replace(",", "").replace("_", "")
        if not digits.isascii() or not digits.isdigit():
            raise HeapscopeError(f"{text!r}: {number!r} is no number of instances")
        limit = int(digits)
    else:
        try:
            limit = parse_bytes(number)
        except ValueError as error:
            raise HeapscopeError(f"{text!r}: {error}") from None
    return Guard(text.strip(), quantity, name, pattern.endswith("+"), comparison, limit)


def check_limits(series: Series, limits: Sequence[str], progress: Progress = no_progress) -> Checks:
    """Whether limits hold in every snapshot.

    Parameters
    ----------
    series : Series
    limits : sequence of str
        As `read_guard` reads them.
    progress : Progress
        Told how far reading dumps is, where retained sizes are limited.

    Raises
    ------
    HeapscopeError
        A limit cannot be read; a retained size is asked of a class histogram.
    """
    guards = [read_guard(text) for text in limits]
    values: list[list[int]] = [[] for _ in guards]
    for snapshot in series:
        for figures, value in zip(values, _figures(snapshot, guards, series, progress), strict=True):
            figures.append(value)
    return Checks(
        tuple(_judged(guard, figures, series) for guard, figures in zip(guards, values, strict=True))
    )


def _figures(snapshot: Snapshot, guards: Sequence[Guard], series: Series, progress: Progress) -> list[int]:
    rows = {row["class_name"]: row for row in snapshot.histogram.rows()}
    found = []
    retained = [guard for guard in guards if guard.quantity == "retained"]
    sizes = _retained(snapshot, retained, progress) if retained else {}
    for guard in guards:
        if guard.quantity == "retained":
            found.append(sizes[guard])
            continue
        names = matching_classes(guard.pattern, rows, series.superclasses, subclasses=guard.subclasses)
        column = "instance_count" if guard.quantity == "count" else "shallow_bytes"
        found.append(sum(rows[name][column] for name in names))
    return found


def _retained(snapshot: Snapshot, guards: Sequence[Guard], progress: Progress) -> dict[Guard, int]:
    heap = snapshot.open(progress)
    if heap is None:
        raise HeapscopeError(
            f"{snapshot.path}: a class histogram has no references; {guards[0].text!r} takes heap dumps only"
        )
    found = {}
    with heap:
        for guard in guards:
            try:
                members = heap.objects(guard.pattern, subclasses=guard.subclasses)
            except ObjectNotFound:
                found[guard] = 0
            else:
                found[guard] = members.retained_bytes()
    return found


def _judged(guard: Guard, values: Sequence[int], series: Series) -> Checked:
    broken = [
        f"{guard.shown(value)} in {snapshot.name}"
        for value, snapshot in zip(values, series, strict=True)
        if not guard.holds(value)
    ]
    if broken:
        rest = len(broken) - 3
        more = f" and {rest} more snapshot{'s' * (rest > 1)} too" if rest > 0 else ""
        return Checked(guard.text, "failed", ", ".join(broken[:3]) + more)
    most = guard.shown(max(values))
    hint = "" if any(values) else _hint(guard.pattern, series)
    return Checked(guard.text, "passed", f"{most} at most", hint)


def _hint(pattern: str, series: Series) -> str:
    """Where no snapshot knows a class, the guard may be misspelt, and then it always holds."""
    known = {name for one in series for name in one.histogram.column("class_name")}
    known |= series.superclasses.keys()
    if matching_classes(pattern, known, {}, subclasses=False):
        return ""
    near = get_close_matches(pattern, known, n=1, cutoff=0.8)
    return "no snapshot has such a class" + (f"; did you mean {near[0]}?" if near else "")


def check_growth(growth: Growth, patterns: Sequence[str]) -> Checks:
    """Whether no class of some patterns grows.

    Of four snapshots or more a class fails that grows (`heapscope.analysis.growth.trends`); of two or three
    one whose instances rise in every step.  A pattern that ends in ``+`` has subclasses too.

    Parameters
    ----------
    growth : Growth
        By class.
    patterns : sequence of str
    """
    series = growth.snapshots
    steady = growth.axis.count - growth.axis.skip
    results = []
    names = {key.name for key in growth.keys}
    for pattern in patterns:
        picked = matching_classes(
            pattern.removesuffix("+"), names, series.superclasses, subclasses=pattern.endswith("+")
        )
        grown = []
        for key in growth.keys:
            counts = key.instance_counts[growth.axis.skip :]
            rises = all(before < after for before, after in pairwise(counts))
            if key.name in picked and (key.verdict == GROWS or (steady < GUARD_SURE_SNAPSHOTS and rises)):
                grown.append(f"{key.name} {' -> '.join(f'{count:,}' for count in counts[:6])}")
        label = f"no growth of {pattern}"
        if grown:
            more = f" and {len(grown) - 5} more classes" if len(grown) > 5 else ""
            results.append(Checked(label, "failed", "; ".join(grown[:5]) + more))
        else:
            count = f"{len(picked):,} class{'es' * (len(picked) != 1)}"
            hint = "" if picked else _hint(pattern.removesuffix("+"), series)
            results.append(Checked(label, "passed", f"{count} in {steady} snapshots", hint))
    return Checks(tuple(results))
