"""Whether a cure worked: fixed, not fixed, or too early to tell.

A cure is proved by classes that did not grow, although at the old rate they would have.  These classes
decide: what the diagnosis of the snapshots before named, with what grows with it; else the program's own;
else those of libraries.  Classes of the JDK alone decide nothing: they grow while any program warms up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.comparison import (
    BYTES,
    Compared,
    Comparison,
    common_unit,
    compare,
    compare_key,
    rate_of,
    span,
)
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.load import Dropped, Insertions, Made, why_no_load, why_restarted
from heapscope.analysis.growth.trends import Axis
from heapscope.analysis.thresholds import IN_STEP, MIN_EXPECTED, MIN_SNAPSHOTS
from heapscope.analysis.verdicts import (
    FIXED,
    GROWS,
    NEW,
    NOT_FIXED,
    PERHAPS,
    STAYS,
    TOO_EARLY,
    UNSURE,
    CureVerdict,
)
from heapscope.heap.graph.class_origin import ClassOrigin
from heapscope.heap.graph.class_patterns import matching_classes
from heapscope.plain import plain
from heapscope.rich_repr import RichRepr
from heapscope.table import Table
from heapscope.units import format_bytes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Proof(RichRepr):
    """Whether a cure worked.

    Attributes
    ----------
    verdict : CureVerdict
    reason : str
        Why, with figures.
    comparison : Comparison
        Before against after.
    decisive : tuple of Compared
        The classes that the verdict rests on.
    """

    verdict: CureVerdict
    reason: str
    comparison: Comparison
    decisive: tuple[Compared, ...]

    @property
    def is_fixed(self) -> bool:
        """What grew before does not grow after."""
        return self.verdict == FIXED

    def to_table(self) -> Table:
        """The decisive classes, as `Comparison.to_table` has them."""
        return Comparison(self.comparison.first, self.comparison.second, self.decisive).to_table()

    def __repr__(self) -> str:
        return f"<proof of a cure: {self.verdict}>"

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Verdict, reason and a row for each class, as plain values."""
        return {
            "verdict": plain(self.verdict),
            "reason": plain(self.reason),
            "classes": plain(self.to_table()),
        }

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a DataFrame."""
        return self.to_table().to_frame()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a diagnosis counted that no class histogram counts: before, and by the same measure after.

    Attributes
    ----------
    first, second : KeyGrowth
        Under one name; instances are what ``what`` says.
    what : str
        As `Compared` has it.
    axis : Axis
        Of the figures of ``second``, which may be of some of the snapshots only.
    """

    first: KeyGrowth
    second: KeyGrowth
    what: str
    axis: Axis

    @property
    def has_grown(self) -> bool:
        """Whether it grew before: what did not tells nothing after."""
        return self.first.instances.delta > 0


def prove(
    before: Growth,
    after: Growth,
    patterns: Sequence[str] = (),
    *,
    subjects: Sequence[str] = (),
    measured: Sequence[Measured] = (),
    unmeasured: str = "",
    seen: Growth | None = None,
    insertions: Insertions | None = None,
    dropped: Dropped | None = None,
    made: Made | None = None,
) -> Proof:
    """Whether what grew before still grows after.

    Parameters
    ----------
    before, after : Growth
        By class.
    patterns : sequence of str
        The classes that decide, with subclasses; by default those that ``subjects`` name, and what grows
        with them; else the program's own; else those of libraries.
    subjects : sequence of str
        The classes that a diagnosis of the snapshots before found to leak, the surest first.
    measured : sequence of Measured
        Entries of collections, or bytes of one field, that the diagnosis found to grow.
    unmeasured : str
        What the diagnosis found and neither classes nor ``measured`` tell of; nothing is fixed then.
    seen : Growth, optional
        The snapshots after with their garbage, where ``after`` counts only what the GC roots reach: garbage
        is no leak, but shows that the program works.
    insertions, dropped, made : callable, optional
        See `heapscope.analysis.growth.load.why_no_load`.
    """
    named = _ranks(before, subjects)
    both = compare(before, after, certain=named)
    counted = tuple(
        compare_key(one.first, one.second, one.axis, common_unit(before, after), one.what)
        for one in measured
        if one.has_grown
    )
    both = Comparison(before, after, (*counted, *both.classes))
    grew = tuple(one for one in both.classes if one.outcome != NEW and one not in counted)
    decisive, why = _decisive(before, grew, patterns, named)
    if counted and not patterns:
        is_diagnosed = any(one.name in named for one in decisive)
        in_step = decisive if is_diagnosed else _in_step(counted[0], grew, named)
        decisive, why = (*counted, *in_step), "the diagnosis of before names it"
    if not decisive:
        missing = _not_measured(unmeasured) if unmeasured else _nothing_decides(grew, patterns)
        return Proof(TOO_EARLY, missing, both, ())

    def told(verdict: CureVerdict, reason: str, rest_on: tuple[Compared, ...] = decisive) -> Proof:
        return Proof(verdict, reason, both, rest_on)

    # What goes on outside of what was diagnosed is no cure either.
    own = () if patterns else tuple(o for o in grew if o.origin == ClassOrigin.PROGRAM and o not in decisive)
    stays = [one for one in (*decisive, *own) if one.outcome == STAYS]
    if stays:
        rest_on = (*decisive, *(one for one in own if one.outcome == STAYS))
        still = f"{_classes(stays)} still grow{'s' * (len(stays) == 1)}"
        return told(NOT_FIXED, f"{still}: {_figures(stays[0])}{_by(why, stays[0] in decisive)}", rest_on)
    heap = _heap_still_grows(before, after, both)
    if heap and not patterns:
        goes_on, culprits = heap
        gone = f"{_classes(decisive)} did not grow on, but {goes_on}"
        if culprits and after.whole.shallow.verdict == GROWS:
            return told(NOT_FIXED, f"{gone}; now {_classes(culprits)} grow{'s' * (len(culprits) == 1)}")
        return told(TOO_EARLY, f"{gone}; take more snapshots, and see what grows with 'heapscope growth'")
    unsure = [one for one in decisive if one.outcome == UNSURE]
    steady = after.axis.count - after.axis.skip
    if unsure or (steady < MIN_SNAPSHOTS and decisive[0].unit != "operation"):
        return told(TOO_EARLY, _why_unsure(unsure, before, after))
    if unmeasured:
        return told(TOO_EARLY, _not_measured(unmeasured))
    if missing := _unread(after):
        return told(TOO_EARLY, missing)
    if restarts := why_restarted(after):
        return told(TOO_EARLY, restarts)
    if decisive[0].unit != "operation":
        if new := _new_growth(both, patterns):
            return told(TOO_EARLY, f"{_classes(decisive)} did not grow on, but {new}")
        if unused := why_no_load(before, seen or after, decisive, insertions, dropped, made):
            return told(TOO_EARLY, unused)
    grew_before = f"{_classes(decisive)} grew before, and now do{'es' * (len(decisive) == 1)} not"
    beside = f"; but {heap[0]}" if heap else ""
    return told(FIXED, f"{grew_before}: {_figures(decisive[0])}{_by(why)}{beside}")


def still_leaks(proof: Proof, title: str) -> Proof:
    """A proof of a cure where the diagnosis of the snapshots after finds a leak: too early to tell.

    Parameters
    ----------
    proof : Proof
        Fixed, as far as what leaked before tells.
    title : str
        Of the finding.
    """
    gone = f"{_classes(proof.decisive)} did not grow on"
    reason = f"{gone}, but now the diagnosis says: {title}; it may be the same leak elsewhere"
    return replace(proof, verdict=TOO_EARLY, reason=reason)


def _decisive(
    before: Growth, grew: Sequence[Compared], patterns: Sequence[str], named: dict[str, int]
) -> tuple[tuple[Compared, ...], str]:
    """The classes that a verdict rests on, the most telling first, and what they are."""
    if patterns:
        picked = _ranks(before, patterns)
        return tuple(one for one in grew if one.name in picked), ""
    diagnosed = sorted((one for one in grew if one.name in named), key=lambda one: named[one.name])
    if diagnosed:
        return (*diagnosed, *_in_step(diagnosed[0], grew, named)), "the diagnosis of before names it"
    for origin, words in (
        (ClassOrigin.PROGRAM, "a class of the program"),
        (ClassOrigin.LIBRARY, "a class of a library; none of the program grew"),
    ):
        if found := tuple(one for one in grew if one.origin == origin):
            return found, words
    return (), ""


def _in_step(subject: Compared, grew: Sequence[Compared], named: dict[str, int]) -> list[Compared]:
    """What is not the JDK's and grows at least about as fast as the subject, in instances."""
    if subject.first is None or subject.what == BYTES:
        return []
    least = IN_STEP * subject.first.instances.delta
    return [
        one
        for one in grew
        if one.name not in named
        and one.origin != ClassOrigin.JDK
        and one.first is not None
        and one.first.instances.delta >= least > 0
    ]


def _heap_still_grows(before: Growth, after: Growth, both: Comparison) -> tuple[str, list[Compared]] | None:
    """How the whole heap grows as before, and the classes that now make it grow; None where it does not."""
    unit = both.classes[0].unit if both.classes else "snapshot"
    rate = rate_of(before.whole.shallow, unit)
    skip = after.axis.skip
    sizes = after.whole.shallow_bytes
    grown = sizes[-1] - sizes[skip]
    trend = after.whole.shallow
    if rate is None or rate.value <= 0 or not (trend.verdict in (GROWS, PERHAPS) or trend.is_slowing):
        return None
    expected = rate.value * span(after.axis, unit)
    if not before.whole.may_grow or grown < IN_STEP * expected:
        return None
    new = [one for one in both.classes if one.outcome in (NEW, STAYS) and one.origin != ClassOrigin.JDK]
    return (
        f"the heap grows as before, {format_bytes(grown, signed=True)} where the rate of before gives "
        f"{format_bytes(expected, signed=True)}",
        sorted(new, key=lambda one: 0 if one.second is None else -one.second.shallow.delta),
    )


def _new_growth(both: Comparison, patterns: Sequence[str]) -> str:
    """What grows after alone, and may be the leak under another name; empty where nothing does."""
    new = [
        one
        for one in both.having(NEW)
        if one.origin != ClassOrigin.JDK and one.second is not None and one.grown >= MIN_EXPECTED
    ]
    if not new or patterns:
        return ""
    return (
        f"now {_classes(new)} may grow ({_figures(new[0])}): it may be the "
        "same leak in other classes; take more snapshots, or name what decides with --class"
    )


def _unread(after: Growth) -> str:
    """Why what the snapshots after do not have proves nothing; empty where they were read whole."""
    names = [one.name for one in after.snapshots if not one.is_whole]
    return f"{', '.join(names[:3])}: read in part, and what is missing may grow there" if names else ""


def _ranks(before: Growth, patterns: Sequence[str]) -> dict[str, int]:
    """Classes that a pattern matches, with subclasses, and the place of the first that does."""
    names = {key.name for key in before.keys}
    ranks: dict[str, int] = {}
    for place, pattern in enumerate(patterns):
        for name in matching_classes(pattern, names, before.snapshots.superclasses):
            ranks.setdefault(name, place)
    return ranks


def _classes(some: Sequence[Compared]) -> str:
    rest = len(some) - 1
    return some[0].name + (f" and {rest:,} more class{'es' * (rest > 1)}" if rest else "")


def _figures(one: Compared) -> str:
    if one.what == BYTES:
        grown = format_bytes(one.grown, signed=True)
        return f"{grown} where the rate of before gives {format_bytes(one.expected, signed=True)}"
    return (
        f"{one.grown:+,} {one.what} where the rate of before gives {one.expected:+,.0f}"
        if one.expected
        else f"{one.grown:+,} {one.what}"
    )


def _by(why: str, applies: bool = True) -> str:
    return f" ({why})" if why and applies else ""


def _not_measured(what: str) -> str:
    return (
        f"the diagnosis of before names {what}, which gets larger and not more: class histograms do not tell "
        "whether it still does; take three heap dumps or more of both runs, 4 are better. Where no field but "
        "a thread holds it dumps do not tell either: see what 'heapscope diagnose' says of those after"
    )


def _nothing_decides(grew: Sequence[Compared], patterns: Sequence[str]) -> str:
    if grew and not patterns:
        return (
            f"only classes of the JDK grew before ({_classes(grew)}), as they do while any program warms up; "
            "name what decides with --class, or take snapshots before that show the leak"
        )
    what = f"no class of {', '.join(patterns)}" if patterns else "nothing"
    return f"{what} grew before, so there is nothing to cure; the snapshots before have to show the leak"


def _why_unsure(unsure: Sequence[Compared], before: Growth, after: Growth) -> str:
    for growth, when in ((before, "before"), (after, "after")):
        count = growth.axis.count - growth.axis.skip
        if count < MIN_SNAPSHOTS:
            return f"{count} snapshots {when} the cure; {MIN_SNAPSHOTS} are the least, 4 or more are better"
    one = unsure[0]  # else there were too few snapshots
    if one.expected < MIN_EXPECTED:
        return (
            f"at the rate of before {one.name} would have grown by {one.expected:,.1f} {one.what} only; "
            "let it run longer, or do more work between snapshots"
        )
    return f"{_classes(unsure)} may still grow: {_figures(one)}; take more snapshots"
