"""Strings whose arrays were cut to zeros by the JVM, or by redaction."""

from __future__ import annotations

from pathlib import Path

import pytest

import heapscope
from heapscope.heap.retention.cut_arrays import find_cut_arrays, is_without_texts
from tests.support.dumps import DumpBuilder


def texts(jdk: int, kept: int | None) -> DumpBuilder:
    """Short texts, and long ones that have zeros behind so many bytes."""
    d = DumpBuilder(jdk=jdk)
    for number in range(20):
        d.string(f"short {number}")
        long = f"{number:03}" + "long and of its own " * (10 + number)
        units = kept // (2 if jdk <= 8 else 1) if kept is not None else len(long)
        d.string(long[:units] + "\0" * (len(long) - units))
    return d


@pytest.mark.parametrize("jdk", [8, 17])
@pytest.mark.parametrize("kept", [120, 40])
def test_a_cut_is_found(tmp_path: Path, jdk: int, kept: int) -> None:
    with heapscope.open(texts(jdk, kept).dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        found = find_cut_arrays(heap.graph)
    assert found is not None
    assert found.kept_bytes == kept
    assert f"behind {kept} bytes" in str(found)


@pytest.mark.parametrize("jdk", [8, 17])
def test_whole_texts_are_not_cut(tmp_path: Path, jdk: int) -> None:
    d = texts(jdk, None)
    d.string("ends in zeros" + "\0" * 40)
    with heapscope.open(d.dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        assert find_cut_arrays(heap.graph) is None
        assert not is_without_texts(heap.graph)


def test_a_redacted_dump_has_no_texts(tmp_path: Path) -> None:
    d = DumpBuilder()
    for _ in range(5):
        d.string("\0" * 30)
    with heapscope.open(d.dump().save(tmp_path / "d.hprof"), use_index=False) as heap:
        found = find_cut_arrays(heap.graph)
        assert is_without_texts(heap.graph)
    assert found is not None
    assert found.kept_bytes == 0
    assert "redacted" in str(found)
