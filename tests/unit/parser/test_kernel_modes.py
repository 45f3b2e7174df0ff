"""Kernels give the same as machine code, with every index checked, and as plain Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heapscope.machine_code import Kernel
from heapscope.parser import kernels
from tests.support.dumps import DumpBuilder, build

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, sys, heapscope
with heapscope.open(sys.argv[1]) as heap:
    rows = list(heap.histogram().rows())
    print(json.dumps([rows, len(heap.gc_roots), heap.columns.object_ids.tolist()]))
"""


def some_heap(dump: DumpBuilder) -> None:
    dump.cls("a.Point", fields={"x": "int", "next": "object"})
    first = dump.instance("a.Point", x=1)
    second = dump.instance("a.Point", x=2, next=first)
    dump.string("text")
    dump.root("JNI_GLOBAL", second)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("modes") / "a.hprof"
    build(some_heap).save(path)
    return path


def answers(dump: Path, **environment: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(dump)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_every_mode_gives_the_same(dump: Path, mode: str) -> None:
    plain = answers(dump)
    assert plain
    assert answers(dump, **{mode: "1"}) == plain


def test_a_cache_that_cannot_be_used_changes_nothing(dump: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    assert answers(dump, HEAPSCOPE_CACHE_DIR=str(nowhere)) == answers(dump)


def test_damaged_machine_code_is_not_run(dump: Path, tmp_path: Path) -> None:
    before = answers(dump, HEAPSCOPE_CACHE_DIR=str(tmp_path))
    files = sorted((tmp_path / "kernels").glob("*.o"))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert answers(dump, HEAPSCOPE_CACHE_DIR=str(tmp_path)) == before


def test_arrays_of_another_type_are_refused() -> None:
    assert isinstance(kernels.read_ids, Kernel)
    with pytest.raises(TypeError, match="contiguous"):
        kernels.read_ids(np.zeros(8, np.int16), np.zeros(1, np.int64), 8, np.zeros(1, np.uint64))
