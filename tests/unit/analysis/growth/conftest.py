"""Snapshots that several tests of growth read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import write_histogram


@pytest.fixture(name="series")
def _series(tmp_path: Path) -> list[Path]:
    """Three class histograms a minute apart: a leak, and something steady."""
    return [
        write_histogram(
            tmp_path / f"leak-{i}.txt",
            [
                ("org.apache.hadoop.hdfs.DistributedFileSystem", 1000 * i, 48_000 * i),
                ("java.lang.String", 5, 120),
            ],
            60 * i,
        )
        for i in (1, 2, 3)
    ]
