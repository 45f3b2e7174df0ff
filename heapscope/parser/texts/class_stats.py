"""``jcmd PID GC.class_stats`` of JDK 8 to 14: a table of metadata that can have instance counts.

``memory/heapInspection.cpp`` of JDK 8, ``KlassInfoHisto::print_class_stats``: a heading of the columns that
were asked for, a row for each class, a line of sums and one of shares, the heading again; with ``-csv`` all
in commas.
"""

from __future__ import annotations

import re

from heapscope.parser.names import decode_modified_utf8, java_name

_HEADING = re.compile(rb"^Index[ ,]+Super[ ,]+([^\n]*)ClassName[ \t\r]*$", re.MULTILINE)
_SEPARATOR = re.compile(rb"[ ,]+")
_COUNT, _SIZE = b"InstCount", b"InstBytes"


def is_class_stats(text: bytes) -> bool:
    """Whether a text is such a table with counts and bytes of instances."""
    heading = _HEADING.search(text)
    return heading is not None and {_COUNT, _SIZE} <= set(_SEPARATOR.split(heading[0].strip()))


def read_class_stats(text: bytes) -> list[tuple[str, int, int]]:
    """(Class name, instances, bytes) of each row of a text that `is_class_stats`; empty where it has none.

    The sum of the instances of all rows is checked against no line: the one of sums has no mark of its own
    in CSV.
    """
    heading = _HEADING.search(text)
    assert heading is not None
    columns = _SEPARATOR.split(heading[0].strip())
    at_count, at_size = columns.index(_COUNT), columns.index(_SIZE)
    found: dict[str, tuple[int, int]] = {}
    for line in text[heading.end() :].splitlines():
        cells = _SEPARATOR.split(line.strip(), maxsplit=len(columns) - 1)
        numbers = cells[at_count : at_count + 1] + cells[at_size : at_size + 1]
        if (
            len(cells) != len(columns)
            or not cells[0].isdigit()
            or not all(each.isdigit() for each in numbers)
        ):
            continue
        name = java_name(decode_modified_utf8(cells[-1]))
        count, size = found.get(name, (0, 0))
        found[name] = count + int(numbers[0]), size + int(numbers[1])
    return [(name, count, size) for name, (count, size) in found.items()]
