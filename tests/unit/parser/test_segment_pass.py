"""Passes over the segments of a dump that was counted: windows, states, files that change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from heapscope.errors import CorruptRecord, TruncatedDump
from heapscope.parser import kernels, segment_pass
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.scan import HeapScan
from heapscope.parser.segment_pass import Step, pass_over_segments
from heapscope.progress import no_progress
from tests.support.dumps import build
from tests.support.oracle import read_oracle
from tests.unit.parser.small import nodes, scanned


def collect(found: HeapScan, ids: NDArray[np.uint64]) -> Callable[[], Step]:
    constants = kernel_constants(found.header.identifier_bytes, found.layout)

    def step(window: NDArray[np.uint8], base: int, position: int, stop: int, state: NDArray[np.int64]) -> int:
        return kernels.collect_ids(window, position, stop, constants, ids, state)

    return lambda: step


@pytest.mark.parametrize("window_bytes", [64, 200, 1 << 20])
def test_every_object_is_seen_once_whatever_the_window(
    tmp_path: Path, window_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With windows smaller than a record, too: that record is read where it lies."""
    monkeypatch.setattr(segment_pass, "_WINDOW_BYTES", window_bytes)
    dump = build(nodes, segment_bytes=300)
    with scanned(dump.save(tmp_path / "d.hprof")) as (source, found):
        ids = np.zeros(found.object_count, np.uint64)
        states = pass_over_segments(source, found, collect(found, ids), no_progress, "x", counts_objects=True)
    naive = read_oracle(dump.data)
    assert sorted(ids.tolist()) == sorted([*naive.object_classes, *naive.classes])
    assert states


def test_a_pass_says_how_far_it_is(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    with scanned(build(nodes, segment_bytes=300).save(tmp_path / "d.hprof")) as (source, found):
        ids = np.zeros(found.object_count, np.uint64)
        pass_over_segments(source, found, collect(found, ids), lambda *each: said.append(each), "walking")
        assert len(said) == found.segment_starts.size > 2
        total = sum(found.segment_bytes)
    assert max(said) == ("walking", total, total)


def test_a_file_that_has_other_objects_now(tmp_path: Path) -> None:
    dump = build(nodes)
    path = dump.save(tmp_path / "d.hprof")
    with scanned(path) as (source, found):
        at = int(found.segment_starts[0])
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\x77")
        ids = np.zeros(found.object_count, np.uint64)
        with pytest.raises(CorruptRecord) as caught:
            pass_over_segments(source, found, collect(found, ids), no_progress, "x", counts_objects=True)
        assert caught.value.offset == at


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    path = build(nodes).save(tmp_path / "d.hprof")
    with scanned(path) as (source, found):
        ids = np.zeros(found.object_count, np.uint64)
        with path.open("r+b") as file:
            file.truncate(int(found.segment_starts[0]))
        with pytest.raises(TruncatedDump, match="shorter"):
            pass_over_segments(source, found, collect(found, ids), no_progress, "x", counts_objects=True)
