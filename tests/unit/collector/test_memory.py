"""Native memory from text, and how often a JVM that does not answer is asked."""

from __future__ import annotations

from typing import Any

import pytest

from heapscope.collector import memory
from heapscope.collector.memory import Probe, native_memory, native_memory_growth
from heapscope.errors import AttachTimeout
from tests.unit.collector.living import jvm_process

SUMMARY = (
    "Native Memory Tracking:\n\nTotal: reserved=1845123KB, committed=90123KB\n"
    "-                 Java Heap (reserved=524288KB, committed=10240KB)\n"
    "                            (mmap: reserved=524288KB, committed=10240KB)\n"
    "-                     Other (reserved=301KB, committed=300KB)\n"
)
DIFF = (
    "Total: reserved=1845123KB +311KB, committed=90423KB +300KB\n"
    "-                 Java Heap (reserved=524288KB, committed=10240KB)\n"
    "-                    Thread (reserved=1000KB -80KB, committed=100KB -8KB)\n"
    "-                     Other (reserved=609KB +308KB, committed=608KB +308KB)\n"
)


def test_native_memory_of_17_and_25() -> None:
    assert native_memory(SUMMARY) == {"Total": 90123 << 10, "Java Heap": 10240 << 10, "Other": 300 << 10}
    assert native_memory("Native memory tracking is not enabled\n") == {}


def test_growth_since_a_baseline_has_those_that_changed() -> None:
    assert native_memory_growth(DIFF) == {"Total": 300 << 10, "Thread": -8 << 10, "Other": 308 << 10}


class Answers:
    """A JVM with native memory tracking that answers, or does not."""

    def __init__(self) -> None:
        self.now, self.is_dead = 1000.0, False
        self.asked: list[str] = []

    def monotonic(self) -> float:
        return self.now

    def jcmd(self, process: object, command: str, *, seconds: float) -> str:
        assert 0 < seconds <= memory.CONTACT_SECONDS
        self.asked.append(command)
        if self.is_dead:
            raise AttachTimeout("no answer")
        return {"VM.native_memory summary.diff": DIFF}.get(command, SUMMARY)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr(memory, "attach", made)
    monkeypatch.setattr(memory, "time", made)
    vm = {"java.rt.vmArgs": "-XX:NativeMemoryTracking=summary"}
    monkeypatch.setattr(Probe, "_read_counters", lambda self: vm)
    return made


def test_a_busy_jvm_is_asked_again_after_pauses_and_is_never_given_up(answers: Answers) -> None:
    probe = Probe(jvm_process())
    answers.is_dead = True
    for _ in range(7200):  # two hours of one round each second
        if probe.is_to_be_asked:
            probe.ask()
        answers.now += 1
    # 15, 30, 60 ... 600 s apart
    assert 14 <= len(answers.asked) <= 20
    answers.is_dead = False
    answers.now += 600
    asked = len(answers.asked)
    for _ in range(10):
        assert probe.is_to_be_asked
        probe.ask()
        found = probe.sample("", "", walk=False)
        assert found is not None
        assert (found.nmt_other_bytes, found.nmt_native_bytes) == (300 << 10, 79883 << 10)
        answers.now += 1
    assert len(answers.asked) == asked + 10


def test_what_was_not_asked_in_this_round_is_not_told(answers: Answers) -> None:
    probe = Probe(jvm_process())
    probe.ask()
    first, second = probe.sample("", "", walk=False), probe.sample("", "", walk=False)
    assert first is not None
    assert second is not None
    assert (first.nmt_other_bytes, second.nmt_other_bytes) == (300 << 10, None)


def test_the_baseline_is_taken_once_and_its_growth_told_at_the_end(answers: Answers) -> None:
    probe = Probe(jvm_process(), nmt_baseline=True)
    for _ in range(2):
        probe.ask()
    assert answers.asked == ["VM.native_memory baseline", *["VM.native_memory summary.diff"] * 2]
    answers.is_dead = True
    probe.ask()
    assert probe.nmt_growth == native_memory_growth(DIFF)
    found = probe.sample("", "", walk=False)
    assert found is not None
    assert found.nmt_other_bytes == native_memory(DIFF)["Other"] > 0


def test_without_tracking_nothing_is_asked(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    words: dict[str, Any] = {"java.rt.vmArgs": "-XX:NativeMemoryTracking=off"}
    monkeypatch.setattr(Probe, "_read_counters", lambda self: words)
    assert not Probe(jvm_process(), nmt_baseline=True).is_to_be_asked
