"""Class histograms as text: ``jmap -histo[:live]``, ``jcmd PID GC.class_histogram``, JDK 6 to 25, OpenJ9.

What is written where (``memory/heapInspection.cpp`` of HotSpot; ``ObjectHistogram.java`` of
the serviceability agent)::

    4116:                                                        jcmd only
     num     #instances         #bytes  class name (module)      " (module)" since JDK 9
    -------------------------------------------------------
       1:           729          98632  java.lang.Class (java.base@25.0.2)
       2:          2104          83144  [B (java.base@25.0.2)
       3:             1             16  App$$Lambda/0x0000000022080210
    Total         10025         496368

``jhsdb jmap --histo`` (``jmap -F -histo`` up to JDK 8) has tabs, ``Class description``, names
as in Java source, ``Total :``, and chatter around the table.  OpenJ9 has ``num  object count  total size
class name`` (``openj9-docs``, tool_jmap).  A class of several loaders has a row for each.  A log prefix
before each line is accepted: a date, what docker compose and syslog write, or ``-Xlog``
(``[2026-11-23T10:00:00.123+0000][trace][gc,classhisto] GC(3)``).  A table may lack its heading.  A file may
hold several, one below the other: a loop that appends, ``jcmd 0 GC.class_histogram``, a log of
``-XX:+PrintClassHistogramAfterFullGC``. Colours (ECMA-48, section 8.3.117) are taken out before anything is
read.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from heapscope.errors import HistogramError, HprofError
from heapscope.parser.names import decode_modified_utf8, java_name
from heapscope.parser.tags import MAGIC_PREFIX
from heapscope.parser.texts.class_stats import is_class_stats, read_class_stats
from heapscope.parser.unpacking import PackingError, Unpacked

MAX_TEXT_BYTES = 256 << 20  # two million classes; more is no class histogram

# docker compose's ``app-1  | ``, syslog's ``Nov 23 10:00:00 host java[4711]: ``, a date, what ``-Xlog``
# writes.
_PREFIX = re.compile(
    rb"(?:[\w.@/-]+[ \t]*\|[ \t]?)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S+: )?"
    rb"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*[ \t])?(?:\[[^\]\n]*\][ \t]?)*(?:[ \t]?GC\(\d+\))?[ \t]*",
    re.ASCII,
)
_HEADER_TEXT = (
    rb"(?:num[ \t]+#instances[ \t]+#bytes[ \t]+class (?:name( \(module\))?|description)"
    rb"|(num)[ \t]+object count[ \t]+total size[ \t]+class name)[ \t\r]*"
)
_HEADER = re.compile(_HEADER_TEXT, re.IGNORECASE)
_HEADER_LINE = re.compile(rb"^" + _PREFIX.pattern + _HEADER_TEXT + rb"$", re.IGNORECASE | re.MULTILINE)
# 19 digits: what fits an int64 and a little more; the value is checked.
_ROW = re.compile(rb"(\d{1,19}):[ \t]+(\d{1,19})[ \t]+(\d{1,19})[ \t]+([^ \t].*)", re.DOTALL)
_OPENJ9_ROW = re.compile(rb"(\d{1,19}):?[ \t]+(\d{1,19})[ \t]+(\d{1,19})[ \t]+([^ \t].*)", re.DOTALL)
# Two rows below each other, or one and the Total: a table whose heading was cut off.
_ROWS_TEXT = rb"\d{1,9}:[ \t]+\d{1,19}[ \t]+\d{1,19}[ \t]+[^ \t\n][^\n]*\n"
_HEADLESS = re.compile(
    rb"^" + _PREFIX.pattern + _ROWS_TEXT + _PREFIX.pattern + rb"(?:" + _ROWS_TEXT + rb"|Total[ \t:]+\d)",
    re.MULTILINE,
)
_TOTAL = re.compile(rb"Total[ \t]*:?[ \t]*(\d{1,19})[ \t]+(\d{1,19})")
# The rule for module names is that of Java identifiers; only the JDK's own are told without "(module)".
_MODULE = re.compile(rb" \([^()\s@]+(?:@[^()\s]*)?\)$")
_JDK_MODULE = re.compile(rb" \((?:java|jdk)\.[^()\s@]+(?:@[^()\s]*)?\)$")
_ISO_TIME = re.compile(
    rb"(?<!\d)(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?[ ]?(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_UNIX_DATE = re.compile(
    rb"\w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d:\d\d)(?: ([AP])M)?(?: ([A-Z]{2,5}|[+-]\d\d))? (\d{4})"
)
_EPOCH = re.compile(rb"([1-3]\d{9})(\d{3})?(?:\.\d+)?")  # what ``date +%s`` writes
# Seconds since the JVM's start, of the old GC log and of the unified one.
_UPTIME = re.compile(rb"(?:\d{4}-\S+ )?(?:(\d+[.,]\d{3}): \[|\[(?:[^\]\n]*\]\[)*(\d+[.,]\d{3})s\])")
_NAMED_PID = re.compile(
    rb"(?:\b(?:jmap|jcmd)\b(?:[ \t]+-\S+)*[ \t]+|\bpid[ \t]*[=:]?[ \t]*)(\d{1,10})\b", re.IGNORECASE
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# ``1234:`` alone on a line: the process that jcmd asked.
_PID = re.compile(rb"(\d{1,10}):")
# Colours (ESC [ ... m), and what grep and tput write with them: erase to the end of the line, reset.  No
# other sequence: a class may have an escape in its name, and is shown with it.
_COLOURS = re.compile(rb"\x1b(?:\[[0-9;:]*[mK]|\(B)")
_MAX_INT64 = 2**63 - 1
_CUT_SHORT = "was the file cut short? take the class histogram again"


@dataclass(frozen=True, slots=True)
class ClassHistogramText:
    """A class histogram read from text; three lists of one length, in the order of the rows.

    Attributes
    ----------
    class_names : list of str
        In Java source form, each once.
    instance_counts, shallow_bytes : list of int
        Rows of one name (several class loaders) summed.
    captured_at_ms : int or None
        Milliseconds since 1970 UTC if a line above the first row has a date (without a zone it is
        taken for UTC, so that the same file reads the same everywhere).
    path : str
    is_complete : bool
        Whether the rows add up to a ``Total`` line.  Without that line the file may be the
        upper part of a longer one (``| head -20``).
    pid : int or None
        The process, where a line above the table names it.
    interval_seconds : float or None
        Seconds since a moment that is not known, but is one for all tables of the file: how long the JVM had
        run by a GC log, or a date with the name of a time zone.
    """

    class_names: list[str]
    instance_counts: list[int]
    shallow_bytes: list[int]
    captured_at_ms: int | None
    path: str
    is_complete: bool
    pid: int | None = None
    interval_seconds: float | None = None


def is_standard_input(path: str | os.PathLike[str]) -> bool:
    """Whether a path is ``-``, which stands for standard input."""
    return os.fspath(path) == "-"


def is_histogram(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (64 kB do; may be gzip) is a class histogram.

    It must have the table's heading on a line of its own with nothing but text above, or rows of it.
    """
    text = _inflate_head(head) if head[:2] == b"\x1f\x8b" else head
    text = _to_utf8(text)
    match = _HEADER_LINE.search(text) or _HEADLESS.search(text)
    if match is None:
        return b"\0" not in text and is_class_stats(text)
    return b"\0" not in text[: match.end()]


def read_histogram(path: str | os.PathLike[str]) -> ClassHistogramText:
    """Read the class histogram of a file that holds one; see `read_histograms`.

    Raises
    ------
    HistogramError
        As `read_histograms`; and at a second class histogram.
    HprofError
        If the file cannot be read at all.
    """
    reader = _reader(path)
    found = reader.read()
    if len(found) > 1:
        reader.line, reader.offset = reader.headings[1]
        raise reader.fail("a second class histogram begins here, and one is expected")
    return found[0]


def read_histograms(path: str | os.PathLike[str]) -> list[ClassHistogramText]:
    """Read every class histogram of a file, plain, compressed or in an archive, whichever tool wrote it.

    Returns
    -------
    list of ClassHistogramText
        In the order of the file; one at least.

    Raises
    ------
    HistogramError
        At a line that is no row, at rows that are not numbered 1, 2, 3 ..., at a ``Total``
        that is not the sum of the rows.
    HprofError
        If the file cannot be read at all.
    """
    return _reader(path).read()


def parse_histogram(data: bytes, name: str) -> ClassHistogramText:
    """The first class histogram in some text, such as a JVM's answer.

    Parameters
    ----------
    data : bytes
    name : str
        What to call it in errors.

    Raises
    ------
    HistogramError
        As `read_histograms`.
    """
    return _Reader(name, _to_utf8(data)).read()[0]


def _reader(path: str | os.PathLike[str]) -> _Reader:
    name = os.fspath(path)
    return _Reader(name, _to_utf8(_read_text(name)))


class _Reader:
    """One pass over the lines, with the place for errors."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path = path
        self.text = text
        # Only where no heading is left a row may begin a table.
        self.is_headless = _HEADER_LINE.search(text) is None
        self.line = 0
        self.offset = 0  # of the line, in the inflated text without colours
        self.headings: list[tuple[int, int]] = []  # line and offset of each
        self.found: list[ClassHistogramText] = []
        self.start()

    def start(self) -> None:
        """Before a class histogram."""
        self.rows: dict[str, tuple[int, int]] = {}
        self.row_count = self.instance_total = self.bytes_total = 0
        self.is_headed = self.has_modules = self.is_complete = False
        self.row = _ROW
        self.interval_seconds: float | None = None
        self.captured_at_ms: int | None = None
        self.pid: int | None = None

    def fail(self, problem: str) -> HistogramError:
        """The error of the line that is read."""
        return HistogramError(self.path, self.line, self.offset, problem)

    def read(self) -> list[ClassHistogramText]:
        """All lines.

        Raises
        ------
        HistogramError
            See `read_histograms`.
        """
        if self.is_headless and is_class_stats(self.text):
            return [_of_class_stats(self.path, self.text)]
        position, end = 0, len(self.text)
        while position < end:
            line_end = self.text.find(b"\n", position)
            is_terminated = line_end >= 0
            line_end = line_end if is_terminated else end
            raw = self.text[position:line_end]
            self.line, self.offset, position = self.line + 1, position, line_end + 1
            self.take(raw, is_terminated=is_terminated)
        if not self.headings:
            self.line, self.offset = 1, 0
            raise self.fail(
                "no class histogram: the heading 'num  #instances  #bytes  class name' is missing"
            )
        if self.is_headed:
            self.end()
        return self.found

    def take(self, raw: bytes, *, is_terminated: bool) -> None:
        prefix = _PREFIX.match(raw)
        body = raw[prefix.end() if prefix else 0 :].rstrip(b" \t\r")
        row, header = self.row.fullmatch(body), _HEADER.fullmatch(body)
        if self.is_headless and not self.is_headed and row and int(row[1]) == 1:
            self.is_headed, self.has_modules = True, b" (java." in self.text
            self.headings.append((self.line, self.offset))
        if self.is_headed and self.row_count and not row and (header or _time_in(body) is not None):
            self.end()  # the next one begins, and this one has no Total
        if header:
            if self.is_headed:
                raise self.fail(f"a second heading, and the first has no row below it; {_CUT_SHORT}")
            if self.captured_at_ms is None:
                self.captured_at_ms = _time_in(raw)
            self.is_headed, self.has_modules = True, header[1] is not None
            self.row = _ROW if header[2] is None else _OPENJ9_ROW
            self.headings.append((self.line, self.offset))
        elif not self.is_headed:
            if row and self.found:
                raise self.fail("a row after the Total line; take the class histogram again")
            # Of several dates above a table the last is its own: those before belong to other lines of a log.
            moment = _time_in(raw)
            if moment is not None and (self.captured_at_ms is None or self.found):
                self.captured_at_ms = moment
            if pid := _PID.fullmatch(body) or _NAMED_PID.search(raw):
                self.pid = int(pid[1])
            if (interval := _interval_in(raw)) is not None:
                self.interval_seconds = interval
        elif not body:
            return
        elif total := _TOTAL.fullmatch(body):
            self.check_total(int(total[1]), int(total[2]))
            self.is_complete = True
            self.end()
        elif self.row_count or body.strip(b"-"):
            if self.captured_at_ms is None and not self.row_count:
                self.captured_at_ms = _time_in(raw[: len(raw) - len(body)])
            self.add_row(body)
            if not is_terminated:
                raise self.fail(f"the last row has no line end and no Total follows; {_CUT_SHORT}")

    def end(self) -> None:
        """After the last line of a class histogram."""
        if not self.row_count:
            raise self.fail(f"the heading has no row below it; {_CUT_SHORT}")
        self.found.append(
            ClassHistogramText(
                class_names=list(self.rows),
                instance_counts=[count for count, _ in self.rows.values()],
                shallow_bytes=[size for _, size in self.rows.values()],
                captured_at_ms=self.captured_at_ms,
                path=self.path,
                is_complete=self.is_complete,
                pid=self.pid,
                interval_seconds=self.interval_seconds,
            )
        )
        self.start()

    def add_row(self, body: bytes) -> None:
        """Take in a line that must be a row.

        Raises
        ------
        HistogramError
            It is none, or not the next.
        """
        match = self.row.fullmatch(body)
        if match is None:
            shown = decode_modified_utf8(body[:60])
            raise self.fail(
                f"{shown!r} is no row 'number: instances bytes class name' and no Total; "
                "remove the line if another program wrote it, or take the class histogram again"
            )
        number, count, size = int(match[1]), int(match[2]), int(match[3])
        if number != self.row_count + 1:
            raise self.fail(
                f"row {number:,} where row {self.row_count + 1:,} is due: lines are missing or out of order; "
                "take the class histogram again"
            )
        self.row_count += 1
        self.instance_total += count
        self.bytes_total += size
        if max(self.instance_total, self.bytes_total) > _MAX_INT64:
            raise self.fail("the figures up to this row exceed what a heap can hold; the line is damaged")
        name = (_MODULE if self.has_modules else _JDK_MODULE).sub(b"", match[4])
        class_name = java_name(decode_modified_utf8(name))
        known_count, known_size = self.rows.get(class_name, (0, 0))
        self.rows[class_name] = (known_count + count, known_size + size)

    def check_total(self, count: int, size: int) -> None:
        """Compare the ``Total`` line with the sums of the rows.

        Raises
        ------
        HistogramError
            They differ.
        """
        for what, claimed, summed in (
            ("instances", count, self.instance_total),
            ("bytes", size, self.bytes_total),
        ):
            if claimed != summed:
                raise self.fail(
                    f"Total says {claimed:,} {what}, the rows above sum to {summed:,}; {_CUT_SHORT}"
                )


def _of_class_stats(path: str, text: bytes) -> ClassHistogramText:
    rows = read_class_stats(text)
    if not rows:
        raise HistogramError(path, 1, 0, f"the heading has no row below it; {_CUT_SHORT}")
    names, counts, sizes = zip(*rows, strict=True)
    return ClassHistogramText(
        class_names=list(names),
        instance_counts=list(counts),
        shallow_bytes=list(sizes),
        captured_at_ms=None,
        path=path,
        is_complete=text.count(b"ClassName") > 1,  # the heading once more stands behind the last row
    )


@lru_cache(maxsize=1)
def _standard_input(stream: BinaryIO) -> bytes:
    """All of it, kept: it cannot be read twice."""
    return stream.read(MAX_TEXT_BYTES + 1)


def _read_text(path: str) -> bytes:
    try:
        if is_standard_input(path):
            text = _standard_input(sys.stdin.buffer)
            if not text:
                raise HistogramError("standard input", 1, 0, "is empty; nothing was piped into it")
            if text.startswith((MAGIC_PREFIX, b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
                raise HistogramError(
                    "standard input",
                    1,
                    0,
                    "only texts can be read from it; save a dump to a file, and name that",
                )
        else:
            with Unpacked(Path(path), is_histogram) as inside:
                text = inside.read(MAX_TEXT_BYTES + 1)
    except PackingError as error:
        raise HistogramError(path, 1, 0, str(error)) from None
    except OSError as error:
        raise HprofError(path, None, f"cannot be read: {error.strerror or error}") from error
    if len(text) > MAX_TEXT_BYTES:
        problem = f"more than {MAX_TEXT_BYTES:,} bytes of text are no class histogram"
        raise HistogramError(path, 1, MAX_TEXT_BYTES, problem)
    return text


def _inflate_head(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 1 << 16)
    except zlib.error:
        return b""


def _to_utf8(text: bytes) -> bytes:
    """Without byte order mark and colours; Windows PowerShell redirects into UTF-16."""
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if text.startswith(mark):
            text = text[2:].decode(encoding, "replace").encode("utf-8")
    return _COLOURS.sub(b"", text) if b"\x1b" in text else text


def _time_in(line: bytes) -> int | None:
    """Milliseconds since 1970 UTC of the first date in a line."""
    try:
        if match := _ISO_TIME.search(line):
            day, clock, fraction, zone = (group.decode("ascii") if group else "" for group in match.groups())
            moment = datetime.fromisoformat(f"{day} {clock}")
            moment += timedelta(milliseconds=int(fraction[:3].ljust(3, "0")))
            return _milliseconds(moment.replace(tzinfo=_zone(zone)))
        if (match := _UNIX_DATE.search(line)) and match[6] in (b"UTC", b"GMT"):
            return _milliseconds(_unix_date(match))
        if match := _EPOCH.fullmatch(line.strip()):
            return int(match[1]) * 1000 + int(match[2] or 0)
    except (ValueError, OverflowError):  # 2026-13-45: digits, but no date
        return None
    return None


def _unix_date(match: re.Match[bytes]) -> datetime:
    """The date of a match of `_UNIX_DATE`, as if it were UTC.

    Raises
    ------
    ValueError
        There is no such day or month.
    """
    month, date, hour, clock, half, _, year = (
        group.decode("ascii") if group else "" for group in match.groups()
    )
    number = _MONTHS.index(month) + 1  # not strptime: its month names follow the locale
    hours = int(hour) % 12 + 12 * (half == "P") if half else int(hour)
    moment = datetime.fromisoformat(f"{year}-{number:02}-{int(date):02} {hours:02}:{clock}")
    return moment.replace(tzinfo=UTC)


def _interval_in(line: bytes) -> float | None:
    """Seconds since an unknown moment: the JVM's start, or 1970 in a zone with a name (which CST?)."""
    if uptime := _UPTIME.match(line):
        return float((uptime[1] or uptime[2]).replace(b",", b"."))
    try:
        return _unix_date(date).timestamp() if (date := _UNIX_DATE.search(line)) else None
    except ValueError:
        return None


def _zone(text: str) -> timezone:
    if not text.startswith(("+", "-")):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
