"""Lines of logs that tell of memory: events, dated where the text has dates.

What is known, and where its wording is from:

- ``java.lang.OutOfMemoryError: REASON`` with its stack (HotSpot ``memAllocator.cpp``, ``java.nio.Bits``);
- thread dumps of ``jstack`` and ``jcmd Thread.print``, which end in ``JNI global refs: N, weak refs: M``
  (since JDK 10; ``JNI global references: N`` before; HotSpot ``jniHandles.cpp``);
- Hadoop at level DEBUG: ``Creating FS URI: duration 0:00.012s`` (``FileSystem.createFileSystem`` with
  ``DurationInfo``, Hadoop 3.3 and later), ``Bypassing cache to create filesystem URI``, and
  ``Login successful for user ... using keytab`` (``UserGroupInformation``);
- ``hs_err_pidN.log`` (HotSpot ``vmError.cpp``);
- the kernel's OOM killer (Linux ``mm/oom_kill.c``), from ``dmesg``, ``journalctl -k`` or syslog.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO, Literal

from heapscope.errors import HeapscopeError

Kind = Literal[
    "out of memory error",
    "file system created",
    "cache bypassed",
    "keytab login",
    "thread dump",
    "jni global references",
    "crash report",
    "native allocation failed",
    "oom killer",
    "heap dump written",
    "known pattern",
]

MAX_LINE = 1 << 16  # bytes of a line that are looked at
_STACK_LINES = 200  # below an OutOfMemoryError in which its first own frame is looked for

_OOM = re.compile(r"java\.lang\.OutOfMemoryError(?:: ?(?P<reason>[^\r\n]*))?")
_FRAME = re.compile(r"^\s+at (?P<frame>[\w.$/@<>-]+\([^)]*\))")
_CREATED = re.compile(r"Creating FS (?P<uri>\S+?)(?:: duration\b.*)?$")
_STARTING = re.compile(r"Starting: Creating FS (?P<uri>\S+)")
_BYPASSED = re.compile(r"Bypassing cache to create filesystem (?P<uri>\S+)")
_KEYTAB = re.compile(r"Login successful for user (?P<user>\S+) using keytab")
_DUMP = re.compile(r"^Full thread dump (?P<vm>.*?):?$")
_THREAD = re.compile(r'^"(?P<name>[^"]*)" ')
_JNI = re.compile(r"^JNI global ref(?:s|erences): (?P<refs>\d+)(?:, weak refs: (?P<weak>\d+))?")
_CRASH = re.compile(r"^# A fatal error has been detected by the Java Runtime Environment")
_NATIVE = re.compile(
    r"Native memory allocation \((?P<how>\w+)\) failed to "
    r"(?:map|allocate|reserve|commit) (?P<bytes>\d+) bytes"
)
_TIME = re.compile(
    r"^[Tt]ime: \w{3} (?P<b>\w{3}) +(?P<d>\d+) (?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d) (?P<y>\d{4})"
)
_KILLED = re.compile(
    r"(?P<scope>Memory cgroup out of memory|Out of memory)[^:]*: "
    r"Kill(?:ed)? process (?P<pid>\d+) \((?P<name>[^)]*)\)"
    r"(?:.*?anon-rss:(?P<rss>\d+)kB)?"
)
_DUMPED = re.compile(r"^(?:Dumping heap to (?P<path>\S+)|Heap dump file created \[(?P<bytes>\d+) bytes)")

_ISO = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)[T ](?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)(?:[.,](?P<f>\d{1,6})\d*)?"
    r"(?P<z>Z|[+-]\d\d:?\d\d)?"
)
_SHORT = re.compile(r"^\[?(?P<y>\d\d)/(?P<m>\d\d)/(?P<d>\d\d) (?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)")
_SYSLOG = re.compile(r"^(?P<b>[A-Z][a-z]{2}) +(?P<d>\d{1,2}) (?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)")
_BOOT = re.compile(r"^(?:<\d+>)?\[ *(?P<s>\d+\.\d+)\]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE_PLACE = 64  # a line's date stands at its beginning


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that a log tells of memory.

    Attributes
    ----------
    kind : str
    path : Path
    line : int
        From 1.
    time : datetime or None
        UTC where the text says a zone, else as it is written; of the line or the last dated one above.
    uptime : float or None
        Seconds since boot or since the JVM began, where that is all there is.
    detail : str
        What tells events of a kind apart: the reason, the URI, the process.
    number : float or None
        References, bytes, threads.
    frame : str
        First frame of the stack, of an OutOfMemoryError.
    text : str
        The line.
    """

    kind: Kind
    path: Path
    line: int
    time: datetime | None
    uptime: float | None
    detail: str
    number: float | None
    frame: str
    text: str


@dataclass
class _Reader:
    """State between the lines of one file."""

    path: Path
    year: int
    patterns: re.Pattern[str] | None
    time: datetime | None = None
    line: int = 0
    thread_count: int = -1  # -1: in no thread dump
    dump_line: int = 0
    pending: LogEvent | None = None  # an OutOfMemoryError whose first frame is to come
    pending_left: int = 0
    has_starts: bool = False


def read_log(path: Path, patterns: re.Pattern[str] | None = None) -> Iterator[LogEvent]:
    """Events of one file, plain or gzip, in its order; memory does not grow with the file.

    Parameters
    ----------
    patterns : compiled expression, optional
        Lines that are events too where nothing else is known of them.

    Raises
    ------
    HeapscopeError
        The file cannot be read, or is no text.
    """
    try:
        year = datetime.fromtimestamp(path.stat().st_mtime, UTC).year
        with path.open("rb") as raw:
            head = raw.read(MAX_LINE)
            raw.seek(0)
            if head.startswith(b"\x1f\x8b"):
                with gzip.open(raw) as file:
                    yield from _events(file, _Reader(path, year, patterns))  # type: ignore[arg-type]
            else:
                reader = _Reader(path, year, patterns)
                if head.startswith(b"#"):  # hs_err: what happened comes before when
                    for line in head.decode("utf-8", "replace").splitlines():
                        if _TIME.match(line):
                            _dated(line, reader)
                            break
                yield from _events(raw, reader)
    except (OSError, EOFError) as error:
        raise HeapscopeError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _events(file: BinaryIO, reader: _Reader) -> Iterator[LogEvent]:
    while raw := file.readline(MAX_LINE):
        rest = raw
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE)):
            pass  # the tail of an overlong line
        reader.line += 1
        if reader.line <= 3 and b"\0" in raw:
            raise HeapscopeError(
                f"{reader.path}: this is no text; explain-log reads logs, "
                "'heapscope diagnose' reads heap dumps"
            )
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        yield from _line(text, reader)
    yield from _flush(reader)


def _line(text: str, reader: _Reader) -> Iterator[LogEvent]:
    uptime = _dated(text, reader)
    frame = _FRAME.match(text)
    if reader.pending is not None:
        if frame is not None:
            yield _with_frame(reader.pending, frame["frame"])
            reader.pending = None
        elif reader.pending_left <= 0 or _OOM.search(text):
            yield from _flush(reader)
        else:
            reader.pending_left -= 1
    if frame is not None:
        return
    made = _recognised(text, reader, uptime)
    if made is None:
        return
    if made.kind == "out of memory error":
        reader.pending, reader.pending_left = made, 2
        return
    yield made


def _flush(reader: _Reader) -> Iterator[LogEvent]:
    if reader.pending is not None:
        yield reader.pending
        reader.pending = None


def _with_frame(event: LogEvent, frame: str) -> LogEvent:
    return LogEvent(
        *(event.kind, event.path, event.line, event.time, event.uptime, event.detail, event.number),
        frame,
        event.text,
    )


def _recognised(text: str, reader: _Reader, uptime: float | None) -> LogEvent | None:
    def event(kind: Kind, detail: str = "", number: float | None = None) -> LogEvent:
        return LogEvent(kind, reader.path, reader.line, reader.time, uptime, detail, number, "", text)

    if reader.thread_count >= 0 and text[:1] == '"' and _THREAD.match(text):
        reader.thread_count += 1
    if "OutOfMemoryError" in text and (found := _OOM.search(text)):
        return event("out of memory error", (found["reason"] or "no reason given").strip())
    if "Creating FS" in text:
        return _created(text, reader, event("file system created"))
    if (found := _BYPASSED.search(text)) is not None:
        return event("cache bypassed", found["uri"])
    if (found := _KEYTAB.search(text)) is not None:
        return event("keytab login", found["user"])
    if (found := _JNI.match(text)) is not None:
        # The thread dump may be missing, in a log that was filtered for these lines, say.
        threads = f"{reader.thread_count} threads" if reader.thread_count >= 0 else "threads not listed"
        made = event("jni global references", threads, float(found["refs"]))
        reader.thread_count = -1
        return made
    if (found := _DUMP.match(text)) is not None:
        reader.thread_count = 0
        return event("thread dump", found["vm"])
    if _CRASH.match(text):
        return event("crash report")
    if (found := _NATIVE.search(text)) is not None:
        return event("native allocation failed", found["how"], float(found["bytes"]))
    if "ut of memory" in text and (found := _KILLED.search(text)):
        scope = "container" if found["scope"].startswith("Memory cgroup") else "machine"
        size = float(found["rss"]) * 1024 if found["rss"] else None  # kB of the kernel are 1,024 bytes
        return event("oom killer", f"{found['name']} ({scope} limit)", size)
    if (found := _DUMPED.match(text)) is not None:
        return event(
            "heap dump written", found["path"] or "", float(found["bytes"]) if found["bytes"] else None
        )
    if reader.patterns is not None and reader.patterns.search(text):
        return event("known pattern")
    return None


def _created(text: str, reader: _Reader, blank: LogEvent) -> LogEvent | None:
    """One event for each file system: Hadoop writes a line before it is made and one after."""
    if (found := _STARTING.search(text)) is not None:
        reader.has_starts = True
        return _named(blank, found["uri"])
    found = _CREATED.search(text)
    return None if found is None or reader.has_starts else _named(blank, found["uri"])


def _named(event: LogEvent, detail: str) -> LogEvent:
    return LogEvent(
        *(event.kind, event.path, event.line, event.time, event.uptime),
        detail,
        event.number,
        event.frame,
        event.text,
    )


def _dated(text: str, reader: _Reader) -> float | None:
    """Take over the date of a line; the seconds since boot where it has only those."""
    head = text[:_DATE_PLACE]
    if (found := _ISO.search(head)) is not None:
        day = int(found["y"]), int(found["m"]), int(found["d"])
        micro = int((found["f"] or "0").ljust(6, "0"))
        reader.time = _moment(day, _clock(found), micro, found["z"])
    elif (found := _SHORT.match(head)) is not None:
        reader.time = _moment((2000 + int(found["y"]), int(found["m"]), int(found["d"])), _clock(found))
    elif (found := _SYSLOG.match(head)) is not None and found["b"] in _MONTHS:
        reader.time = _moment((reader.year, _MONTHS.index(found["b"]) + 1, int(found["d"])), _clock(found))
    elif (found := _TIME.match(text)) is not None and found["b"] in _MONTHS:
        day = int(found["y"]), _MONTHS.index(found["b"]) + 1, int(found["d"])
        reader.time = _moment(day, _clock(found))
    elif (found := _BOOT.match(head)) is not None:
        return float(found["s"])
    return None


def _clock(found: re.Match[str]) -> tuple[int, int, int]:
    return int(found["H"]), int(found["M"]), int(found["S"])


def _moment(
    day: tuple[int, int, int], clock: tuple[int, int, int], micro: int = 0, zone: str | None = None
) -> datetime | None:
    hour, minute, second = clock
    try:
        moment = datetime(*day, hour, minute, min(second, 59), micro, UTC)
        if zone and zone != "Z":
            digits = zone[1:].replace(":", "")
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            moment = moment.replace(tzinfo=timezone(offset if zone[0] == "+" else -offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment
