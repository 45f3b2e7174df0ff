"""Ordinary lines are skipped by the search, and never looked at."""

from __future__ import annotations

import io
from pathlib import Path

from heapscope.analysis.logs.catalogue import log_needles
from heapscope.parser.texts.log_lines import BLOCK, LogReader

ORDINARY = b"2026-11-02 03:14:15,901 INFO  [pool-1] com.acme.Service - handled request %d\n"


def reader(content: bytes) -> LogReader:
    return LogReader(io.BytesIO(content), Path("a.log"), log_needles(), 2026)


def test_ordinary_lines_are_skipped() -> None:
    content = b"".join(ORDINARY % i for i in range(2 * BLOCK // len(ORDINARY)))
    assert list(reader(content)) == []
    middle = len(content) // 2
    middle = content.index(b"\n", middle) + 1
    content = content[:middle] + b"java.lang.OutOfMemoryError: Metaspace\n" + content[middle:]
    (line,) = reader(content)
    assert line.number == content[:middle].count(b"\n") + 1


def test_lines_above_reach_over_the_end_of_a_block() -> None:
    filler = ORDINARY % 1
    head = filler * (BLOCK // len(filler))
    head += b"first\n" + b"x" * (BLOCK - len(head) - len(b"first\n") - 1) + b"\n"
    lines = reader(head + b"java.lang.OutOfMemoryError: Metaspace\n")
    next(iter(lines))
    assert lines.above(2)[-1] == "first"
