"""Cards of watched processes."""

from __future__ import annotations

from pathlib import Path

import heapscope
from heapscope.analysis.memory.judging import judge
from tests.unit.reporter.notebook.conftest import page

ROOT = Path(__file__).parents[4]


def test_a_watched_process_is_its_verdict() -> None:
    watched = heapscope.watched_processes(heapscope.read_samples(ROOT / "sample_dumps" / "watch.csv"))
    assert [process.verdict().cause for process in watched] == ["java heap", "malloc", "steady"]
    found = page(watched[0])
    assert found.text.startswith("worker:0 (pid ")
    assert "the Java heap grows" in found.text
    assert len(found.named("svg")) == 3
    verdict = judge(7, [0.0, 1.0], {"rss_bytes": [1.0, 2.0]})
    assert "pid 7: too early to tell" in page(verdict).text


def test_reading_samples_takes_one_path_or_many() -> None:
    path = ROOT / "sample_dumps" / "watch.csv"
    assert len(heapscope.read_samples(str(path))) == len(heapscope.read_samples([path, path])) == 99
