"""A file that holds several snapshots: ``worker.hprof#2`` is the second of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NUMBERED = re.compile(r"(.+)#([1-9]\d{0,8})", re.DOTALL)


def split_number(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """The file, and which of its snapshots is meant, counted from 1; None where the path does not say.

    A file whose own name ends in ``#2`` is meant as a whole.

    Parameters
    ----------
    path : str or path-like
    """
    found = Path(path)
    match = _NUMBERED.fullmatch(found.name)
    if match is None or found.exists():
        return found, None
    base = found.with_name(match[1])
    return (base, int(match[2])) if base.is_file() else (found, None)


def numbered(path: Path, number: int | None) -> Path:
    """The path of one of the snapshots in a file; None leaves the path as it is."""
    return path if number is None else path.with_name(f"{path.name}#{number}")


def no_such(what: str, plural: str, count: int, number: int) -> str:
    """What is wrong with a number above the count of snapshots in a file, and what to do.

    Parameters
    ----------
    what, plural : str
        What the file holds: ``"heap"``, ``"heaps"``.
    count : int
        How many of them.
    number : int
        Which was asked for.
    """
    if count == 1:
        return f"holds one {what}, so there is no number {number:,}; name the file without a number"
    return f"holds {count:,} {plural}, so there is no number {number:,}; name one of 1 to {count:,}"
