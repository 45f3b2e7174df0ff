"""From a file, or standard input, to events."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from heapscope.analysis.logs.catalogue import log_kinds, log_needles
from heapscope.analysis.logs.crash_report import CrashReports
from heapscope.analysis.logs.events import Found, LineReader, LogEvent
from heapscope.analysis.logs.gc_log import GcLog
from heapscope.analysis.logs.java_errors import JavaErrors
from heapscope.analysis.logs.kernel_kills import KernelKills
from heapscope.analysis.logs.line_kinds import SIGNALS, LineKinds
from heapscope.analysis.logs.pod_status import PodStatus
from heapscope.analysis.logs.thread_dumps import FileSystems, ThreadDumps
from heapscope.errors import HeapscopeError
from heapscope.parser.texts.log_lines import READ_ERRORS, LogReader, open_log
from heapscope.parser.texts.needles import SHORTEST
from heapscope.progress import Progress, no_progress

STANDARD_INPUT = Path("-")
# Documentation and sources quote what logs say: comments, tables, statements, patterns, formats.
_QUOTED = re.compile(
    r"^\s*(?://|/?\*|[>|] |(?:throw|catch|assert|import|def|func|var|const|return|if)\b|\w+ :?= ?[\[\"'fr])"
    r"|[;{]\s*$|%[sdvqn]\b|\\d[+*]|\(\?[:P]|re\.compile\("
)


def read_log(
    path: Path, patterns: re.Pattern[str] | None = None, progress: Progress = no_progress
) -> Iterator[LogEvent]:
    """Events of one text, plain or gzip, in its order; memory does not grow with the file.

    Parameters
    ----------
    path : Path
        ``-`` is standard input.
    patterns : compiled expression, optional
        Lines that are events too where nothing else is known of them.
    progress : Progress

    Raises
    ------
    HeapscopeError
        The file cannot be read, or is no text.
    """
    try:
        if path == STANDARD_INPUT:
            yield from _events(sys.stdin.buffer, path, datetime.now(UTC).year, 0, patterns, progress)
            return
        with path.open("rb") as file:
            status = path.stat()
            year = datetime.fromtimestamp(status.st_mtime, UTC).year
            yield from _events(file, path, year, status.st_size, patterns, progress)
    except READ_ERRORS as error:
        raise HeapscopeError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _events(
    stream: BinaryIO, path: Path, year: int, size: int, patterns: re.Pattern[str] | None, progress: Progress
) -> Iterator[LogEvent]:
    text = open_log(path, stream)
    total = size if text is stream else 0
    literals = [] if patterns is None else literal_parts(patterns.pattern)
    reads_all = "" in literals  # a pattern of which nothing can be searched for
    needles = log_needles(tuple(literal for literal in literals if literal))
    lines = LogReader(text, path, needles, year, total, progress)
    lines.wants_all = reads_all
    own = LineKinds(path, log_kinds().values())
    kernel = KernelKills(path)
    readers: tuple[LineReader, ...] = (
        *(CrashReports(path), JavaErrors(path), kernel, GcLog(path)),
        *(PodStatus(path), FileSystems(path), ThreadDumps(path), own),
    )
    known = Found(path)
    for line in lines:
        is_quoted = _QUOTED.search(line.body) is not None
        for reader in readers:
            if is_quoted and not reader.wants_all:
                continue
            is_read = reader.take(line, lines.above)
            for event in kernel.named:  # what systemd says next of the unit is the same kill
                own.note(event, SIGNALS)
                own.note(event, "systemd")
            kernel.named.clear()
            if reader.ready:
                yield from _told(reader, own)
            if is_read:
                break
        else:
            if patterns is not None and patterns.search(line.text):
                yield known.made(line, "known pattern")
        lines.wants_all = reads_all or any(reader.wants_all for reader in readers)
    for reader in readers:
        reader.close()
        yield from _told(reader, own)


def _told(reader: LineReader, own: LineKinds) -> list[LogEvent]:
    events, reader.ready = reader.ready, []
    if reader is not own:
        for event in events:
            if log_kinds()[event.kind].is_kill:
                own.note(event, SIGNALS)
            if event.kind == "oom killer":
                own.note(event, "systemd")
    return events


def literal_parts(pattern: str) -> list[str]:
    """A text for each alternative of a pattern that every match of it has; empty where none can be told."""
    found = []
    for alternative in _alternatives(pattern):
        plain = re.sub(r"\\([^\w\s])", lambda match: chr(0xE000 + ord(match[1])), alternative)
        pieces = re.split(r"\\.|\[[^\]]*\]|\([^)]*\)|.[*?]|.\{[^}]*\}|[.^$|()+]", plain)
        texts = [
            re.sub("[\ue000-\ue0ff]", lambda match: chr(ord(match[0]) - 0xE000), text) for text in pieces
        ]
        best = max(texts, key=len, default="")
        found.append(best if len(best.encode()) >= SHORTEST else "")
    return found


def _alternatives(pattern: str) -> list[str]:
    """The parts between bars that stand outside of all brackets; groups around a whole part go."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "|" and depth == 0:
            parts.append(pattern[start:at])
            start = at + 1
        at += 1
    parts.append(pattern[start:])
    stripped = []
    for part in parts:
        whole = re.fullmatch(r"\(\?:(.*)\)", part, re.DOTALL)
        stripped.append(whole[1] if whole else part)
    return stripped
