"""A series of dumps of one process that leaks file systems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.unit.analysis.leak import leak_builder

HOUR_MS = 3_600_000


def leak_series(folder: Path, counts: Sequence[int], *, seed: int | None = 7, jdk: int = 17) -> list[Path]:
    """Dumps an hour apart of one process with so many leaked file systems."""
    paths = []
    for place, count in enumerate(counts):
        d = leak_builder(count)
        d.timestamp_ms += place * HOUR_MS
        if seed is not None:
            d.cls("java.util.ImmutableCollections", statics={"SALT32L": ("long", seed)})
        paths.append(d.dump().save(folder / f"s{place}.hprof"))
    return paths
