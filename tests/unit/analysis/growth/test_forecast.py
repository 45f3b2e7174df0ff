"""When limits are reached."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

import heapscope
from tests.unit.analysis.growth.series_of_dumps import HOUR_MS
from tests.unit.analysis.leak import leak_builder
from tests.unit.reporter.series import series


def test_forecast_of_a_stated_limit() -> None:
    growth = series({"a.Session": ((100, 200, 300, 400), 1000)}, step=timedelta(hours=1)).growth(
        limit_bytes=1_000_000
    )
    (found,) = growth.forecasts
    assert found.limit.name == "stated limit"
    assert found.limit.used_bytes == 400_000
    assert found.at == growth.snapshots[-1].captured_at + timedelta(hours=6)
    assert found.earliest == found.latest == found.at  # a perfect line
    assert found.confidence == pytest.approx(11 / 12)


def test_the_range_follows_the_interval_of_the_rate() -> None:
    growth = series({"a.S": ((100, 150, 300, 400), 1000)}, step=timedelta(hours=1)).growth(
        limit_bytes=1_000_000
    )
    (found,) = growth.forecasts
    assert found.earliest is not None
    assert found.at is not None
    assert found.latest is not None
    assert found.earliest < found.at < found.latest
    last = growth.snapshots[-1].captured_at
    assert found.earliest == last + timedelta(hours=600 / 150)
    assert found.latest == last + timedelta(hours=600 / 50)


def test_no_forecast_of_what_does_not_grow() -> None:
    for counts in ((100, 90, 110, 100), (5, 5, 5, 5), (400, 300, 200, 100)):
        assert series({"a.S": (counts, 1000)}).growth(limit_bytes=10**9).forecasts == ()


def test_limits_of_dump_and_sidecar(tmp_path: Path) -> None:
    paths = []
    for place, count in enumerate([10, 20, 30, 40]):
        d = leak_builder(count)
        d.timestamp_ms += place * HOUR_MS
        d.cls("jdk.internal.misc.VM", statics={"directMemory": ("long", 1_000_000)})
        paths.append(d.dump().save(tmp_path / f"s{place}.hprof"))
    growth = heapscope.snapshots(paths).growth()
    (found,) = growth.forecasts
    assert (found.limit.name, found.limit.limit_bytes) == ("heap limit", 1_000_000)
    assert "VM.directMemory" in found.limit.source

    limits = {
        "container_bytes": 2_000_000,
        "container_used_bytes": 1_900_000,
        "machine_bytes": 10**12,
        "machine_used_bytes": 5,
    }
    sidecar = {"process": {"pid": 1, "start_ticks": 1, "heap": {"max_bytes": 3_000_000}}, "limits": limits}
    for path in paths:
        path.with_name(path.name + ".json").write_text(json.dumps(sidecar))
    growth = heapscope.snapshots(paths).growth()
    assert [(one.limit.name, one.limit.limit_bytes) for one in growth.forecasts] == [
        ("container limit", 2_000_000),
        ("heap limit", 3_000_000),
        ("machine's memory", 10**12),
    ]
    assert growth.forecasts[-1].at is None  # more than 50 years away


def test_a_limit_below_what_is_in_use_is_none(tmp_path: Path) -> None:
    d = leak_builder(10)
    d.cls("jdk.internal.misc.VM", statics={"directMemory": ("long", 1000)})
    path = d.dump().save(tmp_path / "a.hprof")
    from heapscope.analysis.growth.forecast import find_limits

    assert find_limits(list(heapscope.snapshots([path]))) == []


@pytest.mark.parametrize("is_stated", [True, False])
def test_a_limit_of_direct_memory_is_not_the_heaps(tmp_path: Path, is_stated: bool) -> None:
    from heapscope.analysis.growth.forecast import find_limits

    d = leak_builder(10)
    saved = d.hash_map({"sun.nio.MaxDirectMemorySize": "1000000"} if is_stated else {"java.home": "/jdk"})
    statics = {"directMemory": ("long", 1_000_000), "savedProps": ("Map", saved)}
    d.cls("jdk.internal.misc.VM", statics=statics)
    path = d.dump().save(tmp_path / "a.hprof")
    limits = find_limits(list(heapscope.snapshots([path])))
    assert [each.name for each in limits] == ([] if is_stated else ["heap limit"])


def test_the_sidecar_tells_of_a_limit_of_direct_memory(tmp_path: Path) -> None:
    from heapscope.analysis.growth.forecast import find_limits

    d = leak_builder(10)
    d.cls("jdk.internal.misc.VM", statics={"directMemory": ("long", 256 << 20)})
    path = d.dump().save(tmp_path / "a.hprof")
    options = {"jvm_options": {"command_line": ["-XX:MaxDirectMemorySize=256m"], "flags": []}}
    path.with_name("a.hprof.json").write_text(json.dumps(options))
    (snapshot,) = heapscope.snapshots([path])
    assert snapshot.stated_direct_bytes == 256 << 20
    assert find_limits([snapshot]) == []
