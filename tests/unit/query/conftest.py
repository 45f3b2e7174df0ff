"""Heaps that several tests of queries ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope
from heapscope.heap.heap import Heap
from tests.support.dumps import build
from tests.unit.query.heaps import typed, with_secrets

SAMPLES = Path(heapscope.__file__).parents[1] / "sample_dumps"


@pytest.fixture(scope="session")
def leak() -> Iterator[Heap]:
    """Real: fifty leaked file systems."""
    with heapscope.open(SAMPLES / "leak-4.hprof.gz", use_index=False) as heap:
        yield heap


@pytest.fixture(scope="session")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heap]:
    """Fields of all types."""
    path = build(typed).save(tmp_path_factory.mktemp("typed") / "typed.hprof")
    with heapscope.open(path, use_index=False) as heap:
        yield heap


@pytest.fixture(scope="session")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heap]:
    """Secrets in many places."""
    path = build(with_secrets).save(tmp_path_factory.mktemp("secret") / "secret.hprof")
    with heapscope.open(path, use_index=False) as heap:
        yield heap
