"""The kinds of events that logs tell of memory, as data: one TOML file in ``kinds/`` for each family.

A file has a line ``family = "..."`` and a table ``[[kind]]`` for each kind::

    [[kind]]
    id = "early oom"                      # stable, never reused; what --json says
    title = "earlyoom ended a process before memory ran out"
    is_kill = true                        # a process was ended because of memory
    who = "earlyoom"                      # who ended it
    family = "earlyoom"                   # kinds that report one event in several lines
    repeat_seconds = 60                   # a victim named again within this time is the same event
    needles = ["sending SIGTERM to process"]   # one of them is in every such line: the fast search
    patterns = ['...']                    # what the line is read with; the first that fits
    means = "..."                         # for a reader who sees it the first time
    counts = "..."                        # what counts against the limit
    change = ["..."]                      # settings to change, the most effective first
    reasons = [{ has = "...", means = "..." }]   # what a detail that has this text means
    sources = ["NAME https://..."]        # where the wording is from

Groups of a pattern are named: ``victim`` (who was ended; ``container`` where no more is said), ``usage`` and
``limit`` (sizes as the line writes them), ``detail`` (what tells events of a kind apart), ``exit``,
``number``.  Where one line does not suffice, ``reader`` names who knows the lines around it.  The order of
`log_kinds` is that of the answer: what matters most comes first.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from heapscope.parser.texts.needles import Needles

_FOLDER = Path(__file__).parent / "kinds"
_KEYS: dict[str, type] = {
    "id": str,
    "title": str,
    "reader": str,
    "is_kill": bool,
    "who": str,
    "family": str,
    "repeat_seconds": int,
    "repeat_lines": int,
    "needles": list,
    "patterns": list,
    "means": str,
    "counts": str,
    "change": list,
    "reasons": list,
    "sources": list,
}
# Who was ended and why first, then refusals, then signs, then what only informs.
_FILES = ("system", "containers", "clusters", "java", "gc", "hadoop")
_LAST = ("yarn container ended", "killed by signal", "crash report", "heap dump written")


@dataclass(frozen=True, slots=True)
class LogKind:
    """A kind of events; see the module for the fields."""

    id: str
    title: str
    means: str
    reader: str = "line"
    is_kill: bool = False
    who: str = ""
    family: str = ""
    repeat_seconds: int = 0
    repeat_lines: int = 0
    needles: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    counts: str = ""
    change: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()

    def reason(self, detail: str) -> str:
        """What a detail means; empty where that is not known."""
        return next((means for has, means in self.reasons if has in detail), "")


@cache
def log_kinds() -> dict[str, LogKind]:
    """All kinds by their id, what matters most first."""
    kinds = [kind for name in _FILES for kind in _read(_FOLDER / f"{name}.toml")]
    kinds.sort(key=lambda kind: (not kind.is_kill, kind.id in _LAST))
    return {kind.id: kind for kind in kinds}


@cache
def log_needles(more: tuple[str, ...] = ()) -> Needles:
    """What the lines of all kinds are found by, and more texts beside."""
    texts = {needle for kind in log_kinds().values() for needle in kind.needles}
    return Needles(text.encode() for text in (*texts, *more))


def _read(path: Path) -> list[LogKind]:
    with path.open("rb") as file:
        document = tomllib.load(file)
    return [_kind(table, path) for table in document["kind"]]


def _kind(table: dict[str, Any], path: Path) -> LogKind:
    for key, value in table.items():
        if key not in _KEYS or not isinstance(value, _KEYS[key]):
            raise ValueError(f"{path.name}: {table.get('id')}: {key} is not known, or of the wrong type")
    for key in ("needles", "patterns", "change", "sources"):
        table[key] = tuple(table.get(key, ()))
    table["patterns"] = tuple(re.compile(pattern) for pattern in table["patterns"])
    table["reasons"] = tuple((each["has"], each["means"]) for each in table.get("reasons", ()))
    return LogKind(**table)
