"""What real JVMs of two releases wrote when their memory was full; ``real/README.md`` says how."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heapscope.analysis.logs.reading import read_log

REAL = Path(__file__).with_name("real")
ERROR, ENDED = "out of memory error", "jvm ended itself"


@pytest.mark.parametrize("release", [17, 25])
@pytest.mark.parametrize(
    ("name", "kinds", "detail"),
    [
        ("exit", ["heap dump written", ENDED, ERROR], "Java heap space"),
        ("nodir", ["heap dump failed", ERROR], "No such file or directory"),
        ("big", ["heap dump failed", ERROR], "File too large"),
        ("direct", [ERROR], "Cannot reserve N bytes of direct buffer memory"),
        ("array", [ERROR], "Requested array size exceeds VM limit"),
        ("threads", [ERROR], "unable to create native thread"),
    ],
)
def test_the_console(release: int, name: str, kinds: list[str], detail: str) -> None:
    found = list(read_log(REAL / f"jdk{release}-{name}.log"))
    assert sorted(event.kind for event in found) == kinds
    assert any(event.detail.startswith(detail) for event in found)


@pytest.mark.parametrize("release", [17, 25])
@pytest.mark.parametrize("collector", ["serial", "parallel", "g1", "z"])
def test_collectors(release: int, collector: str) -> None:
    path = REAL / f"jdk{release}-gc-{collector}.log"
    found = [event for event in read_log(path) if event.kind.startswith("full collection")]
    full = re.compile(r"(?:Pause Full|(?:Major|Garbage) Collection \(Allocation Stall\)).*->")
    lines = [line for line in path.read_text().splitlines() if full.search(line)]
    assert len(found) == len(lines) > 1  # each counts once
    for event in found:
        assert event.before_bytes is not None
        assert event.number is not None
        assert event.limit_bytes is not None
        assert 0 < event.number <= event.before_bytes <= 1.1 * event.limit_bytes
    assert found[-1].kind == "full collection frees nothing"
