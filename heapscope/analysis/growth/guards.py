"""Guards for test suites: no more than so many of a class, no growth of these classes.

A limit reads ``org.apache.hadoop.fs.FileSystem+ <= 3``: a class, a plus where subclasses count, a
comparison, a number.  ``shallow(a.Cache) <= 10MB`` and ``retained(a.Cache+) <= 100MB`` limit bytes; the
retained size is that of the set, exactly.

A guard that names nothing would hold for ever, so a name that no snapshot knows is an error, and so is a text
that may be cut.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from heapscope.analysis.growth.class_names import find_named, known_classes
from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.growth.series import Series
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.thresholds import GUARD_SURE_SNAPSHOTS
from heapscope.analysis.verdicts import GROWS
from heapscope.errors import HeapscopeError
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.heap.object_set import ObjectSet
from heapscope.plain import PlainDict
from heapscope.progress import Progress, no_progress
from heapscope.rich_repr import RichRepr
from heapscope.table import Table
from heapscope.units import format_bytes, format_count, parse_bytes

if TYPE_CHECKING:
    import pandas as pd

    from heapscope.heap.graph.heap_graph import HeapGraph

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


@dataclass(frozen=True, repr=False)
class Checks(PlainDict, RichRepr):
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

    def __repr__(self) -> str:
        return f"<{len(self):,} checks, {len(self.failed):,} do not hold>"

    def __str__(self) -> str:
        return "\n".join(f"{one.outcome}: {one.name}: {one.message}" for one in self.results)

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


def check_limits(
    series: Series,
    limits: Sequence[str],
    *,
    allow_absent: bool = False,
    progress: Progress = no_progress,
) -> Checks:
    """Whether limits hold in every snapshot.

    Parameters
    ----------
    series : Series
    limits : sequence of str
        As `read_guard` reads them.
    allow_absent : bool
        Whether a guard on a class that no snapshot knows holds; else it is an error, for it may be misspelt.
    progress : Progress
        Told how far reading dumps is, where retained sizes are limited.

    Raises
    ------
    ObjectNotFound, AmbiguousName
        A guard names no class, or several.
    HeapscopeError
        A limit cannot be read; a retained size is asked of a class histogram.
    """
    guards = [read_guard(text) for text in limits]
    if not guards:
        return Checks(())
    named = [
        find_named(series, guard.pattern, subclasses=guard.subclasses, allow_absent=allow_absent)
        for guard in guards
    ]
    retained = _retained(series, guards, named, progress)
    results = []
    for guard, names in zip(guards, named, strict=True):
        values = retained.get(guard) or _sums(series, names, 0 if guard.quantity == "count" else 1)
        results.append(_judged(guard, values, series))
    return Checks(tuple(results))


def check_each_once(series: Series) -> None:
    """See that no snapshot is given twice: what does not grow from one to the same again proves nothing.

    Raises
    ------
    HeapscopeError
    """
    seen: set[tuple[str, int]] = set()
    for each in series:
        key = os.path.realpath(each.path), each.number
        if key in seen:
            raise HeapscopeError(f"{each.path}: given twice; give each snapshot once")
        seen.add(key)


def check_whole(series: Series) -> None:
    """Check that no text is cut: a class that it does not have may stand in the part that is missing.

    Raises
    ------
    HeapscopeError
        A class histogram has no Total line.
    """
    cut = [str(one.path) for one in series if one.is_cut]
    if cut:
        raise HeapscopeError(
            f"{', '.join(cut[:3])}: no Total line, so the text may be cut and no guard holds; take the "
            "class histogram again, or pass --partial (partial=True) for what is there"
        )


def _sums(series: Series, names: Sequence[str], quantity: int) -> list[int]:
    """Instances (0) or shallow bytes (1) of classes taken together, in each snapshot."""
    rows = [series.by_class[name][quantity] for name in names]
    return [sum(row[place] for row in rows) for place in range(len(series))]


def _retained(
    series: Series, guards: Sequence[Guard], named: Sequence[Sequence[str]], progress: Progress
) -> dict[Guard, list[int]]:
    """Retained bytes in each snapshot, of the guards that limit them."""
    wanted = {
        guard: names for guard, names in zip(guards, named, strict=True) if guard.quantity == "retained"
    }
    if not wanted:
        return {}
    for snapshot in series:
        if snapshot.kind != DUMP:
            raise HeapscopeError(
                f"{snapshot.path}: a class histogram has no references; {next(iter(wanted)).text!r} takes "
                "heap dumps only"
            )

    def retained_bytes(_: Snapshot, graph: HeapGraph) -> list[int]:
        of_class = np.array([series.name_of(each.name) for each in graph.classes], object)
        sets = (ObjectSet(graph, graph.instances_of(np.isin(of_class, names))) for names in wanted.values())
        return [members.retained_bytes() if len(members) else 0 for members in sets]

    sizes = [each or [] for each in series.of_each_dump(retained_bytes, progress)]
    return {guard: list(of_each) for guard, of_each in zip(wanted, zip(*sizes, strict=True), strict=True)}


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
    hints = [_hint(guard.pattern, series)]
    if not guard.subclasses and not any(values):
        hints.insert(0, _of_subclasses(guard.pattern, series))
    told = f"{guard.shown(max(values))} at most"
    return Checked(guard.text, "passed", told, "; ".join(each for each in hints if each))


def _of_subclasses(pattern: str, series: Series) -> str:
    """That only subclasses of a class have instances, as those of an abstract class do; empty where not."""
    names = find_named(series, pattern, subclasses=True, allow_absent=True)
    most = max(_sums(series, names, 0), default=0)
    if not most:
        return ""
    return f"it has no instance of its own; its subclasses have {most:,}, which count with {pattern}+"


def _hint(pattern: str, series: Series) -> str:
    """What the reader of a guard has to know: a name that was absent and allowed, a text that is cut."""
    hints = []
    wanted = pattern if "*" in pattern or "?" in pattern else series.name_of(pattern)
    if not matching_classes(wanted, known_classes(series), {}, subclasses=False):
        hints.append("no snapshot has such a class")
    if cut := [one.name for one in series if one.is_cut]:
        hints.append(f"incomplete: no Total line in {', '.join(cut[:3])}")
    return "; ".join(hints)


def check_growth(growth: Growth, patterns: Sequence[str], *, allow_absent: bool = False) -> Checks:
    """Whether no class of some patterns grows.

    Of four snapshots or more a class fails that grows (`heapscope.analysis.growth.trends`); of two or three
    one whose instances rise in every step.  A pattern that ends in ``+`` has subclasses too.

    Parameters
    ----------
    growth : Growth
        By class.
    patterns : sequence of str
    allow_absent : bool
        As for `check_limits`.

    Raises
    ------
    ObjectNotFound, AmbiguousName
        A pattern names no class, or several.
    """
    series = growth.snapshots
    steady = growth.axis.count - growth.axis.skip
    results = []
    for pattern in patterns:
        name = pattern.removesuffix("+")
        picked = find_named(series, name, subclasses=pattern.endswith("+"), allow_absent=allow_absent)
        grown = []
        for key in growth.keys:
            counts = key.instance_counts[growth.axis.skip :]
            rises = all(before < after for before, after in pairwise(counts))
            # A leak under less and less load rises ever more slowly, as a cache does that fills.
            may_go_on = key.verdict == GROWS or (rises and key.instances.is_slowing)
            if key.name in picked and (may_go_on or (steady < GUARD_SURE_SNAPSHOTS and rises)):
                grown.append(f"{key.name} {' -> '.join(f'{count:,}' for count in counts[:6])}")
        label = f"no growth of {pattern}"
        if grown:
            more = f" and {len(grown) - 5} more classes" if len(grown) > 5 else ""
            results.append(Checked(label, "failed", "; ".join(grown[:5]) + more))
        else:
            count = f"{len(picked):,} class{'es' * (len(picked) != 1)}"
            results.append(Checked(label, "passed", f"{count} in {steady} snapshots", _hint(name, series)))
    return Checks(tuple(results))
