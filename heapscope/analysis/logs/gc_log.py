"""Garbage collectors in trouble, from their logs: ``-Xlog:gc`` (JDK 9 and later) and ``-Xloggc`` (before).

What is read: full collections with the heap before and after (Serial, Parallel, CMS, G1, Shenandoah, ZGC),
and the words for a collector that found no room: to-space exhausted, evacuation failure, promotion failed,
concurrent mode failure, allocation stall.
"""

from __future__ import annotations

import re
from pathlib import Path

from heapscope.analysis.logs.events import Above, Found, size_bytes
from heapscope.analysis.thresholds import LEAST_FREED, NEARLY_FULL
from heapscope.parser.texts.log_lines import LogLine
from heapscope.units import format_bytes

_SIZE = r"(\d+(?:\.\d+)?[BKMG])"
_CHANGE = re.compile(
    rf"(?P<label>[A-Za-z][\w ()-]*: ?)?{_SIZE}(?:\(\d+%\))?(?:\({_SIZE}\))?->"
    rf"{_SIZE}(?:\((?P<percent>\d+)%\))?(?:\({_SIZE}\))?"
)
_UNIFIED = re.compile(
    r"GC\((?P<number>\d+)\) (?P<what>Pause Full|Pause Degenerated GC|(?:Major|Garbage) Collection) ?"
    r"(?P<cause>(?:\((?:[^()]|\(\))*\) ?)*)(?P<rest>.*)$"
)
_OLD = re.compile(r"\[Full GC ?(?:\((?P<cause>(?:[^()]|\(\))*)\))?(?P<rest>.*)$")
_DISTRESS = tuple(
    (re.compile(form), name)
    for form, name in (
        (r"[Tt]o-space exhausted", "to-space exhausted"),
        (r"to-space overflow", "to-space exhausted"),
        (r"Evacuation Failure", "evacuation failure"),
        (r"concurrent mode failure", "concurrent mode failure"),
        (r"concurrent mode interrupted", "concurrent mode interrupted"),
        (r"promotion failed", "promotion failed"),
        (r"Allocation Stall \([^)]+\) [\d.]+ms", "allocation stall"),
        (r"GC\(\d+\) (?:Garbage|Major|Minor) Collection \(Allocation Stall\)", "allocation stall"),
        (r"\bOut Of Memory \(.+\)", "out of memory"),
        (r"Retried waiting for GCLocker too often", "waited for GCLocker too often"),
        (
            r"Cancelling GC: Allocation Failure|Allocation Failure In ",
            "allocation failure during a collection",
        ),
    )
)
_NUMBER = re.compile(r"GC\((\d+)\)")
_GC_LINE = re.compile(r"GC\(\d+\)|\[(?:Full )?GC|\[ParNew|\[CMS|\[gc|\[info|\(to-space|secs\]")
_KEPT = 64


class GcLog(Found):
    """Reads GC logs."""

    wants_all = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._told: list[tuple[str, str]] = []  # trouble and number of the collection

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        text = line.text
        if _GC_LINE.search(text) is None:
            return False
        is_full = self._full(line)
        collection = _NUMBER.search(text)
        number = str(line.number) if collection is None else collection[1]
        for form, name in _DISTRESS:
            if form.search(text):
                if (name, number) not in self._told and not self._is_told_otherwise(name, number):
                    self._told = [*self._told[-_KEPT:], (name, number)]
                    self.add(line, "gc in distress", detail=name)
                return True
        return is_full

    def close(self) -> None:
        """Nothing is kept open."""

    def _is_told_otherwise(self, name: str, number: str) -> bool:
        """G1 says both of one collection: to-space exhausted, and evacuation failure in the pause."""
        same = {"to-space exhausted", "evacuation failure"}
        return name in same and any((other, number) in self._told for other in same)

    def _full(self, line: LogLine) -> bool:
        found = _UNIFIED.search(line.text) or _OLD.search(line.text)
        if found is None:
            return False
        what = found.groupdict().get("what") or "Pause Full"
        if what.endswith("Collection") and "tall" not in (found["cause"] or ""):
            return False  # concurrent, and not forced
        change = next((each for each in _CHANGE.finditer(found["rest"]) if not each["label"]), None)
        if change is None:
            return False  # "[gc,start]": no sizes yet
        before, after = size_bytes(change[2]), size_bytes(change[4])
        capacity = size_bytes(change[6])
        if before is None or after is None:
            return False
        if capacity is None and change["percent"] and int(change["percent"]):
            capacity = round(after * 100 / int(change["percent"]))
        cause = (found["cause"] or "").strip(" ()").replace(") (", ", ") or "no cause given"
        is_useless = (
            bool(capacity)
            and capacity is not None
            and after >= NEARLY_FULL * capacity
            and before - after < LEAST_FREED * capacity
        )
        facts = {"detail": cause, "number": float(after), "before_bytes": before}
        if capacity:
            facts |= {"limit_bytes": capacity, "limit": format_bytes(capacity), "usage_bytes": after}
            facts["usage"] = format_bytes(after)
        self.add(line, "full collection frees nothing" if is_useless else "full collection", **facts)
        return True
