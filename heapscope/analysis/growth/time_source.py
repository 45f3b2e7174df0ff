"""How the time of capture of a snapshot is known."""

from __future__ import annotations

from typing import Literal

TimeSource = Literal[
    "dump header",
    "text",
    "sidecar",
    "name",
    "dump beside it",
    "record in the dump",
    "order in the dump",
    "intervals in the text",
    "order in the text",
    "given order",
    "name order",
    "file time",
    "time of reading",
]
HEADER: TimeSource = "dump header"
# Of several heaps in a file: by the header's time and the clock of the record.
RECORD: TimeSource = "record in the dump"
ORDER_IN_DUMP: TimeSource = "order in the dump"  # of several heaps in a file without that clock
TEXT: TimeSource = "text"
ORDER_IN_TEXT: TimeSource = "order in the text"  # several undated class histograms in one file
GIVEN_ORDER: TimeSource = "given order"
NAME_ORDER: TimeSource = "name order"
INTERVALS: TimeSource = (
    "intervals in the text"  # of several in a log: how far they are apart is known, not when
)
BESIDE: TimeSource = "dump beside it"
FILE_TIME: TimeSource = "file time"
READ_TIME: TimeSource = "time of reading"  # of standard input
# Times that nobody wrote down as times of capture.
GUESSED = ("name", BESIDE)
# Where a snapshot has one of these, its time is none, though its place may be known.
UNDATED = frozenset({ORDER_IN_DUMP, ORDER_IN_TEXT, GIVEN_ORDER, NAME_ORDER, FILE_TIME, READ_TIME})
# Times that do not tell the order of several files.
UNORDERED = frozenset({INTERVALS, FILE_TIME, READ_TIME})
# Places in an order that is known, and no time.
ORDERED = frozenset({ORDER_IN_DUMP, ORDER_IN_TEXT, GIVEN_ORDER, NAME_ORDER})
