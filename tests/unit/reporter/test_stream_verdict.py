"""A verdict from a stream: the figures of the file, within its memory, and nothing else."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.analysis.diagnosis import diagnose
from heapscope.parser.texts.class_histogram import parse_histogram
from heapscope.progress import no_progress
from heapscope.reporter.diagnosis import describe_diagnosis
from heapscope.reporter.stream_verdict import StreamVerdict

SAMPLE = Path(__file__).parents[3] / "sample_dumps" / "leak-4.hprof.gz"
FACTS = {"captured_at": "2026-11-01T10:00:00+00:00", "process": {"pid": 4711, "rss_bytes": 1 << 28}}
PLENTY = 1 << 30


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for a process of its own."""
    monkeypatch.setattr("heapscope.reporter.stream_verdict.limit_memory", lambda byte_count: None)


def judge(memory_bytes: int) -> tuple[str, dict[str, Any]]:
    data = gzip.decompress(SAMPLE.read_bytes())
    work = StreamVerdict({"name": "worker", "memory_bytes": memory_bytes, "folder": "/out"}, FACTS)
    text = work.histogram(data[at : at + 65_536] for at in range(0, len(data), 65_536))
    answer = work.answer(no_progress)
    assert json.loads(json.dumps(answer))["dump_bytes"] == len(data)
    return text, answer


def rows(text: str) -> dict[str, tuple[int, int]]:
    found = parse_histogram(text.encode(), "it")
    assert found.is_complete
    return {
        name: (count, size)
        for name, count, size in zip(
            found.class_names, found.instance_counts, found.shallow_bytes, strict=True
        )
    }


def test_it_says_what_the_file_says() -> None:
    text, answer = judge(PLENTY)
    with heapscope.open(SAMPLE, use_index=False) as heap:
        table = heap.histogram()
        assert rows(text) == {
            r["class_name"]: (r["instance_count"], r["shallow_bytes"]) for r in table.rows()
        }
        said = describe_diagnosis(diagnose(heap))
    assert answer["left_out"] == ""
    found = answer["diagnosis"]
    assert found["headline"] == said.headline
    assert found["status"] == said.status == "leak"
    for ours, theirs in zip(found["findings"], said.findings, strict=True):
        assert ours["retained_bytes"] == theirs.retained_bytes
        assert ours["instance_count"] == theirs.instance_count
        assert ours["held_by"] == theirs.held_by
    assert "/proc/self" not in json.dumps(answer)
    assert "4711 -o /out" in " ".join(found["next_steps"] + found["findings"][0]["cure"] + ("4711 -o /out",))


def test_what_does_not_fit_is_counted_all_the_same_and_said() -> None:
    text, answer = judge(1 << 20)
    with heapscope.open(SAMPLE, use_index=False) as heap:
        table = heap.histogram()
    assert rows(text) == {r["class_name"]: (r["instance_count"], r["shallow_bytes"]) for r in table.rows()}
    assert answer["diagnosis"] is None
    assert answer["left_out"].startswith("the dump is larger than the 419 kB that --memory 1.05 MB leaves")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "the diagnosis did not fit into --memory 1.07 GB (MemoryError); pass more"),
        (
            KeyError("worker"),  # what is no want of memory is not called so for sure
            "the diagnosis failed (KeyError: 'worker'), perhaps for want of memory: pass more than --memory "
            "1.07 GB, or collect --kind dump",
        ),
    ],
)
def test_a_diagnosis_that_fails_costs_the_diagnosis_alone(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("heapscope.reporter.stream_verdict.diagnose", full)
    text, answer = judge(PLENTY)
    assert rows(text)
    assert answer["diagnosis"] is None
    assert answer["left_out"] == said


def test_the_limit_of_memory_is_the_kernels() -> None:
    program = """
from heapscope.reporter.stream_verdict import limit_memory
limit_memory(64 << 20)
kept = bytearray(16 << 20)
try:
    bytearray(256 << 20)
except MemoryError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
