"""How much of a broken dump could be read, and what is uncertain because of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of the inflated dump that could not be read."""

    offset: int
    length: int
    problem: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read of a dump that is not whole.

    Attributes
    ----------
    read_bytes : int
        Bytes of the records that were read, of all kinds.
    expected_bytes : int
        How long the dump was to be, as far as its own records tell; a lower bound where
        `is_end_known` is false, because what a killed writer had not written yet is unknown.
    is_end_known : bool
    gaps : tuple of Gap
        What was left out, in order.
    parts : int
        Files of an unmerged parallel dump that were read with it.
    object_count : int
        Objects whose records are whole.
    unknown_class_objects : int
        Objects of classes that were not read: they have no fields here, and no size but that of arrays.
    unnamed_classes : int
        Classes that were read, but not their names: so with the file of a killed parallel dump.
    broken_chain_classes : int
        Classes whose superclass was not read: their objects miss the fields of it.
    duplicate_objects : int
        Records left out because an earlier one has the same address.
    has_roots : bool
        Whether a GC root was read; JDKs before 25 write them last.
    dangling_references : int or None
        References to objects that were not read (a whole dump has a few, too); None: not counted.
    """

    read_bytes: int
    expected_bytes: int
    is_end_known: bool
    gaps: tuple[Gap, ...]
    parts: int
    object_count: int
    unknown_class_objects: int
    unnamed_classes: int
    broken_chain_classes: int
    duplicate_objects: int
    has_roots: bool
    dangling_references: int | None = None

    @property
    def share(self) -> float:
        """Share of the dump that was read, 0 to 1; at most, where the end is not known."""
        return min(1.0, self.read_bytes / self.expected_bytes) if self.expected_bytes else 0.0

    @property
    def summary(self) -> str:
        """``partial dump: at most 37.5 % read``."""
        told = describe_share(self.read_bytes, self.expected_bytes, self.is_end_known, self.object_count)
        return f"partial dump: {told}"

    def lines(self) -> list[str]:
        """The summary, what is missing, and what is therefore uncertain."""
        found = [self.summary]
        found += [f"not read: {_place(gap)}: {gap.problem}" for gap in self.gaps[:5]]
        if len(self.gaps) > 5:
            rest = self.gaps[5:]
            found.append(f"not read: {len(rest):,} more places, {sum(g.length for g in rest):,} bytes")
        if self.parts:
            found.append(f"read with {self.parts:,} part{'s' * (self.parts != 1)} that nobody merged")
        found += [f"uncertain: {text}" for text in self.uncertainties()]
        return found

    def uncertainties(self) -> list[str]:
        """What the missing part makes uncertain, a phrase each."""
        found = ["counts and sizes are lower bounds"]
        if self.dangling_references is None:
            found.append("references to objects that were not read lead nowhere")
        elif self.dangling_references:
            count = self.dangling_references
            found.append(f"{_plural(count, 'reference', 's')} to objects that were not read")
        if not self.has_roots:
            found.append("no GC root was read: all classes are taken for roots, threads hold nothing")
        else:
            found.append("GC roots may be missing: what they hold counts as unreachable")
        if count := self.unknown_class_objects:
            found.append(
                f"{_plural(count, 'object', 's')} of classes that were not read: "
                "no names, no fields, and of instances no size"
            )
        if count := self.unnamed_classes:
            found.append(
                f"{_plural(count, 'class', 'es')} whose names were not read, nor all those of fields"
            )
        if count := self.broken_chain_classes:
            found.append(
                f"{_plural(count, 'class', 'es')} whose superclass was not read: "
                "inherited fields are missing, and from the sizes too"
            )
        if count := self.duplicate_objects:
            found.append(f"{_plural(count, 'record', 's')} left out: an earlier one has the same address")
        return found

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "read_share": self.share,
            "read_bytes": self.read_bytes,
            "expected_bytes": self.expected_bytes,
            "is_end_known": self.is_end_known,
            "gap_count": len(self.gaps),
            "gaps": [
                {"offset": gap.offset, "bytes": gap.length, "problem": gap.problem} for gap in self.gaps[:100]
            ],
            "unmerged_parts": self.parts,
            "unknown_class_objects": self.unknown_class_objects,
            "unnamed_classes": self.unnamed_classes,
            "broken_chain_classes": self.broken_chain_classes,
            "duplicate_objects": self.duplicate_objects,
            "has_gc_roots": self.has_roots,
            "dangling_references": self.dangling_references,
            "uncertainties": self.uncertainties(),
        }


def describe_share(read_bytes: int, expected_bytes: int, is_end_known: bool, object_count: int) -> str:
    """``at most 37.5 % of it read (1,204 objects)``.

    Parameters
    ----------
    read_bytes, expected_bytes, is_end_known, object_count : see `Coverage`
    """
    percent = 100 * read_bytes / expected_bytes if expected_bytes else 0.0
    # Not all of it is never rounded to all of it.
    text = f"{min(percent, 99.9):.1f}" if percent < 100 else "100"
    return f"{'' if is_end_known else 'at most '}{text} % of it read ({object_count:,} objects)"


def _place(gap: Gap) -> str:
    if not gap.length:
        return f"byte {gap.offset:,}"
    return f"byte {gap.offset:,} to {gap.offset + gap.length:,}"


def _plural(count: int, singular: str, ending: str) -> str:
    return f"{count:,} {singular}{'' if count == 1 else ending}"
