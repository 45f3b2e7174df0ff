"""Which class extends which, from the answer to ``jcmd PID VM.class_hierarchy`` (JDK 9 and later).

A line for each class below its superclass (HotSpot ``memory/heapInspection.cpp``)::

    java.lang.Object/null
    |--java.lang.Number/null
    |  |--java.lang.Integer/null
    |--java.util.List/null (intf)

Behind the last slash stands the class loader.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"(?P<rails>(?:\|  )*)(?:\|--)?(?P<name>\S.*?)/(?:null|0x[0-9a-f]+)(?: \(intf\))?")


def read_class_hierarchy(text: str) -> dict[str, str]:
    """Class name to the name of its superclass; the first line's class to the empty string.

    A line that is none of the tree is left out: the answer for a class that is not loaded has no other.
    """
    found: dict[str, str] = {}
    above: list[str] = []  # the way from the first line to the line before
    for line in text.splitlines():
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            continue
        depth = len(match["rails"]) // 3 + ("|--" in line)
        del above[depth:]
        found.setdefault(match["name"], above[-1] if above else "")
        above.append(match["name"])
    return found
