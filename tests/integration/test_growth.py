"""Growth of a real leak in real JVMs: what is told of it, and that two of them are not one series."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import heapscope
from heapscope.errors import DifferentProcesses
from tests.support.jvm import find_jdks, java

pytestmark = pytest.mark.jvm


def grow(folder: Path, release: int, steps: Sequence[int], *, seed: int) -> list[Path]:
    """Dumps of one JVM, after each step so many sessions more."""
    folder.mkdir()
    paths = []
    with java(find_jdks()[release], "Grower", "-XX:+UseSerialGC", arguments=[str(seed)]) as jvm:
        assert jvm.process.stdin is not None
        assert jvm.process.stdout is not None
        for place, count in enumerate(steps):
            jvm.process.stdin.write(f"{count}\n")
            jvm.process.stdin.flush()
            assert jvm.process.stdout.readline().strip() == "ready"
            paths.append(jvm.dump(folder / f"{place}.hprof"))
            time.sleep(0.01)  # a dump's time is in milliseconds
    return paths


@pytest.mark.parametrize("release", sorted(find_jdks()))
def test_a_leak_in_a_jvm(release: int, tmp_path: Path) -> None:
    found = heapscope.snapshots(grow(tmp_path / "a", release, [100, 100, 100, 100, 100], seed=1))
    (process,) = found.processes()
    assert process.is_certain
    growth = found.growth(retained=True)
    sessions = growth["Grower$Session"]
    assert sessions.instance_counts == (100, 200, 300, 400, 500)
    assert sessions.is_growing
    assert sessions.retained is not None
    assert sessions.retained.per_snapshot is not None
    assert sessions.retained.per_snapshot.value == pytest.approx(100 * (16 + 1016), rel=0.02)
    assert growth["Grower$Entry"].verdict == "fluctuates"
    assert growth["Grower$Registry"].verdict == "steady"
    assert growth["Grower$Registry"].retained is not None
    assert growth["Grower$Registry"].retained.is_growing
    (forecast,) = [one for one in growth.forecasts if one.limit.name == "heap limit"]
    assert 60_000_000 < forecast.limit.limit_bytes <= 64 << 20  # -Xmx64m, less a survivor space
    paths = [key.name for key in found.growth("path").growing]
    # The launcher refers to the class that it started.
    assert "Grower.REGISTRY (static) -> Grower$Registry.sessions -> HashMap.table" in paths[0]
    assert not any("Entry" in path.replace("Map$Entry", "") for path in paths)

    other = heapscope.snapshots(grow(tmp_path / "b", release, [1], seed=1))
    with pytest.raises(DifferentProcesses, match="2 processes"):
        heapscope.snapshots([*(one.path for one in found), other[0].path]).growth()
