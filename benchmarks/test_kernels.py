"""Compiled loops against `cat`: a change that makes one of them several times slower fails here.

::

    make ratios      # or: python -m pytest -n 0 benchmarks/test_kernels.py

Processor time of the fastest of some rounds, divided by that of reading the same file, which a busy machine
slows alike; and limits are about four times what was measured: 5.5, 24, 42, 53.  How fast heapscope is,
`benchmarks.run` tells.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heapscope.heap.heap import Heap
from heapscope.parser.tags import RecordTag, SubRecordTag
from tests.support.dumps import DumpBuilder

OBJECTS = 500_000
ROUNDS = 7
_RECORD = np.dtype(
    [
        ("tag", "u1"), ("id", ">u8"), ("trace", ">u4"), ("class", ">u8"), ("length", ">u4"),
        ("left", ">u8"), ("right", ">u8"),
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of nodes that lie in any order, so that few of all steps are Python's."""
    builder = DumpBuilder()
    builder.cls("a.Node", fields={"left": "Object", "right": "Object"})
    whole = builder.dump().data
    end = bytes([RecordTag.HEAP_DUMP_END]) + bytes(8)
    assert whole.endswith(end)
    ids = (1 << 20) + 24 * np.random.default_rng(1).permutation(OBJECTS).astype(np.uint64)
    nodes = np.zeros(OBJECTS, _RECORD)
    nodes["tag"], nodes["class"], nodes["length"] = SubRecordTag.INSTANCE_DUMP, builder.class_id("a.Node"), 16
    nodes["id"] = ids
    for side, first in (("left", 1), ("right", 2)):
        below = ids[first::2]
        nodes[side][: below.size] = below
    root = bytes([SubRecordTag.ROOT_STICKY_CLASS]) + int(ids[0]).to_bytes(8, "big")
    length = (len(root) + nodes.nbytes).to_bytes(4, "big")
    path = tmp_path_factory.mktemp("kernels") / "tree.hprof"
    head = whole[: -len(end)] + bytes([RecordTag.HEAP_DUMP_SEGMENT]) + bytes(4) + length
    path.write_bytes(head + root + nodes.tobytes() + end)
    return path


@pytest.fixture(scope="module")
def cat_seconds(dump: Path) -> float:
    """Processor seconds of reading it, a hundred times for the clock's sake."""
    buffer = memoryview(bytearray(2 << 20))

    def read() -> float:
        began = time.process_time()
        for _ in range(100):
            fd = os.open(dump, os.O_RDONLY)
            while os.readv(fd, [buffer]):
                pass
            os.close(fd)
        return (time.process_time() - began) / 100

    return min(read() for _ in range(3))


def _open(path: Path) -> Heap:
    return Heap(path, use_index=False)


def _with_columns(path: Path) -> Heap:
    heap = _open(path)
    assert heap.columns.class_index.size == heap.object_count > OBJECTS
    return heap


def _with_references(path: Path) -> Heap:
    heap = _with_columns(path)
    assert heap.references.indices.size >= OBJECTS - 1
    return heap


@pytest.mark.benchmark(timer=time.process_time, disable_gc=True)
@pytest.mark.parametrize(
    ("prepare", "work", "most"),
    [
        pytest.param(lambda path: path, _open, 25, id="count"),
        pytest.param(_open, lambda heap: heap.columns, 100, id="columns"),
        pytest.param(_with_columns, lambda heap: heap.references, 170, id="references"),
        pytest.param(_with_references, lambda heap: heap.dominators(), 220, id="dominators"),
    ],
)
def test_a_pass_over_a_dump_takes_no_more_than_so_many_times_cat(
    benchmark: Any,
    dump: Path,
    cat_seconds: float,
    prepare: Callable[[Path], object],
    work: Callable[[object], object],
    most: int,
) -> None:
    work(prepare(dump))  # compiled by now
    benchmark.pedantic(work, setup=lambda: ((prepare(dump),), {}), rounds=ROUNDS)
    ratio = benchmark.stats.stats.min / cat_seconds
    benchmark.extra_info["times cat"] = round(ratio, 1)
    assert ratio < most, f"{ratio:.0f} times cat; {most} is the limit"
