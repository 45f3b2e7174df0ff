"""When a line of a log was written, in the forms that common writers use.

=================================  ================================================================
``2026-11-02 03:14:15,901``        ISO 8601 and its like: Log4j, Logback, ``-Xlog``, CRI, RFC 5424
``26/11/02 03:14:15``              Spark's and Hadoop's console
``Mon, 02 Nov 2026 03:14:15``      kubectl describe; Tomcat (``02-Nov-2026``), access logs (``02/Nov/2026:``)
``Mon Nov  2 03:14:15 2026``       ``dmesg -T``, hs_err files, ``date``
``Nov  2 03:14:15``                syslog, journalctl: no year
``Nov 02, 2026 3:14:15 AM``        java.util.logging
``E1102 03:14:15.901``             klog: no year
``[337533.314412]``, ``12.345:``   seconds since boot, or since the JVM began
=================================  ================================================================

A time without a zone is taken for UTC, so that the same file reads the same everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

PLACE = 128  # a line's date stands among its first characters

_CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d\d):(?P<S>\d\d)(?:[.,:](?P<f>\d{1,9}))?"
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_MONTH = rf"(?P<b>{'|'.join(_MONTHS)})"
_ZONE = r"(?P<z>Z|[+-]\d\d:?\d\d\b)?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?<!\d)(?P<y>\d{{4}})[-/](?P<m>\d\d)[-/](?P<d>\d\d)[T ]{_CLOCK}{_ZONE}",
        rf"(?<![\d/.])(?P<y2>\d\d)/(?P<m>\d\d)/(?P<d>\d\d) {_CLOCK}",
        rf"(?<!\d)(?P<d>\d{{1,2}})[ /-]{_MONTH}[ /-](?P<y>\d{{4}})[: ]{_CLOCK} ?{_ZONE}",
        rf"\b[A-Z][a-z]{{2}} {_MONTH} +(?P<d>\d{{1,2}}) {_CLOCK}(?: [A-Z]{{3,4}})? (?P<y>\d{{4}})\b",
        rf"\b{_MONTH} (?P<d>\d{{1,2}}), (?P<y>\d{{4}}) {_CLOCK} (?P<p>[AP]M)",
        rf"(?:^|[\s>\[]){_MONTH} +(?P<d>\d{{1,2}}) {_CLOCK}(?!\d)",
        rf"^[IWEF](?P<m>\d\d)(?P<d>\d\d) {_CLOCK}",
    )
)
_UPTIME = re.compile(
    r"(?:^|\s|<\d>|\])\[ *(?P<s>\d{1,9}\.\d{3,6})s?\]|^(?:<\d>)?\[ *(?P<boot>\d{1,9}\.\d{1,6})\]"
    r"|^(?P<old>\d{1,9}\.\d{3}): "
)


class Stamp(NamedTuple):
    """A date in UTC, seconds since some beginning, or both."""

    time: datetime | None
    uptime: float | None


def read_stamp(text: str, year: int) -> Stamp:
    """What the beginning of a line says of its time.

    Parameters
    ----------
    text : str
        A line.
    year : int
        For forms without one.
    """
    head = text[:PLACE]
    if ":" not in head and "." not in head:
        return Stamp(None, None)
    found = _UPTIME.search(head)
    uptime = None if found is None else float(found["s"] or found["boot"] or found["old"])
    for form in _FORMS:
        if (found := form.search(head)) is not None:
            return Stamp(_moment(found.groupdict(), year), uptime)
    return Stamp(None, uptime)


def _moment(part: dict[str, str | None], year: int) -> datetime | None:
    hour = int(part["H"] or 0)
    if half := part.get("p"):
        hour = hour % 12 + (12 if half == "PM" else 0)
    if given := part.get("y"):
        year = int(given)
    elif short := part.get("y2"):
        year = 2000 + int(short)
    month = _MONTHS[part["b"] or ""] if "b" in part else int(part["m"] or 0)
    micro = int((part.get("f") or "0")[:6].ljust(6, "0"))
    try:
        clock = (hour, int(part["M"] or 0), min(int(part["S"] or 0), 59))
        moment = datetime(year, month, int(part["d"] or 0), *clock, micro, UTC)
        zone = part.get("z")
        if zone and zone != "Z":
            digits = zone[1:].replace(":", "")
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            moment = moment.replace(tzinfo=timezone(offset if zone[0] == "+" else -offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment
