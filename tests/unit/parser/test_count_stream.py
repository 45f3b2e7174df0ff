"""A dump is counted as its blocks come, however they are cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.errors import HprofError
from heapscope.parser import source as source_module
from heapscope.parser.count_stream import NeedsWholeFile, count_stream
from heapscope.parser.layout.layout import infer_layout
from heapscope.parser.source import Source
from heapscope.parser.writer import HeapLayout
from heapscope.progress import no_progress
from tests.support.dumps import build
from tests.support.oracle import read_oracle
from tests.unit.parser.small import nodes

GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


@pytest.mark.parametrize("block_bytes", [1, 10, 77, 1 << 20])
def test_blocks_of_any_size(tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_STREAM_BLOCK_BYTES", block_bytes)
    dump = build(nodes, segment_bytes=200)
    naive = read_oracle(dump.data)
    with Source(dump.save(tmp_path / "d.hprof")) as source:
        counted = count_stream(source, GUESS, None, no_progress)
    assert counted.counts.objects == len(naive.object_classes) + len(naive.classes)
    assert counted.counts.roots == len(naive.roots)
    assert len(counted.class_dumps) == len(naive.classes)
    assert counted.dump_bytes == len(dump.data)
    tags = counted.records.tags.tolist()
    assert {tag: tags.count(tag) for tag in set(tags)} == dict(naive.record_counts)
    assert all(dump.data[start:stop] for start, stop, _, _ in counted.segments)


def test_a_limit_ends_the_count_between_two_records(tmp_path: Path) -> None:
    path = build(nodes, segment_bytes=150).save(tmp_path / "d.hprof")
    with Source(path) as source:
        whole = count_stream(source, GUESS, None, no_progress)
        part = count_stream(source, GUESS, whole.segments[1][0], no_progress)
    assert part.segments == whole.segments[: len(part.segments)]
    assert 0 < len(part.segments) < len(whole.segments)


@pytest.mark.parametrize("layout", [HeapLayout.ONE_RECORD, HeapLayout.UNPATCHED])
def test_a_length_that_only_the_whole_file_tells(tmp_path: Path, layout: HeapLayout) -> None:
    with (
        Source(build(nodes, layout=layout).save(tmp_path / "d.hprof")) as source,
        pytest.raises(NeedsWholeFile),
    ):
        count_stream(source, GUESS, None, no_progress)


def test_an_error_says_how_many_objects_came_before_it(tmp_path: Path) -> None:
    path = build(nodes, segment_bytes=200).save(tmp_path / "d.hprof")
    path.write_bytes(path.read_bytes()[:-40])
    with Source(path) as source, pytest.raises(HprofError) as caught:
        count_stream(source, GUESS, None, no_progress)
    assert caught.value.objects_before
