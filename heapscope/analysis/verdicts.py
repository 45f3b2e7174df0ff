"""The words of every verdict, with one home: what analysis decides, and all others compare with and print.

Each is a text, so that tables, JSON and f-strings have it as it is.
"""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a series of figures does."""

    GROWS = "grows"
    PERHAPS = "perhaps grows"  # rises in every step, of too few snapshots to be sure
    LEVELLED_OFF = "levelled off"  # rose, and does no more, or ever more slowly
    JUMPED = "jumped once"  # one step makes nearly all of the rise
    FLUCTUATES = "fluctuates"
    SHRINKS = "shrinks"
    STEADY = "steady"
    TOO_FEW = "too few"


class Outcome(StrEnum):
    """Where a class grows, of two runs A and B."""

    GONE = "only in A"
    STAYS = "in both"
    UNSURE = "too early to tell"
    NEW = "only in B"


class CureVerdict(StrEnum):
    """Whether a cure worked."""

    FIXED = "fixed"
    NOT_FIXED = "not fixed"
    TOO_EARLY = "too early to tell"


class Status(StrEnum):
    """What a diagnosis found."""

    LEAK = "leak"
    HEALTHY = "no leak found"
    UNDECIDED = "too few snapshots"


class Confidence(StrEnum):
    """How sure a finding is."""

    CERTAIN = "certain"  # the heap shows cause and effect
    LIKELY = "likely"  # everything that was looked at fits
    POSSIBLE = "possible"  # class counts fit, and no more is known


# The same by their short names.
GROWS, PERHAPS, LEVELLED_OFF, JUMPED, FLUCTUATES, SHRINKS, STEADY, TOO_FEW = Verdict
GONE, STAYS, UNSURE, NEW = Outcome
FIXED, NOT_FIXED, TOO_EARLY = CureVerdict
LEAK, HEALTHY, UNDECIDED = Status
CERTAIN, LIKELY, POSSIBLE = Confidence
