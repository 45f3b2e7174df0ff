"""One thing that a log tells of memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from heapscope.parser.texts.log_lines import LogLine

Above = Callable[[int], list[str]]

_SIZE = re.compile(r"([\d.,]*\d) ?([kKmMgGtTpP]?)(i?)[bB]?(?:ytes)?")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that a log tells of memory.

    Attributes
    ----------
    kind : str
        The id of a `LogKind`.
    path : Path
    line : int
        From 1; the first of the event.
    time : datetime or None
        UTC where the text says a zone, else as it is written; of the line or the last dated one above.
    uptime : float or None
        Seconds since boot or since the JVM began, where the line has them.
    detail : str
        What tells events of a kind apart: the reason, the URI, the limit.
    number : float or None
        References, bytes, threads.
    frame : str
        First frame of the stack, of an OutOfMemoryError.
    text : str
        The line.
    victim : str
        Who was ended: a process, a container, an executor.
    usage, limit : str
        Sizes as the line writes them.
    usage_bytes, limit_bytes : int or None
        The same in bytes.
    before_bytes : int or None
        The heap before a garbage collection; ``number`` is the heap after it.
    dump : str
        The path of a heap dump.
    says : str
        More of the event, in words.
    """

    kind: str
    path: Path
    line: int
    time: datetime | None
    uptime: float | None
    detail: str
    number: float | None
    frame: str
    text: str
    victim: str = ""
    usage: str = ""
    limit: str = ""
    usage_bytes: int | None = None
    limit_bytes: int | None = None
    before_bytes: int | None = None
    dump: str = ""
    says: str = ""


@dataclass
class Found:
    """What readers of lines have in common: the events that are ready, and their file."""

    path: Path
    ready: list[LogEvent] = field(default_factory=list)

    def add(self, line: LogLine, kind: str, **facts: Any) -> None:
        """An event of a line is ready."""
        self.ready.append(self.made(line, kind, **facts))

    def made(self, line: LogLine, kind: str, **facts: Any) -> LogEvent:
        """An event of a line."""
        event = {"detail": "", "number": None, "frame": "", "text": line.text, **facts}
        return LogEvent(kind, self.path, line.number, line.time, line.uptime, **event)


class LineReader(Protocol):
    """Knows some kinds of events, of which a line alone does not say enough."""

    ready: list[LogEvent]

    @property
    def wants_all(self) -> bool:
        """Whether it must see every line that follows."""
        ...

    def take(self, line: LogLine, above: Above) -> bool:
        """Look at a line; whether it is explained, so that nobody else need look at it."""
        ...

    def close(self) -> None:
        """The log has ended."""
        ...


def size_bytes(text: str | None, *, is_decimal: bool = False) -> int | None:
    """``5.1 GB``, ``2Gi``, ``512M``, ``2097152kB`` in bytes; a thousand is 1,024 unless ``is_decimal``.

    Hadoop, Spark, Docker and the kernel write GB and mean GiB; Kubernetes writes Gi and G.
    """
    found = _SIZE.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    base = 1000 if is_decimal and found[2] and not found[3] else 1024
    try:
        return round(float(found[1].replace(",", "")) * float(base ** _POWERS[found[2].upper()]))
    except ValueError:
        return None
