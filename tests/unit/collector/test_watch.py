"""Who is watched, when, and at what cost; with a clock and processes that are made up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from heapscope.collector import watch
from heapscope.collector.memory import Sample
from heapscope.collector.processes import JvmProcess
from heapscope.collector.watch import WALK_SHARE, Watch, ticks
from heapscope.errors import JvmNotFound
from tests.support.jvm import wait_until
from tests.unit.collector.living import jvm_process
from tests.unit.collector.test_sample_file import sample


@dataclass
class World:
    """Processes by pid, and a clock; looking at pages takes ``walk_seconds`` of CPU time."""

    processes: dict[int, JvmProcess] = field(default_factory=dict)
    others: set[int] = field(default_factory=set)  # processes without a JVM
    now: float = 1000.0
    cpu: float = 0.0
    walk_seconds: float = 0.0
    looked_at: list[int] = field(default_factory=list)
    walked: list[int] = field(default_factory=list)
    ask: Callable[[int], object] = lambda pid: None

    def monotonic(self) -> float:
        return self.now

    def thread_time(self) -> float:
        return self.cpu

    def listdir(self, path: str) -> list[str]:
        return ["self", *map(str, [*self.processes, *self.others])]

    def find(self, pids: list[int]) -> list[JvmProcess]:
        self.looked_at += pids
        return [self.processes[pid] for pid in pids if pid in self.processes]

    def start(self, pid: int, **changes: Any) -> None:
        self.processes[pid] = replace(jvm_process(), pid=pid, start_ticks=pid * 10, **changes)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    class Probe:
        is_to_be_asked = True
        nmt_growth: dict[str, int] | None = None

        def __init__(self, process: JvmProcess, *, nmt_baseline: bool) -> None:
            self.process, self.last_walk = process, 0.0

        def ask(self) -> None:
            made.ask(self.process.pid)

        def sample(self, captured_at: str, host: str, *, walk: bool) -> Sample | None:
            if self.process.pid not in made.processes:
                return None
            if walk:
                made.cpu += made.walk_seconds
                made.walked.append(self.process.pid)
                self.last_walk = made.now
            return sample(1, pid=self.process.pid)

        def close(self) -> None:
            pass

    monkeypatch.setattr(watch, "time", made)
    monkeypatch.setattr(watch, "find", made.find)
    monkeypatch.setattr("heapscope.collector.watch.os.listdir", made.listdir)
    monkeypatch.setattr(watch, "Probe", Probe)
    return made


def pids(samples: list[Sample]) -> list[int]:
    return [one.pid for one in samples]


def test_all_are_watched_also_those_that_come_later(world: World) -> None:
    world.start(8)
    world.start(7)
    watcher = Watch()
    assert pids(watcher.sample()) == [7, 8]
    world.start(9)
    assert pids(watcher.sample()) == [7, 8, 9]
    del world.processes[7]
    assert pids(watcher.sample()) == [8, 9]
    assert [process.pid for process in watcher.processes] == [8, 9]
    assert not watcher.is_over


def test_what_grew_since_the_baseline_outlives_the_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(7)
    world.start(8)
    watcher = Watch(nmt_baseline=True)
    watcher.sample()
    monkeypatch.setattr("heapscope.collector.watch.Probe.nmt_growth", {"Other": 5})
    del world.processes[7]
    watcher.sample()
    assert watcher.native_memory_growth() == {(7, 70): {"Other": 5}, (8, 80): {"Other": 5}}


def test_a_watch_of_named_processes_is_over_with_them(world: World) -> None:
    world.start(7)
    world.start(8)
    watcher = Watch([7])
    assert pids(watcher.sample()) == [7]
    del world.processes[7]
    assert watcher.sample() == []
    assert watcher.is_over


def test_named_processes_without_a_jvm_are_refused(world: World) -> None:
    world.others.add(5)
    with pytest.raises(JvmNotFound, match="process 5, 6"):
        Watch([5, 6])


def test_only_a_role_is_watched(world: World) -> None:
    world.start(7, role="ps")
    world.start(8, role="worker")
    assert pids(Watch(role="worker").sample()) == [8]


def test_what_has_no_jvm_yet_is_looked_at_after_as_long_as_it_was_known(world: World) -> None:
    world.others.add(5)
    watcher = Watch()
    assert world.looked_at == [5]
    for _ in range(400):
        world.now += 1
        watcher.sample()
    # At 1, 2, 4, 8 ... s after it was seen first, and then every 300 s.
    assert 8 <= len(world.looked_at) <= 10
    world.others.remove(5)
    world.start(5)
    for _ in range(300):
        world.now += 1
        watcher.sample()
    assert pids(watcher.sample()) == [5]


def test_a_library_that_is_only_mapped_is_no_jvm(world: World) -> None:
    world.start(7, is_started=False)
    assert Watch().sample() == []


def test_jvms_are_asked_side_by_side(world: World) -> None:
    for pid in range(1, 11):
        world.start(pid)
    together = threading.Barrier(10)
    met: list[int] = []

    def ask(pid: int) -> None:
        together.wait(60)  # until all are being asked
        met.append(pid)

    world.ask = ask
    watcher = Watch()
    assert len(watcher.sample()) == 10
    wait_until(lambda: len(met) == 10 or together.broken, "all were asked at once")
    watcher.close()
    assert sorted(met) == list(range(1, 11))


def test_a_jvm_that_never_answers_delays_no_round_and_is_asked_by_one_thread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CONTACT_SECONDS", 0.01)
    world.start(7)
    world.start(8)
    never, asked = threading.Event(), []

    def ask(pid: int) -> None:
        asked.append(pid)
        if pid == 7:
            never.wait(60)

    world.ask = ask
    watcher = Watch()
    assert [pids(watcher.sample()) for _ in range(3)] == [[7, 8]] * 3
    assert asked.count(7) == 1
    assert asked.count(8) >= 1
    never.set()
    watcher.close()


def test_what_looking_at_pages_costs_is_told_and_it_can_be_left_out(world: World) -> None:
    world.start(7)
    world.walk_seconds = 0.25
    watcher = Watch()
    watcher.sample()
    watcher.sample(walk_all=True)
    assert (watcher.walks.count, watcher.walks.seconds, watcher.walks.longest) == (2, 0.5, 0.25)
    without = Watch(with_pages=False)
    without.sample(walk_all=True)
    assert without.walks.count == 0


def test_pages_are_looked_at_as_often_as_their_share_of_a_core_allows(world: World) -> None:
    world.start(7)
    world.start(8)
    world.walk_seconds = 0.5
    watcher = Watch()
    watcher.sample()
    assert sorted(world.walked) == [7, 8]  # a first time each: growth needs its beginning
    for _ in range(10_000):
        world.now += 1.0
        watcher.sample()
    assert world.cpu == pytest.approx(WALK_SHARE * 10_000, rel=0.05)
    assert abs(world.walked.count(7) - world.walked.count(8)) <= 1  # in turn
    walks = len(world.walked)
    watcher.sample(walk_all=True)
    assert len(world.walked) == walks + 2


@pytest.mark.parametrize(
    ("seconds", "late", "rounds"),
    [(25, 0, [0, 1, 2]), (5, 0, [0]), (60, 25, [0, 3, 6]), (0, 0, [0])],
)
def test_rounds_keep_to_the_clock_and_those_that_were_missed_are_left_out(
    world: World, seconds: float, late: float, rounds: list[int]
) -> None:
    def wait(remaining: float) -> bool:
        world.now += remaining
        return False

    found = []
    for number in ticks(10, seconds, wait):
        found.append(number)
        world.now += late
    assert found == rounds


def test_a_watch_without_an_end_goes_on_until_it_is_told(world: World) -> None:
    slept: list[float] = []

    def wait(remaining: float) -> bool:
        slept.append(remaining)
        world.now += remaining
        return len(slept) == 3

    assert list(ticks(10, None, wait)) == [0, 1, 2]
    assert slept == [10, 10, 10]
