"""Events of which one line says all, read with the patterns of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from heapscope.analysis.logs.catalogue import LogKind
from heapscope.analysis.logs.events import Above, Found, LogEvent, size_bytes
from heapscope.parser.texts.log_lines import LogLine
from heapscope.units import format_bytes

# Lines of one event that name nobody follow at once; of one victim they may come later, undated ones so far.
_NEAR_LINES = 10
_SAME_LINES = 500
_KEPT = 200  # victims of a family that are remembered
SIGNALS = "signal"  # the family of lines that only say that a process was ended


@dataclass(frozen=True, slots=True)
class _Seen:
    kind: str
    victim: str
    line: int
    time: datetime | None


class LineKinds(Found):
    """Reads lines of kinds with patterns."""

    wants_all = False

    def __init__(self, path: Path, kinds: Iterable[LogKind]) -> None:
        super().__init__(path)
        self._kinds = [kind for kind in kinds if kind.patterns]
        self._seen: dict[str, list[_Seen]] = {}
        self._held: tuple[LogEvent, LogKind] | None = None

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        for kind in self._kinds:
            if not any(needle in line.text for needle in kind.needles):
                continue
            for pattern in kind.patterns:
                found = pattern.search(line.text) or pattern.search(line.body)
                if found is not None:
                    self._told(self._event(line, kind, found), kind)
                    return True
        return False

    def close(self) -> None:
        """The log has ended."""
        self._release()

    def _told(self, event: LogEvent, kind: LogKind) -> None:
        held = self._held
        if held is not None and held[1] is kind and held[0].victim == event.victim and _is_foretold(held[0]):
            self._held = None  # the line that was promised says more
        self._release()
        if _is_foretold(event):
            self._held = event, kind
        else:
            self._add_new(event, kind)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._add_new(*held)

    def _add_new(self, event: LogEvent, kind: LogKind) -> None:
        if not self._is_repeated(event, kind):
            self.ready.append(event)
            if kind.is_kill:
                self.note(event, SIGNALS, victim=event.victim)

    def note(self, event: LogEvent, family: str, *, victim: str = "") -> None:
        """Lines of a family may tell of an event again, near it, whatever they call the victim they name."""
        self._seen.setdefault(family, []).append(_Seen(event.kind, victim, event.line, event.time))

    def _event(self, line: LogLine, kind: LogKind, found: re.Match[str]) -> LogEvent:
        part = {key: value for key, value in found.groupdict().items() if value is not None}
        usage, limit = part.get("usage", ""), part.get("limit", "")
        is_virtual = part.get("detail", "").lower() == "virtual"
        if is_virtual and "vusage" in part:
            usage, limit = part["vusage"], part["vlimit"]
        is_decimal = kind.id.startswith("kubernetes")
        number = float(part["number"]) if "number" in part else None
        detail = part.get("detail", "")
        if "exit" in part and not detail:
            detail = part["exit"] if " " in part["exit"] else f"exit code {part['exit']}"
        usage_bytes = size_bytes(usage, is_decimal=is_decimal)
        limit_bytes = size_bytes(limit, is_decimal=is_decimal)
        return self.made(
            line,
            kind.id,
            detail=detail.lower() if detail.isupper() and kind.family == "yarn" else detail,
            number=number,
            victim=_short(part.get("victim") or part.get("container", ""), kind),
            usage=format_bytes(int(usage)) if usage.isdigit() else usage,
            limit=format_bytes(int(limit)) if limit.isdigit() else limit,
            usage_bytes=usage_bytes,
            limit_bytes=limit_bytes,
        )

    def _is_repeated(self, event: LogEvent, kind: LogKind) -> bool:
        """Whether a line tells again what one before it told."""
        seen = self._seen.setdefault(kind.family or kind.id, [])
        now = _Seen(kind.id, event.victim, event.line, event.time)
        del seen[:-_KEPT]
        is_repeated = bool(kind.family) and any(_is_same(each, now, kind) for each in seen)
        if not is_repeated or event.victim:
            seen.append(now)
        return is_repeated


def _is_foretold(event: LogEvent) -> bool:
    """YARN says that a container is over its limit, and on the next line by how much, of which limit."""
    return event.text.find("Process tree for container: ") >= 0


def _is_same(before: _Seen, now: _Seen, kind: LogKind) -> bool:
    apart = now.line - before.line
    if before.victim and now.victim:
        if before.victim != now.victim:
            return False
        if before.time is not None and now.time is not None:
            return abs((now.time - before.time).total_seconds()) <= kind.repeat_seconds
        return apart <= max(_SAME_LINES, kind.repeat_lines)
    if before.time is not None and now.time is not None:
        near = abs((now.time - before.time).total_seconds()) <= max(kind.repeat_seconds, 1)
    else:
        near = True
    return near and apart <= max(_NEAR_LINES, kind.repeat_lines)


def _short(victim: str, kind: LogKind) -> str:
    """Who it was, without the way there: systemd's units are named by path and by name."""
    if kind.family == "systemd":
        return victim.rsplit("/", 1)[-1]
    if kind.family == "spark" or (kind.family == "yarn" and victim.isdigit()):
        return f"executor {victim}" if victim else ""
    return victim
