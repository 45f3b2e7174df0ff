"""What grew in a process: its Java heap, or something else, by samples of its memory.

Each cause leaves its own traces in virtual size, resident size inside and outside of the heap's range,
old generation, metaspace, threads, malloc and native memory tracking; they were measured one by one on
JDK 17 and 25 (``python -m benchmarks.watch_verdicts``).  The verdict is data;
`heapscope.reporter.memory_text` puts it into words.

Confidence is the least of two: how surely the traces name the cause, and how surely it grows, by the length
of the watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from heapscope.analysis.memory.courses import State
from heapscope.plain import PlainDict
from heapscope.rich_repr import RichRepr

Cause = Literal[
    "too early",
    "steady",
    "java heap",
    "garbage",
    "java heap or garbage",
    "class loaders",
    "threads",
    "direct buffers",
    "malloc",
    "native malloc",
    "malloc arenas",
    "native memory",
    "shared memory",
    "mapped files",
]
# What grows and hurts nobody: it makes no verdict less sure, and is named last.
HARMLESS: frozenset[Cause] = frozenset({"garbage", "mapped files"})
# What was seen, finer than the cause: the same cause may be seen in several ways.
Pattern = Literal[
    "too few samples",
    "nothing grew",
    "old generation grew in resident memory",
    "heap grew",
    "heap grew before any collection",
    "garbage filled the heap",
    "heap and garbage grew",
    "classes grew",
    "threads grew",
    "tracked buffers grew",
    "untracked mappings grew",
    "untracked malloc grew",
    "main arena grew",
    "other arenas grew",
    "JVM's native memory grew",
    "untracked native mappings grew",
    "shared memory grew",
    "mapped files grew",
    "grew in an unknown place",
]
Confidence = Literal["high", "medium", "low"]
_ORDER: tuple[Confidence, ...] = ("low", "medium", "high")

CAUSES: dict[Pattern, Cause] = {
    "too few samples": "too early",
    "nothing grew": "steady",
    "old generation grew in resident memory": "java heap",
    "heap grew": "java heap",
    "heap grew before any collection": "java heap or garbage",
    "garbage filled the heap": "garbage",
    "heap and garbage grew": "java heap or garbage",
    "classes grew": "class loaders",
    "threads grew": "threads",
    "tracked buffers grew": "direct buffers",
    "untracked mappings grew": "direct buffers",
    "untracked malloc grew": "malloc",
    "main arena grew": "native malloc",
    "other arenas grew": "malloc arenas",
    "JVM's native memory grew": "native memory",
    "untracked native mappings grew": "native memory",
    "shared memory grew": "shared memory",
    "mapped files grew": "mapped files",
    "grew in an unknown place": "native memory",
}

EvidenceKind = Literal[
    "old generation inside resident memory",
    "old generation",
    "heap range unknown",
    "inside the heap",
    "inside the heap and old generation",
    "inside and outside the heap",
    "no collection yet",
    "few collections",
    "no whole collection",
    "concurrent collections",
    "classes",
    "threads",
    "native memory tracking",
    "malloc",
    "no native memory tracking",
    "shared memory",
    "mapped files",
    "swap",
    "slope",
    "slope of minutes",
    "at most",
    "at most of minutes",
    "levelled off",
    "uneven",
    "short watch",
]


@dataclass(frozen=True, slots=True)
class MemoryEvidence:
    """One thing that was measured, and speaks for a verdict.

    Attributes
    ----------
    kind : str
        One of `EvidenceKind`.
    figures : mapping of str to float
        How much columns of the samples changed (``outside_bytes``: the memory outside of the heap, mapped
        files and shared memory left out); of
        "levelled off" and "uneven", ``bytes`` in the last ``seconds``; of "slope" and "at most" the ends
        of the slope's interval of 95 %, ``low_bytes`` and ``high_bytes``, in an hour, or a minute.
    """

    kind: EvidenceKind
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grower:
    """One thing that grew.

    Attributes
    ----------
    pattern : str
        One of `Pattern`.
    size_bytes : float
        How much of the growth it explains.
    state : str
        Whether it grows still: one of `heapscope.analysis.memory.courses.State`.
    confidence : {"high", "medium", "low"}
    evidence : tuple of MemoryEvidence
    """

    pattern: Pattern
    size_bytes: float
    state: State
    confidence: Confidence
    evidence: tuple[MemoryEvidence, ...]

    @property
    def cause(self) -> Cause:
        """One of `Cause`."""
        return CAUSES[self.pattern]


@dataclass(frozen=True, slots=True, repr=False)
class MemoryVerdict(PlainDict, RichRepr):
    """What grew in one process, and how that is known.

    Attributes
    ----------
    growers : tuple of Grower
        What grew, the largest first; "too early" or "steady" where nothing did.  One at least.
    confidence : {"high", "medium", "low"}
        The least of them; what is harmless (`HARMLESS`) does not count beside others.
    growth_bytes : int
        Of the resident size and what of it was swapped out, from the first samples to the last.
    bytes_per_hour : float or None
    seconds : float
        From the first to the last sample.
    sample_count : int
    changes : mapping of str to float
        Column of the samples: how much it changed; what was not measured is missing.
    """

    pid: int
    growers: tuple[Grower, ...]
    confidence: Confidence
    growth_bytes: int
    bytes_per_hour: float | None
    seconds: float
    sample_count: int
    changes: Mapping[str, float]

    def __repr__(self) -> str:
        return f"<verdict on process {self.pid}: {self.cause}, confidence {self.confidence}>"

    def __str__(self) -> str:
        causes = ", ".join(f"{each.cause} {each.size_bytes / 2**20:+,.0f} MiB" for each in self.growers)
        return f"process {self.pid}: {self.growth_bytes / 2**20:+,.0f} MiB in {self.seconds:,.0f} s: {causes}"

    @property
    def cause(self) -> Cause:
        """Of what grew most."""
        return self.growers[0].cause

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Of all that grew, the largest first."""
        return tuple(dict.fromkeys(grower.cause for grower in self.growers))

    @property
    def pattern(self) -> Pattern:
        """How what grew most was seen."""
        return self.growers[0].pattern

    @property
    def evidence(self) -> tuple[MemoryEvidence, ...]:
        """Of all that grew, each thing once."""
        return tuple({repr(each): each for grower in self.growers for each in grower.evidence}.values())


def least(*given: Confidence) -> Confidence:
    """The lowest of some confidences."""
    return min(given, key=_ORDER.index)


def evidence_of(kind: EvidenceKind, **figures: float) -> tuple[MemoryEvidence, ...]:
    """One thing that was measured."""
    return (MemoryEvidence(kind, figures),)
