"""Bytes, counts, durations and times as text.

Bytes are decimal (1 MB = 10**6 bytes), as every figure in a ticket should be.  Times are in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def format_bytes(count: float, *, signed: bool = False) -> str:
    """``86869`` -> ``86.9 kB``; three significant digits, never rounded up to 1000 of a unit.

    With ``signed`` a positive figure gets a plus sign.
    """
    sign = "-" if count < 0 else "+" if signed and count > 0 else ""
    value = abs(float(count))
    if value < 999.5:
        return f"{sign}{value:.0f} B"
    unit = 0
    while value >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        value /= 1000
        unit += 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{sign}{value:.{digits}f} {_BYTE_UNITS[unit]}"


def format_count(count: float, *, signed: bool = False) -> str:
    """``33100000`` -> ``33,100,000``; a fraction keeps one digit (``12.5``)."""
    text = f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"
    return f"+{text}" if signed and count > 0 else text


def format_duration(seconds: float) -> str:
    """``3725`` -> ``1 h 2 min``; the two largest units, ``0.25 s`` below ten seconds."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for size, name, small_size, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // small_size
            return f"{whole // size} {name}" + (f" {rest} {small_name}" if rest else "")
    raise AssertionError("unreachable: 60 s and more were handled")


def iso_time(moment: datetime, timespec: str = "auto") -> str:
    """``2026-11-23T09:22:10.120Z``: ISO 8601 in UTC, for programs.

    ``timespec`` is ``"seconds"``, ``"milliseconds"`` or as exact as the time is, see `datetime.isoformat`.
    """
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def format_time(moment: datetime | str) -> str:
    """``2026-11-23 09:22:10 UTC``, for people; a text is ISO 8601 with its time zone."""
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(ib|b|)", re.IGNORECASE | re.ASCII)


def parse_bytes(text: str) -> int:
    """``"4G"`` -> 4294967296, as ``-Xmx4g`` has it, ``"4GiB"`` too; ``"4GB"`` -> 4000000000.

    Raises
    ------
    ValueError
        The text is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size; write 512M, 4G, 4GiB or 4GB")
    power = " kmgtp".index(found[2].lower() or " ")
    base = 1000 if found[2] and found[3].lower() == "b" else 1024
    return round(float(found[1]) * int(base**power))
