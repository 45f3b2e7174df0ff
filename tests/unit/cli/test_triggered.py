"""``collect --trigger``: snapshots when a condition fires, until every process has had its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from heapscope.cli.triggered import collect_when
from heapscope.collector import watch
from heapscope.collector.memory import Sample
from heapscope.collector.processes import JvmProcess
from heapscope.collector.trigger import parse_trigger
from heapscope.errors import AttachRefused, CollectError, DumpFailed
from tests.unit.collector.living import jvm_process
from tests.unit.collector.test_trigger import at


class Rounds:
    """A watch of one process that gains 100 MB between two rounds, 10 s apart; it ends after ``length``."""

    def __init__(self, length: int = 100) -> None:
        self.length, self.number, self.is_closed = length, 0, False
        self.process = replace(jvm_process(), pid=7, start_ticks=99)
        self.swept: list[int] = []

    def __call__(self, pids: Sequence[int], role: str | None) -> Rounds:
        return self

    @property
    def processes(self) -> list[JvmProcess]:
        return [self.process]

    @property
    def is_over(self) -> bool:
        return self.number >= self.length

    def sample(self) -> list[Sample]:
        self.number += 1
        return [at(10 * self.number, rss_bytes=self.number * 100_000_000)]

    def sweep(self) -> list[int]:
        return self.swept

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    made = Rounds()

    def at_once(every: float, seconds: float | None, wait: Callable[[float], bool]) -> Iterator[int]:
        yield from range(1000 if seconds is None else int(seconds / every))

    monkeypatch.setattr(watch, "Watch", made)
    monkeypatch.setattr(watch, "ticks", at_once)
    return made


def run(
    taken: list[str], trigger: str, *, seconds: float | None = None, fails: type[CollectError] | None = None
) -> object:
    def take(process: JvmProcess, kind: str) -> None:
        taken.append(kind)
        if fails is not None:
            raise fails("the JVM refuses")

    triggers = [parse_trigger(trigger)]
    return collect_when(
        triggers, take, lambda process: None, pids=[7], role=None, count=3, every=60.0, seconds=seconds
    )


def test_it_ends_when_all_snapshots_are_taken(rounds: Rounds, capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[str] = []
    rounds.swept = [7]
    assert run(taken, "rss>1GB") is None
    assert taken == ["histogram", "dump", "dump"]
    assert (rounds.number, rounds.is_closed) == (11 + 12, True)  # two waits of 60 s
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "process 7: rss 1.10 GB (rss>1GB): a class histogram"
    assert said.err.count("killed heapscope left in /tmp of process 7; a JVM that stood still there") == 23


def test_what_it_takes_after_a_class_histogram_is_named(
    rounds: Rounds, capsys: pytest.CaptureFixture[str]
) -> None:
    triggers = [parse_trigger("rss>1GB")]
    collect_when(
        triggers,
        lambda process, kind: None,
        lambda process: None,
        pids=[7],
        role=None,
        count=2,
        every=60.0,
        seconds=None,
        what="verdict",
    )
    assert capsys.readouterr().out.splitlines()[1].endswith(": a verdict")


def test_it_ends_with_the_process_or_with_its_time(rounds: Rounds) -> None:
    taken: list[str] = []
    rounds.length = 5
    assert run(taken, "rss>1GB") is None
    assert rounds.number == 5
    rounds.number, rounds.length = 0, 100
    assert run(taken, "rss>1GB", seconds=30) is None
    assert rounds.number == 3
    assert taken == []


def test_a_snapshot_that_fails_is_told_and_the_watch_goes_on(
    rounds: Rounds, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[str] = []
    assert isinstance(run(taken, "rss>1GB", fails=DumpFailed), DumpFailed)
    assert taken == ["histogram", "dump", "dump"]
    assert capsys.readouterr().err == "heapscope: the JVM refuses\n" * 3
    assert rounds.is_closed


def test_a_refusal_costs_no_snapshot_and_is_tried_again(rounds: Rounds) -> None:
    """The JVM was not asked: so the first that succeeds is still the class histogram."""
    taken: list[str] = []
    assert isinstance(run(taken, "rss>1GB", fails=AttachRefused, seconds=400), AttachRefused)
    assert taken == ["histogram"] * 5  # every 60 s


def test_of_two_that_started_in_one_tick_the_one_that_grows_is_taken(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    innocent = replace(rounds.process, pid=6)
    monkeypatch.setattr(Rounds, "processes", property(lambda self: [innocent, self.process]))
    taken: list[int] = []
    armed: list[int] = []
    collect_when(
        [parse_trigger("rss>1GB")],
        lambda process, kind: taken.append(process.pid),
        lambda process: armed.append(process.pid),
        pids=[6, 7],
        role=None,
        count=1,
        every=60.0,
        seconds=200,
    )
    assert taken == [7]
    assert armed == [6, 7]
