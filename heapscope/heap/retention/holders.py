"""Merged paths: who holds the members of a set, as a tree of steps ``Class.field``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.plain import PlainDict
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Holder:
    """A step of merged paths.

    Attributes
    ----------
    label : str
        ``Class.field`` that leads on, or a kind of GC root that members have themselves.
    member_count : int
        Members that are held over this step.
    retained_bytes : int
        What those members retain in the dominator tree, added up.
    example_id : int
        Identifier of one object at this step.
    children : tuple of Holder
        The steps that follow, most members first.
    """

    label: str
    member_count: int
    retained_bytes: int
    example_id: int
    children: tuple[Holder, ...] = ()

    def chain(self) -> list[Holder]:
        """This step and those after it, down to where the ways part or members are left behind."""
        found = [self]
        while len(found[-1].children) == 1 and found[-1].children[0].member_count == self.member_count:
            found.append(found[-1].children[0])
        return found


@dataclass(frozen=True, slots=True, repr=False)
class MergedPaths(PlainDict, RichRepr):
    """Who holds the members of a set, each holder with how many.

    A member with two holders is counted under both, so counts need not add up to
    ``member_count``.

    Attributes
    ----------
    member_count : int
    target : str
        Class of the members, or how many classes they are of.
    holders : tuple of Holder
        First steps of all paths, most members first.
    inner_count : int
        Members that only other members hold.
    lost_counts : dict
        Members that are not held, by category: ``{"unreachable": 3}``.
    """

    member_count: int
    target: str
    holders: tuple[Holder, ...]
    inner_count: int
    lost_counts: dict[str, int]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<paths to {self.member_count:,} objects of {self.target}, {len(self.holders):,} first steps>"

    def to_frame(self) -> pd.DataFrame:
        """A row for each step: ``depth, label, member_count, retained_bytes, example_id, path``."""
        import pandas as pd

        names = ["depth", "label", "member_count", "retained_bytes", "example_id", "path"]
        return pd.DataFrame(list(_steps(self.holders, 0, "")), columns=names)

    def lines(self, limit: int = 8, share: float = 0.01) -> list[str]:
        """As text: a line for each way of holding, ``400 x Cache.map -> HashMap$Node.value -> ...``.

        Parameters
        ----------
        limit : int
            Branches shown at each fork; the others are counted.
        share : float
            Branches that hold less than this share of the members are counted only.
        """
        found: list[str] = []
        _draw(self.holders, self.target, 0, limit, share * self.member_count, found)
        if self.inner_count:
            found.append(f"{self.inner_count:,} x held by other members only")
        found += [f"{count:,} x {category}" for category, count in self.lost_counts.items()]
        return found


def _draw(
    holders: tuple[Holder, ...], target: str, depth: int, limit: int, least: float, found: list[str]
) -> None:
    shown = [holder for holder in holders[:limit] if holder.member_count >= least] or list(holders[:1])
    for holder in shown:
        chain = holder.chain()  # one line
        steps, at = [step.label for step in chain], chain[-1]
        is_own_root = depth == 0 and not at.children and len(steps) == 1 and holder.label in _ROOT_NAMES
        if not at.children and not is_own_root:
            steps.append(target)
        found.append(f"{'  ' * depth}{holder.member_count:,} x {' -> '.join(steps)}")
        _draw(at.children, target, depth + 1, limit, least, found)
    rest = holders[len(shown) :]
    if rest:
        most = rest[0].member_count
        found.append(f"{'  ' * depth}... {len(rest):,} more ways, each with {most:,} or fewer")


_ROOT_NAMES = frozenset(ROOT_KIND_NAMES.values()) | {"system class"}


def _steps(
    holders: tuple[Holder, ...], depth: int, before: str
) -> Iterator[tuple[int, str, int, int, int, str]]:
    """Every step with how deep it lies and the way to it, depth first."""
    for at in holders:
        path = f"{before} -> {at.label}" if before else at.label
        yield depth, at.label, at.member_count, at.retained_bytes, at.example_id, path
        yield from _steps(at.children, depth + 1, path)
