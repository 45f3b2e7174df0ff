"""One fleet of synthetic dumps for all tests here, its sketches made in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.fleet.fleet import Fleet
from tests.support.fleet import make_sketches, small_fleet, write_fleet, write_sidecar


@pytest.fixture(scope="session")
def fleet_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of dumps, one with a sidecar, and one file that is broken."""
    folder = tmp_path_factory.mktemp("dumps") / "north"
    paths = write_fleet(folder, small_fleet())
    write_sidecar(paths[0], "host0", 100, role="worker", task_index=3, pod="trainer-0")
    (folder / "host0" / "999-0.hprof").write_bytes(paths[0].read_bytes()[:500])
    return folder


@pytest.fixture(scope="session")
def fleet(fleet_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Its sketches."""
    return make_sketches(fleet_files, tmp_path_factory.mktemp("sketches") / "fleet")
