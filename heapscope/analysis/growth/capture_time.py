"""When a class histogram without a date was taken: by its sidecar, its name, or a dump beside it."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from heapscope.analysis.growth.sidecar import read_sidecar
from heapscope.analysis.growth.time_source import BESIDE, FILE_TIME, READ_TIME, TimeSource
from heapscope.errors import HprofError, MissingDependency
from heapscope.parser.records import parse_header
from heapscope.parser.source import Source
from heapscope.parser.tags import HEADER_BYTES
from heapscope.parser.texts.class_histogram import is_standard_input

_DUMP_ENDINGS = (".hprof", ".hprof.gz", ".hprof.zst")
_ENDINGS = (
    ".gz",
    ".zst",
    ".xz",
    ".bz2",
    ".zip",
    ".tgz",
    ".tar",
    ".hprof",
    ".histogram.txt",
    ".txt",
    ".histo",
    ".bin",
)
# 2026-11-23T10:15:30, 2026-11-23_10-15-30, 20261123T101530.975Z, 20261123-101530, 20261123101530; or the day.
_DATE = re.compile(
    r"(?<!\d)(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:[T _.-]?([01]\d|2[0-3])([-_.:h]?)([0-5]\d)(?:\6([0-5]\d)(?:[.,](\d{1,9}))?)?)?"
    r"(Z|[+-]\d\d:?\d\d)?(?!\d)"
)
# Seconds or milliseconds since 1970, from 2001-09-09 to 2096.
_EPOCH = re.compile(r"(?<!\d)([1-3]\d{9})(\d{3})?(?!\d)")


def short_name(path: Path) -> str:
    """A snapshot's name: its file's, without folder and ending."""
    name = "stdin" if is_standard_input(path) else path.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending) or name
    return name


def find_capture_time(path: Path) -> tuple[datetime, TimeSource]:
    """When a class histogram without a date was taken, in UTC, and how that is known.

    Standard input has the time when it is read.  Else by its sidecar, by a date in its name, by the header
    of a dump of the same name beside it; else the time of its file, which is that of a copy where the file
    was copied.
    """
    if is_standard_input(path):
        return datetime.now(UTC), READ_TIME
    with suppress(ValueError, TypeError, OverflowError):
        said = datetime.fromisoformat(read_sidecar(path).get("captured_at", ""))
        if said.tzinfo is not None:
            return said.astimezone(UTC), "sidecar"
    if (named := time_in_name(short_name(path))) is not None:
        return named, "name"
    for ending in _DUMP_ENDINGS:
        beside = path.with_name(short_name(path) + ending)
        if beside != path and (moment := _time_of_dump(beside)) is not None:
            return moment, BESIDE
    return datetime.fromtimestamp(path.stat().st_mtime, UTC), FILE_TIME


def time_in_name(name: str) -> datetime | None:
    """The date in a file's name: ISO, compact, or seconds or milliseconds since 1970; UTC without a zone.

    Of several the last: ``20260101-release-20261123T101530``.
    """
    for found in reversed(list(_DATE.finditer(name))):
        year, _, month, day, hour, _, minute, second, fraction, zone = found.groups()
        with suppress(ValueError, OverflowError):
            moment = datetime(
                int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
                int((fraction or "").ljust(6, "0")[:6]), _zone(zone if hour else None),
            )  # fmt: skip
            return moment.astimezone(UTC)
    for found in reversed(list(_EPOCH.finditer(name))):
        return datetime.fromtimestamp(int(found[1]) + int(found[2] or 0) / 1000, UTC)
    return None


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _time_of_dump(path: Path) -> datetime | None:
    """What the header of a dump says; None where there is no dump, or one that says nothing."""
    try:
        if not path.is_file():
            return None
        with Source(path) as source, closing(source.blocks()) as blocks:
            head = bytes(next(blocks, b"")[:HEADER_BYTES])
        milliseconds = parse_header(head, path).timestamp_ms
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (HprofError, MissingDependency, ValueError, OverflowError, OSError):
        return None
