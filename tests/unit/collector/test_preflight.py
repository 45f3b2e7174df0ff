"""What a dump would take, from what can be seen without contact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.collector import preflight
from heapscope.collector.perfdata import HeapUse
from heapscope.collector.preflight import expect
from heapscope.collector.processes import JvmProcess
from tests.unit.collector.living import jvm_process

GB = 1_000_000_000


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> JvmProcess:
    monkeypatch.setattr(preflight, "survives_broken_pipe", lambda process: True)
    monkeypatch.setattr(preflight, "can_link", lambda pid: True)
    heap = HeapUse(GB, 2 * GB, 4 * GB, 0, 0, 0)
    return replace(jvm_process(), heap=heap, rss_bytes=3 * GB, jvm_version="17.0.15+6")


def test_bytes_and_pause_follow_from_the_heap(process: JvmProcess, tmp_path: Path) -> None:
    found = expect(process, tmp_path / "new", max_pause_seconds=30)
    assert (found.dump_bytes, found.most_bytes) == (1_450_000_000, 2_900_000_000)
    assert found.pause_seconds == pytest.approx(14.5)
    assert (found.refusals, found.warnings, found.is_measured) == ((), (), False)
    assert found.spare_bytes is not None
    faster = expect(replace(process, jvm_version="25.0.1+8"), None, max_pause_seconds=30)
    assert faster.pause_seconds == pytest.approx(7.25)
    assert not (tmp_path / "new").exists()


def test_what_a_container_leaves_open_is_said(process: JvmProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "can_link", lambda pid: False)
    assert expect(process, None, max_pause_seconds=30).warnings == ()  # JDK 17 opens it while its threads run
    process = replace(process, jvm_version="25.0.1+8")
    (warning,) = expect(process, None, max_pause_seconds=30).warnings
    assert "killed at once by SIGKILL" in warning
    assert expect(process, None, stream=False, max_pause_seconds=30).warnings == ()


def test_its_own_rate_counts_more(process: JvmProcess, tmp_path: Path) -> None:
    of = {"pid": process.pid, "start_ticks": process.start_ticks}
    facts = {"dump_bytes": GB, "pause_seconds_estimate": 2.0, "captured_at": "2026-11-01", "process": of}
    (tmp_path / f"jvm.{process.pid}.x.hprof.zst.json").write_text(json.dumps(facts))
    other = {**facts, "process": {**of, "start_ticks": 1}, "captured_at": "2026-11-02"}
    (tmp_path / f"jvm.{process.pid}.y.hprof.zst.json").write_text(json.dumps(other))
    found = expect(process, tmp_path, max_pause_seconds=30)
    assert found.is_measured
    assert found.pause_seconds == pytest.approx(2.9)


def test_what_could_go_wrong_is_said(process: JvmProcess, tmp_path: Path) -> None:
    assert "the dump is then ended" in expect(process, None, max_pause_seconds=10).warnings[0]
    assert "--max-pause 15s" in expect(process, None, max_pause_seconds=10).warnings[0]  # it takes 14.5 s
    filed = expect(process, None, stream=False, max_pause_seconds=10)
    assert any("cannot be ended" in reason for reason in filed.refusals)
    needs_signal = replace(process, attach="signal", attach_reason="needs a SIGQUIT")
    assert expect(needs_signal, None, max_pause_seconds=30).refusals == ("needs a SIGQUIT",)
    assert expect(needs_signal, None, allow_sigquit=True, max_pause_seconds=30).refusals == ()
    full = expect(process, tmp_path, max_pause_seconds=30, min_free_bytes=1 << 60)
    assert "to spare" in full.warnings[0]
    unknown = expect(replace(process, heap=None), None, max_pause_seconds=60)
    assert "not known" in unknown.warnings[0]
