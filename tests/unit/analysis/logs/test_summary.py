"""Events of logs, grouped and dated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.logs.summary import LogSummary, summarise
from tests.unit.analysis.leaks.own_leaks import write


def read(folder: Path, *lines: str, catalogue: Sequence[KnownLeak] | None = None) -> LogSummary:
    path = folder / "worker.log"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return summarise([path], catalogue)


def test_errors_are_counted_by_what_ran_out(tmp_path: Path) -> None:
    heap = "java.lang.OutOfMemoryError: Java heap space"
    summary = read(
        tmp_path,
        f"2026-01-01 10:00:00 {heap}",
        "\tat a.B.c(B.java:3)",
        f"2026-01-01 11:00:00 {heap}",
        "2026-01-01 12:00:00 java.lang.OutOfMemoryError: Metaspace",
    )
    (group,) = summary.groups
    assert (group.kind.id, group.count) == ("out of memory error", 3)
    assert group.details == (("Java heap space", 2), ("Metaspace", 1))
    assert group.per_hour == pytest.approx(1)


def test_what_matters_most_comes_first(tmp_path: Path) -> None:
    summary = read(tmp_path, "JNI global refs: 12, weak refs: 0", "java.lang.OutOfMemoryError: Metaspace")
    assert [group.kind.id for group in summary.groups] == ["out of memory error", "jni global references"]


@pytest.mark.parametrize(("last", "is_told"), [(1900, True), (1300, False)])
def test_jni_references_hint_at_a_leak_where_they_grow(tmp_path: Path, last: int, is_told: bool) -> None:
    own = load_catalogue(write(tmp_path, more='log_patterns = ["JNI global refs"]\n'))[:1]
    lines = [f"JNI global refs: {count}, weak refs: 0" for count in (1000, 1200, last)]
    summary = read(tmp_path, *lines, catalogue=own)
    (group,) = summary.groups
    assert list(group.numbers) == [1000, 1200, last]
    assert group.leak_ids == (("app-cache",) if is_told else ())
    assert summary.leaks == (own if is_told else ())


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "all is well").groups == ()
