"""Lines of logs that may tell something, out of many that do not.

A log is read in blocks; a line is looked at only where one of the needles occurs in it, or where the reader
asked for all that follows.  What stands in front of the message is taken off, whoever put it there:
container runtimes, compose, kubectl, syslog, the kernel, ``-Xlog``, logging libraries.  Colours go (ECMA-48),
and a line of JSON (Docker, Logback, journalctl) becomes the lines of its message and its stack.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from heapscope.errors import HeapscopeError
from heapscope.parser.texts.log_times import read_stamp
from heapscope.parser.texts.needles import Needles
from heapscope.progress import Progress, no_progress

MAX_LINE = 1 << 16  # bytes of a line that are looked at
BLOCK = 1 << 20  # stays in the processor's cache while it is searched
_BACK_LINES = 400  # above a line without a date in which one is looked for
_BACK_BYTES = 1 << 16

_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[A-Za-z]|\(B)")
_LEVEL = r"TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|OUT|FATAL|SEVERE|CRITICAL|STATUS|FINE(?:ST|R)?"
_PREFIXES = tuple(
    re.compile(form)
    for form in (
        r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP] ",  # CRI
        r"<\d{1,3}>(?:1 )?",  # syslog, printk
        # Syslog and journalctl: date, host, program[pid]:
        r"(?:[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)) "
        r"\S+ [\w./@()-]+(?:\[\d+\])?: ?",
        r"\[(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} +\d{1,2} [\d:]+(?: \d{4})?\] ?",  # dmesg -T
        r"[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d[.\d]* ",
        r"\[?\d{2,4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[.,:\d]*(?:Z|[+-]\d\d:?\d\d)?\]?:? *",
        r"\[?\d{1,2}[ /-][A-Z][a-z]{2}[ /-]\d{4}[: ][\d:.,]+(?: [+-]\d{4})?\]? *",
        r"\d{1,9}\.\d{3}: ",  # -Xloggc before JDK 9
        r"\[[^\[\]]{1,120}\](?=[\s\[:]) ?:? ?",  # -Xlog, threads, kubectl --prefix, [APP/PROC/WEB/0]
        r"[IWEF]\d{4} [\d:.]+ +\d+ \S+\] ",  # klog
        rf"\[?(?:{_LEVEL})\b\]?:? *(?:\| )?",
        r"(?:jvm \d+|wrapper[pm]?) +\| ",  # Tanuki's service wrapper
        r"\| ",
        r"[A-Za-z0-9][\w.-]*\s*\| ?",  # docker compose
        r"[a-z0-9]+(?:-[a-z0-9]+){2,} [a-z0-9-]+ (?=\S|\s+at )",  # stern: pod container
    )
)
_LOGGER = re.compile(
    r"(?:--- )?(?:\[[^\]]*\] )?(?!\S*(?:Error|Exception|Throwable|Suppressed|Process)\b)"
    r"[A-Za-z_][\w.$]*(?: ?\([^)]*\))?"
    r"(?: +- |: +| +: )(?=\S)"
)
_LEVEL_AHEAD = re.compile(rf"\b(?:{_LEVEL})\b")
_JSON_TIMES = ("time", "timestamp", "@timestamp", "ts", "date", "datetime", "eventTime", "receiveTimestamp")
_JSON_MESSAGES = ("log", "message", "msg", "MESSAGE", "textPayload", "short_message", "formatted_message")
_JSON_IGNORED = {
    *_JSON_TIMES,
    "level",
    "severity",
    "stream",
    "logger",
    "logger_name",
    "thread",
    "thread_name",
}
_LINE_END = ord("\n")
_BINARY = "this is no text; explain-log reads logs, 'heapscope diagnose' reads heap dumps"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as an analysis wants it.

    Attributes
    ----------
    number : int
        From 1; the lines of one JSON line have one number.
    text : str
        The line without colours.
    body : str
        Without what stands in front of the message, indented as it was.
    time : datetime or None
        UTC where the text says a zone, else as it is written; of the line or the last dated one above.
    uptime : float or None
        Seconds since boot or since the JVM began.
    is_dated : bool
        Whether the line has its own date.
    is_logged : bool
        Whether a program wrote it with a level or a date in front: no line of a stack, no prose.
    document : dict or None
        The JSON object that the line is, where it is one.
    """

    number: int
    text: str
    body: str
    time: datetime | None
    uptime: float | None
    is_dated: bool
    is_logged: bool
    document: dict[str, object] | None = None


class LogReader:
    """Lines of one log, in order.

    Parameters
    ----------
    stream : BinaryIO
        Bytes, plain or gzip; need not be seekable.
    path : Path
        Its name, for errors.
    needles : Needles
    year : int
        Of dates without one.
    total : int
        Bytes of the stream, for the progress; 0 where that is not known.
    """

    def __init__(
        self,
        stream: BinaryIO,
        path: Path,
        needles: Needles,
        year: int,
        total: int = 0,
        progress: Progress = no_progress,
    ) -> None:
        self.wants_all = False  # set by whoever reads: every line that follows, whatever is in it
        self._stream, self._path, self._needles = stream, path, needles
        self._year, self._total, self._progress = year, total, progress
        self._time: datetime | None = None  # of the last dated line
        self._block, self._start = b"", 0  # of the line that was handed out last
        self._tail = b""  # of the block before

    def __iter__(self) -> Iterator[LogLine]:
        number, done = 0, 0
        for block in _blocks(self._stream, self._path):
            yield from self._lines(block, number)
            number += _line_count(block)
            done += len(block)
            if self._total:
                self._progress("reading", min(done, self._total), self._total)
            if (time := self._date_above(block, len(block))) is not None:
                self._time = time
            self._tail = block[-_BACK_BYTES:]

    def above(self, count: int) -> list[str]:
        """Lines above the one that was handed out last, the nearest first, of the last 64 kB."""
        head = self._block[max(self._start - _BACK_BYTES, 0) : max(self._start - 1, 0)]
        if self._start < _BACK_BYTES:
            head = self._tail + head
        lines = head.split(b"\n")[-count:]
        return [_text(line) for line in reversed(lines)]

    def _lines(self, block: bytes, number: int) -> Iterator[LogLine]:
        places = self._needles.places(block)
        self._block = block
        position = counted = at = 0
        size = len(block)
        while position < size:
            if not self.wants_all:
                while at < len(places) and places[at] < position:
                    at += 1
                if at == len(places):
                    return
                position = block.rfind(b"\n", position, places[at]) + 1 or position
            end = block.find(b"\n", position)
            end = size if end < 0 else end
            number += block.count(b"\n", counted, position)
            counted = self._start = position
            yield from self._made(block[position : min(end, position + MAX_LINE)], number + 1, position)
            position = end + 1

    def _made(self, raw: bytes, number: int, position: int) -> Iterator[LogLine]:
        text = _text(raw)
        document = _document(text)
        own = read_stamp(text, self._year)
        if document is not None:
            time = _json_time(document, self._year) or own.time
            yield from _unescaped(document, text, number, time or self._time, time is not None)
            return
        time = own.time
        if time is None:
            time = self._date_above(self._block, position) or self._time
        else:
            self._time = time
        body, is_logged = message_of(text)
        yield LogLine(
            number, text, body, time, own.uptime, own.time is not None, is_logged or own.time is not None
        )

    def _date_above(self, block: bytes, end: int) -> datetime | None:
        """The date of the last dated line that ends before an offset; None where none is near."""
        lowest = max(end - _BACK_BYTES, 0)
        end -= 1
        for _ in range(_BACK_LINES):
            if end <= lowest:
                return None
            start = block.rfind(b"\n", lowest, end) + 1
            stamp = read_stamp(_text(block[start : min(end, start + 256)]), self._year)
            if stamp.time is not None:
                return stamp.time
            end = start - 1
        return None


def _line_count(block: bytes) -> int:
    """Line ends of a block; bytes.count takes four times as long."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == _LINE_END))


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").rstrip("\r")
    return _ANSI.sub("", text) if "\x1b" in text else text


def message_of(text: str) -> tuple[str, bool]:
    """A line without what its writers put in front of the message, and whether a logger was one of them."""
    body, is_logged = text, False
    for _ in range(12):
        for prefix in _PREFIXES:
            found = prefix.match(body)
            if found is not None and found.end():
                is_logged = is_logged or _LEVEL_AHEAD.match(found[0].strip("[ ")) is not None
                body = body[found.end() :]
                break
        else:
            break
    if is_logged or len(body) != len(text):
        for _ in range(2):
            found = _LOGGER.match(body)
            if found is None:
                break
            body = body[found.end() :]
    return body, is_logged


def _blocks(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """Blocks of whole lines; of an overlong line, the beginning."""
    rest, decoder, is_first = b"", None, True
    while chunk := stream.read(BLOCK):
        if is_first:
            decoder = _utf16(chunk)
            if chunk.startswith(codecs.BOM_UTF8):
                chunk = chunk[len(codecs.BOM_UTF8) :]
        if decoder is not None:
            chunk = decoder.decode(chunk).encode("utf-8", "replace")
        elif is_first and b"\0" in b"".join(chunk[:MAX_LINE].splitlines(keepends=True)[:3]):
            raise HeapscopeError(f"{path}: {_BINARY}")
        is_first = False
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest = (rest + chunk)[:MAX_LINE]
            continue
        yield rest + chunk[:cut]
        rest = chunk[cut:]
    if rest:
        yield rest


def _utf16(head: bytes) -> codecs.IncrementalDecoder | None:
    """PowerShell's ``>`` writes UTF-16 with a byte order mark."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")("replace")
    return None


def _document(text: str) -> dict[str, object] | None:
    at = text.find("{")
    if (
        at < 0
        or not text.rstrip().endswith("}")
        or (at and text[:at].strip() and not text[:at].endswith(" "))
    ):
        return None
    try:
        found = json.loads(text[at:])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_time(document: dict[str, object], year: int) -> datetime | None:
    for key in _JSON_TIMES:
        value = document.get(key)
        if isinstance(value, str) and (stamp := read_stamp(value, year)).time is not None:
            return stamp.time
    for key, unit in (("__REALTIME_TIMESTAMP", 1e6), ("timeMillis", 1e3), ("timestamp", 1e3), ("time", 1e3)):
        value = document.get(key)
        if isinstance(value, (int, float, str)):
            try:
                seconds = float(value) / unit
                return datetime.fromtimestamp(seconds if seconds > 1e8 else float(value), UTC)
            except (ValueError, OverflowError, OSError):
                continue
    instant = document.get("instant")  # Log4j's JsonLayout
    if isinstance(instant, dict) and isinstance(second := instant.get("epochSecond"), int):
        return datetime.fromtimestamp(second, UTC)
    return None


def _unescaped(
    document: dict[str, object], text: str, number: int, time: datetime | None, is_dated: bool
) -> Iterator[LogLine]:
    """The lines that a JSON line tells of, its message first; the first has the document."""
    parts = [part for key in _JSON_MESSAGES for part in _strings(document.get(key))]
    for key, value in document.items():
        if key not in _JSON_MESSAGES and key not in _JSON_IGNORED:
            parts += [part for part in _strings(value) if "\n" in part or "Error" in part]
    is_first, is_message = True, True
    for part in parts or [text]:
        for segment in part.rstrip("\r\n").split("\n"):
            segment = _ANSI.sub("", segment.rstrip("\r"))
            inner = _document(segment) if segment.startswith("{") and part is not text else None
            if inner is not None:  # Docker around Logback
                yield from _unescaped(inner, segment, number, time, is_dated)
                continue
            body = message_of(segment)[0]
            # The first line is what a logger wrote; a stack below has lines of its own.
            dated = is_dated and is_message and "\tat " not in segment
            yield LogLine(number, segment, body, time, None, False, dated, document if is_first else None)
            is_first = False
        is_message = False


def _strings(value: object, depth: int = 3) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, dict) and depth:
        return [part for each in value.values() for part in _strings(each, depth - 1)]
    if isinstance(value, list) and value and all(isinstance(each, int) and 0 <= each < 256 for each in value):
        return [bytes(value).decode("utf-8", "replace")]  # journalctl, of a message that is no UTF-8
    return []


def open_log(path: Path, stream: BinaryIO) -> BinaryIO:
    """The text of a stream, whether it is gzip or not.

    Raises
    ------
    HeapscopeError
        It cannot be read.
    """
    head = stream.peek(2)[:2] if hasattr(stream, "peek") else b""
    if head == b"\x1f\x8b":
        return gzip.open(stream)  # type: ignore[return-value]
    return stream


READ_ERRORS = (OSError, EOFError, zlib.error)
