"""The order of snapshots that do not say when they were taken: as a person gives it, or by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.analysis.growth.time_source import (
    BESIDE,
    GIVEN_ORDER,
    GUESSED,
    HEADER,
    NAME_ORDER,
    RECORD,
    TEXT,
    UNORDERED,
)
from heapscope.errors import HeapscopeError

Order = Literal["given", "name"]
_CERTAIN = (HEADER, RECORD, TEXT, "sidecar")
_SHOWN = 3


def put_in_order(snapshots: Sequence[Snapshot], order: Order) -> list[Snapshot]:
    """Snapshots as a person orders them; those without a date say so in ``captured_at_source``.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        As they were given.
    order : {"given", "name"}
        Names with numbers are ordered by these: ``run-2`` before ``run-10``.

    A time that was guessed (of a name, of a dump beside) gives way where it does not fit the order: what a
    person says is surer.

    Raises
    ------
    HeapscopeError
        Two snapshots that say when they were taken would lie the wrong way round.
    """
    found = list(snapshots)
    if order == "name":
        found.sort(key=lambda one: _natural(one.name))
    dated = [one for one in found if one.captured_at_source in _CERTAIN]
    for before, after in pairwise(dated):
        if after.captured_at < before.captured_at:
            raise HeapscopeError(
                f"--order {order} puts {before.name} before {after.name}, which says that it was taken "
                "earlier; put the files in order of time and pass --order given"
            )
    timed = [one for one in found if one.captured_at_source in (*_CERTAIN, *GUESSED)]
    fits = all(_in_order(before, after) for before, after in pairwise(timed))
    without = UNORDERED if fits else UNORDERED.union(GUESSED)
    source = GIVEN_ORDER if order == "given" else NAME_ORDER
    return [
        replace(one, captured_at_source=source) if one.captured_at_source in without else one for one in found
    ]


def _in_order(before: Snapshot, after: Snapshot) -> bool:
    # A text and the dump beside it have one time, whichever is named first.
    if BESIDE in (before.captured_at_source, after.captured_at_source):
        return before.captured_at <= after.captured_at
    return before.captured_at < after.captured_at


def check_order(snapshots: Sequence[Snapshot]) -> None:
    """Check that the order of snapshots is known.

    Raises
    ------
    HeapscopeError
        Some of several files have no other time than that of the file, which says when it was copied.
    """
    if len({one.path for one in snapshots}) < 2:
        return
    by_day: dict[datetime, list[str]] = {}
    for one in snapshots:
        if one.captured_at_source == "name":
            by_day.setdefault(one.captured_at, []).append(one.name)
    unknown = [one.name for one in snapshots if one.captured_at_source in UNORDERED]
    unknown += [name for names in by_day.values() if len(names) > 1 for name in names]
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise HeapscopeError(
            f"{', '.join(unknown[:_SHOWN])}{more}: no time of capture inside, in a sidecar, in the name or "
            "in a dump beside it, so the order is not known; pass --order given (as on the command line) or "
            "--order name (order='given' or 'name')"
        )


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that takes digits for numbers."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if part.isdigit() else (0, 0, part) for part in parts]
