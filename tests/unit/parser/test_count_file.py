"""A mapped dump is counted segment by segment, in whole or up to a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.errors import TruncatedDump
from heapscope.parser import count_file as module
from heapscope.parser.count_file import count_file
from heapscope.parser.count_stream import count_stream
from heapscope.parser.layout.layout import infer_layout
from heapscope.parser.source import Source
from heapscope.parser.top_level import read_top_level
from heapscope.parser.writer import HeapLayout
from heapscope.progress import no_progress
from tests.support.dumps import DumpBuilder, build
from tests.unit.parser.small import nodes

GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


def test_a_file_and_a_stream_are_counted_alike(tmp_path: Path) -> None:
    path = build(nodes, segment_bytes=150).save(tmp_path / "d.hprof")
    with Source(path) as source:
        streamed = count_stream(source, GUESS, None, no_progress)
        top_level = read_top_level(source.mapping(), str(path))
        counted = count_file(source, top_level, GUESS, None, no_progress)
    assert counted.segments == streamed.segments
    assert len(counted.segments) > 5
    assert counted.class_dumps == streamed.class_dumps
    assert counted.dump_bytes == streamed.dump_bytes == path.stat().st_size
    assert counted.counts.objects == streamed.counts.objects == sum(row[2] for row in counted.segments)
    assert counted.counts.root_counts.tolist() == streamed.counts.root_counts.tolist()
    assert counted.counts.addresses.tolist() == streamed.counts.addresses.tolist()


def test_a_limit_ends_the_count_behind_some_segments(tmp_path: Path) -> None:
    path = build(nodes, segment_bytes=150).save(tmp_path / "d.hprof")
    with Source(path) as source:
        top_level = read_top_level(source.mapping(), str(path))
        part = count_file(source, top_level, GUESS, 300, no_progress)
        whole = count_file(source, top_level, GUESS, None, no_progress)
    assert 0 < len(part.segments) < len(whole.segments)
    assert part.segments == whole.segments[: len(part.segments)]


def test_a_class_that_is_larger_than_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WINDOW_BYTES", 128)

    def heap(d: DumpBuilder) -> None:
        d.cls("a.Wide", fields={f"field{number}": "int" for number in range(100)})
        d.instance("a.Wide")

    path = build(heap).save(tmp_path / "d.hprof")
    with Source(path) as source:
        top_level = read_top_level(source.mapping(), str(path))
        counted = count_file(source, top_level, GUESS, None, no_progress)
    assert max(len(data) for _, data in counted.class_dumps) > 900
    raw = path.read_bytes()
    assert all(raw[start : start + len(data)] == data for start, data in counted.class_dumps)


def test_the_end_of_an_unpatched_heap_is_no_part_of_it(tmp_path: Path) -> None:
    path = build(nodes, layout=HeapLayout.UNPATCHED).save(tmp_path / "d.hprof")
    with path.open("ab") as file:
        file.write(b"\x2c" + bytes(8))
    with Source(path) as source:
        top_level = read_top_level(source.mapping(), str(path))
        counted = count_file(source, top_level, GUESS, None, no_progress)
    assert counted.segments[-1][1] == path.stat().st_size - 9


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    path = build(nodes).save(tmp_path / "d.hprof")
    with Source(path) as source:
        top_level = read_top_level(source.mapping(), str(path))
        with path.open("r+b") as file:
            file.truncate(top_level.segments[0][0])
        with pytest.raises(TruncatedDump, match="shorter"):
            count_file(source, top_level, GUESS, None, no_progress)
